//! Findings as results.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use serde_sarif::sarif::{
    ArtifactChange, ArtifactContent, Fix, Message, PropertyBag, Region, Replacement, Result as Listed, ResultLevel,
    Suppression,
};

use super::location;
use super::rules::Rules;
use crate::model::finding::{self, AppliedWaiver, Edit};
use crate::model::{Finding, Severity, Verdict};
use crate::report::phrasing;
use crate::terminal::harmless;

/// Returns the failures, unknowns and waived findings.
pub(super) fn listed(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(|finding| finding.verdict != Verdict::Pass)
}

pub(super) fn result(finding: &Finding, rules: &Rules) -> Listed {
    let mut result = Listed::builder()
        .rule_id(finding.rule.as_str())
        .level(level(finding))
        .message(message(&text(finding)))
        .locations(vec![location::of(finding)])
        .partial_fingerprints(fingerprints(finding))
        // The standard requires suppressions on each result if one result has them.
        .suppressions(finding.waiver.as_deref().map(suppression).into_iter().collect::<Vec<_>>())
        .properties(properties(finding))
        .build();
    result.rule_index = rules.index(&finding.rule);
    if !finding.related.is_empty() {
        let related = finding.related.iter().zip(1..).map(|(place, id)| location::related(place, id));
        result.related_locations = Some(related.collect());
    }
    if let Some(edit) = &finding.edit {
        result.fixes = Some(vec![fix(edit)]);
    }
    result
}

/// Returns an edit of code that fixes the finding.
fn fix(edit: &Edit) -> Fix {
    let changes = edit.files.iter().map(|(file, replacements)| {
        let replacements: Vec<Replacement> = replacements.iter().map(replacement).collect();
        ArtifactChange::builder().artifact_location(location::file(file)).replacements(replacements).build()
    });
    let mut fix = Fix::builder().artifact_changes(changes.collect::<Vec<_>>()).build();
    fix.description = Some(message(&edit.title));
    fix
}

fn replacement(one: &finding::Replacement) -> Replacement {
    let region = Region::builder()
        .start_line(i64::from(one.line))
        .start_column(i64::from(one.column))
        .end_line(i64::from(one.end_line))
        .end_column(i64::from(one.end_column))
        .build();
    let mut replacement = Replacement::builder().deleted_region(region).build();
    replacement.inserted_content = Some(ArtifactContent::builder().text(one.text.as_str()).build());
    replacement
}

/// Returns the verdict that a waived finding would have.
fn verdict(finding: &Finding) -> Verdict {
    finding.waiver.as_ref().map_or(finding.verdict, |waiver| waiver.verdict)
}

/// Returns the level of a finding. An unknown is never an error, and never `none`. The kinds `open` and `review` would
/// be more precise, but the standard gives them the level `none`, which hides them.
fn level(finding: &Finding) -> ResultLevel {
    match (finding.severity, verdict(finding)) {
        (Severity::Critical | Severity::High, Verdict::Unknown) | (Severity::Medium, _) => ResultLevel::Warning,
        (Severity::Critical | Severity::High, _) => ResultLevel::Error,
        (Severity::Low | Severity::Info, _) => ResultLevel::Note,
    }
}

/// Returns the problem and the resource: lists of alerts show no more than this.
fn text(finding: &Finding) -> String {
    let resource = phrasing::resource(&finding.resource);
    let what = match verdict(finding) {
        Verdict::Unknown => format!("unknown, because {}", phrasing::reasons(finding).join("; ")),
        _ => finding.message.clone(),
    };
    let evidence: Vec<String> = finding.evidence.iter().flat_map(phrasing::evidence).collect();
    let stop = if what.ends_with(['.', '!', '?']) { "" } else { "." };
    let mut text = format!("{resource}: {what}{stop}");
    if verdict(finding) == Verdict::Fail && !evidence.is_empty() {
        text = format!("{text}\n{}", evidence.join("\n"));
    }
    text.lines().map(harmless).collect::<Vec<_>>().join("\n")
}

/// Returns a message in which braces and brackets are literal.
/// <https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/sarif-v2.1.0-os.html#_Toc34317459>
pub(super) fn message(text: &str) -> Message {
    let text = text.replace('{', "{{").replace('}', "}}").replace("](", "]\\(");
    Message::builder().text(text).build()
}

fn fingerprints(finding: &Finding) -> BTreeMap<String, String> {
    // GitHub reads the second fingerprint only, and would derive it from the file, which does not exist.
    [
        ("ssmAuditFinding/v1".to_owned(), finding.fingerprint.clone()),
        ("primaryLocationLineHash".to_owned(), format!("{}:1", finding.fingerprint)),
    ]
    .into()
}

fn suppression(waiver: &AppliedWaiver) -> Suppression {
    let owner = waiver.owner.iter().map(|owner| format!("owner: {owner}"));
    let expires = waiver.expires.iter().map(|day| format!("until: {day}"));
    let source = waiver.source.iter().map(|source| format!("waived in {source}"));
    let words: Vec<String> = std::iter::once(waiver.reason.clone()).chain(owner).chain(expires).chain(source).collect();
    let kind = if waiver.inline { "inSource" } else { "external" };
    Suppression::builder().kind(kind).status("accepted").justification(words.join("; ")).build()
}

fn properties(finding: &Finding) -> PropertyBag {
    let resource = &finding.resource;
    let mut members: BTreeMap<String, Value> = [
        ("account".to_owned(), json!(resource.account)),
        ("region".to_owned(), json!(resource.region)),
        ("resourceId".to_owned(), json!(resource.id)),
        ("resourceType".to_owned(), json!(resource.resource_type)),
        ("verdict".to_owned(), json!(verdict(finding))),
        ("evidence".to_owned(), json!(finding.evidence)),
        ("gaps".to_owned(), json!(finding.gaps)),
        ("remediation".to_owned(), json!(finding.remediation)),
    ]
    .into();
    members.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|items| !items.is_empty()));
    PropertyBag::builder().additional_properties(members).build()
}
