//! A saved report: reading it, and what is known of its rules.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::Error;
use super::report_input::FORM;
use super::scan::information;
use crate::engine::rule::Library;
use crate::engine::scan::{self, Selected};
use crate::model::{Finding, Gap, GapKind, Report, Severity, Verdict};
use crate::remediate::remediation;
use crate::report::RuleInfo;

/// What the report of a sweep has beside that of a scan.
#[derive(Deserialize)]
struct OfSweep {
    #[serde(default)]
    stale: Vec<Stale>,
}

/// A finding that failed earlier and was not read in the sweep.
#[derive(Deserialize)]
struct Stale {
    #[serde(flatten)]
    finding: Finding,
    seen: Option<String>,
}

/// Reads a report that `scan`, `sweep` or `merge` saved in JSON. What a sweep could not see again is unknown.
pub(super) fn read(path: &Path) -> Result<Report, Error> {
    let mut report: Report = FORM.read(path)?;
    check(&report, path)?;
    let OfSweep { stale } = FORM.read(path)?;
    report.summary.unknown += stale.len() as u64;
    report.findings.extend(stale.into_iter().map(unknown));
    report.findings.sort_by(|one, other| one.resource.account.cmp(&other.resource.account));
    Ok(report)
}

/// Refuses a report whose summary contradicts its findings: somebody has edited it.
fn check(report: &Report, path: &Path) -> Result<(), Error> {
    let (counted, said) = (scan::count(&report.findings, 0), &report.summary);
    let pairs = [
        ("fail", counted.fail, said.fail),
        ("unknown", counted.unknown, said.unknown),
        ("waived", counted.waived, said.waived),
    ];
    match pairs.into_iter().find(|(_, counted, said)| counted != said) {
        None => Ok(()),
        Some((name, counted, said)) => Err(Error::Usage {
            message: format!("{}: the summary says {said} {name}, and {counted} are listed", path.display()),
            help: "the report was edited or is damaged: make it again".to_owned(),
        }),
    }
}

fn unknown(Stale { finding, seen }: Stale) -> Finding {
    let day = seen.as_deref().and_then(|seen| seen.get(..10)).unwrap_or("an unknown day");
    let message = format!("it failed when it was seen last, {day}, and was not read now");
    let gaps = vec![Gap::because(GapKind::Failed, message.clone())];
    Finding { verdict: Verdict::Unknown, message, gaps, waiver: None, ..finding }
}

/// Returns what is known of the rules that have findings, under the ids and severities that the report has.
pub(super) fn rules(report: &Report, library: &Library) -> Result<Vec<RuleInfo>, Error> {
    let remedies = remediation::embedded(library).map_err(Error::Diagnostics)?;
    let mut severities: BTreeMap<&str, Severity> = BTreeMap::new();
    for finding in &report.findings {
        let severity = severities.entry(&finding.rule).or_insert(finding.severity);
        *severity = finding.severity.max(*severity);
    }
    let known = severities.into_iter().filter_map(|(id, severity)| Some((id, severity, library.rule(id)?)));
    let infos = known.map(|(id, severity, rule)| {
        let selected = [Selected::new(rule, Some(severity), BTreeMap::new())];
        // A rule that was renamed since has its old id in the report.
        information(&selected, &remedies).into_iter().map(|info| RuleInfo { id: id.to_owned(), ..info }).collect()
    });
    Ok(infos.collect::<Vec<Vec<_>>>().concat())
}
