//! Files that were read, and locations in them.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::diagnostic::SourceFile;
use crate::model::finding::Location;

/// A file among those that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub(crate) u32);

/// Bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    start: u32,
    end: u32,
}

impl Span {
    /// Location of these bytes of the file.
    pub(crate) fn new(file: FileId, bytes: &Range<usize>) -> Self {
        // Files of 2 GiB or more are not read.
        let offset = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
        Self { file, start: offset(bytes.start), end: offset(bytes.end) }
    }

    /// The bytes, in the text of the file without its byte order mark.
    pub fn bytes(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Returns `true` if the other location lies within this one.
    pub(crate) fn holds(&self, other: Self) -> bool {
        self.file == other.file && self.start <= other.start && other.end <= self.end
    }

    /// Location from the beginning of this one to the end of the other.
    #[must_use]
    pub(crate) fn to(self, other: Self) -> Self {
        Self { end: other.end.max(self.end), ..self }
    }
}

/// A file that was read. Clones share it.
#[derive(Debug, Clone)]
pub struct File(Arc<Contents>);

#[derive(Debug)]
struct Contents {
    source: SourceFile,
    /// The byte at which each line begins.
    lines: OnceLock<Vec<usize>>,
}

impl File {
    /// A file with its text and its name relative to the scanned folder.
    pub(crate) fn new(name: String, text: String) -> Self {
        Self(Arc::new(Contents { source: SourceFile::new(name, text), lines: OnceLock::new() }))
    }

    /// The name and the text.
    pub fn source(&self) -> &SourceFile {
        &self.0.source
    }

    /// The bytes at which the lines begin.
    fn lines(&self) -> &[usize] {
        let text = self.0.source.text();
        let begin = || std::iter::once(0).chain(text.match_indices('\n').map(|(newline, _)| newline + 1)).collect();
        self.0.lines.get_or_init(begin)
    }

    /// The line of a byte, from 1.
    pub(crate) fn line(&self, byte: usize) -> usize {
        self.lines().partition_point(|start| *start <= byte).max(1)
    }

    /// The line and the column of a byte, both counted from 1. Columns are counted in code points. On a
    /// generated line, such as one of a megabyte, columns are counted in bytes.
    pub(crate) fn line_column(&self, byte: usize) -> (usize, usize) {
        const LONGEST: usize = 10_000;
        let text = self.0.source.text();
        let byte = text.floor_char_boundary(byte);
        let line = self.line(byte);
        let before = &text[self.lines()[line - 1]..byte];
        (line, if before.len() > LONGEST { before.len() } else { before.chars().count() } + 1)
    }

    /// The location of these bytes.
    pub(crate) fn location(&self, bytes: Range<usize>) -> Location {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let (line, column) = self.line_column(bytes.start);
        let (end_line, _) = self.line_column(bytes.end.saturating_sub(1).max(bytes.start));
        Location {
            file: self.source().name().to_owned(),
            line: number(line),
            column: number(column),
            end_line: number(end_line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_code_points_and_end_on_the_last_line() {
        let file = File::new("a.tf".to_owned(), "é = 1\r\n\"ü\" = [\n]\n".to_owned());
        let place = |bytes: Range<usize>| {
            let location = file.location(bytes);
            (location.line, location.column, location.end_line)
        };
        assert_eq!(place(0..6), (1, 1, 1));
        assert_eq!(place(5..6), (1, 5, 1));
        assert_eq!(place(8..18), (2, 1, 3));
        assert_eq!(place(400..500), (4, 1, 4));
    }
}
