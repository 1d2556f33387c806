//! Sandbox for paths that untrusted code names: the only way from a path in Terraform source, or in a configuration
//! that was found by search, to the bytes of a file.
//!
//! A boundary is the repository that holds the scanned folder, or the folder that `--root` names. Without either it is
//! the scanned folder, and the folders of the local modules that it calls. Symbolic links are resolved before the check,
//! and nothing outside is looked at: an answer never tells whether a file outside exists. `.git` is outside, and so are
//! `/proc`, `/dev`, `/sys`, devices, sockets and pipes. Files are opened component by component without following
//! links, so a link that is planted between the check and the open is refused.
//!
//! On Windows the same checks are made, but files are opened by their resolved path.

mod named;
mod open;
mod refusal;
mod replace;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

pub(crate) use named::{check_named, read_named, read_named_json};
pub(crate) use open::is_regular;
pub(crate) use refusal::Refusal;
pub(crate) use replace::write_file;

use crate::repository::Repository;

/// The largest file that is read.
pub(crate) const LARGEST: u64 = crate::repository::LARGEST;

/// The most symbolic links that one path may lead through, as in Linux.
const MOST_LINKS: usize = 40;

/// Folders of the system that hold no code.
const SYSTEM: &[&str] = &["/proc", "/dev", "/sys"];

/// The folders that code may read from.
#[derive(Debug, Clone)]
pub struct Boundary {
    /// The outermost folder, without symbolic links.
    top: PathBuf,
    /// Folders beside it that may be read too.
    admitted: Vec<PathBuf>,
    /// Whether the top is a repository, or was named: then nothing else is admitted.
    is_fixed: bool,
    /// The folder that is scanned and those above it, as the user names them and as they are; the longest first.
    aliases: Vec<(PathBuf, PathBuf)>,
}

/// A place inside of a boundary, without symbolic links.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Inside {
    /// The folder of the boundary.
    folder: PathBuf,
    /// The path from there.
    below: PathBuf,
}

impl Inside {
    fn path(&self) -> PathBuf {
        if self.below.as_os_str().is_empty() { self.folder.clone() } else { self.folder.join(&self.below) }
    }
}

impl Boundary {
    /// The boundary of the code in this folder.
    ///
    /// # Errors
    /// Where the folder does not exist, or does not lie in the named one.
    pub fn of(folder: &Path, named: Option<&Path>) -> io::Result<Self> {
        let real = fs::canonicalize(on_disk(folder))?;
        let (top, is_fixed) = match named {
            Some(named) => (fs::canonicalize(on_disk(named))?, true),
            None => match Repository::above(&real) {
                Some(repository) => (repository.top().to_owned(), true),
                None => (real.clone(), false),
            },
        };
        if !real.starts_with(&top) {
            let message = format!("{} does not lie in {}", folder.display(), top.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let aliases = folder
            .ancestors()
            .filter_map(|path| Some((path.to_owned(), fs::canonicalize(on_disk(path)).ok()?)))
            .collect();
        Ok(Self { top, admitted: Vec::new(), is_fixed, aliases })
    }

    /// The outermost folder.
    pub fn top(&self) -> &Path {
        &self.top
    }

    /// Admits the folder of a local module, where the boundary is the scanned folder alone. Folders above the scanned
    /// one and folders without code are not admitted.
    pub(crate) fn admit(&mut self, module: &Path) {
        if self.is_fixed || self.resolve(module).is_ok() {
            return;
        }
        let Ok(real) = fs::canonicalize(self.without_alias(module)) else { return };
        let holds_code = || {
            let names = fs::read_dir(&real).into_iter().flatten().filter_map(Result::ok);
            // Terraform takes these endings as they are written.
            let ends = |name: &[u8]| [&b".tf"[..], b".tf.json"].iter().any(|ending| name.ends_with(ending));
            let is_code = |name: &OsStr| ends(name.as_encoded_bytes());
            names
                .filter(|entry| is_code(&entry.file_name()))
                .any(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        };
        if !self.top.starts_with(&real) && !is_of_the_system(&real) && !in_git(&real) && holds_code() {
            self.admitted.push(real);
        }
    }

    /// The real path of what this path names.
    ///
    /// # Errors
    /// Where it lies outside, or does not exist.
    pub(crate) fn resolve(&self, path: &Path) -> Result<PathBuf, Refusal> {
        self.find(path).map(|inside| inside.path())
    }

    /// Opens a file.
    ///
    /// # Errors
    /// Where it lies outside, is no file or cannot be opened.
    pub(crate) fn open(&self, path: &Path) -> Result<File, Refusal> {
        let inside = self.find(path)?;
        open::below(&inside.folder, &inside.below)
    }

    /// Reads a file of at most so many bytes.
    ///
    /// # Errors
    /// Where it lies outside, is no file, is larger or cannot be read.
    pub(crate) fn read(&self, path: &Path, most: u64) -> Result<Vec<u8>, Refusal> {
        read(self.open(path)?, most)
    }

    /// Returns how many bytes a file has.
    ///
    /// # Errors
    /// Where it lies outside, is no file or cannot be opened.
    pub(crate) fn length(&self, path: &Path) -> Result<u64, Refusal> {
        self.open(path)?.metadata().map(|about| about.len()).map_err(Refusal::of)
    }

    /// Reads a text, without its byte order mark.
    ///
    /// # Errors
    /// Where it cannot be read, or is not UTF-8.
    pub(crate) fn text(&self, path: &Path) -> Result<String, Refusal> {
        self.text_of_at_most(path, LARGEST)
    }

    /// Reads a text of at most so many bytes, without its byte order mark.
    ///
    /// # Errors
    /// Where it cannot be read, is larger, or is not UTF-8.
    pub(crate) fn text_of_at_most(&self, path: &Path, most: u64) -> Result<String, Refusal> {
        text(self.read(path, most)?)
    }

    /// Reads a text in JSON, if what it comes to has room.
    ///
    /// # Errors
    /// Where it cannot be read, or is too large.
    pub(crate) fn json(&self, path: &Path) -> Result<String, Refusal> {
        self.text_of_at_most(path, named::LARGEST_JSON).and_then(named::bounded)
    }

    /// Returns `true` if the path names a file that may be read.
    ///
    /// # Errors
    /// Where that cannot be told, since the path leads outside.
    pub(crate) fn is_file(&self, path: &Path) -> Result<bool, Refusal> {
        match self.open(path) {
            Ok(_) => Ok(true),
            Err(Refusal::Missing) => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }

    /// The names in a folder, sorted.
    ///
    /// # Errors
    /// Where it lies outside, or cannot be listed.
    pub(crate) fn names(&self, folder: &Path) -> Result<Vec<OsString>, Refusal> {
        let names = fs::read_dir(self.resolve(folder)?).map_err(Refusal::of)?;
        let mut names =
            names.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>().map_err(Refusal::of)?;
        names.sort();
        Ok(names)
    }

    /// Replaces the content of a file that exists, which keeps its mode.
    ///
    /// # Errors
    /// Where it lies outside, is a symbolic link, is no file or cannot be written: it is left as it was then.
    pub(crate) fn replace(&self, path: &Path, content: &[u8]) -> Result<(), Refusal> {
        let inside = self.writable(path)?;
        replace::replace(&inside.folder, &inside.below, content)
    }

    /// Checks that a file may be written: it lies inside, and is no symbolic link.
    ///
    /// # Errors
    /// Where it may not.
    pub(crate) fn check_writable(&self, path: &Path) -> Result<(), Refusal> {
        self.writable(path).map(|_| ())
    }

    /// Creates a file that does not exist, and the folders that it is to lie in.
    ///
    /// # Errors
    /// Where it exists, would lie outside, or cannot be written: nothing is left of it then.
    pub(crate) fn create(&self, path: &Path, content: &[u8]) -> Result<(), Refusal> {
        let inside = self.creatable(path)?;
        replace::create(&inside.folder, &inside.below, content)
    }

    /// The place of a file or folder that does not exist yet, in a folder that does.
    fn creatable(&self, path: &Path) -> Result<Inside, Refusal> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Err(Refusal::NotAFile) };
        let mut inside = match self.find(folder) {
            Err(Refusal::Missing) => {
                let missing = self.creatable(folder)?;
                replace::create_folder(&missing.folder, &missing.below)?;
                self.find(folder)?
            }
            found => found?,
        };
        inside.below.push(name);
        self.within(&inside.path()).ok_or(Refusal::Outside)
    }

    fn writable(&self, path: &Path) -> Result<Inside, Refusal> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Err(Refusal::NotAFile) };
        let mut inside = self.find(folder)?;
        inside.below.push(name);
        let about = fs::symlink_metadata(inside.path()).map_err(Refusal::of)?;
        if about.is_symlink() {
            return Err(Refusal::Link);
        }
        // What lies inside by its folder may still be in `.git`.
        self.within(&inside.path()).ok_or(Refusal::Outside)?;
        if about.is_file() { Ok(inside) } else { Err(Refusal::NotAFile) }
    }

    /// The path with the scanned folder, or one above it, as it really is.
    fn without_alias(&self, path: &Path) -> PathBuf {
        let found = self.aliases.iter().find_map(|(alias, real)| Some(real.join(path.strip_prefix(alias).ok()?)));
        found.unwrap_or_else(|| path.to_owned())
    }

    /// Resolves a path step by step. Outside of the boundary nothing is looked at.
    fn find(&self, path: &Path) -> Result<Inside, Refusal> {
        let mut current = PathBuf::new();
        let mut left: Vec<OsString> = steps(&self.without_alias(path));
        let mut links = 0;
        while let Some(step) = left.pop() {
            if step == ".." {
                current.pop();
                continue;
            }
            let next = current.join(&step);
            if self.within(&next).is_none() {
                current = next;
                continue;
            }
            let about = fs::symlink_metadata(&next).map_err(Refusal::of)?;
            if !about.is_symlink() {
                current = next;
                continue;
            }
            links += 1;
            if links > MOST_LINKS {
                return Err(Refusal::Loop);
            }
            let target = fs::read_link(&next).map_err(Refusal::of)?;
            // A target with a root begins anew.
            if target.has_root() {
                current = PathBuf::new();
            }
            left.extend(steps(&target));
        }
        let inside = self.within(&current).ok_or(Refusal::Outside)?;
        // What was resolved outside, the boundary itself above all, must exist.
        fs::symlink_metadata(inside.path()).map_err(Refusal::of)?;
        Ok(inside)
    }

    /// The folder of the boundary that a path without links lies in.
    fn within(&self, path: &Path) -> Option<Inside> {
        let folder = std::iter::once(&self.top).chain(&self.admitted).find(|folder| path.starts_with(folder))?;
        let below = path.strip_prefix(folder).ok()?.to_owned();
        let of_system = is_of_the_system(path) && !is_of_the_system(folder);
        (!of_system && !in_git(&below)).then(|| Inside { folder: folder.clone(), below })
    }
}

/// Reads what was opened, up to so many bytes.
fn read(file: File, most: u64) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(Refusal::of)?;
    if bytes.len() as u64 > most { Err(Refusal::Large(most)) } else { Ok(bytes) }
}

fn text(bytes: Vec<u8>) -> Result<String, Refusal> {
    let text = String::from_utf8(bytes).map_err(|error| Refusal::NotText(error.utf8_error().valid_up_to()))?;
    Ok(match text.strip_prefix('\u{FEFF}') {
        Some(text) => text.to_owned(),
        None => text,
    })
}

/// The steps of a path, the last first.
fn steps(path: &Path) -> Vec<OsString> {
    let step = |component: Component<'_>| match component {
        Component::CurDir => None,
        other => Some(other.as_os_str().to_owned()),
    };
    let mut steps: Vec<OsString> = path.components().filter_map(step).collect();
    steps.reverse();
    steps
}

/// Returns `true` for the folder of Git's own files and what is in it. Names are compared as file systems do that take
/// no notice of case.
fn in_git(path: &Path) -> bool {
    path.components().any(|component| component.as_os_str().eq_ignore_ascii_case(".git"))
}

fn is_of_the_system(path: &Path) -> bool {
    SYSTEM.iter().any(|folder| path.starts_with(folder))
}

/// The path as the file system takes it: the folder that one is in has no name.
fn on_disk(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

#[cfg(all(test, unix))]
mod tests;
