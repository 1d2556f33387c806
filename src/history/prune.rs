//! Forgetting old sweeps. What later sweeps are compared with stays: the last look at each account.

use rusqlite::params;

use super::{History, HistoryError};

/// What was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// Looks at accounts.
    pub looks: usize,
    /// Sweeps of which nothing is left.
    pub sweeps: usize,
}

impl History {
    /// Forgets the looks of all sweeps but the last `keep`, and those of sweeps that began before `before` (RFC 3339), if
    /// that is given. The last look at each account stays, and what others are still to be told of. Nothing may be
    /// sweeping meanwhile.
    ///
    /// # Errors
    /// Where it cannot be written. Then nothing is forgotten.
    pub fn prune(&mut self, keep: Option<u64>, before: Option<&str>) -> Result<Pruned, HistoryError> {
        self.delete(keep, before).map_err(|error| HistoryError::of(&self.path, error))
    }

    fn delete(&mut self, keep: Option<u64>, before: Option<&str>) -> rusqlite::Result<Pruned> {
        let transaction = self.connection.transaction()?;
        let looks = transaction.execute(
            "DELETE FROM looks WHERE sweep IN (
                SELECT id FROM sweeps WHERE state IN ('finished', 'abandoned')
                AND (?1 IS NULL OR id NOT IN (
                    SELECT id FROM sweeps WHERE state <> 'merging' ORDER BY id DESC LIMIT ?1))
                AND (?2 IS NULL OR started_at < ?2))
             AND sweep NOT IN (SELECT sweep FROM notifications WHERE state IN ('due', 'sending'))
             AND EXISTS (
                SELECT 1 FROM looks later JOIN sweeps ON sweeps.id = later.sweep AND sweeps.state = 'finished'
                WHERE later.subject = looks.subject AND later.sweep > looks.sweep)",
            params![keep, before],
        )?;
        let sweeps = transaction.execute(
            "DELETE FROM sweeps WHERE state IN ('finished', 'abandoned')
             AND id NOT IN (SELECT sweep FROM notifications WHERE state IN ('due', 'sending'))
             AND id NOT IN (SELECT sweep FROM looks)
             AND id NOT IN (SELECT rules FROM looks WHERE rules IS NOT NULL)
             AND id <> (SELECT max(id) FROM sweeps)",
            [],
        )?;
        transaction.execute(
            "DELETE FROM bodies WHERE id NOT IN (SELECT body FROM findings)
             AND id NOT IN (SELECT known FROM findings WHERE known IS NOT NULL)
             AND id NOT IN (SELECT information FROM sweeps)",
            [],
        )?;
        transaction.commit()?;
        self.connection.execute_batch("VACUUM")?;
        Ok(Pruned { looks, sweeps })
    }
}
