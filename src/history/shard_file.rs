//! What one of several machines has looked at, as a file: a header, and a line for each account. `merge` makes one sweep of
//! all parts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

use super::lifecycle::Rules;
use super::{History, HistoryError, Look, Terms};
use crate::fleet::Shard;
use crate::model::{AccountId, Finding, Scope};

/// The `kind` that every part begins with.
pub const KIND: &str = "ssm-audit/part";
/// The version of the format.
pub const SCHEMA_VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// `ssm-audit/part`
    pub kind: String,
    /// 1
    pub schema_version: u32,
    /// Which part it is.
    pub part: Shard,
    /// The version of the tool that wrote it.
    pub tool_version: String,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// When it ended, RFC 3339.
    pub finished_at: String,
    /// What it is about.
    pub terms: Terms,
    /// The oldest ids of the rules, by their ids.
    pub oldest: BTreeMap<String, String>,
    /// Accounts of the organisation that cannot be used.
    pub left_out: Vec<String>,
    /// How many accounts follow.
    pub accounts: u64,
}

/// Every other line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    account: Option<AccountId>,
    subject: String,
    name: Option<String>,
    passes: u64,
    not_applicable: u64,
    scopes: Vec<Scope>,
    findings: Vec<Finding>,
}

/// Parts that make no whole.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// It cannot be read.
    #[error("failed to read {name}: {source}")]
    Unreadable {
        /// The file.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// It is none.
    #[error("{name} is no part of a sweep: {reason}; write one with `ssm-audit sweep --shard I/N --to FILE`")]
    Malformed {
        /// The file.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// It ends too early, or too late.
    #[error("{name} says that it has {said} accounts, and has {found}: it is not whole")]
    NotWhole {
        /// The file.
        name: String,
        /// How many there should be.
        said: u64,
        /// How many there are.
        found: u64,
    },
    /// There are none.
    #[error("there are no parts to merge")]
    None,
    /// It was made of another fleet, or with other rules.
    #[error("{name} and {first} are not of one sweep: they have other {what}")]
    Other {
        /// The file.
        name: String,
        /// The file before.
        first: String,
        /// What is not the same.
        what: &'static str,
    },
    /// Some are there twice.
    #[error("part {part} is there twice: {first} and {name}")]
    Doubled {
        /// Which.
        part: Shard,
        /// One file.
        first: String,
        /// The other.
        name: String,
    },
    /// Some are not there.
    #[error("of {of} parts, {} {}: run what is missing again", parts(.missing, *.count), if *.count == 1 { "is missing" } else { "are missing" })]
    Lost {
        /// How many there should be.
        of: u32,
        /// The first of those that are not there.
        missing: Vec<u32>,
        /// How many are not there.
        count: usize,
    },
    /// They are of a time that the history is past.
    #[error(
        "{name} was begun at {started_at}, and the history has a sweep of {last} already: parts are merged in the order of time"
    )]
    Past {
        /// The file.
        name: String,
        /// When it was begun.
        started_at: String,
        /// When the last sweep of the history was begun.
        last: String,
    },
    /// The history cannot be used.
    #[error(transparent)]
    History(#[from] HistoryError),
}

/// How many missing parts are named at most.
const NAMED: usize = 20;

fn parts(numbers: &[u32], count: usize) -> String {
    let named = numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match count.saturating_sub(numbers.len()) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Writes what a sweep has looked at as a part.
///
/// # Errors
/// Where it cannot be written, or the history cannot be read.
pub fn write(history: &History, sweep: i64, header: &Header, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, header)?;
    writeln!(out)?;
    history.each_look(sweep, io::Error::other, |line| {
        serde_json::to_writer(&mut *out, &line)?;
        writeln!(out)
    })
}

/// A part that can be read: its name, and how to begin reading it.
pub struct Source<'a> {
    /// What to call it.
    pub name: String,
    /// Begins to read it.
    pub open: Box<dyn Fn() -> io::Result<Box<dyn BufRead>> + 'a>,
}

impl std::fmt::Debug for Source<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Source({})", self.name)
    }
}

impl Source<'_> {
    /// The header, and the lines after it.
    fn read(&self) -> Result<(Header, io::Lines<Box<dyn BufRead>>), PartError> {
        let unreadable = |source| PartError::Unreadable { name: self.name.clone(), source };
        let mut lines = (self.open)().map_err(unreadable)?.lines();
        let first = lines.next().ok_or_else(|| self.malformed("it is empty"))?.map_err(unreadable)?;
        let header: Header = serde_json::from_str(&first).map_err(|error| self.malformed(&error.to_string()))?;
        if header.kind != KIND {
            return Err(self.malformed(&format!("it is of kind {:?}", header.kind)));
        }
        if header.schema_version != SCHEMA_VERSION {
            return Err(self.malformed(&format!("it is of version {}", header.schema_version)));
        }
        Ok((header, lines))
    }

    fn malformed(&self, reason: &str) -> PartError {
        PartError::Malformed { name: self.name.clone(), reason: reason.to_owned() }
    }

    /// Hands on each line; there must be as many as the header says.
    fn each(&self, mut take: impl FnMut(&Header, Line) -> Result<(), PartError>) -> Result<(), PartError> {
        let (header, lines) = self.read()?;
        let mut found = 0;
        for line in lines {
            let line = line.map_err(|source| PartError::Unreadable { name: self.name.clone(), source })?;
            let line =
                serde_json::from_str(&line).map_err(|error| self.malformed(&format!("line {}: {error}", found + 2)))?;
            take(&header, line)?;
            found += 1;
        }
        if found == header.accounts {
            Ok(())
        } else {
            Err(PartError::NotWhole { name: self.name.clone(), said: header.accounts, found })
        }
    }
}

/// Makes one sweep of all its parts, and gives its number; `begun` is told it before anything is in it. Parts that were
/// merged before are that sweep.
///
/// # Errors
/// Where a part is missing, doubled, not whole or of another sweep, and where the history cannot be written.
pub fn merge(
    history: &mut History,
    sources: &[Source<'_>],
    begun: impl FnOnce(&mut History, i64) -> Result<(), HistoryError>,
) -> Result<i64, PartError> {
    let headers = check(sources)?;
    let first = headers.first().ok_or(PartError::None)?;
    let started_at = headers.iter().map(|header| &header.started_at).min().cloned().unwrap_or_default();
    let finished_at = headers.iter().map(|header| &header.finished_at).max().cloned().unwrap_or_default();
    if let Some(merged) = history.merged(&first.terms, &started_at, &finished_at)? {
        begun(history, merged)?;
        return Ok(merged);
    }
    if let Some(last) = history.last_begun()? {
        let past = headers.iter().zip(sources).find(|(header, _)| header.started_at <= last);
        if let Some((Header { started_at, .. }, Source { name, .. })) = past {
            return Err(PartError::Past { name: name.clone(), started_at: started_at.clone(), last });
        }
    }
    let left_out: BTreeSet<String> = headers.iter().flat_map(|header| header.left_out.iter().cloned()).collect();
    let left_out: Vec<String> = left_out.into_iter().collect();
    let sweep = history.begin_merge(&first.terms, &started_at, &left_out, &first.tool_version)?;
    let joined = begun(history, sweep)
        .map_err(PartError::from)
        .and_then(|()| join(history, sweep, &started_at, &first.terms.rules, sources));
    if let Err(error) = joined {
        history.discard_merge()?;
        return Err(error);
    }
    history.finish(sweep, &finished_at)?;
    Ok(sweep)
}

/// Puts what all parts have seen into the history.
fn join(
    history: &mut History,
    sweep: i64,
    started_at: &str,
    rules: &Rules,
    sources: &[Source<'_>],
) -> Result<(), PartError> {
    for source in sources {
        source.each(|header, line| {
            history.record(&Look {
                sweep,
                time: started_at,
                account: line.account.as_ref(),
                subject: &line.subject,
                name: line.name.as_deref(),
                rules,
                oldest: &header.oldest,
                scopes: &line.scopes,
                findings: &line.findings,
                passes: line.passes,
                not_applicable: line.not_applicable,
            })?;
            Ok(())
        })?;
    }
    Ok(())
}

/// Whether the parts make a whole, before anything is written. Reads each to its end.
fn check(sources: &[Source<'_>]) -> Result<Vec<Header>, PartError> {
    let mut headers: Vec<Header> = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let (header, _) = source.read()?;
        if let Some(first) = headers.first() {
            let same = [
                ("rules or parameters", header.terms.rules_digest == first.terms.rules_digest),
                ("policy", header.terms.policy == first.terms.policy),
                ("accounts, regions, roles or credentials", header.terms.choice == first.terms.choice),
                ("waivers", header.terms.waivers == first.terms.waivers),
                ("--include-pass", header.terms.include_pass == first.terms.include_pass),
                ("numbers of parts", header.part.of == first.part.of),
                ("versions of ssm-audit", header.tool_version == first.tool_version),
            ];
            if let Some((what, _)) = same.iter().find(|(_, same)| !same) {
                let first = sources.first().map(|source| source.name.clone()).unwrap_or_default();
                return Err(PartError::Other { name: source.name.clone(), first, what });
            }
        }
        if let Some(twin) = headers.iter().position(|other| other.part == header.part) {
            let (first, name) = (sources[twin].name.clone(), sources[index].name.clone());
            return Err(PartError::Doubled { part: header.part, first, name });
        }
        source.each(|_, _| Ok(()))?;
        headers.push(header);
    }
    let of = headers.first().map_or(0, |header| header.part.of.get());
    let there: BTreeSet<u32> = headers.iter().map(|header| header.part.number.get()).collect();
    let missing: Vec<u32> = (1..=of).filter(|number| !there.contains(number)).take(NAMED).collect();
    if missing.is_empty() {
        Ok(headers)
    } else {
        Err(PartError::Lost { of, missing, count: usize::try_from(of).unwrap_or(usize::MAX) - there.len() })
    }
}

impl History {
    /// Hands on each look of a sweep, by account.
    fn each_look<E>(
        &self,
        sweep: i64,
        fail: impl Fn(HistoryError) -> E,
        mut take: impl FnMut(Line) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = |error| fail(self.failed(error));
        let sql = "SELECT id, account, subject, name, passes, not_applicable FROM looks WHERE sweep = ?1
            ORDER BY account, subject";
        let mut statement = self.connection.prepare(sql).map_err(failed)?;
        let mut rows = statement.query([sweep]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let read = || {
                let account: String = row.get(1)?;
                let line = Line {
                    account: account.parse().ok(),
                    subject: row.get(2)?,
                    name: row.get(3)?,
                    passes: row.get(4)?,
                    not_applicable: row.get(5)?,
                    scopes: Vec::new(),
                    findings: Vec::new(),
                };
                Ok((row.get::<_, i64>(0)?, line))
            };
            let (look, mut line) = read().map_err(failed)?;
            self.fill(look, &mut line).map_err(failed)?;
            take(line)?;
        }
        Ok(())
    }

    fn fill(&self, look: i64, line: &mut Line) -> rusqlite::Result<()> {
        let mut statement =
            self.connection.prepare_cached("SELECT body FROM scopes WHERE look = ?1 ORDER BY region")?;
        for text in statement.query_map([look], |row| row.get::<_, String>(0))? {
            line.scopes.push(serde_json::from_str(&text?).map_err(super::account_result::unreadable)?);
        }
        let mut statement = self.connection.prepare_cached(
            "SELECT text FROM findings CROSS JOIN bodies ON bodies.id = body WHERE look = ?1 AND verdict IS NOT NULL
             ORDER BY region, type, resource, rule",
        )?;
        for text in statement.query_map([look], |row| row.get::<_, String>(0))? {
            line.findings.push(serde_json::from_str(&text?).map_err(super::account_result::unreadable)?);
        }
        Ok(())
    }
}
