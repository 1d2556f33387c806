//! HTML: one file that works offline, with totals, the worst accounts, rules and controls, and every finding with its
//! evidence and remediation. The page is in `templates/`.
//!
//!
//! The file contains the findings once, as JSON, and a script shows one page of them at a time, so that fifty thousand
//! open as fast as ten. Without scripts, a table lists the worst findings. The content security policy in the head lets
//! the page load nothing and run nothing but that script.

mod data;

use std::io::{self, Write};

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use self::data::Data;
use super::counts::{SEVERITIES, Tallies, Tally};
use super::phrasing::{self, Accounts};
use super::{Format, Options, RuleInfo, Writer, basis, denied};
use crate::model::{Finding, Report, Scope, Severity, Verdict};
use crate::terminal::{Encoding, harmless};

pub(super) static FORMAT: Format =
    Format { name: "html", endings: &[".html", ".htm"], encoding: Encoding::Markup, writer: Writer::Whole(write) };

const STYLE: &str = include_str!("../../../templates/report.css");
const SCRIPT: &str = include_str!("../../../templates/report.js");

/// Number of accounts, groups of scopes and names in one that are listed, before the rest is counted.
const LISTED: usize = 50;

/// Number of findings that are listed for browsers without scripts.
const WITHOUT_SCRIPTS: usize = 2_000;

fn write(report: &Report, rules: &[RuleInfo], _: &Options, out: &mut dyn Write) -> io::Result<()> {
    write_with_trend(report, rules, &[], out)
}

/// Counts of findings at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Time of the counts, RFC 3339.
    pub at: String,
    /// Number of failures.
    pub fail: u64,
    /// Number of unknowns.
    pub unknown: u64,
}

/// Writes the same page with earlier counts, the oldest first.
///
/// # Errors
/// If the page cannot be written.
pub fn write_with_trend(
    report: &Report,
    rules: &[RuleInfo],
    looks: &[Look],
    mut out: &mut dyn Write,
) -> io::Result<()> {
    page(report, rules, looks).write_into(&mut out)
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Report,
    headline: String,
    coverage: String,
    started: String,
    finished: String,
    style: &'static str,
    style_hash: String,
    script: &'static str,
    script_hash: String,
    cards: Vec<Card>,
    severities: [Severity; SEVERITIES.len()],
    matrix: Vec<Counts>,
    trend: Trend<'a>,
    incomplete: usize,
    provenance: Vec<String>,
    denied: Vec<String>,
    unread: Vec<Unread>,
    accounts: Vec<Counts>,
    more_accounts: usize,
    rules: Vec<Row<'a>>,
    controls: Vec<Row<'a>>,
    listed: Vec<Open>,
    unlisted: usize,
    data: Data<'a>,
}

struct Card {
    name: &'static str,
    class: &'static str,
    count: u64,
}

/// Row of a table of counts; an empty cell stands for zero.
struct Counts {
    name: String,
    counts: Vec<String>,
}

struct Row<'a> {
    id: &'a str,
    title: &'a str,
    framework: &'a str,
    severity: &'static str,
    counts: Vec<String>,
}

/// Scopes that were not read in full for the same reason.
struct Unread {
    scopes: String,
    how: &'static str,
    reasons: Vec<String>,
}

/// A finding that fails or is unknown.
struct Open {
    verdict: Verdict,
    severity: Severity,
    rule: String,
    resource: String,
    place: String,
    found: Vec<String>,
    fix: String,
}

fn page<'a>(report: &'a Report, rules: &'a [RuleInfo], looks: &'a [Look]) -> Page<'a> {
    let tallies = Tallies::of(report);
    let accounts = tallies.worst_accounts();
    let data = Data::of(report, rules);
    let open: Vec<&Finding> = data.open().into_iter().filter(|finding| !denied::is_only_denied(finding)).collect();
    let incomplete = phrasing::incomplete(report);
    Page {
        report,
        headline: phrasing::headline(report),
        coverage: phrasing::coverage(report),
        started: phrasing::time(&report.started_at),
        finished: phrasing::time(&report.finished_at),
        style: STYLE,
        style_hash: hash(STYLE),
        script: SCRIPT,
        script_hash: hash(SCRIPT),
        cards: cards(report, incomplete.len() as u64),
        severities: SEVERITIES,
        matrix: [Verdict::Fail, Verdict::Unknown, Verdict::Waived]
            .map(|verdict| Counts { name: verdict.to_string(), counts: severities(&tallies.all, verdict) })
            .into(),
        trend: Trend { looks },
        incomplete: incomplete.len(),
        denied: denied::permissions(report).iter().map(|call| harmless(&call.message(report)).into_owned()).collect(),
        provenance: basis::lines(&report.provenance).iter().map(|line| harmless(line).into_owned()).collect(),
        unread: incomplete.chunk_by(|one, other| phrasing::same_gaps(one, other)).take(LISTED).map(unread).collect(),
        more_accounts: accounts.len().saturating_sub(LISTED),
        accounts: accounts
            .iter()
            .take(LISTED)
            .map(|one| {
                let more = [number(one.tally.of(Verdict::Unknown)), number(one.incomplete)];
                let counts = severities(&one.tally, Verdict::Fail).into_iter().chain(more).collect();
                Counts { name: one.account.to_string(), counts }
            })
            .collect(),
        rules: by_rule(&tallies, rules),
        controls: by_control(&tallies, rules),
        unlisted: open.len().saturating_sub(WITHOUT_SCRIPTS),
        listed: open
            .iter()
            .take(WITHOUT_SCRIPTS)
            .map(|finding| self::open(finding, rules, Accounts::of(report)))
            .collect(),
        data,
    }
}

/// Returns the hash by which the content security policy names an allowed style or script.
fn hash(content: &str) -> String {
    STANDARD.encode(Sha256::digest(content))
}

fn cards(report: &Report, incomplete: u64) -> Vec<Card> {
    let summary = &report.summary;
    let card = |name, class, count| Card { name, class, count };
    vec![
        card("fail", "fail", summary.fail),
        card("unknown", "unknown", summary.unknown),
        card("waived", "waived", summary.waived),
        card("pass", "pass", summary.pass),
        card("not applicable", "waived", summary.not_applicable),
        card("not read in full", if incomplete > 0 { "unknown" } else { "waived" }, incomplete),
    ]
}

fn severities(tally: &Tally, verdict: Verdict) -> Vec<String> {
    SEVERITIES.map(|severity| number(tally.count(verdict, severity))).into()
}

fn number(count: u64) -> String {
    if count == 0 { String::new() } else { count.to_string() }
}

fn open_counts(tally: &Tally) -> Vec<String> {
    [Verdict::Fail, Verdict::Unknown, Verdict::Waived].map(|verdict| number(tally.of(verdict))).into()
}

fn by_rule<'a>(tallies: &Tallies<'a>, rules: &'a [RuleInfo]) -> Vec<Row<'a>> {
    let open = tallies.open_rules().into_iter();
    open.map(|(id, severity, tally)| Row {
        id,
        title: rules.iter().find(|rule| rule.id == id).map_or("", |rule| rule.title.as_str()),
        framework: "",
        severity: severity.as_str(),
        counts: open_counts(&tally),
    })
    .collect()
}

fn by_control<'a>(tallies: &Tallies<'a>, rules: &'a [RuleInfo]) -> Vec<Row<'a>> {
    let controls = tallies.controls(rules).into_iter().filter(|one| one.tally.is_open());
    controls
        .map(|one| Row {
            id: &one.control.id,
            title: &one.control.title,
            framework: &one.control.framework,
            severity: "",
            counts: open_counts(&one.tally),
        })
        .collect()
}

fn unread(group: &[&Scope]) -> Unread {
    let named = &group[..group.len().min(LISTED)];
    let more = match group.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Unread {
        scopes: format!("{}{more}", phrasing::scopes(named)),
        how: if group[0].read { "in part" } else { "not at all" },
        reasons: group[0].gaps.iter().map(|gap| harmless(&gap.to_string()).into_owned()).collect(),
    }
}

fn open(finding: &Finding, rules: &[RuleInfo], accounts: Accounts) -> Open {
    let info = rules.iter().find(|rule| rule.id == finding.rule);
    let found =
        std::iter::once(phrasing::statement(finding)).chain(finding.evidence.iter().flat_map(phrasing::evidence));
    Open {
        verdict: finding.verdict,
        severity: finding.severity,
        rule: finding.rule.clone(),
        resource: harmless(&phrasing::resource(&finding.resource)).into_owned(),
        place: harmless(&phrasing::place(finding, accounts)).into_owned(),
        found: found.map(|line| harmless(&line).into_owned()).collect(),
        fix: phrasing::fix_of(finding, info).map(|fix| fix.command).unwrap_or_default(),
    }
}

/// Trend chart of earlier counts; a single count has no chart.
struct Trend<'a> {
    looks: &'a [Look],
}

impl Trend<'_> {
    fn is_empty(&self) -> bool {
        self.looks.len() < 2
    }

    fn fail(&self) -> String {
        self.points(|look| look.fail)
    }

    fn unknown(&self) -> String {
        self.points(|look| look.unknown)
    }

    /// Returns the points of a line, the oldest at the left, the highest count at the top, with a small margin above
    /// and below.
    fn points(&self, count: impl Fn(&Look) -> u64) -> String {
        let most = self.looks.iter().map(|look| look.fail.max(look.unknown)).max().unwrap_or(0).max(1);
        let steps = (self.looks.len() as u64).saturating_sub(1).max(1);
        let points = self.looks.iter().zip(0_u64..);
        let points = points.map(|(look, index)| format!("{},{}", index * 600 / steps, 114 - count(look) * 108 / most));
        points.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    fn html(report: &Report) -> String {
        example::written(&FORMAT, report)
    }

    /// Returns the page without its style and script, which are reviewed in their own files.
    fn bare(report: &Report) -> String {
        let text = html(report).replace(STYLE, "").replace(SCRIPT, "");
        text.replace(&hash(STYLE), "[style]").replace(&hash(SCRIPT), "[script]")
    }

    #[test]
    fn the_page_is_as_reviewed() {
        let mut report = example::report();
        report.findings.drain(2..12);
        report.summary = crate::engine::scan::count(&report.findings, 12);
        insta::assert_snapshot!(bare(&report));
    }

    #[test]
    fn names_chosen_by_others_are_text() {
        let mut report = example::calm();
        let finding = &mut report.findings[0];
        finding.verdict = Verdict::Fail;
        let hostile = "</script></noscript><img src=x onerror=alert(1)>'\"&";
        finding.resource.name = Some(hostile.to_owned());
        finding.message = hostile.to_owned();
        let page = bare(&report);
        assert!(!page.contains("<img"), "{page}");
        assert_eq!(page.matches("</script>").count(), 2);
        assert_eq!(page.matches("</noscript>").count(), 1);
    }

    #[test]
    fn the_page_loads_nothing() {
        let page = html(&example::report());
        for attribute in ["src=", "url(", "@import", "<link rel=\"stylesheet", "http://"] {
            assert!(!page.contains(attribute), "{attribute}");
        }
        assert!(page.contains("default-src 'none'"));
    }

    #[test]
    fn every_finding_is_in_the_data_and_the_worst_is_first() {
        let report = example::report();
        let page = html(&report);
        let (_, data) = page.split_once("id=\"data\">").expect("data");
        let (data, _) = data.split_once("</script>").expect("its end");
        let data: serde_json::Value = serde_json::from_str(data).expect("JSON");
        let findings = data["findings"].as_array().expect("findings");
        assert_eq!(findings.len(), report.findings.len());
        assert_eq!(findings[0]["verdict"], "fail");
        assert_eq!(findings[0]["fix"]["command"], "ssm-audit fix --rule ec2-imdsv2-required");
        assert_eq!(data["passes"], 0);
    }

    #[test]
    fn what_a_page_without_scripts_does_not_list_is_counted() {
        let mut report = example::report();
        let failed = report.findings[0].clone();
        report.findings.extend(std::iter::repeat_n(failed, 3_000));
        let page = html(&report);
        assert!(page.contains("these 2000, and 1017 more that only a browser with scripts shows"));
    }

    #[test]
    fn a_trend_is_drawn_where_there_is_one() {
        let look = |at: &str, fail, unknown| Look { at: at.to_owned(), fail, unknown };
        let looks = [look("2026-11-20T00:00:00Z", 10, 0), look("2026-11-21T00:00:00Z", 5, 1)];
        let mut out = Vec::new();
        write_with_trend(&example::calm(), &example::rules(), &looks, &mut out).expect("written");
        let page = String::from_utf8(out).expect("text");
        assert!(page.contains(r#"points="0,6 600,60""#), "{page}");
        assert!(!html(&example::calm()).contains("<svg"));
    }
}
