//! `rules list`.

use std::io::{self, Write};

use anstyle::Style;
use serde_json::json;

use super::super::selection::Selection;
use super::super::{Error, Exit, Globals, output};
use super::ListFormat;
use crate::engine::rule::{Remediation, Rule};
use crate::engine::scan::Selected;
use crate::terminal::Columns;

/// Columns of the terminal that all columns of the list need.
const ALL_COLUMNS: usize = 104;

/// Columns of the terminal that the fewest columns of the list need. In narrower ones, the terminal wraps lines.
const FEWEST: usize = 78;

pub(super) fn write(selection: &Selection, format: ListFormat, globals: &Globals) -> Result<Exit, Error> {
    let selected = selection.rules()?;
    output::to_stdout(format.encoding(), |out| match format {
        ListFormat::Json => {
            let rules: Vec<_> = selected.iter().map(entry).collect();
            writeln!(out, "{:#}", json!({"kind": "ssm-audit/rules", "schema_version": 1, "rules": rules}))
        }
        ListFormat::Table => table(&selected, output::terminal_width(), globals, out),
    })?;
    Ok(Exit::Success)
}

fn entry(selected: &Selected<'_>) -> serde_json::Value {
    let rule = selected.rule;
    let calls: Vec<String> = rule.needs().calls().map(ToString::to_string).collect();
    let remediation = match &rule.remediation {
        Some(Remediation::Id(id)) => Some(id),
        _ => None,
    };
    json!({
        "id": rule.id, "title": rule.title, "severity": selected.severity, "policy": rule.policy,
        "resource": rule.resource_type, "sources": rule.sources, "calls": calls, "references": rule.references,
        "remediation": remediation,
    })
}

/// Lists rules in columns; with `-v` also their titles. Ids are never wrapped: narrow terminals get fewer columns.
fn table(selected: &[Selected<'_>], width: Option<usize>, globals: &Globals, out: &mut dyn Write) -> io::Result<()> {
    let (narrow, titles) = (width.is_some_and(|width| width < ALL_COLUMNS), globals.verbose > 0);
    let headers: &[&str] = match (narrow, titles) {
        (false, true) => &["id", "severity", "policy", "resource", "sources", "fix", "title"],
        (false, false) => &["id", "severity", "policy", "resource", "sources", "fix"],
        (true, true) => &["id", "severity", "fix", "title"],
        (true, false) => &["id", "severity", "policy", "resource", "fix"],
    };
    let width = width.filter(|width| *width >= FEWEST);
    let columns = Columns::new(headers, output::paint_stdout(globals.color), width);
    let mut columns = if narrow { columns.close() } else { columns };
    for one in selected {
        let rule = one.rule;
        let cell = |header: &&str| match *header {
            "id" => rule.id.clone(),
            "severity" => one.severity.to_string(),
            "policy" => rule.policy.as_str().to_owned(),
            "resource" => resource(rule),
            "sources" => sources(rule),
            "fix" => fix(rule).to_owned(),
            _ => rule.title.clone(),
        };
        columns.row(headers.iter().map(|header| (Style::new(), cell(header))));
    }
    columns.write(out)?;
    let hint = if narrow { "; --format json and wider terminals show all columns" } else { "" };
    writeln!(out, "\n{}{hint}", count(selected.len()))
}

fn count(rules: usize) -> String {
    if rules == 1 { "1 rule".to_owned() } else { format!("{rules} rules") }
}

/// The type without the vendor, which nearly all have.
fn resource(rule: &Rule) -> String {
    let label = rule.resource_type.to_string();
    label.strip_prefix("AWS::").map(ToOwned::to_owned).unwrap_or(label)
}

fn sources(rule: &Rule) -> String {
    rule.sources.iter().map(|source| source.as_str()).collect::<Vec<_>>().join(", ")
}

fn fix(rule: &Rule) -> &'static str {
    if matches!(rule.remediation, Some(Remediation::Id(_))) { "yes" } else { "no" }
}
