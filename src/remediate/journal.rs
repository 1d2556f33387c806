//! What runs did, written down before and after each call, so that a run that was cut off at any moment can be gone on
//! with or taken back. One SQLite file for all accounts; every write is on the disk before the run goes on.
//!
//! A run holds the lock of each account that it changes: the operating system gives it back however the process ends.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use serde_json::Value as Json;

use super::plan::Plan;
use crate::model::AccountId;

/// The version of the tables.
const SCHEMA_VERSION: i64 = 1;

/// The journal.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    database: Mutex<Connection>,
}

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The folder or the file cannot be made or opened.
    #[error("failed to open the journal {}: {reason}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It was written by a later version.
    #[error("the journal {} was written by a later version of ssm-audit: use that one, or another --state folder", .0.display())]
    Newer(PathBuf),
    /// It cannot be read or written.
    #[error("failed to use the journal: {0}; nothing more was done")]
    Database(#[from] rusqlite::Error),
    /// What stands in it is not what this version writes.
    #[error("the journal holds something that cannot be understood ({0}); move it away and keep it")]
    Content(String),
    /// There is no such run.
    #[error("there is no run `{0}`; `ssm-audit runs list` lists them")]
    NoRun(String),
    /// Another process changes the account.
    #[error("another ssm-audit is changing account {0}; wait for it to end")]
    Busy(AccountId),
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// Nothing was done.
    Pending,
    /// The call is about to be sent, or was sent: its outcome is not known.
    Intended,
    /// It is done, by this run.
    Done,
    /// What it is to do was so already.
    Found,
    /// It could not be done.
    Failed,
    /// The resource is not as the plan has it.
    Refused,
    /// A step that it needs was not done.
    Stopped,
    /// It was done, and taken back since another step of its unit failed.
    TakenBack,
}

const STATUSES: [(Status, &str); 8] = [
    (Status::Pending, "pending"),
    (Status::Intended, "intended"),
    (Status::Done, "done"),
    (Status::Found, "found"),
    (Status::Failed, "failed"),
    (Status::Refused, "refused"),
    (Status::Stopped, "stopped"),
    (Status::TakenBack, "taken_back"),
];

impl Status {
    /// The word in the journal.
    pub(crate) fn as_str(self) -> &'static str {
        STATUSES.iter().find(|(status, _)| *status == self).map_or("", |(_, word)| word)
    }

    fn parse(word: &str) -> Option<Self> {
        STATUSES.iter().find(|(_, known)| *known == word).map(|(status, _)| *status)
    }

    /// Whether what the step wants is there.
    pub(crate) fn holds(self) -> bool {
        matches!(self, Self::Done | Self::Found)
    }
}

/// What the journal says of a step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) status: Status,
    /// What was seen after it.
    pub(crate) left: Json,
    /// What went wrong.
    pub(crate) problem: Option<String>,
}

impl Default for Record {
    fn default() -> Self {
        Self { status: Status::Pending, left: Json::Null, problem: None }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunState {
    /// It is going on, or was cut off.
    Open,
    /// It came to its end.
    Finished,
    /// It was taken back.
    Undone,
}

/// A run.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) plan: Plan,
    pub(crate) state: RunState,
    pub(crate) started_at: String,
    pub(crate) finished_at: Option<String>,
    pub(crate) records: BTreeMap<usize, Record>,
}

impl Run {
    /// What the journal says of a step.
    pub(crate) fn record(&self, step: usize) -> Record {
        self.records.get(&step).cloned().unwrap_or_default()
    }

    /// What its steps left, by number.
    pub(crate) fn left(&self) -> BTreeMap<usize, Json> {
        let holding = self.records.iter().filter(|(_, record)| record.status.holds());
        holding.map(|(number, record)| (*number, record.left.clone())).collect()
    }
}

/// A call as it was made.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(crate) struct CallRecord {
    pub(crate) step: usize,
    pub(crate) account: String,
    pub(crate) region: Option<String>,
    pub(crate) call: String,
    pub(crate) parameters: Json,
    pub(crate) sent_at: String,
    pub(crate) answered_at: Option<String>,
    /// `answered`, or why there was no answer; none where the process ended first.
    pub(crate) outcome: Option<String>,
    pub(crate) request_id: Option<String>,
}

/// The right to change these accounts, until it is dropped.
#[derive(Debug)]
pub(crate) struct Locks {
    _files: Vec<File>,
}

impl Journal {
    /// The journal in this folder, which is made where it is missing.
    ///
    /// # Errors
    /// Where it cannot be opened, is damaged, or was written by a later version.
    pub(crate) fn open(folder: &Path) -> Result<Self, JournalError> {
        let path = folder.join("journal.db");
        let failed = |reason: String| JournalError::Open { path: path.clone(), reason };
        std::fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let database = Connection::open_with_flags(&path, flags).map_err(|error| failed(error.to_string()))?;
        let prepared = Self::prepare(&database);
        match prepared {
            Ok(SCHEMA_VERSION) => Ok(Self { folder: folder.to_owned(), database: Mutex::new(database) }),
            Ok(_) => Err(JournalError::Newer(path)),
            Err(error) => Err(failed(format!("{error}; move it away, keep it, and try again"))),
        }
    }

    /// Makes the tables where there are none, and gives their version.
    fn prepare(database: &Connection) -> rusqlite::Result<i64> {
        database.busy_timeout(std::time::Duration::from_secs(10))?;
        database.pragma_update(None, "journal_mode", "WAL")?;
        database.pragma_update(None, "synchronous", "FULL")?;
        let version: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version != 0 {
            return Ok(version);
        }
        database.execute_batch(&format!(
            "BEGIN IMMEDIATE;
             CREATE TABLE IF NOT EXISTS runs (
                 id TEXT PRIMARY KEY, state TEXT NOT NULL, started_at TEXT NOT NULL, finished_at TEXT, plan TEXT NOT NULL
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
        ))?;
        Ok(SCHEMA_VERSION)
    }

    fn database(&self) -> MutexGuard<'_, Connection> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the locks of these accounts.
    ///
    /// # Errors
    /// Where another process holds one.
    pub(crate) fn lock<'a>(&self, accounts: impl IntoIterator<Item = &'a AccountId>) -> Result<Locks, JournalError> {
        let mut files = Vec::new();
        for account in accounts {
            let path = self.folder.join(format!("{account}.lock"));
            let failed = |reason: String| JournalError::Open { path: path.clone(), reason };
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
            let file = file.map_err(|error| failed(error.to_string()))?;
            match file.try_lock() {
                Ok(()) => files.push(file),
                Err(TryLockError::WouldBlock) => return Err(JournalError::Busy(account.clone())),
                Err(TryLockError::Error(error)) => return Err(failed(error.to_string())),
            }
        }
        Ok(Locks { _files: files })
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
            params![run, state_word(state), now],
        )?;
        Ok(())
    }

    /// All runs, the latest last.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub(crate) fn runs(&self) -> Result<Vec<Run>, JournalError> {
        let ids: Vec<String> = {
            let database = self.database();
            let mut statement = database.prepare("SELECT id FROM runs ORDER BY started_at, id")?;
            statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
        };
        ids.iter().map(|id| self.run(id)).collect()
    }

    /// The runs that were cut off and change one of these accounts.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub(crate) fn unfinished(&self, accounts: &[&AccountId]) -> Result<Vec<Run>, JournalError> {
        let touches = |run: &Run| run.plan.accounts().iter().any(|account| accounts.contains(account));
        let runs = self.runs()?;
        Ok(runs.into_iter().filter(|run| run.state == RunState::Open && touches(run)).collect())
    }

    /// A run, by its id or the beginning of it.
    ///
    /// # Errors
    /// Where there is none, or several.
    pub(crate) fn run(&self, id: &str) -> Result<Run, JournalError> {
        let database = self.database();
        let found: Option<(String, String, String, Option<String>, String)> = database
            .query_row("SELECT id, state, started_at, finished_at, plan FROM runs WHERE id = ?1", [id], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
            })
            .optional()?;
        let Some((id, state, started_at, finished_at, plan)) = found else {
            return Err(JournalError::NoRun(id.to_owned()));
        };
        let content = |error: serde_json::Error| JournalError::Content(format!("run {id}: {error}"));
        let plan: Plan = serde_json::from_str(&plan).map_err(content)?;
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
        let state = match state.as_str() {
            "open" => RunState::Open,
            "finished" => RunState::Finished,
            "undone" => RunState::Undone,
            other => return Err(JournalError::Content(format!("run {id}: state {other:?}"))),
        };
        Ok(Run { plan, state, started_at, finished_at, records })
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

fn state_word(state: RunState) -> &'static str {
    match state {
        RunState::Open => "open",
        RunState::Finished => "finished",
        RunState::Undone => "undone",
    }
}
