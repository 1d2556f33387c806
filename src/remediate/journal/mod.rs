//! What runs did, written down before and after each call, so that a run that was cut off at any moment can be gone on
//! with or taken back. One SQLite file for all accounts; every write is on the disk before the run goes on.
//!
//! A run holds the lock of each account that it changes: the operating system gives it back however the process ends.

mod error;
mod lock;
mod record;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OpenFlags, params};
use serde_json::Value as Json;

pub(crate) use self::error::JournalError;
pub(crate) use self::record::{CallRecord, Record, Run, RunState, Status};
use super::plan::Plan;
use super::verify::Verified;
use crate::model::AccountId;
use crate::private;

/// The name of its file.
const FILE: &str = "journal.db";
/// The version of the tables.
const SCHEMA_VERSION: i64 = 1;

/// The journal.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    database: Mutex<Connection>,
}

impl Journal {
    /// The journal in this folder, which is made where it is missing.
    ///
    /// # Errors
    /// Where it cannot be opened, is damaged, or is none of ours. It is left as it is then.
    pub(crate) fn open(folder: &Path) -> Result<Self, JournalError> {
        let path = folder.join(FILE);
        let unusable = |source| JournalError::Folder { path: folder.to_owned(), source };
        private::make_folder(folder).map_err(unusable)?;
        private::make_database(&path).map_err(unusable)?;
        let failed = |error: rusqlite::Error| JournalError::of(&path, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let database = Connection::open_with_flags(&path, flags).map_err(failed)?;
        Self::examine(&database, &path)?;
        database.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        // Every write is on the disk before the call that it speaks of is sent.
        database.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
        Self::prepare(&database).map_err(failed)?;
        Ok(Self { folder: folder.to_owned(), database: Mutex::new(database) })
    }

    /// The journal in this folder, where there is one.
    ///
    /// # Errors
    /// Where it cannot be opened, is damaged, or is none of ours.
    pub(crate) fn open_if_there(folder: &Path) -> Result<Option<Self>, JournalError> {
        if folder.join(FILE).exists() { Self::open(folder).map(Some) } else { Ok(None) }
    }

    /// Refuses what is not a sound journal of this version, before anything is written to it.
    fn examine(database: &Connection, path: &Path) -> Result<(), JournalError> {
        let failed = |error: rusqlite::Error| JournalError::of(path, &error);
        database.busy_timeout(std::time::Duration::from_secs(10)).map_err(failed)?;
        let number = |pragma: &str| database.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        match number("user_version").map_err(failed)? {
            0 => {
                let tables = "SELECT count(*) FROM sqlite_schema";
                let tables: i64 = database.query_row(tables, [], |row| row.get(0)).map_err(failed)?;
                if tables > 0 { Err(JournalError::Foreign(path.to_owned())) } else { Ok(()) }
            }
            SCHEMA_VERSION => {
                let sound: String =
                    database.pragma_query_value(None, "quick_check", |row| row.get(0)).map_err(failed)?;
                if sound == "ok" { Ok(()) } else { Err(JournalError::Damaged { path: path.to_owned(), reason: sound }) }
            }
            later if later > SCHEMA_VERSION => Err(JournalError::Newer(path.to_owned())),
            _ => Err(JournalError::Foreign(path.to_owned())),
        }
    }

    /// Makes the tables where there are none.
    fn prepare(database: &Connection) -> rusqlite::Result<()> {
        database.execute_batch(&format!(
            "BEGIN IMMEDIATE;
             CREATE TABLE IF NOT EXISTS runs (
                 id TEXT PRIMARY KEY, state TEXT NOT NULL, started_at TEXT NOT NULL, finished_at TEXT, plan TEXT NOT NULL,
                 verified TEXT
             ) STRICT;
             CREATE TABLE IF NOT EXISTS steps (
                 run TEXT NOT NULL REFERENCES runs (id), number INTEGER NOT NULL, status TEXT NOT NULL,
                 left_behind TEXT NOT NULL, problem TEXT, PRIMARY KEY (run, number)
             ) STRICT;
             CREATE TABLE IF NOT EXISTS calls (
                 sequence INTEGER PRIMARY KEY, run TEXT NOT NULL REFERENCES runs (id), step INTEGER NOT NULL,
                 account TEXT NOT NULL, region TEXT, call TEXT NOT NULL, parameters TEXT NOT NULL,
                 sent_at TEXT NOT NULL, answered_at TEXT, outcome TEXT, request_id TEXT
             ) STRICT;
             PRAGMA user_version = {SCHEMA_VERSION};
             COMMIT;"
        ))
    }

    fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    fn database(&self) -> MutexGuard<'_, Connection> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down that a run begins.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn begin(&self, plan: &Plan, now: &str) -> Result<(), JournalError> {
        let text = serde_json::to_string(plan).map_err(|error| JournalError::Content(error.to_string()))?;
        self.database().execute(
            "INSERT INTO runs (id, state, started_at, plan) VALUES (?1, 'open', ?2, ?3)",
            params![plan.id, now, text],
        )?;
        Ok(())
    }

    /// Writes down that a call is about to be sent; gives its number, for its answer.
    ///
    /// # Errors
    /// Where it cannot be written: the call must not be sent then.
    pub(crate) fn intend(&self, run: &str, call: &CallRecord) -> Result<i64, JournalError> {
        let mut database = self.database();
        let transaction = database.transaction()?;
        record(&transaction, run, call.step, &Record { status: Status::Intended, ..Record::default() })?;
        transaction.execute(
            "INSERT INTO calls (run, step, account, region, call, parameters, sent_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                run,
                number(call.step),
                call.account,
                call.region,
                call.call,
                call.parameters.to_string(),
                call.sent_at
            ],
        )?;
        let sequence = transaction.last_insert_rowid();
        transaction.commit()?;
        Ok(sequence)
    }

    /// Writes down what came of a call.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn answered(
        &self,
        sequence: i64,
        now: &str,
        outcome: &str,
        request_id: Option<&str>,
    ) -> Result<(), JournalError> {
        self.database().execute(
            "UPDATE calls SET answered_at = ?2, outcome = ?3, request_id = ?4 WHERE sequence = ?1",
            params![sequence, now, outcome, request_id],
        )?;
        Ok(())
    }

    /// Writes down how far a step is.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn record(&self, run: &str, step: usize, state: &Record) -> Result<(), JournalError> {
        record(&self.database(), run, step, state)?;
        Ok(())
    }

    /// Writes down that a run came to its end.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn finish(&self, run: &str, state: RunState, now: &str) -> Result<(), JournalError> {
        self.database().execute(
            "UPDATE runs SET state = ?2, finished_at = coalesce(finished_at, ?3) WHERE id = ?1",
            params![run, state.as_str(), now],
        )?;
        Ok(())
    }

    /// All runs, the latest last.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub(crate) fn runs(&self) -> Result<Vec<Run>, JournalError> {
        let ids = self.ids("SELECT id FROM runs ORDER BY started_at, id")?;
        ids.iter().map(|id| self.run(id)).collect()
    }

    /// The runs that were cut off and change one of these accounts.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub(crate) fn unfinished(&self, accounts: &[&AccountId]) -> Result<Vec<Run>, JournalError> {
        let touches = |run: &Run| run.plan.accounts().iter().any(|account| accounts.contains(account));
        let open = self.ids("SELECT id FROM runs WHERE state = 'open' ORDER BY started_at, id")?;
        let runs = open.iter().map(|id| self.run(id)).collect::<Result<Vec<_>, _>>()?;
        Ok(runs.into_iter().filter(touches).collect())
    }

    fn ids(&self, query: &str) -> Result<Vec<String>, JournalError> {
        let database = self.database();
        let mut statement = database.prepare(query)?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// Writes down what the rules say after a run.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn verified(&self, run: &str, verified: &[Verified]) -> Result<(), JournalError> {
        let text = serde_json::to_string(verified).map_err(|error| JournalError::Content(error.to_string()))?;
        self.database().execute("UPDATE runs SET verified = ?2 WHERE id = ?1", params![run, text])?;
        Ok(())
    }

    /// The id of the run that is named so, in full or by its beginning; none where there is no such run.
    fn find(&self, name: &str) -> Result<Option<String>, JournalError> {
        let database = self.database();
        let mut statement =
            database.prepare("SELECT id FROM runs WHERE substr(id, 1, length(?1)) = ?1 ORDER BY started_at, id")?;
        let mut ids: Vec<String> = statement.query_map([name], |row| row.get(0))?.collect::<Result<_, _>>()?;
        match ids.as_slice() {
            _ if name.is_empty() => Ok(None),
            ids if ids.iter().any(|id| id == name) => Ok(Some(name.to_owned())),
            [] | [_] => Ok(ids.pop()),
            _ => Err(JournalError::Ambiguous { id: name.to_owned(), runs: ids }),
        }
    }

    /// The run that applied a plan of this id, where one did.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(crate) fn run_of(&self, plan: &Plan) -> Result<Option<Run>, JournalError> {
        match self.run(&plan.id) {
            Ok(run) => Ok((run.plan.id == plan.id).then_some(run)),
            Err(JournalError::NoRun { .. } | JournalError::Ambiguous { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A run, by its id or the beginning of it.
    ///
    /// # Errors
    /// Where there is none, or several.
    pub(crate) fn run(&self, name: &str) -> Result<Run, JournalError> {
        let id = self.find(name)?.ok_or_else(|| JournalError::NoRun { id: name.to_owned(), path: self.path() })?;
        let database = self.database();
        let (state, started_at, finished_at, plan, verified): (String, String, Option<String>, String, Option<String>) =
            database.query_row(
                "SELECT state, started_at, finished_at, plan, verified FROM runs WHERE id = ?1",
                [&id],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
            )?;
        let content = |error: serde_json::Error| JournalError::Content(format!("run {id}: {error}"));
        let plan: Plan = serde_json::from_str(&plan).map_err(content)?;
        let verified = verified.map(|verified| serde_json::from_str(&verified)).transpose().map_err(content)?;
        let mut statement = database
            .prepare("SELECT number, status, left_behind, problem FROM steps WHERE run = ?1 ORDER BY number")?;
        let rows = statement.query_map([&id], |row| {
            let (number, status, left, problem): (i64, String, String, Option<String>) =
                (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            Ok((number, status, left, problem))
        })?;
        let mut records = BTreeMap::new();
        for row in rows {
            let (number, status, left, problem) = row?;
            let status = Status::parse(&status)
                .ok_or_else(|| JournalError::Content(format!("run {id}, step {number}: status {status:?}")))?;
            let left = serde_json::from_str(&left).map_err(content)?;
            records.insert(usize::try_from(number).unwrap_or_default(), Record { status, left, problem });
        }
        let state =
            RunState::parse(&state).ok_or_else(|| JournalError::Content(format!("run {id}: state {state:?}")))?;
        Ok(Run { plan, state, started_at, finished_at, records, verified })
    }

    /// The calls of a run, in the order in which they were sent.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub(crate) fn calls(&self, run: &str) -> Result<Vec<CallRecord>, JournalError> {
        let database = self.database();
        let mut statement = database.prepare(
            "SELECT step, account, region, call, parameters, sent_at, answered_at, outcome, request_id
             FROM calls WHERE run = ?1 ORDER BY sequence",
        )?;
        let rows = statement.query_map([run], |row| {
            let step: i64 = row.get(0)?;
            let parameters: String = row.get(4)?;
            Ok(CallRecord {
                step: usize::try_from(step).unwrap_or_default(),
                account: row.get(1)?,
                region: row.get(2)?,
                call: row.get(3)?,
                parameters: serde_json::from_str(&parameters).unwrap_or(Json::String(parameters)),
                sent_at: row.get(5)?,
                answered_at: row.get(6)?,
                outcome: row.get(7)?,
                request_id: row.get(8)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn record(database: &Connection, run: &str, step: usize, state: &Record) -> rusqlite::Result<()> {
    database.execute(
        "INSERT INTO steps (run, number, status, left_behind, problem) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (run, number) DO UPDATE SET status = ?3, left_behind = ?4, problem = ?5",
        params![run, number(step), state.status.as_str(), state.left.to_string(), state.problem],
    )?;
    Ok(())
}

fn number(step: usize) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX)
}
