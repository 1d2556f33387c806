//! Fixing: each thing that can be broken and has a remediation is made right, stays right, and is taken back.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde_json::Value;

use crate::account::Account;
use crate::alike::{Announced, Replaced};
use crate::audit::{Audit, Subject, verdicts};
use crate::cells::{LARGEST, expect, report, threads, told};
use crate::emulator::{Emulator, names};

/// The rules that have a remediation.
fn fixable() -> BTreeSet<String> {
    let listed = Audit::new(&["rules", "list", "--format", "json"]).run().json();
    let rules = listed["rules"].as_array().unwrap().iter();
    let with = rules.filter(|rule| rule["remediation"].is_string());
    with.map(|rule| rule["id"].as_str().unwrap().to_owned()).collect()
}

fn failing(report: &Value) -> BTreeSet<Subject> {
    verdicts(report).into_iter().filter(|(_, verdict)| verdict == "fail").map(|(subject, _)| subject).collect()
}

/// Fixes the account, looks again, fixes once more, and takes it back.
fn cycle(account: &Account<'_>) -> Vec<String> {
    let required = ["--param", "iam-role-uses-volume-key.required=true"];
    let before = (failing(&account.scan_with(&required)), account.dump());
    let fixed = account.fix().args(&required).run();
    let Some(run) = account.runs().pop() else { return vec![format!("there is nothing to fix: {}", told(&fixed))] };
    let left_out = run.plan["left_out"].as_array().unwrap();
    let mut problems = expect(i32::from(!left_out.is_empty()), &fixed);
    if run.holding() != run.all() {
        problems.push(format!("not all is done: {:?}", run.steps));
    }
    let after = failing(&account.scan_with(&required));
    problems.extend(after.difference(&before.0).map(|subject| format!("{subject:?} fails now")));
    for aim in run.plan["findings"].as_array().unwrap() {
        let is = |subject: &&Subject| aim["rule"] == subject.0 && aim["resource"]["id"] == subject.3;
        problems.extend(after.iter().filter(is).map(|subject| format!("{subject:?} fails as before")));
    }
    for subject in after.iter().filter(|subject| fixable().contains(&subject.0)) {
        let why = left_out.iter().find(|left| left["rule"] == subject.0 && left["resource"]["id"] == subject.3);
        if why.is_none_or(|why| why["reason"].as_str().is_none_or(str::is_empty)) {
            problems.push(format!("{subject:?} fails, and nothing says why"));
        }
    }
    let again = account.plan().args(&required).args(&["--format", "json"]).run().json();
    let steps = again["steps"].as_array().unwrap().iter();
    problems.extend(steps.map(|step| format!("a second fix would {} {}", step["call"]["operation"], step["aspect"])));
    problems.extend(expect(0, &account.undo(&run.id).run()));
    problems.extend(Announced::of(&run, Replaced::Kept).surprises(&before.1, &account.dump()));
    problems
}

#[test]
fn everything_that_can_be_broken_is_made_right_and_taken_back() {
    let emulator = Emulator::moto_alone();
    let fixable = fixable();
    let rule_of = |name: &str| name.split('.').next().unwrap().to_owned();
    let all = names()["breakages"].as_object().unwrap().keys();
    let breakages: Vec<&String> = all.filter(|name| fixable.contains(&rule_of(name))).collect();
    let broken: BTreeSet<String> = breakages.iter().map(|name| rule_of(name)).collect();
    let never: Vec<&String> = fixable.difference(&broken).filter(|rule| guide().contains(*rule)).collect();
    assert!(never.is_empty(), "no account breaks {never:?}");

    let arguments = breakages.iter().flat_map(|name| ["--break", name.as_str()]);
    let made = emulator.seed_with(&[&["--matrix"], &arguments.collect::<Vec<_>>()[..]].concat());
    let accounts: Vec<(String, Account<'_>)> = made
        .as_array()
        .unwrap()
        .iter()
        .map(|seeded| (seeded["broken"].as_object().unwrap().keys().next().unwrap().clone(), seeded))
        .map(|(name, seeded)| (name, Account::new(&emulator, seeded)))
        .collect();
    let cells: BTreeMap<String, Vec<String>> =
        threads().install(|| accounts.par_iter().map(|(name, account)| (name.clone(), cycle(account))).collect());
    report(cells);
}

/// The rules of the guide.
fn guide() -> BTreeSet<String> {
    let listed = Audit::new(&["rules", "list", "--format", "json", "--policy", "guide"]).run().json();
    listed["rules"].as_array().unwrap().iter().map(|rule| rule["id"].as_str().unwrap().to_owned()).collect()
}

/// In three regions at once; the last of them without anything for sessions.
#[test]
fn everything_at_once_is_made_right_and_taken_back() {
    let emulator = Emulator::moto_alone();
    let account = Account::one(&emulator, &LARGEST);
    report([("everything".to_owned(), cycle(&account))]);
}

#[test]
fn an_account_that_nobody_touched_is_made_right_and_taken_back() {
    let emulator = Emulator::moto_alone();
    let account = Account::one(&emulator, &["--untouched", "--region", "us-east-1", "--region", "eu-west-1"]);
    report([("untouched".to_owned(), cycle(&account))]);
}
