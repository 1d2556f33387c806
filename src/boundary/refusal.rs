//! Reasons for which a path is not read or written.

use std::fmt;
use std::io;

/// Why a path is not read or written.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It lies outside of the boundary; whether it exists is not told.
    Outside,
    /// It does not exist.
    Missing,
    /// It exists, and is to be created.
    Exists,
    /// It is a folder, a device, a socket or a pipe.
    NotAFile,
    /// It is a symbolic link, and is to be written.
    Link,
    /// Its symbolic links lead nowhere.
    Loop,
    /// It has more than so many bytes.
    Large(u64),
    /// It has more than so many values.
    Nodes(usize),
    /// It is not UTF-8 from this byte on.
    NotText(usize),
    /// The system refuses.
    Failed(io::Error),
}

impl Refusal {
    pub(super) fn of(error: io::Error) -> Self {
        match error.kind() {
            // A component that is a file has nothing below it.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing,
            io::ErrorKind::AlreadyExists => Self::Exists,
            _ => Self::Failed(error),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside => {
                formatter.write_str("it lies outside of its repository, or of the folder that may be read")
            }
            Self::Missing => formatter.write_str("no such file or folder"),
            Self::Exists => formatter.write_str("it already exists"),
            Self::NotAFile => formatter.write_str("it is not a file"),
            Self::Link => formatter.write_str("it is a symbolic link"),
            Self::Loop => formatter.write_str("its symbolic links lead in a circle"),
            Self::Large(most) => write!(formatter, "it is larger than {} MiB", most >> 20),
            Self::Nodes(most) => write!(formatter, "it has more than {most} values"),
            Self::NotText(byte) => write!(formatter, "it is not UTF-8 at byte {byte}"),
            Self::Failed(error) => write!(formatter, "failed to read it: {error}"),
        }
    }
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Failed(error) => error,
            Refusal::Missing => Self::new(io::ErrorKind::NotFound, "no such file or directory"),
            refusal => Self::new(io::ErrorKind::InvalidInput, refusal.to_string()),
        }
    }
}
