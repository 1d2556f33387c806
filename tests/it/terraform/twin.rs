//! One set of resources twice, in an emulated account and as code: broken in the same ways, rule by rule and resource
//! by resource the verdicts are the same.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde_json::{Value, json};

use super::ALL;
use crate::audit::{Audit, Outcome};
use crate::emulator::{Emulator, fresh_account};

pub(super) const TWIN: &str = include_str!("../../fixtures/terraform/twin.tf");

const REGION: &str = "us-east-1";

/// The instance of the twin, launched from a template that says all that it says itself.
const TEMPLATE: &str = r#"resource "aws_launch_template" "node" {
  image_id               = "ami-0b301ce3ce347599c"
  instance_type          = "t3.micro"
  vpc_security_group_ids = [aws_security_group.node.id]

  iam_instance_profile {
    arn = aws_iam_instance_profile.node.arn
  }

  monitoring {
    enabled = true
  }

  tag_specifications {
    resource_type = "instance"
    tags          = merge(local.tags, { Name = "cloud-security-ec2" })
  }

  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      encrypted  = true
      kms_key_id = aws_kms_key.volumes.arn
    }
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
    instance_metadata_tags      = "disabled"
  }
}

resource "aws_instance" "node" {
  launch_template {
    id      = aws_launch_template.node.id
    version = aws_launch_template.node.latest_version
  }
}
"#;

/// The twin with a launch template.
fn with_template() -> String {
    let start = TWIN.find("resource \"aws_instance\" \"node\"").unwrap();
    let end = start + TWIN[start..].find("\n}\n").unwrap() + 3;
    format!("{}{TEMPLATE}{}", &TWIN[..start], &TWIN[end..])
}

/// The ways in which accounts are broken, and what stands in the code instead of what.
pub(super) const TWINS: &[(&str, &str, &str)] = &[
    ("ec2-imdsv2-required", "\"required\"", "\"optional\""),
    ("ec2-imds-endpoint-enabled", "http_endpoint               = \"enabled\"", "http_endpoint = \"disabled\""),
    ("ec2-imds-hop-limit", "http_put_response_hop_limit = 1", "http_put_response_hop_limit = 2"),
    ("ec2-imds-tags-disabled", "instance_metadata_tags      = \"disabled\"", "instance_metadata_tags = \"enabled\""),
    ("ec2-detailed-monitoring", "monitoring             = true", "monitoring = false"),
    ("ec2-instance-profile-attached", "  iam_instance_profile   = aws_iam_instance_profile.node.name\n", ""),
    ("ec2-instance-profile-attached.without-role", "  role = aws_iam_role.node.name\n}", "}"),
    ("ec2-required-tags", "merge(local.tags, {", "merge({ DataType = \"Sensitive\" }, {"),
    (
        "sg-egress-https-only",
        "egress {",
        "egress {\n    description = \"x\"\n    from_port = 80\n    to_port = 80\n    protocol = \"tcp\"\n    cidr_blocks = [\"0.0.0.0/0\"]\n  }\n  egress {",
    ),
    (
        "sg-egress-https-only.everything",
        "    from_port   = 443\n    to_port     = 443\n    protocol    = \"tcp\"",
        "    from_port = 0\n    to_port = 0\n    protocol = \"-1\"",
    ),
    (
        "sg-egress-https-only.udp",
        "egress {",
        "egress {\n    description = \"x\"\n    from_port = 443\n    to_port = 443\n    protocol = \"udp\"\n    cidr_blocks = [\"0.0.0.0/0\"]\n  }\n  egress {",
    ),
    (
        "sg-no-ingress",
        "egress {",
        "ingress {\n    description = \"x\"\n    from_port = 22\n    to_port = 22\n    protocol = \"tcp\"\n    cidr_blocks = [\"10.0.0.0/8\"]\n  }\n  egress {",
    ),
    (
        "sg-no-ingress.ipv6",
        "egress {",
        "ingress {\n    description = \"x\"\n    from_port = 22\n    to_port = 22\n    protocol = \"tcp\"\n    ipv6_cidr_blocks = [\"::/0\"]\n  }\n  egress {",
    ),
    (
        "sg-rules-described.ingress",
        "egress {",
        "ingress {\n    from_port = 22\n    to_port = 22\n    protocol = \"tcp\"\n    cidr_blocks = [\"10.0.0.0/8\"]\n  }\n  egress {",
    ),
    ("sg-rules-described", "    description = \"allow outbound traffic over 443\"\n", ""),
    (
        "iam-role-trusts-ec2-only",
        "Principal = { Service = \"ec2.amazonaws.com\" } }]",
        "Principal = { Service = \"ec2.amazonaws.com\", AWS = local.root } }]",
    ),
    (
        "iam-role-trusts-ec2-only.another-service",
        "Service = \"ec2.amazonaws.com\"",
        "Service = [\"ec2.amazonaws.com\", \"lambda.amazonaws.com\"]",
    ),
    (
        "iam-role-trusts-ec2-only.anyone",
        "Service = \"ec2.amazonaws.com\"",
        "Service = \"ec2.amazonaws.com\", AWS = \"*\"",
    ),
    ("iam-role-trusts-ec2-only.not-ec2", "Service = \"ec2.amazonaws.com\"", "Service = \"lambda.amazonaws.com\""),
    ("iam-role-ssm-core", "policy/AmazonSSMManagedInstanceCore", "policy/CloudWatchAgentServerPolicy"),
    (
        "iam-role-ssm-core.denied",
        "session-key = [{",
        "no-sessions = [{ Effect = \"Deny\", Action = [\"ssmmessages:*\"], Resource = [\"*\"] }]\n    session-key = [{",
    ),
    ("iam-role-writes-cloudwatch", "[\"logs:DescribeLogGroups\"]", "[\"logs:DescribeExportTasks\"]"),
    (
        "iam-role-writes-cloudwatch.denied",
        "session-key = [{",
        "no-events = [{ Effect = \"Deny\", Action = [\"logs:Put*\"], Resource = [\"*\"] }]\n    session-key = [{",
    ),
    ("iam-role-writes-s3", "[\"s3:PutObject\"]", "[\"s3:ListBucket\"]"),
    (
        "iam-role-writes-s3.another-prefix",
        "\"${aws_s3_bucket.sessions.arn}/${local.prefix}/*\"",
        "\"${aws_s3_bucket.sessions.arn}/elsewhere/*\"",
    ),
    ("iam-role-uses-session-key", "[\"kms:Decrypt\"]", "[\"kms:ListKeys\"]"),
    ("iam-role-uses-volume-key", "[\"kms:Decrypt\", \"kms:Encrypt\"]", "[\"kms:ListKeys\"]"),
    (
        "iam-role-s3-scoped",
        "session-key = [{",
        "objects = [{ Effect = \"Allow\", Action = [\"s3:GetObject\"], Resource = [\"arn:aws:s3:::*/*\"] }]\n    session-key = [{",
    ),
    (
        "iam-role-s3-scoped.star",
        "session-key = [{",
        "storage = [{ Effect = \"Allow\", Action = [\"s3:*\"], Resource = [\"*\"] }]\n    session-key = [{",
    ),
    ("kms-rotation-enabled", "true # session", "false"),
    ("kms-rotation-enabled.logs-key", "true # logs", "false"),
    ("kms-key-usable", "true # session\n  is_enabled          = true", "true\n  is_enabled = false"),
    (
        "kms-policy-grants-logs",
        "[\"kms:Encrypt\", \"kms:Decrypt\", \"kms:ReEncrypt*\", \"kms:GenerateDataKey*\", \"kms:Describe*\"]",
        "[\"kms:ListKeys\"]",
    ),
    (
        "kms-policy-grants-logs.denied",
        "[local.admin, {",
        "[local.admin, {\n  Effect = \"Deny\"\n  Action = \"kms:GenerateDataKey*\"\n  Resource = \"*\"\n  \
         Principal = { Service = \"logs.us-east-1.amazonaws.com\" }\n  }, {",
    ),
    ("ssm-encryption-flags-satisfiable", "s3EncryptionEnabled         = false", "s3EncryptionEnabled = true"),
    ("kms-policy-grants-logs.another-region", "logs.us-east-1.amazonaws.com", "logs.ap-south-1.amazonaws.com"),
    (
        "kms-policy-grants-logs.another-group",
        "\"kms:EncryptionContext:aws:logs:arn\" = local.group",
        "\"kms:EncryptionContext:aws:logs:arn\" = \"${local.group}-old\"",
    ),
    (
        "kms-policy-grants-logs.half-the-actions",
        "\"kms:Decrypt\", \"kms:ReEncrypt*\", \"kms:GenerateDataKey*\", \"kms:Describe*\"]",
        "\"kms:Decrypt\", \"kms:Describe*\"]",
    ),
    ("logs-retention-set", "retention_in_days = 30", "retention_in_days = 7"),
    ("logs-retention-set.never", "  retention_in_days = 30\n", ""),
    ("logs-retention-set.delivery-class", "\"STANDARD\"", "\"DELIVERY\""),
    ("logs-kms-encrypted", "  kms_key_id        = aws_kms_key.logs.arn\n", ""),
    ("s3-object-lock-enabled", "object_lock_enabled = true", "object_lock_enabled = false"),
    ("s3-required-tags", "local.tags # bucket", "{ DataType = \"Sensitive\" }"),
    ("s3-required-tags.none", "local.tags # bucket", "{}"),
    (
        "s3-access-logging",
        "resource \"aws_s3_bucket_logging\" \"sessions\" {\n  bucket        = aws_s3_bucket.sessions.id",
        "resource \"aws_s3_bucket_logging\" \"other\" {\n  bucket = \"other\"",
    ),
    ("ssm-preferences-valid", "\"Standard_Stream\"", "\"InteractiveCommands\""),
    ("ssm-preferences-valid.schema-version", "schemaVersion = \"1.0\"", "schemaVersion = \"0.9\""),
    (
        "ssm-preferences-valid.wrong-type",
        "idleSessionTimeout          = \"20\"",
        "idleSessionTimeout = \"20\"\n      runAsDefaultUser = 7",
    ),
    ("ssm-logs-to-s3", "s3BucketName                = aws_s3_bucket.sessions.id", "s3BucketName = \"\""),
    ("ssm-logs-to-s3.absent", "      s3BucketName                = aws_s3_bucket.sessions.id\n", ""),
    ("ssm-s3-key-prefix.role-not-told", "s3KeyPrefix                 = local.prefix", "s3KeyPrefix = \"logs\""),
    (
        "ssm-logs-to-cloudwatch",
        "cloudWatchLogGroupName      = aws_cloudwatch_log_group.sessions.name",
        "cloudWatchLogGroupName = \"\"",
    ),
    ("ssm-logs-streamed", "cloudWatchStreamingEnabled  = true", "cloudWatchStreamingEnabled = false"),
    ("ssm-session-key-set", "kmsKeyId                    = aws_kms_key.session.arn", "kmsKeyId = \"\""),
    ("ssm-idle-timeout", "idleSessionTimeout          = \"20\"", "idleSessionTimeout = \"60\""),
    ("ssm-idle-timeout.zero", "idleSessionTimeout          = \"20\"", "idleSessionTimeout = \"0\""),
    (
        "ssm-run-as-disabled",
        "runAsEnabled                = false",
        "runAsEnabled = true\n      runAsDefaultUser = \"ssm-user\"",
    ),
];

/// Where account and code rightly differ: the rule, what it says of the account, what of the code, and why.
const DIFFERENCES: &[(&str, &str, &str, &str)] = &[(
    "iam-role-uses-session-key",
    "fail",
    "unknown",
    "the role may use another key of the code, and whether two ARNs that AWS will give are one is not presumed",
)];

/// What is changed besides, where a breakage is more than one change.
const BESIDES: &[(&str, &str, &str)] =
    &[("ssm-encryption-flags-satisfiable", "[\"s3:GetEncryptionConfiguration\"]", "[\"s3:GetBucketAcl\"]")];

/// By rule and logical resource.
type Verdicts = BTreeMap<(String, String), String>;

fn verdicts(outcome: &Outcome, rules: &BTreeSet<String>, logical: impl Fn(&Value) -> String) -> Verdicts {
    let report = outcome.json();
    let findings = report["findings"].as_array().unwrap().iter();
    let judged = findings.filter(|finding| rules.contains(finding["rule"].as_str().unwrap()));
    judged
        .map(|finding| {
            let text = |name: &str| finding[name].as_str().unwrap().to_owned();
            let subject =
                format!("{} {}", finding["resource"]["type"].as_str().unwrap(), logical(&finding["resource"]));
            ((text("rule"), subject), text("verdict"))
        })
        .collect()
}

/// The rules that can be judged in accounts and in code.
pub(super) fn rules_of_both() -> BTreeSet<String> {
    let listed = Audit::new(&["rules", "list", "--policy", "hardened", "--format", "json"]).run().json();
    let both = |rule: &&Value| rule["sources"].as_array().unwrap().len() == 2;
    let rules = listed["rules"].as_array().unwrap().iter();
    rules.filter(both).map(|rule| rule["id"].as_str().unwrap().to_owned()).collect()
}

/// The code with its document in a heredoc, as AWS's samples have it.
fn with_heredoc(code: &str) -> String {
    let (before, rest) = code.split_once("  content = jsonencode({\n").unwrap();
    let (document, after) = rest.split_once("\n  })\n").unwrap();
    let mut lines: Vec<String> = Vec::new();
    for line in document.lines().map(str::trim) {
        let Some((name, value)) = line.split_once('=').map(|(name, value)| (name.trim(), value.trim())) else {
            lines.push(line.to_owned());
            continue;
        };
        let is_value = value.starts_with(['"', '{']) || matches!(value, "true" | "false");
        let is_value = is_value || value.chars().all(|one| one.is_ascii_digit());
        let value = if is_value { value.to_owned() } else { format!("\"${{{value}}}\"") };
        // Nothing stands behind the last member.
        let comma = if value == "{" { "" } else { "," };
        lines.push(format!("\"{name}\": {value}{comma}"));
    }
    let mut document = lines.join("\n");
    if let Some(last) = document.rfind(',').filter(|at| document[at + 1..].trim() == "}") {
        document.remove(last);
    }
    format!("{before}  content = <<DOC\n{{\n{document}\n}}\nDOC\n{after}")
}

#[test]
fn the_document_of_the_twin_is_the_same_in_a_heredoc() {
    let heredoc = with_heredoc(TWIN);
    assert!(
        heredoc.contains("\"cloudWatchLogGroupName\": \"${aws_cloudwatch_log_group.sessions.name}\",\n"),
        "{heredoc}"
    );
    assert!(heredoc.contains("\"s3EncryptionEnabled\": false,\n"), "{heredoc}");
    assert!(heredoc.contains("\"idleSessionTimeout\": \"20\"\n}\n}\nDOC\n"), "{heredoc}");
}

/// What the two scans of an account and its twin say.
fn both(emulator: &Emulator, made: &Value, code: &str, rules: &BTreeSet<String>) -> (Verdicts, Verdicts) {
    let account = made["account"].as_str().unwrap();
    let region = &made["regions"][REGION];
    let keys = region["keys"].as_object().unwrap();
    let of_account = |resource: &Value| {
        let id = resource["id"].as_str().unwrap();
        let key = keys.iter().find(|(_, arn)| arn.as_str().unwrap().ends_with(id));
        match (key, resource["type"].as_str().unwrap()) {
            (Some((name, _)), _) => name.clone(),
            (None, "AWS::EC2::Instance" | "AWS::EC2::SecurityGroup" | "AWS::IAM::Role") => "node".to_owned(),
            (None, "SSM::SessionPreferences") => "preferences".to_owned(),
            (None, _) => "sessions".to_owned(),
        }
    };
    let of_code = |resource: &Value| resource["id"].as_str().unwrap().rsplit('.').next().unwrap().to_owned();
    let flags = [ALL, &["--format", "json"]].concat();
    let live = Audit::on(emulator, account, REGION, &["scan"]).args(&flags).run();
    let scan = |code: &str| {
        let mut audit = Audit::new(&["scan", "code", "--account", account, "--region", REGION]).args(&flags);
        audit = audit.file("code/main.tf", &code.replace("ACCOUNT", account));
        verdicts(&audit.run(), rules, of_code)
    };
    let of_object = scan(code);
    assert_eq!(scan(&with_heredoc(code)), of_object, "in a heredoc the document says the same");
    (verdicts(&live, rules, of_account), of_object)
}

#[test]
fn an_account_and_the_code_that_makes_it_are_judged_alike() {
    let emulator = Emulator::moto_alone();
    let rules = rules_of_both();
    let names: Vec<&str> = TWINS.iter().flat_map(|(name, ..)| ["--break", name]).collect();
    let made = emulator.seed_with(&[&["--matrix"], &names[..]].concat());
    let made: Vec<(&str, &Value)> = made
        .as_array()
        .unwrap()
        .iter()
        .map(|account| (account["broken"].as_object().unwrap().keys().next().unwrap().as_str(), account))
        .collect();
    assert_eq!(made.len(), TWINS.len());
    let compared: Vec<(Vec<String>, BTreeSet<String>)> = made
        .par_iter()
        .map(|(name, account)| {
            let (_, from, to) = TWINS.iter().find(|(twin, ..)| twin == name).unwrap();
            assert_eq!(TWIN.matches(from).count(), 1, "{name}: {from}");
            let mut code = TWIN.replace(from, to);
            for (_, from, to) in BESIDES.iter().filter(|(besides, ..)| besides == name) {
                assert_eq!(TWIN.matches(from).count(), 1, "{name}: {from}");
                code = code.replace(from, to);
            }
            let (live, code) = both(&emulator, account, &code, &rules);
            let templated = with_template();
            if BESIDES.iter().all(|(besides, ..)| besides != name) && templated.matches(from).count() == 1 {
                let (_, templated) = both(&emulator, account, &templated.replace(from, to), &rules);
                assert_eq!(templated, code, "{name}, launched from a template");
            }
            let all: BTreeSet<_> = live.keys().chain(code.keys()).collect();
            let said =
                |verdicts: &Verdicts, subject| verdicts.get(subject).map_or("nothing", String::as_str).to_owned();
            let different = all.iter().filter(|subject| said(&live, subject) != said(&code, subject));
            let wrong = different.filter(|subject| {
                let pair = (subject.0.as_str(), said(&live, subject), said(&code, subject));
                // Code that declares a profile gives it to instances of other code; in an account, nothing has it.
                let is_of_unused_role = pair.0.starts_with("iam-role-") && (&*pair.1, &*pair.2) == ("nothing", "pass");
                if *name == "ec2-instance-profile-attached" && is_of_unused_role {
                    return false;
                }
                !DIFFERENCES.iter().any(|(rule, live, code, _)| (*rule, (*live).to_owned(), (*code).to_owned()) == pair)
            });
            let wrong = wrong.map(|subject| {
                format!(
                    "{name}: {} on {}: account {}, code {}",
                    subject.0,
                    subject.1,
                    said(&live, subject),
                    said(&code, subject)
                )
            });
            (wrong.collect(), all.iter().map(|subject| subject.0.clone()).collect())
        })
        .collect();
    let wrong: BTreeSet<&String> = compared.iter().flat_map(|(wrong, _)| wrong).collect();
    assert!(wrong.is_empty(), "{} of them: {wrong:#?}", wrong.len());
    let held: BTreeSet<String> = compared.into_iter().flat_map(|(_, rules)| rules).collect();
    assert_eq!(held, rules, "every rule that both have was compared");
}

/// The state that Terraform would have of the account.
fn state(made: &Value) -> String {
    let account = made["account"].as_str().unwrap();
    let region = &made["regions"][REGION];
    let arn = |service: &str, rest: &str| format!("arn:aws:{service}:{REGION}:{account}:{rest}");
    let instance = region["instances"][0].as_str().unwrap();
    let group = region["group"].as_str().unwrap();
    let resource = |kind: &str, name: &str, attributes: Value| json!({"mode": "managed", "type": kind, "name": name, "instances": [{"attributes": attributes}]});
    let resources = [
        resource("aws_instance", "node", json!({"id": instance, "arn": arn("ec2", &format!("instance/{instance}"))})),
        resource(
            "aws_security_group",
            "node",
            json!({"id": group, "arn": arn("ec2", &format!("security-group/{group}"))}),
        ),
        resource("aws_kms_key", "session", json!({"id": "x", "arn": region["keys"]["session"], "policy": "hunter2"})),
        resource("aws_ssm_document", "preferences", json!({"id": "SSM-SessionManagerRunShell"})),
    ];
    json!({"version": 4, "terraform_version": "1.9.0", "resources": resources}).to_string()
}

#[test]
fn findings_of_an_account_lead_to_the_code_that_made_it_and_tell_drift() {
    let account = fresh_account();
    let made = Emulator::moto().seed(&account, &[REGION], &["ec2-detailed-monitoring", "ssm-idle-timeout"]);
    let code = TWIN.replace("ACCOUNT", &account);
    // The code has one of the two faults, and one that the account has not.
    let code = code.replace("idleSessionTimeout          = \"20\"", "idleSessionTimeout = \"60\"");
    let code = code.replace("enable_key_rotation = true # session", "enable_key_rotation = false");
    let flags = ["scan", "--format", "json", "--terraform-state", "terraform.tfstate", "--terraform", "infra"];
    let outcome = Audit::on(Emulator::moto(), &account, REGION, &flags)
        .file("terraform.tfstate", &state(&made))
        .file("infra/main.tf", &code)
        .run();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let findings = super::findings(&outcome);
    let line = |text: &str| code[..code.find(text).unwrap()].matches('\n').count() + 1;
    let drifted = super::at(&findings, "ec2-detailed-monitoring");
    assert_eq!(drifted["resource"]["address"], "aws_instance.node");
    assert_eq!(drifted["resource"]["id"], made["regions"][REGION]["instances"][0]);
    assert_eq!(
        (&drifted["location"]["file"], &drifted["location"]["line"]),
        (&json!("infra/main.tf"), &json!(line("monitoring ")))
    );
    assert_eq!(drifted["code"], "pass");
    assert!(drifted["message"].as_str().unwrap().contains("the code holds"), "{drifted}");
    let alike = super::at(&findings, "ssm-idle-timeout");
    assert_eq!((&alike["verdict"], &alike["code"]), (&json!("fail"), &json!("fail")));
    assert_eq!(alike["location"]["line"], line("idleSessionTimeout"));
    assert!(outcome.stderr.contains("kms-rotation-enabled holds for"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("applying the code takes it back"), "{}", outcome.stderr);
    assert!(!outcome.stdout.contains("hunter2"));
    // What the state does not have stays as it is.
    let role = super::at(&findings, "iam-role-ssm-core");
    assert!(role["resource"]["address"].is_null() && role["location"].is_null());

    let wrong = Audit::on(Emulator::moto(), &account, REGION, &flags[..5]).file("terraform.tfstate", "{}").run();
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("terraform state pull"), "{}", wrong.stderr);
}
