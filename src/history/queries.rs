//! What a sweep found, read back row by row.

use rusqlite::params;

use super::account_result::unreadable;
use super::lifecycle::{Because, Standing};
use super::{History, HistoryError};
use crate::model::{Finding, Scope};

/// A finding of a sweep.
#[derive(Debug, Clone)]
pub struct Row {
    /// What it says, now or when it was seen last.
    pub finding: Finding,
    /// What it is.
    pub standing: Standing,
    /// Why.
    pub because: Option<Because>,
    /// When it was found first, RFC 3339.
    pub since: Option<String>,
    /// When it was seen last, RFC 3339.
    pub seen: Option<String>,
    /// Whether the sweep has judged it, or knows it from before.
    pub judged: bool,
}

/// Which findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those that the sweep has judged.
    Judged,
    /// Those, and what failed where nothing could be read now.
    Told,
    /// Those, and what is fixed.
    ToldAndFixed,
    /// Those of that standing.
    Standing(Standing),
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By account, region, type, id and rule, as reports have them.
    Report,
    /// The most severe rules first, and as in reports in each.
    Rules,
}

/// How much a rule has of a standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleCount {
    /// The rule.
    pub rule: String,
    /// How many.
    pub count: u64,
    /// When the oldest of them was found first.
    pub since: Option<String>,
}

impl History {
    /// Hands on each finding of the sweep.
    ///
    /// # Errors
    /// Where they cannot be read (as `fail` has it), and where `take` fails.
    pub fn each<E>(
        &self,
        sweep: i64,
        which: Which,
        order: Order,
        fail: impl Fn(HistoryError) -> E,
        mut take: impl FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = |error| fail(self.failed(error));
        let mut statement = self.connection.prepare(&query(which, order)).map_err(failed)?;
        let mut rows = statement.query([sweep]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            take(row_of(row).map_err(failed)?)?;
        }
        Ok(())
    }

    /// Hands on what the sweep covered, by account and region.
    ///
    /// # Errors
    /// Where it cannot be read (as `fail` has it), and where `take` fails.
    pub fn each_scope<E>(
        &self,
        sweep: i64,
        fail: impl Fn(HistoryError) -> E,
        mut take: impl FnMut(Scope) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = |error| fail(self.failed(error));
        let sql = "SELECT body FROM looks CROSS JOIN scopes ON look = looks.id WHERE sweep = ?1
            ORDER BY account, subject, region";
        let mut statement = self.connection.prepare(sql).map_err(failed)?;
        let mut rows = statement.query([sweep]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let text: String = row.get(0).map_err(failed)?;
            take(serde_json::from_str(&text).map_err(|error| failed(unreadable(error)))?)?;
        }
        Ok(())
    }

    /// The rules that have findings of that standing, the most severe first.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn by_rule(&self, sweep: i64, standing: Standing) -> Result<Vec<RuleCount>, HistoryError> {
        let read = || {
            let mut statement = self.connection.prepare(
                "SELECT findings.rule, count(*), min(since) FROM findings JOIN looks ON look = looks.id
                 WHERE sweep = ?1 AND standing = ?2 GROUP BY findings.rule ORDER BY max(severity) DESC, findings.rule",
            )?;
            let rows = statement.query_map(params![sweep, standing.as_str()], |row| {
                Ok(RuleCount { rule: row.get(0)?, count: row.get(1)?, since: row.get(2)? })
            })?;
            rows.collect::<rusqlite::Result<_>>()
        };
        read().map_err(|error| self.failed(error))
    }
}

/// The query for these findings.
pub(super) fn query(which: Which, order: Order) -> String {
    const TOLD: &str = "verdict IS NOT NULL OR standing = 'stale' AND because = 'not_read'";
    let filter = match which {
        Which::Judged => "verdict IS NOT NULL".to_owned(),
        Which::Told => TOLD.to_owned(),
        Which::ToldAndFixed => format!("{TOLD} OR standing = 'fixed'"),
        Which::Standing(standing) => format!("standing = '{}'", standing.as_str()),
    };
    let order = match order {
        Order::Report => "account, subject, region, type, resource, findings.rule",
        Order::Rules => "severity DESC, findings.rule, account, subject, region, type, resource",
    };
    // The looks lead: then nothing has to be sorted for a report.
    format!(
        "SELECT text, standing, because, since, seen, verdict IS NOT NULL FROM looks CROSS JOIN findings ON findings.look = looks.id
         CROSS JOIN bodies ON bodies.id = findings.body WHERE sweep = ?1 AND ({filter}) ORDER BY {order}"
    )
}

fn row_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let text: String = row.get(0)?;
    let standing: String = row.get(1)?;
    let because: Option<String> = row.get(2)?;
    Ok(Row {
        finding: serde_json::from_str(&text).map_err(unreadable)?,
        standing: Standing::from_word(&standing).ok_or_else(|| unknown_word(&standing))?,
        because: because.as_deref().and_then(Because::from_word),
        since: row.get(3)?,
        seen: row.get(4)?,
        judged: row.get(5)?,
    })
}

fn unknown_word(word: &str) -> rusqlite::Error {
    let error = format!("no standing is {word:?}");
    rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, error.into())
}
