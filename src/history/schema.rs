//! The tables, and how older ones become present ones.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::HistoryError;
use crate::sqlite::{self, Access};

/// Says in the header of the file that it is ours: `ssma`.
const APPLICATION_ID: i64 = 0x7373_6d61;

/// What makes each version of the one before. Released ones are never changed; the last one's number is the version.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE sweeps (
        id INTEGER PRIMARY KEY,
        started_at TEXT NOT NULL,
        finished_at TEXT,
        state TEXT NOT NULL CHECK (state IN ('running', 'merging', 'finished', 'abandoned')),
        policy TEXT NOT NULL,
        rules_digest TEXT NOT NULL,
        tool_version TEXT NOT NULL,
        choice TEXT NOT NULL,
        waivers TEXT NOT NULL,
        include_pass INTEGER NOT NULL,
        left_out TEXT NOT NULL DEFAULT '[]',
        -- What writers of reports say of the rules.
        information INTEGER NOT NULL REFERENCES bodies,
        -- What it came to, as JSON, once it is finished: looks may be forgotten.
        totals TEXT
    ) STRICT;

    -- What is to be told of a sweep, and what came of it.
    CREATE TABLE notifications (
        sweep INTEGER PRIMARY KEY REFERENCES sweeps ON DELETE CASCADE,
        state TEXT NOT NULL CHECK (state IN ('due', 'sending', 'sent', 'lost'))
    ) STRICT;

    -- The rules that a sweep held, by their oldest id.
    CREATE TABLE rules (
        sweep INTEGER NOT NULL REFERENCES sweeps ON DELETE CASCADE,
        rule TEXT NOT NULL,
        digest TEXT NOT NULL,
        PRIMARY KEY (sweep, rule)
    ) STRICT, WITHOUT ROWID;

    -- What a sweep saw of an account. An account that nobody could name has a subject of its own.
    CREATE TABLE looks (
        id INTEGER PRIMARY KEY,
        sweep INTEGER NOT NULL REFERENCES sweeps,
        account TEXT NOT NULL,
        subject TEXT NOT NULL,
        name TEXT,
        -- The sweep whose rules were held when the account was last read, and the regions that were ever read.
        rules INTEGER REFERENCES sweeps,
        regions TEXT NOT NULL,
        passes INTEGER NOT NULL,
        not_applicable INTEGER NOT NULL,
        UNIQUE (sweep, account, subject)
    ) STRICT;
    CREATE INDEX looks_of_subject ON looks (subject, sweep);

    CREATE TABLE scopes (
        look INTEGER NOT NULL REFERENCES looks ON DELETE CASCADE,
        region TEXT NOT NULL,
        body TEXT NOT NULL,
        read INTEGER NOT NULL,
        complete INTEGER NOT NULL,
        PRIMARY KEY (look, region)
    ) STRICT, WITHOUT ROWID;

    -- What findings and rules say, as JSON, each once.
    CREATE TABLE bodies (
        id INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,
        text TEXT NOT NULL
    ) STRICT;

    -- In the order of the report. The verdict is null where the look judged nothing: what is fixed or stale.
    CREATE TABLE findings (
        look INTEGER NOT NULL REFERENCES looks ON DELETE CASCADE,
        region TEXT NOT NULL,
        type TEXT NOT NULL,
        resource TEXT NOT NULL,
        rule TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        oldest TEXT NOT NULL,
        verdict TEXT,
        severity INTEGER NOT NULL,
        standing TEXT NOT NULL,
        because TEXT,
        since TEXT,
        seen TEXT,
        -- The regions that a resource without one was judged over.
        regions TEXT,
        body INTEGER NOT NULL,
        known INTEGER,
        PRIMARY KEY (look, region, type, resource, rule, fingerprint)
    ) STRICT, WITHOUT ROWID;
",
    "
    -- Which configuration, rules, flags and waivers a sweep used, as JSON. Sweeps of older versions do not say.
    ALTER TABLE sweeps ADD COLUMN provenance TEXT;
",
];

/// Opens the file; for writing it is made or brought up to date where that is needed and can be done.
pub(super) fn open(path: &Path, access: Access) -> Result<Connection, HistoryError> {
    let failed = |error| HistoryError::of(path, error);
    if access == Access::Write {
        let made = sqlite::create(path, |connection| migrate(connection, 0));
        made.map_err(|source| HistoryError::Folder { path: path.to_owned(), source })?;
    }
    let mut connection = sqlite::open(path, access).map_err(failed)?;
    connection.busy_timeout(Duration::from_secs(30)).map_err(failed)?;
    let version = examine(&connection, path)?;
    if access == Access::Read {
        // One of an earlier version is brought up to date before it can be read.
        let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        return if version < known { open(path, Access::Write) } else { Ok(connection) };
    }
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
    migrate(&mut connection, version).map_err(failed)?;
    Ok(connection)
}

/// Refuses what is no sound history of a version that is known; gives its version.
fn examine(connection: &Connection, path: &Path) -> Result<i64, HistoryError> {
    let failed = |error| HistoryError::of(path, error);
    let damaged = |reason: String| HistoryError::Damaged { path: path.to_owned(), reason };
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(failed);
    let (application, version) = (number("application_id")?, number("user_version")?);
    if (application, number("schema_version")?) == (0, 0) {
        return Err(damaged("it is empty".to_owned()));
    }
    if application != APPLICATION_ID {
        return Err(damaged("another program's file".to_owned()));
    }
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if version > known {
        return Err(HistoryError::Newer { path: path.to_owned(), found: version, known });
    }
    match sqlite::complaint(connection).map_err(|error| damaged(error.to_string()))? {
        None => Ok(version),
        Some(reason) => Err(damaged(reason)),
    }
}

fn migrate(connection: &mut Connection, version: i64) -> rusqlite::Result<()> {
    let done = usize::try_from(version).unwrap_or_default();
    if done == MIGRATIONS.len() {
        return Ok(());
    }
    // Nobody sees a version half made, and of two that begin at once one does it.
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = usize::try_from(version).unwrap_or_default();
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX))?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_history_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history.sqlite");
        std::fs::write(&path, "not a database, and long enough to have a header of a hundred bytes ".repeat(4))
            .expect("it is written");
        let before = std::fs::read(&path).expect("the file");
        assert!(matches!(open(&path, Access::Write), Err(HistoryError::Damaged { .. })));
        assert_eq!(std::fs::read(&path).expect("the file"), before);

        let other = folder.path().join("other.sqlite");
        Connection::open(&other).expect("a database").execute_batch("CREATE TABLE t (x)").expect("a table");
        assert!(matches!(open(&other, Access::Write), Err(HistoryError::Damaged { .. })));
    }

    #[test]
    fn a_newer_one_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history.sqlite");
        let connection = open(&path, Access::Write).expect("a history");
        connection.pragma_update(None, "user_version", 99).expect("a version");
        drop(connection);
        assert!(matches!(open(&path, Access::Write), Err(HistoryError::Newer { found: 99, .. })));
    }

    #[test]
    fn an_empty_or_shortened_file_is_no_new_history() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history.sqlite");
        drop(open(&path, Access::Write).expect("a history"));
        let whole = std::fs::read(&path).expect("the file");
        for length in (0..whole.len()).step_by(1021) {
            std::fs::write(&path, &whole[..length]).expect("it is written");
            for access in [Access::Read, Access::Write] {
                assert!(open(&path, access).is_err(), "{length} bytes of {} are taken for a history", whole.len());
            }
            assert_eq!(std::fs::read(&path).expect("the file").len(), length);
        }
    }

    #[test]
    fn a_page_that_was_overwritten_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history.sqlite");
        drop(open(&path, Access::Write).expect("a history"));
        let mut bytes = std::fs::read(&path).expect("the file");
        let middle = bytes.len() / 2 / 4096 * 4096;
        bytes[middle..middle + 2048].fill(0xa5);
        std::fs::write(&path, &bytes).expect("it is written");
        assert!(matches!(open(&path, Access::Write), Err(HistoryError::Damaged { .. })));
        assert_eq!(std::fs::read(&path).expect("the file"), bytes);
    }
}
