//! `fix --as cli`: the commands, run by a shell with the AWS CLI, do what `fix --yes` does.

use std::process::Command;

use serde_json::Value;

use crate::audit::{Audit, Outcome, verdicts};
use crate::emulator::{Emulator, fresh_account, programs};

const LIMITS: &[&str] = &["--allow", "restart,replace,irreversible,shared", "--max-changes", "100%"];

fn fix(account: &str, arguments: &[&str]) -> Outcome {
    Audit::on(Emulator::moto(), account, "us-east-1", &["fix"])
        .file("ssm-audit.yaml", "policy: guide\n")
        .args(LIMITS)
        .args(arguments)
        .run()
}

/// Runs a script with the AWS CLI on the path, and nothing of this machine's AWS configuration.
fn shell(account: &str, script: &str) -> std::process::Output {
    let home = tempfile::TempDir::new().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    Command::new("sh")
        .args(["-c", script])
        .env_clear()
        .env("PATH", format!("{}:{path}", programs().display()))
        .env("HOME", home.path())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(Emulator::moto().environment(account, "us-east-1"))
        .output()
        .unwrap()
}

/// What the rules say of each type of resource, however its ids are called.
fn said(account: &str) -> Vec<(String, String, String)> {
    let scanned = Audit::on(Emulator::moto(), account, "us-east-1", &["scan", "--format", "json"]).run();
    assert!(matches!(scanned.code, Some(0 | 1 | 3)), "{}", scanned.stderr);
    let verdicts = verdicts(&scanned.json());
    let mut said: Vec<_> =
        verdicts.into_iter().map(|((rule, of_type, _, _), verdict)| (rule, of_type, verdict)).collect();
    said.sort();
    said
}

fn same_effect(seed: &[&str]) {
    let (applied, scripted) = (fresh_account(), fresh_account());
    for account in [&applied, &scripted] {
        Emulator::moto().seed_with(&[&["--account", account, "--region", "us-east-1"], seed].concat());
    }
    let before = said(&scripted);
    let done = fix(&applied, &["--yes", "--quiet"]);
    assert!(matches!(done.code, Some(0 | 1)), "{}\n{}", done.stdout, done.stderr);
    let printed = fix(&scripted, &["--as", "cli"]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    let ran = shell(&scripted, &printed.stdout);
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{errors}\n{}", printed.stdout);
    assert_eq!(said(&scripted), said(&applied));
    assert_ne!(said(&scripted), before);
    let again: Value = fix(&scripted, &["--format", "json"]).json();
    assert_eq!(again["steps"], serde_json::json!([]), "{again:#}");
}

#[test]
fn commands_set_right_what_is_there() {
    same_effect(&["--break-everything"]);
}

#[test]
fn commands_make_what_is_missing() {
    same_effect(&["--untouched"]);
}

#[test]
fn commands_stop_where_the_account_is_another() {
    let (account, other) = (fresh_account(), fresh_account());
    for account in [&account, &other] {
        Emulator::moto().seed(account, &["us-east-1"], &["ec2-detailed-monitoring"]);
    }
    let script = fix(&account, &["--as", "cli"]).stdout;
    let ran = shell(&other, &script);
    assert_eq!(ran.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert!(errors.contains(&format!("the credentials are for account {other}")), "{errors}");
    assert!(!fix(&account, &["--as", "cli"]).stdout.is_empty());
}

/// Texts that a shell, a log or a terminal would obey, were they not quoted.
const HOSTILE: &str =
    "'; touch CANARY; ' \"$(touch CANARY)\" `touch CANARY` ${HOME} \\n ##[error]x ::error::y \u{202e}\u{2028}!*";

/// What an account has chosen goes through the shell unchanged, and runs nothing.
#[test]
fn commands_run_nothing_that_names_of_the_account_say() {
    let account = fresh_account();
    Emulator::moto().seed_with(&["--account", &account, "--region", "us-east-1", "--break-everything"]);
    let aws = |arguments: &[&str]| {
        let output = Command::new(programs().join("aws"))
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(Emulator::moto().environment(&account, "us-east-1"))
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default()
    };
    let document = |aws: &dyn Fn(&[&str]) -> Value| -> Value {
        let got =
            aws(&["ssm", "get-document", "--name", "SSM-SessionManagerRunShell", "--document-version", "$LATEST"]);
        serde_json::from_str(got["Content"].as_str().unwrap()).unwrap()
    };
    let mut preferences = document(&aws);
    let hostile = HOSTILE.replace("CANARY", "canary");
    preferences["description"] = hostile.as_str().into();
    preferences["inputs"]["shellProfile"] = serde_json::json!({"linux": hostile, "windows": ""});
    let content = preferences.to_string();
    aws(&[
        "ssm",
        "update-document",
        "--name",
        "SSM-SessionManagerRunShell",
        "--document-version",
        "$LATEST",
        "--content",
        &content,
    ]);
    let version = aws(&["ssm", "describe-document", "--name", "SSM-SessionManagerRunShell"]);
    let latest = version["Document"]["LatestVersion"].as_str().unwrap().to_owned();
    aws(&[
        "ssm",
        "update-document-default-version",
        "--name",
        "SSM-SessionManagerRunShell",
        "--document-version",
        &latest,
    ]);
    let instances = aws(&["ec2", "describe-instances"]);
    let instance = instances["Reservations"][0]["Instances"][0]["InstanceId"].as_str().unwrap().to_owned();
    let tags = serde_json::json!([{"Key": "Name", "Value": hostile}]).to_string();
    aws(&["ec2", "create-tags", "--resources", &instance, "--tags", &tags]);

    let printed = fix(&account, &["--as", "cli"]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert!(printed.stdout.contains("touch canary"), "the account's text is in the script:\n{}", printed.stdout);
    let orders = |line: &&str| line.trim_start().starts_with("::") || line.contains("##[") || line.contains('\u{202e}');
    assert_eq!(printed.stdout.lines().find(orders), None);
    let ran = shell(&account, &format!("cd \"$HOME\"\n{}\nls -A > listing; ! grep -q canary listing", printed.stdout));
    assert!(ran.status.success(), "{}\n{}", String::from_utf8_lossy(&ran.stderr), printed.stdout);
    let after = document(&aws);
    assert_ne!(after, preferences, "the preferences were fixed");
    assert_eq!(after["inputs"]["shellProfile"]["linux"], hostile.as_str());
}
