//! `diff`: what differs between two saved reports.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::output::{page, to_stdout};
use super::selection::{self, RulesFolders};
use super::{Error, Exit, Globals, saved_report};
use crate::model::FailOn;
use crate::model::Report;
use crate::report::diff::{Difference, Standing};
use crate::terminal::Encoding;

/// The arguments of `diff`.
#[derive(Debug, Args)]
#[command(
    after_help = "A finding is fixed only if its rule was evaluated again where it was found. What could not be read again
is stale.

Examples:
  ssm-audit diff monday.json tuesday.json
  ssm-audit diff monday.json tuesday.json --fail-on high"
)]
pub(super) struct DiffArgs {
    /// The older report, in JSON
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The newer report, in JSON
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// The format on standard output
    #[arg(short, long, value_enum, default_value = "table")]
    format: DiffFormat,
    /// Exit with 1 if a failure at or above this severity is new, and with 3 if one is stale or unknown now [default: always 0]
    #[arg(long, value_enum)]
    fail_on: Option<FailOn>,
    #[command(flatten)]
    folders: RulesFolders,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DiffFormat {
    /// For people
    Table,
    /// For programs
    Json,
}

pub(super) fn run(arguments: &DiffArgs, globals: &Globals) -> Result<Exit, Error> {
    let (old, new) = (saved_report::read(&arguments.old)?, saved_report::read(&arguments.new)?);
    let library = selection::library(&arguments.folders, globals)?;
    let current = |id: &str| library.rule(id).map_or(id, |rule| rule.id.as_str()).to_owned();
    let difference = Difference::of(&old, &new, current);
    match arguments.format {
        DiffFormat::Table => to_stdout(Encoding::Text, |out| difference.write_table(&page(globals), out))?,
        DiffFormat::Json => to_stdout(Encoding::Json, |out| json(&difference, arguments, out))?,
    }
    Ok(arguments.fail_on.map_or(Exit::Success, |fail_on| exit(&difference, fail_on)))
}

fn exit(difference: &Difference<'_>, fail_on: FailOn) -> Exit {
    let any = |standing| {
        let changes = difference.changes.iter().filter(|change| change.standing == standing);
        changes.into_iter().any(|change| change.finding.severity >= fail_on.least())
    };
    fail_on.of(any(Standing::New), any(Standing::Stale) || any(Standing::Unknown))
}

fn json(difference: &Difference<'_>, arguments: &DiffArgs, out: &mut dyn Write) -> io::Result<()> {
    let of =
        |path: &PathBuf, report: &Report| json!({"file": path.display().to_string(), "started_at": report.started_at});
    let count = |standing| difference.count(standing);
    let document = json!({
        "kind": "ssm-audit/diff",
        "schema_version": 1,
        "old": of(&arguments.old, difference.old),
        "new": of(&arguments.new, difference.new),
        "summary": {
            "new": count(Standing::New),
            "fixed": count(Standing::Fixed),
            "open": count(Standing::Open),
            "stale": count(Standing::Stale),
            "unknown": count(Standing::Unknown),
            "waived": count(Standing::Waived),
        },
        "findings": difference.changes,
    });
    writeln!(out, "{document:#}")
}
