//! The tables, and how older ones become present ones.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::HistoryError;

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

/// Opens the file, made or brought up to date where that is needed and can be done.
pub(super) fn open(path: &Path) -> Result<Connection, HistoryError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error| HistoryError::of(path, error);
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(failed);
    let (application, version, tables) =
        (number("application_id")?, number("user_version")?, number("schema_version")?);
    if application != APPLICATION_ID && (application, version, tables) != (0, 0, 0) {
        return Err(HistoryError::Damaged { path: path.to_owned(), reason: "another program's file".to_owned() });
    }
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if version > known {
        return Err(HistoryError::Newer { path: path.to_owned(), found: version, known });
    }
    let sound = connection
        .pragma_query_value(None, "quick_check", |row| row.get::<_, String>(0))
        .map_err(|error| HistoryError::Damaged { path: path.to_owned(), reason: error.to_string() })?;
    if sound != "ok" {
        // The first of many lines says it.
        let reason = sound.lines().next().unwrap_or_default().to_owned();
        return Err(HistoryError::Damaged { path: path.to_owned(), reason });
    }
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
    connection.busy_timeout(std::time::Duration::from_secs(30)).map_err(failed)?;
    migrate(&mut connection, version).map_err(failed)?;
    Ok(connection)
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
        assert!(matches!(open(&path), Err(HistoryError::Damaged { .. })));
        assert_eq!(std::fs::read(&path).expect("the file"), before);

        let other = folder.path().join("other.sqlite");
        Connection::open(&other).expect("a database").execute_batch("CREATE TABLE t (x)").expect("a table");
        assert!(matches!(open(&other), Err(HistoryError::Damaged { .. })));
    }

    #[test]
    fn a_newer_one_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history.sqlite");
        let connection = open(&path).expect("a history");
        connection.pragma_update(None, "user_version", 99).expect("a version");
        drop(connection);
        assert!(matches!(open(&path), Err(HistoryError::Newer { found: 99, .. })));
    }

    #[test]
    fn a_page_that_was_overwritten_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history.sqlite");
        drop(open(&path).expect("a history"));
        let mut bytes = std::fs::read(&path).expect("the file");
        let middle = bytes.len() / 2 / 4096 * 4096;
        bytes[middle..middle + 2048].fill(0xa5);
        std::fs::write(&path, &bytes).expect("it is written");
        assert!(matches!(open(&path), Err(HistoryError::Damaged { .. })));
        assert_eq!(std::fs::read(&path).expect("the file"), bytes);
    }
}
