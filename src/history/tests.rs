use std::collections::BTreeMap;

use super::lifecycle::Standing;
use super::*;
use crate::model::{Finding, Scope, Verdict};
use crate::report::example;

const TIME: &str = "2026-11-22T00:00:00Z";

fn terms() -> Terms {
    Terms {
        policy: "guide".to_owned(),
        rules_digest: "sha256:0".to_owned(),
        rules: example::report().findings.iter().map(|one| (one.rule.clone(), "digest".to_owned())).collect(),
        information: example::rules(),
        provenance: crate::model::Provenance::default(),
        choice: "all".to_owned(),
        accounts: "all".to_owned(),
        waivers: "none".to_owned(),
        include_pass: false,
    }
}

/// A sweep over the accounts of the example report, in an order that is not that of the report.
fn sweep(history: &mut History, change: impl Fn(&mut Vec<Finding>)) -> i64 {
    let begun = history.begin(&terms(), TIME, &[]).expect("begun").sweep;
    look_at_all(history, begun, change);
    history.finish(begun, TIME).expect("finished");
    begun
}

fn look_at_all(history: &mut History, sweep: i64, change: impl Fn(&mut Vec<Finding>)) {
    let report = example::report();
    let terms = terms();
    let mut accounts: Vec<_> = report.scopes.iter().filter_map(|scope| scope.account.clone()).collect();
    accounts.dedup();
    for account in accounts.iter().rev() {
        let of = |one: &&Finding| one.resource.account.as_ref() == Some(account) && one.verdict != Verdict::Pass;
        let mut findings: Vec<Finding> = report.findings.iter().filter(of).cloned().collect();
        change(&mut findings);
        let scopes: Vec<Scope> =
            report.scopes.iter().filter(|scope| scope.account.as_ref() == Some(account)).cloned().collect();
        let look = Look {
            sweep,
            time: TIME,
            account: Some(account),
            subject: account.as_str(),
            name: None,
            rules: &terms.rules,
            oldest: &BTreeMap::new(),
            scopes: &scopes,
            findings: &findings,
            passes: 7,
            not_applicable: 1,
        };
        history.record(&look).expect("recorded");
    }
}

fn without_retention(findings: &mut Vec<Finding>) {
    findings.retain(|one| one.rule != "logs-retention-set");
}

fn retention(findings: &mut [Finding]) -> impl Iterator<Item = &mut Finding> {
    findings.iter_mut().filter(|one| one.rule == "logs-retention-set")
}

fn changes(history: &History, earlier: i64, later: i64) -> Vec<(Change, String)> {
    let mut changes = Vec::new();
    let take = |one: Difference| {
        changes.push((one.change, one.finding.rule));
        Ok::<_, HistoryError>(())
    };
    history.diff(earlier, later, |error| error, take).expect("compared");
    changes
}

fn findings(history: &History, sweep: i64, which: Which, order: Order) -> Vec<Finding> {
    let mut found = Vec::new();
    let take = |row: Row| {
        found.push(row.finding);
        Ok::<_, HistoryError>(())
    };
    history.each(sweep, which, order, |error| error, take).expect("read");
    found
}

#[test]
fn what_a_sweep_found_is_read_back_in_the_order_of_the_report() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut history = History::open(folder.path()).expect("a history");
    let id = sweep(&mut history, |_| {});
    let mut expected: Vec<Finding> = example::report()
        .findings
        .into_iter()
        .filter(|one| one.verdict != Verdict::Pass && one.resource.account.is_some())
        .collect();
    crate::engine::scan::sort(&mut expected);
    assert_eq!(findings(&history, id, Which::Judged, Order::Report), expected);
    let totals = history.sweep(id).expect("a sweep").totals;
    assert_eq!((totals.accounts, totals.pass, totals.not_applicable), (2, 14, 2));
    assert_eq!(totals.new, totals.fail);
    // The most severe first.
    let by_rule = findings(&history, id, Which::Judged, Order::Rules);
    assert!(by_rule.windows(2).all(|pair| pair[0].severity >= pair[1].severity));
}

/// Whatever there is to sort would have to be in memory, or in a temporary file.
#[test]
fn a_report_is_read_without_sorting() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut history = History::open(folder.path()).expect("a history");
    sweep(&mut history, |_| {});
    let mut statement = history
        .connection
        .prepare(&format!("EXPLAIN QUERY PLAN {}", super::queries::query(Which::Judged, Order::Report)))
        .expect("a plan");
    let plan: Vec<String> = statement.query_map([1], |row| row.get(3)).and_then(Iterator::collect).expect("a plan");
    assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{plan:?}");
}

#[test]
fn what_is_gone_stands_in_the_next_sweep_once_and_forgetting_keeps_the_last_look() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut history = History::open(folder.path()).expect("a history");
    let first = sweep(&mut history, |_| {});
    let second = sweep(&mut history, without_retention);
    let fixed = findings(&history, second, Which::Standing(Standing::Fixed), Order::Report);
    assert_eq!(fixed.iter().map(|one| one.rule.as_str()).collect::<Vec<_>>(), ["logs-retention-set"]);
    let third = sweep(&mut history, without_retention);
    assert_eq!(findings(&history, third, Which::Standing(Standing::Fixed), Order::Report), []);

    assert_eq!(changes(&history, first, third), [(Change::Fixed, "logs-retention-set".to_owned())]);

    assert_eq!(history.prune(Some(1), None).expect("pruned"), Pruned { looks: 4, sweeps: 2 });
    let fourth = sweep(&mut history, without_retention);
    assert_eq!(history.sweep(fourth).expect("a sweep").totals.new, 0);
    assert!(matches!(history.sweep(first), Err(HistoryError::NoSweep(_))));
}

#[test]
fn what_only_a_sweep_that_was_given_up_saw_is_still_new_and_forgetting_does_not_count_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut history = History::open(folder.path()).expect("a history");
    let first = sweep(&mut history, without_retention);
    let given_up = history.begin(&terms(), TIME, &[]).expect("begun").sweep;
    look_at_all(&mut history, given_up, |_| {});
    let merging = history.begin_merge(&terms(), TIME, &[], "0.0.9").expect("begun");
    look_at_all(&mut history, merging, |_| {});
    assert_eq!(history.prune(Some(0), None).expect("pruned"), Pruned { looks: 0, sweeps: 0 });
    history.discard_merge().expect("discarded");
    let third = sweep(&mut history, |_| {});
    let totals = history.sweep(third).expect("a sweep").totals;
    assert_eq!((totals.new, totals.open), (1, history.sweep(first).expect("a sweep").totals.new));
}

#[test]
fn what_was_accepted_and_is_not_known_later_is_not_called_fixed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut history = History::open(folder.path()).expect("a history");
    let first = sweep(&mut history, |_| {});
    sweep(&mut history, |all| retention(all).for_each(|one| one.verdict = Verdict::Waived));
    let third = sweep(&mut history, |all| retention(all).for_each(|one| one.verdict = Verdict::Unknown));
    assert_eq!(changes(&history, first, third), [(Change::Stale, "logs-retention-set".to_owned())]);
}

/// As where one rule takes over what another was about.
#[test]
fn one_rule_may_have_two_findings_on_a_resource() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut history = History::open(folder.path()).expect("a history");
    sweep(&mut history, |_| {});
    let second = sweep(&mut history, |all| retention(all).for_each(|one| one.fingerprint.insert(0, 'f')));
    let totals = history.sweep(second).expect("a sweep").totals;
    assert_eq!((totals.new, totals.fixed), (1, 1));
}

#[test]
fn news_that_are_due_are_not_forgotten() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut history = History::open(folder.path()).expect("a history");
    let first = sweep(&mut history, |_| {});
    history.announce(first).expect("noted");
    sweep(&mut history, |_| {});
    assert_eq!(history.prune(Some(1), None).expect("pruned"), Pruned { looks: 0, sweeps: 0 });
    history.told(first, Told::Sent).expect("noted");
    assert_eq!(history.prune(Some(1), None).expect("pruned"), Pruned { looks: 2, sweeps: 1 });
}

#[test]
fn the_end_of_a_sweep_is_noted_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut history = History::open(folder.path()).expect("a history");
    let begun = history.begin(&terms(), TIME, &[]).expect("begun").sweep;
    assert_eq!(history.sweep(begun).expect("a sweep").state, "running");
    assert_eq!(history.seen_all(begun, "2026-11-23T00:00:00Z").expect("noted"), "2026-11-23T00:00:00Z");
    // It can be taken up until it is told, and is told in the same words.
    assert_eq!(history.resume(&terms()).expect("taken up").sweep, begun);
    assert_eq!(history.seen_all(begun, "2026-11-24T00:00:00Z").expect("noted"), "2026-11-23T00:00:00Z");
    assert_eq!(history.sweep(begun).expect("a sweep").state, "finished");
    // Where there turns out to be more, it is not at its end.
    history.sees_more(begun).expect("noted");
    assert_eq!(history.sweep(begun).expect("a sweep").state, "running");
    let others = Terms { waivers: "others".to_owned(), ..terms() };
    assert!(matches!(history.resume(&others), Err(HistoryError::OtherTerms { what: "waivers", .. })));
}

/// A profile that leads nowhere today led to an account yesterday: what was open there is stale, and the account is not
/// said to be gone.
#[test]
fn an_account_whose_profile_leads_nowhere_keeps_what_was_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut history = History::open(folder.path()).expect("a history");
    let report = example::report();
    let account = report.scopes.iter().find_map(|scope| scope.account.clone()).expect("an account");
    let of = |one: &&Finding| one.resource.account.as_ref() == Some(&account) && one.verdict == Verdict::Fail;
    let mut findings: Vec<Finding> = report.findings.iter().filter(of).cloned().collect();
    findings.sort_by(|one, other| one.fingerprint.cmp(&other.fingerprint));
    findings.dedup_by(|one, other| one.fingerprint == other.fingerprint);
    let scopes: Vec<Scope> =
        report.scopes.iter().filter(|scope| scope.account.as_ref() == Some(&account)).cloned().collect();
    let unread: Vec<Scope> = scopes.iter().map(|scope| Scope { account: None, read: false, ..scope.clone() }).collect();
    let mut look = |subject: &str, known: bool| {
        let terms = terms();
        let sweep = history.begin(&terms, TIME, &[]).expect("begun").sweep;
        let look = Look {
            sweep,
            time: TIME,
            account: Some(&account).filter(|_| known),
            subject,
            name: Some("production"),
            rules: &terms.rules,
            oldest: &BTreeMap::new(),
            scopes: if known { &scopes } else { &unread },
            findings: if known { &findings } else { &[] },
            passes: 0,
            not_applicable: 0,
        };
        history.record(&look).expect("recorded");
        history.finish(sweep, TIME).expect("finished");
        let totals = history.sweep(sweep).expect("a sweep").totals;
        (totals.new, totals.open, totals.stale, totals.unread_stale, history.absent(sweep).expect("read").len())
    };
    let count = findings.len() as u64;
    assert!(count > 0);
    assert_eq!(look(account.as_str(), true), (count, 0, 0, 0, 0));
    assert_eq!(look("profile production", false), (0, 0, count, count, 0));
    assert_eq!(look(account.as_str(), true), (0, count, 0, 0, 0));
    assert_eq!(look("another", true), (count, 0, 0, 0, 1));
}

#[test]
fn the_one_file_holds_every_sweep_that_has_ended_and_is_read_without_being_written() {
    let (folder, copy) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let mut history = History::open(folder.path()).expect("a history");
    let begun = history.begin(&terms(), "2026-11-30T00:00:00Z", &[]).expect("it is written");
    history.finish(begun.sweep, "2026-11-30T00:01:00Z").expect("it is written");
    // Without the write-ahead log.
    std::fs::copy(history.path(), copy.path().join(FILE_NAME)).expect("a copy");
    let before = std::fs::read(copy.path().join(FILE_NAME)).expect("the file");
    let copied = History::open_to_read(copy.path()).expect("it is sound");
    let states: Vec<String> = copied.sweeps().expect("sweeps").into_iter().map(|sweep| sweep.state).collect();
    assert_eq!(states, ["finished"]);
    drop(copied);
    assert_eq!(std::fs::read(copy.path().join(FILE_NAME)).expect("the file"), before);
}

/// A sweep of two accounts with a rule left out, and one of fewer accounts after it.
#[test]
fn accounts_that_are_no_longer_looked_at_are_named_whatever_else_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut history = History::open(folder.path()).expect("a history");
    let mut look = |terms: &Terms, accounts: &[&str]| {
        let sweep = history.begin(terms, TIME, &[]).expect("begun").sweep;
        for account in accounts {
            let id = account.parse().expect("an account");
            let look = Look {
                sweep,
                time: TIME,
                account: Some(&id),
                subject: account,
                name: None,
                rules: &terms.rules,
                oldest: &BTreeMap::new(),
                scopes: &[],
                findings: &[],
                passes: 1,
                not_applicable: 0,
            };
            history.record(&look).expect("recorded");
        }
        history.finish(sweep, TIME).expect("finished");
        let absent = history.absent(sweep).expect("read").into_iter().map(|absent| absent.account);
        (absent.collect::<Vec<_>>(), history.trend(sweep, 10).expect("read").len())
    };
    let (one, two, three) = ("111111111111", "222222222222", "333333333333");
    let both = Terms { accounts: "one and two".to_owned(), ..terms() };
    assert_eq!(look(&both, &[one, two]), (vec![], 1));
    // Other regions, roles or rules: the trend goes on.
    let elsewhere = Terms { choice: "other regions".to_owned(), rules_digest: "sha256:1".to_owned(), ..both.clone() };
    assert_eq!(look(&elsewhere, &[one, two]), (vec![], 2));
    // An account is taken out of the choice, and everything else changes with it.
    let fewer =
        Terms { accounts: "one".to_owned(), choice: "fewer".to_owned(), policy: "hardened".to_owned(), ..terms() };
    assert_eq!(look(&fewer, &[one]), (vec![two.to_owned()], 1));
    assert_eq!(look(&fewer, &[one]), (vec![], 2));
    // What is swept besides, and has nothing to do with it, is not missed.
    let others = Terms { accounts: "three".to_owned(), ..terms() };
    assert_eq!(look(&others, &[three]), (vec![], 1));
    // An account that left while others were swept is named all the same.
    assert_eq!(look(&both, &[two]), (vec![one.to_owned()], 3));
}

/// A history of before this version of the tables is brought up to date, and goes on.
#[test]
fn a_history_without_the_choice_of_accounts_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = {
        let mut history = History::open(folder.path()).expect("a history");
        sweep(&mut history, without_retention)
    };
    let mut files = std::fs::read_dir(folder.path()).expect("files").filter_map(|entry| Some(entry.ok()?.path()));
    let file = files.find(|path| path.extension().is_some_and(|end| end == "sqlite" || end == "db"));
    let connection = rusqlite::Connection::open(file.expect("the file")).expect("a database");
    connection
        .execute_batch("ALTER TABLE sweeps DROP COLUMN accounts; PRAGMA user_version = 2;")
        .expect("as it was before");
    drop(connection);
    let mut history = History::open(folder.path()).expect("a history");
    let second = sweep(&mut history, without_retention);
    assert_eq!(history.trend(second, 10).expect("read").len(), 2);
    assert_eq!(history.absent(second).expect("read").len(), 0);
    assert_eq!(history.sweep(first).expect("a sweep").state, "finished");
}
