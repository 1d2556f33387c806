//! Files that the user names: they may lie anywhere. What is named inside of a repository must be there, too: a
//! symbolic link in a checkout may be by somebody else than the user.

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

use super::{Refusal, in_git, is_regular, on_disk, read, text};
use crate::repository::Repository;

/// Reads a text that the user names.
///
/// # Errors
/// Where it cannot be read, or a symbolic link in a repository leads out of it.
pub(crate) fn read_named(path: &Path, most: u64) -> Result<String, Refusal> {
    let real = check_named(path)?;
    let about = fs::metadata(&real).map_err(Refusal::of)?;
    let file = File::open(&real).map_err(Refusal::of)?;
    // A pipe is what `<(command)` is.
    let is_pipe = !about.is_file() && !about.is_dir();
    if is_pipe || is_regular(&file) { text(read(file, most)?) } else { Err(Refusal::NotAFile) }
}

/// Reads a text in JSON that the user names, if what it comes to has room: a tree takes many times that of its text.
///
/// # Errors
/// Where it cannot be read, is too large, or a symbolic link in a repository leads out of it.
pub(crate) fn read_named_json(path: &Path) -> Result<String, Refusal> {
    bounded(read_named(path, LARGEST_JSON)?)
}

/// The largest text in JSON that is read whole.
pub(super) const LARGEST_JSON: u64 = 64 << 20;

/// The text, if it does not have too many values.
pub(super) fn bounded(text: String) -> Result<String, Refusal> {
    const MOST_NODES: usize = 1_200_000;
    if nodes(&text) > MOST_NODES { Err(Refusal::Nodes(MOST_NODES)) } else { Ok(text) }
}

/// Returns at least how many values there are in JSON. An object takes the memory of several.
fn nodes(json: &str) -> usize {
    let (mut nodes, mut quoted, mut escaped) = (0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' | b'[' if !quoted => nodes += 1,
            b'{' if !quoted => nodes += 4,
            _ => {}
        }
    }
    nodes
}

/// The real path of a file or folder that the user names, to be read or written.
///
/// # Errors
/// Where it does not exist, or a symbolic link in a repository leads out of it.
pub(crate) fn check_named(path: &Path) -> Result<PathBuf, Refusal> {
    let written = lexical(path).map_err(Refusal::of)?;
    let real = fs::canonicalize(on_disk(path)).map_err(Refusal::of)?;
    // Every one of them: a link may lead into another repository.
    let above = written.ancestors().skip(1).filter(|folder| Repository::is_at(folder));
    for folder in above {
        let top = fs::canonicalize(folder).map_err(Refusal::of)?;
        let Ok(below) = real.strip_prefix(&top) else { return Err(Refusal::Outside) };
        if in_git(below) && !in_git(&written) {
            return Err(Refusal::Outside);
        }
    }
    Ok(real)
}

/// The absolute path without `.` and `..`, links in it not resolved.
fn lexical(path: &Path) -> io::Result<PathBuf> {
    let mut lexical = if path.is_absolute() { PathBuf::new() } else { fs::canonicalize(".")? };
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                lexical.pop();
            }
            other => lexical.push(other),
        }
    }
    Ok(lexical)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_json_are_counted_and_what_is_quoted_is_not() {
        assert_eq!(nodes("[1, {\"a\": [2, 3]}, \"[[,\\\"{,\"]"), 9);
        assert_eq!(nodes(""), 0);
    }
}
