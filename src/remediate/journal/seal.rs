//! Seals of runs: the number of the rows that a run has in the journal, and a digest over all of them, kept up to date in
//! the transaction that changes them. A file that was put together from older and newer parts, or that lost rows, does
//! not match its seals and is refused. It is a check against damage, not against somebody who may write the file.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use sha2::{Digest, Sha256};

/// The rows of a run, table by table. The digests of rows are combined by exclusive or, so that a changed row costs as
/// much however long the run is.
const ROWS: [&str; 3] = [
    "SELECT 'run', * FROM runs WHERE id = ?1",
    "SELECT 'step', * FROM steps WHERE run = ?1",
    "SELECT 'call', * FROM calls WHERE run = ?1",
];

/// One row of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// The run itself.
    Run,
    /// A step, by its number.
    Step(i64),
    /// A call, by its sequence.
    Call(i64),
}

/// What the rows of a run come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Seal {
    rows: i64,
    digest: [u8; 32],
}

impl Seal {
    fn add(&mut self, row: [u8; 32]) {
        self.rows += 1;
        self.fold(row);
    }

    fn fold(&mut self, row: [u8; 32]) {
        self.digest.iter_mut().zip(row).for_each(|(sum, byte)| *sum ^= byte);
    }
}

/// Changes one row of a run, and the run's seal with it.
pub(crate) fn change<T>(
    transaction: &Transaction<'_>,
    run: &str,
    part: Part,
    change: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let before = row(transaction, run, part)?;
    let done = change()?;
    let after = row(transaction, run, part)?;
    let mut seal = stored(transaction, run)?.unwrap_or_default();
    for row in before.iter().chain(&after) {
        seal.fold(*row);
    }
    seal.rows += i64::from(after.is_some()) - i64::from(before.is_some());
    store(transaction, run, seal)?;
    Ok(done)
}

/// Seals a run as it is.
pub(crate) fn set(transaction: &Transaction<'_>, run: &str) -> rusqlite::Result<()> {
    store(transaction, run, computed(transaction, run)?)
}

/// The runs that are not as they were written, and `the list of runs` where whole ones are missing.
pub(crate) fn broken(database: &mut Connection) -> rusqlite::Result<Vec<String>> {
    // In one transaction, or a run that is under way would change in between.
    let transaction = database.transaction()?;
    let mut statement = transaction.prepare(
        "SELECT id FROM runs UNION SELECT run FROM seals UNION SELECT run FROM steps UNION SELECT run FROM calls",
    )?;
    let ids: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut broken = Vec::new();
    for id in &ids {
        if stored(&transaction, id)? != Some(computed(&transaction, id)?) {
            broken.push(id.clone());
        }
    }
    let expected: Option<i64> = transaction.query_row("SELECT runs FROM journal", [], |row| row.get(0)).optional()?;
    if expected != i64::try_from(ids.len()).ok() {
        broken.push("the list of runs".to_owned());
    }
    Ok(broken)
}

fn computed(database: &Connection, run: &str) -> rusqlite::Result<Seal> {
    let mut seal = Seal::default();
    for query in ROWS {
        let mut statement = database.prepare_cached(query)?;
        let columns = statement.column_count();
        let mut rows = statement.query([run])?;
        while let Some(row) = rows.next()? {
            seal.add(digest(row, columns)?);
        }
    }
    Ok(seal)
}

fn row(database: &Connection, run: &str, part: Part) -> rusqlite::Result<Option<[u8; 32]>> {
    let [of_run, of_step, of_call] = ROWS;
    let (query, number) = match part {
        Part::Run => (format!("{of_run} AND ?2 = ?2"), 0),
        Part::Step(number) => (format!("{of_step} AND number = ?2"), number),
        Part::Call(sequence) => (format!("{of_call} AND sequence = ?2"), sequence),
    };
    let mut statement = database.prepare_cached(&query)?;
    let columns = statement.column_count();
    statement.query_row(params![run, number], |row| digest(row, columns)).optional()
}

fn stored(database: &Connection, run: &str) -> rusqlite::Result<Option<Seal>> {
    let query = "SELECT rows, digest FROM seals WHERE run = ?1";
    let mut statement = database.prepare_cached(query)?;
    statement.query_row([run], |row| Ok(Seal { rows: row.get(0)?, digest: row.get(1)? })).optional()
}

fn store(transaction: &Transaction<'_>, run: &str, seal: Seal) -> rusqlite::Result<()> {
    let query = "INSERT INTO seals (run, rows, digest) VALUES (?1, ?2, ?3)
                 ON CONFLICT (run) DO UPDATE SET rows = ?2, digest = ?3";
    transaction.prepare_cached(query)?.execute(params![run, seal.rows, seal.digest])?;
    Ok(())
}

/// The digest of a row: each value with its type and its length.
fn digest(row: &Row<'_>, columns: usize) -> rusqlite::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    for column in 0..columns {
        let (kind, bytes): (u8, Vec<u8>) = match row.get_ref(column)? {
            ValueRef::Null => (0, Vec::new()),
            ValueRef::Integer(number) => (1, number.to_be_bytes().to_vec()),
            ValueRef::Real(number) => (2, number.to_be_bytes().to_vec()),
            ValueRef::Text(text) => (3, text.to_vec()),
            ValueRef::Blob(bytes) => (4, bytes.to_vec()),
        };
        hasher.update([kind]);
        hasher.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(&bytes);
    }
    Ok(hasher.finalize().into())
}
