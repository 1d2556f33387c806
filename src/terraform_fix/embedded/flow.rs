//! Mappings of YAML in braces, on one line: `{a: 1, b: "x"}`.

use std::ops::Range;

use super::yaml::end_of_quoted;
use super::{Misunderstood, Splice};

const ODD: Misunderstood = "the inputs of the document are written in braces, on several lines or in another odd way";

/// The bytes of a member's value, where it is a scalar.
pub(crate) fn value(text: &str, bytes: &Range<usize>, name: &str) -> Result<Option<Range<usize>>, Misunderstood> {
    for member in members(text, bytes)?.0 {
        let written = &text[member.clone()];
        let key = key_end(written).ok_or(ODD)?;
        let rest = &written[key..];
        if written[..key].trim().trim_matches(['"', '\'']) != name {
            continue;
        }
        let value = rest.trim_start().strip_prefix(':').ok_or(ODD)?.trim();
        if value.is_empty() || value.starts_with(['{', '[', '&', '*', '!']) {
            return Err("the value is not a plain one");
        }
        let end = member.start + written.trim_end().len();
        return Ok(Some(end - value.len()..end));
    }
    Ok(None)
}

/// Adds a member behind the others.
pub(crate) fn addition(text: &str, bytes: &Range<usize>, name: &str, value: &str) -> Result<Splice, Misunderstood> {
    let (members, close) = members(text, bytes)?;
    let inside = &text[bytes.start + 1..close];
    let Some(last) = members.last() else {
        return Ok(Splice { bytes: bytes.start + 1..close, text: format!("{name}: {value}") });
    };
    let inside = inside.trim_end();
    let (at, before) = if inside.ends_with(',') {
        (bytes.start + 1 + inside.len(), " ")
    } else {
        (last.start + text[last.clone()].trim_end().len(), ", ")
    };
    Ok(Splice { bytes: at..at, text: format!("{before}{name}: {value}") })
}

/// The bytes of the members, and the place of the closing brace.
fn members(text: &str, bytes: &Range<usize>) -> Result<(Vec<Range<usize>>, usize), Misunderstood> {
    let mut all = Vec::new();
    let (mut depth, mut at, mut start) = (0_usize, bytes.start, bytes.start + 1);
    let mut add = |range: Range<usize>| {
        if !text[range.clone()].trim().is_empty() {
            all.push(range);
        }
    };
    while at < bytes.end {
        match text.as_bytes()[at] {
            quote @ (b'"' | b'\'') => at += end_of_quoted(&text[at..bytes.end], char::from(quote)).ok_or(ODD)? - 1,
            b'#' => return Err(ODD),
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 1 => {
                let behind = text[at + 1..bytes.end].trim_start();
                if !(behind.is_empty() || behind.starts_with('#')) {
                    return Err(ODD);
                }
                add(start..at);
                return Ok((all, at));
            }
            b'}' | b']' => depth -= 1,
            b',' if depth == 1 => {
                add(start..at);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    Err(ODD)
}

/// The byte behind the key of a member.
fn key_end(member: &str) -> Option<usize> {
    let start = member.len() - member.trim_start().len();
    let written = &member[start..];
    match written.chars().next()? {
        quote @ ('"' | '\'') => Some(start + end_of_quoted(written, quote)?),
        _ => Some(start + written.find(':')?),
    }
}
