//! Files that this tool writes and reads again: each begins with what it is and of which version, and what is wrong
//! with one is said with its place and with what to do.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Take};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A form of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// The `kind` that every such file begins with.
    pub kind: &'static str,
    /// The version that this tool writes and reads.
    pub version: u32,
    /// What it is called.
    pub noun: &'static str,
    /// How one is made, after "write one with".
    pub made_with: &'static str,
    /// The largest size of a file, in MiB. In memory it takes several times as much.
    pub most_mib: u64,
}

/// A file that is not one that can be used.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// It cannot be read.
    #[error("failed to read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not JSON, or does not begin as it should.
    #[error("{}:{}:{}: not a {}: {source}; write one with `{}`", path.display(), source.line(), source.column(), form.noun, form.made_with)]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should be.
        form: &'static Form,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// It is something else.
    #[error("{} is of kind {found:?}, expected {:?}; write one with `{}`", path.display(), form.kind, form.made_with)]
    Kind {
        /// The file.
        path: PathBuf,
        /// What it should be.
        form: &'static Form,
        /// What it says that it is.
        found: String,
    },
    /// It is of another version.
    #[error("{} is a {} of version {found}, this ssm-audit reads version {}; {}", path.display(), form.noun, form.version, advice(*found, form))]
    Version {
        /// The file.
        path: PathBuf,
        /// What it should be.
        form: &'static Form,
        /// Its version.
        found: u32,
    },
    /// Something in it is not as it should be.
    #[error("{}: {}: {}; the {} was changed by hand or is damaged: make it again with `{}`", path.display(), source.path(), short(source.inner()), form.noun, form.made_with)]
    Member {
        /// The file.
        path: PathBuf,
        /// What it should be.
        form: &'static Form,
        /// Where in it, and what is wrong there.
        source: Box<serde_path_to_error::Error<serde_json::Error>>,
    },
    /// It does not hold together.
    #[error("{}: {member}: {problem}; the {} was changed by hand or is damaged: make it again with `{}`", path.display(), form.noun, form.made_with)]
    Content {
        /// The file.
        path: PathBuf,
        /// What it should be.
        form: &'static Form,
        /// Where in it.
        member: String,
        /// What is wrong there.
        problem: String,
    },
}

/// What is wrong, without a list of all that would be right where that is long.
fn short(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.split_once(", expected one of ") {
        Some((problem, list)) if list.matches('`').count() > 30 => {
            let place = list.rsplit_once(" at line ").map(|(_, place)| format!(" at line {place}")).unwrap_or_default();
            format!("{problem}{place}")
        }
        _ => text,
    }
}

fn advice(found: u32, form: &Form) -> String {
    if found > form.version {
        "use a newer ssm-audit".to_owned()
    } else {
        format!("make it again with `{}`", form.made_with)
    }
}

/// What every file of ours begins with.
#[derive(Deserialize)]
struct Header {
    kind: String,
    schema_version: u32,
}

impl Form {
    /// Reads such a file.
    ///
    /// # Errors
    /// Where the file is not one that this version can use.
    pub fn read<T: DeserializeOwned>(&'static self, path: &Path) -> Result<T, SavedError> {
        let file = path.to_owned();
        // The header first, on its own: a newer file may be of a form that this version cannot read.
        let header: Header =
            serde_json::from_reader(self.open(path)?).map_err(|source| self.malformed(path, source))?;
        if header.kind != self.kind {
            return Err(SavedError::Kind { path: file, form: self, found: header.kind });
        }
        if header.schema_version != self.version {
            return Err(SavedError::Version { path: file, form: self, found: header.schema_version });
        }
        let mut deserializer = serde_json::Deserializer::from_reader(self.open(path)?);
        serde_path_to_error::deserialize(&mut deserializer).map_err(|source| SavedError::Member {
            path: file,
            form: self,
            source: Box::new(source),
        })
    }

    /// The kind that a file says it is of; none where it says nothing.
    pub fn kind_of(path: &Path) -> Option<String> {
        const MOST: u64 = 256 << 20;
        let header: Header = serde_json::from_reader(open(path).ok()?.take(MOST)).ok()?;
        Some(header.kind)
    }

    /// Opens a file that is not too large. What has no size, such as a pipe, is read up to that.
    fn open(&self, path: &Path) -> Result<BufReader<Take<File>>, SavedError> {
        let file = open(path)?.into_inner();
        let most = self.most_mib << 20;
        if file.metadata().is_ok_and(|about| about.len() > most) {
            let message = format!("it is larger than {} MiB, which no {} is", self.most_mib, self.noun);
            let source = io::Error::new(io::ErrorKind::FileTooLarge, message);
            return Err(SavedError::Unreadable { path: path.to_owned(), source });
        }
        Ok(BufReader::new(file.take(most)))
    }

    fn malformed(&'static self, path: &Path, source: serde_json::Error) -> SavedError {
        if source.is_io() {
            return SavedError::Unreadable { path: path.to_owned(), source: source.into() };
        }
        SavedError::Malformed { path: path.to_owned(), form: self, source }
    }
}

fn open(path: &Path) -> Result<BufReader<File>, SavedError> {
    let file = File::open(path).and_then(|file| {
        let metadata = file.metadata()?;
        if metadata.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(file) }
    });
    file.map(BufReader::new).map_err(|source| SavedError::Unreadable { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    static FORM: Form =
        Form { kind: "ssm-audit/note", version: 1, noun: "note", made_with: "ssm-audit note", most_mib: 1 };

    #[derive(Debug, Deserialize)]
    struct Note {
        text: String,
    }

    #[test]
    fn a_file_that_is_too_large_is_refused_before_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("note.json");
        let note = |length: usize| {
            let text = "x".repeat(length);
            std::fs::write(&path, format!(r#"{{"kind":"ssm-audit/note","schema_version":1,"text":"{text}"}}"#))
                .unwrap();
            FORM.read::<Note>(&path)
        };
        assert_eq!(note(1000).unwrap().text.len(), 1000);
        let problem = note(1 << 20).unwrap_err().to_string();
        assert!(problem.ends_with("it is larger than 1 MiB, which no note is"), "{problem}");
        // It takes no room on the disk, and would take all of the memory.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let problem = FORM.read::<Note>(&path).unwrap_err().to_string();
        assert!(problem.ends_with("it is larger than 1 MiB, which no note is"), "{problem}");
        assert_eq!(Form::kind_of(&path), None);
    }
}
