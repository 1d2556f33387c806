//! `collect`: read a live account and save what was read.

use std::path::PathBuf;

use clap::Args;

use super::aws_args::LiveArgs;
use super::collect_fleet::{self, Judge};
use super::selection::{Selection, SelectionArgs};
use super::{Error, Exit, Globals};
use crate::collect::snapshot;
use crate::diagnostic::Diagnostic;
use crate::model::Inventory;
use crate::report::output::to_file;

/// The arguments of `collect`.
#[derive(Debug, Args)]
pub(super) struct CollectArgs {
    /// File to save the snapshot in
    #[arg(short, long, value_name = "FILE", env = "SSM_AUDIT_OUTPUT")]
    output: PathBuf,
    #[command(flatten)]
    live: LiveArgs,
    #[command(flatten)]
    selection: SelectionArgs,
}

pub(super) fn run(arguments: &CollectArgs, globals: &Globals) -> Result<Exit, Error> {
    let selection = Selection::from_args(&arguments.selection, globals)?;
    let mut read = collect_fleet::read(
        &arguments.live,
        &selection.needs()?,
        globals,
        Judge(|inventory| inventory, |_: &Inventory| 0),
    )?;
    read.accounts.sort_by(|left, right| left.account.cmp(&right.account));
    to_file(&arguments.output, |out| snapshot::write(&read.accounts, out))?;
    let scopes = || read.accounts.iter().flat_map(|inventory| &inventory.scopes);
    let counts = counts(read.accounts.len(), scopes().count(), scopes().filter(|scope| !scope.complete).count());
    globals.note(&format!("wrote {}: {counts}", arguments.output.display()));
    for scope in scopes().filter(|scope| !scope.complete) {
        let region = scope.region.as_ref().map_or("the account's own services", |region| region.as_str());
        let place = match &scope.account {
            Some(account) if read.accounts.len() > 1 => format!("{account}, {region}"),
            _ => region.to_owned(),
        };
        let gaps: Vec<String> = scope.gaps.iter().map(ToString::to_string).collect();
        globals.warn(&[Diagnostic::warning(format!("not everything was read in {place}: {}", gaps.join("; ")))]);
    }
    if read.interrupted {
        return Ok(Exit::Interrupted);
    }
    let complete = scopes().all(|scope| scope.complete);
    Ok(if complete { Exit::Success } else { Exit::Unknown })
}

/// `1 account, 2 scopes, 1 not read in full`
fn counts(accounts: usize, scopes: usize, incomplete: usize) -> String {
    let count = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let unread = if incomplete > 0 { format!(", {incomplete} not read in full") } else { String::new() };
    format!("{}, {}{unread}", count(accounts, "account"), count(scopes, "scope"))
}

#[cfg(test)]
mod tests {
    use super::counts;

    #[test]
    fn counts_are_said_with_what_was_not_read() {
        assert_eq!(counts(1, 2, 0), "1 account, 2 scopes");
        assert_eq!(counts(3, 1, 1), "3 accounts, 1 scope, 1 not read in full");
    }
}
