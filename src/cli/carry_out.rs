//! Carrying out a plan, whichever command made it: confirmation, locks, the run itself, and what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, IsTerminal, Write};
use std::num::NonZeroUsize;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::live::{self, LiveArgs, Reached, Unreached};
use super::selection::Selection;
use super::{Error, Exit, Globals, output};
use crate::diagnostic::Diagnostic;
use crate::model::AccountId;
use crate::remediate::apply::{Apply, Observer};
use crate::remediate::journal::{Journal, Record, RunState, Status};
use crate::remediate::place::Reach;
use crate::remediate::plan::{Plan, Purpose};
use crate::remediate::show::{self, Look, count};
use crate::remediate::verify::{Result as Verification, Verified, verify};
use crate::scan::{self, Selected};
use crate::source::Shutdown;
use crate::terminal::harmless;

/// The accounts that are reached.
pub(super) type Reaches = BTreeMap<AccountId, Reach>;

/// A new id for a plan: when it was made, and something that no other has.
pub(super) fn new_id() -> String {
    let now = Timestamp::now();
    let mut hasher = Sha256::new();
    hasher.update(now.as_nanosecond().to_be_bytes());
    hasher.update(std::process::id().to_be_bytes());
    let digest = hasher.finalize();
    format!("{}-{:02x}{:02x}{:02x}", now.strftime("%Y%m%dT%H%M%SZ"), digest[0], digest[1], digest[2])
}

/// How a plan is shown on standard output.
pub(super) fn look(globals: &Globals) -> Look {
    Look { paint: output::paint_stdout(globals.color), width: output::width() }
}

/// Whether the user can be asked.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks the user; for what must be named, for its name.
pub(super) fn confirm(plan: &Plan, named: &BTreeSet<String>) -> Result<bool, Error> {
    let by_name: BTreeSet<&str> =
        plan.steps.iter().filter(|step| step.by_name).map(|step| step.resource.id.as_str()).collect();
    for id in by_name.into_iter().filter(|id| !named.contains(*id)) {
        if ask(&format!("{} is changed only by name. Type it to go on: ", harmless(id)))? != id {
            return Ok(false);
        }
    }
    let accounts = plan.accounts();
    let accounts: Vec<&str> = accounts.iter().map(|account| account.as_str()).collect();
    let question =
        format!("Make {} in {}? Type yes to go on: ", count(plan.steps.len(), "change"), accounts.join(", "));
    Ok(ask(&question)? == "yes")
}

fn ask(question: &str) -> Result<String, Error> {
    let mut out = anstream::stderr().lock();
    let asked = write!(out, "{question}").and_then(|()| out.flush());
    let mut answer = String::new();
    asked.and_then(|()| io::stdin().lock().read_line(&mut answer)).map_err(Error::Start)?;
    Ok(answer.trim().to_owned())
}

/// Carries out what is left to do of a plan.
pub(super) async fn carry_out(
    plan: &Plan,
    records: BTreeMap<usize, Record>,
    reaches: &Reaches,
    journal: &Journal,
    concurrency: NonZeroUsize,
    globals: &Globals,
) -> Result<BTreeMap<usize, Record>, Error> {
    let shutdown = Shutdown::new();
    let told = Told { plan, quiet: globals.quiet };
    let apply = Apply { plan, journal, reaches, concurrency, shutdown: &shutdown, observer: &told };
    let stop = async {
        if tokio::signal::ctrl_c().await.is_ok() {
            shutdown.request();
        }
        std::future::pending::<()>().await;
    };
    let records = tokio::select! {
        records = apply.run(records) => records?,
        () = stop => return Err(Error::Interrupted),
    };
    let finished = plan.steps.iter().all(|step| {
        records.get(&step.number).is_some_and(|record| !matches!(record.status, Status::Pending | Status::Intended))
    });
    if finished {
        journal.finish(&plan.id, RunState::Finished, &Timestamp::now().to_string())?;
        if let Purpose::Undo(run) = &plan.purpose {
            let all = records.values().all(|record| record.status.holds());
            if all {
                journal.finish(run, RunState::Undone, &Timestamp::now().to_string())?;
            }
        }
    }
    Ok(records)
}

/// Tells of each step on standard error as it ends.
struct Told<'a> {
    plan: &'a Plan,
    quiet: bool,
}

impl Observer for Told<'_> {
    fn began(&self, _: usize) {}

    fn ended(&self, step: usize, state: &str, problem: Option<&str>) {
        if self.quiet && problem.is_none() {
            return;
        }
        let what =
            self.plan.step(step).map(|step| format!("{}: {}", step.resource.id, step.aspect)).unwrap_or_default();
        let problem = problem.map(|problem| format!(": {problem}")).unwrap_or_default();
        let line = format!("{step:>3}/{} {state:<10} {what}{problem}", self.plan.steps.len());
        // Where standard error is closed there is nobody left to tell.
        let _ = writeln!(anstream::stderr().lock(), "{}", harmless(&line));
    }
}

/// Refuses to begin where an earlier run on one of these accounts was cut off.
pub(super) fn nothing_unfinished(plan: &Plan, journal: &Journal) -> Result<(), Error> {
    let accounts: Vec<&AccountId> = plan.accounts().into_iter().collect();
    let Some(run) = journal.unfinished(&accounts)?.into_iter().next() else { return Ok(()) };
    Err(Error::Usage {
        message: format!("run {} on these accounts was cut off", run.plan.id),
        help: format!("`ssm-audit resume {0}` goes on with it, `ssm-audit undo {0}` takes it back", run.plan.id),
    })
}

/// How a run ended, as far as its steps go.
pub(super) fn exit_of_steps(plan: &Plan, records: &BTreeMap<usize, Record>) -> Exit {
    let status = |number: &usize| records.get(number).map_or(Status::Pending, |record| record.status);
    if plan.steps.iter().any(|step| matches!(status(&step.number), Status::Pending | Status::Intended)) {
        Exit::Interrupted
    } else if plan.steps.iter().any(|step| !status(&step.number).holds()) {
        Exit::Failed
    } else {
        Exit::Success
    }
}

/// Shows a plan on standard output.
pub(super) fn show_plan(plan: &Plan, globals: &Globals) -> Result<(), Error> {
    output::to_stdout(|out| show::plan(plan, look(globals), out))
}

/// Reaches the accounts of a plan.
pub(super) async fn reach_accounts(plan: &Plan, arguments: &LiveArgs, globals: &Globals) -> Result<Reaches, Error> {
    let (reached, unreached) = live::reach(arguments, globals).await?;
    let reaches: Reaches = reached
        .into_iter()
        .map(|Reached { connection, .. }| (connection.account().clone(), Reach::new(connection)))
        .collect();
    warn_of_unreached(&unreached, globals);
    if let Some(missing) = plan.accounts().into_iter().find(|account| !reaches.contains_key(account)) {
        let reached: Vec<&str> = reaches.keys().map(AccountId::as_str).collect();
        return Err(Error::Usage {
            message: format!("the plan changes account {missing}, and the credentials lead to {}", reached.join(", ")),
            help: "use the credentials, --accounts and --role with which it was made".to_owned(),
        });
    }
    Ok(reaches)
}

/// Names the accounts that are not reached: nothing is planned in them.
pub(super) fn warn_of_unreached(unreached: &[Unreached], globals: &Globals) {
    let warnings: Vec<Diagnostic> = unreached
        .iter()
        .map(|Unreached { account, gap }| {
            let account = account.as_ref().map_or("an account", AccountId::as_str);
            Diagnostic::warning(format!("{account} is not reached, and nothing is changed in it: {gap}"))
        })
        .collect();
    globals.warn(&warnings);
}

/// Looks again at what a plan was to make right, shows what came of it, and gives the exit code that follows.
pub(super) async fn check(
    plan: &Plan,
    selection: &Selection,
    reaches: &Reaches,
    arguments: &LiveArgs,
    globals: &Globals,
) -> Result<Exit, Error> {
    let aimed_at: BTreeSet<&str> = plan.findings.iter().map(|aim| aim.rule.as_str()).collect();
    let rules: Vec<Selected<'_>> =
        selection.rules()?.into_iter().filter(|selected| aimed_at.contains(selected.rule.id.as_str())).collect();
    let needs = scan::needs(&rules);
    let started_at = Timestamp::now();
    let mut judged = Vec::new();
    for (account, reach) in reaches {
        let regions = plan.scopes.get(account).map(Vec::as_slice).unwrap_or_default();
        let shutdown = Shutdown::new();
        let connection = reach.connection();
        let inventory = live::read_regions(arguments, connection, regions, &needs, &shutdown, globals).await?;
        judged.push(scan::judge(&inventory, &rules));
    }
    let report = scan::report(judged, &rules, selection.policy, started_at);
    let verified = verify(plan, &report);
    show_verified(plan, &verified)?;
    Ok(exit_of_rules(&verified))
}

/// How a run ended, as far as the rules go.
fn exit_of_rules(verified: &[Verified<'_>]) -> Exit {
    let any = |result| verified.iter().any(|verified| verified.result == result);
    if any(Verification::StillFailing) {
        Exit::Failed
    } else if any(Verification::Unknown) {
        Exit::Unknown
    } else {
        Exit::Success
    }
}

fn show_verified(plan: &Plan, verified: &[Verified<'_>]) -> Result<(), Error> {
    output::to_stdout(|out| {
        for one in verified {
            let message = one.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
            let line = format!("{:<18} {} {}{message}", one.result.words(), one.aim.rule, one.aim.resource.id);
            writeln!(out, "{}", harmless(&line))?;
        }
        writeln!(out, "\n`ssm-audit undo {}` takes this back.", plan.id)
    })
}
