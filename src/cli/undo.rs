//! `undo`: take a run back, in reverse order; what has changed since is left as it is.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use clap::Args;
use jiff::Timestamp;

use super::carry_out::{self, can_ask, carry_out, confirm, exit_of_steps, new_id, reach_accounts};
use super::live::{self, LiveArgs};
use super::state::StateArgs;
use super::{Error, Exit, Globals};
use crate::remediate::journal::RunState;
use crate::remediate::undo::{self, Replaced};

/// The arguments of `undo`.
#[derive(Debug, Args)]
pub(super) struct UndoArgs {
    /// The run to take back; `ssm-audit runs list` lists them
    #[arg(value_name = "RUN")]
    run: String,
    /// Take it back without asking
    #[arg(long)]
    yes: bool,
    /// Delete what was made to replace something, though it may hold what was written since
    #[arg(long)]
    delete_replaced: bool,
    /// How many steps may run at once
    #[arg(long, value_name = "N", default_value = "4", env = "SSM_AUDIT_STEPS")]
    steps: NonZeroUsize,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    live: LiveArgs,
}

pub(super) fn run(arguments: &UndoArgs, globals: &Globals) -> Result<Exit, Error> {
    let journal = arguments.state.journal()?;
    let run = journal.run(&arguments.run)?;
    let _locks = journal.lock(run.plan.accounts())?;
    let replaced = if arguments.delete_replaced { Replaced::Deleted } else { Replaced::Kept };
    let plan = undo::plan(&run, &new_id(), &Timestamp::now().to_string(), replaced);
    carry_out::show_plan(&plan, globals)?;
    if plan.steps.is_empty() {
        return Ok(Exit::Success);
    }
    if !(arguments.yes || (can_ask() && confirm(&plan, &std::collections::BTreeSet::new())?)) {
        return Ok(Exit::Failed);
    }
    live::run(async {
        let reaches = reach_accounts(&plan, &arguments.live, globals).await?;
        let now = Timestamp::now().to_string();
        if run.state == RunState::Open {
            // What was cut off is not gone on with any more.
            journal.finish(&run.plan.id, RunState::Finished, &now)?;
        }
        journal.begin(&plan, &now)?;
        let records = carry_out(&plan, BTreeMap::new(), &reaches, &journal, arguments.steps, globals).await?;
        Ok(exit_of_steps(&plan, &records))
    })
}
