//! What judges code is not chosen by the code: where configuration, rules, baselines and waivers come from, and that
//! every report says so.

use serde_json::{Value, json};

use crate::audit::{Audit, Outcome};
use crate::report_formats;

const CODE: &str = "resource \"aws_instance\" \"a\" {\n  monitoring = false\n}\n";
const SCAN: &[&str] = &["scan", "infra", "--account", "123456789012", "--region", "us-east-1"];
const LAX: &str = "disable: [\"ec2-*\", \"sg-*\", \"ssm-*\", \"iam-*\", \"s3-*\", \"kms-k*\"]\n\
                   params: {kms-deletion-window: {min_days: 7}}\n";

/// A scan of code with a waiver in it, by a configuration that lies beside it.
fn scan(flags: &[&str], code: &str, config: &str) -> Outcome {
    Audit::new(&[SCAN, flags].concat()).file("infra/main.tf", code).file("ssm-audit.yaml", config).run()
}

fn count(outcome: &Outcome, verdict: &str) -> u64 {
    outcome.json()["summary"][verdict].as_u64().unwrap()
}

#[test]
fn every_format_names_what_the_configuration_turns_off() {
    let config = "disable: [\"ec2-imds*\"]\nseverity: {ec2-detailed-monitoring: info}\n";
    let mut audit = Audit::new(SCAN)
        .args(&["--fail-on", "critical", "--param", "ec2-required-tags.keys=a"])
        .env("SSM_AUDIT_EXCLUDE_RULE", "sg-*")
        .file("infra/main.tf", CODE)
        .file("ssm-audit.yaml", config);
    for (_, file) in report_formats::ALL {
        audit = audit.args(&["-o", file]);
    }
    let done = audit.run();
    assert!(matches!(done.code, Some(0 | 3)), "{}", done.stderr);
    for (format, file) in report_formats::ALL {
        let text = std::fs::read_to_string(audit.folder().join(file)).unwrap().replace("\\/", "/");
        for said in [
            "ssm-audit.yaml",
            "ec2-imds*",
            "ec2-detailed-monitoring",
            "--fail-on",
            "critical",
            "SSM_AUDIT_EXCLUDE_RULE",
        ] {
            assert!(text.contains(said), "{format} does not say {said}:\n{text}");
        }
    }
}

#[test]
fn without_a_configuration_the_report_says_that_there_is_none() {
    let judged = |flags: &[&str]| scan(&[&["--format", "json"], flags].concat(), CODE, LAX);
    let lax = judged(&[]);
    let found = lax.json()["provenance"]["configuration"].clone();
    assert_eq!((&found["file"], &found["origin"]), (&json!("ssm-audit.yaml"), &json!("found")));
    assert_eq!(lax.json()["provenance"]["settings"][0]["key"], "disable");
    for flags in [&["--no-config"][..], &["--config", "none"]] {
        let strict = judged(flags);
        assert_eq!(strict.json()["provenance"]["configuration"], Value::Null);
        assert!(count(&strict, "fail") > count(&lax, "fail"), "{flags:?}");
    }
    let table = scan(&["--no-config"], CODE, LAX).stdout;
    assert!(table.contains("configuration: none\n  --no-config: true (command line)\n"), "{table}");
}

/// A checkout that would judge itself, and a base.
fn with_base(flags: &[&str], base: &str, code: &str) -> Audit {
    let lenient = "disable: [\"*-*\"]\ninline_waivers: {}\n";
    Audit::new(&[SCAN, &["--base", "base", "--format", "json"], flags].concat())
        .file("infra/main.tf", code)
        .file("ssm-audit.yaml", lenient)
        .file("base/ssm-audit.yaml", base)
        .file("own/rules/lax.yaml", "not a rule")
        .file("known.json", "not a baseline")
}

#[test]
fn with_a_base_nothing_of_the_checkout_judges() {
    let waived = format!("# ssm-audit:ignore * reason=\"x\"\n{CODE}");
    let alone = with_base(&[], "policy: guide\n", &waived).run();
    assert_eq!((alone.code, count(&alone, "waived")), (Some(1), 0), "{}", alone.stderr);
    assert!(alone.stderr.contains("the waiver of * is not accepted"), "{}", alone.stderr);
    let provenance = alone.json()["provenance"].clone();
    assert_eq!(provenance["configuration"]["base"], "base");
    assert_eq!(provenance["waivers"], json!([{"file": "infra/main.tf", "inline": true, "accepted": 0, "refused": 1}]));

    // Rules and baselines that are named lie in the base, too.
    let missing = with_base(&["--rules", "own/rules"], "policy: guide\n", CODE).run();
    assert!(missing.code == Some(2) && missing.stderr.contains("base/own/rules"), "{}", missing.stderr);
    let missing = with_base(&["--baseline", "known.json"], "policy: guide\n", CODE).run();
    assert!(missing.code == Some(2) && missing.stderr.contains("base/known.json"), "{}", missing.stderr);

    // The base may accept comments.
    let accepted = with_base(&[], "inline_waivers: {rules: [\"ec2-*\"]}\n", &waived).run();
    assert!(count(&accepted, "waived") > 0, "{}", accepted.stderr);
    let none = with_base(&[], "", CODE).run();
    assert_eq!(none.code, Some(1));
    let no_folder = Audit::new(&[SCAN, &["--base", "nowhere"]].concat()).file("infra/main.tf", CODE).run();
    assert!(no_folder.code == Some(2) && no_folder.stderr.contains("--base nowhere: no such folder"));
}

/// The environment of CI is not for the author of a pull request, who could spell it with verdicts, too.
#[test]
fn with_a_base_values_of_the_environment_are_not_known() {
    let code = "variable \"name\" {}\nvariable \"on\" { type = bool }\nresource \"aws_instance\" \"a\" {\n  monitoring = \
                var.on\n  tags = { Name = nonsensitive(var.name), AppID = can(regex(\"^h\", var.name)) ? \"hit\" : \"miss\" \
                }\n}\nresource \"aws_instance\" \"b\" {\n  for_each = toset([upper(var.name)])\n  monitoring = \
                substr(var.name, 0, 1) == \"h\"\n}\n";
    let verdicts = |audit: Audit| {
        let mut audit = audit.env("TF_VAR_name", "hunter2").env("TF_VAR_on", "false").args(&["--policy", "hardened"]);
        let done = audit.run();
        let said = format!("{}{}", done.stdout, done.stderr);
        let told = ["hunter2", "HUNTER2", "\"hit\""].iter().any(|secret| said.contains(secret));
        let report = done.json();
        let monitored =
            report["findings"].as_array().unwrap().iter().filter(|one| one["rule"] == "ec2-detailed-monitoring");
        let verdicts: Vec<String> = monitored.map(|one| one["verdict"].as_str().unwrap().to_owned()).collect();
        (told, verdicts)
    };
    let (told, own) = verdicts(Audit::new(&[SCAN, &["--format", "json"]].concat()).file("infra/main.tf", code));
    assert!(told && own.contains(&"fail".to_owned()), "{own:?}");
    let (told, of_others) = verdicts(with_base(&[], "policy: guide\n", code));
    assert!(!told && !of_others.is_empty() && of_others.iter().all(|verdict| verdict == "unknown"), "{of_others:?}");
}

#[test]
fn comments_in_code_can_be_refused_and_limited() {
    let json = &["--format", "json"][..];
    let code = format!("# ssm-audit:ignore * reason=\"x\"\n{CODE}");
    let all = scan(json, &code, "");
    assert!(count(&all, "fail") == 0 && count(&all, "waived") > 3);
    let waiver =
        &all.json()["findings"].as_array().unwrap().iter().find(|one| one["verdict"] == "waived").unwrap()["waiver"]
            .clone();
    assert_eq!((&waiver["source"], &waiver["inline"]), (&json!("infra/main.tf:1:3"), &json!(true)));

    let refused = scan(&[json, &["--ignore-inline-waivers"]].concat(), &code, "");
    assert_eq!(count(&refused, "waived"), 0);
    assert!(refused.stderr.contains("the waiver of * is not accepted: --ignore-inline-waivers"), "{}", refused.stderr);
    let denied = scan(json, &code, "inline_waivers: deny\n");
    assert_eq!(count(&denied, "waived"), 0);

    // `*` waives what can be waived and nothing else.
    let limited = scan(json, &code, "inline_waivers: {rules: [ec2-imds*]}\n");
    let waived: Vec<String> = limited.json()["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["verdict"] == "waived")
        .map(|one| one["rule"].as_str().unwrap().to_owned())
        .collect();
    assert!(!waived.is_empty() && waived.iter().all(|rule| rule.starts_with("ec2-imds")), "{waived:?}");
    let undated = scan(json, &code, "inline_waivers: {require: [reason, until]}\n");
    assert!(count(&undated, "waived") == 0 && undated.stderr.contains("asks for `until=YYYY-MM-DD`"));
    let dated = scan(json, &code.replace("reason", "until=2999-01-01 reason"), "inline_waivers: {require: [until]}\n");
    assert!(count(&dated, "waived") > 3);
}

#[test]
fn a_fix_of_code_refuses_the_same_comments() {
    let code = "# ssm-audit:ignore * reason=\"x\"\nresource \"aws_instance\" \"a\" {\n  metadata_options {\n    http_tokens = \"optional\"\n  }\n}\n";
    let fix = |flags: &[&str]| {
        let arguments = [&["fix", "infra", "--rule", "ec2-imdsv2-required"][..], &SCAN[2..], flags].concat();
        Audit::new(&arguments).file("infra/main.tf", code).run().stdout
    };
    assert!(fix(&[]).contains("Nothing to fix."));
    assert!(fix(&["--ignore-inline-waivers"]).contains("http_tokens = \"required\""));
}
