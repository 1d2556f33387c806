use super::*;
use crate::{Cause, Context, Principal, Resource, Truth, managed};
use serde_json::{Value, json};

const ROLE: &str = "arn:aws:iam::111122223333:role/node";
const OBJECTS: &str = "arn:aws:s3:::logs/ssm/*";

fn policy(statements: &Value) -> PolicyDocument {
    PolicyDocument::from_value(json!({"Version": "2012-10-17", "Statement": statements})).unwrap()
}

fn ask(action: &str, resource: &str) -> Request {
    let role = Principal::from_arn(ROLE).unwrap();
    Request::new(role, action, Resource::every(resource))
}

fn put() -> Request {
    ask("s3:PutObject", OBJECTS)
}

fn decides(statements: &Value, request: &Request) -> Decision {
    let policy = policy(statements);
    identity_allows(&[Some(&policy)], Boundary::Unset, request)
}

#[track_caller]
fn check(statements: &Value, expected: Truth) {
    assert_eq!(decides(statements, &put()).truth(), expected, "{statements}");
}

#[test]
fn an_allow_must_match_all_that_is_asked() {
    let allow = |resource: &str| json!({"Effect": "Allow", "Action": "s3:Put*", "Resource": resource});
    check(&json!([]), Truth::False);
    check(&json!([allow("*")]), Truth::True);
    check(&json!([allow("arn:aws:s3:::logs/*")]), Truth::True);
    check(&json!([allow("arn:aws:s3:::logs/ssm/a*")]), Truth::False);
    // Two parts that leave something out, and two that may not.
    check(&json!([allow("arn:aws:s3:::logs/ssm/a*"), allow("arn:aws:s3:::logs/ssm/b*")]), Truth::False);
    let halves = json!([allow("arn:aws:s3:::logs/ssm/?*"), allow("arn:aws:s3:::logs/ssm/"),]);
    check(&halves, Truth::Unknown);
    let one = json!({"Effect": "Allow", "Action": "s3:*",
        "Resource": ["arn:aws:s3:::logs/ssm/?*", "arn:aws:s3:::logs/ssm/"]});
    check(&json!([one]), Truth::Unknown);
    let Decision::Denied(denial) = decides(&json!([allow("arn:aws:s3:::logs/ssm/a*")]), &put()) else {
        panic!("denied");
    };
    let message = "no identity policy allows it; identity policy 1, statement 1 allows a part";
    assert_eq!(denial.to_string(), message);
}

#[test]
fn a_deny_of_a_part_is_enough() {
    let allow = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let deny = |resource: &str| json!({"Sid": "No", "Effect": "Deny", "Action": "*", "Resource": resource});
    check(&json!([allow, deny("arn:aws:s3:::logs/ssm/private/*")]), Truth::False);
    check(&json!([allow, deny("arn:aws:s3:::other/*")]), Truth::True);
    let Decision::Denied(denial) = decides(&json!([allow, deny("*")]), &put()) else {
        panic!("denied");
    };
    assert_eq!(denial.to_string(), "denied by identity policy 1, statement 2 (No)");
}

#[test]
fn not_action_and_not_resource() {
    check(&json!([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]), Truth::True);
    check(&json!([{"Effect": "Allow", "NotAction": ["iam:*", "s3:P*"], "Resource": "*"}]), Truth::False);
    let but = |resource: &str| json!([{"Effect": "Allow", "Action": "*", "NotResource": resource}]);
    check(&but("arn:aws:s3:::other/*"), Truth::True);
    check(&but("arn:aws:s3:::logs/ssm/private/*"), Truth::False);
    check(&but("arn:aws:s3:::logs/*"), Truth::False);
    let deny_all_but = |resource: &str| {
        json!([{"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "s3:*", "NotResource": resource}])
    };
    check(&deny_all_but("arn:aws:s3:::logs/*"), Truth::True);
    check(&deny_all_but("arn:aws:s3:::logs/ssm/a*"), Truth::False);
}

#[test]
fn a_condition_that_cannot_be_decided() {
    let source = json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}});
    let allow = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let maybe = json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": source});
    let deny = json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": source});
    let surely_not = json!({"Effect": "Deny", "Action": "s3:*", "Resource": "*"});
    check(&json!([maybe]), Truth::Unknown);
    check(&json!([allow, maybe]), Truth::True);
    check(&json!([allow, deny]), Truth::Unknown);
    check(&json!([deny]), Truth::False);
    check(&json!([allow, deny, surely_not]), Truth::False);
    let Decision::Undecided(reasons) = decides(&json!([allow, deny]), &put()) else {
        panic!("undecided");
    };
    assert_eq!(reasons.len(), 1);
    let message = "identity policy 1, statement 2: the value of aws:SourceVpc is not known";
    assert_eq!(reasons[0].to_string(), message);
    let inside = put().in_context(Context::new().with("aws:SourceVpc", "vpc-1"));
    assert_eq!(decides(&json!([allow, deny]), &inside).truth(), Truth::False);
    // Several conditions: one that surely fails decides.
    let secure = json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {
        "Bool": {"aws:SecureTransport": "false"}, "StringEquals": {"aws:SourceVpc": "vpc-1"}}});
    let over_tls = put().in_context(Context::new().with("aws:SecureTransport", "true"));
    assert_eq!(decides(&json!([allow, secure]), &over_tls).truth(), Truth::True);
}

#[test]
fn an_unread_policy_may_contain_anything() {
    let allow = policy(&json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}]));
    let deny = policy(&json!([{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]));
    let decide = |policies: &[Option<&PolicyDocument>], boundary| identity_allows(policies, boundary, &put()).truth();
    assert_eq!(decide(&[None], Boundary::Unset), Truth::Unknown);
    assert_eq!(decide(&[Some(&allow), None], Boundary::Unset), Truth::Unknown);
    assert_eq!(decide(&[None, Some(&deny)], Boundary::Unset), Truth::False);
    assert_eq!(decide(&[Some(&allow)], Boundary::Unread), Truth::Unknown);
    assert_eq!(decide(&[Some(&deny)], Boundary::Unread), Truth::False);
    // A boundary grants nothing.
    assert_eq!(decide(&[], Boundary::Unread), Truth::False);
    assert_eq!(decide(&[], Boundary::Document(&allow)), Truth::False);
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html>
#[test]
fn a_boundary_limits_what_the_policies_allow() {
    let all = policy(&json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}]));
    let reads = policy(&json!([{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]));
    let decide = |boundary, request: &Request| identity_allows(&[Some(&all)], Boundary::Document(boundary), request);
    assert!(decide(&reads, &ask("s3:GetObject", OBJECTS)).is_allowed());
    let Decision::Denied(denial) = decide(&reads, &put()) else {
        panic!("denied");
    };
    assert_eq!(denial.to_string(), "the permissions boundary does not allow it");
}

#[test]
fn a_statement_of_another_kind_of_policy_is_not_understood() {
    check(&json!([{"Effect": "Allow", "Action": "*"}]), Truth::Unknown);
    check(&json!([{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]), Truth::Unknown);
    let policy = policy(&json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}]));
    assert_eq!(resource_allows(Some(&policy), &put()).truth(), Truth::Unknown);
}

/// Actions without a resource are asked about `*`: the guide's `DescribeLogGroups`.
#[test]
fn an_action_without_a_resource_needs_a_statement_on_all() {
    let logs = managed::document("arn:aws:iam::aws:policy/CloudWatchLogsFullAccess").unwrap();
    let request = ask("logs:DescribeLogGroups", "*");
    assert!(identity_allows(&[Some(logs)], Boundary::Unset, &request).is_allowed());
    let scoped = json!([
        {"Effect": "Allow", "Action": "logs:*", "Resource": "arn:aws:logs:*:*:log-group:a:*"},
        {"Effect": "Allow", "Action": "logs:*", "Resource": "arn:aws:logs:*:*:log-group:b:*"},
    ]);
    assert_eq!(decides(&scoped, &request).truth(), Truth::False);
    let Decision::Undecided(reasons) = identity_allows(&[None], Boundary::Unset, &request) else {
        panic!("undecided");
    };
    assert_eq!(reasons[0].cause, Cause::Unread);
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html>
#[test]
fn principals_of_a_resource_policy() {
    let account = "arn:aws:iam::111122223333:root";
    let answers = |statements: Value| {
        let policy = policy(&statements);
        (resource_allows(Some(&policy), &put()).truth(), resource_delegates(Some(&policy), &put()).truth())
    };
    let allow =
        |principal: Value| json!({"Effect": "Allow", "Principal": principal, "Action": "s3:*", "Resource": "*"});
    let deny_but = |principals: Value| json!({"Effect": "Deny", "NotPrincipal": {"AWS": principals}, "Action": "s3:*", "Resource": "*"});
    let both = |truth| (truth, truth);
    assert_eq!(answers(json!([allow(json!("*"))])), both(Truth::True));
    assert_eq!(answers(json!([allow(json!({"AWS": ROLE}))])), both(Truth::True));
    let delegated = (Truth::False, Truth::True);
    assert_eq!(answers(json!([allow(json!({"AWS": account}))])), delegated);
    assert_eq!(answers(json!([allow(json!({"Service": "s3.amazonaws.com"}))])), both(Truth::False));
    assert_eq!(
        answers(json!([allow(json!("*")), {"Effect": "Deny", "Principal": {"AWS": account},
            "Action": "*", "Resource": "*"}])),
        both(Truth::False)
    );
    let but = |principals| answers(json!([allow(json!("*")), deny_but(principals)]));
    assert_eq!(but(json!(["444455556666"])), both(Truth::False));
    assert_eq!(but(json!([ROLE, account])), both(Truth::True));
    assert_eq!(but(json!(["*"])), both(Truth::True));
    assert_eq!(but(json!([ROLE])), both(Truth::Unknown));
    assert_eq!(but(json!([account])), both(Truth::Unknown));
    let all_but =
        |id: &str| answers(json!([{"Effect": "Allow", "NotPrincipal": {"AWS": id}, "Action": "*", "Resource": "*"}]));
    assert_eq!(all_but("444455556666"), both(Truth::True));
    assert_eq!(all_but(ROLE).0, Truth::Unknown);
}

#[test]
fn decisions_combine() {
    let allowed = || Decision::Allowed;
    let unread = identity_allows(&[None], Boundary::Unset, &put());
    let denied = identity_allows(&[], Boundary::Unset, &put());
    assert_eq!([allowed(), allowed()].into_iter().collect::<Decision>(), allowed());
    assert_eq!(allowed().and(unread.clone()), unread);
    assert_eq!(unread.clone().and(unread.clone()), unread);
    assert_eq!(unread.and(denied.clone()), denied);
}
