//! Waivers in the code, in a comment above or within a block:
//! `# ssm-audit:ignore RULE until=2027-01-31 reason="…"`. They are equivalent to waivers of the configuration
//! for the resource.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use jiff::civil::Date;

use super::engine::form_of;
use super::file::File;
use super::parse::{self, Form};
use super::source_map::SourceMap;
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::engine::waiver::{Glob, Resources, Waiver};

/// Prefix of such a comment.
const MARKER: &str = "ssm-audit:ignore";

/// The waivers in the code, and the errors of those that cannot be parsed.
pub fn waivers(source_map: &SourceMap) -> (Vec<Waiver>, Vec<Diagnostic>) {
    let (mut waivers, mut problems) = (Vec::new(), Vec::new());
    for (index, file) in source_map.files().iter().enumerate() {
        if !file.source().text().contains(MARKER) {
            continue;
        }
        let blocks = blocks(source_map, index, file);
        for comment in comments(file) {
            match Written::parse(&comment.text) {
                Ok(written) => waivers.extend(written.waiver(comment.covered(&blocks), file.source(), &comment)),
                Err(why) => problems.push(Diagnostic::warning(why).at(file.source(), comment.bytes.clone())),
            }
        }
    }
    (waivers, problems)
}

/// A range of lines of a file, and the addresses of the resources written there.
type Covered = ((usize, usize), Arc<BTreeSet<String>>);

/// The addresses of the resources that are written on these lines of a file. Line numbers start at 1, and the
/// last line is included. Sorted by the first line.
fn blocks(source_map: &SourceMap, index: usize, file: &File) -> Vec<Covered> {
    let mut blocks: BTreeMap<(usize, usize), BTreeSet<String>> = BTreeMap::new();
    for place in source_map.all() {
        let spans = std::iter::once(place.block).chain(place.attributes.iter().map(|(_, span)| *span));
        for span in spans.filter(|span| span.file.0 as usize == index) {
            let bytes = span.bytes();
            let lines = (file.line(bytes.start), file.line(bytes.end.saturating_sub(1)));
            blocks.entry(lines).or_default().insert(place.address.clone());
        }
    }
    blocks.into_iter().map(|(lines, addresses)| (lines, Arc::new(addresses))).collect()
}

/// A waiver comment.
struct Comment {
    /// Text after the marker.
    text: String,
    bytes: Range<usize>,
    line: usize,
    /// First following line that is neither blank nor a comment.
    next: usize,
}

fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with('#') || line.starts_with("//")
}

/// Locations of comments. JSON has no comments; Terraform treats members named `//` as comments.
fn written_comments(file: &File) -> Vec<Range<usize>> {
    let text = file.source().text();
    if form_of(file.source().name()) != Some(Form::Json) {
        return parse::comments(text);
    }
    let lines = text.split_inclusive('\n').scan(0, |end, line| {
        let start = *end;
        *end += line.len();
        Some((start, line))
    });
    let members = lines.filter(|(_, line)| line.trim_start().starts_with("\"//\""));
    members.map(|(start, line)| start..start + line.trim_end().len()).collect()
}

fn comments(file: &File) -> Vec<Comment> {
    let text = file.source().text();
    let written = written_comments(file).into_iter().filter_map(|bytes| {
        let at = text.get(bytes.clone())?.find(MARKER)?;
        Some(bytes.start + at..bytes.end)
    });
    // Next line of code after each line.
    let mut next = Vec::new();
    let mut code = None;
    for (index, line) in text.split('\n').enumerate().collect::<Vec<_>>().into_iter().rev() {
        next.push(code.unwrap_or(index + 1));
        if !line.trim().is_empty() && !is_comment(line) {
            code = Some(index + 1);
        }
    }
    next.reverse();
    written
        .map(|bytes| {
            let line = file.line(bytes.start);
            let text = text[bytes.start + MARKER.len()..bytes.end].trim();
            Comment {
                text: text.to_owned(),
                bytes: bytes.start..bytes.start + MARKER.len() + text.len(),
                line,
                next: next.get(line - 1).copied().unwrap_or(line),
            }
        })
        .collect()
}

impl Comment {
    /// The resources whose blocks contain the comment or directly follow it, or that have an attribute there
    /// that is written elsewhere.
    fn covered(&self, blocks: &[Covered]) -> Vec<Arc<BTreeSet<String>>> {
        // No block begins after the next line of code.
        let until = blocks.partition_point(|((first, _), _)| *first <= self.next.max(self.line));
        let covers = |(first, last): (usize, usize)| {
            (first..=last).contains(&self.line) || (self.next == first && self.line < first)
        };
        blocks[..until].iter().filter(|(lines, _)| covers(*lines)).map(|(_, addresses)| Arc::clone(addresses)).collect()
    }
}

/// Contents of a comment.
#[derive(Debug, PartialEq, Eq)]
struct Written {
    rule: String,
    until: Option<Date>,
    reason: String,
}

impl Written {
    fn parse(text: &str) -> Result<Self, String> {
        let (rule, mut rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        if rule.is_empty() {
            return Err("the waiver names no rule".to_owned());
        }
        let (mut until, mut reason) = (None, None);
        while let Some((name, after)) = rest.trim_start().split_once('=') {
            let (value, left) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or("a quote of the waiver is not closed")?,
                None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
            };
            match name.trim() {
                "until" | "expires" => {
                    if until.is_some() {
                        return Err("the waiver has two last days".to_owned());
                    }
                    let day = value.parse().map_err(|_no_day| format!("{value:?} is no day such as 2027-01-31"))?;
                    until = Some(day);
                }
                "reason" => reason = Some(value.to_owned()),
                other => return Err(format!("a waiver has `until` and `reason`, and no {other:?}")),
            }
            rest = left;
        }
        match reason.filter(|reason| !reason.trim().is_empty()) {
            Some(reason) => Ok(Self { rule: rule.to_owned(), until, reason }),
            None => Err("the waiver gives no reason=\"…\"".to_owned()),
        }
    }

    /// The waiver; none if the comment belongs to no resource.
    fn waiver(&self, covered: Vec<Arc<BTreeSet<String>>>, file: &SourceFile, comment: &Comment) -> Option<Waiver> {
        if covered.is_empty() {
            return None;
        }
        Some(Waiver {
            rule: Glob::new(&self.rule),
            resource: Resources::Named(covered),
            account: Glob::new("*"),
            reason: self.reason.clone(),
            owner: None,
            expires: self.until,
            within: Vec::new(),
            inline: true,
            place: Diagnostic::warning(String::new()).at(file, comment.bytes.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiver_names_its_rule_its_reason_and_perhaps_its_last_day() {
        let written = Written::parse("ec2-imdsv2-required until=2027-01-31 reason=\"old agent\"").expect("a waiver");
        assert_eq!(written.rule, "ec2-imdsv2-required");
        assert_eq!(written.reason, "old agent");
        assert_eq!(written.until.map(|day| day.to_string()).as_deref(), Some("2027-01-31"));
        let expires = Written::parse("ec2-imdsv2-required expires=2027-01-31 reason=\"old agent\"").expect("a waiver");
        assert_eq!(expires, written);
        for wrong in [
            "",
            "rule until=2027-01-31 expires=2027-01-31 reason=x",
            "rule",
            "rule until=2027-01-31",
            "rule reason=\"",
            "rule reason=\"x\" owner=me",
            "rule until=soon reason=x",
        ] {
            assert!(Written::parse(wrong).is_err(), "{wrong}");
        }
    }
}
