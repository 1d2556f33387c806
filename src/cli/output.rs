//! Where reports go: standard output, and files with `-o`.

use std::io::{self, IsTerminal, Write};

use anstream::AutoStream;

use super::{Color, Error, Globals};
use crate::model::Report;
use crate::report::output::{OutputFile, to_file, to_standard};
use crate::report::{Detail, Format, Options, RuleInfo};
use crate::terminal::Paint;

/// Writes to standard output; somebody who stops reading is not an error.
pub(super) fn to_stdout(content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
    to_standard(&mut io::stdout().lock(), content).map_err(Error::from)
}

/// Writes a report: to the files, and to standard output in this format.
pub(super) fn report(
    report: &Report,
    rules: &[RuleInfo],
    format: Option<&'static Format>,
    files: &[OutputFile],
    detail: Detail,
    globals: &Globals,
) -> Result<(), Error> {
    each(format, files, detail, globals, |format, options, out| format.write(report, rules, options, out))
}

/// Has something written to the files, each in its format, and to standard output in this one.
pub(super) fn each(
    format: Option<&'static Format>,
    files: &[OutputFile],
    detail: Detail,
    globals: &Globals,
    write: impl Fn(&'static Format, &Options, &mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    for file in files {
        let options = Options { detail, ..Options::default() };
        to_file(&file.path, |out| write(file.format, &options, out))?;
    }
    // With `-o` alone, standard output is free for the caller.
    let format = match format {
        Some(format) => format,
        None if files.is_empty() => crate::report::FORMATS[0],
        None => return Ok(()),
    };
    let options = Options { paint: paint_stdout(globals.color), width: width(), detail };
    to_stdout(|out| write(format, &options, out))
}

/// How much of a report is listed.
pub(super) fn detail(globals: &Globals) -> Detail {
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

/// The columns of the terminal; 100 where there is none, or `COLUMNS`.
pub(super) fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || {
        io::stdout().is_terminal().then(terminal_size::terminal_size).flatten().map(|(width, _)| usize::from(width.0))
    };
    columns.or_else(terminal).unwrap_or(100)
}
