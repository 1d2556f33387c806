//! Counts of findings by verdict and severity: in total, by account, by rule and by control. Counts made earlier
//! (passes that are not listed) are in the report's summary.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{ControlInfo, RuleInfo, phrasing};
use crate::model::{AccountId, Finding, Report, Severity, Verdict};

/// All severities, the worst first.
pub(super) const SEVERITIES: [Severity; 5] =
    [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info];

/// Counts of findings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// By verdict, then by severity from the worst.
    counts: [[u64; SEVERITIES.len()]; 4],
}

impl Tally {
    /// Adds a finding.
    pub(super) fn add(&mut self, verdict: Verdict, severity: Severity) {
        self.counts[row(verdict)][column(severity)] += 1;
    }

    /// Returns the number of findings of that verdict and severity.
    pub(super) fn count(&self, verdict: Verdict, severity: Severity) -> u64 {
        self.counts[row(verdict)][column(severity)]
    }

    /// Returns the number of findings of that verdict.
    pub(super) fn of(&self, verdict: Verdict) -> u64 {
        self.counts[row(verdict)].iter().sum()
    }

    fn and(mut self, other: &Self) -> Self {
        for (count, more) in self.counts.iter_mut().flatten().zip(other.counts.iter().flatten()) {
            *count += more;
        }
        self
    }

    /// Returns `true` if there is a failure or an unknown.
    pub(super) fn is_open(&self) -> bool {
        self.of(Verdict::Fail) + self.of(Verdict::Unknown) > 0
    }

    /// Returns a key that sorts the worse tally later: more failures of the worst severity, then more unknowns.
    pub(super) fn badness(&self) -> ([u64; SEVERITIES.len()], [u64; SEVERITIES.len()]) {
        (self.counts[row(Verdict::Fail)], self.counts[row(Verdict::Unknown)])
    }
}

fn row(verdict: Verdict) -> usize {
    match verdict {
        Verdict::Fail => 0,
        Verdict::Unknown => 1,
        Verdict::Waived => 2,
        Verdict::Pass => 3,
    }
}

fn column(severity: Severity) -> usize {
    match severity {
        Severity::Critical => 0,
        Severity::High => 1,
        Severity::Medium => 2,
        Severity::Low => 3,
        Severity::Info => 4,
    }
}

/// Counts of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OfAccount<'a> {
    /// The account.
    pub(super) account: &'a AccountId,
    /// Findings of the account.
    pub(super) tally: Tally,
    /// Number of regions of the account that were not read in full.
    pub(super) incomplete: u64,
}

/// Counts of one control of a framework.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OfControl<'a> {
    /// The control.
    pub(super) control: &'a ControlInfo,
    /// Findings of the rules that cover the control.
    pub(super) tally: Tally,
}

/// All counts.
#[derive(Debug, Default)]
pub(super) struct Tallies<'a> {
    /// Listed findings.
    pub(super) all: Tally,
    rules: BTreeMap<&'a str, (Option<Severity>, Tally)>,
    accounts: BTreeMap<&'a AccountId, (Tally, u64)>,
}

impl<'a> Tallies<'a> {
    /// Counts the findings that the report lists.
    pub(super) fn of(report: &'a Report) -> Self {
        let mut tallies = Self::default();
        for scope in phrasing::incomplete(report) {
            if let Some(account) = &scope.account {
                tallies.accounts.entry(account).or_default().1 += 1;
            }
        }
        for finding in &report.findings {
            tallies.add(finding);
        }
        tallies
    }

    fn add(&mut self, finding: &'a Finding) {
        let (verdict, severity) = (finding.verdict, finding.severity);
        self.all.add(verdict, severity);
        let (worst, tally) = self.rules.entry(&finding.rule).or_default();
        *worst = (*worst).max(Some(severity));
        tally.add(verdict, severity);
        if let Some(account) = &finding.resource.account {
            self.accounts.entry(account).or_default().0.add(verdict, severity);
        }
    }

    /// Returns the findings of a rule.
    pub(super) fn rule(&self, id: &str) -> Tally {
        self.rules.get(id).map(|(_, tally)| *tally).unwrap_or_default()
    }

    /// Returns the rules that fail or are unknown somewhere: the most severe first, among these the rules with most
    /// failures.
    pub(super) fn open_rules(&self) -> Vec<(&'a str, Severity, Tally)> {
        let open = self.rules.iter().filter(|(_, (_, tally))| tally.is_open());
        let mut rules: Vec<_> =
            open.map(|(id, (severity, tally))| (*id, severity.unwrap_or(Severity::Info), *tally)).collect();
        rules.sort_by_key(|(id, severity, tally)| (Reverse(*severity), Reverse(tally.badness()), *id));
        rules
    }

    /// Returns the accounts with failures, unknowns or unread scopes, the worst first.
    pub(super) fn worst_accounts(&self) -> Vec<OfAccount<'a>> {
        let accounts = self.accounts.iter().map(|(account, (tally, incomplete))| OfAccount {
            account,
            tally: *tally,
            incomplete: *incomplete,
        });
        let mut worst: Vec<_> = accounts.filter(|one| one.tally.is_open() || one.incomplete > 0).collect();
        worst.sort_by_key(|one| (Reverse(one.tally.badness()), Reverse(one.incomplete), one.account));
        worst
    }

    /// Returns the controls that rules of this scan cover, by framework and id.
    pub(super) fn controls(&self, rules: &'a [RuleInfo]) -> Vec<OfControl<'a>> {
        let mut controls: Vec<OfControl<'a>> = Vec::new();
        for rule in rules {
            let tally = self.rule(&rule.id);
            for control in &rule.controls {
                match controls.iter_mut().find(|one| one.control == control) {
                    Some(one) => one.tally = one.tally.and(&tally),
                    None => controls.push(OfControl { control, tally }),
                }
            }
        }
        controls.sort_by(|one, other| one.control.cmp(other.control));
        controls
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn accounts_are_worst_first_and_one_that_was_not_read_is_among_them() {
        let report = example::report();
        let tallies = Tallies::of(&report);
        let worst = tallies.worst_accounts();
        let shown: Vec<_> = worst
            .iter()
            .map(|one| {
                (one.account.as_str(), one.tally.of(Verdict::Fail), one.tally.of(Verdict::Unknown), one.incomplete)
            })
            .collect();
        assert_eq!(shown, [("123456789012", 14, 1, 1), ("210987654321", 1, 1, 2)]);
        assert!(Tallies::of(&example::calm()).worst_accounts().is_empty());
    }

    #[test]
    fn rules_are_worst_first() {
        let report = example::report();
        let rules: Vec<&str> = Tallies::of(&report).open_rules().iter().map(|(id, _, _)| *id).collect();
        assert_eq!(
            rules,
            [
                "ec2-imdsv2-required",
                "sg-egress-https-only",
                "iam-role-ssm-core",
                "logs-retention-set",
                "kms-rotation-enabled"
            ]
        );
    }

    #[test]
    fn a_control_counts_what_its_rules_found() {
        let report = example::report();
        let rules = example::rules();
        let tallies = Tallies::of(&report);
        let controls = tallies.controls(&rules);
        let shown: Vec<_> = controls
            .iter()
            .map(|one| (one.control.id.as_str(), one.tally.of(Verdict::Fail), one.tally.of(Verdict::Pass)))
            .collect();
        assert_eq!(shown, [("EC2.8", 12, 1), ("KMS.4", 1, 0)]);
    }
}
