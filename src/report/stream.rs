//! Stream of findings, one account at a time, so that a writer has no more findings in memory than those of one
//! account.

use std::collections::BTreeMap;
use std::collections::btree_map::OccupiedEntry;
use std::io;

use crate::model::{AccountId, Finding, Report, Scope};

/// Receives all findings of one account, in the order of the report.
pub type Take<'a> = dyn FnMut(&[Finding]) -> io::Result<()> + 'a;

/// Passes on the findings of a report, by account. A writer may iterate over them more than once.
pub type Findings<'a> = dyn Fn(&mut Take<'_>) -> io::Result<()> + 'a;

/// Returns the findings that a report lists.
pub(super) fn listed(report: &Report) -> impl Fn(&mut Take<'_>) -> io::Result<()> + '_ {
    |take| {
        let same = |one: &Finding, other: &Finding| one.resource.account == other.resource.account;
        report.findings.chunk_by(same).try_for_each(take)
    }
}

/// Content of a report on one account.
pub(super) struct Part<'a> {
    pub(super) account: Option<&'a AccountId>,
    pub(super) scopes: &'a [&'a Scope],
    pub(super) findings: &'a [Finding],
}

/// Passes on each account with its scopes and findings, in their order; also accounts that have only one of both.
pub(super) fn each(
    report: &Report,
    findings: &Findings<'_>,
    mut take: impl FnMut(&Part<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let mut scopes: BTreeMap<Option<&AccountId>, Vec<&Scope>> = BTreeMap::new();
    for scope in &report.scopes {
        scopes.entry(scope.account.as_ref()).or_default().push(scope);
    }
    findings(&mut |findings| {
        let Some(first) = findings.first() else { return Ok(()) };
        let account = first.resource.account.as_ref();
        while let Some(entry) = scopes.first_entry().filter(|entry| *entry.key() < account) {
            let (account, scopes) = entry.remove_entry();
            take(&Part { account, scopes: &scopes, findings: &[] })?;
        }
        let of_account = scopes.first_entry().filter(|entry| *entry.key() == account);
        let scopes = of_account.map(OccupiedEntry::remove).unwrap_or_default();
        take(&Part { account, scopes: &scopes, findings })
    })?;
    scopes.iter().try_for_each(|(account, scopes)| take(&Part { account: *account, scopes, findings: &[] }))
}
