//! Why the journal cannot be used, and what to do about it. Whatever is wrong with it, it is never written over.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::model::AccountId;

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Its folder cannot be made.
    #[error("failed to make the folder {} for the journal: {source}; name one that you may write to with --state", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be opened.
    #[error("failed to open the journal {}: {reason}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// It is damaged.
    #[error("the journal {} is damaged ({reason}): nothing was done; move its folder away and keep it, as only it says what runs did", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// Rows of it were lost or changed by something else than ssm-audit.
    #[error(
        "the journal {} is not as it was written ({}): nothing was done; restore the whole file, or move its folder away and \
         keep it. What runs made in an account carries the run's id in the tag `ssm-audit:plan`",
        path.display(), runs.join(", ")
    )]
    Altered {
        /// The file.
        path: PathBuf,
        /// The runs that do not match.
        runs: Vec<String>,
    },
    /// It was written by a later version.
    #[error("the journal {} was written by a later version of ssm-audit: use that one, or another folder with --state", .0.display())]
    Newer(PathBuf),
    /// It is a database of something else.
    #[error("{} is not a journal of ssm-audit: use another folder with --state", .0.display())]
    Foreign(PathBuf),
    /// It cannot be read or written.
    #[error("failed to use the journal: {}; nothing more was done", explained(.0))]
    Database(#[from] rusqlite::Error),
    /// What stands in it is not what this version writes.
    #[error("the journal holds something that cannot be understood ({0}): move its folder away and keep it")]
    Content(String),
    /// There is no such run.
    #[error("there is no run `{id}` in {}; `ssm-audit runs list` lists them", path.display())]
    NoRun {
        /// What was asked for.
        id: String,
        /// The journal.
        path: PathBuf,
    },
    /// Several runs begin so.
    #[error("several runs begin with `{id}`: {}; give more of the id", runs.join(", "))]
    Ambiguous {
        /// What was asked for.
        id: String,
        /// The runs.
        runs: Vec<String>,
    },
    /// Another process changes the account.
    #[error("another ssm-audit is changing account {0}: wait for it to end; `ssm-audit runs list` names its run")]
    Busy(AccountId),
}

impl JournalError {
    /// What kept this file from being opened.
    pub(crate) fn of(path: &Path, error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Damaged { path: path.to_owned(), reason: error.to_string() }
            }
            _ => Self::Open { path: path.to_owned(), reason: explained(error) },
        }
    }
}

/// The advice where a file or folder cannot be written.
pub(super) const WRITABLE: &str = "it must be one that you may write to, or name another folder with --state";

/// What went wrong, and what to do about it.
fn explained(error: &rusqlite::Error) -> String {
    let advice = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "; free some space",
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            return format!("{error}; {WRITABLE}");
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "; another process keeps it locked: wait for it to end"
        }
        Some(ErrorCode::SystemIoFailure) => "; the disk may be full or failing",
        _ => "",
    };
    format!("{error}{advice}")
}
