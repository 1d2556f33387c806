//! What sweeps have seen: a memory in SQLite, so that a sweep can say what is new, what is fixed, and since when the
//! rest is open.
//!
//! A *sweep* is one run over many accounts; a *look* is what it saw of one account, written in one transaction, so that a
//! sweep that was cut off can be taken up after its last look. Each look carries on what is open from the look before
//! (`compare`), and needs no older one. What a sweep found is read back in the order of the report, row by row: it is
//! the spool that writers stream from.
//!
//! Nothing here reads AWS, judges a rule or writes a report.

mod account_result;
mod diff;
mod error;
pub mod lifecycle;
mod lock;
mod notification;
mod prune;
mod queries;
mod schema;
pub mod shard_file;
mod sweep;

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::private;
use crate::sqlite::Access;

pub use account_result::Look;
pub use diff::{Change, Difference};
pub use error::HistoryError;
pub use lock::SweepLock;
pub use notification::Told;
pub use prune::Pruned;
pub use queries::{Order, Row, RuleCount, Which};
pub use sweep::{Absent, Begun, Sweep, Terms, Totals};

/// The name of the file.
const FILE_NAME: &str = "history.sqlite";

/// The memory.
#[derive(Debug)]
pub struct History {
    connection: Connection,
    path: PathBuf,
}

impl History {
    /// Opens the memory in this folder, made where there is none.
    ///
    /// # Errors
    /// Where it cannot be read or written, is damaged, or was written by a newer version. It is left as it is then.
    pub fn open(folder: &Path) -> Result<Self, HistoryError> {
        let path = folder.join(FILE_NAME);
        let failed = |source| HistoryError::Folder { path: folder.to_owned(), source };
        private::make_folder(folder).map_err(failed)?;
        let connection = schema::open(&path, Access::Write)?;
        Ok(Self { connection, path })
    }

    /// Opens the history in this folder, where there is one, to read it. Neither the file nor the folder need be writable.
    ///
    /// # Errors
    /// Where there is none, and as [`History::open`] has it.
    pub fn open_to_read(folder: &Path) -> Result<Self, HistoryError> {
        let path = Self::existing(folder)?;
        Ok(Self { connection: schema::open(&path, Access::Read)?, path })
    }

    /// Opens the history in this folder, where there is one.
    ///
    /// # Errors
    /// Where there is none, and as [`History::open`] has it.
    pub fn open_existing(folder: &Path) -> Result<Self, HistoryError> {
        Self::existing(folder)?;
        Self::open(folder)
    }

    fn existing(folder: &Path) -> Result<PathBuf, HistoryError> {
        let path = folder.join(FILE_NAME);
        if path.try_exists().is_ok_and(|there| !there) {
            return Err(HistoryError::None { path: folder.to_owned() });
        }
        Ok(path)
    }

    /// Moves what was written from the write-ahead log into the file, so that the file alone, or a copy of it, holds all
    /// sweeps that have begun and ended. Where somebody is reading, the next one does it.
    fn checkpoint(&self) -> Result<(), HistoryError> {
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        self.connection.query_row(checkpoint, [], |_| Ok(())).map_err(|error| self.failed(error))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, error: rusqlite::Error) -> HistoryError {
        HistoryError::of(&self.path, error)
    }
}

#[cfg(test)]
mod tests;
