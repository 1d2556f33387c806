//! Waivers that stand in the code, as a comment above a block or within it:
//! `# ssm-audit:ignore RULE until=2027-01-31 reason="…"`. They are waivers as those of the configuration, for the
//! resource at hand.

use jiff::civil::Date;

use super::file::File;
use super::places::{Place, Places};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::waiver::{Glob, Waiver};

/// What such a comment begins with.
const MARKER: &str = "ssm-audit:ignore";

/// The waivers of the code, and what is wrong with those that cannot be read.
pub fn waivers(places: &Places) -> (Vec<Waiver>, Vec<Diagnostic>) {
    let (mut waivers, mut problems) = (Vec::new(), Vec::new());
    for (index, file) in places.files().iter().enumerate() {
        if !file.source().text().contains(MARKER) {
            continue;
        }
        for comment in comments(file) {
            let written = match Written::parse(&comment.text) {
                Ok(written) => written,
                Err(why) => {
                    problems.push(Diagnostic::warning(why).at(file.source(), comment.bytes.clone()));
                    continue;
                }
            };
            let covered = places.all().filter(|place| comment.covers(place, index, file));
            waivers.extend(covered.map(|place| written.waiver(&place.address, file.source(), &comment)));
        }
    }
    (waivers, problems)
}

/// A comment that waives something.
struct Comment {
    /// What follows the marker.
    text: String,
    bytes: std::ops::Range<usize>,
    line: usize,
    /// The first line after it that is neither blank nor a comment.
    next: usize,
}

fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with('#') || line.starts_with("//")
}

fn comments(file: &File) -> Vec<Comment> {
    let text = file.source().text();
    let lines: Vec<&str> = text.split('\n').collect();
    let mut comments = Vec::new();
    let mut end = 0;
    for (index, line) in lines.iter().enumerate() {
        let begin = end;
        end += line.len() + 1;
        // After what else may stand in the line: a text in quotes would have to hold both.
        let Some((before, after)) = line.split_once(MARKER) else { continue };
        if !before.contains('#') && !before.contains("//") {
            continue;
        }
        let code = |line: &&str| !line.trim().is_empty() && !is_comment(line);
        let next = lines[index + 1..].iter().position(code).map_or(index, |offset| index + 1 + offset);
        let begin = begin + before.len();
        comments.push(Comment {
            text: after.trim().to_owned(),
            bytes: begin..begin + MARKER.len() + after.trim_end().len(),
            line: index + 1,
            next: next + 1,
        });
    }
    comments
}

impl Comment {
    /// Whether it stands in the block of the resource or right above it, or at one of its attributes elsewhere.
    fn covers(&self, place: &Place, index: usize, file: &File) -> bool {
        let spans = std::iter::once(place.block).chain(place.attributes.iter().map(|(_, span)| *span));
        spans.filter(|span| span.file.0 as usize == index).any(|span| {
            let (first, _) = file.line_column(span.bytes().start);
            let (last, _) = file.line_column(span.bytes().end.saturating_sub(1));
            (first..=last).contains(&self.line) || (self.next == first && self.line < first)
        })
    }
}

/// What a comment says.
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
                "until" => {
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

    fn waiver(&self, address: &str, file: &SourceFile, comment: &Comment) -> Waiver {
        Waiver {
            rule: Glob::new(&self.rule),
            resource: Glob::new(address),
            account: Glob::new("*"),
            reason: self.reason.clone(),
            owner: None,
            expires: self.until,
            within: Vec::new(),
            inline: true,
            place: Diagnostic::warning(String::new()).at(file, comment.bytes.clone()),
        }
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
        for wrong in [
            "",
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
