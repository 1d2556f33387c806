//! `undo`: take a run back, in reverse order; what has changed since is left as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use clap::Args;
use jiff::Timestamp;

use super::apply::{self, LockArgs, carry_out, exit_of_steps, look, new_id, reach_accounts, say};
use super::aws_args::{self, LiveArgs};
use super::confirm::{can_ask, confirm};
use super::state_dir::StateArgs;
use super::{Error, Exit, Globals, output};
use crate::remediate::account_lock::AccountLocks;
use crate::remediate::journal::{Run, RunState};
use crate::remediate::plan::{Plan, Purpose};
use crate::remediate::reconcile::settle;
use crate::remediate::show;
use crate::remediate::undo::{self, Replaced};
use crate::terminal::Encoding;

/// The arguments of `undo`.
#[derive(Debug, Args)]
pub(super) struct UndoArgs {
    /// Id of the run, or its beginning; see `ssm-audit runs list`
    #[arg(value_name = "RUN")]
    run: String,
    /// Undo without asking
    #[arg(long)]
    yes: bool,
    /// Delete volumes that the run created, with data written since
    #[arg(long)]
    delete_replaced: bool,
    /// Steps at once
    #[arg(long, value_name = "N", default_value = "4", env = "SSM_AUDIT_STEPS")]
    steps: NonZeroUsize,
    #[command(flatten)]
    lock: LockArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    live: LiveArgs,
}

pub(super) fn run(arguments: &UndoArgs, globals: &Globals) -> Result<Exit, Error> {
    let journal = arguments.state.journal()?;
    let id = journal.run(&arguments.run)?.plan.id;
    aws_args::run(async {
        let accounts = journal.run(&id)?.plan;
        let _locks = journal.lock(accounts.accounts())?;
        // Read once more: another process may have gone on with it until the lock was had.
        let mut run = journal.run(&id)?;
        can_be_undone(&run)?;
        let accounts = reach_accounts(&run.plan, &arguments.live, globals).await?;
        settle(&mut run, &journal.calls(&id)?, &accounts).await;
        let replaced = if arguments.delete_replaced { Replaced::Deleted } else { Replaced::Kept };
        let plan: Plan = undo::plan(&run, &new_id(), &Timestamp::now().to_string(), replaced);
        apply::nothing_unfinished(&plan, &journal)?;
        output::to_stdout(Encoding::Text, |out| show::plan(&plan, None, look(globals), out))?;
        let agreed = plan.steps.is_empty() || arguments.yes || (can_ask() && confirm(&plan, &BTreeSet::new())?);
        if !agreed {
            say("Nothing was changed. `--yes` takes it back.");
            return Ok(Exit::Failed);
        }
        let now = Timestamp::now().to_string();
        let begin = || Ok(journal.begin_undo(&run, &plan, &now)?);
        let apply = async |locks: &AccountLocks<'_>| {
            // There is nothing to carry out, but the locks of a killed run are let go of.
            if plan.steps.is_empty() {
                return Ok(if plan.fails() { Exit::Failed } else { Exit::Success });
            }
            let steps = arguments.steps;
            let records = carry_out(&plan, BTreeMap::new(), &accounts, &journal, steps, locks, globals).await?;
            output::to_stdout(Encoding::Text, |out| show::undone(&plan, &records, look(globals), out))?;
            exit_of_steps(&plan, &records)
        };
        apply::locked(&plan, &accounts, &arguments.lock, globals, begin, apply).await
    })
}

/// Refuses what is no run of fix, or was taken back before.
fn can_be_undone(run: &Run) -> Result<(), Error> {
    let id = &run.plan.id;
    let refuse = |message: String, help: String| Err(Error::Usage { message, help });
    match (&run.plan.purpose, run.state) {
        (Purpose::Undo(undone), RunState::Open) => refuse(
            format!("run {id} is itself one that takes {undone} back, and was cut off"),
            format!("`ssm-audit resume {id}` goes on with it"),
        ),
        (Purpose::Undo(undone), _) => refuse(
            format!("run {id} took {undone} back, and that is not taken back"),
            "`ssm-audit fix` plans anew what it undid".to_owned(),
        ),
        (Purpose::Discard(_), _) => refuse(
            format!("run {id} deleted what another one had replaced, and that does not come back"),
            format!("`ssm-audit runs show {id}` says what it was"),
        ),
        (Purpose::Fix, RunState::Undone) => refuse(
            format!("run {id} was taken back already"),
            "`ssm-audit runs list` lists the runs; `ssm-audit fix` plans anew".to_owned(),
        ),
        (Purpose::Fix, RunState::Open | RunState::Finished) => Ok(()),
    }
}
