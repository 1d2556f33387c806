//! Where reports go: standard output, and files with `-o`.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anstream::AutoStream;
use clap::Args;

use super::{Color, Error, Globals};
use crate::model::FailOn;
use crate::report::output::{OutputFile, to_file, to_standard};
use crate::report::{Detail, FORMATS, Format, Options, Parts};
use crate::terminal::{Charset, Encoding, Paint, guarded};

/// The arguments of a command that reports findings.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    #[command(flatten)]
    output: OutputArgs,
    /// Lowest severity that fails; `never` accepts failures, not unknowns [default: info]
    #[arg(long, value_enum, env = "SSM_AUDIT_FAIL_ON")]
    fail_on: Option<FailOn>,
}

impl ReportArgs {
    /// Where the report goes. Names of files that no format is written to are refused.
    pub(super) fn outputs(&self, globals: &Globals) -> Result<Outputs, Error> {
        self.output.outputs(globals)
    }

    /// The least severity that makes the command fail.
    pub(super) fn fail_on(&self, globals: &Globals) -> Result<FailOn, Error> {
        Ok(self.fail_on.or(globals.config()?.fail_on).unwrap_or(FailOn::DEFAULT))
    }
}

/// The arguments of a command that writes a report.
#[derive(Debug, Args)]
pub(super) struct OutputArgs {
    #[arg(short, long, value_parser = parse_format, env = "SSM_AUDIT_FORMAT", help = format_help())]
    format: Option<&'static Format>,
    #[arg(short, long = "output", value_name = "FILE", env = "SSM_AUDIT_OUTPUT", help = output_help())]
    output: Vec<PathBuf>,
    #[command(flatten)]
    parts: PartsArgs,
}

/// Flags that choose parts of the table.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(super) struct PartsArgs {
    /// Leave the findings out of the table
    #[arg(long, conflicts_with = "summary", env = "SSM_AUDIT_NO_DETAILS")]
    no_details: bool,
    /// Show only the summary of the table
    #[arg(long, env = "SSM_AUDIT_SUMMARY")]
    summary: bool,
}

impl PartsArgs {
    fn parts(self) -> Parts {
        match (self.summary, self.no_details) {
            (true, _) => Parts::Summary,
            (_, true) => Parts::NoDetails,
            _ => Parts::All,
        }
    }
}

impl OutputArgs {
    /// Where the report goes. Names of files that no format is written to are refused.
    pub(super) fn outputs(&self, globals: &Globals) -> Result<Outputs, Error> {
        let configured = globals.config()?.format(parse_format).map_err(Error::Diagnostics)?;
        let files = self.output.iter().map(OutputFile::new).collect::<Result<Vec<_>, _>>()?;
        // With `-o` alone, standard output is free for the caller.
        let standard = self.format.or(files.is_empty().then_some(configured.unwrap_or(FORMATS[0])));
        Ok(Outputs { standard, files, parts: self.parts.parts() })
    }
}

fn format_help() -> String {
    format!("Format of standard output: {} [default: {}]", Format::all_names(), FORMATS[0].name)
}

fn output_help() -> String {
    format!("Write a file in the format of its extension ({}); can be repeated", Format::all_endings())
}

/// The format of this name.
pub(super) fn parse_format(name: &str) -> Result<&'static Format, String> {
    Format::named(name).ok_or_else(|| format!("expected one of {}", Format::all_names()))
}

/// Where a report goes.
pub(super) struct Outputs {
    standard: Option<&'static Format>,
    files: Vec<OutputFile>,
    parts: Parts,
}

impl Outputs {
    /// To standard output alone.
    pub(super) fn standard(format: Option<&'static Format>, parts: PartsArgs) -> Self {
        Self { standard: Some(format.unwrap_or(FORMATS[0])), files: Vec::new(), parts: parts.parts() }
    }

    /// Returns `true` if the report is written to this file.
    pub(super) fn writes(&self, path: &Path) -> bool {
        let same = |file: &OutputFile| match (file.path.canonicalize(), path.canonicalize()) {
            (Ok(one), Ok(other)) => one == other,
            _ => file.path == path,
        };
        self.files.iter().any(same)
    }

    /// The formats that are written.
    pub(super) fn formats(&self) -> impl Iterator<Item = &'static Format> {
        self.files.iter().map(|file| file.format).chain(self.standard)
    }

    /// Has the report written to each place in its format. Files leave a line on standard error, with the counts.
    pub(super) fn write(
        &self,
        globals: &Globals,
        counts: &str,
        write: impl Fn(&'static Format, &Options, &mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Error> {
        let detail = detail(globals);
        let commands = globals.next_commands();
        // What is left out of the table stands in the files.
        let in_files = Options { detail, commands: commands.clone(), ..Options::default() };
        for file in &self.files {
            to_file(&file.path, guarded(file.format.encoding, |out| write(file.format, &in_files, out)))?;
        }
        if let Some(format) = self.standard {
            let options = Options { parts: self.parts, commands, ..page(globals) };
            to_stdout(format.encoding, |out| write(format, &options, out))?;
        }
        if !self.files.is_empty() {
            let paths: Vec<String> = self.files.iter().map(|file| file.path.display().to_string()).collect();
            globals.note(&format!("wrote {}: {counts}", paths.join(", ")));
        }
        Ok(())
    }
}

/// The layout of a page on standard output.
pub(super) fn page(globals: &Globals) -> Options {
    Options {
        paint: paint_stdout(globals.color),
        width: width(),
        charset: Charset::of_locale(|name| std::env::var(name).ok()),
        detail: detail(globals),
        ..Options::default()
    }
}

/// Writes to standard output, all of it or nothing, and with nothing in it that gives an order to the log that it ends in.
/// A reader that stops reading is not an error.
pub(super) fn to_stdout(
    encoding: Encoding,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    to_standard(&mut io::stdout().lock(), guarded(encoding, content)).map_err(Error::from)
}

/// How much of a report is listed.
fn detail(globals: &Globals) -> Detail {
    match globals.verbose {
        0 => Detail::Brief,
        1 => Detail::Full,
        _ => Detail::Everything,
    }
}

/// Whether standard output is painted.
pub(super) fn paint_stdout(color: Color) -> Paint {
    paint(AutoStream::choice(&io::stdout()), color)
}

/// Whether standard error is painted.
pub(super) fn paint_stderr(color: Color) -> Paint {
    paint(AutoStream::choice(&io::stderr()), color)
}

fn paint(auto: anstream::ColorChoice, color: Color) -> Paint {
    match color {
        Color::Never => Paint::Plain,
        // The stream knows of `NO_COLOR`, `CLICOLOR_FORCE`, and whether it is a terminal.
        Color::Auto if auto == anstream::ColorChoice::Never => Paint::Plain,
        Color::Always | Color::Auto => Paint::Styled,
    }
}

/// Returns the columns of the terminal or `COLUMNS`; 100 if there is neither.
pub(super) fn width() -> usize {
    terminal_width().unwrap_or(100)
}

/// Returns the columns of the terminal or `COLUMNS`.
pub(super) fn terminal_width() -> Option<usize> {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || {
        io::stdout().is_terminal().then(terminal_size::terminal_size).flatten().map(|(width, _)| usize::from(width.0))
    };
    columns.or_else(terminal)
}
