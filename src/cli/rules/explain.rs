//! `rules explain` as text.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::explained::{Explained, effect, shown};
use super::heading;
use crate::remediate::remediation::RemediationSpec;
use crate::report::site;
use crate::terminal;

/// Writes an explanation. Without a width, no line is wrapped.
pub(super) fn write(explained: &Explained<'_>, width: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
    let rule = explained.rule;
    let mut text = Text { width, out };
    text.lines(0, &rule.id)?;
    text.lines(0, &rule.title)?;
    text.end()?;
    if let Some(deprecated) = &rule.deprecated {
        text.lines(0, &format!("Deprecated: {deprecated}"))?;
        text.end()?;
    }
    text.entry("severity", &rule.severity.to_string())?;
    text.entry("policy", rule.policy.as_str())?;
    text.entry("resource", &rule.resource_type.to_string())?;
    text.entry("sources", &explained.sources())?;
    if let Some(page) = rule.is_built_in().then(|| site::rule_page(&rule.id)).flatten() {
        text.entry("page", &page)?;
    }
    text.end()?;
    text.section("What it checks", &rule.description)?;
    text.section("Why it matters", &rule.rationale)?;
    heading(text.out, "Rule")?;
    if let Some(when) = rule.when() {
        writeln!(text.out, "when    {}", indented(when))?;
    }
    writeln!(text.out, "assert  {}\n", indented(rule.assert()))?;
    if !rule.params.is_empty() {
        heading(text.out, "Parameters")?;
        for (name, param) in &rule.params {
            text.lines(0, &format!("{name} = {}  {}", shown(&param.default), param.description.trim()))?;
        }
        text.end()?;
    }
    heading(text.out, "Reads")?;
    for path in rule.reads() {
        writeln!(text.out, "resource.{path}")?;
    }
    let calls: Vec<String> = rule.needs().calls().map(ToString::to_string).collect();
    text.lines(0, &format!("by {}", calls.join(", ")))?;
    text.end()?;
    heading(text.out, "Permissions")?;
    text.entry("scan", &joined(&explained.reads))?;
    if !explained.changes.is_empty() {
        text.entry("fix", &joined(&explained.changes))?;
    }
    text.end()?;
    fix(explained, &mut text)?;
    heading(text.out, "Examples")?;
    for example in &rule.examples {
        writeln!(text.out, "{:<15} {}", example.expected, example.attributes)?;
    }
    text.end()?;
    if !explained.controls.is_empty() {
        heading(text.out, "Answers for")?;
        for control in &explained.controls {
            text.lines(0, control)?;
        }
        text.end()?;
    }
    heading(text.out, "References")?;
    rule.references.iter().try_for_each(|reference| writeln!(text.out, "{reference}"))
}

/// Writes how the rule is fixed: by ssm-audit, and by hand.
fn fix(explained: &Explained<'_>, text: &mut Text<'_>) -> io::Result<()> {
    let rule = explained.rule;
    if let Some(none) = explained.no_remedy {
        text.section("Remediation", &format!("None automatic: {none}"))?;
    } else if rule.remediation.is_some() {
        heading(text.out, "Remediation")?;
        if let Some(remedy) = explained.remedy {
            remediation(remedy, text)?;
        }
        text.lines(0, &format!("`ssm-audit fix --rule {}` shows what it would change, and asks.", rule.id))?;
        text.end()?;
    }
    if let Some(console) = &rule.manual_fix.console {
        text.section("In the console", console.trim())?;
    }
    for (title, code) in [("With the AWS CLI", &rule.manual_fix.cli), ("In Terraform", &rule.manual_fix.terraform)] {
        if let Some(code) = code {
            heading(text.out, title)?;
            writeln!(text.out, "{}\n", code.trim_end())?;
        }
    }
    Ok(())
}

/// Writes what a remediation does, what it interrupts, and what to know before it.
fn remediation(remedy: &RemediationSpec, text: &mut Text<'_>) -> io::Result<()> {
    text.lines(0, &format!("{}: {}", remedy.id, remedy.title))?;
    text.entry("effect", effect(remedy.disruption))?;
    if remedy.by_name {
        text.entry("by name", "only with --resource ID, or its name typed")?;
    }
    for setting in &remedy.needs {
        text.entry("needs", &format!("fix.{setting} in ssm-audit.yaml"))?;
    }
    match &remedy.warn {
        Some(warning) => text.entry("note", warning.trim()),
        None => Ok(()),
    }
}

fn joined(actions: &BTreeSet<&str>) -> String {
    actions.iter().copied().collect::<Vec<_>>().join(", ")
}

fn indented(expression: &str) -> String {
    expression.lines().map(str::trim_end).collect::<Vec<_>>().join("\n        ")
}

/// Text that is wrapped where there is a terminal.
struct Text<'a> {
    width: Option<usize>,
    out: &'a mut dyn Write,
}

impl Text<'_> {
    fn section(&mut self, title: &str, text: &str) -> io::Result<()> {
        heading(self.out, title)?;
        self.lines(0, text)?;
        self.end()
    }

    /// Writes a name and its value, further lines below the value.
    fn entry(&mut self, name: &str, value: &str) -> io::Result<()> {
        write!(self.out, "{name:<8}  ")?;
        self.lines(10, value)
    }

    /// Writes paragraphs. All lines but the first are indented.
    fn lines(&mut self, indent: usize, text: &str) -> io::Result<()> {
        let lines: Vec<String> = text.lines().flat_map(|line| self.wrapped(line, indent)).collect();
        for (index, line) in lines.into_iter().enumerate() {
            let indent = if index == 0 { 0 } else { indent };
            writeln!(self.out, "{:indent$}{line}", "")?;
        }
        Ok(())
    }

    fn wrapped(&self, line: &str, indent: usize) -> Vec<String> {
        match self.width {
            Some(width) => terminal::wrap(line, width.saturating_sub(indent)),
            None => vec![line.to_owned()],
        }
    }

    fn end(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }
}
