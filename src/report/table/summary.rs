//! Summary: the last screen of a report. Rules with open findings, accounts, counts, and next commands.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::{BOLD, DIM, severity_style, verdict_style};
use crate::model::{AccountId, Severity, Verdict};
use crate::report::counts::SEVERITIES;
use crate::report::next::Next;
use crate::report::overview::{OfAccount, OfRule, Open, Overview};
use crate::report::{Detail, Options, RuleInfo};
use crate::terminal::{Columns, Paint, harmless, width};

/// Number of accounts that the brief summary lists.
const ACCOUNTS: usize = 10;

/// Number of rules that the brief summary lists.
const RULES: usize = 15;

/// Maximum number of accounts with a column of their own.
const ACCOUNT_COLUMNS: usize = 6;

/// Writes the rules with open findings, and the accounts if there are several. Returns `true` if some were left out.
pub(in crate::report) fn tables(
    overview: &Overview,
    rules: &[RuleInfo],
    options: &Options,
    out: &mut dyn Write,
) -> io::Result<bool> {
    let summary = Summary { overview, rules, options };
    let open = overview.open_rules();
    if open.is_empty() {
        return Ok(false);
    }
    let listed = &open[..open.len().min(summary.most(RULES))];
    summary.rules(listed, out)?;
    summary.more(open.len() - listed.len(), "rule", out)?;
    writeln!(out)?;
    let worst = overview.worst_accounts();
    if overview.accounts() < 2 || worst.is_empty() {
        return Ok(listed.len() < open.len());
    }
    let shown = &worst[..worst.len().min(summary.most(ACCOUNTS))];
    summary.accounts(shown, out)?;
    summary.more(worst.len() - shown.len(), "account", out)?;
    writeln!(out)?;
    Ok(listed.len() < open.len() || shown.len() < worst.len())
}

struct Summary<'a> {
    overview: &'a Overview,
    rules: &'a [RuleInfo],
    options: &'a Options,
}

/// Columns of the table of rules beside severity, id and counts.
#[derive(Debug, Clone, Copy)]
enum Beside<'a> {
    /// The number of accounts, and the counts of these accounts.
    Accounts(&'a [&'a AccountId]),
    /// The title.
    Title,
    /// No columns.
    Nothing,
}

impl Summary<'_> {
    fn most(&self, brief: usize) -> usize {
        if self.options.detail == Detail::Brief { brief } else { usize::MAX }
    }

    fn more(&self, more: usize, noun: &str, out: &mut dyn Write) -> io::Result<()> {
        if more == 0 {
            return Ok(());
        }
        let plural = if more == 1 { "" } else { "s" };
        let text = format!("and {more} more {noun}{plural} (-v lists all)");
        writeln!(out, "{}", self.options.paint.paint(DIM, &text))
    }

    /// Writes the rules in as many columns as fit.
    fn rules(&self, rules: &[(&str, &OfRule)], out: &mut dyn Write) -> io::Result<()> {
        let accounts: Vec<&AccountId> = self.overview.worst_accounts().into_iter().map(|(id, _)| id).collect();
        let several = self.overview.accounts() > 1;
        let mut layouts = Vec::new();
        if several {
            let most = accounts.len().min(ACCOUNT_COLUMNS);
            // Two columns of many accounts are of little use.
            layouts.extend((accounts.len().clamp(2, 3)..=most).rev().map(|count| Beside::Accounts(&accounts[..count])));
            layouts.push(Beside::Accounts(&[]));
        } else {
            layouts.push(Beside::Title);
        }
        let fits = |layout: &Beside<'_>| self.columns(rules, *layout).width() <= self.options.width;
        let layout = layouts.into_iter().find(fits).unwrap_or(Beside::Nothing);
        self.columns(rules, layout).write(out)?;
        match layout {
            Beside::Accounts(shown) if !shown.is_empty() => {
                let which = match accounts.len() - shown.len() {
                    0 => String::new(),
                    more => format!("; and {more} more accounts"),
                };
                let text = format!("columns of accounts: failed checks, ? unknown checks{which}");
                writeln!(out, "{}", self.options.paint.paint(DIM, &text))
            }
            _ => Ok(()),
        }
    }

    fn columns(&self, rules: &[(&str, &OfRule)], beside: Beside<'_>) -> Columns {
        let mut headers = vec!["severity", "rule", "fail", "unknown"];
        let last_number = match beside {
            Beside::Accounts(accounts) => {
                headers.push("accounts");
                headers.extend(accounts.iter().map(|account| account.as_str()));
                headers.len()
            }
            Beside::Title => {
                headers.push("title");
                headers.len() - 1
            }
            Beside::Nothing => headers.len(),
        };
        let mut columns = self.table(&headers).right(2..last_number);
        for (id, rule) in rules {
            let (fail, unknown) = (rule.tally.of(Verdict::Fail), rule.tally.of(Verdict::Unknown));
            let mut cells = vec![
                (severity_style(rule.severity), rule.severity.as_str().to_uppercase()),
                (Style::new(), (*id).to_owned()),
                number(fail, verdict_style(Verdict::Fail)),
                number(unknown, verdict_style(Verdict::Unknown)),
            ];
            match beside {
                Beside::Accounts(accounts) => {
                    let of = format!("{} of {}", rule.accounts.len(), self.overview.accounts());
                    cells.push((Style::new(), of));
                    cells.extend(accounts.iter().map(|account| open(rule.accounts.get(*account))));
                }
                Beside::Title => {
                    let info = self.rules.iter().find(|info| info.id == **id);
                    cells.push((DIM, info.map_or_else(String::new, |info| info.title.clone())));
                }
                Beside::Nothing => {}
            }
            columns.row(cells);
        }
        columns
    }

    fn accounts(&self, accounts: &[(&AccountId, &OfAccount)], out: &mut dyn Write) -> io::Result<()> {
        let has = |severity: &Severity| accounts.iter().any(|(_, one)| one.tally.count(Verdict::Fail, *severity) > 0);
        let severities: Vec<Severity> = SEVERITIES.into_iter().filter(has).collect();
        let unread = accounts.iter().any(|(_, one)| one.incomplete > 0);
        let mut headers = vec!["account"];
        headers.extend(severities.iter().map(|severity| severity.as_str()));
        headers.push("unknown");
        headers.extend(unread.then_some("not read"));
        let mut columns = self.table(&headers).right(1..headers.len());
        for (account, one) in accounts {
            let count =
                |severity: &Severity| number(one.tally.count(Verdict::Fail, *severity), severity_style(*severity));
            let mut cells = vec![(Style::new(), account.to_string())];
            cells.extend(severities.iter().map(count));
            cells.push(number(one.tally.of(Verdict::Unknown), verdict_style(Verdict::Unknown)));
            cells.extend(unread.then(|| number(one.incomplete, AnsiColor::Magenta.on_default())));
            columns.row(cells);
        }
        columns.write(out)
    }

    fn table(&self, headers: &[&str]) -> Columns {
        Columns::new(headers, self.options.paint, None).ruled(self.options.charset)
    }
}

/// Returns a count in its colour; a dash stands for zero.
fn number(count: u64, style: Style) -> (Style, String) {
    if count == 0 { (DIM, "-".to_owned()) } else { (style, count.to_string()) }
}

/// Returns both counts of a rule in one account: `2 1?`
fn open(open: Option<&Open>) -> (Style, String) {
    match open {
        None => (DIM, "-".to_owned()),
        Some(Open { fail, unknown: 0 }) => (verdict_style(Verdict::Fail), fail.to_string()),
        Some(Open { fail: 0, unknown }) => (verdict_style(Verdict::Unknown), format!("{unknown}?")),
        Some(Open { fail, unknown }) => (verdict_style(Verdict::Fail), format!("{fail} {unknown}?")),
    }
}

/// Writes the next commands, each whole on one line. The purpose is beside the command if all fit, and else above it.
pub(in crate::report) fn next(commands: &[Next], options: &Options, out: &mut dyn Write) -> io::Result<()> {
    if commands.is_empty() {
        return Ok(());
    }
    let paint = options.paint;
    writeln!(out, "\n{}", paint.paint(BOLD, "NEXT"))?;
    let longest = commands.iter().map(|next| width(&harmless(&next.command))).max().unwrap_or(0);
    let beside = commands.iter().all(|next| 2 + longest + 2 + width(next.purpose) <= options.width);
    for Next { command, purpose } in commands {
        let command = harmless(command);
        if beside {
            let pad = longest - width(&command);
            writeln!(out, "  {command}{:pad$}  {}", "", paint.paint(DIM, purpose))?;
        } else {
            writeln!(out, "  {}\n    {command}", paint.paint(DIM, purpose))?;
        }
    }
    Ok(())
}

/// Writes phrases with commas between them, each in its style, in lines that are wrapped between words.
pub(in crate::report) fn phrases(
    phrases: &[(Style, String)],
    options: &Options,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut line = String::new();
    let mut used = 0;
    for (index, (style, phrase)) in phrases.iter().enumerate() {
        let comma = if index + 1 < phrases.len() { "," } else { "" };
        let phrase = format!("{}{comma}", harmless(phrase));
        for word in broken(&phrase, options.width) {
            let columns = width(&word);
            if used > 0 && used + 1 + columns > options.width {
                writeln!(out, "{line}")?;
                line.clear();
                used = 0;
            }
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(&painted(options.paint, *style, &word));
            used += columns;
        }
    }
    writeln!(out, "{line}")
}

/// Returns a phrase in one piece if it fits, and else its words.
fn broken(phrase: &str, columns: usize) -> Vec<String> {
    if width(phrase) <= columns { vec![phrase.to_owned()] } else { phrase.split(' ').map(str::to_owned).collect() }
}

/// Returns the text in a style, with a comma at its end unstyled.
fn painted(paint: Paint, style: Style, text: &str) -> String {
    match text.strip_suffix(',') {
        Some(text) => format!("{},", paint.paint(style, text)),
        None => paint.paint(style, text),
    }
}
