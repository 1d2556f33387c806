//! Findings of a sweep and the changes since the last, for people and for machines. Rows are read from the history one
//! by one and written as they arrive: a million need no more memory than ten.
//!
//!
//! Formats that need all rows at once (the pages for people: HTML and Markdown) are written from a report in memory.

mod json;
mod table;

use std::io::{self, Write};

use super::stream::Take;
use super::{Format, Options, Writer, html};
use crate::history::lifecycle::Standing;
use crate::history::{History, HistoryError, Order, Row, Sweep, Which};
use crate::model::finding::Tool;
use crate::model::{Finding, Gap, GapKind, Report, Scope, Source, Summary, Verdict};

/// Maximum number of sweeps that the trend shows.
const TREND: u32 = 60;

/// Writes a sweep in one format.
///
/// # Errors
/// If the sweep cannot be written, or the history cannot be read.
pub fn write(
    history: &History,
    sweep: &Sweep,
    format: &Format,
    options: &Options,
    out: &mut dyn Write,
) -> io::Result<()> {
    let rules = history.information(sweep.id).map_err(failed)?;
    match (format.name, format.writer) {
        ("json", _) => json::write(history, sweep, out),
        ("table", _) => table::write(history, sweep, &rules, options, out),
        ("html", _) => html::write_with_trend(&whole(history, sweep)?, &rules, &trend(history, sweep)?, out),
        (_, Writer::Stream(write)) => {
            let findings = |take: &mut Take<'_>| by_account(history, sweep, Which::Told, take);
            write(&without_findings(history, sweep)?, &findings, &rules, out)
        }
        (_, Writer::Ledger(write)) => {
            let findings = |take: &mut Take<'_>| by_account(history, sweep, Which::ToldAndFixed, take);
            write(&without_findings(history, sweep)?, &findings, &rules, out)
        }
        (_, Writer::Whole(write)) => write(&whole(history, sweep)?, &rules, options, out),
    }
}

/// Returns the counts of a sweep in one line, and the number of scopes that were not read.
pub fn counts(sweep: &Sweep) -> String {
    let counts = table::count_phrases(sweep).into_iter().map(|(_, phrase)| phrase).collect::<Vec<_>>().join(", ");
    match sweep.totals.incomplete {
        0 => counts,
        many => format!("{counts}; {many} of {} scopes not read in full", sweep.totals.scopes),
    }
}

fn trend(history: &History, sweep: &Sweep) -> io::Result<Vec<html::Look>> {
    let trend = history.trend(sweep.id, TREND).map_err(failed)?;
    Ok(trend.into_iter().map(|(at, totals)| html::Look { at, fail: totals.fail, unknown: totals.unknown }).collect())
}

/// Passes on the findings, by account.
fn by_account(history: &History, sweep: &Sweep, which: Which, take: &mut Take<'_>) -> io::Result<()> {
    let mut findings: Vec<Finding> = Vec::new();
    history.each(sweep.id, which, Order::Report, failed, |row| {
        let finding = as_told(row);
        if findings.first().is_some_and(|first| first.resource.account != finding.resource.account) {
            take(&findings)?;
            findings.clear();
        }
        findings.push(finding);
        Ok(())
    })?;
    take(&findings)
}

/// Returns a finding for a format that only has verdicts. A stale finding is unknown; a fixed one is a pass.
fn as_told(row: Row) -> Finding {
    let Row { finding, standing, seen, judged, .. } = row;
    if judged {
        return finding;
    }
    let failed = format!("it failed when it was seen last, {}", table::day(seen.as_deref()));
    if standing == Standing::Fixed {
        let message = format!("{failed}, and holds now");
        let (evidence, gaps) = (Vec::new(), Vec::new());
        return Finding { verdict: Verdict::Pass, message, evidence, gaps, waiver: None, ..finding };
    }
    let message = format!("{failed}, and was not read now");
    let gaps = vec![Gap::because(GapKind::Failed, message)];
    Finding { verdict: Verdict::Unknown, gaps, waiver: None, ..finding }
}

fn summary(sweep: &Sweep) -> Summary {
    let totals = &sweep.totals;
    Summary {
        pass: totals.pass,
        fail: totals.fail,
        unknown: totals.unknown,
        waived: totals.waived,
        not_applicable: totals.not_applicable,
        in_baseline: 0,
    }
}

fn tool(sweep: &Sweep) -> Tool {
    Tool { name: "ssm-audit".to_owned(), version: sweep.tool_version.clone(), rules_digest: sweep.rules_digest.clone() }
}

fn without_findings(history: &History, sweep: &Sweep) -> io::Result<Report> {
    let mut report = Report {
        kind: Report::KIND.to_owned(),
        schema_version: Report::SCHEMA_VERSION,
        tool: tool(sweep),
        started_at: sweep.started_at.clone(),
        // The end of an interrupted sweep is not known.
        finished_at: sweep.finished_at.clone().unwrap_or_else(|| sweep.started_at.clone()),
        policy: sweep.policy.clone(),
        provenance: history.provenance(sweep.id).map_err(failed)?,
        scopes: Vec::new(),
        summary: Summary { unknown: sweep.totals.unknown + sweep.totals.unread_stale, ..summary(sweep) },
        findings: Vec::new(),
    };
    each_scope(history, sweep, failed, |scope| {
        report.scopes.push(scope);
        Ok(())
    })?;
    Ok(report)
}

/// Returns the complete sweep, in memory.
fn whole(history: &History, sweep: &Sweep) -> io::Result<Report> {
    let mut report = without_findings(history, sweep)?;
    history.each(sweep.id, Which::Told, Order::Report, failed, |row| {
        report.findings.push(as_told(row));
        Ok(())
    })?;
    Ok(report)
}

/// Passes on the scopes that the sweep covered. For an interrupted or partly deleted sweep, the scopes are incomplete.
fn each_scope<E>(
    history: &History,
    sweep: &Sweep,
    fail: impl Fn(HistoryError) -> E,
    mut take: impl FnMut(Scope) -> Result<(), E>,
) -> Result<(), E> {
    let forgotten = history.forgotten(sweep).map_err(&fail)?;
    let missing = if sweep.finished_at.is_none() {
        Some("the sweep was cut off: not all accounts were looked at".to_owned())
    } else {
        (forgotten > 0).then(|| format!("what {forgotten} accounts had was forgotten: `history prune`"))
    };
    if let Some(missing) = missing {
        let gaps = vec![Gap::because(GapKind::Failed, missing)];
        take(Scope { source: Source::Aws, account: None, region: None, complete: false, read: false, gaps })?;
    }
    history.each_scope(sweep.id, fail, take)
}

fn failed(error: HistoryError) -> io::Error {
    io::Error::other(error)
}
