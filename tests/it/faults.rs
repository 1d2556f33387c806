//! The denied-read matrix: for every call that a scan of the guide makes, and for each way in which a call
//! can fail, no verdict turns into a pass, each verdict that needed the call is unknown and names it, and
//! every other verdict is what it was.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rayon::prelude::*;
use serde_json::Value;

use crate::audit::{Audit, Subject, verdicts};
use crate::emulator::{Emulator, fresh_account};
use crate::proxy::{Fault, Kind, Proxy};
use crate::sample::sample;

const KINDS: [Kind; 7] =
    [Kind::Denied, Kind::Throttled, Kind::ServerError, Kind::Hang, Kind::Cut, Kind::Truncated, Kind::Garbage];

/// Scans the account through a proxy with this fault.
fn scan(proxy: &Proxy, account: &str) -> Value {
    let arguments = ["scan", "--format", "json", "--cli-read-timeout", "3", "--call-timeout", "12"];
    let mut audit = Audit::on(Emulator::moto(), account, "us-east-1", &arguments)
        .file("ssm-audit.yaml", &log_archive(account))
        .env("AWS_ENDPOINT_URL", &proxy.url())
        .env("AWS_MAX_ATTEMPTS", "2");
    let scanned = audit.run();
    assert!(matches!(scanned.code, Some(0 | 1 | 3)), "{:?} {}", scanned.code, scanned.stderr);
    scanned.json()
}

/// The configuration that names the account that keeps the logs of this one.
fn log_archive(account: &str) -> String {
    format!("log_archive: {{role: \"arn:aws:iam::9{}:role/SsmAuditScan\"}}\n", &account[1..])
}

/// The calls that each finding needs, by rule: `rules explain` derives them from what the rule reads.
fn calls_by_rule() -> BTreeMap<String, BTreeSet<String>> {
    let listed = Audit::new(&["rules", "list", "--format", "json"]).run().json();
    let rules = listed["rules"].as_array().unwrap();
    rules
        .iter()
        .map(|rule| {
            let calls = rule["calls"].as_array().unwrap().iter().map(|call| call.as_str().unwrap().to_owned());
            (rule["id"].as_str().unwrap().to_owned(), calls.collect())
        })
        .collect()
}

/// The calls that only the second account needs, and those of the third, whose bucket is another account's.
const OF_ENDPOINTS: [&str; 3] =
    ["ec2:DescribeVpcEndpoints", "ec2:DescribeNetworkInterfaces", "ec2:GetManagedPrefixListEntries"];
const OF_ARCHIVE: [&str; 3] = ["s3:ListBuckets", "s3:GetBucketOwnershipControls", "organizations:DescribeOrganization"];
/// Calls that the first account makes for its own bucket, and the third for another account's.
const ALSO_OF_ARCHIVE: [&str; 3] = ["s3:GetBucketPolicy", "s3:GetBucketEncryption", "kms:GetKeyPolicy"];

/// An account with the verdicts of a calm scan and the calls to fail; one of those calls; and how it fails.
type Cell<'a> = (&'a (&'a String, BTreeMap<Subject, String>, BTreeSet<String>), &'a String, Kind);

/// Scans three accounts, the others for the calls that the first does without: the instances of the second reach the
/// endpoints of their VPC by a prefix list, so that reading endpoints and lists decides; the bucket of the third is
/// that of a log archive, whose policy admits an organisation.
#[test]
fn a_read_that_fails_never_becomes_a_pass() {
    // Half of the rules hold and half are broken, so that fails and passes both are at stake.
    let broken = [
        "ec2-detailed-monitoring",
        "sg-rules-described",
        "iam-role-s3-scoped",
        "kms-rotation-enabled",
        "logs-retention-set",
        "s3-access-logging",
        "ssm-idle-timeout",
        "ssm-agent-current",
    ];
    let first = fresh_account();
    Emulator::moto().seed(&first, &["us-east-1"], &broken);
    let second = fresh_account();
    let varied = ["--vary", "egress-to-prefix-list", "--vary", "guide-policies"];
    Emulator::moto().seed_with(&[&["--account", &second, "--region", "us-east-1"][..], &varied].concat());

    let third = fresh_account();
    let archived = ["--vary", "bucket-of-log-archive-that-admits"];
    Emulator::moto().seed_with(&[&["--account", &third, "--region", "us-east-1"][..], &archived].concat());

    let of_first = |action: &str| !OF_ENDPOINTS.contains(&action) && !OF_ARCHIVE.contains(&action);
    let of_second = |action: &str| OF_ENDPOINTS.contains(&action);
    let of_third = |action: &str| OF_ARCHIVE.contains(&action) || ALSO_OF_ARCHIVE.contains(&action);
    #[expect(clippy::type_complexity, reason = "one line, read once")]
    let chosen: [(_, &dyn Fn(&str) -> bool); 3] = [(&first, &of_first), (&second, &of_second), (&third, &of_third)];
    let accounts = chosen.map(|(account, chosen)| {
        let calm = Proxy::start(Emulator::moto().url());
        let before = verdicts(&scan(&calm, account));
        // Who is calling, and the way into the log archive, is asked before anything is read.
        let asked = calm.actions().into_iter().filter(|action| !action.starts_with("sts:"));
        let actions: BTreeSet<String> = asked.filter(|action| chosen(action)).collect();
        (account, before, actions)
    });
    assert!(accounts[2].1.iter().all(|(_, verdict)| verdict == "pass"), "{:?}", accounts[2].1);
    let calls = calls_by_rule();
    let all: BTreeSet<&String> = calls.values().flatten().collect();
    let asked: BTreeSet<&String> = accounts.iter().flat_map(|(_, _, actions)| actions).collect();
    assert_eq!(asked, all, "the accounts do not need every call of the guide");

    let cells: Vec<_> = accounts
        .iter()
        .flat_map(|account| account.2.iter().flat_map(move |action| KINDS.map(|kind| (account, action, kind))))
        .collect();
    let cells = sample(cells);
    // More threads than cores: most of the time is spent waiting for what does not answer.
    let threads = rayon::ThreadPoolBuilder::new().num_threads(8).build().unwrap();
    let check = |&((account, before, _), action, kind): &Cell<'_>| {
        let proxy = Proxy::start(Emulator::moto().url());
        proxy.inject(Fault::on(action, kind));
        let report = scan(&proxy, account);
        if !proxy.calls().iter().any(|call| call.fault.is_some()) {
            // The answer to HEAD has no body that could be broken.
            assert_eq!(action.as_str(), "s3:HeadBucket", "{kind:?} never fired");
            return Vec::new();
        }
        // An error is one whatever is left of its body, and some say what a resource is without.
        let struck: Vec<_> = proxy.calls().into_iter().filter(|call| call.fault.is_some()).collect();
        if kind == Kind::Truncated && struck.iter().all(|call| call.status.is_some_and(|status| status >= 400)) {
            return verdicts(&report)
                .into_iter()
                .filter(|(subject, now)| now != "unknown" && before.get(subject) != Some(now))
                .map(|(subject, now)| format!("{action} {kind:?}: {subject:?} is {now}"))
                .collect();
        }
        problems(action, kind, before, &report, &calls)
    };
    let wrong: Vec<String> = threads.install(|| cells.par_iter().flat_map_iter(check).collect());
    assert!(wrong.is_empty(), "{} problems:\n{}", wrong.len(), wrong.join("\n"));
}

fn problems(
    action: &str,
    kind: Kind,
    before: &BTreeMap<Subject, String>,
    report: &Value,
    calls: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let after = regardless_of_bucket_regions(&verdicts(report));
    let before = &regardless_of_bucket_regions(before);
    let mut wrong = Vec::new();
    let mut problem = |subject: &Subject, text: &str| wrong.push(format!("{action} {kind:?}: {subject:?} {text}"));
    for (subject, was) in before {
        let needs = calls.get(&subject.0).is_some_and(|calls| calls.contains(action));
        let any = (subject.0.clone(), subject.1.clone(), subject.2.clone(), "*".to_owned());
        match after.get(subject).or_else(|| after.get(&any)) {
            None => problem(subject, "vanished"),
            Some(now) if now == was => {}
            Some(now) if now == "unknown" && needs => {}
            Some(now) if now == "unknown" => {
                problem(subject, &format!("was {was}, is unknown, and does not need the call"));
            }
            Some(now) => problem(subject, &format!("was {was}, is {now}")),
        }
    }
    for finding in report["findings"].as_array().unwrap().iter().filter(|finding| finding["verdict"] == "unknown") {
        let gaps = finding["gaps"].as_array().unwrap();
        if !gaps.iter().any(|gap| gap["call"] == action) {
            wrong.push(format!(
                "{action} {kind:?}: {} on {} does not name it: {gaps:?}",
                finding["rule"], finding["resource"]["id"]
            ));
        }
    }
    if !after.values().any(|verdict| verdict == "unknown") {
        wrong.push(format!("{action} {kind:?}: nothing is unknown"));
    }
    let complete = report["scopes"].as_array().unwrap().iter().all(|scope| scope["complete"] == true);
    if complete {
        wrong.push(format!("{action} {kind:?}: every scope says that it is complete"));
    }
    wrong
}

/// The region of a bucket is read like the rest, and may be what is not known.
fn regardless_of_bucket_regions(verdicts: &BTreeMap<Subject, String>) -> BTreeMap<Subject, String> {
    let place = |subject: &Subject| match subject.1.as_str() {
        "AWS::S3::Bucket" => String::new(),
        _ => subject.2.clone(),
    };
    verdicts
        .iter()
        .map(|(subject, verdict)| {
            ((subject.0.clone(), subject.1.clone(), place(subject), subject.3.clone()), verdict.clone())
        })
        .collect()
}

#[test]
fn slow_answers_are_waited_for() {
    let account = fresh_account();
    Emulator::moto().seed(&account, &["us-east-1"], &[]);
    let proxy = Proxy::start(Emulator::moto().url());
    proxy.inject(Fault::on("*", Kind::Late(Duration::from_millis(200))));
    let report = scan(&proxy, &account);
    assert!(verdicts(&report).values().all(|verdict| verdict == "pass"), "{report:#}");
}
