//! A patch for people, and for programs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::Style;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Fixed, Left, Patch, difference};
use crate::model::{Finding, ResourceRef, Verdict};
use crate::remediate::show::{AFTER, BEFORE, BOLD, DIM, Look, Rows, WARN, listed};
use crate::terminal::{harmless, wrap};

/// How far from the left what is said of a finding stands.
const MARGIN: usize = 4;

/// Writes the diff, what each change is for, and what is left.
pub(crate) fn patch(patch: &Patch, look: Look, out: &mut dyn Write) -> io::Result<()> {
    diff(patch, look, out)?;
    for fixed in &patch.fixed {
        writeln!(out, "fix   {}", look.paint.paint(BOLD, &harmless(&subject(&fixed.finding))))?;
        about(fixed, look, out)?;
    }
    left(patch, look, out)?;
    writeln!(out, "{}", summary(patch))
}

/// Writes fixes that do the same: what they do once, and the places.
pub(crate) fn group(group: &[&Fixed], look: Look, out: &mut dyn Write) -> io::Result<()> {
    let Some(first) = group.first() else { return Ok(()) };
    writeln!(out, "{}", look.paint.paint(BOLD, &harmless(&first.finding.rule)))?;
    about(first, look, out)?;
    let source_map: Vec<String> = group.iter().map(|fixed| place(&fixed.finding)).collect();
    for line in listed(&source_map, look.all, look.width.saturating_sub(MARGIN + 2)) {
        writeln!(out, "      {line}")?;
    }
    Ok(())
}

/// Writes the lines that change.
pub(crate) fn diff(patch: &Patch, look: Look, out: &mut dyn Write) -> io::Result<()> {
    for file in &patch.files {
        for line in difference::unified(&file.name, &file.before, &file.after).lines() {
            let style = match line.as_bytes().first() {
                Some(b'-') => BEFORE,
                Some(b'+') => AFTER,
                Some(b'@') => DIM,
                _ => Style::new(),
            };
            writeln!(out, "{}", look.paint.paint(style, &harmless(line.trim_end_matches('\r'))))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Writes what a fix does, and what to know before it.
fn about(fixed: &Fixed, look: Look, out: &mut dyn Write) -> io::Result<()> {
    say(&fixed.title, Style::new(), look, out)?;
    for hazard in &fixed.hazards {
        say(&format!("unsafe: {hazard}"), WARN, look, out)?;
    }
    if let Some(warning) = fixed.warn.as_ref().filter(|warning| !fixed.hazards.contains(warning)) {
        say(warning, WARN, look, out)?;
    }
    Ok(())
}

/// Writes what came of a patch that was written.
pub(crate) fn written(
    patch: &Patch,
    verdicts: &BTreeMap<String, Verdict>,
    look: Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    const RESULTS: &[&str] = &["fixed", "still failing", "unknown", "left"];
    let mut rows = Rows::default();
    for fixed in &patch.fixed {
        let result = result(fixed, verdicts);
        let style = if result == "fixed" { AFTER } else { BEFORE };
        rows.add((result, style), &fixed.finding.rule, place(&fixed.finding), None);
    }
    for left in &patch.left {
        rows.add(("left", WARN), &left.finding.rule, place(&left.finding), Some(&because(left)));
    }
    rows.write("finding", RESULTS, look, out)?;
    let files: Vec<&str> = patch.files.iter().map(|file| file.name.as_str()).collect();
    writeln!(out, "\nWritten: {}", harmless(&files.join(", ")))
}

fn result(fixed: &Fixed, verdicts: &BTreeMap<String, Verdict>) -> &'static str {
    match verdicts.get(&fixed.finding.fingerprint) {
        Some(Verdict::Pass | Verdict::Waived) => "fixed",
        Some(Verdict::Fail) => "still failing",
        Some(Verdict::Unknown) | None => "unknown",
    }
}

fn left(patch: &Patch, look: Look, out: &mut dyn Write) -> io::Result<()> {
    for left in &patch.left {
        writeln!(out, "left  {}", look.paint.paint(BOLD, &harmless(&subject(&left.finding))))?;
        say(&because(left), Style::new(), look, out)?;
    }
    Ok(())
}

fn because(left: &Left) -> String {
    let place = left.place.as_ref().map(|(file, line)| format!(" ({file}:{line})")).unwrap_or_default();
    format!("{}{place}", left.reason)
}

/// A rule and where its resource stands.
fn subject(finding: &Finding) -> String {
    format!("{} {}", finding.rule, place(finding))
}

/// The address of a resource, and where it stands.
fn place(finding: &Finding) -> String {
    let id = finding.resource.address.as_ref().unwrap_or(&finding.resource.id);
    let place = finding.location.as_ref().map(|place| format!(" {}:{}", place.file, place.line)).unwrap_or_default();
    format!("{id}{place}")
}

fn say(text: &str, style: Style, look: Look, out: &mut dyn Write) -> io::Result<()> {
    for line in wrap(&harmless(text), look.width.saturating_sub(MARGIN + 2)) {
        writeln!(out, "      {}", look.paint.paint(style, &line))?;
    }
    Ok(())
}

fn summary(patch: &Patch) -> String {
    let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    if patch.fixed.is_empty() && patch.left.is_empty() {
        return "Nothing to fix.".to_owned();
    }
    let of = |is: fn(&&Left) -> bool, what: &str| {
        let number = patch.left.iter().filter(is).count();
        (number > 0).then(|| format!("{number} {what}"))
    };
    let more: Vec<String> = [
        of(|left| left.is_unsafe, "with --unsafe-fixes"),
        of(|left| left.is_ignored, "kept by lifecycle.ignore_changes"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join(", ")) };
    let left = if patch.left.is_empty() { String::new() } else { format!(", {} left{more}", patch.left.len()) };
    format!(
        "\n{} in {}{left}",
        count(patch.fixed.len(), "fix").replace("fixs", "fixes"),
        count(patch.files.len(), "file")
    )
}

/// A patch as JSON.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Answer<'a> {
    /// `ssm-audit/code-fix`
    kind: &'static str,
    /// 1
    schema_version: u32,
    /// Whether it was written.
    written: bool,
    /// What changes.
    files: Vec<FileOfAnswer<'a>>,
    /// What holds with it.
    fixed: Vec<FixedOfAnswer<'a>>,
    /// What does not.
    left: Vec<LeftOfAnswer<'a>>,
}

/// A file that changes.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "File")]
struct FileOfAnswer<'a> {
    /// Its path.
    file: &'a str,
    /// A unified diff.
    diff: String,
}

/// A finding that holds with the patch.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Fixed")]
struct FixedOfAnswer<'a> {
    rule: &'a str,
    resource: &'a ResourceRef,
    fingerprint: &'a str,
    /// What is done.
    title: &'a str,
    /// What to know before it is done.
    warn: Option<&'a str>,
    /// Why it is not safe; empty where it is.
    hazards: &'a [String],
    /// `fixed`, `still failing` or `unknown` once it was written and looked at again.
    result: Option<&'static str>,
}

/// A finding that the patch leaves.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Left")]
struct LeftOfAnswer<'a> {
    rule: &'a str,
    resource: &'a ResourceRef,
    fingerprint: &'a str,
    /// Why.
    reason: &'a str,
    /// The file that keeps it from being fixed.
    file: Option<&'a str>,
    /// The line in it.
    line: Option<usize>,
    /// Whether `--unsafe-fixes` would fix it.
    with_unsafe_fixes: bool,
}

impl<'a> Answer<'a> {
    /// The patch; with the verdicts where it was written.
    pub(crate) fn of(patch: &'a Patch, verdicts: Option<&BTreeMap<String, Verdict>>) -> Self {
        Self {
            kind: "ssm-audit/code-fix",
            schema_version: 1,
            written: verdicts.is_some(),
            files: patch.files.iter().map(FileOfAnswer::of).collect(),
            fixed: patch.fixed.iter().map(|fixed| FixedOfAnswer::of(fixed, verdicts)).collect(),
            left: patch.left.iter().map(LeftOfAnswer::of).collect(),
        }
    }
}

impl<'a> FileOfAnswer<'a> {
    fn of(file: &'a super::Changed) -> Self {
        Self { file: &file.name, diff: difference::unified(&file.name, &file.before, &file.after) }
    }
}

impl<'a> FixedOfAnswer<'a> {
    fn of(fixed: &'a Fixed, verdicts: Option<&BTreeMap<String, Verdict>>) -> Self {
        Self {
            rule: &fixed.finding.rule,
            resource: &fixed.finding.resource,
            fingerprint: &fixed.finding.fingerprint,
            title: &fixed.title,
            warn: fixed.warn.as_deref(),
            hazards: &fixed.hazards,
            result: verdicts.map(|verdicts| result(fixed, verdicts)),
        }
    }
}

impl<'a> LeftOfAnswer<'a> {
    fn of(left: &'a Left) -> Self {
        Self {
            rule: &left.finding.rule,
            resource: &left.finding.resource,
            fingerprint: &left.finding.fingerprint,
            reason: &left.reason,
            file: left.place.as_ref().map(|(file, _)| file.as_str()),
            line: left.place.as_ref().map(|(_, line)| *line),
            with_unsafe_fixes: left.is_unsafe,
        }
    }
}
