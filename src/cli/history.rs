//! `history`: what earlier sweeps have found.

use std::io::{self, Write};

use anstyle::Style;
use clap::{Args, Subcommand, ValueEnum};
use jiff::{Span, Timestamp};
use serde_json::json;

use super::output::{self, Outputs, PartsArgs, parse_format};
use super::state_dir::StateArgs;
use super::{Error, Exit, Globals};
use crate::history::{Change, Difference, History, HistoryError, Sweep, SweepLock};
use crate::model::{AccountId, Region};
use crate::report::{Format, sweep};
use crate::terminal::{Columns, Encoding, harmless};

/// The arguments of `history`.
#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    #[command(flatten)]
    state: StateArgs,
    #[command(subcommand)]
    command: HistoryCommand,
}

#[derive(Debug, Subcommand)]
enum HistoryCommand {
    /// List the sweeps, the newest first
    List {
        /// Format of the list
        #[arg(short, long, value_enum, default_value = "table", env = "SSM_AUDIT_FORMAT")]
        format: ListFormat,
    },
    /// Show the findings of a sweep
    Show {
        /// Number of the sweep [default: the last finished one]
        sweep: Option<i64>,
        /// Format of the report [default: table]
        #[arg(short, long, value_parser = parse_format, env = "SSM_AUDIT_FORMAT")]
        format: Option<&'static Format>,
        #[command(flatten)]
        parts: PartsArgs,
    },
    /// Compare two sweeps, for accounts that both have read
    Diff {
        /// Number of the earlier sweep
        earlier: i64,
        /// Number of the later sweep [default: the last finished one]
        later: Option<i64>,
        /// Format of the comparison
        #[arg(short, long, value_enum, default_value = "table", env = "SSM_AUDIT_FORMAT")]
        format: ListFormat,
    },
    /// Delete old sweeps; the last result of each account stays
    Prune {
        /// Number of sweeps to keep
        #[arg(long, value_name = "N", required_unless_present = "older_than")]
        keep: Option<u64>,
        /// Delete only sweeps older than this
        #[arg(long, value_name = "DAYS")]
        older_than: Option<u32>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ListFormat {
    Table,
    Json,
}

impl ListFormat {
    fn encoding(self) -> Encoding {
        match self {
            Self::Table => Encoding::Text,
            Self::Json => Encoding::Json,
        }
    }
}

pub(super) fn run(arguments: &HistoryArgs, globals: &Globals) -> Result<Exit, Error> {
    let folder = arguments.state.folder()?;
    let open = || History::open_to_read(&folder);
    match &arguments.command {
        HistoryCommand::List { format } => list(&open()?, *format, globals)?,
        HistoryCommand::Show { sweep, format, parts } => {
            let history = open()?;
            let sweep = history.sweep(sweep.map_or_else(|| history.last(), Ok)?)?;
            let counts = sweep::counts(&sweep);
            Outputs::standard(*format, *parts)
                .write(globals, &counts, |format, options, out| sweep::write(&history, &sweep, format, options, out))?;
        }
        HistoryCommand::Diff { earlier, later, format } => {
            let history = open()?;
            let later = later.map_or_else(|| history.last(), Ok)?;
            diff(&history, *earlier, later, *format)?;
        }
        HistoryCommand::Prune { keep, older_than } => {
            let before = older_than.map(days_ago).transpose()?;
            let mut history = History::open_existing(&folder)?;
            let _lock = SweepLock::take(&folder)?;
            let pruned = history.prune(*keep, before.as_deref())?;
            let count = |count, one| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
            let looks = format!("{} at accounts", count(pruned.looks, "look"));
            let text = format!("forgot {looks}, and {} altogether", count(pruned.sweeps, "sweep"));
            output::to_stdout(Encoding::Text, |out| writeln!(out, "{text}"))?;
        }
    }
    Ok(Exit::Success)
}

fn days_ago(days: u32) -> Result<String, Error> {
    let span = Span::new().try_hours(24 * i64::from(days));
    let time = span.and_then(|span| Timestamp::now().checked_sub(span));
    time.map(|time| time.to_string()).map_err(|error| Error::Usage {
        message: format!("--older-than is {days}: {error}"),
        help: "give a number of days".to_owned(),
    })
}

fn list(history: &History, format: ListFormat, globals: &Globals) -> Result<(), Error> {
    let sweeps = history.sweeps()?;
    output::to_stdout(format.encoding(), |out| match format {
        ListFormat::Json => {
            writeln!(out, "{:#}", json!({"kind": "ssm-audit/history", "schema_version": 1, "sweeps": sweeps}))
        }
        ListFormat::Table if sweeps.is_empty() => writeln!(out, "no sweep is in the history"),
        ListFormat::Table => table(&sweeps, globals).write(out),
    })
}

fn table(sweeps: &[Sweep], globals: &Globals) -> Columns {
    const HEADERS: &[&str] =
        &["sweep", "started", "state", "accounts", "scopes", "not read", "new", "open", "fixed", "stale", "unknown"];
    let mut columns = Columns::new(HEADERS, output::paint_stdout(globals.color), None);
    for sweep in sweeps {
        let totals = &sweep.totals;
        let counts = [
            totals.accounts,
            totals.scopes,
            totals.unread,
            totals.new,
            totals.open,
            totals.fixed,
            totals.stale,
            totals.unknown,
        ];
        let started = sweep.started_at.get(..16).unwrap_or(&sweep.started_at).to_owned();
        let state = if sweep.state == "running" { "cut off, or running" } else { &sweep.state };
        let cells = [sweep.id.to_string(), started, state.to_owned()].into_iter();
        columns.row(cells.chain(counts.map(|count| count.to_string())).map(|cell| (Style::new(), cell)));
    }
    columns
}

fn diff(history: &History, earlier: i64, later: i64, format: ListFormat) -> Result<(), Error> {
    let uncommon = history.uncommon(earlier, later)?;
    for sweep in [earlier, later] {
        history.sweep(sweep)?;
    }
    let failed = |error: HistoryError| io::Error::other(error);
    output::to_stdout(format.encoding(), |out| {
        if format == ListFormat::Json {
            // A line each: however many there are, they need not be in memory.
            return history.diff(earlier, later, failed, |one| {
                serde_json::to_writer(&mut *out, &one)?;
                writeln!(out)
            });
        }
        let mut counts = [0_u64; 3];
        history.diff(earlier, later, failed, |one| {
            counts[one.change as usize] += 1;
            difference(&one, out)
        })?;
        let [appeared, fixed, stale] = counts;
        writeln!(out, "sweep {earlier} to {later}: {appeared} appeared, {fixed} fixed, {stale} stale")?;
        if uncommon > 0 {
            writeln!(out, "{uncommon} accounts were looked at by one of them only")?;
        }
        Ok(())
    })
}

fn difference(one: &Difference, out: &mut dyn Write) -> io::Result<()> {
    let word = match one.change {
        Change::Appeared => "appeared",
        Change::Fixed => "fixed",
        Change::Stale => "stale",
    };
    let resource = &one.finding.resource;
    let account = resource.account.as_ref().map_or("", AccountId::as_str);
    let region = resource.region.as_ref().map_or("global", Region::as_str);
    writeln!(
        out,
        "{word:<9} {:<9}{}  {}  {account} {region}",
        one.finding.severity.as_str(),
        harmless(&one.finding.rule),
        harmless(&resource.id)
    )
}
