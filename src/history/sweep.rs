//! Sweeps: begun, taken up again, ended, and listed.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::account_result::{body, json, unreadable};
use super::lifecycle::{Because, Rules, Standing};
use super::{History, HistoryError};
use crate::model::RuleInfo;
use crate::model::{Provenance, Severity};

/// What a sweep is about. One that was cut off is only taken up with the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The policy.
    pub policy: String,
    /// `sha256:` and the digest of all rules.
    pub rules_digest: String,
    /// The rules.
    pub rules: Rules,
    /// What writers of reports say of them.
    pub information: Vec<RuleInfo>,
    /// Which accounts and regions were asked for, and how they are reached.
    pub choice: String,
    /// Which accounts were asked for, apart from everything else.
    #[serde(default)]
    pub accounts: String,
    /// A digest of the waivers.
    pub waivers: String,
    /// Whether what passes is listed.
    pub include_pass: bool,
    /// Which configuration, rules, flags and waivers are used. A sweep may be taken up with another one that says the same.
    #[serde(default)]
    pub provenance: Provenance,
}

/// A sweep that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Its number.
    pub sweep: i64,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// The accounts (or what stands for one) that it has looked at already.
    pub done: BTreeSet<String>,
}

/// A sweep in the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sweep {
    /// Its number.
    pub id: i64,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// When it ended; none if it has not.
    pub finished_at: Option<String>,
    /// `running` (or cut off), `finished` or `abandoned`.
    pub state: String,
    /// The policy.
    pub policy: String,
    /// `sha256:` and the digest of all rules.
    pub rules_digest: String,
    /// The version of the tool that made it.
    pub tool_version: String,
    /// Accounts that cannot be used, in words.
    pub left_out: Vec<String>,
    /// What it came to.
    #[serde(flatten)]
    pub totals: Totals,
}

/// What a sweep came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Accounts that were looked at, or tried.
    pub accounts: u64,
    /// Accounts with their regions.
    pub scopes: u64,
    /// Scopes of which nothing was read.
    pub unread: u64,
    /// Scopes that were not read in full.
    pub incomplete: u64,
    /// Rules that hold.
    pub pass: u64,
    /// Rules that do not.
    pub fail: u64,
    /// Rules of which it is not known.
    pub unknown: u64,
    /// Accepted ones.
    pub waived: u64,
    /// Rules that do not speak of the resource.
    pub not_applicable: u64,
    /// Failures that are new.
    pub new: u64,
    /// Failures that there were before.
    pub open: u64,
    /// What failed before and is not known now.
    pub stale: u64,
    /// How much of that is where nothing could be read.
    #[serde(default)]
    pub unread_stale: u64,
    /// What failed before and holds now.
    pub fixed: u64,
}

/// An account that is not looked at any more: it has left the organisation, is suspended, or was taken out of the choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Absent {
    /// Its id, or what stood for it.
    pub account: String,
    /// What it was called.
    pub name: Option<String>,
    /// How many failures were open when it was seen last.
    pub open: u64,
}

/// Two sweeps, `one` and `this`, that looked at some account both.
const SHARED_ACCOUNTS: &str = "EXISTS (SELECT 1 FROM looks ours JOIN looks theirs USING (subject)
    WHERE ours.sweep = this.id AND theirs.sweep = one.id)";

/// Two sweeps that were asked for the same accounts. Histories of earlier versions do not say for which they were.
const SAME_ACCOUNTS: &str = "(one.accounts = this.accounts OR (one.accounts IS NULL OR this.accounts IS NULL)
    AND EXISTS (SELECT 1 FROM looks ours JOIN looks theirs USING (subject)
    WHERE ours.sweep = this.id AND theirs.sweep = one.id))";

/// A sweep that has seen everything is finished, also before its report is written.
const COLUMNS: &str =
    "id, started_at, finished_at, iif(state = 'running' AND finished_at IS NOT NULL, 'finished', state),
    policy, rules_digest, tool_version, left_out FROM sweeps";

impl History {
    /// Begins a sweep. One that was cut off before is given up.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn begin(&mut self, terms: &Terms, started_at: &str, left_out: &[String]) -> Result<Begun, HistoryError> {
        let begun = self.insert_sweep(terms, started_at, left_out, "running", env!("CARGO_PKG_VERSION"));
        let sweep = begun.map_err(|error| HistoryError::of(&self.path, error))?;
        self.checkpoint()?;
        Ok(Begun { sweep, started_at: started_at.to_owned(), done: BTreeSet::new() })
    }

    /// Begins a sweep that is made of parts, which this version of the tool has made. What there is of one that was cut
    /// off before is taken back: its parts are still there, and it can be made anew.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn begin_merge(
        &mut self,
        terms: &Terms,
        started_at: &str,
        left_out: &[String],
        tool_version: &str,
    ) -> Result<i64, HistoryError> {
        let begun = self.insert_sweep(terms, started_at, left_out, "merging", tool_version);
        begun.map_err(|error| HistoryError::of(&self.path, error))
    }

    /// Takes back what there is of a sweep that was to be made of parts, and is not.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn discard_merge(&mut self) -> Result<(), HistoryError> {
        let discarded = self.connection.transaction().and_then(|transaction| {
            discard_merging(&transaction)?;
            transaction.commit()
        });
        discarded.map_err(|error| HistoryError::of(&self.path, error))
    }

    fn insert_sweep(
        &mut self,
        terms: &Terms,
        started_at: &str,
        left_out: &[String],
        state: &str,
        tool_version: &str,
    ) -> rusqlite::Result<i64> {
        let transaction = self.connection.transaction()?;
        transaction
            .execute("DELETE FROM notifications WHERE sweep IN (SELECT id FROM sweeps WHERE state = 'running')", [])?;
        transaction.execute("UPDATE sweeps SET state = 'abandoned' WHERE state = 'running'", [])?;
        discard_merging(&transaction)?;
        let information = body(&transaction, &json(&terms.information)?)?;
        transaction.execute(
            "INSERT INTO sweeps
             (started_at, state, policy, rules_digest, tool_version, choice, include_pass, left_out, information, waivers,
              provenance, accounts)
             VALUES (?1, ?8, ?2, ?3, ?4, ?5, ?6, ?7, ?9, ?10, ?11, nullif(?12, ''))",
            params![
                started_at,
                terms.policy,
                terms.rules_digest,
                tool_version,
                terms.choice,
                terms.include_pass,
                serde_json::Value::from(left_out).to_string(),
                state,
                information,
                terms.waivers,
                json(&terms.provenance)?,
                terms.accounts,
            ],
        )?;
        let sweep = transaction.last_insert_rowid();
        for (rule, digest) in &terms.rules {
            transaction.execute("INSERT INTO rules VALUES (?1, ?2, ?3)", params![sweep, rule, digest])?;
        }
        transaction.commit()?;
        Ok(sweep)
    }

    /// Takes up the last sweep, which was cut off.
    ///
    /// # Errors
    /// Where it was not, or was about something else, or cannot be read.
    pub fn resume(&mut self, terms: &Terms) -> Result<Begun, HistoryError> {
        let failed = |error| HistoryError::of(&self.path, error);
        let last = self.connection.query_row(
            "SELECT id, started_at, policy = ?1, rules_digest = ?2, choice = ?3, waivers = ?4, include_pass = ?5
             FROM sweeps WHERE state = 'running' AND id = (SELECT max(id) FROM sweeps)",
            params![terms.policy, terms.rules_digest, terms.choice, terms.waivers, terms.include_pass],
            |row| {
                let same = [
                    ("policy", row.get(2)?),
                    ("rules or parameters", row.get(3)?),
                    ("accounts, regions, roles or credentials", row.get(4)?),
                    ("waivers", row.get(5)?),
                    ("--include-pass", row.get::<_, bool>(6)?),
                ];
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, same))
            },
        );
        let Some((sweep, started_at, same)) = last.optional().map_err(failed)? else {
            return Err(HistoryError::NothingToResume);
        };
        if let Some((what, _)) = same.iter().find(|(_, same)| !same) {
            return Err(HistoryError::OtherTerms { sweep, what });
        }
        let mut statement = self.connection.prepare("SELECT subject FROM looks WHERE sweep = ?1").map_err(failed)?;
        let done = statement.query_map([sweep], |row| row.get(0)).and_then(Iterator::collect).map_err(failed)?;
        Ok(Begun { sweep, started_at, done })
    }

    /// The same, where there is one that can be, and that was begun no longer ago than this.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn resume_within(&mut self, terms: &Terms, within: SignedDuration) -> Result<Option<Begun>, HistoryError> {
        let begun = match self.resume(terms) {
            Ok(begun) => begun,
            Err(HistoryError::NothingToResume | HistoryError::OtherTerms { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let began: Option<Timestamp> = begun.started_at.parse().ok();
        Ok(Some(begun).filter(|_| began.is_some_and(|began| Timestamp::now().duration_since(began) <= within)))
    }

    /// Notes that a sweep has seen everything, and gives when that was: now, unless it was noted before. From then on it
    /// is told in the same words, however often, until it is finished.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn seen_all(&mut self, sweep: i64, now: &str) -> Result<String, HistoryError> {
        let sql = "UPDATE sweeps SET finished_at = coalesce(finished_at, ?2) WHERE id = ?1 RETURNING finished_at";
        let noted = self.connection.query_row(sql, params![sweep, now], |row| row.get(0));
        noted.map_err(|error| self.failed(error))
    }

    /// Notes that a sweep that was taken up has more to see, whatever was noted before.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn sees_more(&mut self, sweep: i64) -> Result<(), HistoryError> {
        let sql = "UPDATE sweeps SET finished_at = NULL WHERE id = ?1 AND state = 'running'";
        self.connection.execute(sql, [sweep]).map(drop).map_err(|error| self.failed(error))
    }

    /// Ends a sweep: it is what later ones are compared with, and is not taken up any more.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn finish(&mut self, sweep: i64, finished_at: &str) -> Result<(), HistoryError> {
        let finish = || {
            let totals = json(&self.totals(sweep)?)?;
            let sql = "UPDATE sweeps SET state = 'finished', finished_at = ?2, totals = ?3 WHERE id = ?1";
            self.connection.execute(sql, params![sweep, finished_at, totals])
        };
        finish().map_err(|error| self.failed(error))?;
        self.checkpoint()
    }

    /// What writers of reports say of the rules that a sweep held.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn information(&self, sweep: i64) -> Result<Vec<RuleInfo>, HistoryError> {
        let sql = "SELECT text FROM sweeps JOIN bodies ON bodies.id = information WHERE sweeps.id = ?1";
        let text = self.connection.query_row(sql, [sweep], |row| row.get::<_, String>(0));
        let read = text.and_then(|text| serde_json::from_str(&text).map_err(unreadable));
        read.map_err(|error| self.failed(error))
    }

    /// Returns which configuration, rules, flags and waivers a sweep used; nothing of a sweep of an older version.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn provenance(&self, sweep: i64) -> Result<Provenance, HistoryError> {
        let sql = "SELECT provenance FROM sweeps WHERE id = ?1";
        let text = self.connection.query_row(sql, [sweep], |row| row.get::<_, Option<String>>(0));
        let read = text.and_then(|text| match text {
            Some(text) => serde_json::from_str(&text).map_err(unreadable),
            None => Ok(Provenance::default()),
        });
        read.map_err(|error| self.failed(error))
    }

    /// How many findings failed and were not known, in each sweep that came to its end: up to this one, of the same
    /// accounts and policy, the oldest first, and at most so many.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn trend(&self, sweep: i64, most: u32) -> Result<Vec<(String, Totals)>, HistoryError> {
        let read = || {
            let mut statement = self.connection.prepare(&format!(
                "SELECT one.finished_at, one.totals FROM sweeps one JOIN sweeps this USING (policy)
                 WHERE this.id = ?1 AND one.id <= this.id AND (one.state = 'finished' OR one.id = this.id)
                 AND (one.id = this.id OR {SAME_ACCOUNTS})
                 AND one.finished_at IS NOT NULL ORDER BY one.id DESC LIMIT ?2",
            ))?;
            let rows = statement
                .query_map([sweep, i64::from(most)], |row| Ok((row.get(0)?, row.get::<_, Option<String>>(1)?)))?;
            let mut trend = Vec::new();
            for row in rows {
                let (at, kept) = row?;
                // Only this one may not be finished yet.
                trend.push((at, self.kept_or_counted(sweep, kept)?));
            }
            trend.reverse();
            Ok(trend)
        };
        read().map_err(|error| self.failed(error))
    }

    /// All sweeps, the last first.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn sweeps(&self) -> Result<Vec<Sweep>, HistoryError> {
        let read = || {
            let mut statement = self.connection.prepare(&format!("SELECT {COLUMNS} ORDER BY id DESC"))?;
            let sweeps: Vec<Sweep> = statement.query_map([], sweep_of)?.collect::<Result<_, _>>()?;
            sweeps.into_iter().map(|sweep| self.with_totals(sweep)).collect::<rusqlite::Result<_>>()
        };
        read().map_err(|error| self.failed(error))
    }

    /// The sweep of that number.
    ///
    /// # Errors
    /// Where there is none, or it cannot be read.
    pub fn sweep(&self, id: i64) -> Result<Sweep, HistoryError> {
        let read = || {
            let found = self.connection.query_row(&format!("SELECT {COLUMNS} WHERE id = ?1"), [id], sweep_of);
            found.optional()?.map(|sweep| self.with_totals(sweep)).transpose()
        };
        read().map_err(|error| self.failed(error))?.ok_or_else(|| HistoryError::NoSweep(id.to_string()))
    }

    /// The number of the last sweep that came to its end.
    ///
    /// # Errors
    /// Where there is none, or it cannot be read.
    pub fn last(&self) -> Result<i64, HistoryError> {
        let sql = "SELECT max(id) FROM sweeps WHERE state = 'finished'";
        let last: Option<i64> =
            self.connection.query_row(sql, [], |row| row.get(0)).map_err(|error| self.failed(error))?;
        last.ok_or_else(|| HistoryError::NoSweep("that came to its end".to_owned()))
    }

    /// The sweep that was made of parts on these terms, which were begun and ended then.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn merged(&self, terms: &Terms, started_at: &str, finished_at: &str) -> Result<Option<i64>, HistoryError> {
        let sql = "SELECT id FROM sweeps WHERE state = 'finished' AND started_at = ?1 AND finished_at = ?2
            AND rules_digest = ?3 AND choice = ?4 AND waivers = ?5";
        let terms = params![started_at, finished_at, terms.rules_digest, terms.choice, terms.waivers];
        self.connection.query_row(sql, terms, |row| row.get(0)).optional().map_err(|error| self.failed(error))
    }

    /// When the last sweep that came to its end was begun, RFC 3339.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn last_begun(&self) -> Result<Option<String>, HistoryError> {
        let sql = "SELECT max(started_at) FROM sweeps WHERE state = 'finished'";
        self.connection.query_row(sql, [], |row| row.get(0)).map_err(|error| self.failed(error))
    }

    fn with_totals(&self, sweep: Sweep) -> rusqlite::Result<Sweep> {
        let sql = "SELECT totals FROM sweeps WHERE id = ?1";
        let kept: Option<String> = self.connection.query_row(sql, [sweep.id], |row| row.get(0))?;
        Ok(Sweep { totals: self.kept_or_counted(sweep.id, kept)?, ..sweep })
    }

    /// What a sweep came to, as it was kept at its end, or counted where it has not ended.
    fn kept_or_counted(&self, sweep: i64, kept: Option<String>) -> rusqlite::Result<Totals> {
        kept.map_or_else(|| self.totals(sweep), |text| serde_json::from_str(&text).map_err(unreadable))
    }

    fn totals(&self, sweep: i64) -> rusqlite::Result<Totals> {
        let mut totals = Totals::default();
        let mut statement = self.connection.prepare_cached(
            "SELECT count(*), coalesce(sum(passes), 0), coalesce(sum(not_applicable), 0) FROM looks WHERE sweep = ?1",
        )?;
        (totals.accounts, totals.pass, totals.not_applicable) =
            statement.query_row([sweep], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let mut statement = self.connection.prepare_cached(
            "SELECT count(*), coalesce(sum(NOT read), 0), coalesce(sum(NOT complete), 0)
             FROM scopes JOIN looks ON look = looks.id WHERE sweep = ?1",
        )?;
        (totals.scopes, totals.unread, totals.incomplete) =
            statement.query_row([sweep], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let mut statement = self.connection.prepare_cached(
            "SELECT verdict, standing, because, count(*) FROM findings JOIN looks ON look = looks.id
             WHERE sweep = ?1 GROUP BY verdict, standing, because",
        )?;
        let mut rows = statement.query([sweep])?;
        while let Some(row) = rows.next()? {
            let (verdict, standing): (Option<String>, String) = (row.get(0)?, row.get(1)?);
            let (because, count): (Option<String>, u64) = (row.get(2)?, row.get(3)?);
            match verdict.as_deref() {
                Some("pass") => totals.pass += count,
                Some("fail") => totals.fail += count,
                Some("unknown") => totals.unknown += count,
                Some("waived") => totals.waived += count,
                _ => {}
            }
            match Standing::from_word(&standing) {
                Some(Standing::New) => totals.new += count,
                Some(Standing::Open) => totals.open += count,
                Some(Standing::Stale) => {
                    totals.stale += count;
                    if verdict.is_none() && because.as_deref() == Some(Because::NotRead.as_str()) {
                        totals.unread_stale += count;
                    }
                }
                Some(Standing::Fixed) => totals.fixed += count,
                _ => {}
            }
        }
        Ok(totals)
    }

    /// The accounts that the sweep before had looked at and this one has not, whatever else was asked for: the last one
    /// that was asked for the same accounts, and the last one that looked at some of them.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn absent(&self, sweep: i64) -> Result<Vec<Absent>, HistoryError> {
        let read = || {
            let mut statement = self.connection.prepare(&format!(
                "SELECT subject, name, (SELECT count(*) FROM findings
                    WHERE look = looks.id AND standing IN ('new', 'open', 'stale'))
                 FROM looks WHERE id IN (
                    SELECT max(id) FROM looks WHERE sweep IN (
                        SELECT max(one.id) FROM sweeps one, sweeps this
                        WHERE this.id = ?1 AND one.id < this.id AND one.state = 'finished' AND {SAME_ACCOUNTS}
                        UNION
                        SELECT max(one.id) FROM sweeps one, sweeps this
                        WHERE this.id = ?1 AND one.id < this.id AND one.state = 'finished' AND {SHARED_ACCOUNTS})
                    GROUP BY subject)
                 AND account <> '' AND subject NOT IN (SELECT subject FROM looks WHERE sweep = ?1)
                 AND NOT EXISTS (
                    SELECT 1 FROM looks now WHERE now.sweep = ?1 AND now.account = '' AND now.name = looks.name)
                 ORDER BY subject",
            ))?;
            let rows = statement
                .query_map([sweep], |row| Ok(Absent { account: row.get(0)?, name: row.get(1)?, open: row.get(2)? }))?;
            rows.collect::<rusqlite::Result<_>>()
        };
        read().map_err(|error| self.failed(error))
    }

    /// How many accounts of the sweep were forgotten since.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn forgotten(&self, sweep: &Sweep) -> Result<u64, HistoryError> {
        let sql = "SELECT count(*) FROM looks WHERE sweep = ?1";
        let there: u64 =
            self.connection.query_row(sql, [sweep.id], |row| row.get(0)).map_err(|error| self.failed(error))?;
        Ok(sweep.totals.accounts.saturating_sub(there))
    }

    /// Whether a finding of that verdict is at least this severe.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn any(&self, sweep: i64, verdict: &str, least: Severity) -> Result<bool, HistoryError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM findings JOIN looks ON look = looks.id
            WHERE sweep = ?1 AND verdict = ?2 AND severity >= ?3)";
        let found = self.connection.query_row(sql, params![sweep, verdict, least as i64], |row| row.get(0));
        found.map_err(|error| self.failed(error))
    }
}

/// What there is of merges that never came to their end.
fn discard_merging(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM looks WHERE sweep IN (SELECT id FROM sweeps WHERE state = 'merging')", [])?;
    connection.execute("DELETE FROM sweeps WHERE state = 'merging'", []).map(drop)
}

fn sweep_of(row: &Row<'_>) -> rusqlite::Result<Sweep> {
    let left_out: String = row.get(7)?;
    Ok(Sweep {
        id: row.get(0)?,
        started_at: row.get(1)?,
        finished_at: row.get(2)?,
        state: row.get(3)?,
        policy: row.get(4)?,
        rules_digest: row.get(5)?,
        tool_version: row.get(6)?,
        left_out: serde_json::from_str(&left_out).map_err(unreadable)?,
        totals: Totals::default(),
    })
}
