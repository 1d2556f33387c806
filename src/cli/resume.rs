//! `resume`: go on with a run that was cut off; or with one that came to its end, by deleting what it replaced and kept.

use std::num::NonZeroUsize;

use clap::Args;

use super::apply::{self, LockArgs, carry_out, exit_of_steps, reach_accounts};
use super::aws_args::{self, LiveArgs};
use super::selection::{self, RulesFolders};
use super::state_dir::StateArgs;
use super::{Error, Exit, Globals, cleanup, fix, runs, verify};
use crate::remediate::account_lock::AccountLocks;
use crate::remediate::approvals::Allow;
use crate::remediate::journal::RunState;
use crate::remediate::plan::Purpose;

/// The arguments of `resume`.
#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// Id of the run, or its beginning; see `ssm-audit runs list`
    #[arg(value_name = "RUN")]
    pub(super) run: String,
    /// Delete root volumes and snapshots that the finished run replaced
    #[arg(long)]
    delete_replaced: bool,
    /// Delete without asking
    #[arg(long, requires = "delete_replaced")]
    pub(super) yes: bool,
    /// Must be `irreversible` for --delete-replaced
    #[arg(long, value_enum, value_delimiter = ',', requires = "delete_replaced")]
    pub(super) allow: Vec<Allow>,
    /// Instance whose replaced volume is deleted; can be repeated
    #[arg(long = "resource", value_name = "ID", requires = "delete_replaced")]
    pub(super) resources: Vec<String>,
    /// Format of the result
    #[arg(short, long, value_enum, default_value = "table", env = "SSM_AUDIT_FIX_FORMAT")]
    format: fix::Format,
    /// Steps at once
    #[arg(long, value_name = "N", default_value = "4", env = "SSM_AUDIT_STEPS")]
    pub(super) steps: NonZeroUsize,
    #[command(flatten)]
    pub(super) lock: LockArgs,
    #[command(flatten)]
    pub(super) state: StateArgs,
    #[command(flatten)]
    rules: RulesFolders,
    #[command(flatten)]
    pub(super) live: LiveArgs,
}

pub(super) fn run(arguments: &ResumeArgs, globals: &Globals) -> Result<Exit, Error> {
    if arguments.delete_replaced {
        return cleanup::run(arguments, globals);
    }
    let journal = arguments.state.journal()?;
    let id = journal.run(&arguments.run)?.plan.id;
    let library = selection::library(&arguments.rules, globals)?;
    aws_args::run(async {
        let plan = journal.run(&id)?.plan;
        let _locks = journal.lock(plan.accounts())?;
        // Read once more: it may have come to its end until the lock was had.
        let run = journal.run(&id)?;
        // A run that ended before its rules were evaluated again still owes that answer.
        let unverified = run.plan.purpose == Purpose::Fix && run.state == RunState::Finished && run.verified.is_none();
        if run.state != RunState::Open && !unverified {
            return Err(Error::Usage {
                message: format!("run {id} came to its end: there is nothing to go on with"),
                help: format!("`ssm-audit runs show {id}` says how; `ssm-audit fix` plans what is left to do"),
            });
        }
        let rules = verify::rules(&plan, &library)?;
        let accounts = reach_accounts(&plan, &arguments.live, globals).await?;
        let resume = async |locks: &AccountLocks<'_>| {
            let records = if unverified {
                run.records
            } else {
                carry_out(&plan, run.records, &accounts, &journal, arguments.steps, locks, globals).await?
            };
            let steps = exit_of_steps(&plan, &records)?;
            if plan.purpose == Purpose::Fix {
                let how = (steps, arguments.format);
                fix::conclude(&plan, &rules, &accounts, &journal, &arguments.live, how, globals).await
            } else {
                runs::show(&journal, &id, arguments.format, globals)?;
                Ok(steps)
            }
        };
        apply::locked(&plan, &accounts, &arguments.lock, globals, || Ok(()), resume).await
    })
}
