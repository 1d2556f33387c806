//! An output filter: no line that passes it gives an order to a terminal or to the log of a CI service, whatever text
//! from outside is in it. Every report, message and progress line is written through it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use super::{begins_command, escaped, is_harmful, opens_command};

/// The language of a text, which decides how a character is escaped in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Text for people: `\u{202e}`.
    Text,
    /// JSON, also one document a line: `\u202e`, which means the same.
    Json,
    /// XML and HTML: `&#x202e;`, which means the same.
    Markup,
    /// A text of ssm-audit's own for programs, with nothing from outside in it, that passes as it is.
    Verbatim,
}

impl Encoding {
    /// Appends the escape of a character.
    pub(super) fn escape(self, character: char, text: &mut String) {
        // Writing to a string does not fail.
        let _ = match self {
            Self::Text => write!(text, "\\u{{{:x}}}", u32::from(character)),
            Self::Json => character.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(text, "\\u{unit:04x}")),
            Self::Markup => write!(text, "&#x{:x};", u32::from(character)),
            Self::Verbatim => write!(text, "{character}"),
        };
    }

    /// Returns the line with nothing in it that gives an order. `begun` says whether the line has begun before.
    fn line(self, line: &str, begun: bool) -> Cow<'_, str> {
        let safe = match self {
            Self::Text => text_line(line),
            Self::Json | Self::Markup => escaped(line, self),
            Self::Verbatim => return Cow::Borrowed(line),
        };
        if begun || !begins_command(&without_styles(&safe)) {
            return safe;
        }
        let mut shown = String::with_capacity(safe.len() + 8);
        let colons = safe.find("::").unwrap_or_default();
        shown.push_str(&safe[..colons]);
        self.escape(':', &mut shown);
        shown.push_str(&safe[colons + 1..]);
        Cow::Owned(shown)
    }
}

/// A line of text for people: line ends, tabs and the styles of a terminal stay.
fn text_line(line: &str) -> Cow<'_, str> {
    if !line.chars().any(|character| is_harmful(character) && character != '\n') && !line.contains("##") {
        return Cow::Borrowed(line);
    }
    let mut safe = String::with_capacity(line.len() + 8);
    let mut rest = line;
    while let Some(character) = rest.chars().next() {
        let style = style(rest);
        let (kept, after) = rest.split_at(style.max(character.len_utf8()));
        match character {
            '\n' | '\t' => safe.push(character),
            '\r' if after == "\n" => safe.push(character),
            _ if style > 0 => safe.push_str(kept),
            '[' if opens_command(&line[..line.len() - rest.len()]) => Encoding::Text.escape(character, &mut safe),
            harmful if is_harmful(harmful) => Encoding::Text.escape(harmful, &mut safe),
            plain => safe.push(plain),
        }
        rest = after;
    }
    Cow::Owned(safe)
}

/// Returns the length of the style (`ESC [ 1 ; 31 m`) that a text begins with; 0 if it begins with none.
fn style(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else { return 0 };
    let end = parameters.trim_start_matches(|character: char| character.is_ascii_digit() || character == ';');
    if end.starts_with('m') { text.len() - end.len() + 1 } else { 0 }
}

fn without_styles(line: &str) -> Cow<'_, str> {
    if !line.contains('\u{1b}') {
        return Cow::Borrowed(line);
    }
    let (mut plain, mut rest) = (String::new(), line);
    while let Some(character) = rest.chars().next() {
        let length = style(rest);
        if length == 0 {
            plain.push(character);
        }
        rest = &rest[length.max(character.len_utf8())..];
    }
    Cow::Owned(plain)
}

/// Writes what it is given, line by line, with nothing in it that gives an order. What is not UTF-8 is replaced.
#[derive(Debug)]
pub struct Guard<W: Write> {
    out: W,
    encoding: Encoding,
    /// The end of what was written, up to the end of its line.
    pending: Vec<u8>,
    /// Whether a part of the line, and not only blanks, was passed on.
    begun: bool,
}

impl<W: Write> Guard<W> {
    /// Guards an output.
    pub fn new(out: W, encoding: Encoding) -> Self {
        Self { out, encoding, pending: Vec::new(), begun: false }
    }

    /// Passes on so many bytes of what is pending.
    fn pass(&mut self, bytes: usize) -> io::Result<()> {
        let rest = self.pending.split_off(bytes);
        let passed = std::mem::replace(&mut self.pending, rest);
        for line in String::from_utf8_lossy(&passed).split_inclusive('\n') {
            self.out.write_all(self.encoding.line(line, self.begun).as_bytes())?;
            self.begun = !line.ends_with('\n') && (self.begun || !without_styles(line).trim().is_empty());
        }
        Ok(())
    }
}

impl<W: Write> Write for Guard<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        if let Some(end) = memchr::memrchr(b'\n', &self.pending) {
            self.pass(end + 1)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass(self.pending.len())?;
        self.out.flush()
    }
}

impl<W: Write> Drop for Guard<W> {
    fn drop(&mut self) {
        // Who wants to know of errors flushes.
        let _ = self.flush();
    }
}

/// Returns the content with a guard around its output.
pub fn guarded(
    encoding: Encoding,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> impl FnOnce(&mut dyn Write) -> io::Result<()> {
    move |out| {
        let mut guard = Guard::new(out, encoding);
        content(&mut guard)?;
        guard.flush()
    }
}

/// Returns standard error, guarded, with styles where it is a terminal that shows them.
pub fn stderr() -> Guard<impl Write> {
    Guard::new(anstream::stderr(), Encoding::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(encoding: Encoding, parts: &[&str]) -> String {
        let mut out = Vec::new();
        let mut guard = Guard::new(&mut out, encoding);
        for part in parts {
            guard.write_all(part.as_bytes()).expect("written");
        }
        guard.flush().expect("written");
        drop(guard);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn no_line_begins_with_two_colons_however_it_is_put_together() {
        assert_eq!(through(Encoding::Text, &["  ::error::x\n"]), "  \\u{3a}:error::x\n");
        assert_eq!(through(Encoding::Text, &["a\n", "\t", ":", ":error::x"]), "a\n\t\\u{3a}:error::x");
        assert_eq!(
            through(Encoding::Text, &["\u{1b}[1m \u{1b}[0m\u{a0}::x\n"]),
            "\u{1b}[1m \u{1b}[0m\u{a0}\\u{3a}:x\n"
        );
        assert_eq!(through(Encoding::Text, &["a ::/0\n"]), "a ::/0\n");
        assert_eq!(through(Encoding::Markup, &["<a>\n::error</a>"]), "<a>\n&#x3a;:error</a>");
    }

    #[test]
    fn a_line_that_was_passed_on_in_part_has_begun() {
        let mut out = Vec::new();
        let mut guard = Guard::new(&mut out, Encoding::Text);
        for part in ["  ", "?", "::\n", "  ", "::x"] {
            guard.write_all(part.as_bytes()).expect("written");
            guard.flush().expect("written");
        }
        drop(guard);
        assert_eq!(String::from_utf8(out).expect("text"), "  ?::\n  \\u{3a}:x");
    }

    #[test]
    fn markers_anywhere_in_a_line_are_escaped_in_the_language_of_the_text() {
        assert_eq!(through(Encoding::Text, &["x #", "#[error]y\r\n"]), "x ##\\u{5b}error]y\r\n");
        let json = through(Encoding::Json, &["{\"a\": \"##vso[x] \u{202e}\u{10fffd}\u{85}\"}"]);
        assert_eq!(json, "{\"a\": \"##vso\\u005bx] \\u202e\\udbff\\udffd\\u0085\"}");
        let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(value["a"], "##vso[x] \u{202e}\u{10fffd}\u{85}");
        assert_eq!(through(Encoding::Markup, &["<a b='##[x]\u{2028}'/>"]), "<a b='##&#x5b;x]&#x2028;'/>");
    }

    #[test]
    fn styles_stay_and_other_sequences_do_not() {
        let styled = "\u{1b}[1;31mFAIL\u{1b}[0m\n";
        assert_eq!(through(Encoding::Text, &[styled]), styled);
        assert_eq!(through(Encoding::Text, &["\u{1b}[2J\u{9b}31m\r\n"]), "\\u{1b}[2J\\u{9b}31m\r\n");
        assert_eq!(through(Encoding::Text, &["a\rb\u{2028}\n"]), "a\\u{d}b\\u{2028}\n");
    }
}
