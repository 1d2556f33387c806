//! The formats that others take in, held against what those who take them in have published: a schema, the model of a
//! service, a browser.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::audit::Audit;
use crate::browser;
use crate::emulator::{Emulator, fresh_account};
use crate::proxy::{Fault, Kind, Proxy};

/// A name that is markup, a formula and a link at once, for whoever believes it.
const HOSTILE: &str = "=x</script></noscript><img src=x onerror=pwned=1>|[a](https://evil.example)`\"&amp;";

/// A snapshot of two regions with everything in it: much that fails, a read that was denied for one resource and one
/// for a whole type, and instances with a name that somebody chose.
fn snapshot() -> &'static str {
    static SNAPSHOT: OnceLock<String> = OnceLock::new();
    SNAPSHOT.get_or_init(|| {
        let account = fresh_account();
        let regions = ["--region", "us-east-1", "--region", "eu-west-1"];
        Emulator::moto().seed_with(&[&["--account", &account, "--break-everything"], &regions[..]].concat());
        let proxy = Proxy::start(Emulator::moto().url());
        proxy.inject(Fault::on("kms:GetKeyRotationStatus", Kind::Denied).in_region("us-east-1"));
        proxy.inject(Fault::on("ec2:DescribeSecurityGroups", Kind::Denied).in_region("eu-west-1"));
        let arguments = ["collect", "--regions", "us-east-1,eu-west-1", "-o", "account.json"];
        let mut audit =
            Audit::on(Emulator::moto(), &account, "us-east-1", &arguments).env("AWS_ENDPOINT_URL", &proxy.url());
        let collected = audit.run();
        let text = std::fs::read_to_string(audit.folder().join("account.json"))
            .unwrap_or_else(|error| panic!("{error}: {}", collected.stderr));
        let name = serde_json::to_string(HOSTILE).unwrap();
        assert!(text.contains("\"cloud-security-ec2\""), "no instance has the name that is replaced");
        text.replace("\"cloud-security-ec2\"", &name)
    })
}

/// A scan of the snapshot, with a waiver.
fn scan(arguments: &[&str]) -> Audit {
    let waiver = "waivers: [{rule: ec2-imdsv2-required, resource: '*', reason: tests, owner: us}]\n";
    Audit::new(&["scan", "account.json", "--policy", "hardened", "-q"])
        .args(arguments)
        .file("account.json", snapshot())
        .file("ssm-audit.yaml", waiver)
}

/// The scan that wrote the report into this file, the report, and the same in JSON.
fn written(file: &str) -> (Audit, String, Value) {
    let mut audit = scan(&["-o", file, "-o", "all.json"]);
    let scanned = audit.run();
    assert_eq!((scanned.code, scanned.stdout.as_str()), (Some(1), ""), "{}", scanned.stderr);
    let read = |name: &str| std::fs::read_to_string(audit.folder().join(name)).unwrap();
    let (text, report) = (read(file), serde_json::from_str(&read("all.json")).unwrap());
    (audit, text, report)
}

fn count(report: &Value, verdict: &str) -> u64 {
    report["summary"][verdict].as_u64().unwrap()
}

fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn the_exit_code_does_not_depend_on_the_format() {
    for format in ["table", "json", "sarif", "csv", "junit", "markdown", "ocsf", "asff", "html"] {
        let scanned = scan(&["--format", format]).run();
        assert_eq!(scanned.code, Some(1), "{format}: {}", scanned.stderr);
        assert!(scanned.stdout.contains("kms-rotation-enabled"), "{format}");
    }
}

#[test]
fn junit_of_a_scan_holds_to_the_schema_of_jenkins() {
    let (_, text, report) = written("report.xml");
    let schema = fixture("junit-10.xsd");
    let schema = uppsala::parse(&schema).unwrap();
    let document = uppsala::parse(&text).unwrap();
    let errors = uppsala::XsdValidator::from_schema(&schema).unwrap().validate(&document);
    assert!(errors.is_empty(), "{errors:#?}");
    let incomplete = report["scopes"].as_array().unwrap().iter().filter(|scope| scope["complete"] == false).count();
    let count_of = |tag: &str| text.matches(&format!("<{tag} ")).count() as u64;
    assert_eq!(count_of("failure"), count(&report, "fail"));
    assert_eq!(count_of("error"), count(&report, "unknown") + incomplete as u64);
    assert_eq!(count_of("skipped"), count(&report, "waived"));
}

#[test]
fn ocsf_of_a_scan_holds_to_the_published_schema() {
    let (_, text, report) = written("report.ndjson");
    let schema: Value = serde_json::from_str(&fixture("ocsf-1.6.0-compliance-finding.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for event in &events {
        let wrong: Vec<String> = schema.iter_errors(event).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:#?}\n{event:#}");
    }
    let passed = events.iter().filter(|event| event["compliance"]["status"] == "Pass").count();
    let complete = report["scopes"].as_array().unwrap().iter().filter(|scope| scope["complete"] == true).count();
    assert_eq!(passed as u64, count(&report, "pass") + complete as u64);
}

#[test]
fn asff_of_a_scan_is_what_security_hub_imports() {
    let (audit, _, report) = written("report.asff");
    let imported = Emulator::moto().import_findings(&audit.folder().join("report.asff"));
    assert_eq!(imported["problems"], json!([]));
    let scopes = report["scopes"].as_array().unwrap();
    let complete = scopes.iter().filter(|scope| scope["complete"] == true).count() as u64;
    let status = |name: &str| imported["statuses"][name].as_u64().unwrap_or_default();
    assert_eq!(status("PASSED"), count(&report, "pass") + complete);
    assert_eq!(status("FAILED"), count(&report, "fail"));
    assert_eq!(status("WARNING"), count(&report, "unknown") + scopes.len() as u64 - complete);
    assert_eq!(status("FAILED SUPPRESSED"), count(&report, "waived"));
}

#[test]
fn the_page_is_what_people_expect_of_one() {
    let (audit, _, report) = written("report.html");
    // What denied calls alone leave unknown is said once, and listed where it is asked for.
    let denied = report["findings"].as_array().unwrap().iter().filter(|finding| {
        let gaps = finding["gaps"].as_array().unwrap();
        finding["verdict"] == "unknown" && !gaps.is_empty() && gaps.iter().all(|gap| gap["kind"] == "denied")
    });
    let open = count(&report, "fail") + count(&report, "unknown") - denied.count() as u64;
    let expected = json!({
        "all": report["findings"].as_array().unwrap().len(),
        "open": open,
        "unknown": count(&report, "unknown"),
        "name": HOSTILE,
        "rule": "ec2-imds-hop-limit",
    });
    let Some(browser) = browser::installed() else { return };
    let problems = browser.problems(&audit.folder().join("report.html"), &expected);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
