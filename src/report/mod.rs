//! Reports for people and for machines: one file for each format.
//!
//!
//! A new format is one file with a [`Format`] in it, and one line in [`FORMATS`]. Writers only write: verdicts, waivers
//! and counts have been determined before.

mod asff;
pub mod baseline;
mod basis;
mod by_rule;
mod counts;
mod coverage;
mod csv;
mod denied;
pub mod diff;
pub mod html;
mod json;
mod junit;
mod markdown;
mod next;
mod ocsf;
pub mod output;
mod overview;
mod phrasing;
mod sarif;
pub(crate) mod site;
mod spool;
mod stream;
pub mod sweep;
mod table;

#[cfg(test)]
pub(crate) mod example;

pub use next::{Commands, Subject};
pub use phrasing::{as_argument, counts_and_coverage};
pub use stream::{Findings, Take};

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use crate::model::Report;
pub use crate::model::{ControlInfo, RemediationInfo, RuleInfo};
use crate::terminal::{Charset, Encoding, Paint};

/// Layout of a report for people. Formats for machines ignore it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// `true` if styles are written.
    pub paint: Paint,
    /// Number of columns.
    pub width: usize,
    /// Characters that lines are drawn with.
    pub charset: Charset,
    /// Level of detail.
    pub detail: Detail,
    /// Parts of a page.
    pub parts: Parts,
    /// Commands that a page can name.
    pub commands: Commands,
}

/// Parts of a report for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// Findings, gaps, and the summary.
    All,
    /// Gaps and the summary, without the findings.
    NoDetails,
    /// The summary alone.
    Summary,
}

/// Level of detail of a report for people. Findings that are not listed are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// The first resources of each rule.
    Brief,
    /// Every failed, unknown and waived resource, with the reasons for each rule.
    Full,
    /// Passes, too.
    Everything,
}

impl Default for Options {
    /// Returns the defaults for a file: no styles, and lines that most screens can show.
    fn default() -> Self {
        Self {
            paint: Paint::Plain,
            width: 100,
            charset: Charset::Unicode,
            detail: Detail::Brief,
            parts: Parts::All,
            commands: Commands::default(),
        }
    }
}

/// Writer of a report in one format.
#[derive(Clone, Copy)]
pub enum Writer {
    /// Writes the complete report.
    Whole(fn(&Report, &[RuleInfo], &Options, &mut dyn Write) -> io::Result<()>),
    /// Writes the report without its findings, and the findings as they arrive.
    Stream(Streamed),
    /// Like `Stream`, for a consumer that keeps findings until they are closed: findings that a sweep saw fixed are
    /// written too.
    Ledger(Streamed),
}

/// Writes the report without its findings, and the findings as they arrive.
type Streamed = fn(&Report, &Findings<'_>, &[RuleInfo], &mut dyn Write) -> io::Result<()>;

/// A format.
pub struct Format {
    /// Name of the format on the command line.
    pub name: &'static str,
    /// File name extensions of the format.
    pub endings: &'static [&'static str],
    /// Encoding of the format.
    pub encoding: Encoding,
    /// Writer of the format.
    pub writer: Writer,
}

impl fmt::Debug for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Format({})", self.name)
    }
}

/// All formats, the default first.
pub static FORMATS: &[&Format] = &[
    &table::FORMAT,
    &json::FORMAT,
    &sarif::FORMAT,
    &csv::FORMAT,
    &junit::FORMAT,
    &markdown::FORMAT,
    &ocsf::FORMAT,
    &asff::FORMAT,
    &html::FORMAT,
];

impl Format {
    /// Writes a report.
    ///
    /// # Errors
    /// If the report cannot be written.
    pub fn write(&self, report: &Report, rules: &[RuleInfo], options: &Options, out: &mut dyn Write) -> io::Result<()> {
        match self.writer {
            Writer::Whole(write) => write(report, rules, options, out),
            Writer::Stream(write) | Writer::Ledger(write) => write(report, &stream::listed(report), rules, out),
        }
    }

    /// Returns the format of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().copied().find(|format| format.name == name)
    }

    /// Returns the format of a file of that name, by the longest extension that matches.
    pub fn of_file(path: &Path) -> Option<&'static Self> {
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        let fits = |format: &&'static Self| {
            format.endings.iter().filter(|ending| name.ends_with(**ending)).map(|ending| ending.len()).max()
        };
        FORMATS.iter().copied().filter(|format| fits(format).is_some()).max_by_key(fits)
    }

    /// Returns every name of a format, for messages.
    pub fn all_names() -> String {
        FORMATS.iter().map(|format| format.name).collect::<Vec<_>>().join(", ")
    }

    /// Returns every extension that names a format, for messages.
    pub fn all_endings() -> String {
        FORMATS.iter().flat_map(|format| format.endings).copied().collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_in_the_format_of_its_ending() {
        let name = |path: &str| Format::of_file(Path::new(path)).map(|format| format.name);
        assert_eq!(name("out/report.json"), Some("json"));
        assert_eq!(name("report.SARIF"), Some("sarif"));
        assert_eq!(name("report.sarif.json"), Some("sarif"));
        assert_eq!(name("report.txt"), Some("table"));
        assert_eq!(name("report.docx"), None);
        assert_eq!(name(".."), None);
    }

    #[test]
    fn no_name_and_no_ending_stands_twice() {
        let mut names: Vec<&str> =
            FORMATS.iter().flat_map(|format| format.endings.iter().copied().chain([format.name])).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
