//! SQLite files that ssm-audit keeps between runs: opened for reading or writing, checked, and private to their owner.
//! The tables, and the errors that users see, belong to whoever keeps the file.

use std::fs;
#[cfg(unix)]
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::private::{self, NEW};

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing is written: neither the file nor its folder need be writable.
    Read,
    /// The file is created where it is missing.
    Write,
}

/// Opens a file that exists, without looking into it.
///
/// # Errors
/// Where SQLite cannot open it.
pub(crate) fn open(path: &Path, access: Access) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if access == Access::Write {
        return Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_READ_WRITE);
    }
    let read = flags | OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = Connection::open_with_flags(path, read)?;
    match connection.pragma_query_value(None, "schema_version", |row| row.get::<_, i64>(0)) {
        // A file in write-ahead mode wants to write beside itself even to be read. Where nothing waits in its log, the
        // file holds everything and can be read as it is.
        Err(error) if needs_to_write(&error) && nothing_waits(path) => {
            let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
            let uri = format!("file:{}?immutable=1", percent_encoded(&path));
            Connection::open_with_flags(uri, read | OpenFlags::SQLITE_OPEN_URI)
        }
        Ok(_) | Err(_) => Ok(connection),
    }
}

/// Creates the file where it is missing, with what `prepare` puts into it, private to its owner. It appears whole or not at
/// all, so that an empty file is never taken for a new one.
///
/// # Errors
/// Where it cannot be written, or prepared.
pub(crate) fn create(path: &Path, prepare: impl FnOnce(&mut Connection) -> rusqlite::Result<()>) -> io::Result<()> {
    private::close_database(path)?;
    if path.try_exists()? {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let file = tempfile::Builder::new().prefix(NEW).tempfile_in(folder)?;
    let mut connection = Connection::open(file.path()).map_err(io::Error::other)?;
    prepare(&mut connection).map_err(io::Error::other)?;
    connection.close().map_err(|(_, error)| io::Error::other(error))?;
    match file.persist_noclobber(path) {
        Ok(file) => file.sync_all()?,
        // Another process was quicker.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error.error),
    }
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

fn needs_to_write(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

/// Returns `true` if neither a write-ahead log nor a rollback journal beside the file holds anything.
fn nothing_waits(path: &Path) -> bool {
    ["-wal", "-journal"].iter().all(|ending| match fs::metadata(beside(path, ending)) {
        Ok(about) => about.len() == 0,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    })
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The path for a `file:` URI.
fn percent_encoded(path: &Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let text = path.to_string_lossy().replace('\\', "/");
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The first complaint of SQLite about the structure of the file, if there is one.
///
/// # Errors
/// Where the file cannot be read.
pub(crate) fn complaint(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let said: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    Ok((said != "ok").then(|| said.lines().next().unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_folder_that_cannot_be_written_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a b%c.db");
        let table = "PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (7)";
        create(&path, |database| database.execute_batch(table)).expect("a database");
        assert!(nothing_waits(&path));
        let uri = format!("file:{}?immutable=1", percent_encoded(&path));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        for reader in [open(&path, Access::Read), Connection::open_with_flags(uri, flags)] {
            let x: i64 = reader.expect("it opens").query_row("SELECT x FROM t", [], |row| row.get(0)).expect("a row");
            assert_eq!(x, 7);
        }
    }

    #[test]
    fn what_waits_in_a_log_is_not_overlooked() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.db");
        std::fs::write(beside(&path, "-wal"), "something").expect("it is written");
        assert!(!nothing_waits(&path));
    }
}
