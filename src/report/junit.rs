//! JUnit XML for continuous integration: a test suite for each account and region, a class for each rule, a test case
//! for each resource. A fail is a failure, an unknown an error, and a waived finding is skipped. Each suite has one
//! additional test: that its account or region was read in full.
//! <https://github.com/jenkinsci/xunit-plugin/blob/master/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd>
//!
//!
//! Jenkins takes the part of a class before its last dot as its package, GitLab distinguishes tests by class and name.
//! So a class is `ACCOUNT.REGION.RULE`, and a name is the id of the resource, which does not change with its tags.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use jiff::Timestamp;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::stream::{self, Findings, Part};
use super::{Format, RuleInfo, Writer as ReportWriter, basis, coverage, phrasing};
use crate::model::{AccountId, Finding, Region, Report, Scope, Verdict};
use crate::terminal::{Encoding, harmless};

pub(super) static FORMAT: Format =
    Format { name: "junit", endings: &[".xml"], encoding: Encoding::Markup, writer: ReportWriter::Stream(write) };

fn write(report: &Report, findings: &Findings<'_>, rules: &[RuleInfo], out: &mut dyn Write) -> io::Result<()> {
    let mut total = Count::default();
    stream::each(report, findings, |part| {
        total = suites(part).values().map(Suite::count).fold(total, Count::and);
        Ok(())
    })?;
    let mut writer = Writer::new_with_indent(&mut *out, b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let mut root = writer.create_element("testsuites").with_attribute(("name", report.tool.name.as_str()));
    if let Some(seconds) = seconds(report) {
        root = root.with_attribute(("time", seconds.as_str()));
    }
    root = root
        .with_attribute(("tests", total.tests.to_string().as_str()))
        .with_attribute(("failures", total.failures.to_string().as_str()))
        .with_attribute(("errors", total.errors.to_string().as_str()));
    root.write_inner_content(|writer| {
        stream::each(report, findings, |part| {
            suites(part).iter().try_for_each(|(place, suite)| suite.write(*place, report, rules, writer))
        })
    })?;
    writeln!(out)
}

/// Account and region; code has neither.
type Place<'a> = (Option<&'a AccountId>, Option<&'a Region>);

/// Listed findings of one account and region.
#[derive(Default)]
struct Suite<'a> {
    scopes: Vec<&'a Scope>,
    findings: Vec<&'a Finding>,
}

fn suites<'a>(part: &Part<'a>) -> BTreeMap<Place<'a>, Suite<'a>> {
    let mut suites: BTreeMap<Place<'_>, Suite<'_>> = BTreeMap::new();
    for scope in part.scopes {
        suites.entry((scope.account.as_ref(), scope.region.as_ref())).or_default().scopes.push(scope);
    }
    for finding in part.findings {
        let resource = &finding.resource;
        suites.entry((resource.account.as_ref(), resource.region.as_ref())).or_default().findings.push(finding);
    }
    suites
}

/// Numbers of tests.
#[derive(Default, Clone, Copy)]
struct Count {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Count {
    fn and(self, other: Self) -> Self {
        Self {
            tests: self.tests + other.tests,
            failures: self.failures + other.failures,
            errors: self.errors + other.errors,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl Suite<'_> {
    fn count(&self) -> Count {
        let scopes = self.scopes.iter().map(|scope| coverage::verdict(scope));
        let verdicts: Vec<Verdict> = scopes.chain(self.findings.iter().map(|finding| finding.verdict)).collect();
        let count = |verdict| verdicts.iter().filter(|one| **one == verdict).count();
        Count {
            tests: verdicts.len(),
            failures: count(Verdict::Fail),
            errors: count(Verdict::Unknown),
            skipped: count(Verdict::Waived),
        }
    }

    fn write<W: Write>(
        &self,
        place: Place<'_>,
        report: &Report,
        rules: &[RuleInfo],
        writer: &mut Writer<W>,
    ) -> io::Result<()> {
        let count = self.count();
        let suite = writer
            .create_element("testsuite")
            .with_attribute(("name", name(place, " ").as_str()))
            .with_attribute(("tests", count.tests.to_string().as_str()))
            .with_attribute(("failures", count.failures.to_string().as_str()))
            .with_attribute(("errors", count.errors.to_string().as_str()))
            .with_attribute(("skipped", count.skipped.to_string().as_str()))
            .with_attribute(("timestamp", timestamp(report).as_str()));
        suite.write_inner_content(|writer| {
            properties(report, writer)?;
            for scope in &self.scopes {
                Case::of_scope(scope).write(place, writer)?;
            }
            for finding in &self.findings {
                let info = rules.iter().find(|rule| rule.id == finding.rule);
                Case::of(finding, info).write(place, writer)?;
            }
            Ok(())
        })?;
        Ok(())
    }
}

/// Writes the inputs other than facts that determined the result.
fn properties<W: Write>(report: &Report, writer: &mut Writer<W>) -> io::Result<()> {
    writer.create_element("properties").write_inner_content(|writer| {
        basis::lines(&report.provenance).iter().try_for_each(|line| {
            let (name, value) = line.split_once(": ").unwrap_or((basis::NAME, line));
            let property = writer.create_element("property").with_attribute(("name", text(name).as_str()));
            property.with_attribute(("value", text(value).as_str())).write_empty().map(drop)
        })
    })?;
    Ok(())
}

/// `123456789012 us-east-1`, `123456789012 global`, `code`
fn name((account, region): Place<'_>, between: &str) -> String {
    match (account, region) {
        (Some(account), region) => format!("{account}{between}{}", region.map_or("global", Region::as_str)),
        (None, Some(region)) => region.to_string(),
        (None, None) => "code".to_owned(),
    }
}

/// A test.
struct Case<'a> {
    verdict: Verdict,
    rule: &'a str,
    name: &'a str,
    /// Type of the failure.
    kind: &'a str,
    message: String,
    body: Vec<String>,
}

impl<'a> Case<'a> {
    fn of(finding: &'a Finding, info: Option<&RuleInfo>) -> Self {
        Self {
            verdict: finding.verdict,
            rule: &finding.rule,
            name: finding.resource.address.as_deref().unwrap_or(&finding.resource.id),
            kind: finding.severity.as_str(),
            message: phrasing::statement(finding),
            body: body(finding, info),
        }
    }

    fn of_scope(scope: &Scope) -> Self {
        Self {
            verdict: coverage::verdict(scope),
            rule: coverage::RULE,
            name: coverage::TITLE,
            kind: "unknown",
            message: coverage::message(scope),
            body: coverage::reasons(scope),
        }
    }

    fn write<W: Write>(&self, place: Place<'_>, writer: &mut Writer<W>) -> io::Result<()> {
        let case = writer
            .create_element("testcase")
            .with_attribute(("name", text(self.name).as_str()))
            .with_attribute(("classname", text(&format!("{}.{}", name(place, "."), self.rule)).as_str()));
        let tag = match self.verdict {
            Verdict::Pass => return case.write_empty().map(drop),
            Verdict::Fail => "failure",
            Verdict::Unknown => "error",
            Verdict::Waived => "skipped",
        };
        let lines: Vec<String> = self.body.iter().map(|line| text(line)).collect();
        case.write_inner_content(|writer| {
            writer
                .create_element(tag)
                .with_attribute(("message", text(&self.message).as_str()))
                .with_attribute(("type", self.kind))
                .write_text_content(BytesText::new(&lines.join("\n")))?;
            Ok(())
        })?;
        Ok(())
    }
}

/// Returns the details for a person who opens the failed test.
fn body(finding: &Finding, info: Option<&RuleInfo>) -> Vec<String> {
    let resource = &finding.resource;
    let mut lines = vec![format!("{} {}", resource.resource_type, phrasing::resource(resource))];
    lines.extend(resource.arn.clone());
    lines.extend(finding.location.iter().chain(&finding.related).map(phrasing::location));
    lines.extend(finding.evidence.iter().flat_map(phrasing::evidence));
    if let Some(info) = info {
        lines.extend([info.title.clone(), info.rationale.clone()]);
    }
    if let Some(fix) = phrasing::fix_of(finding, info) {
        lines.push(format!("fix: {}: {}", fix.title, fix.command));
    }
    lines.extend(info.into_iter().flat_map(|info| info.references.iter().cloned()));
    lines
}

/// Returns a text of characters that are valid in XML. <https://www.w3.org/TR/xml/#charsets>
fn text(text: &str) -> String {
    harmless(text).chars().fold(String::new(), |mut said, character| {
        match character {
            '\u{fffe}' | '\u{ffff}' => {
                // Writing to a string does not fail.
                let _ = write!(said, "\\u{{{:x}}}", u32::from(character));
            }
            plain => said.push(plain),
        }
        said
    })
}

/// Returns the start of the scan in UTC, without a time zone and in seconds, as consumers expect it.
fn timestamp(report: &Report) -> String {
    let time = report.started_at.parse::<Timestamp>();
    let text = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    time.map_or_else(|_error| report.started_at.clone(), text)
}

/// Returns the duration of the scan; none if the times cannot be read.
fn seconds(report: &Report) -> Option<String> {
    let start: Timestamp = report.started_at.parse().ok()?;
    let end: Timestamp = report.finished_at.parse().ok()?;
    let milliseconds = end.as_millisecond().checked_sub(start.as_millisecond()).filter(|time| *time >= 0)?;
    Some(format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000))
}

#[cfg(test)]
mod tests {
    use uppsala::XsdValidator;

    use super::*;
    use crate::report::example;

    /// Returns the errors of validation against the schema that Jenkins publishes.
    fn errors(text: &str) -> Vec<String> {
        let schema = uppsala::parse(include_str!("../../tests/fixtures/junit-10.xsd")).expect("a schema");
        let document = uppsala::parse(text).expect("XML");
        let validator = XsdValidator::from_schema(&schema).expect("a schema");
        validator.validate(&document).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_suites_are_as_reviewed() {
        let mut report = example::report();
        report.findings.drain(2..12);
        insta::assert_snapshot!(example::written(&FORMAT, &example::by_account(report)));
    }

    #[test]
    fn the_published_schema_finds_nothing_wrong() {
        for report in [example::report(), example::calm(), example::empty()] {
            assert_eq!(errors(&example::written(&FORMAT, &report)), Vec::<String>::new());
        }
        let wrong =
            example::written(&FORMAT, &example::report()).replacen("<testsuites ", "<testsuites skipped=\"1\" ", 1);
        assert_ne!(errors(&wrong), Vec::<String>::new(), "the schema looks at nothing");
    }

    #[test]
    fn the_totals_are_those_of_the_tests() {
        let report = example::report();
        let text = example::written(&FORMAT, &report);
        let count = |tag: &str| text.matches(&format!("<{tag} ")).count();
        assert_eq!(count("testcase"), report.findings.len() + report.scopes.len());
        assert_eq!((count("failure"), count("error"), count("skipped")), (16, 5, 1));
        assert!(text.contains(r#"tests="27" failures="16" errors="5">"#), "{text}");
    }

    #[test]
    fn names_chosen_by_others_are_text() {
        let mut report = example::calm();
        report.findings[0].verdict = Verdict::Fail;
        report.findings[0].resource.id = "a\"/><x>&\u{0}\u{ffff}]]>\n".to_owned();
        report.findings[0].message = "</failure><b>".to_owned();
        let text = example::written(&FORMAT, &report);
        assert_eq!(errors(&text), Vec::<String>::new());
        assert!(!text.contains("<x>") && !text.contains("<b>"), "{text}");
    }
}
