use super::*;
use crate::{Context, Denial, Principal, Resource};
use serde_json::{Value, json};

const ROLE: &str = "arn:aws:iam::111122223333:role/node";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/node/i-0abc";
const ROOT: &str = "arn:aws:iam::111122223333:root";
const OBJECTS: &str = "arn:aws:s3:::logs/sessions/*";

fn policy(statements: &Value) -> PolicyDocument {
    PolicyDocument::from_value(json!({"Version": "2012-10-17", "Statement": statements})).unwrap()
}

fn put(effect: &str, principal: &Value, condition: &Value) -> PolicyDocument {
    policy(&json!([{
        "Effect": effect, "Principal": principal, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::logs/*",
        "Condition": condition,
    }]))
}

fn own(effect: &str) -> PolicyDocument {
    policy(&json!([{"Effect": effect, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::logs/*"}]))
}

/// An upload by one session of the role.
fn upload() -> Request {
    let role = Principal::session(ROLE, "i-0abc").unwrap();
    let context = Context::new()
        .with("aws:SecureTransport", "true")
        .with("aws:PrincipalOrgID", "o-exampleorgid")
        .with("s3:x-amz-acl", "bucket-owner-full-control")
        .with("s3:x-amz-server-side-encryption", "aws:kms")
        .without("s3:x-amz-server-side-encryption-aws-kms-key-id")
        .with_one_of("s3:TlsVersion", ["1.2".to_owned(), "1.3".to_owned()]);
    Request::new(role, "s3:PutObject", Resource::every(OBJECTS)).in_context(context)
}

type Policies<'a> = &'a [Option<&'a PolicyDocument>];

#[track_caller]
fn is(owner: BucketOwner, bucket: &PolicyDocument, own: Policies<'_>, boundary: Boundary<'_>, expected: Truth) {
    let decision = bucket_allows(BucketPolicy::Document(bucket), owner, own, boundary, &upload());
    assert_eq!(decision.truth(), expected, "{decision:?}");
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html>
#[test]
fn in_one_account_either_side_allows_and_the_boundary_limits_what_the_role_is_granted() {
    use BucketOwner::Same;
    let (allow, deny, nothing) = (own("Allow"), own("Deny"), policy(&json!([])));
    let (unset, narrow) = (Boundary::Unset, Boundary::Document(&nothing));
    let [everyone, role, session, other, account] = [
        json!("*"),
        json!({"AWS": ROLE}),
        json!({"AWS": SESSION}),
        json!({"AWS": format!("{SESSION}x")}),
        json!({"AWS": ROOT}),
    ]
    .map(|principal| put("Allow", &principal, &json!({})));
    for (bucket, in_narrow) in [(&everyone, Truth::True), (&session, Truth::True), (&role, Truth::False)] {
        is(Same, bucket, &[], unset, Truth::True);
        is(Same, bucket, &[], narrow, in_narrow);
        is(Same, bucket, &[Some(&deny)], unset, Truth::False);
        is(Same, bucket, &[], Boundary::Document(&deny), Truth::False);
    }
    is(Same, &role, &[], Boundary::Unread, Truth::Unknown);
    is(Same, &other, &[], unset, Truth::False);
    // A grant to the account leaves it to the role's own policies.
    is(Same, &account, &[], unset, Truth::False);
    is(Same, &account, &[Some(&allow)], unset, Truth::True);
    is(Same, &nothing, &[Some(&allow)], unset, Truth::True);
    is(Same, &nothing, &[Some(&allow)], narrow, Truth::False);
    is(Same, &nothing, &[None], unset, Truth::Unknown);
}

#[test]
fn from_another_account_both_sides_must_allow() {
    use BucketOwner::Other;
    let (allow, deny, nothing) = (own("Allow"), own("Deny"), policy(&json!([])));
    let (unset, narrow) = (Boundary::Unset, Boundary::Document(&nothing));
    for principal in [
        json!("*"),
        json!({"AWS": ROLE}),
        json!({"AWS": SESSION}),
        json!({"AWS": ROOT}),
        json!({"AWS": "111122223333"}),
    ] {
        let bucket = put("Allow", &principal, &json!({}));
        is(Other, &bucket, &[Some(&allow)], unset, Truth::True);
        is(Other, &bucket, &[], unset, Truth::False);
        is(Other, &bucket, &[Some(&allow)], narrow, Truth::False);
        is(Other, &bucket, &[Some(&allow), Some(&deny)], unset, Truth::False);
    }
    is(Other, &nothing, &[Some(&allow)], unset, Truth::False);
    is(Other, &put("Allow", &json!({"AWS": "444455556666"}), &json!({})), &[Some(&allow)], unset, Truth::False);
}

#[test]
fn what_was_not_read_decides_only_where_it_cannot_matter() {
    let (allow, deny) = (own("Allow"), own("Deny"));
    let ask = |policy, owner, own: Policies<'_>| bucket_allows(policy, owner, own, Boundary::Unset, &upload()).truth();
    for (owner, without_grant) in [(BucketOwner::Same, Truth::Unknown), (BucketOwner::Other, Truth::False)] {
        assert_eq!(ask(BucketPolicy::Unread, owner, &[Some(&allow)]), Truth::Unknown);
        assert_eq!(ask(BucketPolicy::Unread, owner, &[Some(&deny)]), Truth::False);
        assert_eq!(ask(BucketPolicy::Unread, owner, &[]), without_grant);
    }
    assert_eq!(ask(BucketPolicy::Unset, BucketOwner::Same, &[Some(&allow)]), Truth::True);
    assert_eq!(ask(BucketPolicy::Unset, BucketOwner::Same, &[]), Truth::False);
    assert_eq!(ask(BucketPolicy::Unset, BucketOwner::Other, &[Some(&allow)]), Truth::False);
}

/// Statements as in AWS's examples of bucket policies.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html>
#[test]
fn the_usual_denials_are_decided() {
    let allow = own("Allow");
    let everyone = json!("*");
    for (condition, expected) in [
        (json!({}), Truth::False),
        (json!({"Bool": {"aws:SecureTransport": "false"}}), Truth::True),
        (json!({"NumericLessThan": {"s3:TlsVersion": "1.2"}}), Truth::True),
        (json!({"NumericLessThan": {"s3:TlsVersion": "1.3"}}), Truth::Unknown),
        (json!({"StringNotEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}), Truth::True),
        (json!({"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}), Truth::True),
        (json!({"StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}}), Truth::False),
        (json!({"Null": {"s3:x-amz-server-side-encryption": "true"}}), Truth::True),
        (json!({"Null": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "true"}}), Truth::False),
        (
            json!({"ArnNotEqualsIfExists": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "arn:aws:kms:us-east-1:111122223333:key/k"}}),
            Truth::False,
        ),
        (json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-exampleorgid"}}), Truth::True),
        (
            json!({"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-another"}, "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}),
            Truth::False,
        ),
        (json!({"StringNotEquals": {"aws:PrincipalAccount": "111122223333"}}), Truth::True),
        (
            json!({"ArnNotLike": {"aws:PrincipalArn": ["arn:aws:iam::111122223333:role/node", "arn:aws:iam::*:role/admin"]}}),
            Truth::True,
        ),
        (json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/admin"}}), Truth::False),
        (json!({"StringNotEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}}), Truth::Unknown),
        (json!({"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}), Truth::Unknown),
        (json!({"StringNotEqualsIfExists": {"aws:SourceOrgID": "o-another"}}), Truth::False),
        (
            json!({"StringNotEqualsIfExists": {"aws:SourceOrgID": "o-another"}, "Null": {"aws:SourceAccount": "false"}}),
            Truth::True,
        ),
    ] {
        let bucket = put("Deny", &everyone, &condition);
        is(BucketOwner::Same, &bucket, &[Some(&allow)], Boundary::Unset, expected);
    }
    let but_role = policy(
        &json!([{"Effect": "Deny", "NotPrincipal": {"AWS": [ROLE, ROOT]}, "Action": "s3:*", "Resource": "arn:aws:s3:::logs/*"}]),
    );
    is(BucketOwner::Same, &but_role, &[Some(&allow)], Boundary::Unset, Truth::True);
    let but_admin = policy(
        &json!([{"Effect": "Deny", "NotPrincipal": {"AWS": "arn:aws:iam::111122223333:role/admin"}, "Action": "s3:*", "Resource": "arn:aws:s3:::logs/*"}]),
    );
    is(BucketOwner::Same, &but_admin, &[Some(&allow)], Boundary::Unset, Truth::False);
}

#[test]
fn the_side_that_is_lacking_is_named() {
    let (allow, nothing) = (own("Allow"), policy(&json!([])));
    let layer =
        |policy, own: Policies<'_>, boundary| match bucket_allows(policy, BucketOwner::Other, own, boundary, &upload())
        {
            Decision::Denied(Denial::Implicit { layer, .. }) => layer,
            other => panic!("{other:?}"),
        };
    let bucket = put("Allow", &json!({"AWS": ROOT}), &json!({}));
    assert_eq!(layer(BucketPolicy::Unset, &[Some(&allow)], Boundary::Unset), Layer::Resource);
    assert_eq!(layer(BucketPolicy::Document(&bucket), &[], Boundary::Unset), Layer::Identity);
    assert_eq!(layer(BucketPolicy::Unread, &[], Boundary::Unset), Layer::Identity);
    assert_eq!(layer(BucketPolicy::Document(&bucket), &[Some(&allow)], Boundary::Document(&nothing)), Layer::Boundary);
}
