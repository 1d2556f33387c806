use super::*;
use crate::Context;
use crate::truth::Truth::{False, True, Unknown};

fn resource(pattern: &str, asked: &str) -> Coverage {
    covers(
        &Pattern::new(pattern, Dialect::Resource, Variables::Substituted),
        &Asked::new(asked, Dialect::Asked),
        &Context::new(),
    )
}

fn covers(pattern: &Pattern, asked: &Asked, context: &Context) -> Coverage {
    match pattern.coverage(asked, context) {
        Match::Covers(coverage) | Match::Unknown(_, coverage) => coverage,
        Match::Absent(_) => Coverage::NOTHING,
    }
}

#[track_caller]
fn check(pattern: &str, asked: &str, any: Truth, all: Truth) {
    assert_eq!(resource(pattern, asked), Coverage { any, all }, "{pattern} / {asked}");
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>
#[test]
fn resources_match_as_documented() {
    let object = "arn:aws:s3:::amzn-s3-demo-bucket/1/2/test/3/object.jpg";
    check("*", object, True, True);
    check("arn:aws:s3:::amzn-s3-demo-bucket/*/test/*", object, True, True);
    let other = "arn:aws:s3:::amzn-s3-demo-bucket/1-test/object.jpg";
    check("arn:aws:s3:::amzn-s3-demo-bucket/*/test/*", other, False, False);
    check("arn:aws:s3:::amzn-s3-demo-bucket/*", "arn:aws:s3:::amzn-s3-demo-bucket", False, False);
    check("arn:aws:iam::111122223333:user/Bob", "arn:aws:iam::111122223333:user/bob", False, False);
    // A `*` that ends its segment goes beyond the colon.
    let key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd";
    check("arn:aws:kms:*", key, True, True);
    check("arn:aws:kms:*:key/1234abcd", key, True, True);
    check("arn:aws:kms:*:*:key/*", key, True, True);
    check("arn:aws:kms:us-*-1:111122223333:key/*", key, True, True);
    // One that does not is not said to.
    check("arn:aws:kms:us-*3:key/*", key, Unknown, Unknown);
    check("arn:aws:kms:us?east?1:*:key/*", key, True, True);
    check("arn:aws:kms:us-east-1?111122223333:key/*", key, Unknown, Unknown);
    // In the resource, colons are characters like others.
    let stream = "arn:aws:logs:us-east-1:111122223333:log-group:/ssm:log-stream:i-0abc";
    check("arn:aws:logs:*:*:log-group:/s*c", stream, True, True);
}

#[test]
fn all_resources_of_a_pattern_are_allowed_only_by_one_that_contains_it() {
    let asked = "arn:aws:s3:::bucket/prefix/*";
    check("arn:aws:s3:::bucket/*", asked, True, True);
    check("arn:aws:s3:::bucket/prefix/*", asked, True, True);
    check("arn:aws:s3:::*", asked, True, True);
    check("arn:aws:s3:::bucket/prefix/i-*", asked, True, False);
    check("arn:aws:s3:::bucket/prefix/?*", asked, True, False);
    check("arn:aws:s3:::bucket", asked, False, False);
    check("arn:aws:s3:::other/*", asked, False, False);
    check("*", "*", True, True);
    check("arn:aws:s3:::*", "*", True, False);
    // A region in a question has no colons.
    check("arn:aws:ssm:*:111122223333:*", "arn:aws:ssm:*:111122223333:*", True, True);
    check("arn:aws:ssm:us-*:111122223333:*", "arn:aws:ssm:*:111122223333:x", True, False);
}

#[test]
fn names_of_nodes_and_documents_have_no_colons_and_those_of_objects_do() {
    check("arn:aws:ssm:*:*:parameter/*", "arn:aws:ssm:*:*:document/*", False, False);
    check("arn:aws:ssm:*:*:document/AWS-*", "arn:aws:ssm:*:*:document/*", True, False);
    check("arn:aws:ssm:*:*:document/*", "arn:aws:ssm:*:*:document/*", True, True);
    check("arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:*:111122223333:instance/*", True, True);
    check("arn:*", "arn:aws:ec2:*:111122223333:instance/*", True, True);
    check("arn:aws:*:*:*:*", "arn:aws:ec2:*:111122223333:instance/*", True, True);
    check("arn:aws:s3:::*:x", "arn:aws:s3:::b/*", True, False);
    check("*:1", "arn:aws:ssm:*:*:automation-definition/*", True, False);
}

#[test]
fn variables_are_substituted_literally_or_leave_it_unknown() {
    let pattern = |text| Pattern::new(text, Dialect::Resource, Variables::Substituted);
    let home = pattern("arn:aws:s3:::b/${aws:username}/*");
    let ada = Asked::exactly("arn:aws:s3:::b/ada/x");
    let known = |name: &str| Context::new().with("aws:username", name);
    assert_eq!(covers(&home, &ada, &known("ada")), Coverage::EVERYTHING);
    assert_eq!(covers(&home, &ada, &known("*")), Coverage::NOTHING);
    assert_eq!(covers(&home, &ada, &Context::new()), Coverage::UNKNOWN);
    let elsewhere = Asked::exactly("arn:aws:s3:::c/ada/x");
    assert_eq!(covers(&home, &elsewhere, &Context::new()), Coverage::NOTHING);
    let absent = Context::new().without("aws:username");
    assert_eq!(home.coverage(&ada, &absent), Match::Absent("aws:username"));
    let default = pattern("arn:aws:s3:::b/${aws:username, 'ada'}/*");
    assert_eq!(covers(&default, &ada, &absent), Coverage::EVERYTHING);
    let star = pattern("arn:aws:s3:::b/${*}");
    assert_eq!(covers(&star, &Asked::exactly("arn:aws:s3:::b/*"), &absent), Coverage::EVERYTHING);
    assert_eq!(covers(&star, &Asked::exactly("arn:aws:s3:::b/a"), &absent), Coverage::NOTHING);
}

#[test]
fn an_old_document_has_no_variables() {
    let old = Pattern::new("b/${aws:username}", Dialect::Resource, Variables::Literal);
    let asked = Asked::exactly("b/${aws:username}");
    assert_eq!(covers(&old, &asked, &Context::new()), Coverage::EVERYTHING);
}

#[test]
fn actions_ignore_case() {
    let action = Pattern::new("S3:Get*", Dialect::Action, Variables::Literal);
    let asked = |text| Asked::new(text, Dialect::Action);
    let context = Context::new();
    assert_eq!(covers(&action, &asked("s3:getObject"), &context), Coverage::EVERYTHING);
    assert_eq!(covers(&action, &asked("s3:PutObject"), &context), Coverage::NOTHING);
    let part = Coverage { any: True, all: False };
    assert_eq!(covers(&action, &asked("s3:*"), &context), part);
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN>
#[test]
fn arn_conditions_compare_component_by_component() {
    let arn = |text| Pattern::new(text, Dialect::Arn, Variables::Literal);
    let value =
        Asked::exactly("arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt");
    let pattern = arn("arn:aws:someservice:*:111122223333:finance/*");
    assert_eq!(covers(&pattern, &value, &Context::new()), Coverage::NOTHING);
    let pattern = arn("arn:aws:someservice:*:*:store/*");
    assert_eq!(covers(&pattern, &value, &Context::new()), Coverage::EVERYTHING);
    assert_eq!(covers(&arn("*"), &value, &Context::new()), Coverage::UNKNOWN);
}

#[test]
fn a_symbol_equals_itself_and_is_undecided_against_the_rest() {
    check("\u{E001}/*", "\u{E001}/*", True, True);
    check("\u{E001}/*", "\u{E001}/logs/*", True, True);
    check("*", "\u{E001}/*", True, True);
    check("\u{E001}", "\u{E001}/*", False, False);
    check("\u{E001}/*", "\u{E002}/*", Unknown, Unknown);
    check("arn:aws:s3:::logs/*", "\u{E001}/*", Unknown, Unknown);
    check("\u{E001}/*", "arn:aws:s3:::logs/x", Unknown, Unknown);
    check("\u{E001}/a", "arn:aws:s3:::logs/b", False, False);
}
