//! Two sweeps held against each other, over the accounts that both have looked at.

use rusqlite::params;
use serde::Serialize;

use super::account_result::unreadable;
use super::{History, HistoryError};
use crate::model::Finding;

/// What has become of a finding between two sweeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It fails in the later one only.
    Appeared,
    /// It failed in the earlier one only.
    Fixed,
    /// It failed in the earlier one, and the later one does not know.
    Stale,
}

/// A finding that is not the same in both.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// What has become of it.
    pub change: Change,
    /// What it says, or said.
    #[serde(flatten)]
    pub finding: Finding,
}

impl History {
    /// Hands on what differs between two sweeps, by account, region, type, id and rule. An account that only one of
    /// them looked at is left out: `uncommon` counts those.
    ///
    /// # Errors
    /// Where there are no such sweeps, or they cannot be read (as `fail` has it), and where `take` fails.
    pub fn diff<E>(
        &self,
        earlier: i64,
        later: i64,
        fail: impl Fn(HistoryError) -> E,
        mut take: impl FnMut(Difference) -> Result<(), E>,
    ) -> Result<(), E> {
        for sweep in [earlier, later] {
            self.sweep(sweep).map_err(&fail)?;
        }
        let failed = |error| fail(self.failed(error));
        // What is open in a sweep: it fails, or it is not known whether it still does.
        let sql = "
            SELECT 'appeared', text, b.account, b.subject, g.region, g.type, g.resource, g.rule
            FROM looks b
            CROSS JOIN looks a ON a.sweep = ?1 AND a.account = b.account AND a.subject = b.subject
            CROSS JOIN findings g ON g.look = b.id AND g.verdict = 'fail'
            CROSS JOIN bodies ON bodies.id = g.body
            WHERE b.sweep = ?2 AND NOT EXISTS (
                SELECT 1 FROM findings f WHERE f.look = a.id AND f.fingerprint = g.fingerprint
                AND (f.verdict = 'fail' OR f.standing = 'stale'))
            UNION ALL
            SELECT CASE WHEN EXISTS (
                    SELECT 1 FROM findings g WHERE g.look = b.id AND g.fingerprint = f.fingerprint
                    AND g.standing NOT IN ('fixed', 'pass'))
                THEN 'stale' ELSE 'fixed' END,
                text, a.account, a.subject, f.region, f.type, f.resource, f.rule
            FROM looks a
            CROSS JOIN looks b ON b.sweep = ?2 AND b.account = a.account AND b.subject = a.subject
            CROSS JOIN findings f ON f.look = a.id AND f.verdict = 'fail'
            CROSS JOIN bodies ON bodies.id = f.body
            WHERE a.sweep = ?1 AND NOT EXISTS (
                SELECT 1 FROM findings g WHERE g.look = b.id AND g.fingerprint = f.fingerprint
                AND g.verdict IN ('fail', 'waived'))
            ORDER BY 3, 4, 5, 6, 7, 8";
        let mut statement = self.connection.prepare(sql).map_err(failed)?;
        let mut rows = statement.query(params![earlier, later]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let (word, text): (String, String) = (row.get(0).map_err(failed)?, row.get(1).map_err(failed)?);
            let change = match word.as_str() {
                "appeared" => Change::Appeared,
                "stale" => Change::Stale,
                _ => Change::Fixed,
            };
            let finding = serde_json::from_str(&text).map_err(|error| failed(unreadable(error)))?;
            take(Difference { change, finding })?;
        }
        Ok(())
    }

    /// How many accounts only one of two sweeps has looked at.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn uncommon(&self, earlier: i64, later: i64) -> Result<u64, HistoryError> {
        let sql = "SELECT count(*) FROM (
            SELECT subject FROM looks WHERE sweep IN (?1, ?2) GROUP BY account, subject HAVING count(*) = 1)";
        let count = self.connection.query_row(sql, params![earlier, later], |row| row.get(0));
        count.map_err(|error| self.failed(error))
    }
}
