//! The accounts of an organisation, as AWS Organizations lists them to its management account and to delegated
//! administrators: all, or those below organisational units, or those with tags.
//! <https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html>

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use aws_sdk_organizations::Client;
use aws_sdk_organizations::types::Account;
use futures::stream::{self, StreamExt, TryStreamExt};

use super::choice::{Part, UnitId};
use crate::aws::{Connection, ConnectionError};
use crate::model::{AccountId, Gap};

/// How many calls run at once: Organizations answers few.
const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(4).expect("4 is not zero");

/// The state of an account that can be used.
const ACTIVE: &str = "ACTIVE";

/// An account of the organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) account: AccountId,
    pub(super) name: Option<String>,
    /// Why it cannot be used, e.g. `SUSPENDED`.
    pub(super) closed: Option<String>,
    /// Why it is not known whether it belongs to the part that was asked for.
    pub(super) doubt: Option<Gap>,
}

/// The accounts of this part of the organisation, by id.
pub(super) async fn members(connection: &Connection, part: &Part) -> Result<Vec<Member>, ConnectionError> {
    let client = connection.organizations();
    let mut accounts: BTreeMap<AccountId, Member> = BTreeMap::new();
    let listed = if part.units.is_empty() {
        all(connection, &client).await?
    } else {
        below(connection, &client, &part.units).await?
    };
    for account in listed {
        let member = member(account)?;
        accounts.insert(member.account.clone(), member);
    }
    if part.tags.is_empty() {
        return Ok(accounts.into_values().collect());
    }
    let tagged = stream::iter(accounts.into_values())
        .map(|member| with_tags(connection, &client, member, &part.tags))
        .buffered(CONCURRENCY.get());
    Ok(tagged.filter_map(std::future::ready).collect().await)
}

async fn all(connection: &Connection, client: &Client) -> Result<Vec<Account>, ConnectionError> {
    const CALL: &str = "organizations:ListAccounts";
    let pages: Result<Vec<_>, _> = client.list_accounts().into_paginator().send().collect().await;
    let pages = pages.map_err(|error| connection.failed(CALL, &error))?;
    joined(CALL, pages.into_iter().map(|page| page.accounts))
}

/// What the pages of an answer list; AWS sends an empty list, and never none.
fn joined<T>(call: &'static str, pages: impl Iterator<Item = Option<Vec<T>>>) -> Result<Vec<T>, ConnectionError> {
    let lists: Option<Vec<Vec<T>>> = pages.collect();
    lists.map(|lists| lists.into_iter().flatten().collect()).ok_or_else(|| lacks(call, "its list"))
}

/// The accounts in these units, and in the units below them.
async fn below(
    connection: &Connection,
    client: &Client,
    units: &BTreeSet<UnitId>,
) -> Result<Vec<Account>, ConnectionError> {
    let mut seen: BTreeSet<String> = units.iter().map(|unit| unit.as_str().to_owned()).collect();
    let mut open: Vec<String> = seen.iter().cloned().collect();
    let mut accounts = Vec::new();
    while !open.is_empty() {
        let level = stream::iter(std::mem::take(&mut open))
            .map(|parent| children(connection, client, parent))
            .buffered(CONCURRENCY.get());
        for (mut own, units) in level.try_collect::<Vec<_>>().await? {
            accounts.append(&mut own);
            open.extend(units.into_iter().filter(|unit| seen.insert(unit.clone())));
        }
    }
    Ok(accounts)
}

/// The accounts and the units right below this one.
async fn children(
    connection: &Connection,
    client: &Client,
    parent: String,
) -> Result<(Vec<Account>, Vec<String>), ConnectionError> {
    const ACCOUNTS: &str = "organizations:ListAccountsForParent";
    const UNITS: &str = "organizations:ListOrganizationalUnitsForParent";
    let request = client.list_accounts_for_parent().parent_id(&parent);
    let pages: Result<Vec<_>, _> = request.into_paginator().send().collect().await;
    let pages = pages.map_err(|error| connection.failed(ACCOUNTS, &error))?;
    let accounts = joined(ACCOUNTS, pages.into_iter().map(|page| page.accounts))?;
    let request = client.list_organizational_units_for_parent().parent_id(&parent);
    let pages: Result<Vec<_>, _> = request.into_paginator().send().collect().await;
    let pages = pages.map_err(|error| connection.failed(UNITS, &error))?;
    let units = joined(UNITS, pages.into_iter().map(|page| page.organizational_units))?;
    let ids: Option<Vec<String>> = units.into_iter().map(|unit| unit.id).collect();
    let ids = ids.ok_or_else(|| lacks(UNITS, "the id of a unit"))?;
    Ok((accounts, ids))
}

/// The account, if it has these tags, or if nobody knows.
async fn with_tags(
    connection: &Connection,
    client: &Client,
    member: Member,
    wanted: &BTreeMap<String, String>,
) -> Option<Member> {
    // An account that cannot be used is named, and its tags do not matter.
    if member.closed.is_some() {
        return Some(member);
    }
    let pages = client.list_tags_for_resource().resource_id(member.account.as_str()).into_paginator().items().send();
    let tags: Result<Vec<_>, _> = pages.collect().await;
    match tags {
        Ok(tags) => {
            let has =
                |(key, value): (&String, &String)| tags.iter().any(|tag| tag.key() == key && tag.value() == value);
            wanted.iter().all(has).then_some(member)
        }
        Err(error) => {
            let gap = connection.failed("organizations:ListTagsForResource", &error).gap();
            Some(Member { doubt: Some(gap), ..member })
        }
    }
}

fn member(account: Account) -> Result<Member, ConnectionError> {
    let id = account.id.as_deref().and_then(|id| id.parse().ok());
    let id = id.ok_or_else(|| lacks("organizations:ListAccounts", "the id of an account"))?;
    // `Status` is the older word; where AWS says neither, the account itself will tell.
    let state = account.state.map(|state| state.as_str().to_owned());
    let state = state.or_else(|| account.status.map(|status| status.as_str().to_owned()));
    Ok(Member { account: id, name: account.name, closed: state.filter(|state| state != ACTIVE), doubt: None })
}

fn lacks(call: &'static str, what: &str) -> ConnectionError {
    ConnectionError::Unexpected { call, reason: format!("the answer lacks {what}") }
}

#[cfg(test)]
mod tests {
    use aws_sdk_organizations::types::{AccountState, AccountStatus};

    use super::*;

    #[test]
    fn an_account_that_is_not_active_is_told_by_either_word() {
        let account = || Account::builder().id("111111111111");
        let closed = |account: Account| member(account).expect("a member").closed;
        assert_eq!(closed(account().state(AccountState::Active).build()), None);
        assert_eq!(closed(account().status(AccountStatus::Suspended).build()).as_deref(), Some("SUSPENDED"));
        let both = account().state(AccountState::PendingClosure).build();
        assert_eq!(closed(both).as_deref(), Some("PENDING_CLOSURE"));
        assert_eq!(closed(account().build()), None);
        assert!(member(Account::builder().build()).is_err());
    }
}
