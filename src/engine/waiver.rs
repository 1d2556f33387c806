//! Waivers: failures and unknowns that somebody has accepted, for a reason and until a day.
//!
//!
//! A waiver changes how a finding is counted, never its content. Nothing here reads the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;
use serde_json::{Value as Json, json};
use wildmatch::WildMatch;

use super::scan::{self, ANY};
use crate::diagnostic::Diagnostic;
use crate::model::finding::AppliedWaiver;
use crate::model::{AccountId, Finding, Report, ResourceRef, Scope, Verdict};

/// An anchored pattern: `*` matches any text, `?` any character, all else matches itself.
#[derive(Clone)]
pub struct Glob(WildMatch);

impl Glob {
    /// Returns the pattern.
    pub fn new(pattern: &str) -> Self {
        Self(WildMatch::new(pattern))
    }

    /// Returns `true` if the pattern matches the whole text.
    pub fn matches(&self, text: &str) -> bool {
        self.0.matches(text)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Glob({self})")
    }
}

/// Resources that a waiver covers.
#[derive(Debug, Clone)]
pub enum Resources {
    /// Resources whose id, ARN or address matches the pattern.
    Like(Glob),
    /// Resources of these addresses. Waivers of one block share them.
    Named(Vec<Arc<BTreeSet<String>>>),
}

impl Resources {
    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Like(glob) => glob.matches(name),
            Self::Named(addresses) => addresses.iter().any(|addresses| addresses.contains(name)),
        }
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Like(glob) => glob.fmt(formatter),
            Self::Named(addresses) => {
                let mut all = addresses.iter().flat_map(|addresses| addresses.iter());
                let first = all.next().map_or("", String::as_str);
                match all.count() {
                    0 => formatter.write_str(first),
                    more => write!(formatter, "{first} and {more} more"),
                }
            }
        }
    }
}

/// Findings that are accepted.
#[derive(Debug, Clone)]
pub struct Waiver {
    /// Rules that the waiver covers, by id.
    pub rule: Glob,
    /// Resources that the waiver covers.
    pub resource: Resources,
    /// Accounts that the waiver covers.
    pub account: Glob,
    /// Reason of the waiver.
    pub reason: String,
    /// Owner of the waiver.
    pub owner: Option<String>,
    /// Last day on which the waiver applies, in UTC.
    pub expires: Option<Date>,
    /// Rules that the waiver is limited to, whatever it names; all of them, if empty.
    pub within: Vec<Glob>,
    /// `true` if the waiver is a comment in code.
    pub inline: bool,
    /// Warning at the position of the waiver, without its text.
    pub place: Diagnostic,
}

impl Waiver {
    /// Returns the terms of the waiver, wherever it is written, as a history stores them.
    pub fn terms(&self) -> Json {
        json!({
            "rule": self.rule.to_string(),
            "resource": self.resource.to_string(),
            "account": self.account.to_string(),
            "reason": self.reason,
            "owner": self.owner,
            "expires": self.expires.map(|day| day.to_string()),
        })
    }
}

/// Names of a rule that was evaluated: its id and former ids.
#[derive(Debug, Clone, Copy)]
pub struct RuleNames<'a> {
    /// Id of the rule.
    pub id: &'a str,
    /// Former ids of the rule.
    pub aliases: &'a [String],
}

impl RuleNames<'_> {
    fn any(&self, glob: &Glob) -> bool {
        glob.matches(self.id) || self.aliases.iter().any(|alias| glob.matches(alias))
    }
}

impl Waiver {
    /// Returns `true` if the waiver covers the rule of this id.
    fn covers_rule(&self, id: &str, rules: &[RuleNames<'_>]) -> bool {
        let named = |rule: &RuleNames<'_>| rule.id == id && rule.any(&self.rule);
        (self.rule.matches(id) || rules.iter().any(named))
            && (self.within.is_empty() || self.within.iter().any(|glob| glob.matches(id)))
    }

    /// Returns `true` if the waiver covers the resource. Resources that could not be listed are covered only by a
    /// waiver for all resources, not by one whose pattern happens to match.
    fn covers_resource(&self, resource: &ResourceRef) -> bool {
        if resource.id == ANY {
            return self.resource.to_string() == ANY;
        }
        let names = [Some(&resource.id), resource.arn.as_ref(), resource.address.as_ref()];
        names.into_iter().flatten().any(|name| self.resource.matches(name))
    }

    /// Returns `true` if the waiver covers the account. Code may not name its account: then only a waiver for all
    /// accounts covers it.
    fn covers_account(&self, account: Option<&AccountId>) -> bool {
        self.account.matches(account.map_or("", AccountId::as_str))
    }

    fn expired(&self, today: Date) -> bool {
        self.expires.is_some_and(|last| last < today)
    }

    /// Returns `true` if the scan could have produced a finding that the waiver covers.
    fn concerns(&self, scopes: &[Scope], rules: &[RuleNames<'_>]) -> bool {
        rules.iter().any(|rule| rule.any(&self.rule))
            && scopes.iter().any(|scope| self.covers_account(scope.account.as_ref()))
    }

    fn warn(&self, message: String) -> Diagnostic {
        Diagnostic { message, ..self.place.clone() }
    }
}

/// Counts of what waivers have covered so far, and whether they could have covered anything.
#[derive(Debug, Clone)]
pub struct Tally {
    covered: Vec<usize>,
    concerned: Vec<bool>,
}

impl Tally {
    /// Returns a tally of zero.
    pub fn of(waivers: &[Waiver]) -> Self {
        Self { covered: vec![0; waivers.len()], concerned: vec![false; waivers.len()] }
    }

    /// Adds another tally.
    pub fn add(&mut self, other: &Self) {
        self.covered.iter_mut().zip(&other.covered).for_each(|(covered, more)| *covered += more);
        self.concerned.iter_mut().zip(&other.concerned).for_each(|(concerned, more)| *concerned |= more);
    }

    /// Returns a warning for each waiver that has expired, and for each that covers nothing although its rule and
    /// account were scanned.
    pub fn warnings(&self, waivers: &[Waiver], today: Date) -> Vec<Diagnostic> {
        let tallied = waivers.iter().zip(self.covered.iter().zip(&self.concerned));
        tallied.filter_map(|(waiver, (covered, concerned))| warning(waiver, *covered, *concerned, today)).collect()
    }
}

/// Marks waived findings, and updates the counts. Only a fail or an unknown can be waived; the first waiver that covers
/// the finding and has not expired applies. `rules` are those that were evaluated.
///
///
/// Returns a warning for each waiver that has expired, and for each that covers nothing although its rule and account
/// were scanned.
pub fn apply(report: &mut Report, waivers: &[Waiver], rules: &[RuleNames<'_>], today: Date) -> Vec<Diagnostic> {
    let mut tally = Tally::of(waivers);
    cover(&mut report.findings, &report.scopes, waivers, rules, today, &mut tally);
    report.summary = scan::count(&report.findings, report.summary.not_applicable);
    tally.warnings(waivers, today)
}

/// Marks the waived findings of a part of a scan, and adds to the tally.
pub fn cover(
    findings: &mut [Finding],
    scopes: &[Scope],
    waivers: &[Waiver],
    rules: &[RuleNames<'_>],
    today: Date,
    tally: &mut Tally,
) {
    for (waiver, concerned) in waivers.iter().zip(&mut tally.concerned) {
        *concerned |= waiver.concerns(scopes, rules);
    }
    let mut by_rule: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for finding in findings {
        if !matches!(finding.verdict, Verdict::Fail | Verdict::Unknown) {
            continue;
        }
        let of_rule = by_rule.entry(finding.rule.clone()).or_insert_with(|| {
            let covers = |index: &usize| waivers[*index].covers_rule(&finding.rule, rules);
            (0..waivers.len()).filter(covers).collect()
        });
        let mut applies = None;
        for index in of_rule {
            let waiver = &waivers[*index];
            if waiver.covers_account(finding.resource.account.as_ref()) && waiver.covers_resource(&finding.resource) {
                tally.covered[*index] += 1;
                applies = applies.or_else(|| (!waiver.expired(today)).then_some(waiver));
            }
        }
        let Some(waiver) = applies else { continue };
        finding.waiver = Some(Box::new(AppliedWaiver {
            verdict: finding.verdict,
            reason: waiver.reason.clone(),
            owner: waiver.owner.clone(),
            expires: waiver.expires.map(|day| day.to_string()),
            source: waiver.place.position(),
            inline: waiver.inline,
        }));
        finding.verdict = Verdict::Waived;
    }
}

fn warning(waiver: &Waiver, covered: usize, concerned: bool, today: Date) -> Option<Diagnostic> {
    let what = format!("the waiver of {} for {}", waiver.rule, waiver.resource);
    if let Some(last) = waiver.expires.filter(|last| *last < today) {
        let covered = findings(covered);
        return Some(waiver.warn(format!("{what} expired after {last} and no longer applies: it covered {covered}")));
    }
    let useless = covered == 0 && concerned;
    useless.then(|| waiver.warn(format!("{what} covers nothing that fails or is unknown")))
}

fn findings(count: usize) -> String {
    if count == 1 { "1 finding".to_owned() } else { format!("{count} findings") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SourceFile;
    use crate::report::example;

    const IMDS: &[RuleNames<'_>] = &[RuleNames { id: "ec2-imdsv2-required", aliases: &[] }];

    fn waiver(rule: &str, resource: &str) -> Waiver {
        Waiver {
            rule: Glob::new(rule),
            resource: Resources::Like(Glob::new(resource)),
            account: Glob::new("*"),
            reason: "cost".to_owned(),
            owner: None,
            expires: None,
            within: Vec::new(),
            inline: false,
            place: Diagnostic::warning("").of(&SourceFile::new("ssm-audit.yaml", "")),
        }
    }

    fn day(text: &str) -> Date {
        text.parse().expect("a day")
    }

    fn waived(waiver: Waiver, today: &str) -> (u64, Vec<String>) {
        let mut report = example::report();
        let before = report.summary.waived;
        let warnings = apply(&mut report, &[waiver], IMDS, day(today));
        (report.summary.waived - before, warnings.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn patterns_are_anchored_and_look_at_id_arn_and_address() {
        let count = |resource: &str| waived(waiver("*", resource), "2026-11-22").0;
        assert_eq!(count("i-0a1b2c3d4e5f60700"), 1);
        assert_eq!(count("0a1b2c3d4e5f60700"), 0);
        assert_eq!(count("i-0a1b2c3d4e5f6070"), 0);
        assert_eq!(count("i-0a1b2c3d4e5f6070?"), 10);
        assert_eq!(count("arn:aws:ec2:*:instance/i-0a1b2c3d4e5f607*"), 12);
        assert_eq!(count("module.logs.*"), 1);
        assert_eq!(count("I-0A1B2C3D4E5F60700"), 0);
    }

    #[test]
    fn only_fails_and_unknowns_are_waived_and_keep_what_they_were() {
        let mut report = example::report();
        let before = report.clone();
        let warnings = apply(&mut report, &[waiver("ec2-*", "*")], IMDS, day("2026-11-22"));
        assert!(warnings.is_empty(), "{warnings:?}");
        assert_eq!(report.summary.fail, before.summary.fail - 12);
        assert_eq!(report.summary.unknown, before.summary.unknown - 1);
        assert_eq!(report.summary.waived, before.summary.waived + 13);
        assert_eq!(report.summary.pass, before.summary.pass);
        for (now, then) in report.findings.iter().zip(&before.findings) {
            let restored = Finding { verdict: then.verdict, waiver: then.waiver.clone(), ..now.clone() };
            assert_eq!(&restored, then);
            if now.verdict != then.verdict {
                assert_eq!(now.waiver.as_ref().map(|waiver| waiver.verdict), Some(then.verdict));
            }
        }
    }

    #[test]
    fn a_waiver_applies_on_its_last_day_and_is_named_the_day_after() {
        let expiring = || Waiver { expires: Some(day("2027-03-01")), ..waiver("ec2-*", "i-0a1b2c3d4e5f60700") };
        assert_eq!(waived(expiring(), "2027-03-01"), (1, vec![]));
        let expected = "ssm-audit.yaml: the waiver of ec2-* for i-0a1b2c3d4e5f60700 expired after 2027-03-01 and no longer applies: it covered 1 finding";
        assert_eq!(waived(expiring(), "2027-03-02"), (0, vec![expected.to_owned()]));
    }

    #[test]
    fn a_waiver_that_covers_nothing_is_named_where_it_could_have_covered_something() {
        let named = |waiver: Waiver| waived(waiver, "2026-11-22").1.len();
        assert_eq!(named(waiver("ec2-imdsv2-required", "i-0gone")), 1);
        // A finding that passes or is covered by another waiver needs no waiver.
        assert_eq!(named(waiver("ec2-imdsv2-required", "i-0fedcba9876543210")), 1);
        // Neither its rule nor its account was scanned.
        assert_eq!(named(waiver("ec2-detailed-monitoring", "*")), 0);
        assert_eq!(named(Waiver { account: Glob::new("999999999999"), ..waiver("*", "*") }), 0);
    }

    #[test]
    fn a_waiver_of_one_account_does_not_cover_another_nor_code() {
        let of = |account: &str| waived(Waiver { account: Glob::new(account), ..waiver("*", "*") }, "2026-11-22").0;
        assert_eq!(of("210987654321"), 2);
        assert_eq!(of("123456789012"), 15);
        assert_eq!(of("*"), 18);
    }

    #[test]
    fn the_first_one_that_has_not_expired_applies() {
        let mut report = example::report();
        let expired = Waiver { expires: Some(day("2026-01-01")), ..waiver("*", "sg-*") };
        let second = Waiver { reason: "second".to_owned(), ..waiver("*", "sg-*") };
        let third = Waiver { reason: "third".to_owned(), ..waiver("*", "*") };
        apply(&mut report, &[expired, second, third], IMDS, day("2026-11-22"));
        let group = report.findings.iter().find(|finding| finding.resource.id.starts_with("sg-")).expect("a group");
        assert_eq!(group.waiver.as_ref().map(|waiver| waiver.reason.as_str()), Some("second"));
    }

    #[test]
    fn a_waiver_of_a_former_id_still_applies() {
        let mut report = example::report();
        let aliases = ["ec2-imds-v2".to_owned()];
        let rules = [RuleNames { id: "ec2-imdsv2-required", aliases: &aliases }];
        let warnings = apply(&mut report, &[waiver("ec2-imds-v2", "*")], &rules, day("2026-11-22"));
        assert!(warnings.is_empty());
        assert_eq!(report.summary.waived, 14);
    }
}
