//! Saved reports: written again, filtered, compared; and what a command says when its output or environment is not its own.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::audit::Audit;

/// A snapshot of an account, recorded for the benches.
const ACCOUNT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/account.json");

/// A report of the account as it is in JSON.
fn report() -> Value {
    let outcome = Audit::new(&["scan", ACCOUNT, "--no-config", "--format", "json"]).run();
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    outcome.json()
}

/// The report with another verdict for every finding of a rule.
fn with_verdict(mut report: Value, rule: &str, verdict: &str) -> Value {
    let findings = report["findings"].as_array_mut().unwrap();
    let mut of_rule = findings.iter_mut().filter(|finding| finding["rule"] == rule).peekable();
    assert!(of_rule.peek().is_some(), "{rule}");
    for finding in of_rule {
        finding["verdict"] = verdict.into();
        finding["message"] = format!("it is {verdict}").into();
        finding["gaps"] = if verdict == "unknown" { finding["gaps"].clone() } else { json!([]) };
    }
    counted(report)
}

/// The report with a summary of its findings.
fn counted(mut report: Value) -> Value {
    let count = |report: &Value, verdict: &str| {
        report["findings"].as_array().unwrap().iter().filter(|finding| finding["verdict"] == verdict).count()
    };
    for verdict in ["pass", "fail", "unknown"] {
        report["summary"][verdict] = count(&report, verdict).into();
    }
    report
}

fn without(mut report: Value, rule: &str) -> Value {
    report["findings"].as_array_mut().unwrap().retain(|finding| finding["rule"] != rule);
    counted(report)
}

/// A command with files in its folder.
fn with_files(arguments: &[&str], files: &[(&str, &Value)]) -> Audit {
    files.iter().fold(Audit::new(arguments), |audit, (name, content)| audit.file(name, &content.to_string()))
}

#[test]
fn a_saved_report_is_written_again_in_every_format() {
    let scan = |format: &str| Audit::new(&["scan", ACCOUNT, "--no-config", "--format", format]).run().stdout;
    let report = report();
    for format in ["csv", "ocsf", "asff", "markdown"] {
        let shown = with_files(&["show", "report.json", "--format", format], &[("report.json", &report)]).run();
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        let lines = |text: &str| text.lines().count();
        assert_eq!(lines(&shown.stdout), lines(&scan(format)), "{format}");
    }
    assert_eq!(
        with_files(&["show", "report.json", "-f", "csv"], &[("report.json", &report)]).run().stdout,
        scan("csv")
    );
}

#[test]
fn a_saved_report_is_shown_as_reviewed() {
    let report = with_verdict(report(), "ec2-imdsv2-required", "fail");
    let arguments = &["show", "report.json", "--severity", "high", "--rule", "ec2-*,ssm-node-online", "--no-config"];
    let mut audit = with_files(arguments, &[("report.json", &report)]).env("COLUMNS", "80");
    insta::assert_snapshot!(audit.run().shown(&audit));
}

#[test]
fn a_filter_that_matches_nothing_is_refused_and_the_nearest_name_is_said() {
    let report = report();
    for (filter, near) in [
        (["--rule", "ec2-imdsv2-requird"], "did you mean `ec2-imdsv2-required`?"),
        (["--account", "555555555557"], "did you mean `555555555556`?"),
        (["--resource", "nothing-like-this-at-all"], "no finding of the report is about it"),
    ] {
        let shown = with_files(&["show", "report.json", filter[0], filter[1]], &[("report.json", &report)]).run();
        assert_eq!(shown.code, Some(2), "{}", shown.stdout);
        assert!(shown.stderr.contains(near), "{}", shown.stderr);
    }
}

#[test]
fn a_report_is_judged_only_on_request() {
    let report = with_verdict(report(), "ec2-imdsv2-required", "fail");
    let code = |more: &[&str]| {
        let arguments: Vec<&str> = ["show", "report.json"].iter().chain(more).copied().collect();
        with_files(&arguments, &[("report.json", &report)]).run().code
    };
    assert_eq!(code(&[]), Some(0));
    assert_eq!(code(&["--fail-on", "high"]), Some(1));
    assert_eq!(code(&["--fail-on", "never"]), Some(3));
}

#[test]
fn two_reports_are_compared_as_reviewed() {
    let base = report();
    let failing = |rules: &[&str]| rules.iter().fold(base.clone(), |report, rule| with_verdict(report, rule, "fail"));
    let old = failing(&["ec2-imdsv2-required", "ssm-node-online", "ec2-detailed-monitoring", "ec2-imds-hop-limit"]);
    let mut new = failing(&["ec2-imdsv2-required", "ssm-agent-current"]);
    new = with_verdict(new, "ec2-detailed-monitoring", "pass");
    // Of this one nothing is said any more: the same rules, and nothing of it unknown.
    new = without(new, "ec2-imds-hop-limit");
    let files = [("old.json", &old), ("new.json", &new)];
    let mut audit = with_files(&["diff", "old.json", "new.json", "--no-config"], &files);
    let outcome = audit.run();
    let mut shown = outcome.shown(&audit);
    for report in [&old, &new] {
        let started = report["started_at"].as_str().unwrap();
        shown = shown.replace(&format!("{} {} UTC", &started[..10], &started[11..19]), "[TIME]");
    }
    insta::assert_snapshot!(shown);
    let changes = with_files(&["diff", "old.json", "new.json", "-f", "json"], &files).run().json();
    assert_eq!(changes["summary"], json!({"new": 1, "fixed": 2, "open": 1, "stale": 1, "unknown": 0, "waived": 0}));
    let code = |level: &str| with_files(&["diff", "old.json", "new.json", "--fail-on", level], &files).run().code;
    assert_eq!((code("high"), code("medium"), code("never")), (Some(3), Some(1), Some(3)));
}

/// Whatever was not read, not evaluated or left out is stale.
#[test]
fn unknown_is_never_fixed() {
    let rule = "ec2-imdsv2-required";
    let old = with_verdict(report(), rule, "fail");
    let gone = without(old.clone(), rule);
    let with = |change: fn(&mut Value)| {
        let mut report = gone.clone();
        change(&mut report);
        report
    };
    let cases: [(&str, Value); 6] = [
        ("the account was not read", with(|report| report["scopes"] = json!([]))),
        (
            "the region was not read",
            with(|report| {
                for scope in report["scopes"].as_array_mut().unwrap() {
                    scope["region"] = "eu-west-1".into();
                }
            }),
        ),
        ("the rule was not evaluated", with(|report| report["tool"]["rules_digest"] = "sha256:0".into())),
        ("leaves out what its baseline has", with(|report| report["summary"]["in_baseline"] = 1.into())),
        (
            "the newer report is filtered",
            with(|report| {
                let setting = json!({"key": "--changed-since", "value": "main", "origin": "command line"});
                report["provenance"]["settings"].as_array_mut().unwrap().push(setting);
            }),
        ),
        ("not all could be listed", {
            let mut report = old.clone();
            for finding in report["findings"].as_array_mut().unwrap() {
                if finding["rule"] == rule {
                    finding["verdict"] = "unknown".into();
                    finding["resource"]["id"] = "*".into();
                    finding["fingerprint"] = "0".repeat(64).into();
                    finding["gaps"] = json!([{"kind": "denied", "call": "ec2:DescribeInstances"}]);
                }
            }
            counted(report)
        }),
    ];
    for (because, new) in cases {
        let files = [("old.json", &old), ("new.json", &new)];
        let outcome = with_files(&["diff", "old.json", "new.json", "-f", "json"], &files).run();
        let changes = outcome.json();
        assert_eq!((&changes["summary"]["fixed"], &changes["summary"]["stale"]), (&json!(0), &json!(1)), "{because}");
        let said = changes["findings"][0]["because"].as_str().unwrap();
        assert!(said.contains(because), "{said}: {because}");
    }
    let files = [("old.json", &old), ("new.json", &gone)];
    let changes = with_files(&["diff", "old.json", "new.json", "-f", "json"], &files).run().json();
    assert_eq!((&changes["summary"]["fixed"], &changes["summary"]["stale"]), (&json!(1), &json!(0)));
}

#[test]
fn files_leave_a_line_with_their_counts() {
    let outcome = Audit::new(&["scan", ACCOUNT, "--no-config", "-o", "a.json", "-o", "b.sarif"]).run();
    assert_eq!(outcome.stdout, "");
    assert_eq!(outcome.stderr, "wrote a.json, b.sarif: 0 fail, 9 unknown, 35 pass, 5 not applicable\n");
    let quiet = Audit::new(&["scan", ACCOUNT, "--no-config", "-o", "a.json", "-q"]).run();
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

#[test]
fn severities_select_rules() {
    let outcome = Audit::new(&["scan", ACCOUNT, "--no-config", "--severity", "high", "-f", "json"]).run();
    let report = outcome.json();
    let findings = report["findings"].as_array().unwrap();
    assert!(!findings.is_empty());
    assert!(findings.iter().all(|finding| ["high", "critical"].contains(&finding["severity"].as_str().unwrap())));
    let settings = &report["provenance"]["settings"];
    assert!(settings.as_array().unwrap().iter().any(|one| one["key"] == "--severity" && one["value"] == "high"));
}

#[test]
fn next_commands_work_as_printed() {
    let mut audit = Audit::new(&["scan", ACCOUNT, "--no-config", "--policy", "hardened"]).env("COLUMNS", "300");
    let scanned = audit.run();
    let (_, next) = scanned.stdout.split_once("\nNEXT\n").expect("next commands");
    let commands: Vec<&str> = next.lines().filter_map(|line| line.trim().split("  ").next()).collect();
    assert!(commands.len() >= 2, "{next}");
    for command in commands {
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        if words[0] == "fix" {
            continue;
        }
        let outcome = Audit::new(&words).run();
        assert!(matches!(outcome.code, Some(0 | 1 | 3)), "{command}: {}", outcome.stderr);
    }
}

#[test]
fn a_reader_that_stops_reading_is_no_error() {
    let report = report();
    let mut commands: Vec<Vec<&str>> = ["table", "json", "sarif", "csv", "junit", "markdown", "ocsf", "asff", "html"]
        .iter()
        .map(|format| vec!["show", "report.json", "-vv", "--format", format])
        .collect();
    commands.extend([
        vec!["scan", ACCOUNT, "--no-config", "-vv"],
        vec!["diff", "report.json", "report.json"],
        vec!["rules", "list"],
        vec!["rules", "list", "--format", "json"],
        vec!["rules", "explain", "ec2-imdsv2-required"],
        vec!["rules", "schema"],
        vec!["iam-policy"],
        vec!["completions", "bash"],
        vec!["--help"],
        vec!["scan", "--help"],
        vec!["--version"],
    ]);
    for arguments in commands {
        let mut audit = with_files(&arguments, &[("report.json", &report)]);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = audit.command().stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(stderr, "", "{arguments:?}");
        assert!(matches!(output.status.code(), Some(0 | 3)), "{arguments:?}: {:?}", output.status);
    }
}

#[test]
fn variables_of_one_command_do_not_break_another() {
    let report = report();
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let audit = with_files(arguments, &[("report.json", &report)]);
        audit.environment(variables.iter().copied()).run()
    };
    let scan = ["scan", ACCOUNT, "--no-config"];
    // Flags of live accounts, which a snapshot excludes.
    for variable in [
        ("SSM_AUDIT_PROFILE", "production"),
        ("SSM_AUDIT_REGIONS", "us-east-1"),
        ("SSM_AUDIT_REGION", "us-east-1"),
        ("SSM_AUDIT_ORGANIZATION", "true"),
        ("SSM_AUDIT_CHANGED_SINCE", "main"),
        ("SSM_AUDIT_SHARD", "1/2"),
    ] {
        let outcome = run(&scan, &[variable]);
        assert_eq!(outcome.code, Some(3), "{variable:?}: {}", outcome.stderr);
    }
    // A format that another command has.
    let outcome = run(&["history", "list"], &[("SSM_AUDIT_FORMAT", "sarif")]);
    assert!(!outcome.stderr.contains("sarif"), "{}", outcome.stderr);
    // The command line wins.
    let outcome = run(&["scan", ACCOUNT, "--config", "none"], &[("SSM_AUDIT_NO_CONFIG", "true")]);
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
}

#[test]
fn a_variable_that_no_command_knows_a_value_of_is_named() {
    let mut audit = Audit::new(&["scan", ACCOUNT]).env("SSM_AUDIT_FORMAT", "docx");
    insta::assert_snapshot!(audit.run().shown(&audit).replace(ACCOUNT, "ACCOUNT"));
    let mut audit = Audit::new(&["scan"]).env("SSM_AUDIT_PROFILE", "one").env("SSM_AUDIT_PROFILES", "one,two");
    insta::assert_snapshot!(audit.run().shown(&audit));
}

#[test]
fn the_nearest_region_is_said() {
    let outcome = Audit::new(&["scan", "--region", "useast1"]).run();
    assert!(outcome.stderr.contains("did you mean `us-east-1`?"), "{}", outcome.stderr);
    let outcome = Audit::new(&["scan", "--regions", "us-east-1,eu-wst1"]).run();
    assert!(outcome.stderr.contains("did you mean `eu-west-1`?"), "{}", outcome.stderr);
}

/// Code with one instance that accepts IMDSv1.
const CODE: &str = "resource \"aws_instance\" \"web\" {\n  ami = \"ami-1\"\n  metadata_options {\n    http_tokens = \"optional\"\n  }\n}\n";

/// A report of folders of code.
fn of_code(folders: &[&str]) -> Value {
    let scan: Vec<&str> = ["scan"].iter().chain(folders).chain(&["--no-config", "--format", "json"]).copied().collect();
    ["a", "c"]
        .iter()
        .fold(Audit::new(&scan), |audit, folder| audit.file(&format!("{folder}/main.tf"), CODE))
        .run()
        .json()
}

#[test]
fn code_of_a_folder_that_was_not_scanned_again_is_not_fixed() {
    let (both, one) = (of_code(&["a", "c"]), of_code(&["a"]));
    let files = [("old.json", &both), ("new.json", &one)];
    let compared = with_files(&["diff", "old.json", "new.json", "--format", "json"], &files).run().json();
    assert_eq!(compared["summary"]["fixed"], 0, "{compared:#}");
    assert_ne!(compared["summary"]["stale"], 0);
    let mut create = with_files(&["baseline", "create", "old.json", "-o", "b.json"], &files);
    let created = create.run();
    assert_eq!(created.code, Some(0), "{}", created.stderr);
    let written = std::fs::read_to_string(create.folder().join("b.json")).unwrap();
    let baseline: Value = serde_json::from_str(&written).unwrap();
    let pruned =
        with_files(&["baseline", "prune", "b.json", "--from", "new.json"], &[("b.json", &baseline), files[1]]).run();
    assert!(pruned.stderr.contains("Nothing to remove"), "{}", pruned.stderr);
}

#[test]
fn what_becomes_unknown_is_no_silence() {
    let rule = "ec2-imdsv2-required";
    let (old, new) = (with_verdict(report(), rule, "pass"), with_verdict(report(), rule, "unknown"));
    let files = [("old.json", &old), ("new.json", &new)];
    let compared = with_files(&["diff", "old.json", "new.json", "--fail-on", "info"], &files).run();
    assert_eq!(compared.code, Some(3), "{}", compared.stdout);
    assert!(compared.stdout.contains("unknown now") && compared.stdout.contains(rule), "{}", compared.stdout);
}

#[test]
fn a_report_is_neither_overwritten_nor_believed_against_its_findings() {
    let report = report();
    let over = with_files(&["show", "r.json", "--rule", "ec2-*", "-o", "r.json"], &[("r.json", &report)]).run();
    assert_eq!(over.code, Some(2), "{}", over.stderr);
    let mut lie = report.clone();
    lie["summary"] = json!({"pass": 500, "fail": 0, "unknown": 0, "waived": 0, "not_applicable": 0});
    let shown = with_files(&["show", "r.json"], &[("r.json", &lie)]).run();
    assert_eq!((shown.code, shown.stderr.contains("the summary says 0")), (Some(2), true), "{}", shown.stderr);
    let whole = with_files(&["baseline", "prune", "r.json", "--from", "r.json"], &[("r.json", &report)]).run();
    assert_eq!((whole.code, whole.stderr.contains("is a report")), (Some(2), true), "{}", whole.stderr);
}

#[test]
fn commands_that_are_printed_quote_what_the_report_says() {
    let mut report = report();
    for finding in report["findings"].as_array_mut().unwrap() {
        finding["rule"] = "$(touch pwned)".into();
    }
    for format in ["table", "markdown", "html", "junit"] {
        let shown = with_files(&["show", "r.json", "-f", format], &[("r.json", &report)]).run();
        assert!(
            !shown.stdout.contains("--rule $(") && !shown.stdout.contains("explain $("),
            "{format}: {}",
            shown.stdout
        );
    }
}
