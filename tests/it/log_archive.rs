//! Buckets of another account: what is known of them without that account, and with it.

use serde_json::Value;

use crate::audit::{Audit, verdicts};
use crate::emulator::{Emulator, fresh_account};

/// An account whose session bucket is that of a log archive.
fn account(vary: &str) -> (String, String) {
    let account = fresh_account();
    Emulator::moto().seed_with(&["--account", &account, "--region", "us-east-1", "--vary", vary]);
    let archive = format!("9{}", &account[1..]);
    (account, archive)
}

fn scan(account: &str, flags: &[&str], config: &str) -> Value {
    let mut audit = Audit::on(Emulator::moto(), account, "us-east-1", &["scan", "--format", "json"]);
    audit = audit.args(flags).file("ssm-audit.yaml", config);
    let scanned = audit.run();
    assert!(matches!(scanned.code, Some(0 | 1 | 3)), "{:?} {}", scanned.code, scanned.stderr);
    scanned.json()
}

fn log_archive(archive: &str) -> String {
    format!("log_archive: {{role: \"arn:aws:iam::{archive}:role/SsmAuditScan\"}}\n")
}

/// The verdicts other than `pass` of an account, with their messages.
fn open(report: &Value, account: &str) -> Vec<(String, String, String)> {
    let findings = report["findings"].as_array().unwrap().iter();
    let open = findings.filter(|finding| finding["verdict"] != "pass" && finding["resource"]["account"] == account);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    open.map(|finding| (text(&finding["rule"]), text(&finding["verdict"]), text(&finding["message"]))).collect()
}

#[test]
fn a_bucket_that_lets_nodes_only_write_is_known_to_exist_and_one_thing_is_unknown_that_says_what_to_do() {
    let (account, archive) = account("bucket-of-log-archive-that-admits");
    let report = scan(&account, &[], "");
    let open = open(&report, &account);
    assert_eq!(open.len(), 1, "{open:?}");
    let (rule, verdict, message) = &open[0];
    assert_eq!((rule.as_str(), verdict.as_str()), ("iam-role-writes-s3", "unknown"));
    assert!(
        message.contains(&format!("log-archive-{archive}")) && message.contains("log_archive: {role:"),
        "{message}"
    );
    let of_buckets = verdicts(&report).into_iter().filter(|((_, kind, ..), _)| kind == "AWS::S3::Bucket");
    assert_eq!(of_buckets.count(), 0, "the rules on buckets are evaluated where the bucket is owned");
}

#[test]
fn the_bucket_is_read_through_the_role_that_the_configuration_names() {
    let (admitted, archive) = account("bucket-of-log-archive-that-admits");
    assert_eq!(open(&scan(&admitted, &[], &log_archive(&archive)), &admitted), []);
    let (refused, archive) = account("bucket-of-log-archive");
    let open = open(&scan(&refused, &[], &log_archive(&archive)), &refused);
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!((open[0].0.as_str(), open[0].1.as_str()), ("iam-role-writes-s3", "fail"));
}

#[test]
fn the_bucket_is_read_in_the_account_that_owns_it_where_the_same_run_reads_that() {
    let (account, archive) = account("bucket-of-log-archive-that-admits");
    let accounts = format!("self,{archive}");
    let report = scan(&account, &["--accounts", &accounts, "--role", "SsmAuditScan"], "");
    assert_eq!(open(&report, &account), []);
}

#[test]
fn the_policies_that_are_printed_let_the_role_of_the_log_archive_be_assumed() {
    let printed = |purpose: &[&str]| {
        let printed =
            Audit::new(&["iam-policy"]).args(purpose).file("ssm-audit.yaml", &log_archive("999999999999")).run();
        assert_eq!(printed.code, Some(0), "{}", printed.stderr);
        printed.stdout
    };
    let role = "arn:aws:iam::999999999999:role/SsmAuditScan";
    assert!(printed(&["--for", "scan"]).contains(role));
    assert!(printed(&["--for", "scan", "--cloudformation"]).contains(role));
    assert!(printed(&["--for", "sweep", "--organization", "--role", "SsmAuditScan"]).contains(role));
}
