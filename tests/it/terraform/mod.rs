//! Terraform code: every rule holds for compliant code and fails for broken code, at the right place; what is not
//! known is said to be.

mod apply;
mod breakages;
mod bucket_policies;
mod conflicts;
mod engines;
mod fix;
mod fix_edits;
mod fix_layouts;
mod fix_safe;
mod launchers;
mod mapped;
mod plans;
mod regions;
mod review;
mod twin;

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde_json::Value;

use crate::audit::{Audit, Outcome};
use breakages::{BREAKAGES, NOT_APPLICABLE, UNBREAKABLE};

const COMPLIANT: &str = include_str!("../../fixtures/terraform/compliant.tf");

/// The flags under which every rule that knows code has something to say.
const ALL: &[&str] = &["--policy", "hardened", "--param", "iam-role-uses-volume-key.required=true"];

const PLACE: &[&str] = &["--account", "123456789012", "--region", "us-east-1"];

/// Scans this code, as `code/main.tf`.
fn scan(code: &str, flags: &[&str]) -> Outcome {
    Audit::new(&["scan", "code", "--format", "json"]).args(flags).file("code/main.tf", code).run()
}

fn findings(outcome: &Outcome) -> Vec<Value> {
    let report = outcome.json();
    report["findings"].as_array().unwrap().clone()
}

/// The rules that do not hold, with the verdict.
fn open(outcome: &Outcome) -> BTreeMap<String, String> {
    let open = findings(outcome).into_iter().filter(|finding| finding["verdict"] != "pass");
    open.map(|finding| {
        let text = |name: &str| finding[name].as_str().unwrap().to_owned();
        (text("rule"), text("verdict"))
    })
    .collect()
}

fn at<'f>(findings: &'f [Value], rule: &str) -> &'f Value {
    findings.iter().find(|finding| finding["rule"] == rule).unwrap_or_else(|| panic!("no finding of {rule}"))
}

/// The ids of the rules that can be judged in code.
fn rules_of_code() -> BTreeSet<String> {
    let listed = Audit::new(&["rules", "list", "--policy", "hardened", "--format", "json"]).run().json();
    let rules = listed["rules"].as_array().unwrap();
    let of_code =
        rules.iter().filter(|rule| rule["sources"].as_array().unwrap().iter().any(|source| source == "terraform"));
    of_code.map(|rule| rule["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_rule_that_knows_code_holds_for_compliant_code() {
    let outcome = scan(COMPLIANT, &[ALL, PLACE].concat());
    assert_eq!(open(&outcome), BTreeMap::new(), "{}", outcome.stderr);
    assert_eq!(outcome.code, Some(0));
    let held: BTreeSet<String> =
        findings(&outcome).iter().map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect();
    let silent = NOT_APPLICABLE.iter().map(|rule| (*rule).to_owned());
    assert_eq!(held.into_iter().chain(silent).collect::<BTreeSet<_>>(), rules_of_code());
}

#[test]
fn every_rule_that_knows_code_fails_for_code_that_breaks_it() {
    let broken: BTreeSet<String> = BREAKAGES.iter().map(|breakage| breakage.rule.to_owned()).collect();
    let unbreakable = UNBREAKABLE.iter().map(|rule| (*rule).to_owned());
    assert_eq!(broken.into_iter().chain(unbreakable).collect::<BTreeSet<_>>(), rules_of_code());
    let wrong: Vec<String> = BREAKAGES
        .par_iter()
        .filter_map(|breakage| {
            assert_eq!(COMPLIANT.matches(breakage.from).count(), 1, "{}: {}", breakage.rule, breakage.from);
            let outcome = scan(&COMPLIANT.replace(breakage.from, breakage.to), &[ALL, PLACE].concat());
            let failed: BTreeSet<String> = open(&outcome).into_keys().collect();
            let fails = open(&outcome).get(breakage.rule).map(String::as_str) == Some("fail");
            let expected: BTreeSet<String> =
                [breakage.rule].iter().chain(breakage.also).map(|rule| (*rule).to_owned()).collect();
            (!fails || failed != expected)
                .then(|| format!("{} by {:?}: {:?}", breakage.rule, breakage.to, open(&outcome)))
        })
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

/// The example is the module that the guide describes: what it leaves open, it leaves open on purpose.
#[test]
fn the_example_shows_what_the_guide_leaves_open() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/session-manager");
    let outcome = Audit::new(&["scan", example, "--format", "json"]).args(PLACE).run();
    let open: Vec<(String, String)> = open(&outcome).into_iter().collect();
    let expected = ["s3-access-logging", "s3-required-tags", "ssm-session-key-set"];
    assert_eq!(open, expected.map(|rule| (rule.to_owned(), "fail".to_owned())));
    assert_eq!(outcome.code, Some(1));
    // A key that the module is given is the caller's, so that nothing is known of it here.
    for (key, verdict) in [("alias/sessions", "unknown"), ("alias/aws/ssm", "fail")] {
        let given = ["--var", &format!("session_key={key}")];
        let outcome = Audit::new(&["scan", example, "--format", "json"]).args(PLACE).args(&given).run();
        assert_eq!(self::open(&outcome)["ssm-session-key-set"], verdict, "{key}");
    }
}

#[test]
fn without_account_and_region_only_what_names_them_is_unknown() {
    let outcome = scan(COMPLIANT, ALL);
    let expected = [("ssm-s3-key-prefix".to_owned(), "unknown".to_owned())].into();
    assert_eq!(open(&outcome), expected);
    assert_eq!(outcome.code, Some(3));
    let text = findings(&outcome).iter().map(ToString::to_string).collect::<String>();
    assert!(!text.contains('\u{E000}'), "a character that stands for something is shown as it is");
    assert!(text.contains("name it with --account"), "what to do is said");
}

/// A place of the compliant code that is put into the hands of somebody else, and the rules of which nothing is
/// known then. None of them may pass.
#[test]
fn what_cannot_be_determined_is_unknown_and_never_passes() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("monitoring             = true", "monitoring = var.m", &["ec2-detailed-monitoring"]),
        ("monitoring             = true", "monitoring = nonsense()", &["ec2-detailed-monitoring"]),
        ("    http_put_response_hop_limit = 1\n", "", &["ec2-imds-hop-limit"]),
        ("retention_in_days = 90", "retention_in_days = var.m ? 90 : 7", &["logs-retention-set"]),
        ("from_port         = 443", "from_port = var.m", &["sg-egress-https-only", "ec2-https-egress-allowed"]),
        (
            "resource \"aws_instance\"",
            "resource \"aws_security_group_rule\" \"m\" {\n  count = var.m\n  security_group_id = aws_security_group.node.id\n  type = \"ingress\"\n}\nresource \"aws_instance\"",
            &["sg-no-ingress", "sg-egress-https-only", "sg-rules-described", "ec2-https-egress-allowed"],
        ),
        (
            "resource \"aws_instance\"",
            "module \"m\" {\n  source = \"somewhere/else\"\n  group = aws_security_group.node.id\n}\nresource \"aws_instance\"",
            &["sg-no-ingress", "sg-egress-https-only", "sg-rules-described", "ec2-https-egress-allowed"],
        ),
        (
            "policy_arn = \"arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore\"",
            "policy_arn = var.m",
            &["iam-role-ssm-core", "iam-role-no-logs-full-access"],
        ),
        ("resources = [aws_kms_key.sessions.arn]", "resources = [var.m]", &["iam-role-uses-session-key"]),
        ("tags                   = local.tags", "tags = merge({ AppID = 1 }, var.m)", &["ec2-required-tags"]),
        (
            "s3KeyPrefix                 = \"AWSLogs/${local.account}",
            "s3KeyPrefix = \"AWSLogs/${var.m}",
            &["ssm-s3-key-prefix"],
        ),
        ("s3EncryptionEnabled         = true", "s3EncryptionEnabled = var.m", &["ssm-s3-logs-encrypted"]),
        ("kmsKeyId                    = aws_kms_alias.sessions.name", "kmsKeyId = var.m", &["ssm-session-key-set"]),
        (
            "iam_instance_profile   = aws_iam_instance_profile.node.name",
            "iam_instance_profile = \"elsewhere\"",
            &["ec2-instance-profile-attached"],
        ),
    ];
    let wrong: Vec<String> = cases
        .par_iter()
        .filter_map(|(from, to, rules)| {
            assert_eq!(COMPLIANT.matches(from).count(), 1, "{from}");
            let code = format!("variable \"m\" {{}}\n{}", COMPLIANT.replace(from, to));
            let outcome = scan(&code, &[ALL, PLACE].concat());
            let open = open(&outcome);
            let known = |rule: &&&str| open.get(**rule).is_none_or(|verdict| verdict != "unknown");
            let wrong: Vec<_> = rules.iter().filter(known).collect();
            (!wrong.is_empty()).then(|| format!("{to}: {wrong:?} of {open:?}"))
        })
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_finding_stands_at_its_attribute_or_its_block() {
    let cases = [
        ("monitoring             = true", "monitoring = false", "ec2-detailed-monitoring", "monitoring = false", 3),
        ("  monitoring             = true\n", "", "ec2-detailed-monitoring", "resource \"aws_instance\"", 1),
        (
            "http_tokens                 = \"required\"",
            "http_tokens = \"optional\"",
            "ec2-imdsv2-required",
            "http_tokens =",
            5,
        ),
        ("runAsEnabled                = false", "runAsEnabled = true", "ssm-run-as-disabled", "runAsEnabled = true", 7),
        ("sse_algorithm     = \"aws:kms\"", "sse_algorithm = \"none\"", "s3-encrypted", "sse_algorithm = \"none\"", 7),
    ];
    for (from, to, rule, there, column) in cases {
        let code = COMPLIANT.replace(from, to);
        let findings = findings(&scan(&code, &[ALL, PLACE].concat()));
        let finding = at(&findings, rule);
        let line = code[..code.find(there).unwrap()].matches('\n').count() + 1;
        assert_eq!(finding["location"]["file"], "code/main.tf", "{rule}");
        assert_eq!(finding["location"]["line"], line, "{rule}: {finding:#}");
        assert_eq!(finding["location"]["column"], column, "{rule}");
        assert!(finding["resource"]["address"].as_str().unwrap().starts_with("aws_"), "{rule}");
    }
}

#[test]
fn sarif_has_the_region_and_a_fingerprint_that_survives_moved_lines() {
    let result = |code: &str| {
        let outcome = Audit::new(&["scan", "code", "--format", "sarif"]).args(PLACE).file("code/main.tf", code).run();
        let log = outcome.json();
        let results = log["runs"][0]["results"].as_array().unwrap().clone();
        results.into_iter().find(|result| result["ruleId"] == "logs-retention-set").unwrap()
    };
    let code = COMPLIANT.replace("retention_in_days = 90", "retention_in_days = 7");
    let there = result(&code);
    let moved = result(&format!("\n\n# moved\n{code}"));
    let region = |result: &Value| result["locations"][0]["physicalLocation"]["region"].clone();
    assert_eq!(region(&there)["startColumn"], 3);
    assert_eq!(region(&moved)["startLine"].as_i64(), region(&there)["startLine"].as_i64().map(|line| line + 3));
    assert_eq!(there["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "code/main.tf");
    assert_eq!(there["partialFingerprints"], moved["partialFingerprints"]);
}

#[test]
fn a_file_with_a_mistake_leaves_the_others_and_nothing_passes_for_it() {
    let mut audit = Audit::new(&["scan", "code", "--format", "json"]).args(PLACE).file("code/main.tf", COMPLIANT);
    audit = audit.file("code/bad.tf", "resource \"aws_instance\" \"x\" {\n  ami = \n}\n");
    let outcome = audit.run();
    assert_eq!(outcome.code, Some(3));
    assert!(outcome.stderr.contains("code/bad.tf:2:"), "{}", outcome.stderr);
    let findings = findings(&outcome);
    assert_eq!(at(&findings, "ec2-detailed-monitoring")["verdict"], "unknown", "of instances that were not read");
    let of_node = |finding: &&Value| finding["resource"]["address"] == "aws_instance.node";
    assert!(findings.iter().filter(of_node).any(|finding| finding["verdict"] == "pass"));
    // What the file may add to a group or a role is not known.
    assert_eq!(at(&findings, "sg-no-ingress")["verdict"], "unknown");
    assert_eq!(at(&findings, "iam-role-ssm-core")["verdict"], "unknown");
}

#[test]
fn what_is_no_code_and_flags_that_do_not_fit_are_refused() {
    let empty = Audit::new(&["scan", "."]).file("envs/prod/main.tf", "").run();
    assert_eq!(empty.code, Some(2));
    assert!(empty.stderr.contains("envs/prod"), "{}", empty.stderr);
    let value = Audit::new(&["scan", "code", "--var", "nothing"]).file("code/main.tf", "").run();
    assert_eq!(value.code, Some(2));
    assert!(value.stderr.contains("NAME=VALUE"), "{}", value.stderr);
    let account = Audit::new(&["scan", "code", "--account", "12"]).file("code/main.tf", "").run();
    assert_eq!(account.code, Some(2));
    let nothing = Audit::new(&["scan", "code"]).file("code/main.tf", "").run();
    assert_eq!(nothing.code, Some(0), "{}", nothing.stderr);
    assert!(nothing.stdout.contains("match the selected rules"), "{}", nothing.stdout);
}

const PLAN: &str = include_str!("../../fixtures/terraform/plan.json");

#[test]
fn a_plan_is_judged_by_what_is_known_after_it() {
    let outcome = Audit::new(&["scan", "plan.json", "--format", "json"]).file("plan.json", PLAN).run();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let expected = [
        ("ec2-imdsv2-required", "fail"),
        // Left out, so the image or the account decides.
        ("ec2-imds-tags-disabled", "unknown"),
        // A plan does not show what a list holds beside its one reference.
        ("ec2-no-default-security-group", "unknown"),
        // No document in the plan.
        ("ssm-encryption-flags-satisfiable", "unknown"),
        ("ssm-idle-timeout", "unknown"),
        ("ssm-logs-streamed", "unknown"),
        ("ssm-logs-to-cloudwatch", "unknown"),
        ("ssm-logs-to-s3", "unknown"),
        ("ssm-preferences-exist", "unknown"),
        ("ssm-preferences-valid", "unknown"),
        ("ssm-run-as-disabled", "unknown"),
        ("ssm-s3-key-prefix", "unknown"),
        ("ssm-session-key-set", "unknown"),
    ];
    let expected = expected.map(|(rule, verdict)| (rule.to_owned(), verdict.to_owned()));
    assert_eq!(open(&outcome), expected.into());
    let findings = findings(&outcome);
    assert_eq!(at(&findings, "ec2-imdsv2-required")["resource"]["address"], "aws_instance.node[0]");
    // Through references of the configuration: to the group, and through an output of a module to the role.
    assert_eq!(at(&findings, "sg-egress-https-only")["verdict"], "pass");
    let role = at(&findings, "iam-role-ssm-core");
    assert_eq!(role["resource"]["address"], "module.role[\"a\"].aws_iam_role.this");
    assert_eq!(role["resource"]["account"], "123456789012");
    assert!(!outcome.stdout.contains("hunter2"), "a sensitive value is shown");
}

#[test]
fn findings_of_a_plan_stand_in_the_source_that_lies_beside_it() {
    let source = "\nresource \"aws_instance\" \"node\" {\n  count = 1\n  metadata_options {\n    http_tokens = \"optional\"\n  }\n}\n";
    let outcome = Audit::new(&["scan", "infra/plan.json", "--format", "json"])
        .file("infra/plan.json", PLAN)
        .file("infra/main.tf", source)
        .run();
    let findings = findings(&outcome);
    let location = &at(&findings, "ec2-imdsv2-required")["location"];
    assert_eq!((location["file"].as_str(), location["line"].as_i64()), (Some("infra/main.tf"), Some(4)));
}

#[test]
fn what_is_no_plan_is_refused() {
    let outcome = Audit::new(&["scan", "plan.json"]).file("plan.json", "{\"format_version\": \"1.0\"}").run();
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("terraform show -json"), "{}", outcome.stderr);
}

#[test]
fn a_comment_waives_a_rule_for_its_resource_until_its_last_day() {
    let broken = COMPLIANT.replace("monitoring             = true", "monitoring = false");
    let waived = |comment: &str| {
        let code = broken.replace("resource \"aws_instance\"", &format!("{comment}\nresource \"aws_instance\""));
        scan(&code, &[ALL, PLACE].concat())
    };
    let outcome = waived("# ssm-audit:ignore ec2-detailed-monitoring until=2999-12-31 reason=\"costs\"");
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(at(&findings(&outcome), "ec2-detailed-monitoring")["waiver"]["reason"], "costs");
    let late = waived("# ssm-audit:ignore ec2-detailed-monitoring until=2020-01-01 reason=\"costs\"");
    assert_eq!(late.code, Some(1));
    assert!(late.stderr.contains("expired after 2020-01-01"), "{}", late.stderr);
    let reasonless = waived("# ssm-audit:ignore ec2-detailed-monitoring");
    assert_eq!(reasonless.code, Some(1));
    assert!(reasonless.stderr.contains("gives no reason"), "{}", reasonless.stderr);
    let inside =
        broken.replace("monitoring = false", "monitoring = false # ssm-audit:ignore ec2-detailed-monitoring reason=x");
    assert_eq!(scan(&inside, &[ALL, PLACE].concat()).code, Some(0));
    let elsewhere = waived("# ssm-audit:ignore ec2-detailed-monitoring reason=x\nlocals {}");
    assert_eq!(elsewhere.code, Some(1), "it stands above another block");
    // A text is no comment, whatever it says.
    for (from, to) in [
        (
            "monitoring = false",
            "monitoring = false\n  user_data = <<-EOT\n    # ssm-audit:ignore ec2-* reason=x\n  EOT",
        ),
        ("monitoring = false", "monitoring = false\n  key_name = \"# ssm-audit:ignore ec2-* reason=x\""),
        ("monitoring = false", "monitoring = false\n  key_name = \"${\"// ssm-audit:ignore ec2-* reason=x\"}\""),
    ] {
        assert_eq!(scan(&broken.replace(from, to), &[ALL, PLACE].concat()).code, Some(1), "{to}");
    }
}
