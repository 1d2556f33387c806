//! What a scan prints: the JSON report on which others build, and the table that people read.

use serde_json::Value;

use crate::audit::Audit;
use crate::emulator::{Emulator, fresh_account};
use crate::proxy::{Fault, Kind, Proxy};

/// An account of the table's own: its number stands in what is printed.
const ACCOUNT: &str = "600000000001";

/// The members of each part of a report, in the order of the contract.
const REPORT: [&str; 10] = [
    "kind",
    "schema_version",
    "tool",
    "started_at",
    "finished_at",
    "policy",
    "provenance",
    "scopes",
    "summary",
    "findings",
];
const TOOL: [&str; 3] = ["name", "version", "rules_digest"];
const SCOPE: [&str; 5] = ["source", "account", "region", "complete", "gaps"];
const SUMMARY: [&str; 5] = ["pass", "fail", "unknown", "waived", "not_applicable"];
const FINDING: [&str; 12] = [
    "rule",
    "severity",
    "verdict",
    "message",
    "resource",
    "location",
    "related",
    "evidence",
    "gaps",
    "waiver",
    "remediation",
    "fingerprint",
];
const RESOURCE: [&str; 7] = ["type", "id", "arn", "name", "account", "region", "address"];
const EVIDENCE: [&str; 2] = ["path", "value"];
const WAIVER: [&str; 5] = ["verdict", "reason", "owner", "expires", "source"];

fn members(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

/// A report with everything in it: two regions, passes, fails, unknowns for a read and for a whole type, and
/// waived ones.
fn rich() -> Value {
    let account = fresh_account();
    let broken = ["ec2-imdsv2-required", "logs-retention-set", "sg-no-ingress", "kms-rotation-enabled"];
    Emulator::moto().seed(&account, &["us-east-1", "eu-west-1"], &broken);
    let proxy = Proxy::start(Emulator::moto().url());
    proxy.inject(Fault::on("s3:GetBucketTagging", Kind::Denied).in_region("us-east-1"));
    proxy.inject(Fault::on("ec2:DescribeInstances", Kind::Denied).in_region("eu-west-1"));
    let config = "waivers:\n\
                  - {rule: logs-retention-set, resource: '*', reason: tests, owner: us, expires: 2999-12-31}\n\
                  - {rule: s3-required-tags, resource: '*', reason: tests}\n";
    let arguments = ["scan", "--format", "json", "--regions", "us-east-1,eu-west-1"];
    let scanned = Audit::on(Emulator::moto(), &account, "us-east-1", &arguments)
        .env("AWS_ENDPOINT_URL", &proxy.url())
        .file("ssm-audit.yaml", config)
        .run();
    assert_eq!(scanned.code, Some(1), "{}", scanned.stderr);
    let report = scanned.json();
    for verdict in ["pass", "fail", "unknown", "waived"] {
        let found = array(&report["findings"]).iter().filter(|finding| finding["verdict"] == verdict).count();
        assert!(found > 0, "nothing is {verdict}");
        assert_eq!(report["summary"][verdict], found);
    }
    for was in ["fail", "unknown"] {
        assert!(array(&report["findings"]).iter().any(|finding| finding["waiver"]["verdict"] == was), "none was {was}");
    }
    assert!(array(&report["findings"]).iter().any(|finding| finding["resource"]["id"] == "*"));
    report
}

#[test]
fn the_json_report_is_what_the_contract_says() {
    let report = rich();
    let schema: Value = serde_json::from_str(include_str!("../../schemas/report.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<String> = schema.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");

    assert_eq!(members(&report), REPORT);
    assert_eq!((&report["kind"], &report["schema_version"]), (&"ssm-audit/report".into(), &1.into()));
    assert_eq!(members(&report["tool"]), TOOL);
    assert_eq!(members(&report["summary"]), SUMMARY);
    for scope in array(&report["scopes"]) {
        assert_eq!(members(scope), SCOPE);
    }
    for finding in array(&report["findings"]) {
        assert_eq!(members(finding), FINDING);
        assert_eq!(members(&finding["resource"]), RESOURCE);
        for evidence in array(&finding["evidence"]) {
            assert_eq!(members(evidence), EVIDENCE);
        }
        let waived = finding["verdict"] == "waived";
        assert_eq!(finding["waiver"].is_object(), waived, "{finding:#}");
        if waived {
            assert_eq!(members(&finding["waiver"]), WAIVER);
        }
        let unknown = finding["verdict"] == "unknown" || finding["waiver"]["verdict"] == "unknown";
        assert_eq!(!array(&finding["gaps"]).is_empty(), unknown, "{finding:#}");
        let fingerprint = finding["fingerprint"].as_str().unwrap();
        assert!(fingerprint.len() == 64 && fingerprint.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f')));
    }
}

#[test]
fn findings_stand_by_account_region_type_id_and_rule() {
    let report = rich();
    let order: Vec<Vec<&str>> = array(&report["findings"])
        .iter()
        .map(|finding| {
            let resource = &finding["resource"];
            let parts =
                [&resource["account"], &resource["region"], &resource["type"], &resource["id"], &finding["rule"]];
            // What has no region stands before what has one.
            parts.map(|part| part.as_str().unwrap_or_default()).to_vec()
        })
        .collect();
    let wrong = order.windows(2).find(|pair| pair[0] >= pair[1]);
    assert_eq!(wrong, None);
    let mut fingerprints: Vec<&Value> = array(&report["findings"]).iter().map(|it| &it["fingerprint"]).collect();
    fingerprints.sort_by_key(|it| it.as_str());
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), order.len(), "two findings have one fingerprint");
}

#[test]
fn the_table_is_reviewed() {
    let broken = [
        "ec2-imdsv2-required",
        "logs-retention-set",
        "sg-no-ingress",
        "kms-rotation-enabled",
        "ssm-idle-timeout",
        "iam-role-s3-scoped.star",
    ];
    Emulator::moto().seed(ACCOUNT, &["us-east-1"], &broken);
    let proxy = Proxy::start(Emulator::moto().url());
    proxy.inject(Fault::on("s3:GetBucketLogging", Kind::Denied));
    let mut audit = Audit::on(Emulator::moto(), ACCOUNT, "us-east-1", &["scan", "--color", "never"])
        .env("AWS_ENDPOINT_URL", &proxy.url())
        .env("COLUMNS", "80")
        .file("ssm-audit.yaml", "waivers: [{rule: logs-retention-set, resource: '*', reason: cost}]\n");
    let scanned = audit.run();
    for line in scanned.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert!(line.chars().all(|it| !it.is_control()), "{line:?}");
    }
    insta::with_settings!({filters => vec![
        (r"\bi-[0-9a-f]{17}\b", "i-[0123456789abcde]"),
        (r"\bsg-[0-9a-f]{17}\b", "sg-[0123456789abcde]"),
        (r"\bvol-[0-9a-f]{17}\b", "vol-[0123456789abcde]"),
        (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "[01234567-89ab-cdef-0123-456789abcd]"),
    ]}, {
        insta::assert_snapshot!(scanned.shown(&audit));
    });
}
