//! What is wrong with a file that a person wrote, and where: a message, a place with a caret, a hint.
//!
//! Readers of rules and configuration collect these and report all of them at once. Nothing here
//! reads files or decides exit codes.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level as Heading, Origin, Renderer, Snippet};

use crate::terminal::{Paint, harmless};

/// A text with the name under which people know it. Clones share the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile(Arc<Contents>);

#[derive(Debug, PartialEq, Eq)]
struct Contents {
    name: String,
    text: String,
}

impl SourceFile {
    /// The text of the file of that name.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self(Arc::new(Contents { name: name.into(), text: text.into() }))
    }

    /// The name, as it stands in messages.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The line and the column of a byte, both from 1, the column in code points.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = &self.text()[..self.text().floor_char_boundary(offset)];
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (line, before[start..].chars().count() + 1)
    }

    /// Returns `true` if the lines of a span are such as people write.
    fn can_show(&self, span: &Range<usize>) -> bool {
        let span = self.fit(span);
        let start = self.text()[..span.start].rfind('\n').map_or(0, |newline| newline + 1);
        let end = self.text()[span.start..].find('\n').map_or(self.text().len(), |newline| span.start + newline);
        end - start <= LONGEST_LINE
    }

    /// The span within the text, on character boundaries and without white space at its end.
    fn fit(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.text().floor_char_boundary(span.start);
        let end = self.text().floor_char_boundary(span.end).max(start);
        start..start + self.text()[start..end].trim_end().len()
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing can be done with the file.
    Error,
    /// Worth a look.
    Warning,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub level: Level,
    /// What is wrong, as a lower-case fragment.
    pub message: String,
    /// The file, and in it the bytes that are to blame where they are known.
    pub place: Option<(SourceFile, Option<Range<usize>>)>,
    /// What to say beside the caret.
    pub label: Option<String>,
    /// Other places of the same file that matter, each with what to say there.
    pub related: Vec<(Range<usize>, String)>,
    /// What to do about it.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// Something that must be mended.
    pub fn error(message: impl Into<String>) -> Self {
        Self::new(Level::Error, message.into())
    }

    /// Something that should be looked at.
    pub fn warning(message: impl Into<String>) -> Self {
        Self::new(Level::Warning, message.into())
    }

    fn new(level: Level, message: String) -> Self {
        Self { level, message, place: None, label: None, related: Vec::new(), help: Vec::new() }
    }

    /// The same, at these bytes of the file.
    #[must_use]
    pub fn at(mut self, file: &SourceFile, span: Range<usize>) -> Self {
        self.place = Some((file.clone(), Some(span)));
        self
    }

    /// The same, of the file as a whole.
    #[must_use]
    pub fn of(mut self, file: &SourceFile) -> Self {
        self.place = Some((file.clone(), None));
        self
    }

    /// The same, with a few words beside the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// The same, with another place of the file that matters.
    #[must_use]
    pub fn related(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.related.push((span, label.into()));
        self
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Where it is: `file:line:column`, or just the file.
    pub fn position(&self) -> Option<String> {
        let (file, span) = self.place.as_ref()?;
        Some(match span {
            Some(span) => {
                let (line, column) = file.line_column(file.fit(span).start);
                format!("{}:{line}:{column}", file.name())
            }
            None => file.name().to_owned(),
        })
    }

    /// The problem with the source line, a caret under what is to blame, and the hints.
    pub fn render(&self, paint: Paint) -> String {
        let heading = match self.level {
            Level::Error => Heading::ERROR,
            Level::Warning => Heading::WARNING,
        };
        let mut group = Group::with_title(heading.primary_title(harmless(&self.message)));
        match &self.place {
            Some((file, Some(span))) if file.can_show(span) => group = group.element(self.snippet(file, span)),
            Some((_, Some(_))) => group = group.element(Origin::path(self.position().unwrap_or_default())),
            Some((file, None)) => group = group.element(Origin::path(file.name())),
            None => {}
        }
        for help in &self.help {
            group = group.element(Heading::HELP.message(harmless(help)));
        }
        let renderer = match paint {
            Paint::Plain => Renderer::plain(),
            Paint::Styled => Renderer::styled(),
        };
        renderer.render(&[group])
    }

    fn snippet<'a>(
        &'a self,
        file: &'a SourceFile,
        span: &Range<usize>,
    ) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let primary = AnnotationKind::Primary.span(file.fit(span)).label(self.label.as_deref());
        let related =
            self.related.iter().map(|(span, label)| AnnotationKind::Context.span(file.fit(span)).label(label.as_str()));
        Snippet::source(file.text()).path(file.name()).annotation(primary).annotations(related)
    }
}

impl fmt::Display for Diagnostic {
    /// On one line: `file:line:column: message`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = self.position() {
            write!(formatter, "{position}: ")?;
        }
        formatter.write_str(&self.message)
    }
}

/// Writes all of them, in order of file and place, with an empty line between two.
///
/// # Errors
/// Where the output cannot be written.
pub fn write_all(diagnostics: &[Diagnostic], paint: Paint, out: &mut dyn io::Write) -> io::Result<()> {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|diagnostic| {
        diagnostic
            .place
            .as_ref()
            .map(|(file, span)| (file.name().to_owned(), span.as_ref().map(|span| (span.start, span.end))))
    });
    let more = sorted.len().saturating_sub(MOST_SHOWN);
    for (index, diagnostic) in sorted.into_iter().take(MOST_SHOWN).enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        writeln!(out, "{}", diagnostic.render(paint))?;
    }
    if more > 0 {
        writeln!(out, "\n... and {more} more problems")?;
    }
    Ok(())
}

/// How many problems are shown: to draw each one takes as long as its file is large.
const MOST_SHOWN: usize = 100;

/// The longest line that is shown. People write no such lines.
const LONGEST_LINE: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_and_many_problems_are_cut_off() {
        let long = SourceFile::new("a.tf", format!("{} x", "y".repeat(100_000)));
        let problems: Vec<Diagnostic> =
            (0..1_000).map(|index| Diagnostic::error(format!("no {index}")).at(&long, 100_001..100_002)).collect();
        let mut out = Vec::new();
        write_all(&problems, Paint::Plain, &mut out).expect("written");
        let text = String::from_utf8(out).expect("a text");
        assert!(text.len() < 20_000 && text.ends_with("... and 900 more problems\n"), "{}", text.len());
    }

    fn file() -> SourceFile {
        SourceFile::new("rules/ec2/x.yaml", "id: é\nassert: a && b\n")
    }

    #[test]
    fn a_diagnostic_shows_its_line_with_a_caret() {
        let diagnostic = Diagnostic::error("no such attribute `b`")
            .at(&file(), 20..21)
            .label("not an attribute of AWS::EC2::Instance")
            .related(4..6, "of this rule")
            .help("did you mean `a`?");
        insta::assert_snapshot!(diagnostic.render(Paint::Plain));
        assert_eq!(diagnostic.to_string(), "rules/ec2/x.yaml:2:14: no such attribute `b`");
    }

    #[test]
    fn columns_are_code_points() {
        assert_eq!(file().line_column(6), (1, 6));
        assert_eq!(file().line_column(7), (2, 1));
        assert_eq!(file().line_column(9999), (3, 1));
    }

    #[test]
    fn spans_outside_the_text_do_no_harm() {
        for (text, span) in [("", 0..0), ("", 5..9), ("é", 1..2), ("a\n", 2..2), ("a\n\n", 1..3)] {
            let diagnostic = Diagnostic::error("broken").at(&SourceFile::new("f", text), span.clone());
            assert!(diagnostic.render(Paint::Plain).contains("--> f:"), "{text:?} {span:?}");
        }
    }

    #[test]
    fn control_characters_of_a_file_do_not_reach_the_terminal() {
        let source = SourceFile::new("f", "a: \u{1b}[2Jb\n");
        let rendered = Diagnostic::error("bad \u{1b}[2J").at(&source, 3..8).help("\u{7}").render(Paint::Plain);
        assert!(!rendered.contains(['\u{1b}', '\u{7}']), "{rendered:?}");
    }

    #[test]
    fn all_are_written_in_order_of_place() {
        let file = file();
        let all = [
            Diagnostic::error("second").at(&file, 15..16),
            Diagnostic::warning("first").at(&file, 4..6),
            Diagnostic::error("nowhere"),
        ];
        let mut out = Vec::new();
        write_all(&all, Paint::Plain, &mut out).expect("written");
        insta::assert_snapshot!(String::from_utf8(out).expect("text"));
    }
}
