//! Why the memory cannot be used, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// A memory that cannot be used. It is never overwritten.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// Its folder cannot be used.
    #[error("failed to use {} for the history: {source}; name another folder with --state", path.display())]
    Folder {
        /// The folder, or a file in it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no history, or is damaged.
    #[error("the history {} is damaged or is no history ({reason}): restore it from a backup, or move it away to begin a new one", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// A newer version has written it.
    #[error("the history {} is of version {found}, this ssm-audit reads version {known}: use a newer ssm-audit, or another folder with --state", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The version that this program knows.
        known: i64,
    },
    /// There is none.
    #[error("there is no history in {}: `ssm-audit sweep` begins one; one elsewhere is named with --state", path.display())]
    None {
        /// The folder.
        path: PathBuf,
    },
    /// Another sweep is running on it.
    #[error("another sweep uses {}: wait for its end, or name another folder with --state", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// There is no such sweep.
    #[error("there is no sweep {0} in the history: `ssm-audit history list` lists them")]
    NoSweep(String),
    /// There is nothing to take up.
    #[error("there is no sweep to resume: the last one was not cut off; run it without --resume")]
    NothingToResume,
    /// The sweep that was cut off was about something else.
    #[error("sweep {sweep} was begun with other {what}: run without --resume to begin a new one")]
    OtherTerms {
        /// The sweep.
        sweep: i64,
        /// What is not the same.
        what: &'static str,
    },
    /// It cannot be read or written.
    #[error("failed to use the history {}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// What stands in it cannot be understood.
    #[error("the history {} holds what this ssm-audit cannot read: {source}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

impl HistoryError {
    pub(super) fn of(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { path, reason: source.to_string() }
            }
            _ => Self::Sqlite { path, source },
        }
    }
}
