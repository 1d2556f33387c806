use super::*;
use crate::Context;
use crate::truth::Truth::{False, True, Unknown};

fn holds(operator: &str, values: &[&str], context: &Context) -> Truth {
    let values = values.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let operator = Operator::parse(operator);
    let condition = Condition::new(operator, "a:key", &values, Variables::Substituted);
    let mut causes = Vec::new();
    let truth = condition.holds(context, &mut causes);
    assert!(truth != Unknown || !causes.is_empty(), "unknown has a cause");
    truth
}

fn key(value: &str) -> Context {
    Context::new().with("A:Key", value)
}

fn keys(values: &[&str]) -> Context {
    Context::new().with_all("a:key", values.iter().map(|it| (*it).to_owned()))
}

#[test]
fn operators_compare_as_documented() {
    for (operator, policy, request, expected) in [
        ("StringEquals", "Ada", "Ada", True),
        ("StringEquals", "Ada", "ada", False),
        ("StringEquals", "A*", "Ada", False),
        ("stringequals", "Ada", "Ada", True),
        ("StringNotEquals", "Ada", "ada", True),
        ("StringEqualsIgnoreCase", "Ada", "aDA", True),
        ("StringNotEqualsIgnoreCase", "Ada", "aDA", False),
        ("StringLike", "home/?*", "home/a", True),
        ("StringLike", "home/?*", "home/", False),
        ("StringLike", "HOME/*", "home/", False),
        ("StringNotLike", "home/*", "home/", False),
        ("StringEquals", "${*}", "*", True),
        ("NumericEquals", "10", "10.0", True),
        ("NumericNotEquals", "10", "11", True),
        ("NumericLessThan", "10", "9", True),
        ("NumericLessThanEquals", "10", "10", True),
        ("NumericGreaterThan", "10", "9", False),
        ("NumericGreaterThanEquals", "10", "100", True),
        ("NumericEquals", "ten", "10", Unknown),
        ("NumericEquals", "10", "ten", Unknown),
        ("DateGreaterThan", "2020-01-01T00:00:01Z", "2020-01-01T00:00:02Z", True),
        ("DateGreaterThan", "2020-01-01T00:00:01Z", "2020-01-01T00:00:01Z", False),
        ("DateLessThanEquals", "2020-01-01", "2019-12-31T23:59:59+00:00", True),
        ("DateEquals", "1577836800", "2020-01-01T00:00:00Z", True),
        ("DateNotEquals", "2020-01-01T01:00:00+01:00", "2020-01-01T00:00:00Z", False),
        ("DateLessThan", "tomorrow", "2020-01-01T00:00:00Z", Unknown),
        ("Bool", "true", "True", True),
        ("Bool", "true", "false", False),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
        ("BinaryEquals", "QmluYXJ5", "qmluYXJ5", False),
        ("IpAddress", "203.0.113.0/24", "203.0.113.255", True),
        ("IpAddress", "203.0.113.0/24", "203.0.114.0", False),
        ("IpAddress", "203.0.113.7", "203.0.113.7", True),
        ("IpAddress", "0.0.0.0/0", "203.0.113.7", True),
        ("IpAddress", "2001:DB8:1234:5678::/64", "2001:db8:1234:5678::1", True),
        ("IpAddress", "0.0.0.0/0", "2001:db8::1", False),
        ("NotIpAddress", "203.0.113.0/24", "198.51.100.1", True),
        ("IpAddress", "203.0.113.0/33", "203.0.113.7", Unknown),
        ("ArnEquals", "arn:aws:sns:*:1:t", "arn:aws:sns:us-east-1:1:t", True),
        ("ArnLike", "arn:aws:sns:us-east-1:1:T", "arn:aws:sns:us-east-1:1:t", False),
        ("ArnNotLike", "arn:aws:sns:*:1:t", "arn:aws:sns:us-east-1:1:t", False),
        ("ArnNotEquals", "arn:aws:sns:*:2:t", "arn:aws:sns:us-east-1:1:t", True),
        ("Null", "false", "x", True),
        ("Null", "true", "x", False),
        ("NullIfExists", "true", "x", Unknown),
        ("StringSortOf", "x", "x", Unknown),
        ("GreaterThan", "1", "2", Unknown),
    ] {
        let found = holds(operator, &[policy], &key(request));
        assert_eq!(found, expected, "{operator} {policy} {request}");
    }
}

/// "If the key that you specify in a policy condition is not present in the request context, the
/// values do not match and the condition is false. If the policy condition requires that the key is
/// not matched … the condition is true."
#[test]
fn a_key_that_the_request_lacks() {
    let absent = Context::new().without("a:key");
    for (operator, expected) in [
        ("StringEquals", False),
        ("StringNotEquals", True),
        ("StringNotLike", True),
        ("ArnNotEquals", True),
        ("NumericNotEquals", True),
        ("DateNotEquals", True),
        ("NotIpAddress", True),
        ("IpAddress", False),
        ("Bool", False),
        ("StringEqualsIfExists", True),
        ("StringNotEqualsIfExists", True),
        ("BoolIfExists", True),
        ("ForAllValues:StringEquals", True),
        ("ForAllValues:StringNotEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
        ("Null", True),
    ] {
        assert_eq!(holds(operator, &["true"], &absent), expected, "{operator}");
    }
    assert_eq!(holds("Null", &["false"], &absent), False);
}

#[test]
fn a_key_that_is_not_known_decides_nothing() {
    for operator in ["StringEquals", "StringNotEquals", "Null", "BoolIfExists"] {
        assert_eq!(holds(operator, &["true"], &Context::new()), Unknown, "{operator}");
    }
}

/// Several values of a policy: any of them, and none of them for a negated operator.
#[test]
fn values_of_the_policy_are_alternatives() {
    assert_eq!(holds("StringEquals", &["a", "b"], &key("b")), True);
    assert_eq!(holds("StringNotEquals", &["a", "b"], &key("b")), False);
    assert_eq!(holds("StringNotEquals", &["a", "b"], &key("c")), True);
    assert_eq!(holds("NumericLessThan", &["x", "5"], &key("1")), True);
    assert_eq!(holds("NumericLessThan", &["x", "5"], &key("9")), Unknown);
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition_examples-multi-valued-context-keys.html>
#[test]
fn sets_of_values() {
    for (operator, policy, request, expected) in [
        ("ForAllValues:StringEquals", vec!["a", "b"], vec!["a", "b"], True),
        ("ForAllValues:StringEquals", vec!["a", "b"], vec!["a", "c"], False),
        ("ForAnyValue:StringEquals", vec!["a", "b"], vec!["c", "b"], True),
        ("ForAnyValue:StringEquals", vec!["a", "b"], vec!["c", "d"], False),
        ("ForAllValues:StringNotLike", vec!["key1*"], vec!["key1:legal"], False),
        ("ForAllValues:StringNotLike", vec!["key1*"], vec!["key2:audit"], True),
        ("ForAnyValue:StringNotLike", vec!["key1*"], vec!["key1:a", "key2:b"], True),
        ("ForAllValues:StringLike", vec!["a"], vec![], True),
        ("ForAnyValue:StringLike", vec!["a"], vec![], False),
        ("ForAllValues:StringLike", vec!["a"], vec![""], True),
        ("StringEquals", vec!["a"], vec!["a", "b"], Unknown),
    ] {
        let found = holds(operator, &policy, &keys(&request));
        assert_eq!(found, expected, "{operator} {policy:?} {request:?}");
    }
}

#[test]
fn variables_in_values() {
    let context = key("home/ada").with("aws:username", "ada");
    assert_eq!(holds("StringLike", &["home/${aws:username}"], &context), True);
    assert_eq!(holds("StringEquals", &["home/${aws:username}"], &context), True);
    assert_eq!(holds("StringEqualsIgnoreCase", &["HOME/${aws:UserName}"], &context), True);
    assert_eq!(holds("StringLike", &["home/${aws:userid}"], &context), Unknown);
    assert_eq!(holds("StringLike", &["away/${aws:userid}"], &context), False);
    let absent = key("home/ada").without("aws:username");
    assert_eq!(holds("StringLike", &["home/${aws:username}"], &absent), False);
    assert_eq!(holds("StringNotLike", &["home/${aws:username}"], &absent), Unknown);
    assert_eq!(holds("StringEquals", &["\u{E000}"], &key("home/ada")), Unknown);
    assert_eq!(holds("StringEquals", &["\u{E000}"], &key("\u{E000}")), True);
}
