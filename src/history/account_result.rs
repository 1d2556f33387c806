//! A look at one account: compared with the one before it, and written at once or not at all.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::lifecycle::{Because, Before, Gone, Held, Now, Rules, Standed, Standing, compare};
use super::{History, HistoryError};
use crate::model::{AccountId, Finding, Region, Scope, Verdict};

/// What was seen of an account.
#[derive(Debug, Clone)]
pub struct Look<'a> {
    /// The sweep.
    pub sweep: i64,
    /// When the sweep began.
    pub time: &'a str,
    /// The account.
    pub account: Option<&'a AccountId>,
    /// What stands for the account, where it has no name of its own.
    pub subject: &'a str,
    /// What it is called.
    pub name: Option<&'a str>,
    /// The rules that were held.
    pub rules: &'a Rules,
    /// The oldest ids of the rules, by their ids.
    pub oldest: &'a BTreeMap<String, String>,
    /// What was covered.
    pub scopes: &'a [Scope],
    /// What was found.
    pub findings: &'a [Finding],
    /// How many rules hold on a resource without being among the findings.
    pub passes: u64,
    /// How many rules did not speak of a resource.
    pub not_applicable: u64,
}

impl History {
    /// Writes down a look, and what has changed since the one before. It need not be on the disk when this returns: a look
    /// that a power cut takes is one that was never made, and what is noted later is never there without it.
    ///
    /// # Errors
    /// Where it cannot be written. Then nothing of it is.
    pub fn record(&mut self, look: &Look<'_>) -> Result<(), HistoryError> {
        let wait_as = |history: &Self, wait: &str| history.connection.pragma_update(None, "synchronous", wait);
        let written = wait_as(self, "NORMAL").and_then(|()| self.write(look));
        written.and(wait_as(self, "FULL")).map_err(|error| self.failed(error))
    }

    fn write(&mut self, look: &Look<'_>) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        let (before, before_rules) = before(&transaction, look)?;
        let read: BTreeSet<Region> =
            look.scopes.iter().filter(|scope| scope.read).filter_map(|scope| scope.region.clone()).collect();
        let was_read = look.scopes.iter().any(|scope| scope.read);
        let known: BTreeSet<Region> = before.regions.union(&read).cloned().collect();
        transaction.execute(
            "INSERT INTO looks (sweep, account, subject, name, rules, regions, passes, not_applicable)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                look.sweep,
                look.account.map_or("", AccountId::as_str),
                look.subject,
                look.name,
                if was_read { Some(look.sweep) } else { before_rules },
                joined(&known),
                look.passes,
                look.not_applicable,
            ],
        )?;
        let id = transaction.last_insert_rowid();
        for scope in look.scopes {
            transaction.prepare_cached("INSERT INTO scopes VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
                id,
                scope.region.as_ref().map_or("", Region::as_str),
                json(scope)?,
                scope.read,
                scope.complete,
            ])?;
        }
        let Look { time, rules, oldest, scopes, findings, .. } = look.clone();
        let (found, gone) = compare(&before, Now { time, rules, oldest, scopes, findings });
        for standed in &found {
            insert_found(&transaction, id, look, standed, &read)?;
        }
        for gone in &gone {
            insert_gone(&transaction, id, gone)?;
        }
        transaction.commit()
    }
}

/// What the last look at the account left, and the sweep whose rules were held when it was last read. A sweep that never
/// came to its end told nobody what it saw: it does not count. Where the account is not known, what it is called leads to
/// what was seen of it.
fn before(connection: &Connection, look: &Look<'_>) -> rusqlite::Result<(Before, Option<i64>)> {
    let last = |column: &str, value: &str| {
        let sql = format!(
            "SELECT id, sweep, rules, regions FROM looks WHERE {column} = ?1 AND sweep < ?2
             AND sweep IN (SELECT id FROM sweeps WHERE state = 'finished') ORDER BY sweep DESC LIMIT 1"
        );
        let row = |row: &rusqlite::Row<'_>| {
            let (last, sweep): (i64, i64) = (row.get(0)?, row.get(1)?);
            Ok((sweep, (last, row.get::<_, Option<i64>>(2)?, row.get::<_, String>(3)?)))
        };
        connection.prepare_cached(&sql)?.query_row(params![value, look.sweep], row).optional()
    };
    let mut latest = last("subject", look.subject)?;
    if let (None, Some(name)) = (look.account, look.name) {
        latest = latest.into_iter().chain(last("name", name)?).max_by_key(|(sweep, _)| *sweep);
    }
    let Some((_, (last, sweep, regions))) = latest else { return Ok((Before::default(), None)) };
    let rules = match sweep {
        None => None,
        Some(sweep) => {
            let mut statement = connection.prepare_cached("SELECT rule, digest FROM rules WHERE sweep = ?1")?;
            let rules = statement.query_map([sweep], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Some(rules.collect::<rusqlite::Result<Rules>>()?)
        }
    };
    let mut statement = connection.prepare_cached(
        "SELECT fingerprint, oldest, type, region, standing, since, seen, regions, coalesce(known, body)
         FROM findings WHERE look = ?1 AND standing IN ('new', 'open', 'stale', 'waived')",
    )?;
    let open = statement.query_map([last], |row| {
        let held = Held {
            rule: row.get(1)?,
            resource_type: row.get(2)?,
            region: row.get::<_, String>(3)?.parse().ok(),
            waived: row.get::<_, String>(4)? == Standing::Waived.as_str(),
            since: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
            seen: row.get::<_, Option<String>>(6)?.unwrap_or_default(),
            regions: split(&row.get::<_, Option<String>>(7)?.unwrap_or_default()),
            body: row.get(8)?,
        };
        Ok((row.get(0)?, held))
    })?;
    let open = open.collect::<rusqlite::Result<BTreeMap<String, Held>>>()?;
    Ok((Before { rules, regions: split(&regions), open }, sweep))
}

const INSERT: &str = "INSERT INTO findings
    (look, region, type, resource, rule, fingerprint, oldest, verdict, severity, standing, because, since, seen, regions,
     body, known) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";

fn insert_found(
    connection: &Connection,
    id: i64,
    look: &Look<'_>,
    standed: &Standed<'_>,
    read: &BTreeSet<Region>,
) -> rusqlite::Result<()> {
    let Standed { finding, standing, because, held } = *standed;
    let resource = &finding.resource;
    // What fails, or is accepted, is seen now; what is only known from before was seen then.
    let is_seen = matches!(finding.verdict, Verdict::Fail | Verdict::Waived);
    let carried = held.filter(|_| matches!(standing, Standing::Stale | Standing::Fixed));
    let since = match held {
        Some(held) if is_seen || carried.is_some() => Some(held.since.as_str()),
        _ => is_seen.then_some(look.time),
    };
    let seen = carried.map_or_else(|| is_seen.then_some(look.time), |held| Some(held.seen.as_str()));
    let regions = match carried {
        Some(held) => Some(joined(&held.regions)),
        None => (is_seen && !resource.resource_type.is_regional()).then(|| match held {
            // Until it is fixed it stays a matter of all regions that it was ever seen over.
            Some(held) => joined(&held.regions.union(read).cloned().collect()),
            None => joined(read),
        }),
    };
    connection.prepare_cached(INSERT)?.execute(params![
        id,
        resource.region.as_ref().map_or("", Region::as_str),
        resource.resource_type.as_str(),
        resource.id,
        finding.rule,
        finding.fingerprint,
        look.oldest.get(&finding.rule).unwrap_or(&finding.rule),
        finding.verdict.as_str(),
        finding.severity as i64,
        standing.as_str(),
        because.map(Because::as_str),
        since,
        seen,
        regions.filter(|regions| !regions.is_empty()),
        body(connection, &json(finding)?)?,
        carried.map(|held| held.body),
    ])?;
    Ok(())
}

/// What was open before stands in the look as it was seen last.
fn insert_gone(connection: &Connection, id: i64, gone: &Gone<'_>) -> rusqlite::Result<()> {
    let held = gone.held;
    let text: String =
        connection.prepare_cached("SELECT text FROM bodies WHERE id = ?1")?.query_row([held.body], |row| row.get(0))?;
    let finding: Finding = serde_json::from_str(&text).map_err(unreadable)?;
    connection.prepare_cached(INSERT)?.execute(params![
        id,
        finding.resource.region.as_ref().map_or("", Region::as_str),
        finding.resource.resource_type.as_str(),
        finding.resource.id,
        finding.rule,
        gone.fingerprint,
        held.rule,
        None::<String>,
        finding.severity as i64,
        gone.standing.as_str(),
        gone.because.as_str(),
        held.since,
        held.seen,
        Some(joined(&held.regions)).filter(|regions| !regions.is_empty()),
        held.body,
        None::<i64>,
    ])?;
    Ok(())
}

/// The number of what a finding, or a rule, says.
pub(super) fn body(connection: &Connection, text: &str) -> rusqlite::Result<i64> {
    let digest = Sha256::digest(text);
    let known = connection
        .prepare_cached("SELECT id FROM bodies WHERE digest = ?1")?
        .query_row([digest.as_slice()], |row| row.get(0))
        .optional()?;
    if let Some(known) = known {
        return Ok(known);
    }
    connection
        .prepare_cached("INSERT INTO bodies (digest, text) VALUES (?1, ?2)")?
        .execute(params![digest.as_slice(), text])?;
    Ok(connection.last_insert_rowid())
}

pub(super) fn json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

pub(super) fn unreadable(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
}

fn joined(regions: &BTreeSet<Region>) -> String {
    regions.iter().map(Region::as_str).collect::<Vec<_>>().join(",")
}

fn split(text: &str) -> BTreeSet<Region> {
    text.split(',').filter_map(|region| region.parse().ok()).collect()
}
