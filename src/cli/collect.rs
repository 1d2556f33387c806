//! `collect`: read a live account and save what was read.

use std::path::PathBuf;

use clap::Args;

use super::live::{self, LiveArgs};
use super::selection::{Selection, SelectionArgs};
use super::{Error, Exit, Globals};
use crate::diagnostic::Diagnostic;
use crate::report::output::to_file;
use crate::source::snapshot;

/// The arguments of `collect`.
#[derive(Debug, Args)]
pub(super) struct CollectArgs {
    /// The file to save the snapshot in
    #[arg(short, long, value_name = "FILE", env = "SSM_AUDIT_OUTPUT")]
    output: PathBuf,
    #[command(flatten)]
    live: LiveArgs,
    #[command(flatten)]
    selection: SelectionArgs,
}

pub(super) fn run(arguments: &CollectArgs, globals: &Globals) -> Result<Exit, Error> {
    let selection = Selection::from_args(&arguments.selection, globals)?;
    let read = live::read(&arguments.live, &selection.needs()?, globals)?;
    to_file(&arguments.output, |out| snapshot::write(std::slice::from_ref(&read.inventory), out))?;
    for scope in read.inventory.scopes.iter().filter(|scope| !scope.complete) {
        let place = scope.region.as_ref().map_or("the account's own services", |region| region.as_str());
        let gaps: Vec<String> = scope.gaps.iter().map(ToString::to_string).collect();
        globals.warn(&[Diagnostic::warning(format!("not everything was read in {place}: {}", gaps.join("; ")))]);
    }
    if read.interrupted {
        return Ok(Exit::Interrupted);
    }
    let complete = read.inventory.scopes.iter().all(|scope| scope.complete);
    Ok(if complete { Exit::Success } else { Exit::Unknown })
}
