//! SARIF as those who take it in see it: Microsoft's own validator, with GitHub's rules too.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::audit::Audit;
use crate::emulator::{Emulator, fresh_account};
use crate::proxy::{Fault, Kind, Proxy};

/// Microsoft's validator, at this version.
const PACKAGE: &str = "@microsoft/sarif-multitool@5.7.0";

/// The validator, installed on first use; none on a machine without npm, or for which there is no build.
fn validator() -> Option<PathBuf> {
    let program = "node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool";
    let home = std::env::var_os("HOME").map(PathBuf::from)?;
    let folder = home.join(".cache/ssm-audit/sarif-multitool-5.7.0");
    if !folder.join(program).exists() {
        let installed = Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
            .arg(&folder)
            .arg(PACKAGE)
            .status();
        match installed {
            Ok(status) => assert!(status.success(), "npm could not install {PACKAGE}"),
            Err(error) => {
                // Only this check needs npm; a new user's machine need not have it.
                assert!(std::env::var_os("CI").is_none(), "npm is needed to validate SARIF: {error}");
                return None;
            }
        }
    }
    Some(folder.join(program)).filter(|program| program.exists())
}

/// What the validator finds wrong.
fn errors(program: &Path, folder: &Path, kind: &str) -> Vec<Value> {
    let output = folder.join("validated.sarif");
    let ended = Command::new(program)
        .current_dir(folder)
        .env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1")
        .args([
            "validate",
            "report.sarif",
            "--rule-kind",
            kind,
            "--output",
            "validated.sarif",
            "--log",
            "ForceOverwrite",
            "--level",
            "Error;Warning",
        ])
        .output()
        .unwrap();
    let text = std::fs::read_to_string(&output).unwrap_or_else(|error| {
        panic!("the validator wrote nothing: {error}\n{}", String::from_utf8_lossy(&ended.stdout))
    });
    let validated: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap();
    std::fs::remove_file(output).unwrap();
    validated["runs"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|run| run["results"].as_array().cloned().unwrap_or_default())
        .collect()
}

/// A report with everything in it: fails, unknowns, waived findings, and a read that was denied.
#[test]
fn the_official_validators_find_nothing_wrong() {
    let account = fresh_account();
    Emulator::moto().seed(&account, &["us-east-1"], &["ec2-imdsv2-required", "logs-retention-set", "sg-no-ingress"]);
    let proxy = Proxy::start(Emulator::moto().url());
    proxy.inject(Fault::on("kms:GetKeyRotationStatus", Kind::Denied));
    let mut audit = Audit::on(Emulator::moto(), &account, "us-east-1", &["scan", "-q", "-o", "report.sarif"])
        .env("AWS_ENDPOINT_URL", &proxy.url())
        .file("ssm-audit.yaml", "waivers: [{rule: logs-retention-set, resource: '*', reason: tests}]\n");
    let scanned = audit.run();
    assert_eq!((scanned.code, scanned.stdout.as_str()), (Some(1), ""), "{}", scanned.stderr);
    let report = std::fs::read_to_string(audit.folder().join("report.sarif")).unwrap();
    let sarif: Value = serde_json::from_str(&report).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../fixtures/sarif-2.1.0.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<String> = schema.iter_errors(&sarif).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert!(results.iter().any(|result| result["suppressions"].is_array()));
    assert!(results.iter().any(|result| result["properties"]["verdict"] == "unknown"));
    is_valid(&audit);
}

/// Both kinds of rules of the validator, where it is there.
fn is_valid(audit: &Audit) {
    let Some(program) = validator() else { return };
    for kind in ["Sarif", "Ghas"] {
        let wrong = errors(&program, audit.folder(), kind);
        assert!(wrong.is_empty(), "{kind}: {wrong:#?}");
    }
}

/// A report on code: regions, related locations, fixes.
#[test]
fn the_official_validators_find_nothing_wrong_with_fixes() {
    let code = "resource \"aws_instance\" \"a\" {\n  ami = \"ami-1\"\n}\n\nresource \"aws_kms_key\" \"k\" {}\n\n\
                resource \"aws_cloudwatch_log_group\" \"l\" {\n  name = \"l\"\n  kms_key_id = aws_kms_key.k.arn\n}\n\n\
                resource \"aws_ssm_document\" \"p\" {\n  name = \"SSM-SessionManagerRunShell\"\n  document_type = \
                \"Session\"\n  content = jsonencode({ inputs = { cloudWatchLogGroupName = \
                aws_cloudwatch_log_group.l.name } })\n}\n";
    let mut audit = Audit::new(&["scan", "infra", "-q", "-o", "report.sarif"]).file("infra/main.tf", code);
    let scanned = audit.run();
    assert_eq!(scanned.code, Some(1), "{}", scanned.stderr);
    let sarif = std::fs::read_to_string(audit.folder().join("report.sarif")).unwrap();
    let sarif: Value = serde_json::from_str(&sarif).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    for member in ["fixes", "relatedLocations"] {
        assert!(results.iter().any(|result| result[member].is_array()), "no result has {member}");
    }
    let schema: Value = serde_json::from_str(include_str!("../fixtures/sarif-2.1.0.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<String> = schema.iter_errors(&sarif).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    is_valid(&audit);
}
