//! `iam-policy --for scan`: what the selected rules need, and no more.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::audit::Audit;
use crate::emulator::{Emulator, fresh_account, iam};
use crate::proxy::Proxy;
use crate::sample::sample;

/// The printed policy.
fn policy(arguments: &[&str]) -> Value {
    let printed = Audit::new(&["iam-policy", "--for", "scan"]).args(arguments).run();
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    printed.json()
}

/// The actions of the printed policy.
fn actions(arguments: &[&str]) -> BTreeSet<String> {
    let policy = policy(arguments);
    let actions = policy["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|statement| statement["Action"].as_array().unwrap().clone());
    actions.map(|action| action.as_str().unwrap().to_owned()).collect()
}

/// The IAM action that a call needs; none for what nobody can be denied. Written down from the Service
/// Authorization Reference and not taken from the tool, whose own table is what is tested here.
fn action_of(call: &str) -> Option<&str> {
    match call {
        // <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>, and the way into the
        // account that the configuration names.
        "sts:GetCallerIdentity" | "sts:AssumeRole" => None,
        "s3:ListBuckets" => Some("s3:ListAllMyBuckets"),
        // <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>
        "s3:HeadBucket" => Some("s3:ListBucket"),
        "s3:GetBucketEncryption" => Some("s3:GetEncryptionConfiguration"),
        "s3:GetObjectLockConfiguration" => Some("s3:GetBucketObjectLockConfiguration"),
        call => Some(call),
    }
}

fn needed_by<'c>(calls: impl IntoIterator<Item = &'c String>) -> BTreeSet<String> {
    calls.into_iter().filter_map(|call| action_of(call)).map(str::to_owned).collect()
}

/// The calls that were denied, as the scopes of a report say.
fn denied(report: &Value) -> BTreeSet<String> {
    let scopes = report["scopes"].as_array().unwrap().iter();
    let gaps = scopes.flat_map(|scope| scope["gaps"].as_array().unwrap());
    let denied = gaps.filter(|gap| gap["kind"] == "denied");
    denied.map(|gap| gap["call"].as_str().unwrap().to_owned()).collect()
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

/// The policy has what a scan calls, on accounts that lead to everything that there is to be read, and
/// nothing else.
#[test]
fn the_policy_is_what_a_scan_calls() {
    let plain = fresh_account();
    Emulator::moto().seed(&plain, &["us-east-1"], &[]);
    let varied = fresh_account();
    let vary = ["--vary", "egress-to-prefix-list", "--vary", "guide-policies"];
    Emulator::moto().seed_with(&[&["--account", &varied, "--region", "us-east-1"][..], &vary].concat());
    let archived = fresh_account();
    let vary = ["--vary", "bucket-of-log-archive-that-admits"];
    Emulator::moto().seed_with(&[&["--account", &archived, "--region", "us-east-1"][..], &vary].concat());
    let archive = format!("log_archive: {{role: \"arn:aws:iam::9{}:role/SsmAuditScan\"}}\n", &archived[1..]);
    let proxy = Proxy::start(Emulator::moto().url());
    let scan = |account: &str, arguments: &[&str]| {
        let audit = Audit::on(Emulator::moto(), account, "us-east-1", &["scan", "--format", "json"]);
        let config = if *account == archived { archive.as_str() } else { "" };
        let audit = audit.args(arguments).file("ssm-audit.yaml", config);
        let scanned = audit.env("AWS_ENDPOINT_URL", &proxy.url()).run();
        assert_eq!(scanned.code, Some(0), "{}", scanned.stderr);
    };
    scan(&plain, &[]);
    scan(&varied, &[]);
    scan(&archived, &[]);
    // Which regions there are is asked for with this flag only; few calls in each of them will do.
    scan(&plain, &["--regions", "all", "--rule", "s3-*"]);
    assert_eq!(needed_by(&proxy.actions()), actions(&[]));
}

/// Who has the printed policy is denied nothing, and who lacks an action of it is denied a call that needs
/// it: on a server that enforces policies, and whose own table of calls and actions was written by others.
#[test]
fn the_policy_is_enough_and_every_action_of_it_is_needed() {
    const ACCOUNT: &str = "123456789012";
    let server = Emulator::ministack_with_authorization();
    let place = ["--account", ACCOUNT, "--region", "us-east-1"];
    // It has no documents: the preferences, which lead to bucket, log group and keys, are moto's.
    server.seed_with(&[&place[..], &["--ssm-endpoint-url", Emulator::moto().url()]].concat());
    let whole = policy(&[]);
    let user = server.seed_with(&[&place[..], &["--user-policy", &whole.to_string()]].concat());
    let proxy = Proxy::start(server.url());
    let scan = |ssm: &str| {
        let mut audit = Audit::new(&["scan", "--format", "json", "--region", "us-east-1"])
            .env("AWS_ENDPOINT_URL", &proxy.url())
            .env("AWS_ENDPOINT_URL_SSM", ssm);
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            audit = audit.env(name, user["credentials"][name].as_str().unwrap());
        }
        let scanned = audit.run();
        assert!(matches!(scanned.code, Some(0 | 1 | 3)), "{:?} {}", scanned.code, scanned.stderr);
        scanned.json()
    };
    let (preferences, none) = (Emulator::moto().url(), proxy.url());
    for ssm in [preferences, &none] {
        let denied = denied(&scan(ssm));
        assert!(denied.is_empty(), "with the whole policy, {denied:?}");
    }
    let calls = proxy.actions();
    let needed = needed_by(&calls);
    let not_asked: Vec<String> = actions(&[]).difference(&needed).cloned().collect();
    // Asked for with `--regions all`; what depends on the groups and the interfaces of instances and endpoints, of
    // which this server does not tell; and what a bucket of another account, or a policy on organisations, asks for.
    let expected = [
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeRegions",
        "ec2:DescribeSecurityGroups",
        "ec2:GetManagedPrefixListEntries",
        "organizations:DescribeOrganization",
        "s3:GetBucketOwnershipControls",
        "s3:ListAllMyBuckets",
    ];
    assert_eq!(not_asked, expected);

    let iam = iam(server, ACCOUNT);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for action in sample(needed.iter().collect()) {
        let rest: BTreeSet<&String> = needed.iter().filter(|other| *other != action).collect();
        let statement = json!({"Effect": "Allow", "Action": rest, "Resource": "*"});
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        let put = iam.put_user_policy().user_name(user["user"].as_str().unwrap()).policy_name("given");
        runtime.block_on(put.policy_document(policy).send()).unwrap();
        let mut lost: BTreeSet<String> = calls.iter().filter(|call| action_of(call) == Some(action)).cloned().collect();
        // Where a bucket does not say whether it is there, the list of the account's buckets does, which is not allowed.
        if lost.remove("s3:HeadBucket") {
            lost.insert("s3:ListBuckets".to_owned());
        }
        let ssm = if action.starts_with("ssm:") { &none } else { preferences };
        assert_eq!(denied(&scan(ssm)), lost, "without {action}");
    }
}
