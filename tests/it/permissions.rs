//! `iam-policy --for scan`: what the selected rules need, and no more.

use std::collections::BTreeSet;

use crate::audit::Audit;
use crate::emulator::{Emulator, fresh_account};
use crate::proxy::Proxy;

/// The actions of the printed policy.
fn actions(arguments: &[&str]) -> BTreeSet<String> {
    let printed = Audit::new(&["iam-policy", "--for", "scan"]).args(arguments).run();
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    let policy = printed.json();
    let actions = policy["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|statement| statement["Action"].as_array().unwrap().clone());
    actions.map(|action| action.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_policy_of_the_guide_is_reviewed() {
    insta::assert_snapshot!(actions(&[]).into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn one_rule_needs_its_own_calls_only() {
    let only = actions(&["--rule", "ec2-imdsv2-required"]);
    assert_eq!(only, ["ec2:DescribeInstances", "ec2:DescribeRegions"].map(str::to_owned).into());
    let account = fresh_account();
    Emulator::moto().seed(&account, &["us-east-1"], &[]);
    let proxy = Proxy::start(Emulator::moto().url());
    let scanned = Audit::on(Emulator::moto(), &account, "us-east-1", &["scan", "--rule", "ec2-imdsv2-required"])
        .env("AWS_ENDPOINT_URL", &proxy.url())
        .run();
    assert_eq!(scanned.code, Some(0), "{}", scanned.stderr);
    assert_eq!(proxy.actions(), ["ec2:DescribeInstances", "sts:GetCallerIdentity"]);
}
