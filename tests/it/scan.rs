//! Verdicts: an account that holds to the guide, and accounts that break each rule in turn.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde_json::Value;

use crate::audit::{Audit, verdicts};
use crate::emulator::{Emulator, fresh_account, names};
use crate::proxy::{Fault, Kind, Proxy};

/// The rules of the policy, as the binary lists them.
fn guide() -> BTreeSet<String> {
    let listed = Audit::new(&["rules", "list", "--format", "json"]).run();
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    let listed = listed.json();
    listed["rules"].as_array().unwrap().iter().map(|rule| rule["id"].as_str().unwrap().to_owned()).collect()
}

fn scan(account: &str, region: &str) -> (Option<i32>, Value) {
    let arguments = ["scan", "--format", "json", "--param", "iam-role-uses-volume-key.required=true"];
    let scanned = Audit::on(Emulator::moto(), account, region, &arguments).run();
    assert!(matches!(scanned.code, Some(0 | 1 | 3)), "{}", scanned.stderr);
    (scanned.code, scanned.json())
}

#[test]
fn an_account_that_holds_to_the_guide_passes_every_rule() {
    let account = fresh_account();
    Emulator::moto().seed(&account, &["us-east-1"], &[]);
    let (code, report) = scan(&account, "us-east-1");
    let other: Vec<_> = verdicts(&report).into_iter().filter(|(_, verdict)| verdict != "pass").collect();
    assert_eq!(other, [], "{report:#}");
    assert_eq!(code, Some(0));
    let held: BTreeSet<String> = verdicts(&report).into_keys().map(|(rule, ..)| rule).collect();
    // Those that speak of nothing in this account: judged in code only, and about flags that it leaves
    // as the guide has them.
    let silent: Vec<String> = guide().difference(&held).cloned().collect();
    assert_eq!(silent, ["kms-deletion-window", "ssm-encryption-flags-satisfiable"]);
}

#[test]
fn other_partitions_have_their_own_arns_and_principals() {
    for region in ["cn-north-1", "us-gov-west-1"] {
        let account = fresh_account();
        Emulator::moto().seed(&account, &[region], &[]);
        let (code, report) = scan(&account, region);
        let other: Vec<_> = verdicts(&report).into_iter().filter(|(_, verdict)| verdict != "pass").collect();
        assert_eq!(other, [], "{region}: {report:#}");
        assert_eq!(code, Some(0));
        let partition = if region.starts_with("cn") { "aws-cn" } else { "aws-us-gov" };
        for finding in report["findings"].as_array().unwrap() {
            let arn = finding["resource"]["arn"].as_str().unwrap();
            assert!(arn.starts_with(&format!("arn:{partition}:")), "{arn}");
        }
    }
}

#[test]
fn a_region_in_which_nothing_is_referred_to_costs_ten_calls_at_most() {
    let account = fresh_account();
    let regions = ["eu-west-1", "us-east-1"];
    Emulator::moto().seed_with(&["--account", &account, "--untouched", "--region", regions[0], "--region", regions[1]]);
    let proxy = Proxy::start(Emulator::moto().url());
    let scanned = Audit::on(Emulator::moto(), &account, regions[0], &["scan", "--regions", &regions.join(","), "-q"])
        .env("AWS_ENDPOINT_URL", &proxy.url())
        .run();
    assert_eq!(scanned.code, Some(1), "{}", scanned.stderr);
    for region in regions {
        let calls = proxy.calls().into_iter().filter(|call| call.region == region && !call.action.starts_with("sts:"));
        let calls: Vec<String> = calls.map(|call| call.action).collect();
        assert!((1..=10).contains(&calls.len()), "{region}: {calls:?}");
    }
}

/// What is on the pages after the first is judged too.
#[test]
fn instances_on_all_pages_are_judged() {
    let account = fresh_account();
    Emulator::moto().seed_with(&["--account", &account, "--bare", "--instances", "5"]);
    let proxy = Proxy::start(Emulator::moto().url());
    let scan = || {
        let audit = Audit::on(Emulator::moto(), &account, "us-east-1", &["scan", "--format", "json", "-q"])
            .env("AWS_ENDPOINT_URL", &proxy.url())
            .run();
        verdicts(&audit.json())
    };
    let calm = scan();
    let asked = || proxy.calls().iter().filter(|call| call.action == "ec2:DescribeInstances").count();
    assert_eq!(asked(), 1);
    proxy.inject(Fault::on("ec2:DescribeInstances", Kind::ShortPages));
    assert_eq!(scan(), calm);
    assert_eq!(asked(), 1 + 3);
    assert_eq!(calm.keys().filter(|subject| subject.0 == "ec2-imdsv2-required").count(), 5);
}

/// Every breakage makes just its rule fail, with the rules that rightly fail beside it; every variation
/// that holds leaves every verdict at pass.
#[test]
fn every_rule_is_broken_in_turn() {
    let made = Emulator::moto().seed_with(&["--matrix"]);
    let accounts = made.as_array().unwrap();
    assert!(accounts.len() > 100);
    let wrong: Vec<String> = accounts.par_iter().flat_map_iter(problems).collect();
    assert!(wrong.is_empty(), "{} problems:\n{}", wrong.len(), wrong.join("\n"));
    let broken: BTreeSet<String> = names()["breakages"]
        .as_object()
        .unwrap()
        .keys()
        .map(|name| name.split('.').next().unwrap().to_owned())
        .chain(names()["not_expressible"].as_object().unwrap().keys().cloned())
        .collect();
    let never: Vec<String> = guide().difference(&broken).cloned().collect();
    assert!(never.is_empty(), "no account breaks {never:?}");
}

/// What is wrong with the verdicts on an account of the matrix.
fn problems(account: &Value) -> Vec<String> {
    let id = account["account"].as_str().unwrap();
    let (_, report) = scan(id, "us-east-1");
    let verdicts = verdicts(&report);
    let mut wrong = Vec::new();
    let mut expected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let empty = serde_json::Map::new();
    for (name, resources) in account["broken"].as_object().unwrap_or(&empty) {
        let rule = name.split('.').next().unwrap();
        for resource in resources.as_array().unwrap() {
            let found = verdicts.iter().any(|((finding, kind, _, id), verdict)| {
                finding == rule && resource["type"] == **kind && resource["id"] == **id && verdict == "fail"
            });
            if !found {
                wrong.push(format!("{name}: {rule} does not fail on {resource}"));
            }
        }
        expected.entry(rule.to_owned()).or_default().insert("fail".to_owned());
        for also in names()["breakages"][name].as_array().unwrap() {
            expected.entry(also.as_str().unwrap().to_owned()).or_default().insert("fail".to_owned());
        }
    }
    for name in account["varied"].as_object().unwrap_or(&empty).keys() {
        for (rule, verdict) in names()["variations"][name].as_object().unwrap_or(&empty) {
            expected.entry(rule.clone()).or_default().insert(verdict.as_str().unwrap().to_owned());
        }
    }
    let label: Vec<&String> =
        ["broken", "varied"].iter().flat_map(|kind| account[*kind].as_object().unwrap_or(&empty).keys()).collect();
    for ((rule, kind, _, id), verdict) in &verdicts {
        let right = expected.get(rule).is_some_and(|allowed| allowed.contains(verdict)) || verdict == "pass";
        if !right {
            let finding = report["findings"]
                .as_array()
                .unwrap()
                .iter()
                .find(|finding| finding["rule"] == **rule && finding["resource"]["id"] == **id)
                .unwrap();
            wrong.push(format!("{label:?}: {rule} is {verdict} on {kind} {id}: {}", finding["message"]));
        }
    }
    for (rule, allowed) in &expected {
        for verdict in allowed {
            if !verdicts.iter().any(|((finding, ..), found)| finding == rule && found == verdict) {
                wrong.push(format!("{label:?}: no finding of {rule} is {verdict}"));
            }
        }
    }
    wrong
}

#[test]
fn two_scans_of_one_state_differ_in_their_times_only() {
    let account = fresh_account();
    Emulator::moto().seed(&account, &["us-east-1", "eu-west-1"], &["sg-no-ingress", "kms-rotation-enabled"]);
    let scan = || {
        let mut audit = Audit::on(
            Emulator::moto(),
            &account,
            "us-east-1",
            &["scan", "--format", "json", "--regions", "eu-west-1,us-east-1"],
        );
        let mut report = audit.run().json();
        for time in ["started_at", "finished_at"] {
            report[time] = Value::Null;
        }
        report.to_string()
    };
    assert_eq!(scan(), scan());
}

#[test]
fn a_snapshot_gives_the_verdicts_that_the_account_gives() {
    let account = fresh_account();
    Emulator::moto().seed(&account, &["us-east-1"], &["ec2-imdsv2-required", "logs-retention-set"]);
    let (_, live) = scan(&account, "us-east-1");
    let mut collect = Audit::on(
        Emulator::moto(),
        &account,
        "us-east-1",
        &["collect", "-o", "account.json", "--param", "iam-role-uses-volume-key.required=true"],
    );
    let collected = collect.run();
    assert_eq!((collected.code, collected.stdout.as_str()), (Some(0), ""), "{}", collected.stderr);
    let snapshot = std::fs::read_to_string(collect.folder().join("account.json")).unwrap();
    let scanned =
        Audit::new(&["scan", "account.json", "--format", "json", "--param", "iam-role-uses-volume-key.required=true"])
            .file("account.json", &snapshot)
            .run();
    assert_eq!(scanned.code, Some(1), "{}", scanned.stderr);
    let saved = scanned.json();
    for part in ["findings", "scopes", "summary"] {
        // Not `assert_eq`: nobody could read what it prints.
        assert!(saved[part] == live[part], "{part} of the snapshot are not those of the account");
    }
}
