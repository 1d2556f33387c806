//! Difference of two reports: new, fixed, open and stale findings.
//!
//!
//! A finding is fixed only if its rule was evaluated again, its account and region were read again, and no check of
//! that rule is unknown there. Every other finding that failed before and does not fail now is stale.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::phrasing::{self, Accounts};
use super::table::summary::phrases;
use super::{Detail, Options};
use crate::engine::scan::ANY;
use crate::model::{Finding, Region, Report, Source, Verdict};
use crate::terminal::harmless;

/// Lifecycle state of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It fails, and did not fail before.
    New,
    /// It failed, and passes or no longer exists.
    Fixed,
    /// It failed, and is unknown now.
    Stale,
    /// It is unknown, and was not before.
    Unknown,
    /// It failed, and a waiver accepts it now.
    Waived,
    /// It failed, and still fails.
    Open,
}

impl Standing {
    const ALL: [Self; 6] = [Self::New, Self::Fixed, Self::Stale, Self::Unknown, Self::Waived, Self::Open];

    fn heading(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Fixed => "FIXED",
            Self::Stale => "STALE (failed before, unknown now)",
            Self::Unknown => "UNKNOWN (not unknown before)",
            Self::Waived => "WAIVED",
            Self::Open => "STILL OPEN",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Fixed => "fixed",
            Self::Stale => "stale",
            Self::Unknown => "unknown now",
            Self::Waived => "waived",
            Self::Open => "still open",
        }
    }

    fn style(self) -> Style {
        match self {
            Self::New | Self::Open => AnsiColor::Red.on_default(),
            Self::Fixed => AnsiColor::Green.on_default(),
            Self::Stale | Self::Unknown => AnsiColor::Magenta.on_default(),
            Self::Waived => Style::new(),
        }
    }
}

/// A finding, and its lifecycle state.
#[derive(Debug, Clone, Serialize)]
pub struct Change<'a> {
    /// Lifecycle state of the finding.
    pub standing: Standing,
    /// Reason for the state, in words; none if the state needs no reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The finding: that of the newer report, if it is in that report.
    #[serde(flatten)]
    pub finding: &'a Finding,
}

/// The difference of two reports.
#[derive(Debug)]
pub struct Difference<'a> {
    /// The older report.
    pub old: &'a Report,
    /// The newer report.
    pub new: &'a Report,
    /// Every finding that fails in one of the reports: by lifecycle state, the most severe first.
    pub changes: Vec<Change<'a>>,
}

impl<'a> Difference<'a> {
    /// Compares two reports. `current` returns the current id of a rule that was renamed.
    pub fn of(old: &'a Report, new: &'a Report, current: impl Fn(&str) -> String) -> Self {
        let later = Later::of(new, old, &current);
        let before: BTreeMap<&str, &Finding> = by_fingerprint(old);
        let mut changes: Vec<Change<'a>> = Vec::new();
        for finding in new.findings.iter().filter(|finding| finding.verdict == Verdict::Fail) {
            let earlier = before.get(finding.fingerprint.as_str()).copied();
            let (standing, because) = match earlier.map(|earlier| earlier.verdict) {
                Some(Verdict::Fail) => (Standing::Open, None),
                Some(Verdict::Waived) => (Standing::New, Some("no longer waived".to_owned())),
                Some(Verdict::Unknown) => (Standing::New, Some("unknown before".to_owned())),
                Some(Verdict::Pass) | None => (Standing::New, None),
            };
            changes.push(Change { standing, because, finding });
        }
        // A finding that failed before is stale.
        let before_of = |finding: &Finding| before.get(finding.fingerprint.as_str()).map(|earlier| earlier.verdict);
        let unknown = new.findings.iter().filter(|finding| finding.verdict == Verdict::Unknown);
        for finding in
            unknown.filter(|finding| matches!(before_of(finding), Some(Verdict::Pass | Verdict::Waived) | None))
        {
            let because = Some(phrasing::reasons(finding).join("; "));
            changes.push(Change { standing: Standing::Unknown, because, finding });
        }
        for earlier in old.findings.iter().filter(|finding| finding.verdict == Verdict::Fail) {
            changes.extend(later.change(earlier, &current));
        }
        changes.sort_by(|one, other| {
            let key = |change: &Change<'a>| (change.standing, std::cmp::Reverse(change.finding.severity));
            key(one).cmp(&key(other)).then_with(|| one.finding.rule.cmp(&other.finding.rule))
        });
        Self { old, new, changes }
    }

    /// Returns the number of findings in that state.
    pub fn count(&self, standing: Standing) -> usize {
        self.changes.iter().filter(|change| change.standing == standing).count()
    }

    /// Returns the counts as phrases, each with its style.
    fn counts(&self) -> Vec<(Style, String)> {
        let all = Standing::ALL.into_iter().map(|standing| (standing, self.count(standing)));
        let said = all.filter(|(standing, count)| *count > 0 || matches!(standing, Standing::New | Standing::Fixed));
        let style = |standing: Standing, count| if count == 0 { Style::new() } else { standing.style() };
        said.map(|(standing, count)| (style(standing, count), format!("{count} {}", standing.word()))).collect()
    }

    /// Writes the difference for people.
    ///
    /// # Errors
    /// If the difference cannot be written.
    pub fn write_table(&self, options: &Options, out: &mut dyn Write) -> io::Result<()> {
        for group in self.changes.chunk_by(|one, other| one.standing == other.standing) {
            self.section(group, options, out)?;
        }
        let time = |report: &Report| phrasing::time(&report.started_at);
        phrases(&self.counts(), options, out)?;
        writeln!(out, "from {} to {}", harmless(&time(self.old)), harmless(&time(self.new)))?;
        let incomplete = phrasing::incomplete(self.new).len();
        if incomplete > 0 {
            writeln!(out, "the newer report: {incomplete} of {} scopes not read in full", self.new.scopes.len())?;
        }
        Ok(())
    }

    fn section(&self, changes: &[Change<'_>], options: &Options, out: &mut dyn Write) -> io::Result<()> {
        let bold = Style::new().bold();
        let Some(first) = changes.first() else { return Ok(()) };
        writeln!(out, "{}", options.paint.paint(bold, first.standing.heading()))?;
        let most = match (options.detail, first.standing) {
            (Detail::Brief, Standing::Open) => 0,
            (Detail::Brief, _) => LISTED,
            _ => usize::MAX,
        };
        for rule in changes.chunk_by(|one, other| one.finding.rule == other.finding.rule) {
            self.rule(rule, most, options, out)?;
        }
        writeln!(out)
    }

    fn rule(&self, changes: &[Change<'_>], most: usize, options: &Options, out: &mut dyn Write) -> io::Result<()> {
        let Some(first) = changes.first() else { return Ok(()) };
        let severity = first.finding.severity.as_str().to_uppercase();
        let rule = options.paint.paint(Style::new().bold(), &harmless(&first.finding.rule));
        writeln!(out, "  {severity:<9}{rule}  {}", changes.len())?;
        let several = Accounts::of(self.new).max(Accounts::of(self.old));
        for Change { because, finding, .. } in changes.iter().take(most) {
            let because = because.as_ref().map(|because| format!("  {because}")).unwrap_or_default();
            let resource = phrasing::resource(&finding.resource);
            let line = format!("{resource}  {}{because}", phrasing::place(finding, several));
            writeln!(out, "    {}", harmless(line.trim_end()))?;
        }
        match changes.len().saturating_sub(most) {
            more if more > 0 && most > 0 => {
                let text = format!("{} and {more} more (-v lists all)", options.charset.ellipsis());
                writeln!(out, "    {}", options.paint.paint(Style::new().dimmed(), &text))
            }
            _ => Ok(()),
        }
    }
}

/// Number of findings of a rule that are listed without `-v`.
const LISTED: usize = 10;

fn by_fingerprint(report: &Report) -> BTreeMap<&str, &Finding> {
    report.findings.iter().map(|finding| (finding.fingerprint.as_str(), finding)).collect()
}

/// The newer report, indexed to look up an older finding.
struct Later<'a> {
    report: &'a Report,
    old: &'a Report,
    findings: BTreeMap<&'a str, &'a Finding>,
    /// Rules that were evaluated, by their current ids; none if they are the rules of the older report.
    rules: Option<BTreeSet<String>>,
    /// Rules with unknown checks, with the unknown findings.
    unknown: BTreeMap<String, Vec<&'a Finding>>,
    /// Reason why the report does not contain every failure.
    narrowed: Option<&'static str>,
}

impl<'a> Later<'a> {
    fn of(report: &'a Report, old: &'a Report, current: &dyn Fn(&str) -> String) -> Self {
        let same = report.tool.rules_digest == old.tool.rules_digest;
        let rules = || report.findings.iter().map(|finding| current(&finding.rule)).collect();
        let mut unknown: BTreeMap<String, Vec<&'a Finding>> = BTreeMap::new();
        for finding in report.findings.iter().filter(|finding| is_unknown(finding)) {
            unknown.entry(current(&finding.rule)).or_default().push(finding);
        }
        Self {
            report,
            old,
            findings: by_fingerprint(report),
            rules: (!same).then(rules),
            unknown,
            narrowed: narrowed(report),
        }
    }

    /// Returns the change of a finding that failed; none if it still fails.
    fn change(&self, earlier: &'a Finding, current: &dyn Fn(&str) -> String) -> Option<Change<'a>> {
        let found = self.findings.get(earlier.fingerprint.as_str()).copied();
        let change =
            |standing, because: Option<String>| Change { standing, because, finding: found.unwrap_or(earlier) };
        match found.map(|finding| finding.verdict) {
            Some(Verdict::Fail) => None,
            Some(Verdict::Waived) => Some(change(Standing::Waived, found.map(waived))),
            Some(Verdict::Unknown) => {
                Some(change(Standing::Stale, found.map(|finding| phrasing::reasons(finding).join("; "))))
            }
            Some(Verdict::Pass) => Some(match self.unread(earlier) {
                None => change(Standing::Fixed, None),
                Some(because) => change(Standing::Stale, Some(because)),
            }),
            None => Some(match self.unseen(earlier, &current(&earlier.rule)) {
                None => change(Standing::Fixed, Some("no longer found".to_owned())),
                Some(because) => change(Standing::Stale, Some(because)),
            }),
        }
    }

    /// Returns the reason why a finding that is not in the report may still fail; none if it cannot.
    fn unseen(&self, earlier: &Finding, rule: &str) -> Option<String> {
        if let Some(because) = self.narrowed {
            return Some(because.to_owned());
        }
        if self.rules.as_ref().is_some_and(|rules| !rules.contains(rule)) {
            return Some("the rule was not evaluated".to_owned());
        }
        let same_place = |finding: &&&Finding| {
            let (one, other) = (&finding.resource, &earlier.resource);
            one.account == other.account
                && (one.region == other.region || one.region.is_none() || other.region.is_none())
        };
        let unknown = self.unknown.get(rule).into_iter().flatten().find(same_place);
        self.unread(earlier).or_else(|| {
            let finding = unknown?;
            let what =
                if finding.resource.id == ANY { "not all could be listed" } else { "the rule is unknown for others" };
            Some(format!("{what}: {}", phrasing::reasons(finding).join("; ")))
        })
    }

    /// Returns the reason why the account and region of a finding were not read; none if they were.
    fn unread(&self, earlier: &Finding) -> Option<String> {
        let (account, region) = (&earlier.resource.account, &earlier.resource.region);
        if earlier.resource.address.as_ref() == Some(&earlier.resource.id) {
            let is_of_folder = |finding: &Finding| finding.folder == earlier.folder;
            if earlier.folder.is_some() && !self.report.findings.iter().any(is_of_folder) {
                return Some("the folder of the code was not read".to_owned());
            }
            let mut code = self.report.scopes.iter().filter(|scope| scope.source == Source::Terraform).peekable();
            let scanned = code.peek().is_some();
            return (!scanned || code.any(|scope| !scope.read)).then(|| "the code was not read".to_owned());
        }
        let regions = |report: &'a Report, read_only: bool| -> BTreeSet<Option<&'a Region>> {
            let live = report.scopes.iter().filter(|scope| scope.source == Source::Aws && scope.account == *account);
            live.filter(|scope| scope.read || !read_only).map(|scope| scope.region.as_ref()).collect()
        };
        let (read, tried) = (regions(self.report, true), regions(self.report, false));
        if read.is_empty() {
            return Some("the account was not read".to_owned());
        }
        if let Some(region) = region.as_ref().filter(|_| earlier.resource.resource_type.is_regional()) {
            return (!read.contains(&Some(region))).then(|| "the region was not read".to_owned());
        }
        // A finding without a region was evaluated over all regions.
        let all = regions(self.old, true).union(&tried).all(|region| read.contains(region));
        (!all).then(|| "not all regions were read".to_owned())
    }
}

/// Returns `true` if a finding is unknown, even if a waiver accepts that.
fn is_unknown(finding: &Finding) -> bool {
    let accepted = finding.waiver.as_ref().is_some_and(|waiver| waiver.verdict == Verdict::Unknown);
    finding.verdict == Verdict::Unknown || accepted
}

fn waived(finding: &Finding) -> String {
    finding.waiver.as_ref().map_or_else(String::new, |waiver| waiver.reason.clone())
}

/// Returns the reason why a report does not contain every failure.
fn narrowed(report: &Report) -> Option<&'static str> {
    let filters = ["--changed-since", "--resource"];
    let is_filtered = |setting: &crate::model::provenance::Setting| {
        filters.contains(&setting.key.as_str()) || setting.origin == "ssm-audit show"
    };
    if report.summary.in_baseline > 0 {
        Some("the newer report leaves out what its baseline has")
    } else if report.provenance.settings.iter().any(is_filtered) {
        Some("the newer report is filtered")
    } else {
        None
    }
}
