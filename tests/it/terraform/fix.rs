//! `fix FOLDER`: what breaks code is made right in it, as `terraform fmt` writes it, once and for all; what is not
//! understood stays, with its place.

use std::collections::BTreeMap;
use std::process::Command;

use rayon::prelude::*;
use serde_json::Value;

use super::breakages::{BREAKAGES, Breakage};
use super::{ALL, COMPLIANT, PLACE, open, scan};
use crate::audit::{Audit, Outcome};
use crate::fix::typed;

pub(super) const CONFIG: &str = "fix:\n  logging_bucket: access-logs\n  tags: {AppID: payments, DataType: Sensitive}\n";

/// Breakages that are not fixed by themselves: the rule, a part of what breaks it, and a part of the reason.
pub(super) const LEFT: &[(&str, &str, &str)] = &[
    ("ec2-no-default-security-group", "", "for its owner to say"),
    ("ec2-root-volume-customer-key", "", "changes accounts only"),
    ("iam-role-s3-scoped", "", "cannot be told from its policies"),
    ("s3-object-lock-retention", "", "for its owner to decide"),
    ("ssm-preferences-valid", "runAsEnabled", "nothing in this code can be changed"),
    ("ssm-run-as-disabled", "", "decides who people are"),
    ("ssm-run-as-user-set", "", "for their owner to say"),
    ("ssm-s3-key-prefix", "Logs/", "is computed"),
];

/// What is said, in one line.
pub(super) fn said(outcome: &Outcome) -> String {
    outcome.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(super) fn fix(code: &str, flags: &[&str]) -> (Outcome, String) {
    let mut audit = Audit::new(&["fix", "code"]).args(flags).file("code/main.tf", code).file("ssm-audit.yaml", CONFIG);
    let outcome = audit.run();
    let text = std::fs::read_to_string(audit.folder().join("code/main.tf")).unwrap();
    (outcome, text)
}

/// Texts as `terraform fmt` writes them; as they are where there is no such binary.
pub(super) fn formatted(texts: &[String]) -> Vec<String> {
    let folder = tempfile::TempDir::new().unwrap();
    let file = |index: usize| folder.path().join(format!("{index}.tf"));
    for (index, text) in texts.iter().enumerate() {
        std::fs::write(file(index), text).unwrap();
    }
    if let Ok(done) = Command::new("terraform").arg("fmt").arg(folder.path()).output() {
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    (0..texts.len()).map(|index| std::fs::read_to_string(file(index)).unwrap()).collect()
}

/// The code that comes of fixing a breakage, or what is wrong with it.
fn mended(breakage: &Breakage, broken: &str) -> Result<Option<String>, String> {
    let flags = [ALL, PLACE, &["--yes", "--unsafe-fixes", "--format", "json"]].concat();
    let (outcome, fixed) = fix(broken, &flags);
    let answer = outcome.json();
    let wrong = |what: &str| Err(format!("{} by {:?}: {what}\n{fixed}", breakage.rule, breakage.to));
    let of_breakage = |(rule, to, _): &&(&str, &str, &str)| *rule == breakage.rule && breakage.to.contains(to);
    if let Some((.., reason)) = LEFT.iter().find(of_breakage) {
        let left = answer["left"].as_array().unwrap();
        let told = |left: &Value| left["rule"] == breakage.rule && left["reason"].as_str().unwrap().contains(reason);
        return if left.iter().any(told) { Ok(None) } else { wrong(&format!("{:#}", answer["left"])) };
    }
    // Another rule about the same place may have no fix.
    let is_left = |left: &Value| LEFT.iter().any(|(rule, ..)| left["rule"] == *rule);
    let left = answer["left"].as_array().unwrap();
    let expected = i32::from(!left.is_empty());
    if outcome.code != Some(expected)
        || !left.iter().all(is_left)
        || left.iter().any(|left| left["rule"] == breakage.rule)
    {
        return wrong(&format!("exit {:?} {:#} {}", outcome.code, answer["left"], outcome.stderr));
    }
    // Nothing is to be fixed any more.
    let (again, same) = fix(&fixed, &flags);
    if again.code != Some(expected) || same != fixed || again.json()["files"] != Value::Array(Vec::new()) {
        return wrong("it is not fixed once and for all");
    }
    Ok(Some(fixed))
}

#[test]
fn what_breaks_a_rule_is_fixed_in_code_or_left_with_the_reason() {
    let broken: Vec<String> = BREAKAGES.iter().map(|breakage| COMPLIANT.replace(breakage.from, breakage.to)).collect();
    let broken = formatted(&broken);
    let done: Vec<_> = BREAKAGES.par_iter().zip(&broken).map(|(breakage, broken)| mended(breakage, broken)).collect();
    let wrong: Vec<&String> = done.iter().filter_map(|done| done.as_ref().err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let fixed: Vec<String> = done.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(BREAKAGES.len() - fixed.len(), LEFT.len());
    assert_eq!(formatted(&fixed), fixed, "`terraform fmt` writes it otherwise");
}

const INSTANCE: &str = r#"resource "aws_instance" "node" {
  ami           = "ami-1"
  instance_type = "t3.micro"
  monitoring    = var.monitoring

  metadata_options { http_tokens = local.tokens }
}
"#;

/// Fixes these rules of an instance whose values stand elsewhere.
fn fix_values(more: &str, flags: &[&str]) -> (Outcome, String) {
    let rules = ["--rule", "ec2-detailed-monitoring,ec2-imdsv2-required", "--yes"];
    fix(&format!("{INSTANCE}{more}"), &[&rules, flags].concat())
}

#[test]
fn a_value_is_fixed_where_it_comes_from() {
    let values = "variable \"monitoring\" {\n  default = false # cheap\n}\n\nlocals {\n  tokens = \"optional\"\n}\n";
    let (outcome, text) = fix_values(values, &[]);
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    assert!(text.contains("default = true # cheap"), "{text}");
    assert!(text.contains("tokens = \"required\""), "{text}");
    assert!(text.starts_with(INSTANCE), "what is not to change has changed:\n{text}");
}

/// AWS refuses a log group a key that CloudWatch Logs may not use.
#[test]
fn a_log_group_gets_a_key_together_with_the_permission_to_use_it() {
    let other = COMPLIANT.replace("log-group:/ssm/sessions\"]\n    }", "log-group:/ssm/other\"]\n    }");
    let code = other.replace("  kms_key_id        = aws_kms_key.sessions.arn\n", "");
    let flags = [ALL, PLACE, &["--rule", "logs-kms-encrypted", "--yes"]].concat();
    let (outcome, text) = fix(&code, &flags);
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    assert!(text.contains("kms_key_id        = aws_kms_key.sessions.arn"), "{text}");
    assert_eq!(open(&scan(&text, &[ALL, PLACE].concat())), BTreeMap::new(), "{text}");
    // Where it may use the key already, the policy stays.
    let (_, text) = fix(&COMPLIANT.replace("  kms_key_id        = aws_kms_key.sessions.arn\n", ""), &flags);
    assert_eq!(text.matches("logs.${").count(), COMPLIANT.matches("logs.${").count(), "{text}");
}

#[test]
fn what_is_given_elsewhere_or_computed_is_left_with_its_place() {
    let values = "variable \"monitoring\" {}\n\nlocals {\n  tokens = join(\"\", [\"opt\", \"ional\"])\n}\n";
    let (outcome, text) = fix_values(values, &["--var", "monitoring=false"]);
    assert_eq!(outcome.code, Some(1), "{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(text, format!("{INSTANCE}{values}"));
    assert!(said(&outcome).contains("what is given for it decides (code/main.tf:8)"), "{}", outcome.stdout);
    assert!(said(&outcome).contains("(code/main.tf:11)"), "{}", outcome.stdout);
    // A default that something overrides would change nothing.
    let values = "variable \"monitoring\" {\n  default = false\n}\n\nlocals {\n  tokens = \"required\"\n}\n";
    let (outcome, text) = fix_values(values, &["--var", "monitoring=false"]);
    assert_eq!(outcome.code, Some(1));
    assert_eq!(text, format!("{INSTANCE}{values}"));
    assert!(said(&outcome).contains("does not settle it"), "{}", outcome.stdout);
}

#[test]
fn what_several_places_use_or_what_replaces_something_is_changed_only_when_told_to() {
    let values = "variable \"monitoring\" {\n  default = false\n}\n\nlocals {\n  tokens = \"required\"\n}\n\noutput \"m\" {\n  value = var.monitoring\n}\n";
    let (outcome, text) = fix_values(values, &[]);
    assert_eq!(outcome.code, Some(1));
    assert_eq!(text, format!("{INSTANCE}{values}"));
    assert!(said(&outcome).contains("unsafe: var.monitoring is used in 2 places"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("1 left (1 with --unsafe-fixes)"), "{}", outcome.stdout);
    let (outcome, text) = fix_values(values, &["--unsafe-fixes"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stdout);
    assert!(text.contains("default = true"), "{text}");

    let calls = "module \"a\" {\n  source = \"./m\"\n}\n\nmodule \"b\" {\n  source = \"./m\"\n}\n";
    let module = "resource \"aws_instance\" \"x\" {\n  ami = \"ami-1\"\n}\n";
    let run = |flags: &[&str]| {
        let mut audit = Audit::new(&["fix", ".", "--rule", "ec2-detailed-monitoring", "--yes"]).args(flags);
        audit = audit.file("main.tf", calls).file("m/main.tf", module);
        let outcome = audit.run();
        (outcome, std::fs::read_to_string(audit.folder().join("m/main.tf")).unwrap())
    };
    let (outcome, text) = run(&[]);
    assert_eq!((outcome.code, text.as_str()), (Some(1), module));
    assert!(
        said(&outcome).contains("the module of m/main.tf is used 2 times, and the edit changes all"),
        "{}",
        outcome.stdout
    );
    let (outcome, text) = run(&["--unsafe-fixes"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stdout);
    assert_eq!(text, "resource \"aws_instance\" \"x\" {\n  ami        = \"ami-1\"\n  monitoring = true\n}\n");
}

#[test]
fn without_a_yes_nothing_is_written_and_the_patch_can_be_applied() {
    let code = INSTANCE.replace("var.monitoring", "false").replace("local.tokens", "\"required\"");
    let (outcome, text) = fix(&code, &["--rule", "ec2-detailed-monitoring"]);
    assert_eq!((outcome.code, &text), (Some(1), &code));
    let diff = "--- a/code/main.tf\n+++ b/code/main.tf\n@@ -1,7 +1,7 @@\n resource \"aws_instance\" \"node\" {\n";
    assert!(outcome.stdout.starts_with(diff), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("`--yes` writes it"), "{}", outcome.stderr);
    let (outcome, _) = fix(&code, &["--rule", "ec2-imdsv2-required"]);
    assert_eq!(outcome.code, Some(0), "nothing is to be done");
}

#[test]
fn line_ends_and_the_byte_order_mark_stay() {
    let code = format!("\u{FEFF}{}", INSTANCE.replace("var.monitoring", "false").replace('\n', "\r\n"));
    let (outcome, text) = fix(&code, &["--rule", "ec2-detailed-monitoring", "--yes"]);
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(text, code.replace("= false", "= true"));
}

#[test]
fn json_and_plans_are_not_changed() {
    let json = "{\"resource\": {\"aws_instance\": {\"x\": {\"ami\": \"ami-1\"}}}}";
    let rule = ["--rule", "ec2-detailed-monitoring", "--yes"];
    let outcome = Audit::new(&["fix", "code"]).args(&rule).file("code/main.tf.json", json).run();
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stdout.contains("is not written in Terraform's own syntax"), "{}", outcome.stdout);
    let outcome = Audit::new(&["fix", "plan.json"]).file("plan.json", super::PLAN).run();
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("give the folder of the code"), "{}", outcome.stderr);
    let outcome = Audit::new(&["fix", "code", "--out", "x.json"]).file("code/main.tf", INSTANCE).run();
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("--out is for live accounts"), "{}", outcome.stderr);
}

/// The example is the guide's module: what the guide leaves open, a fix closes.
#[test]
fn the_example_is_closed() {
    let mut audit =
        Audit::new(&["fix", "example", "--yes", "--unsafe-fixes"]).args(PLACE).file("ssm-audit.yaml", CONFIG);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/session-manager");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("example/{}", path.file_name().unwrap().to_string_lossy());
        audit = audit.file(&name, &std::fs::read_to_string(&path).unwrap());
    }
    let outcome = audit.run();
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    let example = audit.folder().join("example");
    let outcome = Audit::new(&["scan", example.to_str().unwrap(), "--format", "json"]).args(PLACE).run();
    assert_eq!(open(&outcome), std::collections::BTreeMap::new());
    let files = std::fs::read_dir(example).unwrap();
    let texts: Vec<String> = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    assert_eq!(formatted(&texts), texts);
}

#[test]
fn sessions_are_not_encrypted_where_nodes_would_refuse_them() {
    let root = "module \"role\" {\n  source = \"./role\"\n}\n\nresource \"aws_instance\" \"x\" {\n  ami = \"ami-1\"\n  \
                iam_instance_profile = module.role.profile\n}\n\nresource \"aws_ssm_document\" \"p\" {\n  name = \
                \"SSM-SessionManagerRunShell\"\n  document_type = \"Session\"\n  content = jsonencode({ inputs = {} })\n}\n";
    let role = "resource \"aws_iam_role\" \"r\" {\n  name = \"r\"\n}\n\nresource \"aws_iam_instance_profile\" \"r\" {\n  name \
                = \"r\"\n  role = aws_iam_role.r.name\n}\n\noutput \"profile\" {\n  value = aws_iam_instance_profile.r.name\n}\n";
    let mut audit = Audit::new(&["fix", ".", "--rule", "ssm-session-key-set", "--yes"]);
    audit = audit.file("main.tf", root).file("role/main.tf", role);
    let outcome = audit.run();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(said(&outcome).contains("would refuse all sessions"), "{}", outcome.stdout);
    assert_eq!(std::fs::read_to_string(audit.folder().join("main.tf")).unwrap(), root);
}

/// On a terminal of its own, one group of edits is chosen and the other is left.
#[test]
fn edits_are_chosen_group_by_group() {
    let code = "resource \"aws_instance\" \"a\" {\n  ami           = \"ami-0123456789abcdef0\"\n  \
                instance_type = \"t3.micro\"\n\n  metadata_options {\n    http_tokens   = \"optional\"\n    \
                http_endpoint = \"enabled\"\n  }\n}\n\n";
    let code = format!("{code}{}", code.replace("\"a\"", "\"b\""));
    let rules = "ec2-imdsv2-required,ec2-detailed-monitoring";
    let arguments = ["fix", "code", "--rule", rules, "--interactive", "--color", "never"];
    let answer = |lines: &[&str]| {
        let mut audit = Audit::new(&arguments).file("code/main.tf", &code);
        let (said, exit) = typed(&mut audit, &arguments, lines);
        (said, exit, std::fs::read_to_string(audit.folder().join("code/main.tf")).unwrap())
    };
    let (said, exit, text) = answer(&["n", "d", "y"]);
    assert_eq!(exit, 1, "a finding is left: {said}");
    assert!(said.contains("(1/2) Apply these 2 edits [y,n,d,a,q,?]?") && said.contains("not chosen"), "{said}");
    assert!(said.contains("aws_instance.a") && said.contains("aws_instance.b"), "{said}");
    let changed = [text.matches("http_tokens   = \"required\"").count(), text.matches("monitoring").count()];
    assert!(changed == [2, 0] || changed == [0, 2], "{text}");
    let (said, exit, text) = answer(&["q"]);
    assert!(exit == 1 && text == code, "{said}");
    let (said, exit, text) = answer(&["a"]);
    assert_eq!((exit, text.matches("monitoring").count()), (0, 2), "{said}");
    let refused = Audit::new(&arguments).file("code/main.tf", &code).run();
    assert_eq!(refused.code, Some(2), "{}", refused.stdout);
}
