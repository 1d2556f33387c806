use super::*;
use crate::Denial;
use serde_json::{Value, json};

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd";
const ROLE: &str = "arn:aws:iam::111122223333:role/node";
const STRANGER: &str = "arn:aws:iam::444455556666:role/node";
const ROOT: &str = "arn:aws:iam::111122223333:root";

fn policy(statements: &Value) -> PolicyDocument {
    PolicyDocument::from_value(json!({"Version": "2012-10-17", "Statement": statements})).unwrap()
}

fn to(principal: &Value) -> PolicyDocument {
    policy(&json!([{"Effect": "Allow", "Principal": principal, "Action": "kms:*", "Resource": "*"}]))
}

fn decrypt(role: &str) -> Request {
    let role = Principal::from_arn(role).unwrap();
    Request::new(role, "kms:Decrypt", Resource::exactly(KEY))
}

fn own(effect: &str) -> PolicyDocument {
    policy(&json!([{"Effect": effect, "Action": "kms:Decrypt", "Resource": KEY}]))
}

type Policies<'a> = &'a [Option<&'a PolicyDocument>];

fn decision(key: &PolicyDocument, role: &str, own: Policies<'_>, boundary: Boundary<'_>) -> Decision {
    key_allows(Some(key), "111122223333", own, boundary, &decrypt(role))
}

#[track_caller]
fn is(key: &PolicyDocument, own: Policies<'_>, boundary: Boundary<'_>, expected: Truth) {
    assert_eq!(decision(key, ROLE, own, boundary).truth(), expected);
}

#[track_caller]
fn is_for_stranger(key: &PolicyDocument, own: Policies<'_>, expected: Truth) {
    assert_eq!(decision(key, STRANGER, own, Boundary::Unset).truth(), expected);
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html>
#[test]
fn three_ways_in_the_account_of_the_key() {
    let (allow, deny, none) = (own("Allow"), own("Deny"), policy(&json!([])));
    let [everyone, role, account, session] = [
        json!("*"),
        json!({"AWS": ROLE}),
        json!({"AWS": ROOT}),
        json!({"AWS": "arn:aws:sts::111122223333:assumed-role/node/i-0abc"}),
    ]
    .map(|principal| to(&principal));
    let unset = Boundary::Unset;
    let narrow = Boundary::Document(&none);
    is(&everyone, &[], unset, Truth::True);
    is(&everyone, &[], narrow, Truth::True);
    is(&role, &[], unset, Truth::True);
    is(&role, &[], narrow, Truth::False);
    is(&role, &[], Boundary::Unread, Truth::Unknown);
    is(&account, &[], unset, Truth::False);
    is(&account, &[Some(&allow)], unset, Truth::True);
    is(&account, &[Some(&allow)], narrow, Truth::False);
    is(&account, &[Some(&allow), None], unset, Truth::Unknown);
    is(&session, &[], unset, Truth::Unknown);
    // Without the key policy, a role's own policies grant nothing.
    is(&none, &[Some(&allow)], unset, Truth::False);
    // A denial anywhere counts.
    is(&everyone, &[Some(&deny)], unset, Truth::False);
    is(&everyone, &[], Boundary::Document(&deny), Truth::False);
    is(&everyone, &[None], unset, Truth::Unknown);
}

#[test]
fn the_layer_that_is_lacking_is_named() {
    let account = to(&json!({"AWS": ROOT}));
    let allow = own("Allow");
    let none = policy(&json!([]));
    let layer = |key: &PolicyDocument, identity: Policies<'_>, boundary: Boundary<'_>| match decision(
        key, ROLE, identity, boundary,
    ) {
        Decision::Denied(Denial::Implicit { layer, .. }) => layer,
        other => panic!("{other:?}"),
    };
    assert_eq!(layer(&none, &[Some(&allow)], Boundary::Unset), Layer::Resource);
    assert_eq!(layer(&account, &[], Boundary::Unset), Layer::Identity);
    let narrow = Boundary::Document(&none);
    assert_eq!(layer(&account, &[Some(&allow)], narrow), Layer::Boundary);
}

/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html>
#[test]
fn another_account_needs_both() {
    let allow = own("Allow");
    for principal in ["444455556666", STRANGER, "*"] {
        let key = to(&json!({"AWS": principal}));
        is_for_stranger(&key, &[Some(&allow)], Truth::True);
        is_for_stranger(&key, &[], Truth::False);
        is_for_stranger(&key, &[None], Truth::Unknown);
    }
    is_for_stranger(&to(&json!({"AWS": ROOT})), &[Some(&allow)], Truth::False);
}

#[test]
fn an_unread_key_policy_leaves_only_denials_certain() {
    let (allow, deny) = (own("Allow"), own("Deny"));
    let decide = |policy: &PolicyDocument| {
        key_allows(None, "111122223333", &[Some(policy)], Boundary::Unset, &decrypt(ROLE)).truth()
    };
    assert_eq!(decide(&allow), Truth::Unknown);
    assert_eq!(decide(&deny), Truth::False);
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html>: `NotPrincipal`
/// with `Deny` "will always deny any IAM principal that has a permissions boundary policy attached".
#[test]
fn a_boundary_makes_not_principal_deny() {
    let all = policy(&json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}]));
    let key = policy(&json!([
        {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "NotPrincipal": {"AWS": [ROLE, ROOT]}, "Action": "*", "Resource": "*"},
    ]));
    is(&key, &[], Boundary::Unset, Truth::True);
    is(&key, &[], Boundary::Document(&all), Truth::False);
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html>
#[test]
fn the_grant_to_cloudwatch_logs() {
    let group = "arn:aws:logs:us-east-1:111122223333:log-group:/ssm/sessions";
    let key = policy(&json!([
        {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"Service": "logs.us-east-1.amazonaws.com"},
         "Action": ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
         "Resource": "*",
         "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn":
            "arn:aws:logs:us-east-1:111122223333:log-group:/ssm/*"}}},
    ]));
    let ask = |service: &str, context: Context| {
        let request = Request::new(Principal::service(service), "kms:ReEncryptFrom", Resource::exactly(KEY));
        let request = request.in_context(context);
        key_allows(Some(&key), "111122223333", &[], Boundary::Unset, &request).truth()
    };
    let with = |arn| Context::new().with("kms:EncryptionContext:aws:logs:arn", arn);
    assert_eq!(ask("logs.us-east-1.amazonaws.com", with(group)), Truth::True);
    let other = "arn:aws:logs:us-east-1:111122223333:log-group:/other";
    assert_eq!(ask("logs.us-east-1.amazonaws.com", with(other)), Truth::False);
    assert_eq!(ask("logs.us-east-1.amazonaws.com", Context::new()), Truth::Unknown);
    assert_eq!(ask("logs.eu-west-1.amazonaws.com", with(group)), Truth::False);
}

#[test]
fn the_account_keeps_its_key() {
    let keeps =
        |statements: Value| account_keeps_key(Some(&policy(&statements)), "aws", "111122223333", KEY).unwrap().truth();
    let allow = |principal: &str, actions: Value| json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions, "Resource": "*"});
    assert_eq!(keeps(json!([allow(ROOT, json!("kms:*"))])), Truth::True);
    assert_eq!(keeps(json!([allow("111122223333", json!("*"))])), Truth::True);
    assert_eq!(keeps(json!([allow(ROLE, json!("kms:*"))])), Truth::False);
    assert_eq!(keeps(json!([allow("444455556666", json!("kms:*"))])), Truth::False);
    let some = json!(["kms:Create*", "kms:Put*", "kms:Describe*"]);
    assert_eq!(keeps(json!([allow(ROOT, some)])), Truth::False);
    let if_mfa = json!({"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*",
        "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}});
    assert_eq!(keeps(json!([if_mfa])), Truth::Unknown);
    let no_deletion = json!({"Effect": "Deny", "Principal": "*", "Action": "kms:ScheduleKeyDeletion", "Resource": "*"});
    assert_eq!(keeps(json!([allow(ROOT, json!("kms:*")), no_deletion])), Truth::False);
    // "kms:CallerAccount" follows from who asks.
    let here = json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*",
        "Condition": {"StringEquals": {"kms:CallerAccount": "111122223333"}}});
    assert_eq!(keeps(json!([here])), Truth::True);
    assert_eq!(account_keeps_key(None, "aws", "111122223333", KEY).unwrap().truth(), Truth::Unknown);
}
