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
use crate::model::finding::Tool;
use crate::model::{Finding, Severity, Verdict};
use crate::remediate::limits::{Allow, Limits};
use crate::remediate::place::Reach;
use crate::remediate::plan::{Plan, Purpose};
use crate::remediate::planner::{self, Request};
use crate::remediate::remedy;
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
        let Reached { connection, regions } = live::reach(&arguments.live).await?;
        let account = connection.account().clone();
        let reaches: Reaches = BTreeMap::from([(account.clone(), Reach::new(connection))]);
        let reach = &reaches[&account];
        let needs = planner::needs(&rules, selection.library(), &remedies);
        let started_at = Timestamp::now();
        let shutdown = Shutdown::new();
        let inventory =
            live::read_regions(&arguments.live, reach.connection(), &regions, &needs, &shutdown, globals).await?;
        if shutdown.is_requested() {
            return Err(Error::Interrupted);
        }
        let report = selection.report(std::slice::from_ref(&inventory), &rules, started_at, globals);
        let id = new_id();
        let findings: Vec<_> = report.findings.iter().filter(|finding| arguments.concerns(finding)).collect();
        let params = rules.iter().map(|selected| (selected.rule.id.clone(), selected.params().clone())).collect();
        let request = Request {
            id: &id,
            reach,
            inventory: &inventory,
            settings: &settings,
            remedies: &remedies,
            findings,
            params,
            limits: &limits,
        };
        let part = planner::plan(&request, 1).await;
        let plan = Plan {
            kind: Plan::KIND.to_owned(),
            schema_version: Plan::SCHEMA_VERSION,
            tool: Tool { ..report.tool.clone() },
            id,
            created_at: Timestamp::now().to_string(),
            purpose: Purpose::Fix,
            scopes: BTreeMap::from([(account.clone(), regions)]),
            findings: part.aims,
            steps: part.steps,
            left_out: part.left_out,
        };
        carry_out::show_plan(&plan, globals)?;
        if plan.steps.is_empty() {
            return Ok(Exit::Success);
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
        Ok(match exit_of_steps(&plan, &records) {
            Exit::Success => verdict,
            exit => exit,
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
