//! One sweep at a time on one memory. The system lets go of the lock when the process ends, however it ends.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::HistoryError;
use crate::private;

/// Held while a sweep runs.
#[derive(Debug)]
pub struct SweepLock {
    /// Locked until it is closed.
    _file: File,
}

impl SweepLock {
    /// Takes the lock of the memory in this folder.
    ///
    /// # Errors
    /// Where another sweep has it, and where there can be none.
    pub fn take(folder: &Path) -> Result<Self, HistoryError> {
        let path = folder.join("sweep.lock");
        let failed = |source| HistoryError::Folder { path: path.clone(), source };
        private::make_folder(folder).map_err(failed)?;
        let file = private::open_file(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(HistoryError::Busy { path: folder.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sweeps_do_not_run_on_one_memory() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = SweepLock::take(folder.path()).expect("the lock");
        assert!(matches!(SweepLock::take(folder.path()), Err(HistoryError::Busy { .. })));
        drop(first);
        SweepLock::take(folder.path()).expect("the lock, again");
    }
}
