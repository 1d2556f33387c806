//! The overview of a report: counts by rule and by account, the worst first. Findings are added one by one, so that
//! those of a large sweep need not be in memory.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::counts::Tally;
use crate::model::{AccountId, Finding, Scope, Severity, Verdict};

/// Counts of one rule.
#[derive(Debug)]
pub(super) struct OfRule {
    /// Severity of the rule, the worst if findings differ.
    pub(super) severity: Severity,
    /// Findings of the rule.
    pub(super) tally: Tally,
    /// Accounts in which the rule fails or is unknown, with both counts.
    pub(super) accounts: BTreeMap<AccountId, Open>,
}

/// Counts of open checks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Open {
    /// Checks that fail.
    pub(super) fail: u64,
    /// Checks that are unknown.
    pub(super) unknown: u64,
}

/// Counts of one account.
#[derive(Debug, Default)]
pub(super) struct OfAccount {
    /// Findings of the account.
    pub(super) tally: Tally,
    /// Regions of the account that were not read in full.
    pub(super) incomplete: u64,
}

/// Counts by rule and by account.
#[derive(Debug, Default)]
pub(super) struct Overview {
    rules: BTreeMap<String, OfRule>,
    accounts: BTreeMap<AccountId, OfAccount>,
}

impl Overview {
    /// Adds a finding.
    pub(super) fn add(&mut self, finding: &Finding) {
        let (verdict, severity) = (finding.verdict, finding.severity);
        let is_open = matches!(verdict, Verdict::Fail | Verdict::Unknown);
        let account = finding.resource.account.as_ref();
        if let Some(account) = account {
            self.account(account).tally.add(verdict, severity);
        }
        if !self.rules.contains_key(&finding.rule) {
            let rule = OfRule { severity, tally: Tally::default(), accounts: BTreeMap::new() };
            self.rules.insert(finding.rule.clone(), rule);
        }
        let Some(rule) = self.rules.get_mut(&finding.rule) else { return };
        rule.severity = rule.severity.max(severity);
        rule.tally.add(verdict, severity);
        if let Some(account) = account.filter(|_| is_open) {
            let open = rule.accounts.entry(account.clone()).or_default();
            *(if verdict == Verdict::Fail { &mut open.fail } else { &mut open.unknown }) += 1;
        }
    }

    /// Adds the coverage of a scope.
    pub(super) fn add_scope(&mut self, scope: &Scope) {
        if let Some(account) = &scope.account {
            self.account(account).incomplete += u64::from(!scope.complete || !scope.read);
        }
    }

    fn account(&mut self, account: &AccountId) -> &mut OfAccount {
        self.accounts.entry(account.clone()).or_default()
    }

    /// Returns the number of accounts.
    pub(super) fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// Returns the rules that fail or are unknown somewhere: the most severe first, among these the rules with most
    /// failures.
    pub(super) fn open_rules(&self) -> Vec<(&str, &OfRule)> {
        let mut rules: Vec<_> = self.rules.iter().map(|(id, rule)| (id.as_str(), rule)).collect();
        rules.retain(|(_, rule)| rule.tally.is_open());
        rules.sort_by_key(|(id, rule)| (Reverse(rule.severity), Reverse(rule.tally.badness()), *id));
        rules
    }

    /// Returns the accounts with failures, unknowns or unread scopes: the worst first.
    pub(super) fn worst_accounts(&self) -> Vec<(&AccountId, &OfAccount)> {
        let mut accounts: Vec<_> = self.accounts.iter().collect();
        accounts.retain(|(_, one)| one.tally.is_open() || one.incomplete > 0);
        accounts.sort_by_key(|(id, one)| (Reverse(one.tally.badness()), Reverse(one.incomplete), *id));
        accounts
    }
}
