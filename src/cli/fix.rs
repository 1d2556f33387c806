//! `fix`: plan what would make findings right, show it, and when told to, do it and look again.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::carry_out::{self, Reaches, can_ask, carry_out, confirm, exit_of_steps, new_id};
use super::live::{self, LiveArgs, Reached};
use super::selection::{Selection, SelectionArgs};
use super::state::StateArgs;
use super::{Error, Exit, Globals};
use crate::model::{Finding, Severity, Verdict};
use crate::remediate::limits::{Allow, Limits};
use crate::remediate::place::Reach;
use crate::remediate::plan::Plan;
use crate::remediate::planner::{self, Request};
use crate::remediate::remedy;
use crate::scan;
use crate::source::Shutdown;
use crate::waiver::Glob;

/// The arguments of `fix`.
#[derive(Debug, Args)]
pub(super) struct FixArgs {
    /// Only these resources, by id or ARN (* and ? match); can be repeated. What is changed only by name is
    /// named here in full
    #[arg(long = "resource", value_name = "GLOB", env = "SSM_AUDIT_RESOURCE")]
    resources: Vec<String>,
    /// Only findings of this severity or over it
    #[arg(long, value_enum, env = "SSM_AUDIT_SEVERITY")]
    severity: Option<Severity>,
    /// Kinds of change that are made only when allowed; can be repeated
    #[arg(long, value_enum, value_delimiter = ',', env = "SSM_AUDIT_ALLOW")]
    allow: Vec<Allow>,
    /// Apply the plan without asking
    #[arg(long)]
    yes: bool,
    /// Save the plan
    #[arg(long, value_name = "FILE", env = "SSM_AUDIT_OUT")]
    out: Option<PathBuf>,
    /// How many steps may run at once
    #[arg(long, value_name = "N", default_value = "4", env = "SSM_AUDIT_STEPS")]
    steps: NonZeroUsize,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    live: LiveArgs,
}

pub(super) fn run(arguments: &FixArgs, globals: &Globals) -> Result<Exit, Error> {
    let selection = Selection::from_args(&arguments.selection, globals)?;
    let rules = selection.rules()?;
    let remedies = remedy::embedded(selection.library()).map_err(Error::Diagnostics)?;
    let settings = globals.config()?.fix.clone();
    let limits = Limits {
        allowed: arguments.allow.iter().copied().collect(),
        named: arguments.resources.iter().cloned().collect(),
        asks_for_names: can_ask() && !arguments.yes,
    };
    live::run(async {
        let (reached, unreached) = live::reach(&arguments.live, globals).await?;
        carry_out::warn_of_unreached(&unreached, globals);
        let needs = planner::needs(&rules, selection.library(), &remedies);
        let params: BTreeMap<_, _> =
            rules.iter().map(|selected| (selected.rule.id.clone(), selected.params().clone())).collect();
        let mut plan = Plan::empty(new_id(), Timestamp::now().to_string(), scan::digest(&rules));
        let mut reaches = Reaches::new();
        for Reached { connection, regions } in reached {
            let account = connection.account().clone();
            let reach = Reach::new(connection);
            let started_at = Timestamp::now();
            let shutdown = Shutdown::new();
            let inventory =
                live::read_regions(&arguments.live, reach.connection(), &regions, &needs, &shutdown, globals).await?;
            if shutdown.is_requested() {
                return Err(Error::Interrupted);
            }
            let report = selection.report(vec![scan::judge(&inventory, &rules)], &rules, started_at, globals);
            let request = Request {
                id: &plan.id,
                reach: &reach,
                inventory: &inventory,
                settings: &settings,
                remedies: &remedies,
                findings: report.findings.iter().filter(|finding| arguments.concerns(finding)).collect(),
                params: params.clone(),
                limits: &limits,
            };
            let part = planner::plan(&request, plan.steps.len() + 1).await;
            plan.add(account.clone(), regions, part);
            reaches.insert(account, reach);
        }
        carry_out::show_plan(&plan, globals)?;
        let whole = if unreached.is_empty() { Exit::Success } else { Exit::Unknown };
        if plan.steps.is_empty() {
            return Ok(whole);
        }
        if !(arguments.yes || (can_ask() && confirm(&plan, &limits.named)?)) {
            return Ok(Exit::Failed);
        }
        let journal = arguments.state.journal()?;
        let _locks = journal.lock(plan.accounts())?;
        carry_out::nothing_unfinished(&plan, &journal)?;
        journal.begin(&plan, &Timestamp::now().to_string())?;
        let records = carry_out(&plan, BTreeMap::new(), &reaches, &journal, arguments.steps, globals).await?;
        let verdict = carry_out::check(&plan, &selection, &reaches, &arguments.live, globals).await?;
        Ok(match (exit_of_steps(&plan, &records), verdict) {
            (Exit::Success, Exit::Success) => whole,
            (Exit::Success, verdict) => verdict,
            (exit, _) => exit,
        })
    })
}

impl FixArgs {
    /// Whether the finding is one that was asked for.
    fn concerns(&self, finding: &Finding) -> bool {
        let resource = &finding.resource;
        let names = [Some(&resource.id), resource.arn.as_ref()];
        let named = |glob: &String| names.into_iter().flatten().any(|name| Glob::new(glob).matches(name));
        finding.verdict == Verdict::Fail
            && self.severity.is_none_or(|least| finding.severity >= least)
            && (self.resources.is_empty() || self.resources.iter().any(named))
    }
}
