//! YAML that people write, read into types: the one place that knows the YAML crate.
//!
//! Every mistake comes back as a [`Diagnostic`] with its place, and all of them at once: what is in
//! error is struck out, and the rest is read again. Duplicate keys are refused, and aliases are
//! bounded, so that a small file cannot ask for much memory.

mod de;
mod node;

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::{Deref, Range};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Location;

use self::de::{Problem, Reader, SPANNED, SPANNED_FIELDS};
use self::node::{Node, span_of};
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

/// What the value is; where it stands is no part of it.
impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
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
        deserializer.deserialize_struct(SPANNED, SPANNED_FIELDS, SpannedVisitor(PhantomData))
    }
}

struct SpannedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for SpannedVisitor<T> {
    type Value = Spanned<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value with its place in a file")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Spanned<T>, A::Error> {
        let (mut start, mut end) = (0, 0);
        while let Some(field) = fields.next_key::<String>()? {
            match field.as_str() {
                "start" => start = fields.next_value()?,
                "end" => end = fields.next_value()?,
                _ => return Ok(Spanned { value: fields.next_value()?, span: start..end }),
            }
        }
        Err(A::Error::missing_field("value"))
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
/// Everything that is wrong with it, each with its place.
pub fn parse<T: DeserializeOwned>(file: &SourceFile) -> Result<T, Vec<Diagnostic>> {
    let mut tree = tree(file).map_err(|diagnostic| vec![*diagnostic])?;
    let mut diagnostics = Vec::new();
    tree.duplicates(file, &mut diagnostics);
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    loop {
        let mut error = match T::deserialize(Reader { node: &tree, text: file.text() }) {
            Ok(value) if diagnostics.is_empty() => return Ok(value),
            Ok(_) => return Err(diagnostics),
            Err(error) => error,
        };
        error.path.reverse();
        // What misses only what was struck out is no news.
        if !tree.follow(&error.path).is_some_and(|node| node.damaged) {
            let span = error.span.unwrap_or_else(|| tree.span.clone());
            diagnostics.push(describe(&error.problem).at(file, span));
        }
        if diagnostics.len() >= MOST || !tree.strike(&error.path) {
            return Err(diagnostics);
        }
    }
}

/// The largest file of YAML. People write a hundredth of it, and a tree takes many times the room of its text.
pub const LARGEST: u64 = 1 << 20;

/// After so many errors a file is not read on.
const MOST: usize = 50;

/// How many nodes aliases may add. People write a handful of them.
const REPLAYED: usize = 10_000;

fn tree(file: &SourceFile) -> Result<Node, Box<Diagnostic>> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        // Found in the tree instead, all of them, and each with the first one beside it.
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::PassThrough,
        merge_keys: serde_saphyr::MergeKeyPolicy::Error,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: REPLAYED },
    };
    serde_saphyr::from_str_with_options(file.text(), options).map_err(|error| Box::new(syntax(file, &error)))
}

/// The key of `expected` that is closest to what was written, if one is close.
pub fn nearest<'a>(found: &str, expected: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Nobody mistypes a word of that length, and to compare long ones takes long.
    const LONGEST: usize = 200;
    if found.len() > LONGEST {
        return None;
    }
    expected
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&found.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= name.chars().count().max(found.chars().count()) / 3 + 1)
        .filter(|(distance, name)| *distance < name.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

fn describe(problem: &Problem) -> Diagnostic {
    match problem {
        Problem::UnknownKey { found, expected } => unknown("key", found, expected),
        Problem::UnknownValue { found, expected } => unknown("value", found, expected),
        Problem::MissingKey(key) => Diagnostic::error(format!("the key `{key}` is missing")),
        Problem::Other(message) => Diagnostic::error(message),
    }
}

fn unknown(noun: &str, found: &str, expected: &[&str]) -> Diagnostic {
    let diagnostic = Diagnostic::error(format!("unknown {noun} `{found}`"));
    match nearest(found, expected.iter().copied()) {
        Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
        None => diagnostic.help(format!("expected one of `{}`", expected.join("`, `"))),
    }
}

/// What is no YAML, in the words of the YAML crate but for the place that they end in.
fn syntax(file: &SourceFile, error: &serde_saphyr::Error) -> Diagnostic {
    let message = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
    let Some(location) = error.location() else { return Diagnostic::error(message).of(file) };
    let place = format!(" at line {}, column {}", location.line(), location.column());
    let diagnostic = Diagnostic::error(message.replace(&place, ""));
    match span_of(location).or_else(|| span_of_point(file, location)) {
        Some(span) => diagnostic.at(file, span),
        None => diagnostic.of(file),
    }
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
mod tests;
