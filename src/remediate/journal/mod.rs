//! What runs did, written down before and after each call, so that a run that was cut off at any moment can be gone on
//! with or taken back. One SQLite file for all accounts; every write is on the disk before the run goes on.
//!
//! A run holds the lock of each account that it changes: the operating system gives it back however the process ends.

mod error;
mod lock;
mod record;
mod schema;
mod seal;
mod write;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use serde_json::Value as Json;

pub(crate) use self::error::JournalError;
use self::error::WRITABLE;
pub(crate) use self::record::{CallRecord, Record, Run, RunState, Status};
use super::plan::Plan;
use crate::model::AccountId;
use crate::private;
use crate::sqlite::Access;

/// The name of its file.
const FILE: &str = "journal.db";

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
        let failed = |source| JournalError::Folder { path: folder.to_owned(), source };
        private::make_folder(folder).map_err(failed)?;
        Self::with(folder, Access::Write)
    }

    /// The journal in this folder, to read what is in it; none where there is none. Nothing is written.
    ///
    /// # Errors
    /// Where it cannot be opened, is damaged, or is none of ours.
    pub(crate) fn open_to_read(folder: &Path) -> Result<Option<Self>, JournalError> {
        let is_there = folder.join(FILE).try_exists().unwrap_or(true);
        if is_there { Self::with(folder, Access::Read).map(Some) } else { Ok(None) }
    }

    fn with(folder: &Path, access: Access) -> Result<Self, JournalError> {
        let database = schema::open(&folder.join(FILE), access)?;
        Ok(Self { folder: folder.to_owned(), database: Mutex::new(database) })
    }

    fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    fn database(&self) -> MutexGuard<'_, Connection> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
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
