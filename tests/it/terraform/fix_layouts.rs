//! `fix FOLDER` on code in the layouts that people write, and beside files that it does not edit: the edit is what
//! `terraform fmt` leaves as it is, it is made once, and what cannot be seen is refused.

use super::PLACE;
use super::fix::{CONFIG, formatted, said};
use super::fix_edits::{fixed, left};
use crate::audit::{Audit, Outcome};

/// Fixes this code by these rules, with the tags of the configuration; gives the code afterwards.
fn fix(code: &str, others: &[(&str, &str)], rules: &[&str]) -> (Outcome, String) {
    let mut audit = Audit::new(&["fix", "code", "--yes", "--unsafe-fixes"]).args(PLACE).file("code/main.tf", code);
    for rule in rules {
        audit = audit.args(&["--rule", rule]);
    }
    for (name, text) in others {
        audit = audit.file(&format!("code/{name}"), text);
    }
    audit = audit.file("ssm-audit.yaml", CONFIG);
    let outcome = audit.run();
    let text = std::fs::read_to_string(audit.folder().join("code/main.tf")).unwrap();
    (outcome, text)
}

const INSTANCE: &str = "resource \"aws_instance\" \"node\" {\n  ami = \"ami-1\"\n}\n";

#[test]
fn what_is_added_stands_as_terraform_fmt_has_it() {
    let with = |content: &str| INSTANCE.replace("  ami = \"ami-1\"\n", content);
    let cases = [
        with("  ami       = \"ami-1\"\n  user_data = <<-EOT\n    x = 1\n  EOT\n"),
        with("  user_data = <<EOT\n#!/bin/sh\nEOT\n\n  ami = \"ami-1\"\n"),
        with("  ami = \"ami-1\"\n  tags = { Name = \"x\",\n  b = \"y\" }\n"),
        with("  ami = \"ami-1\"\n  tags = {\n    # none\n  }\n"),
        with("  ami = \"ami-1\"\n  tags = {\n    Name = <<EOT\nx\nEOT\n  }\n"),
        with("\n"),
        with("  ami = \"ami-1\"\n  tags = {\n  }\n"),
        with("  ami = \"ami-1\"\n  metadata_options { # a\n    http_endpoint = \"enabled\" # b\n  } # c\n"),
        "resource \"aws_instance\" \"node\" { ami = \"ami-1\" } # one\n".to_owned(),
    ];
    let cases = formatted(&cases);
    let mut done = Vec::new();
    for code in &cases {
        let rules = ["ec2-detailed-monitoring", "ec2-required-tags", "ec2-imdsv2-required"];
        let (outcome, text) = fix(code, &[], &rules);
        assert_eq!(outcome.code, Some(0), "{code}{}{}", outcome.stdout, outcome.stderr);
        assert!(!text.contains("\n\n\n"), "{text}");
        assert_eq!(text.matches("AppID").count(), 1, "{text}");
        done.push(text);
    }
    assert_eq!(formatted(&done), done);
}

#[test]
fn an_edit_that_several_instances_of_a_block_need_is_made_once() {
    let counted = INSTANCE.replace("ami = \"ami-1\"", "count = 3\n  ami   = \"ami-1\"\n  tags  = { Name = \"x\" }");
    let (outcome, text) = fix(&counted, &[], &["ec2-required-tags"]);
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    assert!(text.contains("{ Name = \"x\", AppID = \"payments\", DataType = \"Sensitive\" }"), "{text}");
    assert!(said(&outcome).contains("3 fixes"), "each of them is fixed: {}", outcome.stdout);
    let group = "resource \"aws_vpc\" \"main\" {\n  cidr_block = \"10.0.0.0/16\"\n}\n\nresource \"aws_security_group\" \"node\" {\n  vpc_id = aws_vpc.main.id\n\n  ingress {\n    description = \"x\"\n    from_port   = 22\n    to_port     = 22\n    protocol    = \"tcp\"\n    self        = true\n  }\n}\n";
    let instance = |name: &str| {
        INSTANCE.replace("\"node\"", &format!("\"{name}\"")).replace(
            "ami = \"ami-1\"",
            "ami                    = \"ami-1\"\n  vpc_security_group_ids = [aws_security_group.node.id]",
        )
    };
    let module = format!("{group}\n{}\n{}", instance("one"), instance("two"));
    let call = |name: &str| format!("module \"{name}\" {{\n  source = \"./m\"\n}}\n");
    let calls = ["a", "b", "c"].map(call).concat();
    let (text, said) = fixed("ec2-https-egress-allowed", &calls, &[("m/main.tf", &module)], &["egress {"], &[]);
    assert_eq!(text.matches("egress {").count(), 1, "{text}");
    assert!(said.contains("6 fixes"), "each of them is fixed: {said}");
}

#[test]
fn a_value_of_several_lines_is_wrapped_as_it_stands() {
    let code = "locals {\n  t = {}\n}\n\nresource \"aws_instance\" \"node\" {\n  ami = \"ami-1\"\n  tags = (\n    local.t\n  )\n}\n";
    let (_, text) = fix(code, &[], &["ec2-required-tags"]);
    assert_eq!(formatted(std::slice::from_ref(&text)), std::slice::from_ref(&text));
    assert!(text.contains("  tags = merge((\n    local.t\n  ), { AppID"), "{text}");
}

/// Preferences whose two flags ask for what neither the group nor the role has.
const FLAGS: &str = r#"resource "aws_ssm_document" "prefs" {
  name          = "SSM-SessionManagerRunShell"
  document_type = "Session"
  content = jsonencode({
    schemaVersion = "1.0"
    sessionType   = "Standard_Stream"
    inputs = {
      cloudWatchLogGroupName      = aws_cloudwatch_log_group.sessions.name
      cloudWatchEncryptionEnabled = true
      idleSessionTimeout          = var.idle
      maxSessionDuration          = var.longest
    }
  })
}

variable "idle" {
  type    = number
  default = 60
}

variable "longest" {
  type    = number
  default = null
}

resource "aws_cloudwatch_log_group" "sessions" {
  name = "/ssm/sessions"
}

resource "aws_iam_role" "node" {
  name = "node"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

resource "aws_iam_instance_profile" "node" {
  name = "node"
  role = aws_iam_role.node.name
}

resource "aws_instance" "node" {
  ami                  = "ami-1"
  iam_instance_profile = aws_iam_instance_profile.node.name
}
"#;

#[test]
fn one_run_makes_all_that_the_next_would_make() {
    for rules in [
        &["logs-kms-encrypted", "ssm-encryption-flags-satisfiable"][..],
        &["ssm-preferences-valid", "ssm-idle-timeout", "ssm-max-session-duration"],
    ] {
        let (outcome, text) = fix(FLAGS, &[], rules);
        assert_eq!(outcome.code, Some(0), "{rules:?}: {}{}", outcome.stdout, outcome.stderr);
        let (_, again) = fix(&text, &[], rules);
        assert_eq!(text, again, "{rules:?}");
    }
}

#[test]
fn what_files_in_json_declare_is_not_declared_again() {
    let group = "resource \"aws_cloudwatch_log_group\" \"g\" {\n  name = \"/ssm\"\n}\n\nresource \"aws_ssm_document\" \"prefs\" {\n  name          = \"SSM-SessionManagerRunShell\"\n  document_type = \"Session\"\n  content = jsonencode({ schemaVersion = \"1.0\", sessionType = \"Standard_Stream\", inputs = { cloudWatchLogGroupName = aws_cloudwatch_log_group.g.name, s3BucketName = aws_s3_bucket.logs.id } })\n}\n\nresource \"aws_s3_bucket\" \"logs\" {\n  bucket = \"logs\"\n}\n";
    let data = "{\"data\": {\"aws_region\": {\"current\": {}}, \"aws_caller_identity\": {\"current\": {}}, \"aws_partition\": {\"current\": {}}}}";
    let files = [("data.tf.json", data)];
    let has = ["data \"aws_region\" \"current_2\"", "data \"aws_partition\" \"current_2\""];
    fixed("logs-kms-encrypted", group, &files, &has, &["\" \"current\""]);
    let versioning = "{\"resource\": {\"aws_s3_bucket_versioning\": {\"v\": {\"bucket\": \"${aws_s3_bucket.logs.id}\", \"versioning_configuration\": {\"status\": \"Suspended\"}}}}}";
    let reason = "a aws_s3_bucket_versioning in JSON may be about aws_s3_bucket.logs already";
    left("s3-object-lock-enabled", group, &[("v.tf.json", versioning)], reason);
    let computed = "locals {\n  buckets = { a = aws_s3_bucket.logs.id }\n}\n\nresource \"aws_s3_bucket_versioning\" \"v\" {\n  for_each = local.buckets\n  bucket   = each.value\n}\n";
    left("s3-object-lock-enabled", group, &[("v.tf", computed)], "aws_s3_bucket.logs already is computed");
}

#[test]
fn what_an_override_says_is_fixed_there() {
    let code = INSTANCE.replace("}\n", "\n  metadata_options {\n    http_tokens = \"required\"\n  }\n}\n");
    let overriding =
        "resource \"aws_instance\" \"node\" {\n  metadata_options {\n    http_endpoint = \"enabled\"\n  }\n}\n";
    let has = ["    http_endpoint = \"enabled\"\n    http_tokens   = \"required\"\n"];
    fixed("ec2-imdsv2-required", &code, &[("node_override.tf", overriding)], &has, &[]);
}

/// A group whose rules stand in resources that name it in this way.
fn group(rule: &str) -> String {
    format!(
        "resource \"aws_vpc\" \"main\" {{\n  cidr_block = \"10.0.0.0/16\"\n}}\n\nresource \"aws_security_group\" \"node\" {{\n  vpc_id = aws_vpc.main.id\n}}\n\nlocals {{\n  group  = aws_security_group.node.id\n  groups = {{ a = aws_security_group.node.id }}\n}}\n\nresource \"aws_security_group_rule\" \"x\" {{\n{rule}\n  description       = \"SSH\"\n  type              = \"ingress\"\n  from_port         = 22\n  to_port           = 22\n  protocol          = \"tcp\"\n  cidr_blocks       = [\"10.0.0.0/8\"]\n}}\n\nresource \"aws_instance\" \"node\" {{\n  ami                    = \"ami-1\"\n  vpc_security_group_ids = [aws_security_group.node.id]\n}}\n"
    )
}

#[test]
fn a_rule_has_the_form_of_those_that_name_the_group_in_another_way() {
    for rule in [
        "  security_group_id = \"${aws_security_group.node.id}\"",
        "  security_group_id = local.group",
        "  security_group_id = one(aws_security_group.node[*].id)",
        "  for_each          = local.groups\n  security_group_id = each.value",
    ] {
        let has = ["resource \"aws_security_group_rule\" \"node_https\""];
        fixed("ec2-https-egress-allowed", &group(rule), &[], &has, &["aws_vpc_security_group"]);
    }
    for rule in ["  security_group_id = \"${aws_security_group.node.id}\"", "  security_group_id = local.group"] {
        fixed("sg-no-ingress", &group(rule), &[], &[], &["aws_security_group_rule"]);
    }
}

#[test]
fn inputs_that_a_document_in_yaml_does_not_have_yet_are_added() {
    let document = |yaml: &str| {
        format!(
            "resource \"aws_ssm_document\" \"prefs\" {{\n  name            = \"SSM-SessionManagerRunShell\"\n  document_type   = \"Session\"\n  document_format = \"YAML\"\n\n  content = <<-DOC\n    schemaVersion: \"1.0\"\n    sessionType: Standard_Stream\n{yaml}  DOC\n}}\n"
        )
    };
    let max = "maxSessionDuration: \"60\"";
    for (before, after) in [
        (String::new(), format!("    inputs:\n      {max}\n")),
        ("    inputs:\n".to_owned(), format!("    inputs:\n      {max}\n")),
        ("    inputs: {}\n".to_owned(), format!("    inputs: {{{max}}}\n")),
        ("    inputs: {a: \"6\"} # b\n".to_owned(), format!("    inputs: {{a: \"6\", {max}}} # b\n")),
    ] {
        let (text, _) = fixed("ssm-max-session-duration", &document(&before), &[], &[], &[]);
        assert_eq!(text, document(&after));
    }
    let both = document("");
    let (outcome, text) = fix(&both, &[], &["ssm-max-session-duration", "ssm-logs-to-cloudwatch"]);
    assert_eq!(outcome.code, Some(0), "{}{}{text}", outcome.stdout, outcome.stderr);
}

#[test]
fn a_role_that_an_account_takes_once_is_not_made_by_each_use_of_a_module() {
    let call = |name: &str| format!("module \"{name}\" {{\n  source = \"./m\"\n}}\n");
    let twice = format!("{}{}", call("a"), call("b"));
    let reason = "the module is used 2 times, and an account takes only one";
    left("ec2-instance-profile-attached", &twice, &[("m/main.tf", INSTANCE)], reason);
}
