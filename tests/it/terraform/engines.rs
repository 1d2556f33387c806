//! Code that Terraform and OpenTofu read differently: a compliant file beside another is no way around a scan.

use serde_json::Value;

use super::PLACE;
use crate::audit::{Audit, Outcome};

fn instance(tokens: &str) -> String {
    format!("resource \"aws_instance\" \"web\" {{\n  metadata_options {{\n    http_tokens = \"{tokens}\"\n  }}\n}}\n")
}

fn scan(terraform: &str, tofu: &str, flags: &[&str]) -> Outcome {
    Audit::new(&["scan", "code", "--format", "json", "--rule", "ec2-imdsv2-required"])
        .args(PLACE)
        .args(flags)
        .file("code/main.tf", &instance(terraform))
        .file("code/main.tofu", &instance(tofu))
        .run()
}

fn verdicts(outcome: &Outcome) -> Vec<(String, String)> {
    let report: Value = outcome.json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = report["findings"].as_array().expect("findings").iter();
    findings.map(|finding| (text(&finding["verdict"]), text(&finding["location"]["file"]))).collect()
}

#[test]
fn of_two_engines_the_worse_verdict_counts() {
    let fails = |file: &str| vec![("fail".to_owned(), file.to_owned())];
    let passes = |file: &str| vec![("pass".to_owned(), file.to_owned())];
    let (terraform, tofu) = ("code/main.tf", "code/main.tofu");
    assert_eq!(verdicts(&scan("required", "optional", &[])), fails(tofu));
    assert_eq!(verdicts(&scan("optional", "required", &[])), fails(terraform));
    assert_eq!(verdicts(&scan("optional", "required", &["--engine", "tofu"])), passes(tofu));
    assert_eq!(verdicts(&scan("optional", "required", &["--engine", "terraform"])), fails(terraform));
    let told = scan("required", "optional", &[]).json();
    assert!(told["findings"][0]["message"].as_str().expect("a message").contains("as OpenTofu reads the code"));
}

#[test]
fn code_that_two_engines_read_differently_is_fixed_for_the_one_that_is_named() {
    let fix = |flags: &[&str]| {
        Audit::new(&["fix", "code", "--rule", "ec2-imdsv2-required"])
            .args(PLACE)
            .args(flags)
            .file("code/main.tf", &instance("optional"))
            .file("code/main.tofu", &instance("optional"))
            .run()
    };
    let refused = fix(&[]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("name the engine with --engine"), "{}", refused.stderr);
    let shown = fix(&["--engine", "tofu"]);
    assert!(shown.stdout.contains("main.tofu") && !shown.stdout.contains("main.tf\n"), "{}", shown.stdout);
}

#[test]
fn what_is_named_and_is_no_folder_of_code_is_said_with_what_to_do() {
    let missing = Audit::new(&["scan", "nowhere"]).args(PLACE).run();
    assert_eq!(missing.code, Some(2));
    assert!(missing.stderr.contains("failed to read") && !missing.stderr.contains("regions"), "{}", missing.stderr);
    let file = Audit::new(&["scan", "code/main.tf"]).args(PLACE).file("code/main.tf", &instance("required")).run();
    assert_eq!(file.code, Some(2));
    assert!(file.stderr.contains("`ssm-audit scan code`"), "{}", file.stderr);
}
