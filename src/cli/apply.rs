//! Carrying out a plan, whichever command made it: the accounts, the run itself, and how it ended.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use clap::Args;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::aws_args::{self, LiveArgs, Reached, Unreached};
use super::{Error, Exit, Globals, output};
use crate::collect::Shutdown;
use crate::diagnostic::Diagnostic;
use crate::model::{AccountId, Region};
use crate::remediate::account_clients::AccountClients;
use crate::remediate::account_lock::{AccountLocks, LockError};
use crate::remediate::apply::{Apply, Observer};
use crate::remediate::journal::{Journal, Record, Status};
use crate::remediate::plan::{Plan, Purpose};
use crate::remediate::show::Look;
use crate::terminal::{self, harmless};

/// The accounts that are reached.
pub(super) type Accounts = BTreeMap<AccountId, AccountClients>;

/// A new id for a plan: when it was made, and something that no other has.
pub(super) fn new_id() -> String {
    let now = Timestamp::now();
    let mut hasher = Sha256::new();
    hasher.update(now.as_nanosecond().to_be_bytes());
    hasher.update(std::process::id().to_be_bytes());
    let digest = hasher.finalize();
    format!("{}-{:02x}{:02x}{:02x}", now.strftime("%Y%m%dT%H%M%SZ"), digest[0], digest[1], digest[2])
}

/// How things are shown on standard output.
pub(super) fn look(globals: &Globals) -> Look {
    Look { paint: output::paint_stdout(globals.color), width: output::width(), all: globals.verbose > 0 }
}

/// Carries out what is left to do of a plan.
pub(super) async fn carry_out(
    plan: &Plan,
    records: BTreeMap<usize, Record>,
    accounts: &Accounts,
    journal: &Journal,
    concurrency: NonZeroUsize,
    locks: &AccountLocks<'_>,
    globals: &Globals,
) -> Result<BTreeMap<usize, Record>, Error> {
    let shutdown = Shutdown::new();
    let done = records.iter().filter(|(_, record)| record.status.holds()).map(|(number, _)| *number).collect();
    let told = Told { plan, quiet: globals.quiet, ended: Mutex::new(done) };
    let apply = Apply { plan, journal, accounts, concurrency, shutdown: &shutdown, observer: &told };
    let stop = async {
        aws_args::told_to_end().await;
        shutdown.request();
        say("Nothing more is begun; what is under way ends first. Ctrl-C again leaves at once.");
        aws_args::told_to_end().await;
    };
    // Where another run has the lock, steps under way end and are written down, and no other begins.
    let keep_locked = async {
        let lost = locks.keep().await;
        shutdown.request();
        say(&format!("{lost}; nothing more is begun, and what is under way ends first"));
        std::future::pending::<()>().await;
    };
    let records = tokio::select! {
        records = apply.run(records) => records?,
        () = keep_locked => return Err(Error::CutOff(plan.id.clone())),
        // What is under way is written down as begun: whoever goes on looks at what came of it.
        () = stop => return Err(Error::CutOff(plan.id.clone())),
    };
    let now = Timestamp::now().to_string();
    if !is_cut_off(plan, &records) {
        let complete = !plan.fails() && records.values().all(|record| record.status.holds());
        journal.finish(plan, complete, &now)?;
    }
    Ok(records)
}

/// The lock in the account.
#[derive(Debug, Clone, Args)]
pub(super) struct LockArgs {
    /// Change the account without the lock /session-manager-audit/lock in it, which keeps runs from other machines away
    #[arg(long, env = "SSM_AUDIT_NO_ACCOUNT_LOCK")]
    no_account_lock: bool,
}

/// Begins and carries out a run while the accounts that it changes are locked. What goes wrong after it has begun is told, and
/// is no longer "not started": changes may have been made.
pub(super) async fn locked<'r>(
    plan: &Plan,
    accounts: &'r Accounts,
    arguments: &LockArgs,
    globals: &Globals,
    begin: impl FnOnce() -> Result<(), Error>,
    run: impl AsyncFnOnce(&AccountLocks<'r>) -> Result<Exit, Error>,
) -> Result<Exit, Error> {
    let locks = if arguments.no_account_lock {
        AccountLocks::none()
    } else {
        AccountLocks::take(plan, accounts, host()).await.map_err(|error| not_locked(&error))?
    };
    let expired = locks.expired.iter().map(|holder| {
        Diagnostic::warning(format!("run {} on {} left its lock, which expired", holder.run, holder.host)).help(
            format!(
                "it was probably killed: `ssm-audit resume {}` or `ssm-audit undo {0}` there, if it is not finished",
                holder.run
            ),
        )
    });
    let refused = locks.refused.iter().map(|error| {
        Diagnostic::warning(format!("{error}: a run in another region may change the same roles, profiles and buckets"))
    });
    globals.warn(&expired.chain(refused).collect::<Vec<_>>());
    if let Err(error) = begin() {
        locks.release().await;
        return Err(error);
    }
    let ended = run(&locks).await;
    match ended {
        // Whoever resumes it takes the lock over; until then, others are kept away until it expires.
        Err(Error::CutOff(_)) => return ended,
        _ => locks.release().await,
    }
    match ended {
        Ok(_) | Err(Error::Interrupted) => ended,
        Err(error) => {
            // Where standard error is closed there is nobody left to tell.
            let _ = globals.tell(&error);
            Ok(Exit::Failed)
        }
    }
}

fn not_locked(error: &LockError) -> Error {
    let help = match error {
        LockError::Held { holder, .. } => format!(
            "wait for it; where it was interrupted, `ssm-audit resume {0}` or `ssm-audit undo {0}` there; its lock expires at {1}",
            holder.run,
            holder.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        ),
        LockError::Contended { .. } | LockError::Expired { .. } => {
            "try again when no other run is under way".to_owned()
        }
        LockError::Foreign { .. } => "delete it if nothing else uses it, or run with --no-account-lock".to_owned(),
        LockError::Call { .. } => {
            "`ssm-audit iam-policy --for fix` prints the permissions; --no-account-lock changes the \
                                   account without the lock, where no other machine does"
                .to_owned()
        }
    };
    Error::Usage { message: error.to_string(), help }
}

/// The name of this machine, for the holder of a lock.
fn host() -> String {
    let variable = ["HOSTNAME", "COMPUTERNAME"].iter().find_map(|name| std::env::var(name).ok());
    let file = || std::fs::read_to_string("/etc/hostname").ok();
    let name = variable.or_else(file).unwrap_or_default();
    let plain: String = name.trim().chars().filter(char::is_ascii_graphic).take(64).collect();
    if plain.is_empty() { "an unnamed machine".to_owned() } else { plain }
}

/// Says something on standard error; where that is closed there is nobody left to tell.
pub(super) fn say(text: &str) {
    let _ = writeln!(terminal::stderr(), "{}", harmless(text));
}

/// Tells of each step on standard error as it ends.
struct Told<'a> {
    plan: &'a Plan,
    quiet: bool,
    /// The steps that have ended. Their number is the progress: steps end in another order than they are numbered.
    ended: Mutex<BTreeSet<usize>>,
}

impl Observer for Told<'_> {
    fn began(&self, _: usize) {}

    fn ended(&self, step: usize, state: &str, problem: Option<&str>) {
        let ended = {
            let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            if state != Status::Pending.as_str() {
                ended.insert(step);
            }
            ended.len()
        };
        if self.quiet && problem.is_none() {
            return;
        }
        let what = self.plan.step(step).map(|step| {
            format!("{}: {}", self.plan.with_name(&step.resource.id), step.aspect.beside(&step.resource.id))
        });
        let problem = problem.map(|problem| format!(": {problem}")).unwrap_or_default();
        let number = format!("{ended}/{}", self.plan.steps.len());
        say(&format!("{number:>7} {:<11} {}{problem}", state.replace('_', " "), what.unwrap_or_default()));
    }
}

/// Refuses to begin where an earlier run on one of these accounts was cut off.
pub(super) fn nothing_unfinished(plan: &Plan, journal: &Journal) -> Result<(), Error> {
    let of = match &plan.purpose {
        Purpose::Fix | Purpose::Discard(_) => None,
        Purpose::Undo(run) => Some(run),
    };
    let accounts: Vec<&AccountId> = plan.accounts().into_iter().collect();
    let mut unfinished = journal.unfinished(&accounts)?.into_iter();
    let Some(run) = unfinished.find(|run| Some(&run.plan.id) != of) else { return Ok(()) };
    let id = &run.plan.id;
    Err(Error::Usage {
        message: format!("run {id} on these accounts was cut off"),
        help: match &run.plan.purpose {
            Purpose::Fix => {
                format!("`ssm-audit resume {id}` goes on with it, `ssm-audit undo {id}` takes it back")
            }
            Purpose::Undo(undone) => format!("`ssm-audit resume {id}` goes on taking {undone} back"),
            Purpose::Discard(run) => format!("`ssm-audit resume {id}` goes on deleting what {run} replaced"),
        },
    })
}

/// Whether steps are left to be gone on with.
pub(super) fn is_cut_off(plan: &Plan, records: &BTreeMap<usize, Record>) -> bool {
    let status = |number: &usize| records.get(number).map_or(Status::Pending, |record| record.status);
    plan.steps.iter().any(|step| matches!(status(&step.number), Status::Pending | Status::Intended))
}

/// The exit code of a run, as far as its steps go.
///
/// # Errors
/// Where the run was cut off.
pub(super) fn exit_of_steps(plan: &Plan, records: &BTreeMap<usize, Record>) -> Result<Exit, Error> {
    if is_cut_off(plan, records) {
        return Err(Error::CutOff(plan.id.clone()));
    }
    let holds = |number: &usize| records.get(number).is_some_and(|record| record.status.holds());
    let all_hold = !plan.fails() && plan.steps.iter().all(|step| holds(&step.number));
    Ok(if all_hold { Exit::Success } else { Exit::Failed })
}

/// Reaches the accounts of a plan.
pub(super) async fn reach_accounts(plan: &Plan, arguments: &LiveArgs, globals: &Globals) -> Result<Accounts, Error> {
    let regions: Vec<&Region> = plan.scopes.values().flat_map(|extent| &extent.regions).collect();
    let (reached, unreached) = aws_args::reach(&arguments.or_regions(regions), globals).await?;
    let accounts: Accounts = reached
        .into_iter()
        .map(|Reached { connection, .. }| (connection.account().clone(), AccountClients::new(connection)))
        .collect();
    warn_of_unreached(&unreached, globals);
    if let Some(missing) = plan.accounts().into_iter().find(|account| !accounts.contains_key(account)) {
        let reached: Vec<&str> = accounts.keys().map(AccountId::as_str).collect();
        return Err(Error::Usage {
            message: format!("the plan changes account {missing}, and the credentials lead to {}", reached.join(", ")),
            help: "use the credentials, --accounts and --role with which it was made".to_owned(),
        });
    }
    Ok(accounts)
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
