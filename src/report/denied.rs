//! Denied permissions: one permission that the caller lacks leaves many checks unknown. Reports for people list each
//! denied permission once, with the remedy; formats for machines keep each finding.

use std::collections::{BTreeMap, BTreeSet};

use super::next::Commands;
use super::phrasing;
use crate::model::call::{ALL, Call};
use crate::model::schema::Attribute;
use crate::model::{Finding, Gap, GapKind, Report, ResourceType, Verdict};

/// A permission that was denied, and the checks that are unknown because of it.
#[derive(Debug, Default)]
pub(super) struct Denied<'a> {
    /// The calls that need it.
    calls: BTreeSet<&'a str>,
    codes: BTreeSet<&'a str>,
    /// Accounts and regions in which the permission was denied.
    places: BTreeSet<String>,
    /// Number of checks that are unknown for no other reason.
    checks: usize,
    rules: BTreeSet<&'a str>,
}

/// Number of accounts and regions, rules and attributes that are named, before the rest is counted.
const NAMED: usize = 3;

/// Returns the permissions that were denied, by their actions.
pub(super) fn permissions(report: &Report) -> Vec<Denied<'_>> {
    let mut denied: BTreeMap<String, Denied<'_>> = BTreeMap::new();
    for scope in &report.scopes {
        for gap in scope.gaps.iter().filter(|gap| is_denied(gap)) {
            entry(&mut denied, gap).places.insert(phrasing::scope(scope));
        }
    }
    for finding in report.findings.iter().filter(|finding| is_only_denied(finding)) {
        let mut counted = BTreeSet::new();
        for gap in &finding.gaps {
            let is_first = counted.insert(actions(gap.call.as_deref().unwrap_or_default()));
            let one = entry(&mut denied, gap);
            one.places.insert(place(finding));
            one.checks += usize::from(is_first);
            one.rules.insert(&finding.rule);
        }
    }
    denied.into_values().collect()
}

/// Returns `true` for a finding for which denied calls are the only reason to be unknown.
pub(super) fn is_only_denied(finding: &Finding) -> bool {
    finding.verdict == Verdict::Unknown && !finding.gaps.is_empty() && finding.gaps.iter().all(is_denied)
}

/// Returns `true` for the gap of a denied call.
pub(super) fn is_denied(gap: &Gap) -> bool {
    gap.kind == GapKind::Denied && gap.call.is_some()
}

/// Returns the task whose policy has the first permission that was denied.
pub(super) fn task(report: &Report) -> Option<&'static str> {
    let of_scopes = report.scopes.iter().flat_map(|scope| &scope.gaps);
    let of_findings = report.findings.iter().filter(|finding| is_only_denied(finding)).flat_map(|one| &one.gaps);
    let gap = of_scopes.chain(of_findings).find(|gap| is_denied(gap))?;
    gap.call.as_deref().map(task_of)
}

fn entry<'a, 'm>(denied: &'m mut BTreeMap<String, Denied<'a>>, gap: &'a Gap) -> &'m mut Denied<'a> {
    let call = gap.call.as_deref().unwrap_or_default();
    let one = denied.entry(actions(call)).or_default();
    one.calls.insert(call);
    one.codes.extend(gap.code.as_deref());
    one
}

fn place(finding: &Finding) -> String {
    let resource = &finding.resource;
    let account = resource.account.as_ref().map(ToString::to_string).unwrap_or_default();
    let region = resource.region.as_ref().map_or("global", |region| region.as_str());
    format!("{account} {region}").trim_start().to_owned()
}

impl Denied<'_> {
    /// Returns a sentence with the denied permission, its accounts and regions, the attributes that could not be read,
    /// the rules that wait for it, and the remedy.
    pub(super) fn message(&self, report: &Report) -> String {
        let not_read = self.not_read().map(|what| format!("{what} could not be read; ")).unwrap_or_default();
        let remedy =
            self.calls.first().map_or_else(String::new, |call| remedy(call, &report.policy, &Commands::default()));
        format!("{} in {}: {not_read}{}; {remedy}", self.name(), self.places(), self.waiting())
    }

    /// Returns the call, with the service's error code: `ec2:DescribeVolumes (UnauthorizedOperation)`
    pub(super) fn name(&self) -> String {
        let join = |texts: &BTreeSet<&str>| texts.iter().copied().collect::<Vec<_>>().join(", ");
        let codes = if self.codes.is_empty() { String::new() } else { format!(" ({})", join(&self.codes)) };
        format!("{}{codes}", join(&self.calls))
    }

    /// Returns the accounts and regions.
    pub(super) fn places(&self) -> String {
        named(self.places.iter().map(String::as_str))
    }

    /// Returns the attributes that could not be read; none if a call only leads to accounts. Attributes derived from
    /// several resources are left out beside those of resources, and attributes composed of several calls beside those
    /// of one call.
    pub(super) fn not_read(&self) -> Option<String> {
        let calls: Vec<&Call> = self.calls.iter().filter_map(|name| known(name)).collect();
        let alone = |attribute: &Attribute| attribute.calls.iter().all(|call| calls.contains(&call));
        let in_part = |attribute: &Attribute| attribute.calls.iter().any(|call| calls.contains(&call));
        let all = || ResourceType::ALL.iter().copied();
        let resources: Vec<String> = all()
            .filter(|resource_type| calls.contains(&resource_type.found_by()))
            .map(|resource_type| format!("{resource_type} resources"))
            .collect();
        let kinds: [Vec<String>; 3] = [
            resources,
            all().filter_map(|resource_type| attributes_of(resource_type, alone)).collect(),
            all().filter_map(|resource_type| attributes_of(resource_type, in_part)).collect(),
        ];
        kinds.into_iter().find(|said| !said.is_empty()).map(|said| said.join(", "))
    }

    /// Returns the number of unknown checks, and their rules.
    pub(super) fn waiting(&self) -> String {
        let rules = named(self.rules.iter().copied());
        match (self.checks, self.rules.len()) {
            (0, _) => "checks that depend on it are unknown".to_owned(),
            (1, _) => format!("1 check is unknown ({rules})"),
            (checks, 1) => format!("{checks} checks of 1 rule are unknown ({rules})"),
            (checks, count) => format!("{checks} checks of {count} rules are unknown ({rules})"),
        }
    }

    /// Returns the action to allow, and the policies of resources that must allow it besides the caller's.
    pub(super) fn action(&self) -> String {
        self.calls.first().map_or_else(String::new, |call| {
            let own = own_policies(call).map(|own| format!(" (also in {own})")).unwrap_or_default();
            format!("{}{own}", actions(call))
        })
    }

    /// Returns the command that prints the policy.
    pub(super) fn policy(&self, report: &Report, commands: &Commands) -> String {
        commands.policy(self.calls.first().map_or("scan", |call| task_of(call)), &report.policy)
    }
}

/// Returns the first names, and the number of the others.
fn named<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.collect();
    match names.len().saturating_sub(NAMED) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names[..NAMED].join(", ")),
    }
}

/// Returns the chosen attributes of a type.
fn attributes_of(resource_type: ResourceType, chosen: impl Fn(&Attribute) -> bool) -> Option<String> {
    let attributes = resource_type.structure().attributes.iter();
    let unread = attributes.filter(|attribute| !attribute.calls.is_empty() && chosen(attribute));
    let names = named(unread.map(|attribute| attribute.name));
    (!names.is_empty()).then(|| format!("{names} of {resource_type}"))
}

fn known(call: &str) -> Option<&'static Call> {
    ALL.iter().find(|known| known.to_string() == call)
}

/// Returns the actions that a call needs.
fn actions(call: &str) -> String {
    known(call).map_or_else(|| call.to_owned(), |known| known.actions.join(", "))
}

/// Returns the task whose policy allows a call. A call that a scan does not make itself serves to reach accounts.
fn task_of(call: &str) -> &'static str {
    if known(call).is_some() { "scan" } else { "sweep" }
}

/// Returns the policies of resources that must allow a call, too.
fn own_policies(call: &str) -> Option<&'static str> {
    match call.split_once(':')?.0 {
        "kms" => Some("the policies of the keys"),
        "s3" => Some("the policies of the buckets"),
        _ => None,
    }
}

/// Returns the action to allow, and the command that prints the policy.
pub(super) fn remedy(call: &str, policy: &str, commands: &Commands) -> String {
    let own = own_policies(call).map(|own| format!(", and in {own},")).unwrap_or_default();
    let command = commands.policy(task_of(call), policy);
    format!("allow {}{own} to the caller: `{command}` prints the policy", actions(call))
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
        let denied = permissions(&report);
        let said: Vec<String> = denied.iter().map(|one| one.message(&report)).collect();
        assert_eq!(
            said,
            ["s3:HeadBucket (403) in 123456789012 us-east-1: AWS::S3::Bucket resources could not be read; 20 checks \
              of 4 rules are unknown (rule-0, rule-1, rule-2 and 1 more); allow s3:ListBucket, and in the policies of the \
              buckets, to the caller: `ssm-audit iam-policy --for scan` prints the policy"]
        );
    }

    #[test]
    fn what_has_another_reason_too_is_listed_as_before() {
        let mut report = report();
        report.findings[0].gaps.push(Gap::of_call(GapKind::Timeout, "ec2:DescribeVolumes"));
        report.findings[1].gaps.clear();
        assert!(!is_only_denied(&report.findings[0]) && !is_only_denied(&report.findings[1]));
        assert!(permissions(&report)[0].message(&report).contains("18 checks of 4 rules"));
    }

    #[test]
    fn a_call_that_reaches_accounts_and_another_policy_are_told_apart() {
        assert!(
            remedy("sts:AssumeRole", "guide", &Commands::default())
                .starts_with("allow sts:AssumeRole to the caller: `ssm-audit iam-policy --for sweep`")
        );
        assert!(
            remedy("ec2:DescribeVolumes", "hardened", &Commands::default()).contains("--for scan --policy hardened`")
        );
    }
}
