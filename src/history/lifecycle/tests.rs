use super::*;
use crate::model::finding::AppliedWaiver;
use crate::model::{AccountId, Gap, GapKind, ResourceRef, Severity, Source};

const FIRST: &str = "2026-11-01T00:00:00Z";
const NOW: &str = "2026-11-22T00:00:00Z";

fn region(name: &str) -> Region {
    name.parse().expect("a region")
}

fn account() -> AccountId {
    "111111111111".parse().expect("an account")
}

/// A finding of `rule` on an instance of the region, or on a role.
fn finding(rule: &str, place: &str, verdict: Verdict) -> Finding {
    let region: Option<Region> = place.parse().ok();
    let resource_type = if region.is_some() { ResourceType::Instance } else { ResourceType::Role };
    Finding {
        rule: rule.to_owned(),
        severity: Severity::High,
        verdict,
        message: String::new(),
        resource: ResourceRef {
            resource_type,
            id: "x".to_owned(),
            arn: None,
            name: None,
            account: Some(account()),
            region,
            address: None,
        },
        location: None,
        related: Vec::new(),
        folder: None,
        edit: None,
        code: None,
        evidence: Vec::new(),
        gaps: Vec::new(),
        waiver: None,
        remediation: None,
        fingerprint: format!("{rule} {place}"),
    }
}

fn scope(place: &str, read: bool) -> Scope {
    let gaps = if read { Vec::new() } else { vec![Gap::of_call(GapKind::Denied, "sts:AssumeRole")] };
    Scope { source: Source::Aws, account: Some(account()), region: place.parse().ok(), complete: read, read, gaps }
}

fn held(rule: &str, place: &str) -> (String, Held) {
    let region: Option<Region> = place.parse().ok();
    let resource_type = if region.is_some() { ResourceType::Instance } else { ResourceType::Role };
    let held = Held {
        rule: rule.to_owned(),
        resource_type: resource_type.as_str().to_owned(),
        region,
        waived: false,
        since: FIRST.to_owned(),
        seen: FIRST.to_owned(),
        regions: BTreeSet::from([self::region("us-east-1"), self::region("eu-west-1")]),
        body: 1,
    };
    (format!("{rule} {place}"), held)
}

fn rules(names: &[&str]) -> Rules {
    names.iter().map(|name| ((*name).to_owned(), "digest".to_owned())).collect()
}

fn before(open: impl IntoIterator<Item = (String, Held)>) -> Before {
    Before {
        rules: Some(rules(&["a", "b"])),
        regions: BTreeSet::from([region("us-east-1"), region("eu-west-1")]),
        open: open.into_iter().collect(),
    }
}

type Said = (String, &'static str, Option<&'static str>);

/// What is said of each fingerprint.
fn say(before: &Before, rules: &Rules, scopes: &[Scope], findings: &[Finding]) -> Vec<Said> {
    let oldest = BTreeMap::new();
    let now = Now { time: NOW, rules, oldest: &oldest, scopes, findings };
    let (found, gone) = compare(before, now);
    let found = found.into_iter().map(|one| (one.finding.fingerprint.clone(), one.standing, one.because));
    let gone = gone.into_iter().map(|one| (one.fingerprint.to_owned(), one.standing, Some(one.because)));
    let words = |(name, standing, because): (String, Standing, Option<Because>)| {
        (name, standing.as_str(), because.map(Because::as_str))
    };
    found.chain(gone).map(words).collect()
}

fn all() -> Vec<Scope> {
    vec![scope("", true), scope("eu-west-1", true), scope("us-east-1", true)]
}

fn said(name: &str, standing: &'static str, because: &'static str) -> Said {
    (name.to_owned(), standing, Some(because).filter(|because| !because.is_empty()))
}

#[test]
fn what_fails_is_new_or_still_open() {
    let before = before([held("a", "us-east-1")]);
    let findings = [finding("a", "us-east-1", Verdict::Fail), finding("b", "us-east-1", Verdict::Fail)];
    let open = said("a us-east-1", "open", "");
    assert_eq!(say(&before, &rules(&["a", "b"]), &all(), &findings), [open, said("b us-east-1", "new", "account")]);
}

#[test]
fn a_changed_rule_is_told_from_a_changed_account_and_a_first_look_from_both() {
    let findings = [finding("b", "us-east-1", Verdict::Fail)];
    let mut changed = rules(&["a", "b"]);
    changed.insert("b".to_owned(), "another".to_owned());
    let before = before([held("b", "eu-west-1")]);
    assert_eq!(
        say(&before, &changed, &all(), &findings),
        [said("b us-east-1", "new", "rules"), said("b eu-west-1", "fixed", "rules")]
    );
    assert_eq!(say(&Before::default(), &changed, &all(), &findings), [said("b us-east-1", "new", "first_look")]);
    let elsewhere = Before { regions: BTreeSet::from([region("eu-west-1")]), ..before };
    assert_eq!(say(&elsewhere, &rules(&["a", "b"]), &all(), &findings)[0], said("b us-east-1", "new", "first_look"));
}

#[test]
fn what_was_looked_at_again_and_is_gone_is_fixed() {
    let before = before([held("a", "us-east-1"), held("b", "")]);
    assert_eq!(
        say(&before, &rules(&["a", "b"]), &all(), &[]),
        [said("a us-east-1", "fixed", "account"), said("b ", "fixed", "account")]
    );
}

#[test]
fn a_pass_that_is_listed_takes_a_failure_back_where_all_of_it_was_seen() {
    let before = before([held("a", "us-east-1"), held("b", "")]);
    let passes = [finding("a", "us-east-1", Verdict::Pass), finding("b", "", Verdict::Pass)];
    let both = rules(&["a", "b"]);
    let fixed = said("a us-east-1", "fixed", "account");
    assert_eq!(say(&before, &both, &all(), &passes), [fixed.clone(), said("b ", "fixed", "account")]);
    let one_region = [scope("", true), scope("us-east-1", true)];
    assert_eq!(say(&before, &both, &one_region, &passes), [fixed, said("b ", "stale", "not_looked_at")]);
}

#[test]
fn what_could_not_be_seen_is_stale_and_never_fixed() {
    let before = before([held("a", "us-east-1"), held("b", "")]);
    let stale =
        |first: &'static str, second: &'static str| [said("a us-east-1", "stale", first), said("b ", "stale", second)];
    let both = rules(&["a", "b"]);
    let unread = vec![scope("", false), scope("eu-west-1", false), scope("us-east-1", false)];
    assert_eq!(say(&before, &both, &unread, &[]), stale("not_read", "not_read"));
    // An account that did not even tell its regions.
    assert_eq!(say(&before, &both, &[scope("", false)], &[]), stale("not_read", "not_read"));
    let one = vec![scope("", true), scope("eu-west-1", true), scope("us-east-1", false)];
    assert_eq!(say(&before, &both, &one, &[]), stale("not_read", "not_read"));
    // Of a role that instances of us-east-1 use, the other region says nothing.
    let fewer = vec![scope("", true), scope("eu-west-1", true)];
    assert_eq!(say(&before, &both, &fewer, &[]), stale("not_looked_at", "not_looked_at"));
    assert_eq!(say(&before, &rules(&["c"]), &all(), &[]), stale("not_held", "not_held"));
}

#[test]
fn an_unknown_of_the_same_rule_keeps_it_stale_even_where_it_is_accepted() {
    let before = before([held("a", "us-east-1")]);
    let mut unknown = finding("a", "us-east-1", Verdict::Unknown);
    unknown.fingerprint = "a *".to_owned();
    let both = rules(&["a", "b"]);
    let stale = said("a us-east-1", "stale", "not_known");
    assert_eq!(say(&before, &both, &all(), &[unknown.clone()]), [said("a *", "unknown", ""), stale.clone()]);
    unknown.verdict = Verdict::Waived;
    let waiver = AppliedWaiver {
        verdict: Verdict::Unknown,
        reason: String::new(),
        owner: None,
        expires: None,
        source: None,
        inline: false,
    };
    unknown.waiver = Some(Box::new(waiver));
    assert_eq!(say(&before, &both, &all(), &[unknown.clone()]), [said("a *", "waived", ""), stale]);
    // In another region it says nothing of this one.
    unknown.resource.region = Some(region("eu-west-1"));
    assert_eq!(say(&before, &both, &all(), &[unknown])[1], said("a us-east-1", "fixed", "account"));
    // The finding itself.
    let itself = finding("a", "us-east-1", Verdict::Unknown);
    assert_eq!(say(&before, &both, &all(), &[itself]), [said("a us-east-1", "stale", "not_known")]);
}

#[test]
fn what_is_accepted_is_neither_new_nor_fixed_and_comes_back_with_its_age() {
    let (fingerprint, mut accepted) = held("a", "us-east-1");
    accepted.waived = true;
    let before = before([(fingerprint, accepted)]);
    let both = rules(&["a", "b"]);
    assert_eq!(say(&before, &both, &all(), &[]), []);
    let findings = [finding("a", "us-east-1", Verdict::Waived)];
    assert_eq!(say(&before, &both, &all(), &findings), [said("a us-east-1", "waived", "")]);
    let findings = [finding("a", "us-east-1", Verdict::Fail)];
    assert_eq!(say(&before, &both, &all(), &findings), [said("a us-east-1", "new", "waiver")]);
    let unread = [scope("", false)];
    assert_eq!(say(&before, &both, &unread, &[]), [said("a us-east-1", "waived", "not_read")]);
}
