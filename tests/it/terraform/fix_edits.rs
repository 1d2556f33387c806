//! `fix FOLDER` on code that is written in other ways than most: what the edit looks like, and what is refused.

use super::PLACE;
use super::fix::said;
use crate::audit::{Audit, Outcome};

/// Fixes this rule of code that may have other files beside it; gives the code afterwards.
pub(super) fn fix(rule: &str, code: &str, others: &[(&str, &str)]) -> (Outcome, String) {
    let mut audit = Audit::new(&["fix", "code", "--yes", "--unsafe-fixes", "--rule", rule]).args(PLACE);
    audit = audit.file("code/main.tf", code);
    for (name, text) in others {
        audit = audit.file(&format!("code/{name}"), text);
    }
    let outcome = audit.run();
    let texts = std::iter::once("main.tf").chain(others.iter().map(|(name, _)| *name));
    let texts: Vec<String> =
        texts.map(|name| std::fs::read_to_string(audit.folder().join("code").join(name)).unwrap()).collect();
    (outcome, texts.concat())
}

/// Code that is fixed: it holds afterwards, and has each of these texts, and none of those.
pub(super) fn fixed(
    rule: &str,
    code: &str,
    others: &[(&str, &str)],
    has: &[&str],
    has_not: &[&str],
) -> (String, String) {
    let (outcome, text) = fix(rule, code, others);
    assert_eq!(outcome.code, Some(0), "{rule}: {}{}", outcome.stdout, outcome.stderr);
    for part in has {
        assert!(text.contains(part), "{rule}: {part} is not in\n{text}");
    }
    for part in has_not {
        assert!(!text.contains(part), "{rule}: {part} is in\n{text}");
    }
    (text, said(&outcome))
}

/// Code that is left as it is, with a reason that says this.
pub(super) fn left(rule: &str, code: &str, others: &[(&str, &str)], reason: &str) {
    let (outcome, text) = fix(rule, code, others);
    let all: String = std::iter::once(code).chain(others.iter().map(|(_, text)| *text)).collect();
    assert_eq!(text, all, "{rule}: something was written");
    assert_eq!(outcome.code, Some(1), "{rule}: {}{}", outcome.stdout, outcome.stderr);
    assert!(said(&outcome).contains(reason), "{rule}: {reason} is not in {}", outcome.stdout);
}

const NODE: &str = r#"
resource "aws_instance" "node" {
  ami                    = "ami-0123456789abcdef0"
  vpc_security_group_ids = [aws_security_group.node.id]
}

resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}
"#;

/// A group with this in it, and an instance that has it.
fn group(content: &str) -> String {
    format!(
        "resource \"aws_security_group\" \"node\" {{\n  name   = \"node\"\n  vpc_id = aws_vpc.main.id\n{content}}}\n{NODE}"
    )
}

const SSH: &str = "\n  # SSH for all\n  ingress {\n    description = \"x\"\n    from_port   = 22\n    to_port     = 22\n    protocol    = \"tcp\"\n    cidr_blocks = [\"0.0.0.0/0\"]\n  }\n";

const ALL_OUT: &str = "\n  egress {\n    description = \"x\"\n    from_port   = 0\n    to_port     = 0\n    protocol    = \"-1\"\n    cidr_blocks = [\"0.0.0.0/0\"]\n  }\n";

#[test]
fn rules_of_a_group_are_taken_away_so_that_terraform_takes_them_away() {
    let (text, _) = fixed("sg-no-ingress", &group(SSH), &[], &["ingress = []"], &["from_port", "SSH for all"]);
    assert!(text.starts_with("resource \"aws_security_group\" \"node\" {\n  name    = \"node\"\n  vpc_id  = aws_vpc.main.id\n  ingress = []\n}\n"), "{text}");
    let element = "\n  ingress = [{\n    description = \"x\", from_port = 22, to_port = 22, protocol = \"tcp\", cidr_blocks = [\"0.0.0.0/0\"]\n  }]\n";
    fixed("sg-no-ingress", &group(element), &[], &["ingress = []"], &["from_port"]);
    let default =
        group(SSH).replace("  name   = \"node\"\n", "").replace("aws_security_group", "aws_default_security_group");
    fixed("sg-no-ingress", &default, &[], &["ingress = []"], &["from_port"]);
    let dynamic = "\n  dynamic \"ingress\" {\n    for_each = [22]\n    content {\n      description = \"x\"\n      from_port = ingress.value\n      to_port = ingress.value\n      protocol = \"tcp\"\n      cidr_blocks = [\"0.0.0.0/0\"]\n    }\n  }\n";
    left("sg-no-ingress", &group(dynamic), &[], "made by a dynamic block (code/main.tf:");
}

#[test]
fn a_rule_is_added_in_the_form_that_the_group_has() {
    let rule = "ec2-https-egress-allowed";
    let (text, _) =
        fixed(rule, &group("  egress = []\n"), &[], &["egress {"], &["egress = []", "aws_vpc_security_group"]);
    assert!(text.contains("cidr_blocks = [\"0.0.0.0/0\"]"), "{text}");
    fixed(rule, &group(SSH), &[], &["egress {"], &["aws_vpc_security_group", "_rule"]);
    let dns = "\n  egress = [{\n    description = \"DNS\", from_port = 53, to_port = 53, protocol = \"udp\", cidr_blocks = [\"10.0.0.2/32\"], ipv6_cidr_blocks = [], prefix_list_ids = [], security_groups = [], self = false\n  }]\n";
    fixed(rule, &group(dns), &[], &["DNS", "prefix_list_ids  = []"], &["egress {"]);
    let single = format!(
        "{}\nresource \"aws_security_group_rule\" \"ssh\" {{\n  security_group_id = aws_security_group.node.id\n  type = \"ingress\"\n  description = \"x\"\n  from_port = 22\n  to_port = 22\n  protocol = \"tcp\"\n  cidr_blocks = [\"10.0.0.0/8\"]\n}}\n",
        group("")
    );
    fixed(
        rule,
        &single,
        &[],
        &["resource \"aws_security_group_rule\" \"node_https\"", "= \"egress\""],
        &["aws_vpc_security_group"],
    );
    fixed(rule, &group(""), &[], &["aws_vpc_security_group_egress_rule"], &["egress {"]);
    let mixed = format!(
        "{}{}",
        group(ALL_OUT).replace("\"-1\"", "\"udp\""),
        "\nresource \"aws_vpc_security_group_egress_rule\" \"x\" {\n  security_group_id = aws_security_group.node.id\n  ip_protocol = \"udp\"\n  from_port = 1\n  to_port = 2\n  cidr_ipv4 = \"10.0.0.0/8\"\n}\n"
    );
    left("sg-egress-https-only", &mixed, &[], "each apply takes one of them away");
    let exclusive = format!(
        "{single}\nresource \"aws_vpc_security_group_rules_exclusive\" \"x\" {{\n  security_group_id = aws_security_group.node.id\n  ingress_rule_ids = [aws_security_group_rule.ssh.security_group_rule_id]\n  egress_rule_ids = []\n}}\n"
    );
    left(rule, &exclusive, &[], "rules_exclusive.x names all that aws_security_group.node has");
}

#[test]
fn egress_is_restricted_in_the_form_that_the_group_has() {
    let rule = "sg-egress-https-only";
    fixed(rule, &group(ALL_OUT), &[], &["egress {", "= 443"], &["\"-1\"", "aws_vpc_security"]);
    let https = ALL_OUT.replace("= 0\n", "= 443\n").replace("\"-1\"", "\"tcp\"");
    let (text, _) = fixed(rule, &group(&format!("{ALL_OUT}{https}")), &[], &["= 443"], &["\"-1\""]);
    assert_eq!(text.matches("egress {").count(), 1, "{text}");
}

/// A rule in a resource of its own, and an instance that depends on it.
const RULE: &str = r#"
resource "aws_vpc_security_group_ingress_rule" "ssh" {
  security_group_id = aws_security_group.node.id
  description       = "SSH"
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
  cidr_ipv4         = "10.0.0.0/8"
}

resource "aws_eip" "node" {
  depends_on = [aws_vpc_security_group_ingress_rule.ssh]
}
"#;

#[test]
fn what_refers_to_a_removed_resource_is_removed_too_or_keeps_it() {
    let code = format!("{}{RULE}", group(""));
    fixed("sg-no-ingress", &code, &[], &["resource \"aws_eip\" \"node\" {\n}"], &["ingress_rule"]);
    let output = "output \"rule\" {\n  value = \"${aws_vpc_security_group_ingress_rule.ssh.id}\"\n}\n";
    left("sg-no-ingress", &code, &[("outputs.tf", output)], "is referred to (code/outputs.tf:2)");
    let json = "{\"output\": {\"rule\": {\"value\": \"${aws_vpc_security_group_ingress_rule.ssh.id}\"}}}";
    left("sg-no-ingress", &code, &[("outputs.tf.json", json)], "is referred to (code/outputs.tf.json:1)");
    let moved = "moved {\n  from = aws_vpc_security_group_ingress_rule.old\n  to   = aws_vpc_security_group_ingress_rule.ssh\n}\n";
    left("sg-no-ingress", &code, &[("moved.tf", moved)], "is referred to (code/moved.tf:3)");
    let kept = code.replace("cidr_ipv4 ", "lifecycle {\n    prevent_destroy = true\n  }\n  cidr_ipv4 ");
    left("sg-no-ingress", &kept, &[], "lifecycle.prevent_destroy keeps");
}

#[test]
fn a_change_that_terraform_would_not_apply_is_left_and_one_that_replaces_says_so() {
    let instance = |lifecycle: &str| {
        format!(
            "resource \"aws_instance\" \"node\" {{\n  ami = \"ami-1\"\n\n  metadata_options {{\n    http_tokens = \"optional\"\n  }}\n\n  lifecycle {{\n    {lifecycle}\n  }}\n}}\n"
        )
    };
    let reason = "ignore_changes of aws_instance.node covers metadata_options";
    for ignored in ["[ami, metadata_options]", "all", "[metadata_options[0].http_tokens]"] {
        left("ec2-imdsv2-required", &instance(&format!("ignore_changes = {ignored}")), &[], reason);
    }
    fixed("ec2-imdsv2-required", &instance("ignore_changes = [ami, tags]"), &[], &["\"required\""], &[]);
    let by_variable = instance("ignore_changes = [metadata_options]").replace("\"optional\"", "var.tokens");
    let variable = "variable \"tokens\" {\n  default = \"optional\"\n}\n";
    left("ec2-imdsv2-required", &format!("{by_variable}{variable}"), &[], reason);
    let (_, said) =
        fixed("ec2-root-volume-encrypted", &instance("ignore_changes = [ami]"), &[], &["encrypted = true"], &[]);
    assert!(said.contains("Terraform destroys aws_instance.node and creates it anew"), "{said}");
    left(
        "ec2-root-volume-encrypted",
        &instance("prevent_destroy = true"),
        &[],
        "prevent_destroy keeps aws_instance.node",
    );
}

const PREFERENCES: &str = r#"
resource "aws_ssm_document" "prefs" {
  name          = "SSM-SessionManagerRunShell"
  document_type = "Session"
  content = jsonencode({ schemaVersion = "1.0", sessionType = "Standard_Stream", inputs = { s3BucketName = "logs" } })
}
"#;

#[test]
fn object_lock_is_switched_on_without_destroying_the_bucket() {
    let rule = "s3-object-lock-enabled";
    let bucket = |more: &str| {
        format!(
            "resource \"aws_s3_bucket\" \"logs\" {{\n  bucket = \"logs\"\n{more}}}\n{}",
            PREFERENCES.replace("\"logs\"", "aws_s3_bucket.logs.id")
        )
    };
    let both = [
        "aws_s3_bucket_object_lock_configuration",
        "depends_on = [aws_s3_bucket_versioning.logs]",
        "status = \"Enabled\"",
    ];
    fixed(rule, &bucket(""), &[], &both, &["object_lock_enabled"]);
    fixed(rule, &bucket("  object_lock_enabled = false\n"), &[], &both, &["object_lock_enabled"]);
    left(
        rule,
        &format!("{}variable \"lock\" {{\n  default = false\n}}\n", bucket("  object_lock_enabled = var.lock\n")),
        &[],
        "another value would destroy the bucket",
    );
    let versioned = format!(
        "{}\nresource \"aws_s3_bucket_versioning\" \"v\" {{\n  bucket = aws_s3_bucket.logs.id\n\n  versioning_configuration {{\n    status = \"Suspended\"\n  }}\n}}\n",
        bucket("")
    );
    fixed(rule, &versioned, &[], &["depends_on = [aws_s3_bucket_versioning.v]", "\"Enabled\""], &["Suspended"]);
    fixed(
        rule,
        &bucket("\n  versioning {\n    enabled = false\n  }\n"),
        &[],
        &["enabled = true", "object_lock_configuration"],
        &["depends_on"],
    );
    let counted = bucket("  count  = 1\n").replace("aws_s3_bucket.logs.id", "aws_s3_bucket.logs[0].id");
    fixed(rule, &counted, &[], &["count = 1\n\n  bucket = aws_s3_bucket.logs[count.index].id"], &[]);
}

/// Preferences whose content is this expression.
fn document(content: &str) -> String {
    format!(
        "resource \"aws_ssm_document\" \"prefs\" {{\n  name          = \"SSM-SessionManagerRunShell\"\n  document_type = \"Session\"\n\n  content = {content}\n}}\n"
    )
}

const HEREDOC: &str = r#"<<DOC
{
    "schemaVersion": "1.0",
    "description": "of ${local.team}, $${USER} %%{x}",
    "sessionType": "Standard_Stream",
    "inputs": {
        "idleSessionTimeout": "60",
        "runAsEnabled": false
    }
}
DOC"#;

const TEAM: &str = "locals {\n  team = \"a\"\n}\n";

#[test]
fn a_document_in_a_heredoc_is_edited_in_place() {
    let code = format!("{}{TEAM}", document(HEREDOC));
    let (text, _) = fixed("ssm-idle-timeout", &code, &[], &["\"idleSessionTimeout\": \"20\",\n"], &[]);
    assert_eq!(text, code.replace("\"60\"", "\"20\""), "everything else stays");
    let by_local = code.replace("\"60\"", "\"${local.idle}\"").replace("team = \"a\"", "team = \"a\"\n  idle = 60");
    fixed("ssm-idle-timeout", &by_local, &[], &["idle = \"20\"", "\"${local.idle}\""], &["= 60"]);
    let number = code.replace("\"60\"", "60");
    fixed("ssm-preferences-valid", &number, &[], &["\"idleSessionTimeout\": \"60\""], &[]);
    let (text, _) = fixed(
        "ssm-logs-to-cloudwatch",
        &code,
        &[],
        &["\"cloudWatchLogGroupName\": \"${aws_cloudwatch_log_group.ssm_sessions.name}\""],
        &[],
    );
    assert!(text.contains("\"runAsEnabled\": false,\n        \"cloudWatch"), "as the others are written:\n{text}");
    left(
        "ssm-idle-timeout",
        &document("\"{\\\"schemaVersion\\\": \\\"1.0\\\", \\\"inputs\\\": {\\\"idleSessionTimeout\\\": \\\"60\\\"}}\""),
        &[],
        "a heredoc, or jsonencode, can be edited",
    );
    let directive = code.replace("\"60\",", "\"60\",\n        %{ if true }\"maxSessionDuration\": \"60\",%{ endif }");
    left("ssm-idle-timeout", &directive, &[], "the document has directives");
}

#[test]
fn a_document_in_a_template_or_a_file_is_edited_there() {
    let template = "{ \"schemaVersion\": \"1.0\", \"sessionType\": \"Standard_Stream\",\n  \"inputs\": { \"idleSessionTimeout\": \"${idle}\", \"cloudWatchStreamingEnabled\": ${stream}, \"maxSessionDuration\": \"9\" } }\n";
    let code =
        document("templatefile(\"${path.module}/prefs.json.tftpl\", {\n    idle   = \"60\"\n    stream = false\n  })");
    let files = [("prefs.json.tftpl", template)];
    fixed("ssm-idle-timeout", &code, &files, &["idle   = \"20\"", "\"${idle}\""], &[]);
    fixed(
        "ssm-logs-to-s3",
        &code,
        &files,
        &["s3_bucket_name = aws_s3_bucket.ssm_sessions.id", "\"s3BucketName\": \"${s3_bucket_name}\""],
        &[],
    );
    let plain = "{\"schemaVersion\": \"1.0\", \"sessionType\": \"Standard_Stream\", \"inputs\": {\"idleSessionTimeout\": \"60\"}}\n";
    let code = document("file(\"${path.module}/prefs.json\")");
    fixed("ssm-idle-timeout", &code, &[("prefs.json", plain)], &["\"idleSessionTimeout\": \"20\""], &[]);
    left("ssm-logs-to-s3", &code, &[("prefs.json", plain)], "cannot refer to a resource (code/prefs.json:1)");
}

#[test]
fn a_document_is_found_where_its_name_leads() {
    let code = format!(
        "{}\nlocals {{\n  content = jsonencode(local.prefs)\n  prefs = {{\n    schemaVersion = \"1.0\"\n    sessionType   = \"Standard_Stream\"\n    inputs = {{\n      idleSessionTimeout = tostring(var.idle)\n    }}\n  }}\n}}\n\nvariable \"idle\" {{\n  type    = number\n  default = 60\n}}\n",
        document("local.content")
    );
    fixed("ssm-idle-timeout", &code, &[], &["default = 20"], &[]);
    let number = code.replace("tostring(var.idle)", "var.idle");
    let (outcome, text) = fix("ssm-*", &number, &[]);
    assert!(text.contains("tostring(var.idle)") && text.contains("default = 20"), "{text}{}", outcome.stdout);
    let without = document("jsonencode({ schemaVersion = \"1.0\", sessionType = \"Standard_Stream\" })");
    fixed("ssm-max-session-duration", &without, &[], &["maxSessionDuration = "], &[]);
}

#[test]
fn a_value_that_the_caller_gives_is_fixed_there() {
    let module = (
        "m/main.tf",
        "variable \"monitoring\" {\n  default = true\n}\n\nresource \"aws_instance\" \"node\" {\n  ami        = \"ami-1\"\n  monitoring = var.monitoring\n}\n",
    );
    let call = "module \"m\" {\n  source     = \"./m\"\n  monitoring = false\n}\n";
    let rule = "ec2-detailed-monitoring";
    fixed(rule, call, &[module], &["monitoring = true\n}\nvariable"], &[]);
    let twice = format!("{call}\nmodule \"n\" {{\n  source     = \"./m\"\n  monitoring = false\n}}\n");
    left(rule, &twice, &[module], "2 calls of the module give a value (code/main.tf:");
    let variable = "variable \"m\" {\n  default = true\n}\n\nresource \"aws_instance\" \"node\" {\n  ami        = \"ami-1\"\n  monitoring = var.m\n}\n";
    left(
        rule,
        variable,
        &[("terraform.tfvars", "# of us\nm = false\n")],
        "is given a value there (code/terraform.tfvars:2)",
    );
}

#[test]
fn what_is_added_is_made_where_its_owner_is() {
    let code = "provider \"aws\" {\n  region = \"us-east-1\"\n}\n\nprovider \"aws\" {\n  alias  = \"eu\"\n  region = \"eu-west-1\"\n}\n\nresource \"aws_cloudwatch_log_group\" \"g\" {\n  provider          = aws.eu\n  name              = \"/ssm\"\n  retention_in_days = 30\n}\n\nresource \"aws_ssm_document\" \"prefs\" {\n  provider      = aws.eu\n  name          = \"SSM-SessionManagerRunShell\"\n  document_type = \"Session\"\n  content = jsonencode({ schemaVersion = \"1.0\", sessionType = \"Standard_Stream\", inputs = { cloudWatchLogGroupName = aws_cloudwatch_log_group.g.name } })\n}\n";
    let (text, _) =
        fixed("logs-kms-encrypted", code, &[], &["data \"aws_region\" \"current\" {\n  provider = aws.eu\n}"], &[]);
    for kind in ["aws_kms_key", "aws_kms_alias"] {
        let block = text.split(&format!("resource \"{kind}\" \"ssm_sessions\" {{\n")).nth(1).unwrap();
        assert!(block.starts_with("  provider = aws.eu\n"), "{block}");
    }
}

#[test]
fn a_policy_is_not_attached_where_another_resource_detaches_it() {
    let role = "resource \"aws_iam_role\" \"r\" {\n  assume_role_policy = jsonencode({ Version = \"2012-10-17\", Statement = [{ Effect = \"Allow\", Action = \"sts:AssumeRole\", Principal = { Service = \"ec2.amazonaws.com\" } }] })\n}\n\nresource \"aws_iam_instance_profile\" \"r\" {\n  role = aws_iam_role.r.name\n}\n";
    let rule = "iam-role-ssm-core";
    fixed(rule, role, &[], &["aws_iam_role_policy_attachment"], &[]);
    let others = "\nresource \"aws_iam_policy_attachment\" \"core\" {\n  name = \"core\"\n  roles = [\"other\"]\n  policy_arn = \"arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore\"\n}\n";
    left(rule, &format!("{role}{others}"), &[], "aws_iam_policy_attachment.core names all that have the policy");
}

#[test]
fn what_is_added_is_made_where_its_owner_is_enabled() {
    let code = document(
        "jsonencode({ schemaVersion = \"1.0\", sessionType = \"Standard_Stream\", inputs = { s3BucketName = \"logs-b\" } })",
    );
    let bucket = "variable \"on\" {\n  default = true\n}\n\nresource \"aws_s3_bucket\" \"b\" {\n  bucket = \"logs-b\"\n\n  lifecycle {\n    enabled = var.on\n  }\n}\n";
    let mut audit =
        Audit::new(&["fix", "code", "--yes", "--unsafe-fixes", "--rule", "s3-object-lock-enabled"]).args(PLACE);
    audit = audit.file("code/main.tofu", &format!("{code}\n{bucket}"));
    let outcome = audit.run();
    let text = std::fs::read_to_string(audit.folder().join("code/main.tofu")).unwrap();
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(text.matches("aws_s3_bucket.b.id").count() + 1, text.matches("enabled = var.on").count(), "{text}");
}

#[test]
fn a_session_key_is_set_only_when_told_to() {
    let mut audit = Audit::new(&["fix", "code", "--yes", "--rule", "ssm-session-key-set"]).args(PLACE);
    audit = audit.file("code/main.tf", PREFERENCES);
    let outcome = audit.run();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stdout);
    assert!(said(&outcome).contains("needs kms:GenerateDataKey"), "{}", outcome.stdout);
    assert!(said(&outcome).contains("1 with --unsafe-fixes"), "{}", outcome.stdout);
    assert_eq!(std::fs::read_to_string(audit.folder().join("code/main.tf")).unwrap(), PREFERENCES);
}

#[test]
fn tags_are_added_to_what_is_merged() {
    let instance = |tags: &str| {
        format!(
            "locals {{\n  a = {{ X = \"1\" }}\n}}\n\nresource \"aws_instance\" \"node\" {{\n  ami  = \"ami-1\"\n  tags = {tags}\n}}\n"
        )
    };
    let config = "fix:\n  tags: {AppID: payments, DataType: Sensitive}\n";
    for (before, after) in [
        ("merge(local.a)", "merge(local.a, { AppID = \"payments\", DataType = \"Sensitive\" })"),
        (
            "merge(\n    local.a,\n    local.a,\n  )",
            "merge(\n    local.a,\n    local.a,\n    { AppID = \"payments\", DataType = \"Sensitive\" },\n  )",
        ),
        (
            "merge(\n    local.a,\n    {\n      Name = \"x\"\n    }\n  )",
            "merge(\n    local.a,\n    {\n      Name     = \"x\"\n      AppID    = \"payments\"\n      DataType = \"Sensitive\"\n    }\n  )",
        ),
        ("local.a", "merge(local.a, { AppID = \"payments\", DataType = \"Sensitive\" })"),
    ] {
        let mut audit =
            Audit::new(&["fix", "code", "--yes", "--unsafe-fixes", "--rule", "ec2-required-tags"]).args(PLACE);
        audit = audit.file("code/main.tf", &instance(before)).file("ssm-audit.yaml", config);
        let outcome = audit.run();
        assert_eq!(outcome.code, Some(0), "{before}: {}{}", outcome.stdout, outcome.stderr);
        let text = std::fs::read_to_string(audit.folder().join("code/main.tf")).unwrap();
        assert!(text.contains(after), "{text}");
    }
}
