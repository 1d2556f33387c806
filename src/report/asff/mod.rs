//! ASFF: findings for Security Hub's BatchImportFindings, one batch a line. A batch is the input of one call: an array
//! of at most 100 findings and 6 MB, of one account and one region, since an account imports its own. A file of one
//! line can be passed to `--findings file://…` unchanged.
//! <https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html>,
//! <https://docs.aws.amazon.com/securityhub/latest/partnerguide/guidelines-batchimportfindings.html>
//!
//!
//! Passes are included, since they close an earlier failure. An unknown is a WARNING ("some information is missing")
//! and not NOT_AVAILABLE, which Security Hub archives. A waived finding keeps its status and is suppressed, as far as
//! Security Hub allows: only the first import of a finding sets its workflow.

mod limits;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};

use serde_json::{Map, Value, json};

use self::limits::text;
use super::stream::{self, Findings, Part};
use super::{Format, RuleInfo, Writer, basis, coverage, phrasing};
use crate::engine::scan::ANY;
use crate::model::finding::Evidence;
use crate::model::{AccountId, Finding, Region, Report, ResourceRef, Scope, Severity, Verdict};
use crate::terminal::Encoding;

pub(super) static FORMAT: Format = Format {
    name: "asff",
    endings: &[".asff", ".asff.ndjson"],
    encoding: Encoding::Json,
    writer: Writer::Ledger(write),
};

/// Type of all findings.
/// <https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html#Types>
const TYPE: &str = "Software and Configuration Checks/AWS Security Best Practices";

fn write(report: &Report, findings: &Findings<'_>, rules: &[RuleInfo], out: &mut dyn Write) -> io::Result<()> {
    let homes = homes(report);
    let mut nowhere = 0;
    stream::each(report, findings, |part| {
        nowhere += results(part, &homes).1;
        Ok(())
    })?;
    if nowhere > 0 {
        let message = format!(
            "of the findings, {nowhere} are of no account or region, and Security Hub takes none without; another \
             format lists them"
        );
        return Err(io::Error::new(ErrorKind::InvalidInput, message));
    }
    stream::each(report, findings, |part| {
        for ((account, region), results) in results(part, &homes).0 {
            let place = Place { account, region, report };
            let findings = results.iter().map(|result| match result {
                Listed::Scope(scope) => place.of_scope(scope),
                Listed::Finding(finding) => {
                    place.of_finding(finding, rules.iter().find(|rule| rule.id == finding.rule))
                }
            });
            limits::batches(findings, out)?;
        }
        Ok(())
    })
}

/// Source of a finding of Security Hub.
enum Listed<'a> {
    Scope(&'a Scope),
    Finding(&'a Finding),
}

/// Listed results of an account, by the region that imports them.
type Results<'a> = BTreeMap<(&'a AccountId, Region), Vec<Listed<'a>>>;

/// Returns the listed results of an account, and the number of those that no account can import.
fn results<'a>(part: &Part<'a>, homes: &BTreeMap<&AccountId, Region>) -> (Results<'a>, usize) {
    let mut results = Results::new();
    let mut nowhere = 0;
    let scopes = part.scopes.iter().map(|scope| (&scope.region, Listed::Scope(scope)));
    let findings = part.findings.iter().map(|finding| (&finding.resource.region, Listed::Finding(finding)));
    for (region, listed) in scopes.chain(findings) {
        match (part.account, region.as_ref().or_else(|| homes.get(part.account?))) {
            (Some(account), Some(region)) => results.entry((account, region.clone())).or_default().push(listed),
            _ => nowhere += 1,
        }
    }
    (results, nowhere)
}

/// Returns the region that imports the findings of an account on resources without a region: the home region of IAM, if
/// that was scanned, or the first scanned region.
fn homes(report: &Report) -> BTreeMap<&AccountId, Region> {
    let mut homes: BTreeMap<&AccountId, Region> = BTreeMap::new();
    for scope in &report.scopes {
        let (Some(account), Some(region)) = (&scope.account, &scope.region) else { continue };
        let is_home = matches!(region.as_str(), "us-east-1" | "cn-north-1" | "us-gov-west-1");
        let home = homes.entry(account).or_insert_with(|| region.clone());
        if is_home {
            *home = region.clone();
        }
    }
    homes
}

/// Account and region that import a finding.
struct Place<'a> {
    account: &'a AccountId,
    region: Region,
    report: &'a Report,
}

impl Place<'_> {
    fn of_finding(&self, finding: &Finding, info: Option<&RuleInfo>) -> Value {
        let verdict = finding.waiver.as_ref().map_or(finding.verdict, |waiver| waiver.verdict);
        let description = match info {
            Some(info) => format!("{}. {}", phrasing::statement(finding), info.rationale),
            None => phrasing::statement(finding),
        };
        let mut asff = self.required(&Required {
            id: &finding.fingerprint,
            rule: &finding.rule,
            title: info.map_or(finding.rule.as_str(), |info| &info.title),
            description: description.trim_start_matches(". "),
            verdict: finding.verdict,
            severity: finding.severity,
            resource: self.resource(&finding.resource, &finding.evidence),
        });
        let controls = info.map(|info| info.controls.as_slice()).unwrap_or_default();
        let related: Vec<String> =
            controls.iter().map(|control| format!("{} {}", control.framework, control.id)).collect();
        let reasons = if verdict == Verdict::Unknown { phrasing::reasons(finding) } else { Vec::new() };
        asff["Compliance"] = compliance(&finding.rule, verdict, &reasons, &related);
        if finding.verdict == Verdict::Waived {
            asff["Workflow"] = json!({"Status": "SUPPRESSED"});
            asff["ProductFields"]["ssm-audit/waiver"] = json!(text(&phrasing::waiver(finding), limits::PRODUCT_FIELD));
        }
        if let Some(location) = &finding.location {
            asff["ProductFields"]["ssm-audit/location"] =
                json!(text(&phrasing::location(location), limits::PRODUCT_FIELD));
        }
        if let Some(recommendation) = recommendation(finding, info) {
            asff["Remediation"] = json!({"Recommendation": recommendation});
        }
        asff
    }

    fn of_scope(&self, scope: &Scope) -> Value {
        let verdict = coverage::verdict(scope);
        let mut asff = self.required(&Required {
            id: &coverage::fingerprint(scope),
            rule: coverage::RULE,
            title: coverage::TITLE,
            description: &coverage::message(scope),
            verdict,
            severity: Severity::Medium,
            resource: self.account_as_resource(),
        });
        asff["Compliance"] = compliance(coverage::RULE, verdict, &coverage::reasons(scope), &[]);
        let provenance = basis::lines(&self.report.provenance).join("; ");
        asff["ProductFields"]["ssm-audit/provenance"] = json!(text(&provenance, limits::PRODUCT_FIELD));
        asff
    }

    /// Returns the attributes that every finding must have.
    fn required(&self, finding: &Required<'_>) -> Value {
        let Self { account, region, report } = self;
        let partition = region.partition();
        // A pass needs no alert, whatever the rule's severity is.
        let severity = if finding.verdict == Verdict::Pass { Severity::Info } else { finding.severity };
        json!({
            "SchemaVersion": "2018-10-08",
            "Id": format!("ssm-audit/{}", finding.id),
            "ProductArn": format!("arn:{partition}:securityhub:{region}:{account}:product/{account}/default"),
            "GeneratorId": text(&format!("ssm-audit/{}", finding.rule), limits::GENERATOR),
            "AwsAccountId": account,
            "Region": region,
            "CreatedAt": report.started_at,
            "UpdatedAt": report.finished_at,
            "LastObservedAt": report.finished_at,
            "Title": text(finding.title, limits::TITLE),
            "Description": text(finding.description, limits::DESCRIPTION),
            // Not at the top level: those fields are for customers to change.
            "FindingProviderFields": {
                "Severity": {"Label": label(severity), "Original": finding.severity},
                "Types": [TYPE],
            },
            "RecordState": "ACTIVE",
            "Resources": [finding.resource],
            "ProductFields": {
                "ProviderName": report.tool.name,
                "ProviderVersion": report.tool.version,
                "ssm-audit/verdict": finding.verdict,
                "ssm-audit/policy": report.policy,
            },
        })
    }

    fn resource(&self, resource: &ResourceRef, evidence: &[Evidence]) -> Value {
        let details = details(evidence);
        let mut asff = if resource.id == ANY {
            self.account_as_resource()
        } else {
            json!({
                "Type": resource.resource_type.security_hub().unwrap_or("Other"),
                "Id": text(resource.arn.as_ref().unwrap_or(&resource.id), limits::RESOURCE),
                "Partition": self.region.partition().as_str(),
                "Region": resource.region.as_ref().unwrap_or(&self.region),
            })
        };
        if !details.is_empty() {
            asff["Details"] = json!({"Other": details});
        }
        asff
    }

    fn account_as_resource(&self) -> Value {
        json!({
            "Type": "AwsAccount",
            "Id": format!("AWS::::Account:{}", self.account),
            "Partition": self.region.partition().as_str(),
            "Region": self.region,
        })
    }
}

struct Required<'a> {
    id: &'a str,
    rule: &'a str,
    title: &'a str,
    description: &'a str,
    verdict: Verdict,
    severity: Severity,
    resource: Value,
}

fn compliance(rule: &str, verdict: Verdict, reasons: &[String], related: &[String]) -> Value {
    let status = match verdict {
        Verdict::Pass => "PASSED",
        Verdict::Unknown => "WARNING",
        // A waived finding has the status that it would have without the waiver. A waiver without a verdict counts as a
        // failure.
        Verdict::Fail | Verdict::Waived => "FAILED",
    };
    let mut compliance = json!({"Status": status, "SecurityControlId": text(rule, limits::GENERATOR)});
    if !reasons.is_empty() {
        let reason = |reason: &String| json!({"ReasonCode": "NOT_READ", "Description": text(reason, limits::REASON)});
        compliance["StatusReasons"] = reasons.iter().take(limits::REASONS).map(reason).collect();
    }
    if !related.is_empty() {
        compliance["RelatedRequirements"] = json!(related);
    }
    compliance
}

fn label(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "INFORMATIONAL",
        Severity::Low => "LOW",
        Severity::Medium => "MEDIUM",
        Severity::High => "HIGH",
        Severity::Critical => "CRITICAL",
    }
}

/// Returns the attributes that the rule read, as the details that Security Hub accepts from other products.
fn details(evidence: &[Evidence]) -> Map<String, Value> {
    let pairs = evidence.iter().take(limits::DETAILS).map(|evidence| {
        let value = match &evidence.value {
            Value::String(value) => value.clone(),
            other => other.to_string(),
        };
        (text(&evidence.path, limits::DETAIL_NAME), json!(text(&value, limits::DETAIL)))
    });
    pairs.collect()
}

fn recommendation(finding: &Finding, info: Option<&RuleInfo>) -> Option<Value> {
    if finding.verdict == Verdict::Pass {
        return None;
    }
    let fix = phrasing::fix_of(finding, info).map(|fix| format!("{}: {}", fix.title, fix.command));
    let what = fix.or_else(|| info.map(|info| info.description.clone()))?;
    let mut recommendation = json!({"Text": text(&what, limits::RECOMMENDATION)});
    if let Some(reference) = info.and_then(|info| info.page.as_ref().or_else(|| info.references.first())) {
        recommendation["Url"] = json!(reference);
    }
    Some(recommendation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Options, example};

    /// Returns the example without findings in code, which Security Hub does not accept.
    fn live() -> Report {
        let mut report = example::report();
        report.findings.retain(|finding| finding.resource.account.is_some());
        example::by_account(report)
    }

    fn batches(report: &Report) -> Vec<Vec<Value>> {
        let text = example::written(&FORMAT, report);
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    #[test]
    fn the_batches_are_as_reviewed() {
        let mut report = live();
        report.findings.drain(1..12);
        report.findings.drain(2..3);
        insta::assert_json_snapshot!(batches(&report));
    }

    #[test]
    fn only_what_passes_is_passed_and_what_is_waived_is_suppressed() {
        let report = live();
        let all: Vec<Value> = batches(&report).into_iter().flatten().collect();
        assert_eq!(all.len(), report.findings.len() + report.scopes.len());
        let of = |id: &str| {
            let id = format!("ssm-audit/{id}");
            all.iter().find(|asff| asff["Id"] == id.as_str()).expect("a finding")
        };
        for finding in &report.findings {
            let (status, workflow) = match finding.verdict {
                Verdict::Pass => ("PASSED", Value::Null),
                Verdict::Fail => ("FAILED", Value::Null),
                Verdict::Unknown => ("WARNING", Value::Null),
                Verdict::Waived => ("FAILED", json!("SUPPRESSED")),
            };
            let asff = of(&finding.fingerprint);
            assert_eq!(asff["Compliance"]["Status"], status);
            assert_eq!(asff.pointer("/Workflow/Status").unwrap_or(&Value::Null), &workflow);
        }
        for scope in &report.scopes {
            let expected = if scope.complete && scope.read { "PASSED" } else { "WARNING" };
            assert_eq!(of(&coverage::fingerprint(scope))["Compliance"]["Status"], expected);
        }
    }

    #[test]
    fn a_batch_is_of_one_account_and_region_and_no_larger_than_the_call_takes() {
        let mut report = live();
        let failed = report.findings[0].clone();
        report.findings.extend((0..250).map(|number| {
            let mut finding = failed.clone();
            finding.fingerprint = format!("{number:064}");
            finding.evidence = (0..60)
                .map(|one| Evidence { path: format!("{one}{}", "p".repeat(200)), value: json!("ü".repeat(5000)) })
                .collect();
            finding.message = "m".repeat(5000);
            finding
        }));
        let text = example::written(&FORMAT, &report);
        assert!(text.lines().all(|line| line.len() < 6_000_000));
        let batches = batches(&report);
        for batch in &batches {
            assert!((1..=100).contains(&batch.len()));
            assert!(batch.iter().all(|asff| asff["ProductArn"] == batch[0]["ProductArn"]));
            assert!(batch.iter().all(|asff| asff.to_string().len() < 240_000));
            assert!(batch.iter().all(|asff| asff["Description"].as_str().is_some_and(|text| text.len() <= 1024)));
        }
        assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), report.findings.len() + report.scopes.len());
    }

    #[test]
    fn what_is_of_no_account_is_refused_and_not_left_out() {
        let report = example::report();
        let error = FORMAT.write(&report, &[], &Options::default(), &mut Vec::new()).expect_err("refused");
        let expected = "of the findings, 1 are of no account or region, and Security Hub takes none without; another \
                        format lists them";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_text_is_cut_between_characters_and_never_blank() {
        assert_eq!(text("größe", 6), "gr…");
        assert_eq!(text("größe", 7), "größe");
        assert_eq!(text(" ", 7), "-");
    }
}
