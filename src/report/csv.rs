//! CSV by RFC 4180, for spreadsheets and data frames: one row for each finding, including passes, and one for each
//! account or region that was not read in full. The last row contains the provenance of the result. Columns are only
//! ever added, at the end.
//! <https://www.rfc-editor.org/rfc/rfc4180>
//!
//!
//! A spreadsheet interprets a cell that begins like a formula as one, and names are chosen by others: such a cell
//! begins with an apostrophe. <https://owasp.org/www-community/attacks/CSV_Injection>

use std::borrow::Cow;
use std::io::{self, Write};

use csv::{QuoteStyle, Terminator, WriterBuilder};

use super::stream::Findings;
use super::{Format, RuleInfo, Writer, basis, coverage, phrasing};
use crate::model::{Finding, Report, Scope, Verdict};
use crate::terminal::{Encoding, harmless};

pub(super) static FORMAT: Format =
    Format { name: "csv", endings: &[".csv"], encoding: Encoding::Text, writer: Writer::Stream(write) };

const COLUMNS: [&str; 24] = [
    "account",
    "region",
    "resource_type",
    "resource_id",
    "resource_name",
    "resource_arn",
    "address",
    "file",
    "line",
    "column",
    "rule",
    "title",
    "severity",
    "verdict",
    "message",
    "evidence",
    "reasons",
    "waived_verdict",
    "waiver_reason",
    "waiver_owner",
    "waiver_expires",
    "remediation",
    "fingerprint",
    "waiver_source",
];

fn write(report: &Report, findings: &Findings<'_>, rules: &[RuleInfo], out: &mut dyn Write) -> io::Result<()> {
    // All cells are quoted: if a spreadsheet uses another separator, a cell must not be split.
    let mut table = WriterBuilder::new().quote_style(QuoteStyle::Always).terminator(Terminator::CRLF).from_writer(out);
    table.write_record(COLUMNS)?;
    findings(&mut |findings| {
        for finding in findings {
            let info = rules.iter().find(|rule| rule.id == finding.rule);
            table.write_record(row(finding, info).map(|cell| safe(&cell)))?;
        }
        Ok(())
    })?;
    for scope in phrasing::incomplete(report) {
        table.write_record(row_of_scope(scope).map(|cell| safe(&cell)))?;
    }
    table.write_record(row_of_provenance(report).map(|cell| safe(&cell)))?;
    table.flush()
}

fn row(finding: &Finding, info: Option<&RuleInfo>) -> [String; COLUMNS.len()] {
    let resource = &finding.resource;
    let location = finding.location.as_ref();
    let waiver = finding.waiver.as_ref();
    let text = |text: Option<&String>| text.cloned().unwrap_or_default();
    let list = |words: Vec<String>| words.join("; ");
    [
        resource.account.as_ref().map(ToString::to_string).unwrap_or_default(),
        resource.region.as_ref().map(ToString::to_string).unwrap_or_default(),
        resource.resource_type.to_string(),
        resource.id.clone(),
        text(resource.name.as_ref()),
        text(resource.arn.as_ref()),
        text(resource.address.as_ref()),
        text(location.map(|location| &location.file)),
        location.map(|location| location.line.to_string()).unwrap_or_default(),
        location.map(|location| location.column.to_string()).unwrap_or_default(),
        finding.rule.clone(),
        text(info.map(|info| &info.title)),
        finding.severity.to_string(),
        finding.verdict.to_string(),
        finding.message.clone(),
        list(finding.evidence.iter().flat_map(phrasing::evidence).collect()),
        list(finding.gaps.iter().map(ToString::to_string).collect()),
        waiver.map(|waiver| waiver.verdict.to_string()).unwrap_or_default(),
        text(waiver.map(|waiver| &waiver.reason)),
        text(waiver.and_then(|waiver| waiver.owner.as_ref())),
        text(waiver.and_then(|waiver| waiver.expires.as_ref())),
        text(finding.remediation.as_ref()),
        finding.fingerprint.clone(),
        text(waiver.and_then(|waiver| waiver.source.as_ref())),
    ]
}

/// Returns the row of an account or region that was not read in full: a row without a resource.
fn row_of_scope(scope: &Scope) -> [String; COLUMNS.len()] {
    named(&[
        ("account", scope.account.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("region", scope.region.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("rule", coverage::RULE.to_owned()),
        ("title", coverage::TITLE.to_owned()),
        ("verdict", Verdict::Unknown.to_string()),
        ("message", coverage::message(scope)),
        ("reasons", coverage::reasons(scope).join("; ")),
        ("fingerprint", coverage::fingerprint(scope)),
    ])
}

/// Returns the last row, without a resource and a verdict: the inputs other than facts that determined the result.
fn row_of_provenance(report: &Report) -> [String; COLUMNS.len()] {
    named(&[("rule", basis::NAME.to_owned()), ("message", basis::lines(&report.provenance).join("; "))])
}

/// Returns a row with these columns.
fn named<const N: usize>(cells: &[(&str, String); N]) -> [String; COLUMNS.len()] {
    COLUMNS
        .map(|column| cells.iter().find(|(name, _)| *name == column).map(|(_, cell)| cell.clone()).unwrap_or_default())
}

/// Returns the cell in one line, which no spreadsheet interprets as a formula.
fn safe(cell: &str) -> String {
    let text: Cow<'_, str> = harmless(cell);
    // Some languages treat the wide forms as the narrow ones.
    if text.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) || cell.starts_with(['\t', '\r', '\n']) {
        format!("'{text}")
    } else {
        text.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    fn rows(text: &str) -> Vec<csv::StringRecord> {
        csv::Reader::from_reader(text.as_bytes()).records().map(|row| row.expect("a row")).collect()
    }

    #[test]
    fn the_rows_are_as_reviewed() {
        let mut report = example::report();
        report.findings.drain(2..12);
        insta::assert_snapshot!(example::written(&FORMAT, &report));
    }

    #[test]
    fn every_finding_has_a_row_and_what_was_not_read_has_one() {
        let report = example::report();
        let rows = rows(&example::written(&FORMAT, &report));
        // One more row contains the provenance.
        let (last, rows) = rows.split_last().expect("rows");
        assert!(last[10] == *basis::NAME && last[14].contains("disable: [logs-*, <b>] (ssm-audit.yaml)"), "{last:?}");
        assert_eq!(rows.len(), report.findings.len() + 3);
        let verdict = |row: &csv::StringRecord| row[13].to_owned();
        let expected = report.findings.iter().map(|finding| finding.verdict.to_string());
        let expected = expected.chain(["unknown", "unknown", "unknown"].map(ToOwned::to_owned));
        assert!(rows.iter().map(verdict).eq(expected));
    }

    #[test]
    fn no_cell_is_taken_for_a_formula() {
        let mut report = example::calm();
        let names = ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "＝1", "a,b\"c", "x\n=1"];
        report.findings = names
            .map(|name| {
                let mut finding = report.findings[0].clone();
                finding.resource.name = Some(name.to_owned());
                finding
            })
            .to_vec();
        let text = example::written(&FORMAT, &report);
        let cells: Vec<String> = rows(&text).iter().take(names.len()).map(|row| row[4].to_owned()).collect();
        assert_eq!(cells, ["'=1+1", "'+1", "'-1", "'@SUM(1)", "'\\t=1", "'\\r=1", "'＝1", "a,b\"c", "x\\n=1"]);
        assert!(text.lines().count() == names.len() + 2 && text.ends_with("\r\n"));
    }
}
