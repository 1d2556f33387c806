//! Bucket policies in code: they count as in a live account, however they are written.

use super::{COMPLIANT, PLACE, findings, scan};

const DENIED: &str =
    r#"{ Effect = "Deny", Principal = "*", Action = "s3:PutObject", Resource = "${aws_s3_bucket.sessions.arn}/*" }"#;

/// The verdicts of a rule on the compliant code with this code beside it.
fn verdicts(rule: &str, more: &str) -> Vec<String> {
    let outcome = scan(&format!("{COMPLIANT}\n{more}"), &[PLACE, &["--rule", rule]].concat());
    findings(&outcome).iter().map(|finding| finding["verdict"].as_str().unwrap().to_owned()).collect()
}

fn policy(statements: &str) -> String {
    format!(
        "resource \"aws_s3_bucket_policy\" \"sessions\" {{\n  bucket = aws_s3_bucket.sessions.id\n  policy = jsonencode({{ Version = \"2012-10-17\", Statement = [{statements}] }})\n}}\n"
    )
}

fn denial(condition: &str) -> String {
    let both = "[aws_s3_bucket.sessions.arn, \"${aws_s3_bucket.sessions.arn}/*\"]";
    policy(&format!(
        "{{ Effect = \"Deny\", Principal = {{ AWS = \"*\" }}, Action = \"s3:*\", Resource = {both}, Condition = {condition} }}"
    ))
}

#[test]
fn a_bucket_that_denies_uploads_fails_the_role_however_the_policy_is_written() {
    let document = r#"
data "aws_iam_policy_document" "sessions" {
  statement {
    effect    = "Deny"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.sessions.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }
}
resource "aws_s3_bucket_policy" "sessions" {
  bucket = aws_s3_bucket.sessions.bucket
  policy = data.aws_iam_policy_document.sessions.json
}
"#;
    assert_eq!(verdicts("iam-role-writes-s3", &policy(DENIED)), ["fail"]);
    assert_eq!(verdicts("iam-role-writes-s3", document), ["fail"]);
    let old = COMPLIANT.replace(
        "resource \"aws_s3_bucket\" \"sessions\" {\n",
        &format!(
            "resource \"aws_s3_bucket\" \"sessions\" {{\n  policy = jsonencode({{ Version = \"2012-10-17\", Statement = [{}] }})\n",
            DENIED.replace("aws_s3_bucket.sessions.arn", "local.arn")
        ),
    );
    let old = format!("{old}\nlocals {{ arn = \"arn:aws:s3:::*\" }}\n");
    let outcome = scan(&old, &[PLACE, &["--rule", "iam-role-writes-s3"]].concat());
    assert_eq!(findings(&outcome)[0]["verdict"], "fail", "{}", outcome.stderr);
}

#[test]
fn what_aws_proposes_to_deny_does_not_meet_the_agent() {
    for condition in [
        r#"{ Bool = { "aws:SecureTransport" = "false" } }"#,
        r#"{ NumericLessThan = { "s3:TlsVersion" = 1.2 } }"#,
        r#"{ ArnNotLike = { "aws:PrincipalArn" = [aws_iam_role.node.arn] } }"#,
        r#"{ StringNotEquals = { "aws:PrincipalAccount" = data.aws_caller_identity.bucket.account_id } }"#,
    ] {
        let code = format!("{}\ndata \"aws_caller_identity\" \"bucket\" {{}}\n", denial(condition));
        assert_eq!(verdicts("iam-role-writes-s3", &code), ["pass"], "{condition}");
    }
}

#[test]
fn a_condition_that_code_does_not_decide_is_unknown_and_one_that_it_decides_counts() {
    let of_endpoint = denial(r#"{ StringNotEquals = { "aws:SourceVpce" = "vpce-1a2b3c4d" } }"#);
    assert_eq!(verdicts("iam-role-writes-s3", &of_endpoint), ["unknown"]);
    let of_strangers = denial(r#"{ ArnNotLike = { "aws:PrincipalArn" = "arn:aws:iam::123456789012:role/another" } }"#);
    assert_eq!(verdicts("iam-role-writes-s3", &of_strangers), ["fail"]);
    let unknown = "variable \"policy\" {}\nresource \"aws_s3_bucket_policy\" \"sessions\" {\n  bucket = aws_s3_bucket.sessions.id\n  policy = var.policy\n}\n";
    assert_eq!(verdicts("iam-role-writes-s3", unknown), ["unknown"]);
}

/// AWS's own policies are not the same in each partition by their ARNs: one of another partition is not there.
#[test]
fn a_managed_policy_of_another_partition_grants_nothing() {
    let verdict = |arn: &str, place: &[&str]| {
        let code = COMPLIANT.replace("arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore", arn);
        assert_ne!(code, COMPLIANT);
        let outcome = scan(&code, &[place, &["--rule", "iam-role-ssm-core"]].concat());
        findings(&outcome)[0]["verdict"].as_str().unwrap().to_owned()
    };
    let of_gov = "arn:aws-us-gov:iam::aws:policy/AmazonSSMManagedInstanceCore";
    assert_eq!(verdict(of_gov, PLACE), "fail");
    assert_eq!(verdict("arn:aws-cn:iam::aws:policy/AmazonSSMManagedInstanceCore", PLACE), "fail");
    assert_eq!(verdict("arn:aws-us-gov:iam::123456789012:policy/core", PLACE), "fail");
}
