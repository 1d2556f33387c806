//! `fix`: plan what would make findings right, show it, and when told to, do it and look again.

mod choose;
mod in_code;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use self::choose::Chosen;
use super::apply::{self, Accounts, LockArgs, carry_out, exit_of_steps, look, new_id, reach_accounts, say};
use super::aws_args::{self, LiveArgs, Reached};
use super::code::CodeArgs;
use super::confirm::{can_ask, confirm, confirm_names};
use super::named::Names;
use super::report_input::Earlier;
use super::selection::{self, Selection, SelectionArgs};
use super::state_dir::StateArgs;
use super::verify::{self, check};
use super::{Error, Exit, Globals, output};
use crate::collect::{Shutdown, terraform};
use crate::engine::rule::Library;
use crate::engine::scan::{self, Selected};
use crate::engine::waiver::Glob;
use crate::file_envelope::SavedError;
use crate::model::finding::Tool;
use crate::model::{Finding, Report, Severity, Verdict};
use crate::remediate::account_clients::AccountClients;
use crate::remediate::account_lock::AccountLocks;
use crate::remediate::approvals::{Allow, Limits};
use crate::remediate::change_limit::{ChangeLimit, Excess};
use crate::remediate::consistency::Wrong;
use crate::remediate::journal::{Journal, RunState};
use crate::remediate::plan::{Extent, Plan, Purpose};
use crate::remediate::plan_builder::Contradiction;
use crate::remediate::planner::{self, Part, Request};
use crate::remediate::run::RunReport;
use crate::remediate::verify::Verified;
use crate::remediate::{aws_cli_script, remediation, show};
use crate::report::output::to_file;
use crate::terminal::{self, Encoding};

/// The arguments of `fix`.
#[derive(Debug, Args)]
pub(super) struct FixArgs {
    /// A report (from `ssm-audit scan -o FILE.json`): what failed in it, and fails still, is planned, and no more. Or
    /// a Terraform folder: its code is changed, and no account
    #[arg(id = "inputs", group = "code", value_name = "REPORT|FOLDER")]
    input: Option<PathBuf>,
    /// Only these resources, by id, ARN or Terraform address (* and ? match); can be repeated. What is changed only by
    /// name is named here in full
    #[arg(long = "resource", value_name = "GLOB", env = "SSM_AUDIT_RESOURCE")]
    resources: Vec<String>,
    /// Only findings of this severity or over it
    #[arg(long, value_enum, env = "SSM_AUDIT_SEVERITY")]
    severity: Option<Severity>,
    /// Kinds of change that are made only when allowed; can be repeated
    #[arg(long, value_enum, value_delimiter = ',', env = "SSM_AUDIT_ALLOW")]
    allow: Vec<Allow>,
    /// The most resources of an account that may be changed at once, as a number or in percent; what is made anew is
    /// not counted [default: the larger of 10 and 20%]
    #[arg(long, value_name = "N|P%", env = "SSM_AUDIT_MAX_CHANGES")]
    max_changes: Option<ChangeLimit>,
    /// In code: make fixes too that replace a resource, cut something off, or change what is used several times
    #[arg(long, requires = "inputs", env = "SSM_AUDIT_UNSAFE_FIXES")]
    unsafe_fixes: bool,
    /// Apply the plan without asking. Without it, the plan is applied only where you say yes to it on a terminal
    #[arg(long)]
    yes: bool,
    /// Choose on the terminal, group by group, what is applied
    #[arg(short, long, conflicts_with_all = ["yes", "plan", "form"])]
    interactive: bool,
    /// Save the plan to a file, for --plan
    #[arg(long, value_name = "FILE", env = "SSM_AUDIT_OUT")]
    out: Option<PathBuf>,
    /// Apply exactly the plan that was saved to this file; its rules, resources and regions are the plan's
    #[arg(long, value_name = "FILE", conflicts_with_all = ["inputs", "severity", "out", "policy", "rules", "excluded", "params", "region", "regions"])]
    plan: Option<PathBuf>,
    /// The form of the plan, or of the run where it is applied, on standard output
    #[arg(short, long, value_enum, default_value = "table", env = "SSM_AUDIT_FIX_FORMAT")]
    format: Format,
    /// Print the plan as commands, to look at or to run yourself, and apply nothing
    #[arg(long = "as", value_enum, value_name = "FORM", conflicts_with_all = ["yes", "format"])]
    form: Option<As>,
    /// How many steps may run at once
    #[arg(long, value_name = "N", default_value = "4", env = "SSM_AUDIT_STEPS")]
    steps: NonZeroUsize,
    #[command(flatten)]
    lock: LockArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    live: LiveArgs,
    #[command(flatten)]
    code: CodeArgs,
}

/// How plans and runs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Table,
    /// For programs
    Json,
}

impl Format {
    pub(super) fn encoding(self) -> Encoding {
        match self {
            Self::Table => Encoding::Text,
            Self::Json => Encoding::Json,
        }
    }
}

/// What a plan can be printed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum As {
    /// Commands of the AWS CLI, as a shell script
    Cli,
}

pub(super) fn run(arguments: &FixArgs, globals: &Globals) -> Result<Exit, Error> {
    if arguments.interactive {
        choose::needs_terminal()?;
    }
    if let Some(input) = arguments.input.as_deref().filter(|input| terraform::is_code(input)) {
        return in_code::run(arguments, input, globals);
    }
    let limits = Limits {
        allowed: arguments.allow.iter().copied().collect(),
        named: arguments.resources.iter().cloned().collect(),
        asks_for_names: can_ask() && !arguments.yes,
    };
    if let Some(path) = &arguments.plan {
        return arguments.saved(path, &limits, globals);
    }
    let earlier = arguments.input.as_deref().map(Earlier::read).transpose()?;
    let selection = Selection::from_args(&arguments.selection, globals)?;
    let rules = match &earlier {
        None => selection.rules()?,
        Some(earlier) => selection.rules_of(&earlier.rules())?,
    };
    aws_args::run(async {
        let planned = arguments.plan(&selection, &rules, earlier.as_ref(), &limits, globals).await?;
        let Some((mut plan, accounts, whole)) = planned else { return Err(Error::Interrupted) };
        let mut chosen = None;
        if arguments.interactive && !plan.steps.is_empty() {
            let (part, groups) = choose::of_plan(&plan, globals)?.ok_or(Error::Interrupted)?;
            if part.steps.is_empty() {
                say("Nothing was changed.");
                return Ok(Exit::Failed);
            }
            plan = arguments.sealed(part, &selection)?;
            chosen = Some(groups);
        }
        let rules = verify::rules(&plan, selection.library())?;
        let exit = arguments.go(&plan, &rules, &accounts, (&limits, chosen.as_ref()), globals).await?;
        Ok(if exit == Exit::Success { whole } else { exit })
    })
}

impl FixArgs {
    /// Applies a plan that was saved.
    fn saved(&self, path: &Path, limits: &Limits, globals: &Globals) -> Result<Exit, Error> {
        let plan: Plan = Plan::FORM.read(path)?;
        let wrong =
            |(member, problem): Wrong| SavedError::Content { path: path.to_owned(), form: Plan::FORM, member, problem };
        plan.check().map_err(wrong)?;
        let usage = |message: String, help: &str| Error::Usage { message, help: help.to_owned() };
        if plan.purpose != Purpose::Fix {
            return Err(usage(
                format!("{} is not a plan of fix", path.display()),
                "`ssm-audit undo RUN` takes a run back",
            ));
        }
        let library: Library = selection::library(&self.selection.folders, globals)?;
        let rules = verify::rules(&plan, &library)?;
        let made_by = Tool::this(scan::digest(&rules));
        if plan.tool != made_by {
            let (other, this) = (&plan.tool, &made_by);
            return Err(usage(
                if other.version == this.version && other.name == this.name {
                    format!("{} was made with other rules than these", path.display())
                } else {
                    format!(
                        "{} was made by {} {}, and this is {} {}",
                        path.display(),
                        other.name,
                        other.version,
                        this.name,
                        this.version
                    )
                },
                "a plan is applied by the version and with the rules that made it: make it again with `ssm-audit fix --out FILE`",
            ));
        }
        let remedies = remediation::embedded(&library).map_err(Error::Diagnostics)?;
        plan.consistent(&library, &remedies).map_err(wrong)?;
        if let Some(stray) = limits.named.iter().find(|id| plan.steps.iter().all(|step| step.resource.id != **id)) {
            return Err(usage(
                format!("the plan does not change {stray}"),
                "with --plan, --resource names what is changed only by name; to change less, make another plan",
            ));
        }
        let objections: Vec<String> = plan
            .steps
            .iter()
            .filter_map(|step| Some(format!("step {}: {}", step.number, limits.objection(&step.nature())?)))
            .collect();
        if let (false, None) = (objections.is_empty(), self.form) {
            return Err(usage(
                format!("the plan does what is not allowed: {}", objections.join("; ")),
                "a plan is applied as a whole: allow that, or make one without it",
            ));
        }
        aws_args::run(async {
            let accounts = if self.form.is_some() {
                Accounts::new()
            } else {
                if let Some(journal) = self.state.journal_if_there()? {
                    not_applied(&plan, &journal)?;
                }
                reach_accounts(&plan, &self.live, globals).await?
            };
            self.go(&plan, &rules, &accounts, (limits, None), globals).await
        })
    }

    /// Makes the plan, and says whether all accounts were reached; none where the user stopped it.
    async fn plan(
        &self,
        selection: &Selection,
        rules: &[Selected<'_>],
        earlier: Option<&Earlier>,
        limits: &Limits,
        globals: &Globals,
    ) -> Result<Option<(Plan, Accounts, Exit)>, Error> {
        let remedies = remediation::embedded(selection.library()).map_err(Error::Diagnostics)?;
        let settings = &globals.config()?.fix;
        let live = match earlier {
            None => self.live.clone(),
            Some(earlier) => self.live.or_regions(earlier.regions()),
        };
        let needs = planner::needs(rules, selection.library(), &remedies);
        let (reached, unreached) = aws_args::reach(&live, globals).await?;
        apply::warn_of_unreached(&unreached, globals);
        let mut plan = Plan::empty(new_id(), Timestamp::now().to_string(), scan::digest(rules));
        let mut accounts = Accounts::new();
        let mut names = Names::default();
        for Reached { connection, regions } in reached {
            let account = connection.account().clone();
            if let Some(earlier) = earlier {
                earlier.covers(&account)?;
            }
            let account_clients = AccountClients::new(connection);
            let started_at = Timestamp::now();
            let shutdown = Shutdown::new();
            let inventory =
                aws_args::read_regions(&live, account_clients.connection(), &regions, &needs, &shutdown, globals)
                    .await?;
            if shutdown.is_requested() {
                return Ok(None);
            }
            names.add(&inventory);
            let report = selection.report(vec![scan::judge(&inventory, rules)], rules, &[], started_at, globals);
            if let (Some(earlier), false) = (earlier, globals.quiet) {
                earlier.settled(&account, rules, &regions, &report).iter().for_each(|settled| say(settled));
            }
            let had = |finding: &&Finding| earlier.is_none_or(|earlier| earlier.had(finding));
            let request = Request {
                id: &plan.id,
                account_clients: &account_clients,
                inventory: &inventory,
                settings,
                remedies: &remedies,
                findings: report.findings.iter().filter(|finding| self.concerns(finding)).filter(had).collect(),
                rules,
                limits,
            };
            let part = planner::plan(&request, plan.steps.len() + 1).await?;
            plan.names.extend(names_of(&part, &report));
            plan.add(account.clone(), Extent { regions, resources: inventory.judged() }, part);
            accounts.insert(account, account_clients);
        }
        names.check(&self.resources, &plan)?;
        let aimed_at: BTreeSet<&str> = plan.findings.iter().map(|aim| aim.rule.as_str()).collect();
        let aimed_at = rules.iter().filter(|selected| aimed_at.contains(selected.rule.id.as_str()));
        plan.rules = aimed_at.map(|selected| (selected.rule.id.clone(), selected.params_as_json())).collect();
        let plan = self.sealed(plan, selection)?;
        let whole = if unreached.is_empty() { Exit::Success } else { Exit::Unknown };
        Ok(Some((plan, accounts, whole)))
    }

    /// Seals a plan that is complete.
    fn sealed(&self, mut plan: Plan, selection: &Selection) -> Result<Plan, Error> {
        let remedies = remediation::embedded(selection.library()).map_err(Error::Diagnostics)?;
        plan.tool = Tool::this(scan::digest(&verify::rules(&plan, selection.library())?));
        let plan = plan.sealed();
        // What would be refused later is an error now. Plans that are not saved are held to it in tests.
        if self.out.is_some() || cfg!(debug_assertions) {
            plan.consistent(selection.library(), &remedies).map_err(Contradiction::of)?;
        }
        Ok(plan)
    }

    /// Shows the plan, and when told to, applies it.
    async fn go(
        &self,
        plan: &Plan,
        rules: &[Selected<'_>],
        accounts: &Accounts,
        (limits, chosen): (&Limits, Option<&Chosen>),
        globals: &Globals,
    ) -> Result<Exit, Error> {
        if let Some(path) = &self.out {
            to_file(path, |out| {
                serde_json::to_writer_pretty(&mut *out, plan)?;
                writeln!(out)
            })?;
        }
        if let Some(As::Cli) = self.form {
            let script = aws_cli_script::script(plan).map_err(|untold| Error::Usage {
                message: format!("the plan cannot be printed as commands: {untold}"),
                help: "leave out what it is for, with --exclude-rule, or apply the plan itself".to_owned(),
            })?;
            output::to_stdout(Encoding::Text, |out| out.write_all(script.as_bytes()))?;
            return Ok(Exit::Success);
        }
        let cap = self.max_changes.unwrap_or_default();
        let excess = cap.exceeded(plan);
        // A plan that was just saved is for --plan to apply.
        let asks = can_ask() && self.out.is_none() && excess.is_empty();
        let applies = !plan.steps.is_empty() && (self.yes || asks);
        match (self.format, applies) {
            // The groups were shown one by one.
            (Format::Table, _) if chosen.is_some() => {
                output::to_stdout(Encoding::Text, |out| writeln!(out, "{}", show::summary(plan)))?;
            }
            (Format::Table, _) => output::to_stdout(Encoding::Text, |out| {
                if self.plan.is_some() {
                    show::origin(plan, look(globals), out)?;
                }
                show::plan(plan, Some(cap), look(globals), out)
            })?,
            (Format::Json, false) => output::to_stdout(Encoding::Json, |out| {
                serde_json::to_writer_pretty(&mut *out, plan)?;
                writeln!(out)
            })?,
            // Standard output is for what comes of it.
            (Format::Json, true) if asks && chosen.is_none() => {
                show::plan(plan, Some(cap), look(globals), &mut terminal::stderr()).map_err(Error::Terminal)?;
            }
            (Format::Json, true) => {}
        }
        if let (true, Some(excess)) = (self.yes || can_ask() && self.out.is_none(), excess.first()) {
            return Err(Error::Usage {
                message: excess.to_string(),
                help: format!(
                    "look at the plan; --max-changes {} lets it, and --rule, --severity and --resource make it smaller",
                    excess.changed()
                ),
            });
        }
        let agreed = || match chosen {
            _ if self.yes => Ok(true),
            // Each group was chosen.
            Some(chosen) if !chosen.has_quit => confirm_names(plan, &limits.named),
            _ => confirm(plan, &limits.named),
        };
        if !applies || !agreed()? {
            let fails = !plan.steps.is_empty() || !plan.left_out.is_empty();
            if !plan.steps.is_empty() && !globals.quiet {
                say(&self.not_changed(excess.first()));
            }
            return Ok(if fails { Exit::Failed } else { Exit::Success });
        }
        self.apply(plan, rules, accounts, globals).await
    }

    async fn apply(
        &self,
        plan: &Plan,
        rules: &[Selected<'_>],
        accounts: &Accounts,
        globals: &Globals,
    ) -> Result<Exit, Error> {
        let journal = self.state.journal()?;
        let _locks = journal.lock(plan.accounts())?;
        apply::nothing_unfinished(plan, &journal)?;
        not_applied(plan, &journal)?;
        let begin = || Ok(journal.begin(plan, &Timestamp::now().to_string())?);
        let apply = async |locks: &AccountLocks<'_>| {
            let records = carry_out(plan, BTreeMap::new(), accounts, &journal, self.steps, locks, globals).await?;
            let steps = exit_of_steps(plan, &records)?;
            conclude(plan, rules, accounts, &journal, &self.live, (steps, self.format), globals).await
        };
        apply::locked(plan, accounts, &self.lock, globals, begin, apply).await
    }

    /// Says that nothing was changed, and what applies the plan.
    fn not_changed(&self, excess: Option<&Excess<'_>>) -> String {
        let more = excess.map(|excess| format!("--max-changes {}", excess.changed()));
        let how = match (&self.out, more) {
            (Some(path), None) => format!(
                "`ssm-audit fix --plan {} --yes` applies it.",
                aws_cli_script::word(&path.display().to_string())
            ),
            (Some(path), Some(more)) => format!(
                "`ssm-audit fix --plan {} --yes {more}` applies it.",
                aws_cli_script::word(&path.display().to_string())
            ),
            (None, None) => "`--yes` applies it, `--out FILE` saves it for later.".to_owned(),
            (None, Some(more)) => {
                format!(
                    "The plan is over the limit: `--yes {more}` applies it, `--rule` and `--resource` make it smaller."
                )
            }
        };
        format!("Nothing was changed. {how}")
    }

    /// Whether the finding is one that was asked for.
    fn concerns(&self, finding: &Finding) -> bool {
        let resource = &finding.resource;
        let names = [Some(&resource.id), resource.arn.as_ref(), resource.address.as_ref()];
        let named = |glob: &String| names.into_iter().flatten().any(|name| Glob::new(glob).matches(name));
        matches!(finding.verdict, Verdict::Fail | Verdict::Unknown)
            && self.severity.is_none_or(|least| finding.severity >= least)
            && (self.resources.is_empty() || resource.id == scan::ANY || self.resources.iter().any(named))
    }
}

/// Looks at what came of a run, writes that down, shows it, and gives the exit code.
pub(super) async fn conclude(
    plan: &Plan,
    rules: &[Selected<'_>],
    accounts: &Accounts,
    journal: &Journal,
    live: &LiveArgs,
    (steps, format): (Exit, Format),
    globals: &Globals,
) -> Result<Exit, Error> {
    let verified = check(plan, rules, accounts, live, globals).await?;
    if let Some(verified) = &verified {
        journal.verified(&plan.id, verified)?;
    }
    let run = journal.run(&plan.id)?;
    match format {
        Format::Json => {
            let report = RunReport::new(run, journal.calls(&plan.id)?);
            output::to_stdout(Encoding::Json, |out| {
                serde_json::to_writer_pretty(&mut *out, &report)?;
                writeln!(out)
            })?;
        }
        Format::Table => {
            let unverified = || plan.findings.iter().map(Verified::not_yet).collect();
            let verified = verified.clone().unwrap_or_else(unverified);
            output::to_stdout(Encoding::Text, |out| show::ended(plan, &verified, &run.records, look(globals), out))?;
        }
    }
    let Some(verified) = verified else { return Ok(Exit::Interrupted) };
    Ok(match (steps, verify::exit(&verified)) {
        (Exit::Success, Exit::Success) if !plan.left_out.is_empty() => Exit::Failed,
        (Exit::Success, exit) => exit,
        (steps, _) => steps,
    })
}

/// The names of the resources of a part of a plan, by id.
fn names_of(part: &Part, report: &Report) -> BTreeMap<String, String> {
    let steps = part.steps.iter().map(|step| step.resource.id.as_str());
    let planned: BTreeSet<&str> = steps.chain(part.left_out.iter().map(|left| left.resource.id.as_str())).collect();
    let resources = report.findings.iter().map(|finding| &finding.resource);
    let named = resources.filter(|resource| planned.contains(resource.id.as_str()));
    named.filter_map(|resource| Some((resource.id.clone(), resource.name.clone()?))).collect()
}

/// Refuses a plan that was applied.
fn not_applied(plan: &Plan, journal: &Journal) -> Result<(), Error> {
    let Some(run) = journal.run_of(plan)? else { return Ok(()) };
    let id = &plan.id;
    Err(Error::Usage {
        message: format!("the plan {id} was applied already, at {}", run.started_at),
        help: match run.state {
            RunState::Open => {
                format!("it was cut off: `ssm-audit resume {id}` goes on with it, `ssm-audit undo {id}` takes it back")
            }
            RunState::Finished | RunState::Undone => {
                format!("`ssm-audit runs show {id}` says what came of it; make a plan anew with `ssm-audit fix`")
            }
        },
    })
}
