//! Table of a sweep: new, fixed, open (with the start of each) and stale findings.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::{as_told, each_scope, failed};
use crate::history::lifecycle::{Because, Standing};
use crate::history::{Absent, History, Order, Row, RuleCount, Sweep, Which};
use crate::model::{Scope, Verdict};
use crate::report::next::{self, Situation};
use crate::report::overview::Overview;
use crate::report::phrasing::{self, Accounts};
use crate::report::table::summary;
use crate::report::{Commands, Detail, Options, Parts, RuleInfo, basis, denied};
use crate::terminal::harmless;

/// Number of findings of a rule, and of scopes that were not read, in the brief table.
const LISTED: u64 = 5;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

pub(super) fn write(
    history: &History,
    sweep: &Sweep,
    rules: &[RuleInfo],
    options: &Options,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = Page { history, sweep, rules, options, shortened: options.parts != Parts::All, out };
    if options.parts == Parts::All {
        page.findings()?;
    }
    if options.parts != Parts::Summary {
        page.unread()?;
    }
    page.provenance()?;
    let overview = page.overview()?;
    page.shortened |= summary::tables(&overview, rules, options, page.out)?;
    page.summary()?;
    page.next(&overview)
}

/// Returns the counts of a sweep as phrases, each with its style.
pub(super) fn count_phrases(sweep: &Sweep) -> Vec<(Style, String)> {
    let totals = &sweep.totals;
    let (fail, unknown) = (AnsiColor::Red.on_default().bold(), AnsiColor::Magenta.on_default().bold());
    let mut counts = vec![(if totals.new > 0 { fail } else { Style::new() }, format!("{} new", totals.new))];
    for (count, style, word) in [
        (totals.open, fail, "still open"),
        (totals.fixed, AnsiColor::Green.on_default(), "fixed"),
        (totals.stale, unknown, "stale"),
        (totals.unknown, unknown, "unknown"),
        (totals.waived, Style::new(), "waived"),
    ] {
        if count > 0 {
            counts.push((style, format!("{count} {word}")));
        }
    }
    counts.push((AnsiColor::Green.on_default(), format!("{} pass", totals.pass)));
    counts
}

struct Page<'a> {
    history: &'a History,
    sweep: &'a Sweep,
    rules: &'a [RuleInfo],
    options: &'a Options,
    /// `true` if some findings are counted and not listed.
    shortened: bool,
    out: &'a mut dyn Write,
}

impl Page<'_> {
    /// Writes the findings, by lifecycle state.
    fn findings(&mut self) -> io::Result<()> {
        self.listed("NEW", Standing::New)?;
        self.listed("FIXED", Standing::Fixed)?;
        self.listed("STALE", Standing::Stale)?;
        if self.options.detail > Detail::Brief {
            self.listed("STILL OPEN", Standing::Open)?;
            self.listed("UNKNOWN", Standing::Unknown)
        } else {
            self.counted()
        }
    }

    /// Returns the counts by rule and account, read row by row.
    fn overview(&self) -> io::Result<Overview> {
        let mut overview = Overview::default();
        each_scope(self.history, self.sweep, failed, |scope| {
            overview.add_scope(&scope);
            Ok(())
        })?;
        self.history.each(self.sweep.id, Which::Told, Order::Report, failed, |row| {
            overview.add(&as_told(row));
            Ok(())
        })?;
        Ok(overview)
    }

    /// Writes the next commands.
    fn next(&mut self, overview: &Overview) -> io::Result<()> {
        let open = overview.open_rules();
        let has_fix = |rule: &str| self.rules.iter().any(|info| info.id == rule && info.remediation.is_some());
        let fixable = open.iter().find(|(rule, of)| of.tally.of(Verdict::Fail) > 0 && has_fix(rule));
        let situation = Situation {
            rule: open.first().map(|(rule, _)| *rule),
            fix: fixable.and_then(|(rule, _)| self.options.commands.fix_accounts(rule)),
            policy: None,
            shortened: self.shortened,
            page: " --format html > report.html",
        };
        // The history contains more of a sweep.
        let commands = Commands {
            again: Some(format!("ssm-audit history show {}{}", self.sweep.id, self.options.commands.history)),
            ..self.options.commands.clone()
        };
        summary::next(&next::commands(&commands, situation), self.options, self.out)
    }

    /// Writes the findings in that state, by rule.
    fn listed(&mut self, heading: &str, standing: Standing) -> io::Result<()> {
        let counts = self.history.by_rule(self.sweep.id, standing).map_err(failed)?;
        if counts.is_empty() {
            return Ok(());
        }
        let all = self.options.detail > Detail::Brief;
        self.heading(heading)?;
        let by_rule: BTreeMap<String, u64> = counts.into_iter().map(|one| (one.rule, one.count)).collect();
        let (mut rule, mut listed) = (String::new(), 0);
        let history = self.history;
        history.each(self.sweep.id, Which::Standing(standing), Order::Rules, failed, |row| {
            if row.finding.rule != rule {
                self.more(by_rule.get(&rule).copied().unwrap_or_default(), listed)?;
                rule.clone_from(&row.finding.rule);
                listed = 0;
                self.rule(&row, by_rule.get(&rule).copied().unwrap_or_default())?;
            }
            if all || listed < LISTED {
                listed += 1;
                self.row(&row)?;
            }
            Ok(())
        })?;
        self.more(by_rule.get(&rule).copied().unwrap_or_default(), listed)?;
        writeln!(self.out)
    }

    fn heading(&mut self, heading: &str) -> io::Result<()> {
        writeln!(self.out, "{}", self.options.paint.paint(BOLD, heading))
    }

    fn rule(&mut self, row: &Row, count: u64) -> io::Result<()> {
        let severity = row.finding.severity.as_str().to_uppercase();
        let title = self.rules.iter().find(|info| info.id == row.finding.rule).map(|info| info.title.as_str());
        let rule = harmless(&row.finding.rule);
        let rule = self.options.paint.paint(BOLD, &rule);
        writeln!(self.out, "  {severity:<9}{rule}  {count}")?;
        if let Some(title) = title {
            writeln!(self.out, "           {}", self.options.paint.paint(DIM, &harmless(title)))?;
        }
        Ok(())
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        let resource = phrasing::resource(&row.finding.resource);
        let place = phrasing::place(&row.finding, Accounts::Several);
        let more = match (row.standing, row.because) {
            (Standing::New, Some(Because::Rules)) => ", the rule has changed".to_owned(),
            (Standing::New, Some(Because::Waiver)) => ", no longer waived".to_owned(),
            (Standing::Fixed, Some(Because::Rules)) => ", by a changed rule".to_owned(),
            (Standing::Stale, Some(because)) => format!(", {}, seen {}", stale(because), day(row.seen.as_deref())),
            (Standing::Open, _) => format!(", since {}", day(row.since.as_deref())),
            _ => String::new(),
        };
        writeln!(self.out, "    {}  {}{more}", harmless(&resource), harmless(&place))
    }

    fn more(&mut self, count: u64, listed: u64) -> io::Result<()> {
        if count <= listed {
            return Ok(());
        }
        self.shortened = true;
        writeln!(self.out, "    and {} more (-v lists all)", count - listed)
    }

    /// Writes the open findings, one line for each rule.
    fn counted(&mut self) -> io::Result<()> {
        let counts = self.history.by_rule(self.sweep.id, Standing::Open).map_err(failed)?;
        if counts.is_empty() {
            return Ok(());
        }
        self.heading("STILL OPEN")?;
        for RuleCount { rule, count, since } in counts {
            writeln!(self.out, "  {}  {count}, since {}", harmless(&rule), day(since.as_deref()))?;
        }
        writeln!(self.out)
    }

    /// Writes the scopes that were not read in full. Consecutive scopes with the same reason are grouped.
    fn unread(&mut self) -> io::Result<()> {
        let forgotten = self.history.forgotten(self.sweep).map_err(failed)?;
        if self.sweep.totals.incomplete + forgotten == 0 && self.sweep.finished_at.is_some() {
            return Ok(());
        }
        self.heading("NOT READ IN FULL")?;
        let (mut group, mut listed, mut left): (Vec<Scope>, u64, u64) = (Vec::new(), 0, 0);
        let most = if self.options.detail > Detail::Brief { u64::MAX } else { 4 * LISTED };
        let history = self.history;
        each_scope(history, self.sweep, failed, |scope| {
            if scope.complete && scope.read {
                return Ok(());
            }
            if group.first().is_some_and(|first| first.account != scope.account || !phrasing::same_gaps(first, &scope))
            {
                self.group(&mut group, most, &mut listed, &mut left)?;
            }
            group.push(scope);
            Ok(())
        })?;
        self.group(&mut group, most, &mut listed, &mut left)?;
        if left > 0 {
            self.shortened = true;
            writeln!(self.out, "  and {left} more (-v lists all)")?;
        }
        writeln!(self.out)
    }

    fn group(&mut self, group: &mut Vec<Scope>, most: u64, listed: &mut u64, left: &mut u64) -> io::Result<()> {
        let group = std::mem::take(group);
        let Some(first) = group.first() else { return Ok(()) };
        if *listed >= most {
            *left += 1;
            return Ok(());
        }
        *listed += 1;
        let what = if first.read { "read in part" } else { "not read" };
        let scopes = phrasing::scopes(&group.iter().collect::<Vec<_>>());
        writeln!(self.out, "  {}: {what}", harmless(&scopes))?;
        for gap in &first.gaps {
            writeln!(self.out, "    {}", harmless(&gap.to_string()))?;
            if let Some(call) = gap.call.as_deref().filter(|_| denied::is_denied(gap)) {
                writeln!(
                    self.out,
                    "      {}",
                    harmless(&denied::remedy(call, &self.sweep.policy, &self.options.commands))
                )?;
            }
        }
        Ok(())
    }

    fn summary(&mut self) -> io::Result<()> {
        let totals = &self.sweep.totals;
        let mut counts = count_phrases(self.sweep);
        if let Some((_, first)) = counts.first_mut() {
            first.insert_str(0, &format!("sweep {}: ", self.sweep.id));
        }
        summary::phrases(&counts, self.options, self.out)?;
        let read = match totals.incomplete {
            _ if self.sweep.finished_at.is_none() => "and then it was cut off".to_owned(),
            0 => "all read in full".to_owned(),
            many => format!("{many} not read in full"),
        };
        let accounts = if totals.accounts == 1 { "account" } else { "accounts" };
        writeln!(self.out, "{} {accounts}, {} scopes: {read}", totals.accounts, totals.scopes)?;
        let absent = self.history.absent(self.sweep.id).map_err(failed)?;
        if !absent.is_empty() && self.sweep.finished_at.is_some() {
            let named = |one: &Absent| format!("{} ({} open when seen last)", harmless(&one.account), one.open);
            let named: Vec<String> = absent.iter().map(named).collect();
            writeln!(self.out, "not looked at any more: {}", named.join(", "))?;
        }
        Ok(())
    }

    /// Writes the inputs other than facts that determined the result, if there are any.
    fn provenance(&mut self) -> io::Result<()> {
        let provenance = self.history.provenance(self.sweep.id).map_err(failed)?;
        let lines = basis::unusual(&provenance);
        for (index, line) in lines.iter().enumerate() {
            let indent = if index == 0 { "" } else { "  " };
            writeln!(self.out, "{indent}{}", self.options.paint.paint(DIM, &harmless(line)))?;
        }
        if lines.is_empty() { Ok(()) } else { writeln!(self.out) }
    }
}

/// Returns the reason why the finding is stale.
fn stale(because: Because) -> &'static str {
    match because {
        Because::NotRead => "not read",
        Because::NotLookedAt => "its region was not looked at",
        Because::NotHeld => "its rule was not held",
        _ => "not known",
    }
}

/// Returns the day of a time.
pub(super) fn day(time: Option<&str>) -> &str {
    time.and_then(|time| time.get(..10)).unwrap_or("an unknown day")
}
