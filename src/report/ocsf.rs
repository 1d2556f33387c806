//! OCSF: a Compliance Finding (class 2003) for each line, including passes, for security lakes and SIEMs.
//! <https://schema.ocsf.io/1.6.0/classes/compliance_finding?profiles=cloud>
//!
//!
//! An unknown has the status Warning, which the schema assigns to a check that "did not yield a result due to missing
//! information". A waived finding keeps the status that it would have, and is suppressed. Each account and region has a
//! finding on the completeness of its read.

use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::stream::Findings;
use super::{Format, RuleInfo, Writer, coverage, phrasing};
use crate::model::{AccountId, Finding, Region, Report, ResourceRef, Scope, Severity, Verdict};
use crate::terminal::{Encoding, harmless};

pub(super) static FORMAT: Format =
    Format { name: "ocsf", endings: &[".ndjson", ".ocsf"], encoding: Encoding::Json, writer: Writer::Ledger(write) };

const VERSION: &str = "1.6.0";

fn write(report: &Report, findings: &Findings<'_>, rules: &[RuleInfo], out: &mut dyn Write) -> io::Result<()> {
    let time = report.finished_at.parse::<Timestamp>().map(Timestamp::as_millisecond).map_err(io::Error::other)?;
    let mut line = |event: Value| {
        serde_json::to_writer(&mut *out, &without_nulls(event))?;
        writeln!(out)
    };
    for scope in &report.scopes {
        line(of_scope(scope, report, time))?;
    }
    findings(&mut |findings| {
        let info = |finding: &Finding| rules.iter().find(|rule| rule.id == finding.rule);
        findings.iter().try_for_each(|finding| line(of_finding(finding, info(finding), report, time)))
    })
}

fn of_finding(finding: &Finding, info: Option<&RuleInfo>, report: &Report, time: i64) -> Value {
    let resource = &finding.resource;
    let (status, status_name) = match finding.verdict {
        Verdict::Waived => (3, "Suppressed"),
        Verdict::Pass | Verdict::Fail | Verdict::Unknown => (1, "New"),
    };
    let mut event = event(report, time, finding.verdict, finding.severity);
    let more = json!({
        "status_id": status,
        "status": status_name,
        "message": harmless(&phrasing::statement(finding)),
        "comment": (finding.verdict == Verdict::Waived).then(|| harmless(&phrasing::waiver(finding)).into_owned()),
        "cloud": cloud(resource.account.as_ref(), resource.region.as_ref()),
        "finding_info": {
            "uid": finding.fingerprint,
            "title": info.map_or(finding.rule.as_str(), |info| &info.title),
            "desc": info.map(|info| &info.description),
            "analytic": {"type_id": 1, "type": "Rule", "uid": finding.rule},
        },
        "compliance": compliance(finding, info, report),
        "resources": [self::resource(resource)],
        "evidences": evidences(finding),
        "remediation": remediation(finding, info),
        "unmapped": {"verdict": finding.verdict, "address": resource.address, "location": finding.location},
    });
    join(&mut event, more);
    event
}

fn of_scope(scope: &Scope, report: &Report, time: i64) -> Value {
    let verdict = coverage::verdict(scope);
    let mut event = event(report, time, verdict, Severity::Medium);
    let (status, status_name) = compliance_status(verdict);
    let name = phrasing::scope(scope);
    let more = json!({
        "status_id": 1,
        "status": "New",
        "message": coverage::message(scope),
        "cloud": cloud(scope.account.as_ref(), scope.region.as_ref()),
        "finding_info": {
            "uid": coverage::fingerprint(scope),
            "title": coverage::TITLE,
            "desc": coverage::DESCRIPTION,
            "analytic": {"type_id": 1, "type": "Rule", "uid": coverage::RULE},
        },
        "compliance": {
            "control": coverage::RULE,
            "desc": coverage::DESCRIPTION,
            "standards": [policy(report)],
            "status_id": status,
            "status": status_name,
            "status_details": some(coverage::reasons(scope)),
        },
        "resources": [{
            "uid": scope.account.as_ref().map_or(name.as_str(), AccountId::as_str),
            "name": name,
            "type": "AWS::::Account",
            "region": scope.region,
        }],
        "unmapped": {"verdict": verdict, "provenance": report.provenance},
    });
    join(&mut event, more);
    event
}

/// Returns the attributes of all findings.
fn event(report: &Report, time: i64, verdict: Verdict, severity: Severity) -> Value {
    // A pass needs no alert, whatever the rule's severity is.
    let (severity, severity_name) = self::severity(if verdict == Verdict::Pass { Severity::Info } else { severity });
    json!({
        "class_uid": 2003,
        "class_name": "Compliance Finding",
        "category_uid": 2,
        "category_name": "Findings",
        "activity_id": 1,
        "activity_name": "Create",
        "type_uid": 200_301,
        "type_name": "Compliance Finding: Create",
        "time": time,
        "severity_id": severity,
        "severity": severity_name,
        "metadata": {
            "version": VERSION,
            "profiles": ["cloud"],
            "product": {"name": report.tool.name, "vendor_name": report.tool.name, "version": report.tool.version},
        },
    })
}

fn compliance(finding: &Finding, info: Option<&RuleInfo>, report: &Report) -> Value {
    let verdict = finding.waiver.as_ref().map_or(finding.verdict, |waiver| waiver.verdict);
    let (status, status_name) = compliance_status(verdict);
    let (severity, severity_name) = severity(finding.severity);
    let controls = info.map(|info| info.controls.as_slice()).unwrap_or_default();
    let standards = controls.iter().map(|control| control.framework.clone());
    let details = match verdict {
        Verdict::Unknown => phrasing::reasons(finding),
        Verdict::Fail => vec![finding.message.clone()],
        Verdict::Pass | Verdict::Waived => Vec::new(),
    };
    json!({
        "control": finding.rule,
        "desc": info.map(|info| &info.description),
        "standards": phrasing::each_once(std::iter::once(policy(report)).chain(standards)),
        "requirements": some(controls.iter().map(|control| format!("{}: {}", control.id, control.title)).collect()),
        "status_id": status,
        "status": status_name,
        "status_details": some(details.iter().map(|detail| harmless(detail).into_owned()).collect()),
        "checks": [{
            "uid": finding.rule,
            "name": info.map(|info| &info.title),
            "desc": info.map(|info| &info.rationale),
            "severity_id": severity,
            "severity": severity_name,
            "status_id": status,
            "status": status_name,
        }],
    })
}

fn policy(report: &Report) -> String {
    format!("{} {}", report.tool.name, report.policy)
}

fn compliance_status(verdict: Verdict) -> (u8, &'static str) {
    match verdict {
        Verdict::Pass => (1, "Pass"),
        Verdict::Unknown => (2, "Warning"),
        // A waived finding has the status that it would have without the waiver. A waiver without a verdict counts as a
        // failure.
        Verdict::Fail | Verdict::Waived => (3, "Fail"),
    }
}

fn severity(severity: Severity) -> (u8, &'static str) {
    match severity {
        Severity::Info => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}

fn cloud(account: Option<&AccountId>, region: Option<&Region>) -> Value {
    json!({
        "provider": "AWS",
        "account": account.map(|account| json!({"uid": account, "type_id": 10, "type": "AWS Account"})),
        "region": region,
        "cloud_partition": region.map(|region| region.partition().as_str()),
    })
}

fn resource(resource: &ResourceRef) -> Value {
    let id = resource.address.as_ref().unwrap_or(&resource.id);
    json!({
        "uid": resource.arn.as_ref().unwrap_or(id),
        "uid_alt": resource.arn.as_ref().map(|_| id),
        "name": harmless(resource.name.as_ref().unwrap_or(id)),
        "type": resource.resource_type,
        "region": resource.region,
        "owner": resource.account.as_ref().map(|account| json!({"account": {"uid": account}})),
    })
}

fn evidences(finding: &Finding) -> Value {
    let evidences = finding.evidence.iter();
    // An attribute that is absent is evidence, too: its null must stay.
    let evidences = evidences.map(|evidence| json!({"name": evidence.path, "data": {"value": evidence.value}}));
    some(evidences.collect())
}

fn remediation(finding: &Finding, info: Option<&RuleInfo>) -> Value {
    if finding.verdict == Verdict::Pass {
        return Value::Null;
    }
    let fix = phrasing::fix_of(finding, info).map(|fix| format!("{}: {}", fix.title, fix.command));
    let text = fix.or_else(|| info.map(|info| info.description.clone()));
    let references = info.map(|info| info.references.clone()).unwrap_or_default();
    text.map_or(Value::Null, |text| json!({"desc": text, "references": some(references)}))
}

/// Returns a list, or null if it is empty.
fn some<T: Into<Value>>(items: Vec<T>) -> Value {
    if items.is_empty() { Value::Null } else { items.into() }
}

/// Adds the members of `more` to the event.
fn join(event: &mut Value, more: Value) {
    if let (Value::Object(members), Value::Object(more)) = (event, more) {
        members.extend(more);
    }
}

/// Removes null members; evidence is left unchanged.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(_, member)| !member.is_null());
            let kept =
                kept.map(|(name, member)| if name == "data" { (name, member) } else { (name, without_nulls(member)) });
            Value::Object(kept.collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    fn events(report: &Report) -> Vec<Value> {
        let text = example::written(&FORMAT, report);
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    #[test]
    fn the_events_are_as_reviewed() {
        let mut report = example::report();
        report.findings.drain(1..12);
        report.findings.drain(2..3);
        report.scopes.truncate(2);
        insta::assert_json_snapshot!(events(&report));
    }

    #[test]
    fn the_published_schema_finds_nothing_wrong() {
        let schema = include_str!("../../tests/fixtures/ocsf-1.6.0-compliance-finding.json");
        let schema: Value = serde_json::from_str(schema).expect("a schema");
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        for report in [example::report(), example::calm(), example::empty()] {
            for event in events(&report) {
                let errors: Vec<String> = validator.iter_errors(&event).map(|error| error.to_string()).collect();
                assert_eq!(errors, Vec::<String>::new(), "{event:#}");
            }
        }
        let mut wrong = events(&example::calm()).remove(0);
        wrong["compliance"]["status_id"] = json!(7);
        assert!(!validator.is_valid(&wrong), "the schema looks at nothing");
    }

    #[test]
    fn only_what_passes_has_the_status_of_a_pass() {
        let report = example::report();
        let events = events(&report);
        assert_eq!(events.len(), report.scopes.len() + report.findings.len());
        for (finding, event) in report.findings.iter().zip(&events[report.scopes.len()..]) {
            let expected = match finding.verdict {
                Verdict::Pass => (1, "Pass", "New"),
                Verdict::Fail => (3, "Fail", "New"),
                Verdict::Unknown => (2, "Warning", "New"),
                Verdict::Waived => (3, "Fail", "Suppressed"),
            };
            let compliance = &event["compliance"];
            assert_eq!(compliance["status_id"], expected.0);
            assert_eq!((&compliance["status"], &event["status"]), (&json!(expected.1), &json!(expected.2)));
        }
        let read: Vec<&Value> = events[..6].iter().map(|event| &event["compliance"]["status"]).collect();
        assert_eq!(read, ["Pass", "Warning", "Pass", "Warning", "Warning", "Pass"]);
    }
}
