//! Findings as the script of the page reads them: JSON that cannot end the element that contains it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::model::{AccountId, Finding, Region, Report, Severity, Verdict};
use crate::report::phrasing::{self, Accounts, Fix};
use crate::report::{RuleInfo, denied};
use crate::terminal::{harmless, harmless_json};

/// All findings, the worst first. They are written one by one, like the page.
pub(super) struct Data<'a> {
    rules: BTreeMap<&'a str, &'a RuleInfo>,
    findings: Vec<&'a Finding>,
    accounts: Accounts,
    /// Passes that are counted but not listed.
    passes: u64,
}

impl<'a> Data<'a> {
    pub(super) fn of(report: &'a Report, rules: &'a [RuleInfo]) -> Self {
        let mut findings: Vec<&Finding> = report.findings.iter().collect();
        findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), rank(finding.verdict)));
        let listed = findings.iter().filter(|finding| finding.verdict == Verdict::Pass).count() as u64;
        Self {
            rules: rules.iter().map(|rule| (rule.id.as_str(), rule)).collect(),
            findings,
            accounts: Accounts::of(report),
            passes: report.summary.pass.saturating_sub(listed),
        }
    }

    /// Returns the failures and unknowns.
    pub(super) fn open(&self) -> Vec<&'a Finding> {
        let open = self.findings.iter().filter(|finding| matches!(finding.verdict, Verdict::Fail | Verdict::Unknown));
        open.copied().collect()
    }
}

fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Fail => 0,
        Verdict::Unknown => 1,
        Verdict::Waived => 2,
        Verdict::Pass => 3,
    }
}

impl fmt::Display for Data<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{{\"passes\":{},\"rules\":{{", self.passes)?;
        for (index, (id, rule)) in self.rules.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(formatter, "{comma}\n{}:{}", Embedded(id), Embedded(&RuleOfPage::of(rule)))?;
        }
        formatter.write_str("},\"findings\":[")?;
        for (index, finding) in self.findings.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let info = self.rules.get(finding.rule.as_str()).copied();
            write!(formatter, "{comma}\n{}", Embedded(&FindingOfPage::of(finding, info, self.accounts)))?;
        }
        formatter.write_str("]}")
    }
}

/// JSON without characters that have a meaning in HTML.
struct Embedded<'a, T: ?Sized>(&'a T);

impl<T: Serialize + ?Sized> fmt::Display for Embedded<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_string(self.0).map_err(|_error| fmt::Error)?;
        let json = harmless_json(&json);
        let mut rest: &str = &json;
        // These characters occur in strings only, where an escape means the same.
        while let Some(index) = rest.find(['<', '>', '&']) {
            let (plain, marked) = rest.split_at(index);
            formatter.write_str(plain)?;
            write!(formatter, "\\u{:04x}", marked.as_bytes()[0])?;
            rest = &marked[1..];
        }
        formatter.write_str(rest)
    }
}

#[derive(Serialize)]
struct RuleOfPage<'a> {
    title: &'a str,
    description: &'a str,
    rationale: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<&'a str>,
    references: Vec<&'a str>,
    controls: Vec<String>,
}

impl<'a> RuleOfPage<'a> {
    fn of(rule: &'a RuleInfo) -> Self {
        let controls = rule.controls.iter();
        Self {
            title: &rule.title,
            description: &rule.description,
            rationale: &rule.rationale,
            page: rule.page.as_deref(),
            // A URL of another scheme would be run when it is clicked.
            references: rule.references.iter().map(String::as_str).filter(|uri| uri.starts_with("https://")).collect(),
            controls: controls.map(|one| format!("{} {}: {}", one.framework, one.id, one.title)).collect(),
        }
    }
}

#[derive(Serialize)]
struct FindingOfPage<'a> {
    rule: &'a str,
    verdict: Verdict,
    severity: Severity,
    resource: String,
    #[serde(rename = "where")]
    place: String,
    #[serde(rename = "type")]
    resource_type: &'static str,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evidence: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
    /// `true` if denied calls are the only reason why the finding is unknown; the page lists each such call once.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    denied: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiver: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<FixOfPage>,
    fingerprint: &'a str,
}

#[derive(Serialize)]
struct FixOfPage {
    title: String,
    command: String,
}

impl<'a> FindingOfPage<'a> {
    fn of(finding: &'a Finding, info: Option<&RuleInfo>, accounts: Accounts) -> Self {
        let text = |text: &str| harmless(text).into_owned();
        let resource = &finding.resource;
        let reasons = if finding.gaps.is_empty() { Vec::new() } else { phrasing::reasons(finding) };
        Self {
            rule: &finding.rule,
            verdict: finding.verdict,
            severity: finding.severity,
            resource: text(&phrasing::resource(resource)),
            place: text(&phrasing::place(finding, accounts)),
            resource_type: resource.resource_type.as_str(),
            id: text(&resource.id),
            name: resource.name.as_deref().map(text),
            arn: resource.arn.as_deref().map(text),
            address: resource.address.as_deref().map(text),
            account: resource.account.as_ref().map(AccountId::as_str),
            region: resource.region.as_ref().map(Region::as_str),
            location: finding.location.as_ref().map(|location| text(&phrasing::location(location))),
            message: text(&finding.message),
            evidence: finding.evidence.iter().flat_map(phrasing::evidence).map(|line| text(&line)).collect(),
            reasons: reasons.iter().map(|reason| text(reason)).collect(),
            denied: denied::is_only_denied(finding),
            waiver: finding.waiver.as_ref().map(|_| text(&phrasing::waiver(finding))),
            fix: phrasing::fix_of(finding, info)
                .map(|Fix { title, command }| FixOfPage { title: text(&title), command }),
            fingerprint: &finding.fingerprint,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_data_ends_the_script() {
        let text = Embedded("</script><!--&amp;\"ü\\").to_string();
        assert_eq!(text, r#""\u003c/script\u003e\u003c!--\u0026amp;\"ü\\""#);
        let back: String = serde_json::from_str(&text).expect("JSON");
        assert_eq!(back, "</script><!--&amp;\"ü\\");
    }
}
