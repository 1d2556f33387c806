//! Findings by rule, as people read them: the worst rules first, and in each the failures before the unknowns.

use std::collections::BTreeMap;

use super::RuleInfo;
use crate::model::{Finding, Report, Severity, Verdict};

/// The findings of one rule.
pub(super) struct Group<'a> {
    /// Id of the rule.
    pub(super) rule: &'a str,
    /// Severity of the rule.
    pub(super) severity: Severity,
    /// Description of the rule; none if the report was made elsewhere.
    pub(super) info: Option<&'a RuleInfo>,
    /// Failed findings, in the order of the report.
    pub(super) failed: Vec<&'a Finding>,
    /// Unknown findings, in the order of the report.
    pub(super) unknown: Vec<&'a Finding>,
}

impl<'a> Group<'a> {
    /// Returns the failures, then the unknowns.
    pub(super) fn findings(&self) -> impl Iterator<Item = &'a Finding> + use<'a, '_> {
        self.failed.iter().chain(&self.unknown).copied()
    }

    /// `12 fail, 1 unknown`
    pub(super) fn count(&self) -> String {
        match (self.failed.len(), self.unknown.len()) {
            (failed, 0) => format!("{failed} fail"),
            (0, unknown) => format!("{unknown} unknown"),
            (failed, unknown) => format!("{failed} fail, {unknown} unknown"),
        }
    }

    /// Returns the message of every failed finding, if all have the same.
    pub(super) fn common_message(&self) -> Option<&'a str> {
        let first = self.failed.first()?.message.as_str();
        self.failed.iter().all(|finding| finding.message == first).then_some(first)
    }
}

/// Returns the rules that fail or are unknown somewhere: by severity, then by the numbers of failures and unknowns,
/// then by id. Findings that `lists` rejects are left out.
pub(super) fn open<'a>(report: &'a Report, rules: &'a [RuleInfo], lists: impl Fn(&Finding) -> bool) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<&str, Group<'a>> = BTreeMap::new();
    for finding in &report.findings {
        if !matches!(finding.verdict, Verdict::Fail | Verdict::Unknown) || !lists(finding) {
            continue;
        }
        let group = groups.entry(&finding.rule).or_insert_with(|| Group {
            rule: &finding.rule,
            severity: finding.severity,
            info: rules.iter().find(|rule| rule.id == finding.rule),
            failed: Vec::new(),
            unknown: Vec::new(),
        });
        match finding.verdict {
            Verdict::Fail => group.failed.push(finding),
            _ => group.unknown.push(finding),
        }
    }
    let mut groups: Vec<Group<'a>> = groups.into_values().collect();
    groups.sort_by(|one, other| {
        (other.severity.cmp(&one.severity))
            .then(other.failed.len().cmp(&one.failed.len()))
            .then(other.unknown.len().cmp(&one.unknown.len()))
            .then(one.rule.cmp(other.rule))
    });
    groups
}

/// Returns the findings of one verdict, in the order of the report.
pub(super) fn of_verdict(report: &Report, verdict: Verdict) -> Vec<&Finding> {
    report.findings.iter().filter(|finding| finding.verdict == verdict).collect()
}
