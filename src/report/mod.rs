//! Reports for people and for machines: one file a format.
//!
//! A new format is one file with a [`Format`] in it, and one line in [`FORMATS`]. Writers only
//! write: what is judged, waived or counted has been decided before.

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

/// How a report for people is laid out. Formats for machines do not look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Whether styles are written.
    pub paint: Paint,
    /// How many columns there are.
    pub width: usize,
    /// Characters that lines are drawn with.
    pub charset: Charset,
    /// How much is listed.
    pub detail: Detail,
    /// Parts of a page.
    pub parts: Parts,
    /// Commands that a page can name.
    pub commands: Commands,
}

/// Parts of a report for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// Findings, what could not be read, and the summary.
    All,
    /// The same without the findings.
    NoDetails,
    /// The summary alone.
    Summary,
}

/// How much a report for people lists. What it does not list, it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// The first resources of each rule.
    Brief,
    /// Every failed, unknown and waived resource, with the reasons for each rule.
    Full,
    /// Those that pass too.
    Everything,
}

impl Default for Options {
    /// What suits a file: no styles, and lines that most screens can show.
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

/// Writes a report in one format.
#[derive(Clone, Copy)]
pub enum Writer {
    /// From all of it.
    Whole(fn(&Report, &[RuleInfo], &Options, &mut dyn Write) -> io::Result<()>),
    /// From what the report says besides, and the findings as they come.
    Stream(Streamed),
    /// The same, for who keeps findings until they are taken back: what a sweep saw fixed is wanted too.
    Ledger(Streamed),
}

/// Writes what the report says besides, and the findings as they come.
type Streamed = fn(&Report, &Findings<'_>, &[RuleInfo], &mut dyn Write) -> io::Result<()>;

/// A format.
pub struct Format {
    /// Its name on the command line.
    pub name: &'static str,
    /// How the names of its files end.
    pub endings: &'static [&'static str],
    /// The language that it is written in.
    pub encoding: Encoding,
    /// Writes it.
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
    /// Where it cannot be written.
    pub fn write(&self, report: &Report, rules: &[RuleInfo], options: &Options, out: &mut dyn Write) -> io::Result<()> {
        match self.writer {
            Writer::Whole(write) => write(report, rules, options, out),
            Writer::Stream(write) | Writer::Ledger(write) => write(report, &stream::listed(report), rules, out),
        }
    }

    /// The format of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().copied().find(|format| format.name == name)
    }

    /// The format of a file of that name, by the longest ending that fits.
    pub fn of_file(path: &Path) -> Option<&'static Self> {
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        let fits = |format: &&'static Self| {
            format.endings.iter().filter(|ending| name.ends_with(**ending)).map(|ending| ending.len()).max()
        };
        FORMATS.iter().copied().filter(|format| fits(format).is_some()).max_by_key(fits)
    }

    /// Every name of a format, for messages.
    pub fn all_names() -> String {
        FORMATS.iter().map(|format| format.name).collect::<Vec<_>>().join(", ")
    }

    /// Every ending that names a format, for messages.
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
