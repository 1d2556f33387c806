//! What is to be told of sweeps, and what came of it.

use rusqlite::params;

use super::{History, HistoryError};

/// What came of telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It arrived.
    Sent,
    /// It surely did not: it is due as before.
    Due,
    /// Nobody knows, and nobody is told again.
    Lost,
}

impl Told {
    fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Due => "due",
            Self::Lost => "lost",
        }
    }
}

impl History {
    /// Notes that a sweep is to be told of, once it is finished.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn announce(&mut self, sweep: i64) -> Result<(), HistoryError> {
        let sql = "INSERT INTO notifications VALUES (?1, 'due') ON CONFLICT DO NOTHING";
        self.connection.execute(sql, [sweep]).map(drop).map_err(|error| self.failed(error))
    }

    /// The finished sweeps that are to be told of, the oldest first.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn to_tell(&self) -> Result<Vec<i64>, HistoryError> {
        self.sweeps_where("state = 'due' AND sweep IN (SELECT id FROM sweeps WHERE state = 'finished')")
    }

    /// Notes that a sweep is being told of.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn telling(&mut self, sweep: i64) -> Result<(), HistoryError> {
        self.set(sweep, "sending")
    }

    /// Notes what came of it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn told(&mut self, sweep: i64, told: Told) -> Result<(), HistoryError> {
        self.set(sweep, told.as_str())
    }

    /// The sweeps that were being told of when something ended that. Nobody knows what came of it, and they are said here
    /// once. Only the holder of the lock may ask.
    ///
    /// # Errors
    /// Where they cannot be read or written.
    pub fn cut_off_while_telling(&mut self) -> Result<Vec<i64>, HistoryError> {
        let sweeps = self.sweeps_where("state = 'sending'")?;
        sweeps.iter().try_for_each(|sweep| self.told(*sweep, Told::Lost))?;
        Ok(sweeps)
    }

    fn set(&mut self, sweep: i64, state: &str) -> Result<(), HistoryError> {
        let sql = "UPDATE notifications SET state = ?2 WHERE sweep = ?1";
        self.connection.execute(sql, params![sweep, state]).map_err(|error| self.failed(error))?;
        self.checkpoint()
    }

    fn sweeps_where(&self, condition: &str) -> Result<Vec<i64>, HistoryError> {
        let read = || {
            let sql = format!("SELECT sweep FROM notifications WHERE {condition} ORDER BY sweep");
            let mut statement = self.connection.prepare(&sql)?;
            statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()
        };
        read().map_err(|error| self.failed(error))
    }
}
