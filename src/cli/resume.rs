//! `resume`: go on with a run that was cut off.

use std::num::NonZeroUsize;

use clap::Args;

use super::carry_out::{carry_out, check, exit_of_steps, reach_accounts};
use super::live::{self, LiveArgs};
use super::selection::{Selection, SelectionArgs};
use super::state::StateArgs;
use super::{Error, Exit, Globals};
use crate::remediate::journal::RunState;

/// The arguments of `resume`.
#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// The run to go on with; `ssm-audit runs list` lists them
    #[arg(value_name = "RUN")]
    run: String,
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

pub(super) fn run(arguments: &ResumeArgs, globals: &Globals) -> Result<Exit, Error> {
    let journal = arguments.state.journal()?;
    let run = journal.run(&arguments.run)?;
    let _locks = journal.lock(run.plan.accounts())?;
    if run.state != RunState::Open {
        return Err(Error::Usage {
            message: format!("run {} came to its end", run.plan.id),
            help: "`ssm-audit runs show RUN` says how; `ssm-audit fix` plans what is left to do".to_owned(),
        });
    }
    let selection = Selection::from_args(&arguments.selection, globals)?;
    live::run(async {
        let reaches = reach_accounts(&run.plan, &arguments.live, globals).await?;
        let records = carry_out(&run.plan, run.records.clone(), &reaches, &journal, arguments.steps, globals).await?;
        let verdict = check(&run.plan, &selection, &reaches, &arguments.live, globals).await?;
        Ok(match exit_of_steps(&run.plan, &records) {
            Exit::Success => verdict,
            exit => exit,
        })
    })
}
