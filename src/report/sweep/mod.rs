//! What a sweep found and what has changed since the last, for people and for machines. Rows come from the history one
//! by one and are written as they come: a million need no more memory than ten.
//!
//! Formats that have no stream of their own are written from a report in memory.

mod json;
mod table;

use std::io::{self, Write};

use super::{Format, Options, RuleInfo};
use crate::history::{History, HistoryError, Order, Sweep, Which};
use crate::model::finding::Tool;
use crate::model::{Report, Summary};

/// Writes a sweep in one format.
///
/// # Errors
/// Where it cannot be written, or the history cannot be read.
pub fn write(
    history: &History,
    sweep: &Sweep,
    format: &Format,
    rules: &[RuleInfo],
    options: &Options,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format.name {
        "json" => json::write(history, sweep, out),
        "table" => table::write(history, sweep, rules, options, out),
        _ => (format.write)(&report(history, sweep)?, rules, options, out),
    }
}

fn summary(sweep: &Sweep) -> Summary {
    let totals = &sweep.totals;
    Summary {
        pass: totals.pass,
        fail: totals.fail,
        unknown: totals.unknown,
        waived: totals.waived,
        not_applicable: totals.not_applicable,
    }
}

fn tool(sweep: &Sweep) -> Tool {
    Tool { name: "ssm-audit".to_owned(), version: sweep.tool_version.clone(), rules_digest: sweep.rules_digest.clone() }
}

/// All of it, in memory.
fn report(history: &History, sweep: &Sweep) -> io::Result<Report> {
    let mut report = Report {
        kind: Report::KIND.to_owned(),
        schema_version: Report::SCHEMA_VERSION,
        tool: tool(sweep),
        started_at: sweep.started_at.clone(),
        finished_at: sweep.finished_at.clone().unwrap_or_default(),
        policy: sweep.policy.clone(),
        scopes: Vec::new(),
        summary: summary(sweep),
        findings: Vec::new(),
    };
    history.each_scope(sweep.id, failed, |scope| {
        report.scopes.push(scope);
        Ok(())
    })?;
    history.each(sweep.id, Which::Judged, Order::Report, failed, |row| {
        report.findings.push(row.finding);
        Ok(())
    })?;
    Ok(report)
}

fn failed(error: HistoryError) -> io::Error {
    io::Error::other(error)
}
