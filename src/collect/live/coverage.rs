//! Successful and failed calls, by region.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{AccountId, Gap, Region, Scope, Source};

/// The coverage of an account while it is being read.
#[derive(Debug, Default)]
pub(crate) struct Coverage(BTreeMap<Option<Region>, Reading>);

#[derive(Debug, Default)]
struct Reading {
    answered: bool,
    gaps: BTreeSet<Gap>,
}

impl Coverage {
    /// Returns an empty coverage of these regions and of the account.
    pub(crate) fn of(regions: &BTreeSet<Region>) -> Self {
        let scopes = std::iter::once(None).chain(regions.iter().cloned().map(Some));
        Self(scopes.map(|scope| (scope, Reading::default())).collect())
    }

    /// Records a call that returned an answer.
    pub(crate) fn answered(&mut self, region: Option<&Region>) {
        self.reading(region).answered = true;
    }

    /// Records a call that returned no answer or a partial one.
    pub(crate) fn failed(&mut self, region: Option<&Region>, gap: &Gap) {
        let gaps = &mut self.reading(region).gaps;
        if !gaps.contains(gap) {
            gaps.insert(gap.clone());
        }
    }

    /// Returns the counters of a region. A call to a region that was not selected (for a key or a bucket
    /// elsewhere) counts for the account.
    fn reading(&mut self, region: Option<&Region>) -> &mut Reading {
        let scope = region.cloned().filter(|region| self.0.contains_key(&Some(region.clone())));
        self.0.entry(scope).or_default()
    }

    /// Returns the scopes of the report, the scope of the account first.
    pub(crate) fn scopes(self, account: &AccountId) -> Vec<Scope> {
        let scope = |(region, reading): (Option<Region>, Reading)| Scope {
            source: Source::Aws,
            account: Some(account.clone()),
            region,
            complete: reading.gaps.is_empty(),
            read: reading.answered || reading.gaps.is_empty(),
            gaps: reading.gaps.into_iter().collect(),
        };
        self.0.into_iter().map(scope).collect()
    }
}
