//! Markdown as GitHub renders it, for the summary of a step in continuous integration, which may have one mebibyte.
//! Totals are always complete. The worst findings are listed first, and those that did not fit are counted.
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#adding-a-job-summary>
//!
//!
//! Text from an account is in code spans, in which no text is a link, a tag, a mention or the end of a table's cell.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use super::by_rule::{self, Group};
use super::counts::{SEVERITIES, Tallies, Tally};
use super::phrasing::{self, Accounts};
use super::{Detail, Format, Options, RuleInfo, Writer, basis, denied};
use crate::model::{Finding, Report, Scope, Verdict};
use crate::terminal::{Encoding, harmless};

pub(super) static FORMAT: Format =
    Format { name: "markdown", endings: &[".md"], encoding: Encoding::Text, writer: Writer::Whole(write) };

/// Maximum number of bytes: one mebibyte less a margin for other output of the step.
const BYTES: usize = 1_000_000;

/// Bytes reserved for the note on findings that were left out.
const NOTE: usize = 1_000;

/// Number of accounts, scopes, reasons and resources of a rule that are listed, before the rest is counted.
const LISTED: usize = 20;

/// Number of characters of a value that are shown.
const SHOWN: usize = 300;

fn write(report: &Report, rules: &[RuleInfo], options: &Options, out: &mut dyn Write) -> io::Result<()> {
    write_within(BYTES, report, rules, options, out)
}

fn write_within(
    bytes: usize,
    report: &Report,
    rules: &[RuleInfo],
    options: &Options,
    out: &mut dyn Write,
) -> io::Result<()> {
    let tallies = Tallies::of(report);
    let mut page = Page { out, left: bytes.saturating_sub(NOTE), accounts: Accounts::of(report), options };
    let summary = [
        heading(report),
        provenance(report),
        totals(report, &tallies.all),
        denied(report),
        not_read(report),
        by_account(&tallies),
        by_rule(&tallies, rules),
        by_control(&tallies, rules),
    ];
    for section in summary {
        page.always(&section)?;
    }
    page.details(report, rules)
}

fn heading(report: &Report) -> String {
    format!(
        "# Session Manager: {}\n\n{}, policy {}, {}, {} {}\n\n",
        phrasing::headline(report),
        prose(&phrasing::coverage(report)),
        prose(&report.policy),
        prose(&phrasing::time(&report.finished_at)),
        prose(&report.tool.name),
        prose(&report.tool.version),
    )
}

/// Returns the inputs other than facts that determined the result.
fn provenance(report: &Report) -> String {
    let lines = basis::lines(&report.provenance);
    let (listed, more) = lines.split_at(lines.len().min(LISTED));
    let mut text = String::new();
    for line in listed {
        add(&mut text, format_args!("- {}\n", code(line)));
    }
    if !more.is_empty() {
        add(&mut text, format_args!("- and {} more\n", more.len()));
    }
    text.push('\n');
    text
}

fn totals(report: &Report, all: &Tally) -> String {
    let mut text =
        "| | critical | high | medium | low | info | all |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n"
            .to_owned();
    let summary = &report.summary;
    let rows = [(Verdict::Fail, summary.fail), (Verdict::Unknown, summary.unknown), (Verdict::Waived, summary.waived)];
    for (verdict, count) in rows {
        add(&mut text, format_args!("| {verdict} | {} | {count} |\n", severities(all, verdict)));
    }
    add(&mut text, format_args!("| pass | | | | | | {} |\n", summary.pass));
    add(&mut text, format_args!("| not applicable | | | | | | {} |\n\n", summary.not_applicable));
    text
}

fn severities(tally: &Tally, verdict: Verdict) -> String {
    SEVERITIES.map(|severity| number(tally.count(verdict, severity))).join(" | ")
}

/// Returns a count, and an empty text for zero, so that other counts stand out.
fn number(count: u64) -> String {
    if count == 0 { String::new() } else { count.to_string() }
}

/// Returns each denied call once, with the remedy.
fn denied(report: &Report) -> String {
    let calls = denied::permissions(report);
    if calls.is_empty() {
        return String::new();
    }
    let mut text = "## Access denied\n\n".to_owned();
    for call in calls.iter().take(LISTED) {
        add(&mut text, format_args!("- {}\n", prose(&call.message(report))));
    }
    if calls.len() > LISTED {
        add(&mut text, format_args!("- and {} more\n", calls.len() - LISTED));
    }
    text.push('\n');
    text
}

fn not_read(report: &Report) -> String {
    let scopes = phrasing::incomplete(report);
    if scopes.is_empty() {
        return String::new();
    }
    let mut text = format!("## Not read in full: {} of {}\n\n", scopes.len(), report.scopes.len());
    let mut left = 0;
    for (index, group) in scopes.chunk_by(|one, other| phrasing::same_gaps(one, other)).enumerate() {
        if index < LISTED { text.push_str(&unread(group)) } else { left += group.len() }
    }
    if left > 0 {
        add(&mut text, format_args!("- and {left} more\n"));
    }
    text.push('\n');
    text
}

fn unread(group: &[&Scope]) -> String {
    let what = if group[0].read { "read in part" } else { "not read" };
    let named = &group[..group.len().min(LISTED)];
    let more = match group.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let others = group[0].gaps.iter().filter(|gap| !denied::is_denied(gap));
    let reasons = others.take(LISTED).map(|gap| code(&gap.to_string())).collect::<Vec<_>>();
    let because = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join(", ")) };
    format!("- {}{more}: {what}{because}\n", prose(&phrasing::scopes(named)))
}

fn by_account(tallies: &Tallies<'_>) -> String {
    let accounts = tallies.worst_accounts();
    if accounts.len() < 2 {
        return String::new();
    }
    let mut text = "## Worst accounts\n\n| account | critical | high | medium | low | info | unknown | scopes not read in full |\n\
                    | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        .to_owned();
    for one in accounts.iter().take(LISTED) {
        add(
            &mut text,
            format_args!(
                "| {} | {} | {} | {} |\n",
                one.account,
                severities(&one.tally, Verdict::Fail),
                number(one.tally.of(Verdict::Unknown)),
                number(one.incomplete)
            ),
        );
    }
    if accounts.len() > LISTED {
        add(&mut text, format_args!("\nand {} more accounts with something open\n", accounts.len() - LISTED));
    }
    text.push('\n');
    text
}

fn by_rule(tallies: &Tallies<'_>, rules: &[RuleInfo]) -> String {
    let open = tallies.open_rules();
    if open.is_empty() {
        return String::new();
    }
    let mut text =
        "## By rule\n\n| severity | rule | fail | unknown | waived |\n| --- | --- | ---: | ---: | ---: |\n".to_owned();
    for (id, severity, tally) in open {
        let title = rules.iter().find(|rule| rule.id == id).map_or("", |rule| rule.title.as_str());
        add(
            &mut text,
            format_args!(
                "| {severity} | {} {} | {} | {} | {} |\n",
                code(id),
                prose(title),
                number(tally.of(Verdict::Fail)),
                number(tally.of(Verdict::Unknown)),
                number(tally.of(Verdict::Waived))
            ),
        );
    }
    text.push('\n');
    text
}

fn by_control(tallies: &Tallies<'_>, rules: &[RuleInfo]) -> String {
    let controls = tallies.controls(rules);
    let open: Vec<_> = controls.iter().filter(|one| one.tally.is_open()).collect();
    if open.is_empty() {
        return String::new();
    }
    let mut text = "## By control\n\n| control | fail | unknown | waived |\n| --- | ---: | ---: | ---: |\n".to_owned();
    for one in open {
        add(
            &mut text,
            format_args!(
                "| {} {}: {} | {} | {} | {} |\n",
                prose(&one.control.framework),
                prose(&one.control.id),
                prose(&one.control.title),
                number(one.tally.of(Verdict::Fail)),
                number(one.tally.of(Verdict::Unknown)),
                number(one.tally.of(Verdict::Waived))
            ),
        );
    }
    text.push('\n');
    text
}

/// The page, which lists findings as long as there is room for them.
struct Page<'a> {
    out: &'a mut dyn Write,
    /// Number of bytes that may still be written.
    left: usize,
    accounts: Accounts,
    options: &'a Options,
}

impl Page<'_> {
    /// Writes text that is never left out.
    fn always(&mut self, text: &str) -> io::Result<()> {
        self.left = self.left.saturating_sub(text.len());
        self.out.write_all(text.as_bytes())
    }

    /// Writes the text if there is room for it, and returns `true` if there was.
    fn where_it_fits(&mut self, text: &str) -> io::Result<bool> {
        if text.len() > self.left {
            self.left = 0;
            return Ok(false);
        }
        self.always(text)?;
        Ok(true)
    }

    fn details(&mut self, report: &Report, rules: &[RuleInfo]) -> io::Result<()> {
        let mut lost = Count::default();
        for group in by_rule::open(report, rules, |finding| !denied::is_only_denied(finding)) {
            let message = group.common_message();
            let header = format!("{}{HEADER}", introduction(&group, message));
            let rows = group.findings().map(|finding| (finding.verdict, self.row(finding, message.is_some())));
            let rows: Vec<_> = rows.collect();
            self.table(&header, &rows, &mut lost)?;
        }
        let waived = by_rule::of_verdict(report, Verdict::Waived);
        if !waived.is_empty() {
            let rows = waived.iter().map(|finding| (finding.verdict, self.row(finding, false)));
            let rows: Vec<_> = rows.collect();
            self.table(&format!("## Waived\n\n{HEADER}"), &rows, &mut lost)?;
        }
        self.out.write_all(lost.note().as_bytes())
    }

    /// Writes a table. A brief page counts at its end the rows that it does not list; rows without room are added to
    /// `lost`.
    fn table(&mut self, header: &str, rows: &[(Verdict, String)], lost: &mut Count) -> io::Result<()> {
        let listed = if self.options.detail == Detail::Brief { LISTED.min(rows.len()) } else { rows.len() };
        let (rows, more) = rows.split_at(listed);
        for (index, (_, row)) in rows.iter().enumerate() {
            let fits =
                if index == 0 { self.where_it_fits(&format!("{header}{row}"))? } else { self.where_it_fits(row)? };
            if !fits {
                lost.add(&rows[index..]);
                lost.add(more);
                return self.out.write_all(b"\n");
            }
        }
        let mut end = "\n".to_owned();
        if !more.is_empty() {
            let mut left = Count::default();
            left.add(more);
            end = format!("\nand {} more (`-v` lists all)\n\n", left.words());
        }
        self.always(&end)
    }

    fn row(&self, finding: &Finding, message_is_said: bool) -> String {
        let mut found: Vec<String> = match finding.verdict {
            Verdict::Unknown => phrasing::reasons(finding),
            Verdict::Fail if message_is_said => Vec::new(),
            Verdict::Fail | Verdict::Waived | Verdict::Pass => vec![phrasing::statement(finding)],
        };
        found.extend(finding.evidence.iter().flat_map(phrasing::evidence));
        let more = found.len().saturating_sub(LISTED);
        let mut cells: Vec<String> = found.iter().take(LISTED).map(|text| code(text)).collect();
        if more > 0 {
            cells.push(format!("and {more} more"));
        }
        format!(
            "| {} | {} | {} | {} |\n",
            finding.verdict,
            code(&phrasing::resource(&finding.resource)),
            code(&phrasing::place(finding, self.accounts)),
            cells.join("<br>")
        )
    }
}

const HEADER: &str = "| verdict | resource | where | what was found |\n| --- | --- | --- | --- |\n";

/// Returns the requirement of a rule, the reason and the remediation.
fn introduction(group: &Group<'_>, message: Option<&str>) -> String {
    let mut text = format!("### {}: {}, {}\n\n", code(group.rule), group.severity, group.count());
    if let Some(info) = group.info {
        add(&mut text, format_args!("{}\n\n{}\n\n", prose(&info.title), prose(&info.rationale)));
    }
    if let Some(message) = message {
        add(&mut text, format_args!("What was found: {}\n\n", code(message)));
    }
    let by_finding = group.failed.first().and_then(|finding| phrasing::fix_of(finding, group.info));
    let by_rule = || {
        let command = group.findings().next().map(phrasing::command_of);
        let fix = group.info.and_then(phrasing::fix)?;
        Some(phrasing::Fix { command: command.unwrap_or_else(|| fix.command.clone()), ..fix })
    };
    if let Some(fix) = by_finding.or_else(by_rule) {
        add(&mut text, format_args!("Fix: {}: {}\n\n", prose(&fix.title), code(&fix.command)));
    }
    text
}

/// Numbers of findings that are not listed.
#[derive(Default)]
struct Count {
    failed: usize,
    unknown: usize,
    waived: usize,
}

impl Count {
    fn add(&mut self, rows: &[(Verdict, String)]) {
        for (verdict, _) in rows {
            match verdict {
                Verdict::Fail => self.failed += 1,
                Verdict::Unknown => self.unknown += 1,
                Verdict::Waived => self.waived += 1,
                // Passes are not listed in any case.
                Verdict::Pass => {}
            }
        }
    }

    /// `3 fail, 1 unknown`
    fn words(&self) -> String {
        let counts = [(self.failed, "fail"), (self.unknown, "unknown"), (self.waived, "waived")];
        let words = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        words.collect::<Vec<_>>().join(", ")
    }

    fn note(&self) -> String {
        let words = self.words();
        if words.is_empty() {
            return words;
        }
        format!(
            "**Left out, because a summary may not be longer: {words}.** The totals above count them; the JSON and HTML \
             reports list them.\n"
        )
    }
}

fn add(text: &mut String, more: fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = text.write_fmt(more);
}

/// Returns a text that is shown literally, whatever it contains, and not longer than a screen.
fn code(text: &str) -> String {
    let mut text = harmless(text).into_owned();
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push('…');
    }
    if text.trim().is_empty() {
        return "(empty)".to_owned();
    }
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let space = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    // A bar ends the cell of a table even in a code span, and renderers differ on a backslash before it.
    format!("{fence}{space}{}{space}{fence}", text.replace("\\|", "\\ |").replace('|', "\\|"))
}

/// Returns a text of ssm-audit, or of the author of the rules, with all Markdown syntax escaped.
fn prose(text: &str) -> String {
    let text = harmless(text);
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if r"\`*_{}[]<>|#~&!@$".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    fn within(bytes: usize, report: &Report, detail: Detail) -> String {
        let mut out = Vec::new();
        let options = Options { detail, ..Options::default() };
        write_within(bytes, report, &example::rules(), &options, &mut out).expect("written");
        String::from_utf8(out).expect("text")
    }

    /// Returns the text as GitHub renders it, with HTML allowed.
    fn rendered(markdown: &str) -> String {
        let mut options = comrak::Options::default();
        options.extension.table = true;
        options.extension.autolink = true;
        options.extension.strikethrough = true;
        options.render.r#unsafe = true;
        comrak::markdown_to_html(markdown, &options)
    }

    #[test]
    fn the_summary_is_as_reviewed() {
        let mut report = example::report();
        report.findings.drain(2..11);
        report.summary = crate::engine::scan::count(&report.findings, 12);
        insta::assert_snapshot!(example::written(&FORMAT, &report));
    }

    #[test]
    fn where_all_holds_the_heading_says_so() {
        let first = |report: &Report| example::written(&FORMAT, report).lines().next().map(ToOwned::to_owned);
        assert_eq!(first(&example::calm()).as_deref(), Some("# Session Manager: all 1 checks hold"));
        assert_eq!(first(&example::empty()).as_deref(), Some("# Session Manager: nothing to judge"));
        let mut report = example::calm();
        report.scopes[0].complete = false;
        let expected = "# Session Manager: 0 fail; 1 of 2 scopes not read in full";
        assert_eq!(first(&report).as_deref(), Some(expected));
    }

    #[test]
    fn names_chosen_by_others_stay_text_in_their_cells() {
        let hostile = [
            "a|b",
            "`code`",
            "``",
            "<img src=x onerror=alert(1)>",
            "[here](https://evil.example)",
            "https://evil.example",
            "www.evil.example",
            "a\nb",
            "| --- |",
            "\\|x",
            "\\",
            " ",
            "&lt;b&gt;",
        ];
        let mut report = example::calm();
        let pattern = report.findings[0].clone();
        report.findings = hostile
            .map(|name| {
                let mut finding = Finding { verdict: Verdict::Fail, ..pattern.clone() };
                finding.resource.name = Some(name.to_owned());
                finding.message = name.to_owned();
                finding
            })
            .to_vec();
        report.summary = crate::engine::scan::count(&report.findings, 0);
        let html = rendered(&within(BYTES, &report, Detail::Full));
        let plain = html.replace("<td>", "").replace("<td align=\"right\">", "");
        for tag in ["<img", "<a ", "<b>"] {
            assert!(!plain.contains(tag), "{tag}: {html}");
        }
        let tables: Vec<&str> = html.split("<table>").collect();
        let rows: Vec<&str> = tables.last().expect("a table").split("<tr>").skip(2).collect();
        assert_eq!(rows.len(), hostile.len(), "{html}");
        for (row, name) in rows.iter().zip(hostile) {
            assert_eq!(row.matches("<td>").count(), 4, "{row}");
            let shown =
                harmless(name).replace("\\|", "\\ |").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let said = if shown.trim().is_empty() { "(empty)".to_owned() } else { format!("<code>{shown}</code>") };
            assert!(row.contains(&said), "{said} is not in {row}");
        }
    }

    #[test]
    fn a_summary_that_would_be_too_long_keeps_its_totals_and_counts_the_rest() {
        let mut report = example::report();
        let failed = report.findings[0].clone();
        report.findings.extend((0..20_000).map(|number| {
            let mut finding = failed.clone();
            finding.resource.id = format!("i-{number:017}");
            finding
        }));
        report.summary = crate::engine::scan::count(&report.findings, 12);
        let text = within(BYTES, &report, Detail::Everything);
        assert!(text.len() <= BYTES, "{}", text.len());
        assert!(text.contains("| fail |  | 20013 | 3 |  |  | 20016 |"), "{}", &text[..600]);
        let listed = |verdict: &str| text.matches(&format!("\n| {verdict} | `")).count();
        let lost = text.lines().last().expect("a note");
        assert!(lost.starts_with("**Left out, "), "{lost}");
        assert!(lost.contains(&format!(": {} fail, {} unknown, 1 waived.**", 20_016 - listed("fail"), 1)), "{lost}");
        // A brief page states that it is brief at its end.
        let brief = within(BYTES, &report, Detail::Brief);
        assert!(brief.contains("\nand 19992 fail more (`-v` lists all)\n"), "{brief}");
    }

    #[test]
    fn every_limit_is_kept() {
        let report = example::report();
        let whole = within(BYTES, &report, Detail::Full);
        for bytes in (6_000..whole.len() + NOTE).step_by(97) {
            let text = within(bytes, &report, Detail::Full);
            assert!(text.len() <= bytes, "{bytes}: {}", text.len());
            assert!(text.len() == whole.len() || text.contains("**Left out, "), "{bytes}: {text}");
        }
    }
}
