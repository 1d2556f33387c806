//! The tables of the journal, how those of earlier versions become present ones, and what is refused as no sound journal.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::error::WRITABLE;
use super::{JournalError, seal};
use crate::sqlite::{self, Access};

/// The statements that make each version of the one before. The number of the last is the version of the tables.
pub(crate) const MIGRATIONS: [&str; 2] = [
    "CREATE TABLE runs (
         id TEXT PRIMARY KEY, state TEXT NOT NULL, started_at TEXT NOT NULL, finished_at TEXT, plan TEXT NOT NULL,
         verified TEXT
     ) STRICT;
     CREATE TABLE steps (
         run TEXT NOT NULL REFERENCES runs (id), number INTEGER NOT NULL, status TEXT NOT NULL,
         left_behind TEXT NOT NULL, problem TEXT, PRIMARY KEY (run, number)
     ) STRICT;
     CREATE TABLE calls (
         sequence INTEGER PRIMARY KEY, run TEXT NOT NULL REFERENCES runs (id), step INTEGER NOT NULL,
         account TEXT NOT NULL, region TEXT, call TEXT NOT NULL, parameters TEXT NOT NULL,
         sent_at TEXT NOT NULL, answered_at TEXT, outcome TEXT, request_id TEXT
     ) STRICT;",
    // How many rows a run has, and what they come to: see `seal`.
    "CREATE TABLE seals (run TEXT PRIMARY KEY REFERENCES runs (id), rows INTEGER NOT NULL, digest BLOB NOT NULL) STRICT;
     CREATE TABLE journal (runs INTEGER NOT NULL) STRICT;
     INSERT INTO journal SELECT count(*) FROM runs;",
];

/// The version of the tables of the first journals, which had no seals.
const WITHOUT_SEALS: i64 = 1;

/// Opens the file; for writing it is made, or brought up to date, where that is needed.
pub(crate) fn open(path: &Path, access: Access) -> Result<Connection, JournalError> {
    let failed = |error: rusqlite::Error| JournalError::of(path, &error);
    if access == Access::Write {
        let created = sqlite::create(path, migrate);
        created
            .map_err(|error| JournalError::Open { path: path.to_owned(), reason: format!("{error}; {WRITABLE}") })?;
    }
    let mut database = sqlite::open(path, access).map_err(failed)?;
    database.busy_timeout(Duration::from_secs(10)).map_err(failed)?;
    if examine(&database, path)? > WITHOUT_SEALS {
        let broken = seal::broken(&mut database).map_err(failed)?;
        if !broken.is_empty() {
            return Err(JournalError::Altered { path: path.to_owned(), runs: broken });
        }
    }
    if access == Access::Write {
        // Every write is in the one file, and on the disk, before the call that it speaks of is sent. With a write-ahead
        // log, a copy of the file alone would be an older journal that looks whole.
        database.pragma_update(None, "journal_mode", "TRUNCATE").map_err(failed)?;
        database.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
        migrate(&mut database).map_err(failed)?;
    }
    Ok(database)
}

/// Refuses what is not a sound journal, before anything is written to it; gives the version of its tables.
fn examine(database: &Connection, path: &Path) -> Result<i64, JournalError> {
    let failed = |error: rusqlite::Error| JournalError::of(path, &error);
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let version: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
    match version {
        0 => {
            let tables: i64 =
                database.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
            return Err(if tables > 0 {
                JournalError::Foreign(path.to_owned())
            } else {
                JournalError::Damaged { path: path.to_owned(), reason: "it is empty".to_owned() }
            });
        }
        version if version > known => return Err(JournalError::Newer(path.to_owned())),
        version if version < 0 => return Err(JournalError::Foreign(path.to_owned())),
        _ => {}
    }
    match sqlite::complaint(database).map_err(failed)? {
        None => Ok(version),
        Some(reason) => Err(JournalError::Damaged { path: path.to_owned(), reason }),
    }
}

fn migrate(database: &mut Connection) -> rusqlite::Result<()> {
    // Of two processes that begin at once, one does it.
    let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = usize::try_from(version).unwrap_or_default();
    if done == MIGRATIONS.len() {
        return Ok(());
    }
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(migration)?;
    }
    seal_all(&transaction)?;
    transaction.pragma_update(None, "user_version", i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX))?;
    transaction.commit()
}

fn seal_all(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let ids: Vec<String> = {
        let mut statement = transaction.prepare("SELECT id FROM runs")?;
        statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
    };
    ids.iter().try_for_each(|id| seal::set(transaction, id))
}
