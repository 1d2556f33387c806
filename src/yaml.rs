//! YAML that people write, read into types: the one place that knows the YAML crate.
//!
//! Every mistake comes back as a [`Diagnostic`] with its place. Duplicate keys are refused, and
//! aliases are bounded, so that a small file cannot ask for much memory.

use std::hash::{Hash, Hasher};
use std::ops::{Deref, Range};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_saphyr::{Error, Location};

use crate::diagnostic::{Diagnostic, SourceFile};

/// A value with the bytes of the file that it was read from.
#[derive(Debug, Clone, Default)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its bytes in the file: for a mapping or list in several lines where it begins, for a block of text its
    /// content.
    pub span: Range<usize>,
}

impl<T> Spanned<T> {
    /// The value at these bytes.
    pub fn new(value: T, span: Range<usize>) -> Self {
        Self { value, span }
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

// Two values are equal wherever they stand, so that spanned texts can be keys.
impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Spanned<T> {}

impl<T: PartialOrd> PartialOrd for Spanned<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl<T: Ord> Ord for Spanned<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.value.cmp(&other.value)
    }
}

impl<T: Hash> Hash for Spanned<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = serde_saphyr::Spanned::<T>::deserialize(deserializer)?;
        Ok(Self { value: spanned.value, span: span_of(spanned.referenced).unwrap_or(0..0) })
    }
}

impl Spanned<String> {
    /// The bytes of the file that hold a part of this text, for carets within an expression. The
    /// whole text where escapes or folded lines make that undecidable.
    pub fn part(&self, file: &SourceFile, part: Range<usize>) -> Range<usize> {
        locate(file.text(), &self.span, &self.value, part).unwrap_or_else(|| self.span.clone())
    }
}

/// Reads the text into a type.
///
/// # Errors
/// What is wrong with it, each with its place.
pub fn parse<T: DeserializeOwned>(file: &SourceFile) -> Result<T, Vec<Diagnostic>> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        strict_booleans: true,
        merge_keys: serde_saphyr::MergeKeyPolicy::Error,
    };
    serde_saphyr::from_str_with_options(file.text(), options).map_err(|error| vec![diagnose(file, &error)])
}

/// The key of `expected` that is closest to what was written, if one is close.
pub fn nearest<'a>(found: &str, expected: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    expected
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&found.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= name.chars().count().max(found.chars().count()) / 3 + 1)
        .filter(|(distance, name)| *distance < name.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

fn diagnose(file: &SourceFile, error: &Error) -> Diagnostic {
    let error = error.without_snippet();
    let diagnostic = match error {
        Error::SerdeUnknownField { field, expected, .. } => unknown("key", field, expected),
        Error::SerdeUnknownVariant { variant, expected, .. } => unknown("value", variant, expected),
        Error::SerdeMissingField { field, .. } => Diagnostic::error(format!("the key `{field}` is missing")),
        Error::DuplicateMappingKey { key, .. } => Diagnostic::error(match key {
            Some(key) => format!("the key `{key}` stands here twice"),
            None => "this key stands here twice".to_owned(),
        }),
        other => Diagnostic::error(plain_message(other)),
    };
    match error.location().and_then(|location| span_of(location).or_else(|| span_of_point(file, location))) {
        Some(span) => diagnostic.at(file, span),
        None => diagnostic.of(file),
    }
}

fn unknown(noun: &str, found: &str, expected: &[&str]) -> Diagnostic {
    let diagnostic = Diagnostic::error(format!("unknown {noun} `{found}`"));
    match nearest(found, expected.iter().copied()) {
        Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
        None => diagnostic.help(format!("expected one of `{}`", expected.join("`, `"))),
    }
}

/// The YAML crate's own words, without the place that they end in.
fn plain_message(error: &Error) -> String {
    let message = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
    match error.location() {
        Some(location) => {
            let place = format!(" at line {}, column {}", location.line(), location.column());
            message.replace(&place, "")
        }
        None => message,
    }
}

fn span_of(location: Location) -> Option<Range<usize>> {
    let start = usize::try_from(location.span().byte_offset()?).ok()?;
    let length = usize::try_from(location.span().byte_len()?).ok()?;
    Some(start..start + length)
}

/// Where only line and column are known.
fn span_of_point(file: &SourceFile, location: Location) -> Option<Range<usize>> {
    let line = usize::try_from(location.line()).ok()?.checked_sub(1)?;
    let column = usize::try_from(location.column()).ok()?.checked_sub(1)?;
    let before: usize = file.text().split_inclusive('\n').take(line).map(str::len).sum();
    let text = file.text().split_inclusive('\n').nth(line).unwrap_or_default();
    let start = before + text.char_indices().nth(column).map_or(text.trim_end().len(), |(index, _)| index);
    Some(start..start)
}

/// Finds a part of a scalar's value in the source of the scalar: plain and quoted ones in a line,
/// and blocks (`|`) line by line.
fn locate(text: &str, span: &Range<usize>, value: &str, part: Range<usize>) -> Option<Range<usize>> {
    let raw = text.get(span.clone())?;
    let quoted = raw.strip_prefix(['"', '\'']).filter(|rest| rest.starts_with(value));
    if quoted.is_some() {
        return Some(span.start + 1 + part.start..span.start + 1 + part.end);
    }
    if raw.starts_with(value.trim_end()) && !value.trim_end().contains('\n') {
        return Some(span.start + part.start..span.start + part.end);
    }
    let offset = |position: usize| {
        let before = value.get(..position)?;
        let line = before.matches('\n').count();
        let column = position - before.rfind('\n').map_or(0, |newline| newline + 1);
        let skipped: usize = raw.split_inclusive('\n').take(line).map(str::len).sum();
        let source = raw.get(skipped..)?.lines().next()?;
        let wanted = value.lines().nth(line)?;
        Some(span.start + skipped + source.find(wanted)? + column)
    };
    Some(offset(part.start)?..offset(part.end)?)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::terminal::Paint;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Example {
        #[serde(default)]
        title: Option<Spanned<String>>,
        #[serde(default)]
        level: Option<Level>,
        #[serde(default)]
        numbers: Vec<Spanned<u32>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Level {
        High,
        Low,
    }

    fn complain(text: &str) -> String {
        let errors = parse::<Example>(&SourceFile::new("f.yaml", text)).expect_err("an error");
        errors.iter().map(|error| error.render(Paint::Plain)).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn mistakes_show_their_place() {
        let mistakes = [
            "title: x\nlevl: high\n",
            "level: hihg\n",
            "level: x\n",
            "title: a\ntitle: b\n",
            "numbers: [1, two]\n",
            "title: a: b\n",
            "title: \"open\n",
            "title: [a]\n",
            "numbers: 3\n",
            "a: &a [*a]\n",
            "title: *nope\n",
            "- 1\n",
            "title: a\n---\ntitle: b\n",
        ];
        let all: Vec<String> = mistakes.iter().map(|text| complain(text)).collect();
        insta::assert_snapshot!(all.join("\n\n"));
    }

    #[test]
    fn spans_are_bytes_of_the_file() {
        let text = "title: 'é x'\nnumbers: [1, 22]\n";
        let example: Example = parse(&SourceFile::new("f.yaml", text)).expect("an example");
        assert_eq!(&text[example.title.expect("a title").span], "'é x'");
        assert_eq!(&text[example.numbers[1].span.clone()], "22");
        assert!(example.level.is_none());
        let _ = (Level::High, Level::Low);
    }

    #[test]
    fn a_part_of_an_expression_is_found_in_every_style() {
        let styles = [
            "title: aa && bb\n",
            "title: 'aa && bb'\n",
            "title: \"aa && bb\"\n",
            "title: |\n    aa &&\n      bb\n",
            "title: |-\n  aa && bb",
        ];
        for text in styles {
            let file = SourceFile::new("f.yaml", text);
            let title = parse::<Example>(&file).expect("an example").title.expect("a title");
            let start = title.value.find("bb").expect("the part");
            assert_eq!(&text[title.part(&file, start..start + 2)], "bb", "{text}");
        }
    }

    #[test]
    fn names_are_suggested_only_when_near() {
        let names = ["policy", "rules", "waivers"];
        assert_eq!(nearest("waiver", names), Some("waivers"));
        assert_eq!(nearest("Polcy", names), Some("policy"));
        assert_eq!(nearest("fleet", names), None);
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let before = format!("*a{}", level - 1);
            text.push_str(&format!("a{level}: &a{level} [{}]\n", [before.as_str(); 10].join(", ")));
        }
        let result = parse::<serde_json::Value>(&SourceFile::new("f.yaml", text));
        assert!(result.is_err());
    }
}
