//! The right to change an account: one process at a time. The operating system gives it back however that ends.

use std::fs::{File, TryLockError};
use std::io;
use std::thread::sleep;
use std::time::Duration;

use super::{Journal, JournalError, WRITABLE};
use crate::model::AccountId;
use crate::private;

/// How often a lock is tried: somebody who only looks whether it is held may hold it for a moment.
const ATTEMPTS: u32 = 10;

/// The right to change these accounts, until it is dropped.
#[derive(Debug)]
pub(crate) struct Locks {
    _files: Vec<File>,
}

impl Journal {
    /// Takes the locks of these accounts.
    ///
    /// # Errors
    /// Where another process holds one.
    pub(crate) fn lock<'a>(&self, accounts: impl IntoIterator<Item = &'a AccountId>) -> Result<Locks, JournalError> {
        let mut files = Vec::new();
        for account in accounts {
            let failed = |source: io::Error| JournalError::Open {
                path: self.lock_path(account),
                reason: format!("{source}; {WRITABLE}"),
            };
            let file = private::open_file(&self.lock_path(account)).map_err(failed)?;
            let mut attempts = 1;
            loop {
                match file.try_lock() {
                    Ok(()) => break,
                    Err(TryLockError::WouldBlock) if attempts < ATTEMPTS => sleep(Duration::from_millis(20)),
                    Err(TryLockError::WouldBlock) => return Err(JournalError::Busy(account.clone())),
                    Err(TryLockError::Error(error)) => return Err(failed(error)),
                }
                attempts += 1;
            }
            files.push(file);
        }
        Ok(Locks { _files: files })
    }

    /// Whether a process holds the lock of one of these accounts.
    pub(crate) fn is_locked<'a>(&self, accounts: impl IntoIterator<Item = &'a AccountId>) -> bool {
        accounts.into_iter().any(|account| {
            let file = File::open(self.lock_path(account));
            file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
        })
    }

    fn lock_path(&self, account: &AccountId) -> std::path::PathBuf {
        self.folder.join(format!("{account}.lock"))
    }
}
