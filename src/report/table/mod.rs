//! The table: what a person wants to see at three in the morning. What failed, by rule and worst
//! first, each with the value that offends; what is not known, with the call to blame; what was
//! covered; and a summary at the end. Colour adds to it and carries nothing alone.

mod rows;

use std::collections::BTreeSet;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use self::rows::{DETAIL, Row};
use super::by_rule::{self, Group};
use super::phrasing::{self, Accounts};
use super::{Detail, Format, Options, RuleInfo, Writer, basis, denied};
use crate::engine::scan::ANY;
use crate::model::{AccountId, Finding, Region, Report, Scope, Severity, Verdict};
use crate::terminal::{Encoding, harmless, wrap};

pub(super) static FORMAT: Format =
    Format { name: "table", endings: &[".txt"], encoding: Encoding::Text, writer: Writer::Whole(write) };

fn write(report: &Report, rules: &[RuleInfo], options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page { accounts: Accounts::of(report), options, out };
    // Of an account or region of which nothing was read, every rule says the same, and it is said once below.
    let unread: BTreeSet<_> = report.scopes.iter().filter(|scope| !scope.read).map(place_of_scope).collect();
    let lists = |finding: &Finding| {
        let resource = &finding.resource;
        // What a denied call leaves unknown is said once below, too.
        let said_below = denied::is_only_denied(finding)
            || resource.id == ANY && unread.contains(&(resource.account.as_ref(), resource.region.as_ref()));
        options.detail > Detail::Brief || !said_below
    };
    for group in by_rule::open(report, rules, lists) {
        page.group(&group)?;
    }
    page.waived(&by_rule::of_verdict(report, Verdict::Waived))?;
    if options.detail >= Detail::Everything {
        page.passed(&by_rule::of_verdict(report, Verdict::Pass))?;
    }
    page.denied(report)?;
    page.incomplete(report)?;
    page.summary(report)?;
    page.provenance(report)
}

fn place_of_scope(scope: &Scope) -> (Option<&AccountId>, Option<&Region>) {
    (scope.account.as_ref(), scope.region.as_ref())
}

struct Page<'a> {
    accounts: Accounts,
    options: &'a Options,
    out: &'a mut dyn Write,
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// Where the words of a heading stand.
const HEADING: usize = 11;

impl Page<'_> {
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
            let finding = group.findings().next();
            let command = finding.map_or_else(|| format!("ssm-audit fix --rule {}", group.rule), phrasing::command_of);
            self.text(2, 9, Style::new(), &format!("fix      {} ({command})", remediation.title))?;
        }
        writeln!(self.out)
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

    /// Each call that was denied, once, with what to do.
    fn denied(&mut self, report: &Report) -> io::Result<()> {
        let calls = denied::calls(report);
        if calls.is_empty() {
            return Ok(());
        }
        writeln!(self.out, "{}", self.paint(BOLD, "ACCESS DENIED"))?;
        for call in &calls {
            self.text(2, 2, Style::new(), &call.message(report))?;
        }
        writeln!(self.out)
    }

    fn incomplete(&mut self, report: &Report) -> io::Result<()> {
        let scopes = phrasing::incomplete(report);
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

    fn summary(&mut self, report: &Report) -> io::Result<()> {
        let summary = &report.summary;
        let incomplete = phrasing::incomplete(report).len();
        let coverage = phrasing::coverage(report);
        let judged = summary.pass + summary.fail + summary.unknown + summary.waived;
        if incomplete == 0 && judged == 0 && summary.in_baseline == 0 {
            return self.text(
                0,
                0,
                BOLD,
                &format!("nothing to judge in {coverage}: no rule found a resource to speak of"),
            );
        }
        if incomplete == 0 && judged == summary.pass && summary.in_baseline == 0 {
            return self.text(0, 0, verdict_style(Verdict::Pass), &format!("all checks hold: {judged} in {coverage}"));
        }
        let style = if summary.fail > 0 { verdict_style(Verdict::Fail).bold() } else { BOLD };
        self.text(0, 0, style, &phrasing::counts(report))?;
        let read = match incomplete {
            0 => "read in full".to_owned(),
            many => format!("{many} of {} scopes not read in full", report.scopes.len()),
        };
        self.text(0, 0, Style::new(), &format!("{coverage}: {read}"))
    }

    /// What decided the result beside the facts, where anything did.
    fn provenance(&mut self, report: &Report) -> io::Result<()> {
        for (index, line) in basis::unusual(&report.provenance).iter().enumerate() {
            let line = self.abridged(line).into_owned();
            self.text(if index == 0 { 0 } else { 2 }, 2, DIM, &line)?;
        }
        Ok(())
    }

    /// A text in lines that begin at `indent`, all but the first so much further in.
    fn text(&mut self, indent: usize, hanging: usize, style: Style, text: &str) -> io::Result<()> {
        for (index, line) in
            wrap(&harmless(text), self.options.width.saturating_sub(indent + hanging)).iter().enumerate()
        {
            let indent = if index == 0 { indent } else { indent + hanging };
            writeln!(self.out, "{:indent$}{}", "", self.paint(style, line))?;
        }
        Ok(())
    }

    /// A text in lines, the first of them after something that is written already.
    fn text_after(&mut self, before: &str, indent: usize, text: &str) -> io::Result<()> {
        for (index, line) in wrap(text, self.options.width.saturating_sub(indent)).iter().enumerate() {
            if index == 0 {
                writeln!(self.out, "{before}{line}")?;
            } else {
                writeln!(self.out, "{:indent$}{line}", "")?;
            }
        }
        Ok(())
    }

    fn paint(&self, style: Style, text: &str) -> String {
        self.options.paint.paint(style, text)
    }
}

/// What there is to say alike of all resources with that verdict is said once, above them.
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
    use crate::terminal::Paint;

    fn table(report: &Report, width: usize, detail: Detail) -> String {
        let options = Options { paint: Paint::Plain, width, detail };
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
        insta::assert_snapshot!(table(&example::calm(), 80, Detail::Brief), @"all checks hold: 1 in account 123456789012, us-east-1");
        insta::assert_snapshot!(table(&example::empty(), 80, Detail::Brief), @r"
        nothing to judge in account 123456789012, us-east-1: no rule found a resource to
        speak of
        ");
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
        assert!(!table(&report, 80, Detail::Brief).contains("all checks hold"));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_no_id_is_cut() {
        let report = example::report();
        for width in [60, 80, 100, 200] {
            let text = table(&report, width, Detail::Everything);
            for line in text.lines() {
                assert!(crate::terminal::width(line) <= width, "{width}: {line}");
            }
            let unwrapped: String = text.split_whitespace().collect();
            for finding in &report.findings {
                assert!(
                    unwrapped.contains(finding.resource.address.as_ref().unwrap_or(&finding.resource.id)),
                    "{width}"
                );
            }
        }
    }

    #[test]
    fn names_chosen_by_others_do_not_reach_the_terminal_as_commands() {
        assert!(!table(&example::report(), 80, Detail::Everything).contains('\u{1b}'));
    }
}
