//! YAML in the form that people write settings in: mappings line by line, with scalars that end with their line.
//! Everything else is not understood.

use std::ops::Range;

use super::{Misunderstood, NO_INPUTS, Splice, flow};

/// A line with something on it.
struct Line {
    start: usize,
    /// The bytes of the line without the white space around it.
    content: Range<usize>,
}

impl Line {
    fn indent(&self) -> usize {
        self.content.start - self.start
    }
}

/// The bytes of a member's value, where it is a scalar.
pub(crate) fn value(text: &str, way: &[&str], name: &str) -> Result<Option<Range<usize>>, Misunderstood> {
    let lines = lines(text)?;
    let block = match mapping(text, &lines, way)? {
        Mapping::Lines(block) => block,
        Mapping::Flow(bytes) => return flow::value(text, &bytes, name),
        Mapping::Bare { .. } => return Ok(None),
    };
    for line in of_block(text, block)? {
        if let Some(value) = value_of(text, line, name) {
            return scalar(text, value).map(Some);
        }
    }
    Ok(None)
}

/// Adds a member behind the others.
pub(crate) fn addition(text: &str, way: &[&str], name: &str, value: &str) -> Result<Splice, Misunderstood> {
    let lines = lines(text)?;
    match mapping(text, &lines, way)? {
        Mapping::Flow(bytes) => flow::addition(text, &bytes, name, value),
        Mapping::Bare { end, indent } => {
            Ok(Splice { bytes: end..end, text: format!("\n{indent}{STEP}{name}: {value}") })
        }
        Mapping::Lines(block) => {
            let (Some(first), Some(last)) = (block.first(), block.last()) else { return Err("the document is empty") };
            let end = last.content.end;
            let indent = &text[first.start..first.content.start];
            Ok(Splice { bytes: end..end, text: format!("\n{indent}{name}: {value}") })
        }
    }
}

/// Adds a mapping with one member to the outermost one.
pub(super) fn addition_of_mapping(text: &str, name: &str, member: &str, value: &str) -> Result<Splice, Misunderstood> {
    let Splice { bytes, text: line } = addition(text, &[], name, "")?;
    let line = line.trim_end();
    let indent = &line[..line.len() - line.trim_start().len()];
    Ok(Splice { bytes, text: format!("{line}{indent}{STEP}{member}: {value}") })
}

/// The indentation of a mapping below the one that it is in.
const STEP: &str = "  ";

/// A mapping.
enum Mapping<'l> {
    /// Its lines, with those of what lies below them.
    Lines(&'l [Line]),
    /// In braces, on one line.
    Flow(Range<usize>),
    /// Nothing but its name, which ends there.
    Bare { end: usize, indent: String },
}

fn lines(text: &str) -> Result<Vec<Line>, Misunderstood> {
    let mut all = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim();
        let indent = line.len() - line.trim_start().len();
        if !content.is_empty() && !content.starts_with('#') && content != "---" {
            if line[..indent].contains('\t') {
                return Err("the document is indented with tabs");
            }
            let begin = start + indent;
            all.push(Line { start, content: begin..begin + content.len() });
        }
        start += line.len();
    }
    Ok(all)
}

fn mapping<'l>(text: &str, lines: &'l [Line], way: &[&str]) -> Result<Mapping<'l>, Misunderstood> {
    let mut block = lines;
    for name in way {
        let position = of_block(text, block)?.find_map(|line| Some((line.start, value_of(text, line, name)?)));
        let (start, value) = position.ok_or(NO_INPUTS)?;
        let index = block.iter().position(|line| line.start == start).unwrap_or_default();
        let (line, below) = (&block[index], &block[index + 1..]);
        let written = text[value.clone()].trim();
        if written.starts_with('{') {
            let start = value.start + text[value].find('{').unwrap_or_default();
            return Ok(Mapping::Flow(start..line.content.end));
        }
        if !(written.is_empty() || written.starts_with('#')) {
            return Err("the inputs of the document are not written line by line");
        }
        let end = below.iter().position(|other| other.indent() <= line.indent()).unwrap_or(below.len());
        block = &below[..end];
        if block.is_empty() {
            let indent = text[line.start..line.content.start].to_owned();
            return Ok(Mapping::Bare { end: line.content.end, indent });
        }
    }
    Ok(Mapping::Lines(block))
}

/// The lines of a mapping itself, without those of what lies below them.
fn of_block<'l>(text: &str, block: &'l [Line]) -> Result<impl Iterator<Item = &'l Line>, Misunderstood> {
    let indent = block.first().map_or(0, Line::indent);
    let own = move |line: &&'l Line| line.indent() == indent;
    let odd = |line: &Line| text[line.content.clone()].starts_with(['-', '?', '&', '*', '!', '{', '[', '%']);
    if block.iter().any(|line| line.indent() < indent) || block.iter().filter(own).any(odd) {
        return Err("the document is not written as mappings line by line");
    }
    Ok(block.iter().filter(own))
}

/// The bytes behind `name:` in a line that begins with it.
fn value_of(text: &str, line: &Line, name: &str) -> Option<Range<usize>> {
    let content = &text[line.content.clone()];
    let rest = [name.to_owned(), format!("\"{name}\""), format!("'{name}'")]
        .iter()
        .find_map(|key| content.strip_prefix(key.as_str()))?
        .trim_start();
    let rest = rest.strip_prefix(':')?;
    if !(rest.is_empty() || rest.starts_with([' ', '\t'])) {
        return None;
    }
    Some(line.content.end - rest.len()..line.content.end)
}

/// A scalar that ends with its line, without the comment behind it.
fn scalar(text: &str, value: Range<usize>) -> Result<Range<usize>, Misunderstood> {
    const ODD: Misunderstood = "the value is not written in one line";
    let written = &text[value.clone()];
    let start = value.start + written.len() - written.trim_start().len();
    let written = written.trim_start();
    let Some(first) = written.chars().next() else { return Err(ODD) };
    let length = match first {
        '|' | '>' | '&' | '*' | '!' | '[' | '{' | '#' => return Err(ODD),
        '"' | '\'' => end_of_quoted(written, first).ok_or(ODD)?,
        _ => written.find(" #").unwrap_or(written.len()),
    };
    let behind = written[length..].trim_start();
    if !(behind.is_empty() || behind.starts_with('#')) {
        return Err(ODD);
    }
    Ok(start..start + written[..length].trim_end().len())
}

pub(super) fn end_of_quoted(written: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (index, character) in written.char_indices().skip(1) {
        match character {
            '\\' if quote == '"' && !escaped => escaped = true,
            _ if character == quote && !escaped => return Some(index + 1),
            _ => escaped = false,
        }
    }
    None
}
