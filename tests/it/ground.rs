//! The ground that fixes are tested on: that the emulator refuses what AWS refuses, that the accounts to fix
//! are as broken as they say, and that a dump of an account shows a change.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::audit::{Audit, verdicts};
use crate::emulator::{Emulator, differences, fresh_account, fresh_accounts, iam};
use crate::proxy::{Fault, Kind, Proxy};

/// What fails in the account: rule and id of the resource.
fn fails(account: &str, regions: &str) -> BTreeSet<(String, String)> {
    let arguments = ["scan", "--format", "json", "--regions", regions];
    let required = ["--param", "iam-role-uses-volume-key.required=true"];
    let scanned = Audit::on(Emulator::moto(), account, "us-east-1", &[&arguments[..], &required].concat()).run();
    assert_eq!(scanned.code, Some(1), "{}", scanned.stderr);
    let verdicts = verdicts(&scanned.json()).into_iter();
    verdicts.filter(|(_, verdict)| verdict == "fail").map(|((rule, _, _, id), _)| (rule, id)).collect()
}

#[test]
fn the_emulator_does_what_aws_documents() {
    assert_eq!(Emulator::moto().check(&fresh_account()), json!([]));
}

#[test]
fn everything_that_is_to_be_broken_at_once_is() {
    let account = fresh_account();
    let regions = ["--region", "us-east-1", "--region", "eu-west-1", "--region", "ap-south-1"];
    let seeded = Emulator::moto().seed_with(&[&["--account", &account, "--break-everything"][..], &regions].concat());
    let mut expected = BTreeSet::new();
    for (name, resources) in seeded["broken"].as_object().unwrap() {
        let rule = name.split('.').next().unwrap();
        let ids = resources.as_array().unwrap().iter().map(|resource| resource["id"].as_str().unwrap());
        expected.extend(ids.map(|id| (rule.to_owned(), id.to_owned())));
    }
    assert_eq!(fails(&account, "us-east-1,eu-west-1,ap-south-1"), expected);
}

#[test]
fn an_account_that_nobody_touched_lacks_all_that_a_fix_makes() {
    let account = fresh_account();
    Emulator::moto().seed_with(&["--account", &account, "--untouched"]);
    let failed: BTreeSet<String> = fails(&account, "us-east-1").into_iter().map(|(rule, _)| rule).collect();
    for rule in ["ec2-instance-profile-attached", "ssm-preferences-exist", "ec2-root-volume-encrypted"] {
        assert!(failed.contains(rule), "{rule} does not fail: {failed:?}");
    }
    let dump = Emulator::moto().dump(&account, &["us-east-1"]);
    for what in ["roles", "instance_profiles"] {
        assert_eq!(dump[what], json!({}), "{what}");
    }
    for what in ["keys", "log_groups", "buckets", "documents"] {
        assert_eq!(dump["regions"]["us-east-1"][what], json!({}), "{what}");
    }
}

#[test]
fn every_hazard_is_something_to_fix() {
    let account = fresh_account();
    let names = crate::emulator::names()["hazards"].as_array().unwrap();
    let mut arguments = vec!["--account", account.as_str()];
    arguments.extend(names.iter().flat_map(|name| ["--hazard", name.as_str().unwrap()]));
    let seeded = Emulator::moto().seed_with(&arguments);
    let failed = fails(&account, "us-east-1");
    for (name, made) in seeded["hazards"].as_object().unwrap() {
        let (rule, id) = (made["rule"].as_str().unwrap(), made["resource"].as_str().unwrap());
        assert!(failed.contains(&(rule.to_owned(), id.to_owned())), "{name}: {rule} does not fail on {id}");
    }
}

#[test]
fn a_dump_is_the_same_twice_and_shows_what_changed() {
    let (account, region) = (fresh_account(), ["us-east-1"]);
    let seeded = Emulator::moto().seed(&account, &region, &[]);
    let before = Emulator::moto().dump(&account, &region);
    assert_eq!(differences(&before, &Emulator::moto().dump(&account, &region)), []);

    let role = seeded["role"].as_str().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let iam = iam(Emulator::moto(), &account);
    runtime.block_on(iam.delete_role_policy().role_name(role).policy_name("volume-key").send()).unwrap();
    let changed = differences(&before, &Emulator::moto().dump(&account, &region));
    let [(path, was, is)] = &changed[..] else { panic!("{changed:?}") };
    assert_eq!((path.as_str(), was.is_object(), is), ("/roles/ssm-ec2-role/inline/volume-key", true, &Value::Null));
}

/// Not one is left out, and what is done to one is not done to the others.
#[test]
fn copies_of_an_account_are_alike_and_apart() {
    let accounts = fresh_accounts(3);
    let seeded = Emulator::moto().seed_with(&["--account", &accounts[0], "--copies", "3", "--hazard", "plain-root"]);
    let numbers: Vec<&str> = seeded.as_array().unwrap().iter().map(|one| one["account"].as_str().unwrap()).collect();
    assert_eq!(numbers, accounts);
    let rules: BTreeSet<Vec<String>> = accounts
        .iter()
        .map(|account| fails(account, "us-east-1").into_iter().map(|(rule, _)| rule).collect())
        .collect();
    assert_eq!(rules, [vec!["ec2-root-volume-encrypted".to_owned()]].into());
}

/// What the crash matrix rests on: a program that was killed while its call is held has not changed anything.
#[test]
fn a_call_that_is_held_dies_with_its_program() {
    let (account, region) = (fresh_account(), ["us-east-1"]);
    Emulator::moto().seed(&account, &region, &[]);
    let proxy = Proxy::start(Emulator::moto().url());
    proxy.inject(Fault::on("kms:*", Kind::HoldBefore).nth(1));
    let mut scan = Audit::on(Emulator::moto(), &account, "us-east-1", &["scan"]).env("AWS_ENDPOINT_URL", &proxy.url());
    let mut running = scan.command().spawn().unwrap();
    let held = proxy.held(Duration::from_secs(30)).unwrap();
    running.kill().unwrap();
    running.wait().unwrap();
    drop(held);
    proxy.settle();
    let reached = |start: &str| proxy.calls().iter().any(|call| call.action.starts_with(start) && call.reached);
    assert_eq!((reached("ec2:"), proxy.mutating_calls().len()), (true, 0));
    assert!(proxy.calls().iter().any(|call| call.fault == Some(Kind::HoldBefore) && !call.reached));
}
