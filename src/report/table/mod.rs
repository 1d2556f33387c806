//! Table: a report for people. It lists failures by rule, the worst first, each with the offending value; unknowns,
//! with the call that failed; the coverage; and at the end the summary, which fits on one screen. Colour only repeats
//! what the text states.

mod rows;
pub(super) mod summary;

use std::collections::BTreeSet;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use self::rows::{DETAIL, Row};
use super::by_rule::{self, Group};
use super::next::{self, Situation};
use super::overview::Overview;
use super::phrasing::{self, Accounts};
use super::{Detail, Format, Options, Parts, RuleInfo, Writer, basis, denied};
use crate::engine::scan::ANY;
use crate::model::{AccountId, Finding, Region, Report, Scope, Severity, Verdict};
use crate::terminal::{Encoding, harmless, width, wrap};

pub(super) static FORMAT: Format =
    Format { name: "table", endings: &[".txt"], encoding: Encoding::Text, writer: Writer::Whole(write) };

fn write(report: &Report, rules: &[RuleInfo], options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page { accounts: Accounts::of(report), report, rules, options, shortened: false, out };
    if options.parts == Parts::All {
        page.findings()?;
    }
    if options.parts != Parts::Summary {
        page.denied()?;
        page.incomplete()?;
    }
    page.provenance()?;
    page.summary()?;
    page.next()
}

fn place_of_scope(scope: &Scope) -> (Option<&AccountId>, Option<&Region>) {
    (scope.account.as_ref(), scope.region.as_ref())
}

struct Page<'a> {
    accounts: Accounts,
    report: &'a Report,
    rules: &'a [RuleInfo],
    options: &'a Options,
    /// `true` if some findings are counted and not listed.
    shortened: bool,
    out: &'a mut dyn Write,
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// Column of the text of a heading.
const HEADING: usize = 11;

impl Page<'_> {
    /// Writes every finding that is not a pass, by rule.
    fn findings(&mut self) -> io::Result<()> {
        let report = self.report;
        // For an account or region of which nothing was read, every rule has the same reason. It is written once,
        // below.
        let unread: BTreeSet<_> = report.scopes.iter().filter(|scope| !scope.read).map(place_of_scope).collect();
        let brief = self.options.detail == Detail::Brief;
        let lists = |finding: &Finding| {
            let resource = &finding.resource;
            // Unknowns caused by a denied call are also written once, below.
            let said_below = denied::is_only_denied(finding)
                || resource.id == ANY && unread.contains(&(resource.account.as_ref(), resource.region.as_ref()));
            !brief || !said_below
        };
        for group in by_rule::open(report, self.rules, lists) {
            self.group(&group)?;
        }
        self.waived(&by_rule::of_verdict(report, Verdict::Waived))?;
        if self.options.detail >= Detail::Everything {
            self.passed(&by_rule::of_verdict(report, Verdict::Pass))?;
        }
        Ok(())
    }

    fn group(&mut self, group: &Group<'_>) -> io::Result<()> {
        let severity = group.severity.as_str().to_uppercase();
        let heading = [
            self.paint(severity_style(group.severity), &format!("{severity:<9}")),
            self.paint(BOLD, &harmless(group.rule)),
            self.paint(DIM, &group.count()),
        ];
        writeln!(self.out, "{}", heading.join("  "))?;
        if let Some(info) = group.info {
            self.text(HEADING, 0, Style::new(), &info.title)?;
        }
        let message = group.common_message();
        if let Some(message) = message.filter(|message| group.info.is_none_or(|info| info.title != *message)) {
            self.text(HEADING, 0, Style::new(), message)?;
        }
        let mut rows: Vec<Row> = group.findings().map(|finding| self.open(finding, message.is_some())).collect();
        self.details(DETAIL, &take_common_details(&mut rows, Verdict::Fail))?;
        let reasons = take_common_details(&mut rows, Verdict::Unknown);
        self.details(DETAIL, &reasons.iter().map(|reason| format!("unknown because {reason}")).collect::<Vec<_>>())?;
        if let Some(info) = group.info.filter(|_| self.options.detail >= Detail::Full) {
            self.text(HEADING, 0, DIM, &info.rationale)?;
            for reference in info.page.iter().chain(&info.references) {
                self.text(HEADING, 0, DIM, reference)?;
            }
        }
        self.rows(rows)?;
        if let Some(remediation) = group.info.and_then(|info| info.remediation.as_ref()) {
            let command = group.findings().find_map(|finding| self.options.commands.fix(finding, self.report));
            self.fix(&remediation.title, command.as_deref())?;
        }
        writeln!(self.out)
    }

    /// Writes the remediation, and the command that plans it, which is never wrapped.
    fn fix(&mut self, title: &str, command: Option<&str>) -> io::Result<()> {
        const FIX: usize = 2 + 9;
        let Some(command) = command.map(harmless) else {
            return self.text(2, 9, Style::new(), &format!("fix      {title}"));
        };
        let line = format!("fix      {} ({command})", harmless(title));
        if 2 + width(&line) <= self.options.width {
            return writeln!(self.out, "  {line}");
        }
        self.text(2, 9, Style::new(), &format!("fix      {title}"))?;
        writeln!(self.out, "{:FIX$}{command}", "")
    }

    fn open(&self, finding: &Finding, message_is_said: bool) -> Row {
        let evidence = finding.evidence.iter().flat_map(phrasing::evidence);
        let related = finding.related.iter().map(|location| format!("see {}", phrasing::location(location)));
        let details = match finding.verdict {
            Verdict::Unknown if self.options.detail == Detail::Brief => phrasing::reasons(finding),
            Verdict::Unknown => phrasing::reasons(finding).into_iter().chain(evidence).collect(),
            _ if message_is_said => evidence.chain(related).collect(),
            _ => std::iter::once(finding.message.clone()).chain(evidence).chain(related).collect(),
        };
        self.row_of(finding, &details)
    }

    fn row_of(&self, finding: &Finding, details: &[String]) -> Row {
        Row {
            verdict: finding.verdict,
            account: finding.resource.account.clone(),
            resource: harmless(&phrasing::resource(&finding.resource)).into_owned(),
            place: harmless(&phrasing::place(finding, self.accounts)).into_owned(),
            details: details.iter().map(|detail| harmless(detail).into_owned()).collect(),
        }
    }

    fn waived(&mut self, findings: &[&Finding]) -> io::Result<()> {
        let rows = findings.iter().map(|finding| self.row_of(finding, &[phrasing::waiver(finding)])).collect();
        self.section("WAIVED", rows)
    }

    fn passed(&mut self, findings: &[&Finding]) -> io::Result<()> {
        let rows = findings.iter().map(|finding| self.row_of(finding, std::slice::from_ref(&finding.rule))).collect();
        self.section("PASSED", rows)
    }

    fn section(&mut self, heading: &str, rows: Vec<Row>) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        writeln!(self.out, "{}", self.paint(BOLD, heading))?;
        self.rows(rows)?;
        writeln!(self.out)
    }

    /// Writes each denied permission once, with the remedy.
    fn denied(&mut self) -> io::Result<()> {
        let report = self.report;
        let permissions = denied::permissions(report);
        if permissions.is_empty() {
            return Ok(());
        }
        writeln!(self.out, "{}", self.paint(BOLD, "ACCESS DENIED"))?;
        for denied in &permissions {
            self.text(2, 2, BOLD, &denied.name())?;
            self.text(4, 10, Style::new(), &format!("in        {}", denied.places()))?;
            if let Some(not_read) = denied.not_read() {
                self.text(4, 10, Style::new(), &format!("not read  {not_read}"))?;
            }
            self.text(4, 10, Style::new(), &format!("waiting   {}", denied.waiting()))?;
            self.text(4, 10, Style::new(), &format!("allow     {}", denied.action()))?;
            let command = denied.policy(report, &self.options.commands);
            writeln!(self.out, "    policy    {}", harmless(&command))?;
        }
        writeln!(self.out)
    }

    fn incomplete(&mut self) -> io::Result<()> {
        let scopes = phrasing::incomplete(self.report);
        if scopes.is_empty() {
            return Ok(());
        }
        writeln!(self.out, "{}", self.paint(BOLD, "NOT READ IN FULL"))?;
        for group in scopes.chunk_by(|one, other| phrasing::same_gaps(one, other)) {
            let what = if group[0].read { "read in part" } else { "not read" };
            self.text(2, 2, Style::new(), &format!("{}: {what}", phrasing::scopes(group)))?;
            let others = group[0].gaps.iter().filter(|gap| !denied::is_denied(gap));
            self.details(4, &others.map(ToString::to_string).collect::<Vec<_>>())?;
        }
        writeln!(self.out)
    }

    fn summary(&mut self) -> io::Result<()> {
        let report = self.report;
        let summary = &report.summary;
        let incomplete = phrasing::incomplete(report).len();
        let coverage = phrasing::coverage(report);
        let checks = summary.pass + summary.fail + summary.unknown + summary.waived;
        if incomplete == 0 && checks == 0 && summary.in_baseline == 0 {
            return self.text(0, 0, BOLD, &format!("no resources in {coverage} match the selected rules"));
        }
        if incomplete == 0 && checks == summary.pass && summary.in_baseline == 0 {
            let checks = if checks == 1 { "1 check".to_owned() } else { format!("all {checks} checks") };
            return self.text(0, 0, verdict_style(Verdict::Pass), &format!("{checks} passed in {coverage}"));
        }
        let mut overview = Overview::default();
        report.scopes.iter().for_each(|scope| overview.add_scope(scope));
        report.findings.iter().for_each(|finding| overview.add(finding));
        self.shortened |= summary::tables(&overview, self.rules, self.options, self.out)?;
        let style = |verdict: Option<Verdict>, phrase: &str| match verdict {
            Some(Verdict::Fail | Verdict::Unknown) if phrase.starts_with("0 ") => Style::new(),
            Some(verdict @ (Verdict::Fail | Verdict::Unknown)) => verdict_style(verdict).bold(),
            Some(Verdict::Pass) => verdict_style(Verdict::Pass),
            Some(Verdict::Waived) | None => Style::new(),
        };
        let counts = phrasing::count_phrases(report).into_iter();
        let counts: Vec<_> = counts.map(|(verdict, phrase)| (style(verdict, &phrase), phrase)).collect();
        summary::phrases(&counts, self.options, self.out)?;
        let read = match incomplete {
            0 => "read in full".to_owned(),
            many => format!("{many} of {} scopes not read in full", report.scopes.len()),
        };
        self.text(0, 0, Style::new(), &format!("{coverage}: {read}"))
    }

    /// Writes the next commands.
    fn next(&mut self) -> io::Result<()> {
        let (report, commands) = (self.report, &self.options.commands);
        let open = by_rule::open(report, self.rules, |_| true);
        let with_remediation = open.iter().filter(|group| group.info.is_some_and(|info| info.remediation.is_some()));
        let mut failed = with_remediation.flat_map(|group| &group.failed);
        let situation = Situation {
            rule: open.first().map(|group| group.rule),
            fix: failed.find_map(|finding| commands.fix(finding, report)),
            policy: denied::task(report).map(|task| commands.policy(task, &report.policy)),
            shortened: self.shortened || self.options.parts != Parts::All,
            page: " -o report.html",
        };
        summary::next(&next::commands(commands, situation), self.options, self.out)
    }

    /// Writes the inputs other than facts that determined the result, if there are any.
    fn provenance(&mut self) -> io::Result<()> {
        let lines = basis::unusual(&self.report.provenance);
        for (index, line) in lines.iter().enumerate() {
            let line = self.abridged(line).into_owned();
            self.text(if index == 0 { 0 } else { 2 }, 2, DIM, &line)?;
        }
        if lines.is_empty() { Ok(()) } else { writeln!(self.out) }
    }

    /// Writes a text in lines that begin at `indent`; all but the first are indented by `hanging` more.
    fn text(&mut self, indent: usize, hanging: usize, style: Style, text: &str) -> io::Result<()> {
        for (index, line) in
            wrap(&harmless(text), self.options.width.saturating_sub(indent + hanging)).iter().enumerate()
        {
            let indent = if index == 0 { indent } else { indent + hanging };
            writeln!(self.out, "{:indent$}{}", "", self.paint(style, line))?;
        }
        Ok(())
    }

    fn paint(&self, style: Style, text: &str) -> String {
        self.options.paint.paint(style, text)
    }
}

/// Takes the details that all resources with that verdict share. They are written once, above the resources.
fn take_common_details(rows: &mut [Row], verdict: Verdict) -> Vec<String> {
    let mut rows: Vec<&mut Row> = rows.iter_mut().filter(|row| row.verdict == verdict).collect();
    let Some((first, others)) = rows.split_first_mut().filter(|(_, others)| !others.is_empty()) else {
        return Vec::new();
    };
    if others.iter().any(|other| other.details != first.details) {
        return Vec::new();
    }
    for other in others {
        other.details.clear();
    }
    std::mem::take(&mut first.details)
}

fn severity_style(severity: Severity) -> Style {
    let colour = match severity {
        Severity::Critical | Severity::High => AnsiColor::Red,
        Severity::Medium => AnsiColor::Yellow,
        Severity::Low => AnsiColor::Cyan,
        Severity::Info => AnsiColor::Blue,
    };
    colour.on_default().bold()
}

fn verdict_style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Fail => AnsiColor::Red.on_default(),
        Verdict::Unknown => AnsiColor::Magenta.on_default(),
        Verdict::Waived => DIM,
        Verdict::Pass => AnsiColor::Green.on_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    fn table(report: &Report, width: usize, detail: Detail) -> String {
        let options = Options { width, detail, ..Options::default() };
        let mut out = Vec::new();
        write(report, &example::rules(), &options, &mut out).expect("written");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_table_reads_well_at_80_columns() {
        insta::assert_snapshot!(table(&example::report(), 80, Detail::Brief));
    }

    #[test]
    fn the_table_reads_well_at_120_columns() {
        insta::assert_snapshot!(table(&example::report(), 120, Detail::Brief));
    }

    #[test]
    fn everything_is_listed_on_demand() {
        insta::assert_snapshot!(table(&example::report(), 100, Detail::Everything));
    }

    #[test]
    fn where_all_holds_one_line_says_so() {
        insta::assert_snapshot!(table(&example::calm(), 80, Detail::Brief), @"1 check passed in account 123456789012, us-east-1");
        insta::assert_snapshot!(
            table(&example::empty(), 80, Detail::Brief),
            @"no resources in account 123456789012, us-east-1 match the selected rules"
        );
    }

    #[test]
    fn a_reason_that_all_unknowns_share_is_said_once() {
        let mut report = example::report();
        for finding in report.findings.iter_mut().filter(|finding| finding.verdict == Verdict::Fail) {
            finding.verdict = Verdict::Unknown;
            finding.gaps = report.scopes[1].gaps.clone();
        }
        report.findings.retain(|finding| finding.rule == "ec2-imdsv2-required");
        for scope in &mut report.scopes {
            scope.complete = false;
            scope.gaps = report.findings[0].gaps.clone();
        }
        insta::assert_snapshot!(table(&report, 80, Detail::Brief));
    }

    #[test]
    fn what_every_rule_says_of_an_account_that_was_not_read_is_said_once() {
        let mut report = example::calm();
        let unknown = Finding { verdict: Verdict::Unknown, ..report.findings[0].clone() };
        report.findings = vec![unknown.clone(), unknown];
        report.findings[0].resource.id = ANY.to_owned();
        report.summary = crate::engine::scan::count(&report.findings, 0);
        for scope in &mut report.scopes {
            (scope.complete, scope.read) = (false, false);
        }
        let brief = table(&report, 80, Detail::Brief);
        assert!(
            brief.contains("1 unknown\n") && brief.contains("2 unknown, ") || brief.contains("2 unknown\n"),
            "{brief}"
        );
        assert!(!brief.contains("could be listed"), "{brief}");
        assert!(table(&report, 80, Detail::Full).contains("could be listed"));
    }

    #[test]
    fn what_the_baseline_has_is_counted_and_never_calm() {
        let mut report = example::calm();
        report.summary.in_baseline = 2;
        let said = table(&report, 80, Detail::Brief);
        assert!(said.starts_with("0 fail, 1 pass, ") && said.contains(", 2 in the baseline\n"), "{said}");
    }

    #[test]
    fn a_scope_that_was_not_read_is_never_calm() {
        let mut report = example::calm();
        report.scopes[0].complete = false;
        assert!(!table(&report, 80, Detail::Brief).contains("passed"));
    }

    #[test]
    fn no_line_but_that_of_an_id_is_wider_than_the_terminal_and_no_id_is_broken() {
        let report = example::report();
        let shown = |finding: &Finding| harmless(&phrasing::resource(&finding.resource)).into_owned();
        let resources: Vec<String> = report.findings.iter().map(shown).collect();
        for width in [60, 80, 100, 200] {
            let text = table(&report, width, Detail::Everything);
            for line in text.lines() {
                let is_id = resources.iter().any(|resource| line.ends_with(resource.as_str()));
                assert!(is_id || crate::terminal::width(line) <= width, "{width}: {line}");
            }
            for resource in &resources {
                assert!(text.contains(resource.as_str()), "{width}: {resource}");
            }
        }
    }

    fn many(rules: usize, accounts: u64, each: usize) -> Report {
        let mut report = example::calm();
        report.findings.clear();
        for account in 0..accounts {
            for rule in 0..rules {
                for number in 0..each {
                    let severity = if rule % 2 == 0 { Severity::High } else { Severity::Low };
                    let verdict = if number % 3 == 2 { Verdict::Unknown } else { Verdict::Fail };
                    let id = format!("i-{account:03}{rule:03}{number:011}");
                    let mut finding = example::finding(&format!("rule-{rule:02}"), severity, verdict, &id);
                    finding.resource.account = format!("{:012}", 100_000_000_000 + account).parse().ok();
                    report.findings.push(finding);
                }
            }
        }
        report.summary = crate::engine::scan::count(&report.findings, 0);
        report
    }

    #[test]
    fn ten_thousand_findings_end_in_one_screen() {
        let report = many(25, 40, 10);
        let options = Options { width: 80, parts: Parts::Summary, ..Options::default() };
        let mut out = Vec::new();
        write(&report, &[], &options, &mut out).expect("written");
        insta::assert_snapshot!(String::from_utf8(out).expect("text"));
    }

    #[test]
    fn ten_resources_of_a_rule_are_spread_over_its_accounts() {
        let text = table(&many(1, 8, 30), 100, Detail::Brief);
        let listed: Vec<&str> = text.lines().filter(|line| line.contains("  i-")).collect();
        assert_eq!(listed.len(), 10, "{text}");
        let accounts: BTreeSet<&str> = listed.iter().filter_map(|line| line.split_whitespace().nth(2)).collect();
        assert_eq!(accounts.len(), 8, "{text}");
        assert_eq!(listed.iter().filter(|line| line.contains("unknown")).count(), 2, "{text}");
        assert!(text.contains("and 152 more fail, 78 more unknown (-v lists all)"), "{text}");
        let all = table(&many(1, 8, 30), 100, Detail::Full);
        assert_eq!(all.lines().filter(|line| line.contains("  i-")).count(), 240);
        assert!(!all.contains("-v lists all"), "{all}");
    }

    #[test]
    fn parts_of_the_page_are_left_out_on_demand() {
        let page = |parts| {
            let options = Options { width: 80, parts, ..Options::default() };
            let mut out = Vec::new();
            write(&example::report(), &example::rules(), &options, &mut out).expect("written");
            String::from_utf8(out).expect("text")
        };
        let no_details = page(Parts::NoDetails);
        assert!(no_details.starts_with("ACCESS DENIED\n") && !no_details.contains("WAIVED"), "{no_details}");
        let summary = page(Parts::Summary);
        assert!(summary.starts_with("configuration: ") && !summary.contains("ACCESS DENIED"), "{summary}");
        for text in [no_details, summary] {
            assert!(text.contains("2 unknown") && text.contains("3 of 6 scopes not read in full"), "{text}");
        }
    }

    #[test]
    fn no_pass_is_coloured_as_a_failure() {
        let options = Options { paint: crate::terminal::Paint::Styled, width: 200, ..Options::default() };
        let mut out = Vec::new();
        write(&example::report(), &example::rules(), &options, &mut out).expect("written");
        let text = String::from_utf8(out).expect("text");
        assert!(text.contains("\u{1b}[32m2 pass\u{1b}[0m, 12 not applicable"), "{text:?}");
        assert!(text.contains("\u{1b}[1m\u{1b}[31m16 fail (13 high, 3 medium)\u{1b}[0m,"), "{text:?}");
    }

    #[test]
    fn a_terminal_without_unicode_gets_ascii() {
        let options = Options { charset: crate::terminal::Charset::Ascii, width: 80, ..Options::default() };
        let mut report = example::report();
        report.findings.iter_mut().for_each(|finding| finding.resource.name = None);
        let mut out = Vec::new();
        write(&report, &example::rules(), &options, &mut out).expect("written");
        let text = String::from_utf8(out).expect("text");
        assert!(text.is_ascii(), "{text}");
        assert!(text.contains("\n  ...      and 2 more fail (-v lists all)\n"), "{text}");
    }

    #[test]
    fn names_chosen_by_others_do_not_reach_the_terminal_as_commands() {
        assert!(!table(&example::report(), 80, Detail::Everything).contains('\u{1b}'));
    }
}
