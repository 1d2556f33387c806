use super::*;
use crate::truth::Truth::{False, True, Unknown};
use serde_json::{Value, json};

fn policy(statements: &Value) -> PolicyDocument {
    PolicyDocument::from_value(json!({"Version": "2012-10-17", "Statement": statements})).unwrap()
}

fn allow(principal: &Value) -> Value {
    json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})
}

#[track_caller]
fn ec2_only(statements: &Value, expected: Truth) {
    let ec2 = Principal::service("ec2.amazonaws.com");
    let found = trusts_only(&policy(statements), &[ec2], &Context::new());
    assert_eq!(found, expected, "{statements}");
}

#[test]
fn ec2_and_nobody_else() {
    let ec2 = allow(&json!({"Service": "ec2.amazonaws.com"}));
    ec2_only(&json!([ec2]), True);
    ec2_only(&json!([ec2, ec2]), True);
    ec2_only(&json!([]), False);
    ec2_only(&json!([allow(&json!({"Service": ["ec2.amazonaws.com", "ssm.amazonaws.com"]}))]), False);
    for other in [
        json!("*"),
        json!({"AWS": "*"}),
        json!({"AWS": "111122223333"}),
        json!({"AWS": "arn:aws:iam::111122223333:role/x"}),
        json!({"AWS": "arn:aws:iam::111122223333:root"}),
        json!({"Federated": "cognito-identity.amazonaws.com"}),
        json!({"Service": "lambda.amazonaws.com"}),
    ] {
        ec2_only(&json!([allow(&other)]), False);
        ec2_only(&json!([ec2, allow(&other)]), False);
    }
    let all_but = json!({"Effect": "Allow", "NotPrincipal": {"AWS": "111122223333"}, "Action": "sts:*"});
    ec2_only(&json!([ec2, all_but]), False);
    let saml = json!({"Effect": "Allow", "Action": "sts:AssumeRoleWithSAML",
        "Principal": {"Federated": "arn:aws:iam::111122223333:saml-provider/x"}});
    ec2_only(&json!([ec2, saml]), False);
    let tags = json!({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:TagSession"});
    ec2_only(&json!([ec2, tags]), True);
}

#[test]
fn a_name_counts_with_its_kind() {
    let ec2 = allow(&json!({"Service": "ec2.amazonaws.com"}));
    let provider = json!({"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": "ec2.amazonaws.com"}});
    ec2_only(&json!([ec2, provider]), False);
    ec2_only(&json!([ec2, allow(&json!({"Service": "*"}))]), False);
}

#[test]
fn several_may_be_wanted_and_then_all_of_them_are() {
    let services = ["ec2.amazonaws.com", "ssm.amazonaws.com"].map(Principal::service);
    let only = |statements: Value| trusts_only(&policy(&statements), &services, &Context::new());
    let both = allow(&json!({"Service": ["ec2.amazonaws.com", "ssm.amazonaws.com"]}));
    assert_eq!(only(json!([both])), True);
    assert_eq!(only(json!([allow(&json!({"Service": "ec2.amazonaws.com"}))])), False);
    assert_eq!(only(json!([both, allow(&json!({"Service": "lambda.amazonaws.com"}))])), False);
}

#[test]
fn an_account_is_more_than_a_role_in_it() {
    let role = "arn:aws:iam::111122223333:role/x";
    let only = |statements: Value| {
        trusts_only(&policy(&statements), &[Principal::from_arn(role).expect("a role")], &Context::new())
    };
    let itself = allow(&json!({"AWS": role}));
    assert_eq!(only(json!([itself])), True);
    assert_eq!(only(json!([itself, allow(&json!({"AWS": "111122223333"}))])), False);
}

#[test]
fn the_deleted_admit_nobody() {
    let deleted = allow(&json!({"Service": "ec2.amazonaws.com", "AWS": "AROAEXAMPLEEXAMPLE"}));
    ec2_only(&json!([deleted]), True);
}

#[test]
fn conditions_and_denials() {
    let ec2 = allow(&json!({"Service": "ec2.amazonaws.com"}));
    let mut limited = ec2.clone();
    limited["Condition"] = json!({"StringEquals": {"aws:SourceAccount": "111122223333"}});
    ec2_only(&json!([limited]), Unknown);
    ec2_only(&json!([ec2, limited]), True);
    let account = allow(&json!({"AWS": "111122223333"}));
    let mut with_mfa = account.clone();
    with_mfa["Condition"] = json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}});
    ec2_only(&json!([ec2, with_mfa]), Unknown);
    let deny = |principal: Value| json!({"Effect": "Deny", "Principal": principal, "Action": "sts:*"});
    ec2_only(&json!([ec2, account, deny(json!({"AWS": "111122223333"}))]), True);
    ec2_only(&json!([ec2, account, deny(json!({"AWS": "arn:aws:iam::111122223333:root"}))]), True);
    ec2_only(&json!([ec2, account, deny(json!({"AWS": "444455556666"}))]), False);
    ec2_only(&json!([ec2, deny(json!("*"))]), False);
    // A denial to all but some leaves those of everyone.
    let everyone = allow(&json!("*"));
    let but = json!({"Effect": "Deny", "NotPrincipal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:*"});
    ec2_only(&json!([everyone, but]), Unknown);
    // A condition on the caller says nothing of an account as a whole.
    let but_one = json!({"Effect": "Deny", "Principal": "*", "Action": "sts:*",
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/x"}}});
    ec2_only(&json!([ec2, account, but_one]), Unknown);
}

#[test]
fn principals_come_once_in_the_order_written_with_their_statement() {
    let policy = policy(&json!([
        {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole",
         "Condition": {"StringEquals": {"sts:ExternalId": "x"}}},
        {"Sid": "Sure", "Effect": "Allow", "Action": "sts:AssumeRole",
         "Principal": {"Service": "ec2.amazonaws.com", "AWS": "111122223333"}},
    ]));
    let found = trusted_principals(&policy, &["sts:AssumeRole"], &Context::new());
    let summary = found
        .iter()
        .map(|it| match &it.principal {
            TrustedPrincipal::Named(named) => (&*named.id, it.admitted, it.statement.index),
            TrustedPrincipal::AllBut(_) => panic!("named"),
        })
        .collect::<Vec<_>>();
    assert_eq!(summary, [("111122223333", True, 1), ("ec2.amazonaws.com", True, 1)]);
}
