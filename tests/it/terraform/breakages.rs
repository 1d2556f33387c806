//! What breaks each rule: one place of the compliant code, and what stands there instead.

/// A change of the compliant code, and the rule that it breaks.
#[derive(Clone, Copy)]
pub(super) struct Breakage {
    pub(super) rule: &'static str,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    /// Other rules that rightly do not hold then.
    pub(super) also: &'static [&'static str],
}

const fn breakage(rule: &'static str, from: &'static str, to: &'static str) -> Breakage {
    Breakage { rule, from, to, also: &[] }
}

const fn with(breakage: Breakage, also: &'static [&'static str]) -> Breakage {
    Breakage { also, ..breakage }
}

/// Rules that code cannot break: the preferences are judged where code declares them, and then they exist.
pub(super) const UNBREAKABLE: &[&str] = &["ssm-preferences-exist"];

/// Rules that have nothing to say of the compliant code: it does not let sessions run as another user.
pub(super) const NOT_APPLICABLE: &[&str] = &["ssm-run-as-user-set"];

pub(super) const BREAKAGES: &[Breakage] = &[
    breakage("ec2-detailed-monitoring", "monitoring             = true", "monitoring = false"),
    breakage("ec2-detailed-monitoring", "  monitoring             = true\n", ""),
    with(breakage("ec2-https-egress-allowed", "from_port         = 443", "from_port = 444"), &["sg-egress-https-only"]),
    breakage("ec2-https-egress-allowed", "cidr_ipv4         = \"0.0.0.0/0\"", "cidr_ipv4 = \"203.0.113.0/24\""),
    breakage("ec2-imds-endpoint-enabled", "http_endpoint               = \"enabled\"", "http_endpoint = \"disabled\""),
    breakage("ec2-imds-hop-limit", "http_put_response_hop_limit = 1", "http_put_response_hop_limit = 2"),
    breakage(
        "ec2-imds-tags-disabled",
        "instance_metadata_tags      = \"disabled\"",
        "instance_metadata_tags = \"enabled\"",
    ),
    breakage("ec2-imdsv2-required", "http_tokens                 = \"required\"", "http_tokens = \"optional\""),
    breakage("ec2-imdsv2-required", "    http_tokens                 = \"required\"\n", ""),
    breakage("ec2-imdsv2-required", "http_tokens                 = \"required\"", "http_tokens = null"),
    breakage("ec2-instance-profile-attached", "  iam_instance_profile   = aws_iam_instance_profile.node.name\n", ""),
    breakage("ec2-no-default-security-group", "  vpc_security_group_ids = [aws_security_group.node.id]\n", ""),
    breakage("ec2-required-tags", "  tags                   = local.tags\n", ""),
    breakage("ec2-required-tags", "tags                   = local.tags", "tags = { AppID = \"payments\" }"),
    breakage("ec2-root-volume-customer-key", "kms_key_id = aws_kms_key.sessions.arn", "kms_key_id = \"alias/aws/ebs\""),
    with(
        breakage("ec2-root-volume-encrypted", "encrypted  = true", "encrypted  = false"),
        &["ec2-root-volume-customer-key"],
    ),
    breakage("iam-role-no-logs-full-access", "AmazonSSMManagedInstanceCore\"\n}", CORE_AND_FULL_ACCESS),
    breakage(
        "iam-role-s3-scoped",
        "\"${aws_s3_bucket.sessions.arn}/AWSLogs/${local.account}/ssm_session_logs/*\"",
        "\"*\"",
    ),
    breakage("iam-role-ssm-core", "AmazonSSMManagedInstanceCore", "CloudWatchAgentServerPolicy"),
    breakage(
        "iam-role-trusts-ec2-only",
        "identifiers = [\"ec2.amazonaws.com\"]",
        "identifiers = [\"ec2.amazonaws.com\", \"lambda.amazonaws.com\"]",
    ),
    with(
        breakage(
            "iam-role-uses-session-key",
            "\"kms:Decrypt\", \"kms:Encrypt\", \"kms:GenerateDataKey\"",
            "\"kms:Encrypt\"",
        ),
        &["iam-role-uses-volume-key"],
    ),
    breakage(
        "iam-role-uses-volume-key",
        "\"kms:Decrypt\", \"kms:Encrypt\", \"kms:GenerateDataKey\"",
        "\"kms:Decrypt\", \"kms:GenerateDataKey\"",
    ),
    breakage("iam-role-writes-cloudwatch", "\"logs:CreateLogStream\", ", ""),
    breakage("iam-role-writes-s3", "actions   = [\"s3:PutObject\"]", "actions = [\"s3:GetObject\"]"),
    breakage("iam-role-writes-s3", "ssm_session_logs/*\"]", "elsewhere/*\"]"),
    breakage("kms-deletion-window", "deletion_window_in_days = 30", "deletion_window_in_days = 7"),
    breakage("kms-key-usable", "is_enabled              = true", "is_enabled = false"),
    breakage("kms-policy-grants-logs", "log-group:/ssm/sessions\"]\n    }", "log-group:/ssm/other\"]\n    }"),
    with(
        breakage("kms-policy-keeps-account-admin", "actions   = [\"kms:*\"]", "actions = [\"kms:Describe*\"]"),
        &["iam-role-uses-session-key", "iam-role-uses-volume-key"],
    ),
    breakage("kms-rotation-enabled", "  enable_key_rotation     = true\n", ""),
    with(
        breakage("logs-kms-encrypted", "  kms_key_id        = aws_kms_key.sessions.arn\n", ""),
        &["ssm-encryption-flags-satisfiable"],
    ),
    breakage("logs-retention-set", "retention_in_days = 90", "retention_in_days = 7"),
    breakage("logs-retention-set", "retention_in_days = 90", "retention_in_days = 0"),
    breakage(
        "s3-access-logging",
        "resource \"aws_s3_bucket_logging\" \"sessions\" {\n  bucket        = aws_s3_bucket.sessions.id",
        "resource \"aws_s3_bucket_logging\" \"sessions\" {\n  bucket = \"another\"",
    ),
    with(
        breakage("s3-encrypted", "sse_algorithm     = \"aws:kms\"", "sse_algorithm = \"none\""),
        &["s3-kms-encrypted", "ssm-encryption-flags-satisfiable"],
    ),
    breakage(
        "s3-kms-encrypted",
        "sse_algorithm     = \"aws:kms\"\n      kms_master_key_id = aws_kms_key.sessions.arn",
        "sse_algorithm = \"AES256\"",
    ),
    with(
        breakage(
            "s3-object-lock-enabled",
            "  object_lock_enabled = true\n  tags                = local.tags\n}\n\nresource \
             \"aws_s3_bucket_object_lock_configuration\" \"sessions\" {\n  bucket = \
             aws_s3_bucket.sessions.bucket\n  rule {\n    default_retention {\n      mode = \"GOVERNANCE\"\n      \
             days = 90\n    }\n  }\n}\n",
            "  tags = local.tags\n}\n",
        ),
        &["s3-object-lock-retention"],
    ),
    breakage("s3-object-lock-retention", "      days = 90", "      days = 7"),
    breakage(
        "s3-required-tags",
        "object_lock_enabled = true\n  tags                = local.tags",
        "object_lock_enabled = true",
    ),
    breakage("sg-egress-https-only", "resource \"aws_instance\"", EVERYTHING_OUT),
    breakage("sg-no-ingress", "resource \"aws_instance\"", SSH_IN),
    breakage("sg-rules-described", "  description       = \"HTTPS to AWS\"\n", ""),
    breakage(
        "ssm-cloudwatch-logs-encrypted",
        "cloudWatchEncryptionEnabled = true",
        "cloudWatchEncryptionEnabled = false",
    ),
    breakage(
        "ssm-encryption-flags-satisfiable",
        "actions   = [\"s3:GetEncryptionConfiguration\"]",
        "actions = [\"s3:GetBucketAcl\"]",
    ),
    breakage("ssm-idle-timeout", "idleSessionTimeout          = \"20\"", "idleSessionTimeout = \"60\""),
    breakage("ssm-logs-streamed", "cloudWatchStreamingEnabled  = true", "cloudWatchStreamingEnabled = false"),
    breakage(
        "ssm-logs-to-cloudwatch",
        "cloudWatchLogGroupName      = aws_cloudwatch_log_group.sessions.name",
        "cloudWatchLogGroupName = \"\"",
    ),
    breakage("ssm-logs-to-s3", "s3BucketName                = aws_s3_bucket.sessions.id", "s3BucketName = null"),
    breakage("ssm-max-session-duration", "maxSessionDuration          = \"60\"", "maxSessionDuration = \"\""),
    breakage("ssm-preferences-valid", "sessionType   = \"Standard_Stream\"", "sessionType = \"Port\""),
    with(
        breakage("ssm-preferences-valid", "runAsEnabled                = false", "runAsEnabled = \"no\""),
        &["ssm-run-as-disabled", "ssm-run-as-user-set"],
    ),
    with(
        breakage("ssm-run-as-disabled", "runAsEnabled                = false", "runAsEnabled = true"),
        &["ssm-run-as-user-set"],
    ),
    with(
        breakage("ssm-run-as-user-set", "runAsEnabled                = false", "runAsEnabled = true"),
        &["ssm-run-as-disabled"],
    ),
    with(
        breakage("ssm-s3-key-prefix", "s3KeyPrefix                 = \"AWSLogs/", "s3KeyPrefix = \"Logs/"),
        &["iam-role-writes-s3"],
    ),
    breakage("ssm-s3-logs-encrypted", "s3EncryptionEnabled         = true", "s3EncryptionEnabled = false"),
    breakage("ssm-session-key-set", "kmsKeyId                    = aws_kms_alias.sessions.name", "kmsKeyId = \"\""),
];

const CORE_AND_FULL_ACCESS: &str = r#"AmazonSSMManagedInstanceCore"
}

resource "aws_iam_policy_attachment" "logs" {
  name       = "logs"
  roles      = [aws_iam_role.node.id]
  policy_arn = "arn:aws:iam::aws:policy/CloudWatchLogsFullAccess"
}"#;

const EVERYTHING_OUT: &str = r#"resource "aws_security_group_rule" "out" {
  security_group_id = aws_security_group.node.id
  type              = "egress"
  description       = "Everything"
  protocol          = "all"
  from_port         = 0
  to_port           = 0
  cidr_blocks       = ["0.0.0.0/0"]
}

resource "aws_instance""#;

const SSH_IN: &str = r#"resource "aws_vpc_security_group_ingress_rule" "ssh" {
  security_group_id = aws_security_group.node.id
  description       = "SSH"
  ip_protocol       = "6"
  from_port         = 22
  to_port           = 22
  cidr_ipv4         = "10.0.0.0/8"
}

resource "aws_instance""#;
