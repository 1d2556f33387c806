//! Files as they were at a revision, compared with what they are now. Git only finds the objects; the comparison is
//! made here, so that neither attributes nor filters have a part in it.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read as _};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::LARGEST;
use super::Repository;
use super::scratch::Scratch;

/// A revision that cannot be compared with.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct RevisionError(String);

/// The most lines between the first and the last difference that are compared line by line. Beyond it, all of them
/// count as changed.
const MOST_LINES: usize = 8_000;

/// What a file was at the revision.
enum Before {
    Text(Vec<u8>),
    /// It did not exist, was no file, or is too large.
    Nothing,
}

/// A revision of a repository.
#[derive(Debug)]
pub(crate) struct Revision {
    scratch: Scratch,
    top: PathBuf,
    commit: String,
    head: Option<String>,
}

impl Revision {
    /// The revision of this name.
    ///
    /// # Errors
    /// Where there is none of that name.
    pub(crate) fn of(repository: &Repository, name: &str) -> Result<Self, RevisionError> {
        if name.starts_with('-') {
            return Err(RevisionError(format!("{name:?} is no revision")));
        }
        let scratch = Scratch::of(repository).map_err(RevisionError)?;
        let resolve = |name: &str| {
            let commit = scratch.ask(["rev-parse", "--verify", &format!("{name}^{{commit}}")])?;
            Ok(commit.trim().to_owned())
        };
        let commit = resolve(name).map_err(RevisionError)?;
        // A repository without a commit has none.
        let head = resolve("HEAD").map_err(|_absent: String| ()).ok();
        Ok(Self { commit, head, top: repository.top().to_owned(), scratch })
    }

    /// The lines of these files that differ from the revision, from 1. A file that is the same is left out. Paths have
    /// no symbolic links.
    ///
    /// # Errors
    /// Where objects are missing or damaged.
    pub(crate) fn changes(
        &self,
        files: &[(PathBuf, Vec<u8>)],
    ) -> Result<BTreeMap<PathBuf, Vec<RangeInclusive<u32>>>, RevisionError> {
        let names: Vec<Option<String>> = files.iter().map(|(path, _)| self.name_of(path)).collect();
        let before = self.texts(&self.commit, &names).map_err(|error| self.failed(&error))?;
        let mut changes = BTreeMap::new();
        let mut new = Vec::new();
        for ((path, now), before) in files.iter().zip(before) {
            let lines = match before {
                Before::Text(before) => changed_lines(&before, now),
                Before::Nothing => {
                    new.push(path.clone());
                    vec![0..=u32::MAX]
                }
            };
            if !lines.is_empty() {
                changes.insert(path.clone(), lines);
            }
        }
        for path in self.fetched(&new)? {
            changes.remove(&path);
        }
        Ok(changes)
    }

    /// Those of the files that `terraform init` fetched: they are in no commit, and so in no revision either.
    fn fetched(&self, files: &[PathBuf]) -> Result<Vec<PathBuf>, RevisionError> {
        let is_terraforms = |path: &Path| path.components().any(|step| step.as_os_str() == ".terraform");
        let files: Vec<&PathBuf> = files.iter().filter(|path| is_terraforms(path)).collect();
        let Some(head) = self.head.as_ref().filter(|_| !files.is_empty()) else { return Ok(Vec::new()) };
        let names: Vec<Option<String>> = files.iter().map(|path| self.name_of(path)).collect();
        let now = self.texts(head, &names).map_err(|error| self.failed(&error))?;
        let pairs = files.into_iter().zip(names).zip(now);
        let kept = pairs.filter(|((_, name), now)| name.is_some() && matches!(now, Before::Nothing));
        Ok(kept.map(|((path, _), _)| path.clone()).collect())
    }

    fn failed(&self, error: &io::Error) -> RevisionError {
        RevisionError(format!("git cannot read commit {}: {error}", self.commit))
    }

    /// The name of a file in commits; none where it can have none.
    fn name_of(&self, path: &Path) -> Option<String> {
        let steps: Option<Vec<&str>> =
            path.strip_prefix(&self.top).ok()?.components().map(|step| step.as_os_str().to_str()).collect();
        steps.map(|steps| steps.join("/")).filter(|name| !name.contains('\n'))
    }

    fn texts(&self, commit: &str, names: &[Option<String>]) -> io::Result<Vec<Before>> {
        let asked = names.iter().flatten().fold(String::new(), |text, name| format!("{text}{commit}:{name}\n"));
        if asked.is_empty() {
            return Ok(names.iter().map(|_| Before::Nothing).collect());
        }
        self.scratch.converse(&["cat-file", "--batch"], asked.as_bytes(), |answer| {
            names.iter().map(|name| if name.is_some() { object(answer) } else { Ok(Before::Nothing) }).collect()
        })
    }
}

/// Reads one answer of `cat-file --batch`: `ID TYPE SIZE`, and the object; or `NAME missing`.
fn object(answer: &mut dyn BufRead) -> io::Result<Before> {
    let mut header = Vec::new();
    answer.read_until(b'\n', &mut header)?;
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "an object is damaged or missing");
    let header = String::from_utf8(header).map_err(|_not_text| damaged())?;
    let header = header.strip_suffix('\n').ok_or_else(damaged)?;
    if header.ends_with(" missing") {
        return Ok(Before::Nothing);
    }
    let mut words = header.rsplit(' ');
    let size: Option<u64> = words.next().and_then(|size| size.parse().ok());
    let (Some(size), Some(kind)) = (size, words.next()) else { return Err(damaged()) };
    let mut content = Vec::new();
    let is_text = kind == "blob" && size <= LARGEST;
    if is_text {
        answer.take(size).read_to_end(&mut content)?;
    } else {
        io::copy(&mut answer.take(size), &mut io::sink())?;
    }
    let mut end = [0];
    answer.read_exact(&mut end)?;
    let whole = !is_text || content.len() as u64 == size;
    if end != *b"\n" || !whole {
        return Err(damaged());
    }
    Ok(if is_text { Before::Text(content) } else { Before::Nothing })
}

/// The lines of the second text that differ from the first, and those beside which lines are gone. How lines end makes
/// no difference.
fn changed_lines(before: &[u8], now: &[u8]) -> Vec<RangeInclusive<u32>> {
    fn lines(text: &[u8]) -> Vec<&[u8]> {
        let text = text.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(text);
        let mut lines: Vec<&[u8]> =
            text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
        if lines.last().is_some_and(|line| line.is_empty()) {
            lines.pop();
        }
        lines
    }
    let (before, now) = (lines(before), lines(now));
    let same = before.iter().zip(&now).take_while(|(before, now)| before == now).count();
    let (before, now) = (&before[same..], &now[same..]);
    let tail = before.iter().rev().zip(now.iter().rev()).take_while(|(before, now)| before == now).count();
    let (before, now) = (&before[..before.len() - tail], &now[..now.len() - tail]);
    let number = |line: usize| u32::try_from(line + same).unwrap_or(u32::MAX);
    // Where lines are only gone, those beside them have changed.
    let range = |start: usize, length: usize| match length {
        0 => number(start)..=number(start + 1),
        length => number(start + 1)..=number(start + length),
    };
    if before.is_empty() && now.is_empty() {
        return Vec::new();
    }
    if before.len() + now.len() > MOST_LINES {
        return vec![range(0, now.len())];
    }
    let operations = capture_diff_slices(Algorithm::Myers, before, now);
    let changed = operations.into_iter().filter(|operation| !matches!(operation, DiffOp::Equal { .. }));
    changed.map(|operation| range(operation.new_range().start, operation.new_range().len())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_lines_are_those_that_are_new_and_those_beside_what_is_gone() {
        let lines = |before: &str, now: &str| changed_lines(before.as_bytes(), now.as_bytes());
        assert_eq!(lines("a\nb\n", "a\nb\n"), []);
        assert_eq!(lines("a\nb\n", "a\r\nb\r\n"), []);
        assert_eq!(lines("a\nb\n", "\u{FEFF}a\nb"), []);
        assert_eq!(lines("a\nb\nc\n", "a\nx\nc\n"), [2..=2]);
        assert_eq!(lines("a\nb\nc\n", "a\nc\n"), [1..=2]);
        assert_eq!(lines("a\n", "a\nb\nc\n"), [2..=3]);
        assert_eq!(lines("", "a\nb\n"), [1..=2]);
        assert_eq!(lines("a\nb\nc\nd\ne\n", "x\nb\nc\nd\ny\n"), [1..=1, 5..=5]);
    }

    #[test]
    fn texts_that_differ_all_over_are_compared_as_a_whole() {
        let text = |word: &str| (0..10_000).fold("same\n".to_owned(), |text, line| format!("{text}{word}{line}\n"));
        assert_eq!(changed_lines(text("a").as_bytes(), text("b").as_bytes()), [2..=10_001]);
    }
}
