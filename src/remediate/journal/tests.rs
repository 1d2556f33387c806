//! The journal is never silently older than what happened, and nothing but ssm-audit changes it unseen.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use serde_json::json;

use super::*;
use crate::remediate::plan::Plan;

const NOW: &str = "2026-11-30T00:00:00Z";

fn call(step: usize) -> CallRecord {
    CallRecord {
        step,
        account: "111111111111".to_owned(),
        region: Some("eu-west-1".to_owned()),
        call: "ec2:MonitorInstances".to_owned(),
        parameters: json!({"InstanceId": "i-1"}),
        sent_at: NOW.to_owned(),
        answered_at: None,
        outcome: None,
        request_id: None,
    }
}

/// A journal with two runs of three calls each.
fn written(folder: &Path) -> Journal {
    let journal = Journal::open(folder).expect("a journal");
    for id in ["a", "b"] {
        journal.begin(&Plan::empty(id.to_owned(), NOW.to_owned(), String::new()), NOW).expect("it is written");
        for step in 1..=3 {
            let sequence = journal.intend(id, &call(step)).expect("it is written");
            journal.answered(id, sequence, NOW, CallRecord::ANSWERED, None).expect("it is written");
            let left = json!({"Monitoring": "enabled"});
            let done = Record { status: Status::Done, left, problem: None };
            journal.record(id, step, &done).expect("it is written");
        }
    }
    journal
}

fn done(journal: &Journal) -> Vec<usize> {
    journal.runs().expect("runs").iter().map(|run| run.records.len()).collect()
}

#[test]
fn a_copy_of_the_one_file_holds_everything_at_any_moment() {
    let (folder, copy) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let journal = written(folder.path());
    fs::copy(folder.path().join(FILE), copy.path().join(FILE)).expect("a copy");
    let copied = Journal::open_to_read(copy.path()).expect("it is sound").expect("a journal");
    assert_eq!(done(&copied), [3, 3]);
    assert_eq!(copied.calls("b").expect("calls").len(), 3);
    assert_eq!(done(&journal), [3, 3]);
}

#[test]
fn rows_that_were_lost_or_changed_are_refused_with_their_run() {
    let changes = [
        "DELETE FROM steps WHERE run = 'b' AND number = 3",
        "DELETE FROM steps",
        "UPDATE steps SET status = 'pending' WHERE run = 'b' AND number = 2",
        "UPDATE steps SET number = 4 WHERE run = 'b' AND number = 3",
        "DELETE FROM calls WHERE run = 'b'",
        "UPDATE calls SET outcome = NULL WHERE sequence = 6",
        "UPDATE calls SET run = 'a' WHERE run = 'b'",
        "UPDATE runs SET state = 'finished' WHERE id = 'b'",
        "UPDATE runs SET plan = replace(plan, 'fix', 'Fix') WHERE id = 'b'",
        "DELETE FROM runs WHERE id = 'b'",
        "DELETE FROM runs WHERE id = 'b'; DELETE FROM steps WHERE run = 'b'; DELETE FROM calls WHERE run = 'b'",
        "DELETE FROM calls WHERE run = 'b'; DELETE FROM steps WHERE run = 'b'; DELETE FROM seals WHERE run = 'b';
         DELETE FROM runs WHERE id = 'b'",
        "DELETE FROM seals WHERE run = 'b'",
        "DELETE FROM journal",
    ];
    for change in changes {
        let folder = tempfile::tempdir().expect("a folder");
        drop(written(folder.path()));
        let path = folder.path().join(FILE);
        let other = Connection::open(&path).expect("a database");
        other.execute_batch(&format!("PRAGMA foreign_keys = OFF; {change}")).expect("it is changed");
        drop(other);
        let before = fs::read(&path).expect("the file");
        for error in [Journal::open(folder.path()).err(), Journal::open_to_read(folder.path()).err()] {
            let error = error.unwrap_or_else(|| panic!("{change}: it is taken for sound"));
            assert!(matches!(error, JournalError::Altered { .. }), "{change}: {error}");
            let said = error.to_string();
            assert!(said.contains('b') && said.contains("ssm-audit:plan"), "{change}: {said}");
        }
        assert_eq!(fs::read(&path).expect("the file"), before, "{change}: it was written to");
    }
}

#[test]
fn a_file_that_was_cut_anywhere_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(written(folder.path()));
    let path = folder.path().join(FILE);
    let whole = fs::read(&path).expect("the file");
    for length in (0..whole.len()).step_by(509) {
        fs::write(&path, &whole[..length]).expect("it is written");
        for error in [Journal::open_to_read(folder.path()).err(), Journal::open(folder.path()).err()] {
            assert!(error.is_some(), "{length} bytes of {} are taken for a journal", whole.len());
        }
        assert_eq!(fs::read(&path).expect("the file").len(), length, "it was written to");
    }
}

#[test]
fn pages_of_an_earlier_state_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = written(folder.path());
    let path = folder.path().join(FILE);
    let earlier = fs::read(&path).expect("the file");
    for step in 1..=3 {
        let failed = Record { status: Status::Failed, problem: Some("no".to_owned()), ..Record::default() };
        journal.record("b", step, &failed).expect("it is written");
    }
    drop(journal);
    let later = fs::read(&path).expect("the file");
    assert_eq!(earlier.len(), later.len(), "only what stands in pages differs");
    let page = 4096;
    let differing = (0..later.len()).step_by(page).filter(|at| earlier[*at..*at + page] != later[*at..*at + page]);
    let differing: Vec<usize> = differing.collect();
    // The first page counts changes, and says nothing of runs.
    let kept: Vec<usize> = differing.iter().copied().filter(|at| *at != 0).collect();
    assert!(kept.len() > 1, "{differing:?}");
    for at in kept {
        let mut mixed = later.clone();
        mixed[at..at + page].copy_from_slice(&earlier[at..at + page]);
        fs::write(&path, &mixed).expect("it is written");
        assert!(Journal::open_to_read(folder.path()).is_err(), "an old page at {at} is not noticed");
    }
}

/// A journal as the first version wrote it, in write-ahead mode.
fn first_version(path: &Path) {
    let plan = serde_json::to_string(&Plan::empty("a".to_owned(), NOW.to_owned(), String::new())).expect("a plan");
    let database = Connection::open(path).expect("a database");
    database.pragma_update(None, "journal_mode", "WAL").expect("its mode");
    database.execute_batch(schema::MIGRATIONS[0]).expect("its tables");
    database.pragma_update(None, "user_version", 1).expect("its version");
    database.execute("INSERT INTO runs VALUES ('a', 'open', ?1, NULL, ?2, NULL)", [NOW, &plan]).expect("a run");
    database.execute("INSERT INTO steps VALUES ('a', 1, 'done', 'null', NULL)", []).expect("a step");
}

#[test]
fn journals_of_the_first_version_are_read_and_brought_up_to_date() {
    let folder = tempfile::tempdir().expect("a folder");
    first_version(&folder.path().join(FILE));
    let before = fs::read(folder.path().join(FILE)).expect("the file");
    let read = Journal::open_to_read(folder.path()).expect("it is read").expect("a journal");
    assert_eq!(done(&read), [1]);
    drop(read);
    assert_eq!(fs::read(folder.path().join(FILE)).expect("the file"), before, "reading wrote to it");
    let journal = Journal::open(folder.path()).expect("it is brought up to date");
    journal.intend("a", &call(2)).expect("it is written");
    drop(journal);
    assert_eq!(done(&Journal::open(folder.path()).expect("it is sound")), [2]);
}

#[test]
fn reading_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(Journal::open_to_read(folder.path()).expect("nothing is wrong").is_none());
    drop(written(folder.path()));
    let names = || {
        let entries = fs::read_dir(folder.path()).expect("a folder");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        names
    };
    let before = (names(), fs::read(folder.path().join(FILE)).expect("the file"));
    let journal = Journal::open_to_read(folder.path()).expect("it is read").expect("a journal");
    assert_eq!(done(&journal), [3, 3]);
    drop(journal);
    assert_eq!((names(), fs::read(folder.path().join(FILE)).expect("the file")), before);
}
