//! Fixing: each thing that can be broken and has a remediation is made right, stays right, and is taken back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::Value;

use crate::account::Account;
use crate::alike::{Announced, Replaced};
use crate::audit::{Audit, Subject, verdicts};
use crate::cells::{LARGEST, expect, report, threads, told};
use crate::emulator::{Emulator, names};
use crate::sample::sample;

/// The rules that have a remediation for accounts, by their files.
fn fixable() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = |folder: &Path| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let areas = entries(&root.join("rules")).filter(|path| path.is_dir());
    let files: Vec<PathBuf> = areas.flat_map(|area| entries(&area).collect::<Vec<_>>()).collect();
    let has_one = |file: &&PathBuf| {
        let text = std::fs::read_to_string(file).unwrap();
        if text.lines().any(|line| line == "sources: [terraform]") {
            return false;
        }
        let id = text.lines().find_map(|line| line.strip_prefix("remediation: ").map(str::trim).map(str::to_owned));
        id.is_some_and(|id| root.join("remediations").join(format!("{id}.yaml")).exists())
    };
    let stems = files.iter().filter(has_one).map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned());
    stems.collect()
}

/// What no fix can make right: it is left out, and the plan says why.
const OUT_OF_REACH: [&str; 10] = [
    "iam-role-ssm-core.bounded",
    "iam-role-ssm-core.denied",
    "iam-role-uses-session-key.denied",
    "iam-role-writes-cloudwatch.denied",
    "iam-role-writes-s3.bounded-grant-to-role",
    "iam-role-writes-s3.bucket-policy",
    "kms-policy-grants-logs.denied",
    "logs-retention-set.delivery-class",
    "s3-encrypted.key-missing",
    "ssm-encryption-flags-satisfiable.bucket-policy",
];

fn failing(report: &Value) -> BTreeSet<Subject> {
    verdicts(report).into_iter().filter(|(_, verdict)| verdict == "fail").map(|(subject, _)| subject).collect()
}

/// Fixes the account, looks again, fixes once more, and takes it back. Of what is made these rules may fail, for want of
/// settings.
fn cycle(account: &Account<'_>, required: &[&str], unset: &[&str]) -> Vec<String> {
    let before = (failing(&account.scan_with(required)), account.dump());
    let fixed = account.fix().args(required).run();
    let Some(run) = account.runs().pop() else { return vec![format!("there is nothing to fix: {}", told(&fixed))] };
    let left_out = run.plan["left_out"].as_array().unwrap();
    let mut problems = expect(i32::from(!left_out.is_empty()), &fixed);
    if run.holding() != run.all() {
        problems.push(format!("not all is done: {:?}", run.steps));
    }
    let after = failing(&account.scan_with(required));
    let new = after.difference(&before.0).filter(|subject| !unset.contains(&subject.0.as_str()));
    problems.extend(new.map(|subject| format!("{subject:?} fails now")));
    for aim in run.plan["findings"].as_array().unwrap() {
        let is = |subject: &&Subject| aim["rule"] == subject.0 && aim["resource"]["id"] == subject.3;
        problems.extend(after.iter().filter(is).map(|subject| format!("{subject:?} fails as before")));
    }
    let fixable = fixable();
    let unfixed = after.intersection(&before.0).filter(|subject| fixable.contains(&subject.0));
    for subject in unfixed {
        let why = left_out.iter().find(|left| left["rule"] == subject.0 && left["resource"]["id"] == subject.3);
        if why.is_none_or(|why| why["reason"].as_str().is_none_or(str::is_empty)) {
            problems.push(format!("{subject:?} fails, and nothing says why"));
        }
    }
    let again = account.plan().args(required).args(&["--format", "json"]).run().json();
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
    assert!(breakages.len() > 50, "{breakages:?}");
    let broken: BTreeSet<String> = breakages.iter().map(|name| rule_of(name)).collect();
    let never: Vec<&String> = fixable.difference(&broken).filter(|rule| guide().contains(*rule)).collect();
    assert!(never.is_empty(), "no account breaks {never:?}");

    let breakages = sample(breakages);
    let arguments = breakages.iter().flat_map(|name| ["--break", name.as_str()]);
    let made = emulator.seed_with(&[&["--matrix"], &arguments.collect::<Vec<_>>()[..]].concat());
    let accounts: Vec<(String, Account<'_>)> = made
        .as_array()
        .unwrap()
        .iter()
        .map(|seeded| (seeded["broken"].as_object().unwrap().keys().next().expect("something broken").clone(), seeded))
        .map(|(name, seeded)| (name, Account::new(&emulator, seeded)))
        .collect();
    let required = ["--param", "iam-role-uses-volume-key.required=true"];
    let cells: BTreeMap<String, Vec<String>> = threads().install(|| {
        accounts.par_iter().map(|(name, account)| (name.clone(), cycle(account, &required, &[]))).collect()
    });
    report(cells.into_iter().map(|(name, problems)| {
        let nothing = |problem: &String| problem.starts_with("there is nothing to fix") && problem.contains("Left out");
        let problems = if OUT_OF_REACH.contains(&name.as_str()) {
            problems.into_iter().filter(|problem| !nothing(problem)).collect()
        } else {
            problems
        };
        (name, problems)
    }));
}

/// The rules of the guide.
fn guide() -> BTreeSet<String> {
    let listed = Audit::new(&["rules", "list", "--format", "json", "--policy", "guide"]).run().json();
    listed["rules"].as_array().unwrap().iter().map(|rule| rule["id"].as_str().expect("an id").to_owned()).collect()
}

/// In three regions at once; the last of them without anything for sessions.
#[test]
fn everything_at_once_is_made_right_and_taken_back() {
    let emulator = Emulator::moto_alone();
    let account = Account::one(&emulator, &LARGEST);
    report([("everything".to_owned(), cycle(&account, &[], &[]))]);
}

#[test]
fn an_account_that_nobody_touched_is_made_right_and_taken_back() {
    let emulator = Emulator::moto_alone();
    let account = Account::one(&emulator, &["--untouched", "--region", "us-east-1", "--region", "eu-west-1"]);
    report([("untouched".to_owned(), cycle(&account.without_logging_bucket(), &[], &["s3-access-logging"]))]);
}
