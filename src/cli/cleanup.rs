//! `resume RUN --delete-replaced`: delete what a run has replaced and kept.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::apply::{self, carry_out, exit_of_steps, look, new_id, reach_accounts, say};
use super::aws_args;
use super::confirm::{can_ask, confirm};
use super::resume::ResumeArgs;
use super::{Error, Exit, Globals, output};
use crate::remediate::account_lock::AccountLocks;
use crate::remediate::approvals::Limits;
use crate::remediate::journal::{Run, RunState};
use crate::remediate::plan::Purpose;
use crate::remediate::{cleanup, show};
use crate::terminal::Encoding;

pub(super) fn run(arguments: &ResumeArgs, globals: &Globals) -> Result<Exit, Error> {
    let journal = arguments.state.journal()?;
    let id = journal.run(&arguments.run)?.plan.id;
    let limits = Limits {
        allowed: arguments.allow.iter().copied().collect(),
        named: arguments.resources.iter().cloned().collect(),
        asks_for_names: can_ask() && !arguments.yes,
    };
    aws_args::run(async {
        let accounts = journal.run(&id)?.plan;
        let _locks = journal.lock(accounts.accounts())?;
        let run = journal.run(&id)?;
        has_replaced(&run)?;
        let accounts = reach_accounts(&run.plan, &arguments.live, globals).await?;
        let now = Timestamp::now().to_string();
        let plan = cleanup::plan(&run, (&new_id(), &now), &accounts, &limits).await;
        apply::nothing_unfinished(&plan, &journal)?;
        output::to_stdout(Encoding::Text, |out| show::plan(&plan, None, look(globals), out))?;
        if plan.steps.is_empty() {
            return Ok(if plan.fails() { Exit::Failed } else { Exit::Success });
        }
        if !(arguments.yes || can_ask() && confirm(&plan, &limits.named)?) {
            say("Nothing was deleted. `--yes` deletes it.");
            return Ok(Exit::Failed);
        }
        let begin = || Ok(journal.begin(&plan, &Timestamp::now().to_string())?);
        let apply = async |locks: &AccountLocks<'_>| {
            let steps = arguments.steps;
            let records = carry_out(&plan, BTreeMap::new(), &accounts, &journal, steps, locks, globals).await?;
            exit_of_steps(&plan, &records)
        };
        apply::locked(&plan, &accounts, &arguments.lock, globals, begin, apply).await
    })
}

/// Refuses what is no run of fix that came to its end.
fn has_replaced(run: &Run) -> Result<(), Error> {
    let id = &run.plan.id;
    let (message, help) = match (&run.plan.purpose, run.state) {
        (Purpose::Fix, RunState::Finished) => return Ok(()),
        (Purpose::Fix, RunState::Open) => (
            format!("run {id} was cut off: what it is to replace is still needed"),
            format!("`ssm-audit resume {id}` goes on with it, `ssm-audit undo {id}` takes it back"),
        ),
        (Purpose::Fix, RunState::Undone) => (
            format!("run {id} was taken back: what it had replaced is in use again"),
            format!("`ssm-audit runs show {id}` says what it did"),
        ),
        (Purpose::Undo(_) | Purpose::Discard(_), _) => {
            (format!("run {id} replaced nothing"), "`ssm-audit runs list` lists the runs; give one of fix".to_owned())
        }
    };
    Err(Error::Usage { message, help })
}
