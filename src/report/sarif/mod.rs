//! SARIF 2.1.0, as GitHub code scanning accepts it.
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>,
//! <https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning>
//!
//!
//! Failures, unknowns and waived findings are listed; passes are not. GitHub rejects runs of more than 25,000 results,
//! so results are split into as many runs as needed.

mod location;
mod results;
mod rules;

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::ser::{Error, SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};
use serde_json::json;
use serde_sarif::sarif::{
    Invocation, MultiformatMessageString, Notification, PropertyBag, ReportingDescriptor, ReportingDescriptorReference,
    Result as Listed, Run, RunAutomationDetails, Tool, ToolComponent,
};

use self::rules::Rules;
use super::stream::Findings;
use super::{Format, RuleInfo, Writer, basis, phrasing};
use crate::model::{Report, Scope};
use crate::terminal::Encoding;

pub(super) static FORMAT: Format = Format {
    name: "sarif",
    endings: &[".sarif", ".sarif.json"],
    encoding: Encoding::Json,
    writer: Writer::Stream(write),
};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// URL of the tool's subject.
const INFORMATION: &str = "https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager.html";

/// Maximum number of results that GitHub accepts in a run.
const RESULTS_OF_A_RUN: usize = 25_000;

/// Descriptor of the notification that a region or account was not read, or not in full.
const NOT_READ: &str = "scope-not-read";

/// Descriptor of the notification that the results are split into several runs.
const SPLIT: &str = "results-split";

fn write(report: &Report, findings: &Findings<'_>, rules: &[RuleInfo], out: &mut dyn Write) -> io::Result<()> {
    let log = Log::of(report, findings, rules, RESULTS_OF_A_RUN)?;
    serde_json::to_writer_pretty(&mut *out, &log)?;
    writeln!(out)
}

/// A log, of which at most one run is in memory at a time.
struct Log<'a> {
    report: &'a Report,
    findings: &'a Findings<'a>,
    rules: Rules,
    results: usize,
    results_of_a_run: usize,
}

impl<'a> Log<'a> {
    fn of(
        report: &'a Report,
        findings: &'a Findings<'a>,
        rules: &[RuleInfo],
        results_of_a_run: usize,
    ) -> io::Result<Self> {
        let mut rules = Rules::of(rules);
        let mut results = 0;
        findings(&mut |findings| {
            rules.add(findings);
            results += results::listed(findings).count();
            Ok(())
        })?;
        Ok(Self { report, findings, rules: rules.indexed(), results, results_of_a_run })
    }

    fn part(&self, number: usize) -> Part {
        Part { number, of: self.results.div_ceil(self.results_of_a_run).max(1) }
    }
}

impl Serialize for Log<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut log = serializer.serialize_struct("Sarif", 3)?;
        log.serialize_field("$schema", SCHEMA)?;
        log.serialize_field("runs", &Runs(self))?;
        log.serialize_field("version", "2.1.0")?;
        log.end()
    }
}

struct Runs<'a>(&'a Log<'a>);

impl Serialize for Runs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let log = self.0;
        let mut runs = serializer.serialize_seq(None)?;
        let (mut results, mut number) = (Vec::new(), 1);
        let mut failed = None;
        let mut write = |results: &mut Vec<Listed>| {
            let run = run(log.report, &log.rules, std::mem::take(results), log.part(number));
            number += 1;
            runs.serialize_element(&run)
        };
        let read = (log.findings)(&mut |findings| {
            for finding in results::listed(findings) {
                if results.len() == log.results_of_a_run
                    && let Err(error) = write(&mut results)
                {
                    failed = Some(error);
                    return Err(io::ErrorKind::Other.into());
                }
                results.push(results::result(finding, &log.rules));
            }
            Ok(())
        });
        if let Some(error) = failed {
            return Err(error);
        }
        read.map_err(S::Error::custom)?;
        write(&mut results)?;
        runs.end()
    }
}

/// Position of the run among all runs.
#[derive(Clone, Copy)]
struct Part {
    number: usize,
    of: usize,
}

fn run(report: &Report, rules: &Rules, results: Vec<Listed>, part: Part) -> Run {
    let driver = ToolComponent::builder()
        .name(report.tool.name.as_str())
        .version(report.tool.version.as_str())
        .semantic_version(report.tool.version.as_str())
        .information_uri(INFORMATION)
        .rules(rules.descriptors())
        .notifications(notification_descriptors())
        .build();
    let mut run = Run::builder()
        .tool(Tool::builder().driver(driver).build())
        .invocations(vec![invocation(report, part)])
        .results(results)
        .column_kind("unicodeCodePoints")
        .build();
    let provenance = BTreeMap::from([(basis::NAME.to_owned(), json!(report.provenance))]);
    run.properties = Some(PropertyBag::builder().additional_properties(provenance).build());
    run.automation_details = category(report, part).map(|id| RunAutomationDetails::builder().id(id).build());
    run
}

/// Returns the category by which GitHub distinguishes uploads: a scan replaces the earlier one of the same accounts and
/// regions, and no other. Code has none, so that the category of the upload applies.
fn category(report: &Report, part: Part) -> Option<String> {
    let subject = location::subject(&report.scopes);
    if subject.is_none() && part.of == 1 {
        return None;
    }
    let mut id = format!("{}/{}/{}/", report.tool.name, report.policy, subject.as_deref().unwrap_or("code"));
    if part.of > 1 {
        id = format!("{id}part-{}/", part.number);
    }
    Some(id)
}

fn invocation(report: &Report, part: Part) -> Invocation {
    let mut notifications: Vec<Notification> = phrasing::incomplete(report).into_iter().flat_map(not_read).collect();
    if part.of > 1 {
        let text = format!(
            "The results are spread over {} runs of at most {RESULTS_OF_A_RUN}; this is run {}.",
            part.of, part.number
        );
        notifications.push(notification(SPLIT, 1, "note", &text));
    }
    Invocation::builder()
        .execution_successful(report.scopes.iter().all(|scope| scope.read))
        .start_time_utc(report.started_at.as_str())
        .end_time_utc(report.finished_at.as_str())
        .tool_execution_notifications(notifications)
        .build()
}

/// Returns one notification for each reason.
fn not_read(scope: &Scope) -> Vec<Notification> {
    let (level, what) = if scope.read { ("warning", "was read in part") } else { ("error", "was not read") };
    let name = phrasing::scope(scope);
    if scope.gaps.is_empty() {
        return vec![notification(NOT_READ, 0, level, &format!("{name} {what}."))];
    }
    scope.gaps.iter().map(|gap| notification(NOT_READ, 0, level, &format!("{name} {what}: {gap}."))).collect()
}

fn notification(id: &str, index: i64, level: &str, text: &str) -> Notification {
    Notification::builder()
        .descriptor(ReportingDescriptorReference::builder().id(id).index(index).build())
        .level(level)
        .message(results::message(text))
        .build()
}

fn notification_descriptors() -> Vec<ReportingDescriptor> {
    let descriptor = |id: &str, name: &str, text: &str, help: &str| {
        let (text, help) = (text.to_owned(), help.to_owned());
        ReportingDescriptor::builder()
            .id(id)
            .name(name)
            .short_description(&text)
            .full_description(&text)
            .help(MultiformatMessageString::builder().markdown(help.as_str()).text(help).build())
            .help_uri(INFORMATION)
            .build()
    };
    vec![
        descriptor(
            NOT_READ,
            "ScopeNotRead",
            "An account or region was not read, or not in full.",
            "What depends on it is unknown. The message names the call that failed, and why.",
        ),
        descriptor(
            SPLIT,
            "ResultsSplit",
            "There are more results than a run may have.",
            "All of them are listed, in several runs, each of them with a category of its own.",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::model::Verdict;
    use crate::report::{example, stream};

    fn value(report: &Report, results_of_a_run: usize) -> Value {
        let findings = stream::listed(report);
        let log = Log::of(report, &findings, &example::rules(), results_of_a_run).expect("a log");
        serde_json::to_value(log).expect("a value")
    }

    #[test]
    fn the_log_is_as_reviewed() {
        let mut report = example::report();
        report.findings.retain(|finding| !finding.resource.id.starts_with("i-0a1b2c3d4e5f6071"));
        report.findings.drain(2..9);
        insta::assert_json_snapshot!(value(&report, RESULTS_OF_A_RUN));
    }

    #[test]
    fn the_help_of_a_rule_is_its_page_if_it_has_one() {
        let report = example::report();
        let mut rules = example::rules();
        let page = "https://docs.example.com/ssm-audit/rules/ec2-imdsv2-required.html";
        let imdsv2 = rules.iter_mut().find(|rule| rule.id == "ec2-imdsv2-required").expect("a rule");
        imdsv2.page = Some(page.to_owned());
        let findings = stream::listed(&report);
        let log = Log::of(&report, &findings, &rules, RESULTS_OF_A_RUN).expect("a log");
        let log = serde_json::to_value(log).expect("a value");
        let described = log["runs"][0]["tool"]["driver"]["rules"].as_array().expect("rules");
        let help = |id: &str| described.iter().find(|rule| rule["id"] == id).expect("a rule")["helpUri"].clone();
        assert_eq!(help("ec2-imdsv2-required"), page);
        let other = rules.iter().find(|rule| rule.id != "ec2-imdsv2-required").expect("a rule");
        assert_eq!(help(&other.id), other.references[0]);
    }

    #[test]
    fn the_log_holds_to_the_official_schema() {
        let schema = include_str!("../../../tests/fixtures/sarif-2.1.0.json");
        let schema: Value = serde_json::from_str(schema).expect("a schema");
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        for report in [example::report(), example::calm(), example::empty()] {
            for size in [RESULTS_OF_A_RUN, 5] {
                let log = value(&report, size);
                let errors: Vec<String> = validator.iter_errors(&log).map(|error| error.to_string()).collect();
                assert_eq!(errors, Vec::<String>::new());
            }
        }
    }

    #[test]
    fn too_many_results_for_a_run_are_spread_and_none_is_lost() {
        let report = example::report();
        let log = value(&report, 5);
        let runs = log["runs"].as_array().expect("runs");
        let results: usize = runs.iter().map(|run| run["results"].as_array().map_or(0, Vec::len)).sum();
        assert_eq!(results, report.findings.iter().filter(|finding| finding.verdict != Verdict::Pass).count());
        assert!(runs.len() > 1);
        let mut categories: Vec<&Value> = runs.iter().map(|run| &run["automationDetails"]["id"]).collect();
        categories.dedup();
        assert_eq!(categories.len(), runs.len());
    }

    #[test]
    fn a_report_without_rules_still_names_them() {
        let report = example::report();
        let findings = stream::listed(&report);
        let log = serde_json::to_value(Log::of(&report, &findings, &[], 100).expect("a log")).expect("a value");
        assert_eq!(log["runs"][0]["tool"]["driver"]["rules"][0]["id"], "ec2-imdsv2-required");
    }
}
