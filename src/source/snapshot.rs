//! Snapshots: inventories saved to a file by `collect`, and read again by `scan`.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::Inventory;

/// The `kind` that every snapshot begins with.
pub const KIND: &str = "ssm-audit/snapshot";
/// The version of the format.
pub const SCHEMA_VERSION: u32 = 1;

/// A snapshot: what was read of one or more accounts.
#[derive(Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// `ssm-audit/snapshot`
    pub kind: String,
    /// 1
    pub schema_version: u32,
    /// The version of the tool that wrote it.
    pub tool_version: String,
    /// What was read.
    pub inventories: Vec<Inventory>,
}

/// A file that is not a snapshot that can be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It cannot be read.
    #[error("failed to read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not JSON, or not of the right form.
    #[error("{}:{}:{}: not a snapshot: {source}; write one with `ssm-audit collect -o FILE`", path.display(), source.line(), source.column())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// It is something else.
    #[error("{} is of kind {found:?}, expected {KIND:?}; write a snapshot with `ssm-audit collect -o FILE`", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// What it says that it is.
        found: String,
    },
    /// It is of another version.
    #[error("{} is a snapshot of version {found}, this ssm-audit reads version {SCHEMA_VERSION}; {}", path.display(), advice(*found))]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// An attribute is not of the right type.
    #[error("{}: {}: {}; the snapshot was changed by hand or is damaged: collect it again", path.display(), source.path(), source.inner())]
    Attribute {
        /// The file.
        path: PathBuf,
        /// Which attribute, and what is wrong with it.
        source: Box<serde_path_to_error::Error<serde_json::Error>>,
    },
}

fn advice(found: u32) -> &'static str {
    if found > SCHEMA_VERSION { "use a newer ssm-audit" } else { "collect it again" }
}

/// What every file of ours begins with.
#[derive(Deserialize)]
struct Header {
    kind: String,
    schema_version: u32,
}

/// Writes inventories as a snapshot.
///
/// # Errors
/// Where it cannot be written.
pub fn write(inventories: &[Inventory], out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Written<'a> {
        kind: &'static str,
        schema_version: u32,
        tool_version: &'static str,
        inventories: &'a [Inventory],
    }
    let snapshot =
        Written { kind: KIND, schema_version: SCHEMA_VERSION, tool_version: env!("CARGO_PKG_VERSION"), inventories };
    serde_json::to_writer(&mut *out, &snapshot)?;
    writeln!(out)
}

/// Reads a snapshot.
///
/// # Errors
/// Where the file is not one that this version can use.
pub fn read(path: &Path) -> Result<Snapshot, SnapshotError> {
    let open = || {
        let file = File::open(path).and_then(|file| {
            let metadata = file.metadata()?;
            if metadata.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(file) }
        });
        file.map(BufReader::new).map_err(|source| SnapshotError::Unreadable { path: path.to_owned(), source })
    };
    // The header first, on its own: a newer file may be of a form that this version cannot read.
    let header: Header = serde_json::from_reader(open()?).map_err(|source| malformed(path, source))?;
    if header.kind != KIND {
        return Err(SnapshotError::Kind { path: path.to_owned(), found: header.kind });
    }
    if header.schema_version != SCHEMA_VERSION {
        return Err(SnapshotError::Version { path: path.to_owned(), found: header.schema_version });
    }
    let mut deserializer = serde_json::Deserializer::from_reader(open()?);
    serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|source| SnapshotError::Attribute { path: path.to_owned(), source: Box::new(source) })
}

fn malformed(path: &Path, source: serde_json::Error) -> SnapshotError {
    if source.is_io() {
        return SnapshotError::Unreadable { path: path.to_owned(), source: source.into() };
    }
    SnapshotError::Malformed { path: path.to_owned(), source }
}
