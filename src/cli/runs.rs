//! `runs`: what fix and undo did, from the journal.

use clap::{Args, Subcommand};

use super::apply::look;
use super::fix::Format;
use super::state_dir::StateArgs;
use super::{Error, Exit, Globals, output};
use crate::remediate::journal::{Journal, Run, RunState};
use crate::remediate::run::{RunList, RunReport};
use crate::remediate::show;

/// The arguments of `runs`.
#[derive(Debug, Args)]
pub(super) struct RunsArgs {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    state: StateArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the runs, the newest first
    List {
        /// Format of the list
        #[arg(short, long, value_enum, default_value = "table")]
        format: Format,
    },
    /// Show a run: steps, API calls and verdicts
    Show {
        /// Id of the run, or its beginning
        #[arg(value_name = "RUN")]
        run: String,
        /// Format of the run
        #[arg(short, long, value_enum, default_value = "table")]
        format: Format,
    },
}

pub(super) fn run(arguments: &RunsArgs, globals: &Globals) -> Result<Exit, Error> {
    let journal = arguments.state.journal_if_there()?;
    match &arguments.command {
        Command::List { format } => {
            let runs = match &journal {
                Some(journal) => journal.runs()?,
                None => Vec::new(),
            };
            let list = RunList::new(runs.iter().map(|run| (run, is_under_way(run, journal.as_ref()))));
            output::to_stdout(format.encoding(), |out| match format {
                Format::Json => json(&list, out),
                Format::Table => show::runs(&list, look(globals), out),
            })?;
        }
        Command::Show { run, format } => {
            let Some(journal) = journal else { return Err(StateArgs::no_run(run)) };
            show(&journal, run, *format, globals)?;
        }
    }
    Ok(Exit::Success)
}

/// Writes what the journal says of a run to standard output.
pub(super) fn show(journal: &Journal, run: &str, format: Format, globals: &Globals) -> Result<(), Error> {
    let run = journal.run(run)?;
    let calls = journal.calls(&run.plan.id)?;
    let under_way = is_under_way(&run, Some(journal));
    let report = RunReport::new(run, calls);
    output::to_stdout(format.encoding(), |out| match format {
        Format::Json => json(&report, out),
        Format::Table => show::run(&report, under_way, look(globals), out),
    })
}

/// Whether a process is at it.
fn is_under_way(run: &Run, journal: Option<&Journal>) -> bool {
    run.state == RunState::Open && journal.is_some_and(|journal| journal.is_locked(run.plan.accounts()))
}

fn json(value: &impl serde::Serialize, out: &mut dyn std::io::Write) -> std::io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}
