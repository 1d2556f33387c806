//! Denied calls: one call that the caller may not make leaves many checks unknown. People read that once, with the
//! remedy; formats for machines keep each finding.

use std::collections::{BTreeMap, BTreeSet};

use super::phrasing;
use crate::model::call::ALL;
use crate::model::{Finding, Gap, GapKind, Report, Verdict};

/// A call that was denied, and what is unknown because of it.
#[derive(Debug, Default)]
pub(super) struct Denied<'a> {
    call: &'a str,
    code: Option<&'a str>,
    /// Where it was denied.
    places: BTreeSet<String>,
    /// How many checks are unknown for no other reason.
    checks: usize,
    rules: BTreeSet<&'a str>,
}

/// How many accounts and regions are named, before the rest is counted.
const NAMED: usize = 3;

/// The calls that were denied, by name.
pub(super) fn calls(report: &Report) -> Vec<Denied<'_>> {
    let mut calls: BTreeMap<(&str, Option<&str>), Denied<'_>> = BTreeMap::new();
    for scope in &report.scopes {
        for gap in scope.gaps.iter().filter(|gap| is_denied(gap)) {
            entry(&mut calls, gap).places.insert(phrasing::scope(scope));
        }
    }
    for finding in report.findings.iter().filter(|finding| is_only_denied(finding)) {
        for gap in &finding.gaps {
            let one = entry(&mut calls, gap);
            one.places.insert(place(finding));
            one.checks += 1;
            one.rules.insert(&finding.rule);
        }
    }
    calls.into_values().collect()
}

/// Returns `true` for a finding that is unknown for no other reason than denied calls.
pub(super) fn is_only_denied(finding: &Finding) -> bool {
    finding.verdict == Verdict::Unknown && !finding.gaps.is_empty() && finding.gaps.iter().all(is_denied)
}

/// Returns `true` for the gap of a denied call.
pub(super) fn is_denied(gap: &Gap) -> bool {
    gap.kind == GapKind::Denied && gap.call.is_some()
}

fn entry<'a, 'm>(calls: &'m mut BTreeMap<(&'a str, Option<&'a str>), Denied<'a>>, gap: &'a Gap) -> &'m mut Denied<'a> {
    let (call, code) = (gap.call.as_deref().unwrap_or_default(), gap.code.as_deref());
    calls.entry((call, code)).or_insert_with(|| Denied { call, code, ..Denied::default() })
}

fn place(finding: &Finding) -> String {
    let resource = &finding.resource;
    let account = resource.account.as_ref().map(ToString::to_string).unwrap_or_default();
    let region = resource.region.as_ref().map_or("global", |region| region.as_str());
    format!("{account} {region}").trim_start().to_owned()
}

impl Denied<'_> {
    /// What was denied where, what is unknown for it, and what to do.
    pub(super) fn message(&self, report: &Report) -> String {
        let code = self.code.map(|code| format!(" ({code})")).unwrap_or_default();
        let more = self.places.len().saturating_sub(NAMED);
        let mut places: Vec<String> = self.places.iter().take(NAMED).cloned().collect();
        if more > 0 {
            places.push(format!("{more} more"));
        }
        let unknown = match (self.checks, self.rules.len()) {
            (0, _) => "what depends on it is unknown".to_owned(),
            (1, _) => "1 check is unknown".to_owned(),
            (checks, 1) => format!("{checks} checks of 1 rule are unknown"),
            (checks, rules) => format!("{checks} checks of {rules} rules are unknown"),
        };
        format!("{}{code} in {}: {unknown}; {}", self.call, places.join(", "), remedy(self.call, &report.policy))
    }
}

/// Which action to allow, and the command that prints the policy.
pub(super) fn remedy(call: &str, policy: &str) -> String {
    let known = ALL.iter().find(|known| known.to_string() == call);
    let actions = known.map_or_else(|| call.to_owned(), |known| known.actions.join(", "));
    // What a scan does not call itself is called to reach accounts.
    let task = if known.is_some() { "scan" } else { "sweep" };
    let policy = if policy == "guide" { String::new() } else { format!(" --policy {policy}") };
    let own = match call.split_once(':').map(|(service, _)| service) {
        Some("kms") => ", and in the policies of the keys,",
        Some("s3") => ", and in the policies of the buckets,",
        _ => "",
    };
    format!("allow {actions}{own} to the caller: `ssm-audit iam-policy --for {task}{policy}` prints the policy")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    fn report() -> Report {
        let mut report = example::calm();
        let unknown = Finding {
            verdict: Verdict::Unknown,
            gaps: vec![Gap::of_call(GapKind::Denied, "s3:HeadBucket").with_code("403")],
            ..report.findings[0].clone()
        };
        report.findings =
            (0..20).map(|number| Finding { rule: format!("rule-{}", number % 4), ..unknown.clone() }).collect();
        report
    }

    #[test]
    fn twenty_unknowns_of_one_call_are_one_message_with_the_remedy() {
        let report = report();
        let calls = calls(&report);
        let said: Vec<String> = calls.iter().map(|one| one.message(&report)).collect();
        assert_eq!(
            said,
            [
                "s3:HeadBucket (403) in 123456789012 us-east-1: 20 checks of 4 rules are unknown; allow s3:ListBucket, and in \
              the policies of the buckets, to the caller: `ssm-audit iam-policy --for scan` prints the policy"
            ]
        );
    }

    #[test]
    fn what_has_another_reason_too_is_listed_as_before() {
        let mut report = report();
        report.findings[0].gaps.push(Gap::of_call(GapKind::Timeout, "ec2:DescribeVolumes"));
        report.findings[1].gaps.clear();
        assert!(!is_only_denied(&report.findings[0]) && !is_only_denied(&report.findings[1]));
        assert!(calls(&report)[0].message(&report).contains("18 checks of 4 rules"));
    }

    #[test]
    fn a_call_that_reaches_accounts_and_another_policy_are_told_apart() {
        assert!(
            remedy("sts:AssumeRole", "guide")
                .starts_with("allow sts:AssumeRole to the caller: `ssm-audit iam-policy --for sweep`")
        );
        assert!(remedy("ec2:DescribeVolumes", "hardened").contains("--for scan --policy hardened`"));
    }
}
