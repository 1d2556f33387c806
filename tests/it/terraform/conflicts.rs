//! Resources that set one thing twice, or take away what others add: which of them counts depends on the last apply.

use super::ALL;
use super::mapped::{GROUP, INSTANCE, expect, verdicts};

const PREFERENCES: &str = r#"resource "aws_ssm_document" "p" {
  name          = "SSM-SessionManagerRunShell"
  document_type = "Session"
  content = jsonencode({ schemaVersion = "1.0", sessionType = "Standard_Stream", inputs = {
    s3BucketName           = aws_s3_bucket.b.id
    cloudWatchLogGroupName = aws_cloudwatch_log_group.g.name
    kmsKeyId               = aws_kms_key.k.arn
  } })
}
resource "aws_cloudwatch_log_group" "g" {
  name       = "g"
  kms_key_id = aws_kms_key.k.arn
}
"#;

/// The preferences with what they name; the key and the bucket have these arguments of their own.
fn preferences(of_key: &str, of_bucket: &str) -> String {
    format!(
        "{PREFERENCES}resource \"aws_kms_key\" \"k\" {{\n{of_key}}}\nresource \"aws_s3_bucket\" \"b\" {{\n  bucket = \
         \"logs\"\n{of_bucket}}}\n"
    )
}

/// A role in an instance profile.
const ROLE: &str = "resource \"aws_iam_role\" \"r\" {\n  name = \"r\"\n  assume_role_policy = jsonencode({ Version = \
    \"2012-10-17\", Statement = [{ Effect = \"Allow\", Action = \"sts:AssumeRole\", Principal = { Service = \
    \"ec2.amazonaws.com\" } }] })\n}\nresource \"aws_iam_instance_profile\" \"p\" {\n  role = \
    aws_iam_role.r.name\n}\n";

#[test]
fn of_two_settings_of_one_resource_neither_counts() {
    let statement = |principal: &str| {
        format!("{{ Effect = \"Allow\", Principal = {{ {principal} }}, Action = \"kms:*\", Resource = \"*\" }}")
    };
    let document = format!(
        "  policy = jsonencode({{ Version = \"2012-10-17\", Statement = [{}, {}] }})\n",
        statement("AWS = \"arn:aws:iam::123456789012:root\""),
        statement("Service = \"logs.us-east-1.amazonaws.com\"")
    );
    let apart = |rule: &str, id: &str, kind: &str, content: &str, own: [&str; 2]| {
        let about =
            if kind == "aws_kms_key_policy" { "key_id = aws_kms_key.k.id" } else { "bucket = aws_s3_bucket.b.id" };
        let resource = |label: &str| format!("resource \"{kind}\" \"{label}\" {{\n  {about}\n{content}}}\n");
        let is =
            |code: String, verdict: &str| assert_eq!(verdicts(&code, ALL, rule, id), [verdict], "{rule} of {code}");
        let whole = preferences("", "");
        is(format!("{whole}{}", resource("one")), "pass");
        is(format!("{whole}{}{}", resource("one"), resource("two")), "unknown");
        if own != ["", ""] {
            is(preferences(own[0], own[1]), "pass");
            is(format!("{}{}", preferences(own[0], own[1]), resource("one")), "unknown");
        }
    };
    apart("kms-policy-grants-logs", "key.k", "aws_kms_key_policy", &document, [&document, ""]);
    let encryption = "    rule {\n      apply_server_side_encryption_by_default {\n        sse_algorithm = \"aws:kms\"\n      \
                      }\n    }\n";
    let block = format!("  server_side_encryption_configuration {{\n{encryption}  }}\n");
    let kind = "aws_s3_bucket_server_side_encryption_configuration";
    apart("s3-kms-encrypted", "bucket.b", kind, encryption, ["", &block]);
    let logging = "  target_bucket = \"access-logs\"\n  target_prefix = \"x\"\n";
    let block = format!("  logging {{\n{logging}  }}\n");
    apart("s3-access-logging", "bucket.b", "aws_s3_bucket_logging", logging, ["", &block]);
    let lock = "  object_lock_enabled = \"Enabled\"\n";
    apart("s3-object-lock-enabled", "bucket.b", "aws_s3_bucket_object_lock_configuration", lock, ["", ""]);
}

#[test]
fn of_two_settings_of_one_region_neither_counts() {
    let setting =
        |kind: &str, label: &str, content: &str| format!("resource \"{kind}\" \"{label}\" {{\n  {content}\n}}\n");
    for (kind, content, rule) in [
        ("aws_ec2_instance_metadata_defaults", "http_tokens = \"required\"", "ec2-imdsv2-required"),
        ("aws_ebs_encryption_by_default", "enabled = true", "ec2-root-volume-encrypted"),
    ] {
        let one = format!("{INSTANCE}}}\n{}", setting(kind, "one", content));
        expect(&one, &[(rule, "node", "pass")]);
        expect(&format!("{one}{}", setting(kind, "two", content)), &[(rule, "node", "unknown")]);
        // Each region has its own.
        let west = format!("{content}\n  provider = aws.west");
        let elsewhere = "provider \"aws\" {\n  alias = \"west\"\n  region = \"us-west-2\"\n}\n";
        expect(&format!("{one}{elsewhere}{}", setting(kind, "two", &west)), &[(rule, "node", "pass")]);
    }
}

/// A rule that lets this port out, as a resource.
fn rule(label: &str, port: u16) -> String {
    format!(
        "resource \"aws_vpc_security_group_egress_rule\" \"{label}\" {{\n  security_group_id = \
         aws_security_group.web.id\n  description = \"x\"\n  ip_protocol = \"tcp\"\n  from_port = {port}\n  to_port = \
         {port}\n  cidr_ipv4 = \"0.0.0.0/0\"\n}}\n"
    )
}

/// An instance with a group, in which this is.
fn node(of_group: &str) -> String {
    format!("{INSTANCE}  vpc_security_group_ids = [aws_security_group.web.id]\n}}\n{GROUP}{of_group}}}\n")
}

#[test]
fn rules_beside_those_of_the_group_itself_may_be_taken_away() {
    let inline = |port: u16| {
        format!(
            "  egress {{\n    description = \"x\"\n    protocol = \"tcp\"\n    from_port = {port}\n    to_port = {port}\n    \
             cidr_blocks = [\"0.0.0.0/0\"]\n  }}\n"
        )
    };
    for (own, more, verdicts) in [
        (inline(443), String::new(), ["pass", "pass"]),
        (inline(5432), String::new(), ["fail", "fail"]),
        (String::new(), rule("r", 443), ["pass", "pass"]),
        // Those of the group itself are there.
        (inline(5432), rule("r", 443), ["unknown", "fail"]),
        (inline(443), rule("r", 5432), ["pass", "unknown"]),
    ] {
        let expected =
            [("ec2-https-egress-allowed", "node", verdicts[0]), ("sg-egress-https-only", "web", verdicts[1])];
        expect(&format!("{}{more}", node(&own)), &expected);
    }
    // The rules of the other way are another argument.
    let code = format!("{}{}", node(&inline(443).replace("egress", "ingress")), rule("r", 443));
    expect(&code, &[("ec2-https-egress-allowed", "node", "pass"), ("sg-no-ingress", "web", "fail")]);
}

#[test]
fn of_a_group_with_exclusive_rules_others_are_not_known_to_be_there() {
    let only = |ingress: &str, egress: &str| {
        format!(
            "resource \"aws_vpc_security_group_rules_exclusive\" \"x\" {{\n  security_group_id = \
             aws_security_group.web.id\n  ingress_rule_ids = [{ingress}]\n  egress_rule_ids = [{egress}]\n}}\n"
        )
    };
    let address = |label: &str| format!("aws_vpc_security_group_egress_rule.{label}.id");
    let both = format!("{}, {}", address("one"), address("two"));
    for (ingress, egress, verdicts) in [
        ("", &*both, ["pass", "pass", "fail"]),
        ("", &*address("one"), ["pass", "pass", "unknown"]),
        ("", &*address("one").replace(".id", ".security_group_rule_id"), ["pass", "pass", "unknown"]),
        ("", &*address("two"), ["pass", "unknown", "fail"]),
        ("", "", ["pass", "unknown", "unknown"]),
        ("\"sgr-0123456789abcdef0\"", &*both, ["unknown", "pass", "fail"]),
        ("", "\"sgr-0123456789abcdef0\"", ["pass", "unknown", "unknown"]),
    ] {
        let code = format!("{}{}{}{}", node(""), rule("one", 443), rule("two", 5432), only(ingress, egress));
        let rules = ["sg-no-ingress", "ec2-https-egress-allowed", "sg-egress-https-only"];
        let ids = ["web", "node", "web"];
        let expected: Vec<_> = (0..3).map(|index| (rules[index], ids[index], verdicts[index])).collect();
        expect(&code, &expected);
    }
}

#[test]
fn a_policy_is_attached_by_any_of_the_resources_that_name_the_role() {
    let core = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore";
    let single = format!(
        "resource \"aws_iam_role_policy_attachment\" \"a\" {{\n  role = aws_iam_role.r.name\n  policy_arn = \
         \"{core}\"\n}}\n"
    );
    let all = |label: &str, roles: &str, policy: &str| {
        format!(
            "resource \"aws_iam_policy_attachment\" \"{label}\" {{\n  name = \"{label}\"\n  roles = [{roles}]\n  policy_arn \
             = {policy}\n}}\n"
        )
    };
    let quoted = format!("\"{core}\"");
    let of_role = all("own", "aws_iam_role.r.name, \"other\"", &quoted);
    for (code, verdict) in [
        (of_role.clone(), "pass"),
        (single.clone(), "pass"),
        (format!("{single}{of_role}"), "pass"),
        (format!("{single}{}", all("b", "\"other\"", "\"arn:aws:iam::aws:policy/ReadOnlyAccess\"")), "pass"),
        (all("b", "\"other\"", &quoted), "fail"),
    ] {
        expect(&format!("{ROLE}{code}"), &[("iam-role-ssm-core", "role.r", verdict)]);
    }
}

#[test]
fn private_dns_of_an_endpoint_may_be_set_apart() {
    let code = |own: &str, apart: &str| {
        format!(
            "resource \"aws_vpc\" \"v\" {{\n  cidr_block = \"10.0.0.0/16\"\n}}\nresource \"aws_security_group\" \"g\" {{\n  \
             vpc_id = aws_vpc.v.id\n  egress {{\n    from_port = 443\n    to_port = 443\n    protocol = \"tcp\"\n    \
             cidr_blocks = [\"10.0.0.0/16\"]\n  }}\n}}\nresource \"aws_vpc_endpoint\" \"e\" {{\n  for_each = toset([\"ssm\", \
             \"ssmmessages\"])\n  vpc_id = aws_vpc.v.id\n  vpc_endpoint_type = \"Interface\"\n  service_name = \
             \"com.amazonaws.us-east-1.${{each.key}}\"\n  security_group_ids = [aws_security_group.g.id]\n{own}}}\n\
             {INSTANCE}  vpc_security_group_ids = [aws_security_group.g.id]\n}}\n{apart}"
        )
    };
    let set = |flag: &str| format!("  private_dns_enabled = {flag}\n");
    let apart = |flag: &str| {
        format!(
            "resource \"aws_vpc_endpoint_private_dns\" \"d\" {{\n  for_each = aws_vpc_endpoint.e\n  vpc_endpoint_id = \
             each.value.id\n{}}}\n",
            set(flag)
        )
    };
    let verdict = |own: &str, apart: &str| verdicts(&code(own, apart), ALL, "ec2-https-egress-allowed", "node");
    assert_eq!(verdict(&set("true"), ""), ["pass"]);
    assert_eq!(verdict("", &apart("true")), ["pass"]);
    assert_eq!(verdict(&set("true"), &apart("true")), ["pass"]);
    assert_eq!(verdict(&set("true"), &apart("false")), ["unknown"]);
    assert_eq!(verdict("", &apart("false")), verdict("", ""));
}

#[test]
fn a_grant_lets_a_role_use_the_session_key() {
    let node = format!("{INSTANCE}  iam_instance_profile = aws_iam_instance_profile.p.name\n}}\n");
    let grant = |principal: &str, operations: &str, more: &str| {
        format!(
            "resource \"aws_kms_grant\" \"g\" {{\n  key_id = aws_kms_key.k.key_id\n  grantee_principal = {principal}\n  \
             operations = [{operations}]\n{more}}}\n"
        )
    };
    let role_arn = "aws_iam_role.r.arn";
    let constraints = "  constraints {\n    encryption_context_subset = { a = \"b\" }\n  }\n";
    for (grant, verdict) in [
        (String::new(), "fail"),
        (grant(role_arn, "\"Decrypt\", \"Encrypt\"", ""), "pass"),
        (grant(role_arn, "\"Encrypt\"", ""), "fail"),
        (grant("\"arn:aws:iam::123456789012:role/other\"", "\"Decrypt\"", ""), "fail"),
        (grant(role_arn, "\"Decrypt\"", constraints), "unknown"),
    ] {
        let code = format!("{}{ROLE}{node}{grant}", preferences("", ""));
        expect(&code, &[("iam-role-uses-session-key", "role.r", verdict)]);
    }
}
