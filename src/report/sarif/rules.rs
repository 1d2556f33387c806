//! The rules that ran, as descriptors with help.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use serde_sarif::sarif::{MultiformatMessageString, PropertyBag, ReportingConfiguration, ReportingDescriptor};

use crate::model::{Finding, Severity};
use crate::report::{RuleInfo, phrasing};

/// Maximum number of characters of a description that GitHub accepts. The help contains the whole text.
const DESCRIPTION: usize = 1024;

/// The rules that ran, by id, and rules that only findings name.
pub(super) struct Rules {
    all: BTreeMap<String, (usize, ReportingDescriptor)>,
}

impl Rules {
    /// Returns the rules that ran.
    pub(super) fn of(rules: &[RuleInfo]) -> Self {
        Self { all: rules.iter().map(|rule| (rule.id.clone(), (0, described(rule)))).collect() }
    }

    /// Adds the rules of these findings.
    pub(super) fn add(&mut self, findings: &[Finding]) {
        for finding in findings {
            match self.all.get_mut(&finding.rule) {
                Some((_, descriptor)) => name_folder(descriptor, finding),
                None => {
                    self.all.insert(finding.rule.clone(), (0, bare(finding)));
                }
            }
        }
    }

    /// Assigns an index to each rule.
    pub(super) fn indexed(mut self) -> Self {
        self.all.values_mut().enumerate().for_each(|(number, (index, _))| *index = number);
        self
    }

    /// Returns the descriptors, in the order of the indices.
    pub(super) fn descriptors(&self) -> Vec<ReportingDescriptor> {
        self.all.values().map(|(_, descriptor)| descriptor.clone()).collect()
    }

    /// Returns the index of the rule of that id.
    pub(super) fn index(&self, id: &str) -> Option<i64> {
        i64::try_from(self.all.get(id)?.0).ok()
    }
}

/// Names the folder in the command of the help, if the finding concerns code.
fn name_folder(descriptor: &mut ReportingDescriptor, finding: &Finding) {
    let (of_rule, of_finding) = (phrasing::command(&finding.rule), phrasing::command_of(finding));
    if of_rule == of_finding {
        return;
    }
    if let Some(help) = &mut descriptor.help {
        help.text = help.text.replace(&of_rule, &of_finding);
        help.markdown = help.markdown.as_ref().map(|markdown| markdown.replace(&of_rule, &of_finding));
    }
}

/// Returns the descriptor of a rule of which only the findings are known.
fn bare(finding: &Finding) -> ReportingDescriptor {
    ReportingDescriptor::builder()
        .id(finding.rule.as_str())
        .default_configuration(configuration(finding.severity))
        .properties(properties(finding.severity, &[]))
        .build()
}

fn described(rule: &RuleInfo) -> ReportingDescriptor {
    let mut descriptor = ReportingDescriptor::builder()
        .id(rule.id.as_str())
        .name(pascal_case(&rule.id))
        .short_description(text(&first(&rule.title, DESCRIPTION)))
        .full_description(text(&first(&rule.description, DESCRIPTION)))
        .help(help(rule))
        .default_configuration(configuration(rule.severity))
        .properties(properties(rule.severity, &[&rule.policy, rule.resource_type.as_str()]))
        .build();
    descriptor.help_uri = rule.page.clone().or_else(|| rule.references.first().cloned());
    descriptor
}

fn text(text: &str) -> MultiformatMessageString {
    MultiformatMessageString::builder().text(sentence(text)).build()
}

fn help(rule: &RuleInfo) -> MultiformatMessageString {
    let mut plain = vec![sentence(&rule.description), sentence(&rule.rationale)];
    let mut markdown = plain.clone();
    if let Some(remediation) = &rule.remediation {
        let command = phrasing::command(&rule.id);
        plain.push(format!("Fix: {} ({command}).", remediation.title));
        markdown.push(format!("**Fix:** {} (`{command}`).", remediation.title));
    }
    if !rule.references.is_empty() {
        plain.push(rule.references.join("\n"));
        markdown.push(rule.references.iter().map(|uri| format!("- <{uri}>")).collect::<Vec<_>>().join("\n"));
    }
    MultiformatMessageString::builder().text(plain.join("\n\n")).markdown(markdown.join("\n\n")).build()
}

fn configuration(severity: Severity) -> ReportingConfiguration {
    ReportingConfiguration::builder().level(level(severity)).build()
}

/// Returns the level of a failure with that severity.
pub(super) fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// Returns the score by which GitHub sorts alerts: over 9 is critical, from 7 high, from 4 medium, below low.
fn security_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "3.0",
        Severity::Info => "1.0",
    }
}

fn properties(severity: Severity, tags: &[&str]) -> PropertyBag {
    let members: BTreeMap<String, Value> = [
        ("precision".to_owned(), json!("very-high")),
        (
            "problem.severity".to_owned(),
            json!(if severity < Severity::Medium { "recommendation" } else { level(severity) }),
        ),
        ("security-severity".to_owned(), json!(security_severity(severity))),
    ]
    .into();
    // GitHub shows the security severity only of rules with this tag.
    let tags: Vec<String> = ["security"].iter().chain(tags).map(ToString::to_string).collect();
    PropertyBag::builder().tags(tags).additional_properties(members).build()
}

/// Returns `ec2-imdsv2-required` as `Ec2Imdsv2Required`.
fn pascal_case(id: &str) -> String {
    id.split('-')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters)
        })
        .collect()
}

/// Returns the text with a full stop.
fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', '!', '?', ':', '…']) { text.to_owned() } else { format!("{text}.") }
}

/// Returns as much of the text as fits, with a mark if it was shortened.
fn first(text: &str, characters: usize) -> String {
    if text.chars().count() < characters {
        return text.to_owned();
    }
    let shown: String = text.chars().take(characters - 2).collect();
    format!("{shown}…")
}
