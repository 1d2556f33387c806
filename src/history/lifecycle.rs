//! A look at an account held against the look before: what is new, what is fixed, what is still open.
//!
//! A finding is fixed only where its rule was held again where it was found, over all that it was judged over then, and
//! nothing of that rule is unknown there. Whatever was not seen so is stale: it stays open, with the time when it was
//! last seen.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Finding, Region, ResourceType, Scope, Verdict};

/// What a finding is beside what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It fails, and did not when it was last looked at.
    New,
    /// It fails, and did before.
    Open,
    /// It failed, and it is not known whether it still does.
    Stale,
    /// It failed, and holds now.
    Fixed,
    /// It is not known, and never was.
    Unknown,
    /// It is accepted.
    Waived,
    /// It holds.
    Pass,
}

/// Why it is new, fixed or stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Because {
    /// The account has changed.
    Account,
    /// The rule or its parameters have changed, or it was not held before.
    Rules,
    /// The place was never looked at before.
    FirstLook,
    /// A waiver no longer accepts it.
    Waiver,
    /// The account or the region was not read.
    NotRead,
    /// The region was not looked at.
    NotLookedAt,
    /// The rule was not held.
    NotHeld,
    /// Something that the rule needs was not known.
    NotKnown,
}

macro_rules! words {
    ($name:ident: $($variant:ident = $word:literal),* $(,)?) => {
        impl $name {
            /// The word in the history and in reports.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// What the word stands for.
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

words!(Standing: New = "new", Open = "open", Stale = "stale", Fixed = "fixed", Unknown = "unknown", Waived = "waived",
    Pass = "pass");
words!(Because: Account = "account", Rules = "rules", FirstLook = "first_look", Waiver = "waiver",
    NotRead = "not_read", NotLookedAt = "not_looked_at", NotHeld = "not_held", NotKnown = "not_known");

/// The rules that are held: their digests, by their oldest ids.
pub type Rules = BTreeMap<String, String>;

/// What the look before left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Before {
    /// The rules that were held when the account was last read; none, if it never was.
    pub rules: Option<Rules>,
    /// The regions that were ever read.
    pub regions: BTreeSet<Region>,
    /// What is open, or accepted, by fingerprint.
    pub open: BTreeMap<String, Held>,
}

/// A finding that is open, or accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The rule, by its oldest id.
    pub rule: String,
    /// The type of its resource.
    pub resource_type: String,
    /// Its region.
    pub region: Option<Region>,
    /// Whether a waiver accepted it.
    pub waived: bool,
    /// When it was found first, RFC 3339.
    pub since: String,
    /// When it was seen last, RFC 3339.
    pub seen: String,
    /// The regions that were read when it was seen last, where it has none itself.
    pub regions: BTreeSet<Region>,
    /// What it said, as the history numbers it.
    pub body: i64,
}

/// What there is to see now.
#[derive(Debug, Clone, Copy)]
pub struct Now<'a> {
    /// The time of the sweep, RFC 3339.
    pub time: &'a str,
    /// The rules that are held.
    pub rules: &'a Rules,
    /// The oldest ids of the rules, by their ids.
    pub oldest: &'a BTreeMap<String, String>,
    /// What was covered.
    pub scopes: &'a [Scope],
    /// What was found.
    pub findings: &'a [Finding],
}

/// A finding of now.
#[derive(Debug, Clone, Copy)]
pub struct Standed<'a> {
    /// The finding.
    pub finding: &'a Finding,
    /// What it is.
    pub standing: Standing,
    /// Why.
    pub because: Option<Because>,
    /// The one before, where there is one.
    pub held: Option<&'a Held>,
}

/// What was open before, and is not among the findings of now.
#[derive(Debug, Clone, Copy)]
pub struct Gone<'a> {
    /// Its fingerprint.
    pub fingerprint: &'a str,
    /// It.
    pub held: &'a Held,
    /// Fixed or stale; accepted, where it was accepted and may still be there.
    pub standing: Standing,
    /// Why.
    pub because: Because,
}

/// Holds a look against the one before: what it found, and what is gone.
pub fn compare<'a>(before: &'a Before, now: Now<'a>) -> (Vec<Standed<'a>>, Vec<Gone<'a>>) {
    let found = now.findings.iter().map(|finding| stand(before, now, finding)).collect();
    let seen: BTreeSet<&str> = now.findings.iter().map(|finding| finding.fingerprint.as_str()).collect();
    let missing = before.open.iter().filter(|(fingerprint, _)| !seen.contains(fingerprint.as_str()));
    (found, missing.filter_map(|(fingerprint, held)| gone(before, now, fingerprint, held)).collect())
}

fn stand<'a>(before: &'a Before, now: Now<'a>, finding: &'a Finding) -> Standed<'a> {
    let held = before.open.get(&finding.fingerprint);
    let (standing, because) = match (finding.verdict, held) {
        (Verdict::Pass, Some(held)) if !held.waived => {
            let (standing, because) = gone_to(before, now, held);
            (standing, Some(because))
        }
        (Verdict::Pass, _) => (Standing::Pass, None),
        (Verdict::Waived, _) => (Standing::Waived, None),
        (Verdict::Unknown, Some(held)) if !held.waived => (Standing::Stale, Some(Because::NotKnown)),
        (Verdict::Unknown, _) => (Standing::Unknown, None),
        (Verdict::Fail, Some(held)) if held.waived => (Standing::New, Some(Because::Waiver)),
        (Verdict::Fail, Some(_)) => (Standing::Open, None),
        (Verdict::Fail, None) => (Standing::New, Some(why_new(before, now, finding))),
    };
    Standed { finding, standing, because, held }
}

fn why_new(before: &Before, now: Now<'_>, finding: &Finding) -> Because {
    let Some(rules) = &before.rules else { return Because::FirstLook };
    let region = finding.resource.region.as_ref().filter(|_| finding.resource.resource_type.is_regional());
    if region.is_some_and(|region| !before.regions.contains(region)) {
        return Because::FirstLook;
    }
    let rule = oldest(now, &finding.rule);
    if rules.get(rule) == now.rules.get(rule) { Because::Account } else { Because::Rules }
}

/// What has become of a failure that is none now.
fn gone_to(before: &Before, now: Now<'_>, held: &Held) -> (Standing, Because) {
    if let Some(because) = why_unseen(now, held) {
        return (Standing::Stale, because);
    }
    let digest = before.rules.as_ref().and_then(|rules| rules.get(&held.rule));
    (Standing::Fixed, if digest == now.rules.get(&held.rule) { Because::Account } else { Because::Rules })
}

fn oldest<'a>(now: Now<'a>, rule: &'a str) -> &'a str {
    now.oldest.get(rule).map_or(rule, String::as_str)
}

fn gone<'a>(before: &'a Before, now: Now<'a>, fingerprint: &'a str, held: &'a Held) -> Option<Gone<'a>> {
    let (standing, because) = match gone_to(before, now, held) {
        (Standing::Stale, because) if held.waived => (Standing::Waived, because),
        // What was accepted and is gone is of no interest.
        (Standing::Fixed, _) if held.waived => return None,
        gone => gone,
    };
    Some(Gone { fingerprint, held, standing, because })
}

/// Why it cannot be known whether the finding is gone; none, where it is.
fn why_unseen(now: Now<'_>, held: &Held) -> Option<Because> {
    if !now.rules.contains_key(&held.rule) {
        return Some(Because::NotHeld);
    }
    let regional = ResourceType::from_label(&held.resource_type).is_none_or(ResourceType::is_regional);
    let region = held.region.as_ref().filter(|_| regional);
    let scope = |region: Option<&Region>| now.scopes.iter().find(|scope| scope.region.as_ref() == region);
    let unread = |region: Option<&Region>| match scope(region) {
        Some(scope) if scope.read => None,
        None if now.scopes.iter().any(|scope| scope.read) => Some(Because::NotLookedAt),
        Some(_) | None => Some(Because::NotRead),
    };
    let why = match region {
        Some(region) => unread(Some(region)),
        // Without a region it was judged over all of them, and over those that it was judged over then.
        None => held.regions.iter().find_map(|region| unread(Some(region))).or_else(|| {
            now.scopes.iter().any(|scope| scope.region.is_some() && !scope.read).then_some(Because::NotRead)
        }),
    };
    let is_unknown = |finding: &&Finding| {
        let accepted = finding.waiver.as_ref().is_some_and(|waiver| waiver.verdict == Verdict::Unknown);
        finding.verdict == Verdict::Unknown || accepted
    };
    let same_place = |finding: &Finding| match (region, finding.resource.region.as_ref()) {
        (Some(held), Some(found)) => held == found,
        _ => true,
    };
    let mut unknown = now.findings.iter().filter(is_unknown);
    why.or_else(|| {
        let blurred = unknown.any(|finding| oldest(now, &finding.rule) == held.rule && same_place(finding));
        blurred.then_some(Because::NotKnown)
    })
}

#[cfg(test)]
mod tests;
