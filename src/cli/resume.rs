//! `resume`: go on with a run that was cut off.

use std::num::NonZeroUsize;

use clap::Args;

use super::carry_out::{carry_out, exit_of_steps, reach_accounts};
use super::live::{self, LiveArgs};
use super::selection::{self, RulesFolders};
use super::state::StateArgs;
use super::{Error, Exit, Globals, check, fix};
use crate::remediate::journal::RunState;
use crate::remediate::plan::Purpose;

/// The arguments of `resume`.
#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// The run to go on with, or how its id begins; `ssm-audit runs list` lists them
    #[arg(value_name = "RUN")]
    run: String,
    /// The form of what came of it, on standard output
    #[arg(long, value_enum, default_value = "table", env = "SSM_AUDIT_FIX_FORMAT")]
    format: fix::Format,
    /// How many steps may run at once
    #[arg(long, value_name = "N", default_value = "4", env = "SSM_AUDIT_STEPS")]
    steps: NonZeroUsize,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    rules: RulesFolders,
    #[command(flatten)]
    live: LiveArgs,
}

pub(super) fn run(arguments: &ResumeArgs, globals: &Globals) -> Result<Exit, Error> {
    let journal = arguments.state.journal()?;
    let id = journal.run(&arguments.run)?.plan.id;
    let library = selection::library(&arguments.rules, globals)?;
    live::run(async {
        let plan = journal.run(&id)?.plan;
        let _locks = journal.lock(plan.accounts())?;
        // Read once more: it may have come to its end until the lock was had.
        let run = journal.run(&id)?;
        if run.state != RunState::Open {
            return Err(Error::Usage {
                message: format!("run {id} came to its end: there is nothing to go on with"),
                help: format!("`ssm-audit runs show {id}` says how; `ssm-audit fix` plans what is left to do"),
            });
        }
        let rules = check::rules(&plan, &library)?;
        let reaches = reach_accounts(&plan, &arguments.live, globals).await?;
        let records = carry_out(&plan, run.records, &reaches, &journal, arguments.steps, globals).await?;
        let steps = exit_of_steps(&plan, &records);
        if let (Purpose::Undo(_), Exit::Success | Exit::Failed) = (&plan.purpose, steps) {
            return Ok(steps);
        }
        let how = (steps, arguments.format);
        fix::conclude(&plan, &rules, &reaches, &journal, &arguments.live, how, globals).await
    })
}
