//! Our evaluator of IAM policies beside one that others wrote: ministack's SimulateCustomPolicy.
//!
//! Left out of what is generated, since there the emulator is not IAM: policy variables, which it does
//! not substitute; the context that a caller gives, and permissions boundaries, neither of which its
//! simulator reads; keys with several values, several values of `Null`, and wildcards across the
//! segments of an ARN in a condition, which it reads in ways of its own; `aws:ResourceAccount` and
//! `aws:PrincipalType`, which it makes up. Of a call with several resources it answers for the first.

use std::collections::BTreeMap;
use std::ops::Range;

use aws_sdk_iam::types::EvaluationResult;
use futures::{StreamExt, TryStreamExt, stream};
use iam_policy::{
    Boundary, Cause, Context, Decision, Denial, PolicyDocument, Principal, Request, Resource, identity_allows,
};
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::emulator::{Emulator, iam};

/// How many sets of policies are made, and of what: the same ones every time.
const SETS: usize = 400;
const SEED: &[u8; 32] = b"policies that nobody would write";
const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";

const ACTIONS: [&str; 10] = [
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:GenerateDataKey",
    "logs:DescribeLogGroups",
    "logs:PutLogEvents",
    "s3:GetEncryptionConfiguration",
    "s3:GetObject",
    "s3:PutObject",
    "s3:PutObjectAcl",
    "ssmmessages:OpenDataChannel",
];

const RESOURCES: [&str; 10] = [
    // Actions that know no resources are asked about with this.
    "*",
    "arn:aws:s3:::ssm-sessions",
    "arn:aws:s3:::ssm-sessions/AWSLogs/123456789012/a.log",
    "arn:aws:s3:::ssm-sessions-old/a.log",
    "arn:aws:kms:us-east-1:123456789012:key/0a1b",
    "arn:aws:kms:eu-west-1:123456789012:key/0a1b",
    "arn:aws:kms:us-east-1:123456789012:alias/ssm",
    "arn:aws:logs:us-east-1:123456789012:log-group:/ssm/sessions",
    "arn:aws:logs:us-east-1:123456789012:log-group:/ssm/sessions:log-stream:i-0a",
    "arn:aws:iam::123456789012:role/ssm/node",
];

/// A change to a text that makes a pattern of it, at a place within what may be changed.
#[derive(Debug, Clone)]
enum Edit {
    /// Some characters become `*`.
    Many(Index, usize),
    /// The rest becomes `*`.
    Rest(Index),
    /// A character becomes `?`.
    One(Index),
    /// A letter of the other case.
    Case(Index),
    /// A whole segment between colons becomes `*`.
    Segment(Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        2 => (any::<Index>(), 1..12_usize).prop_map(|(at, length)| Edit::Many(at, length)),
        2 => any::<Index>().prop_map(Edit::Rest),
        1 => any::<Index>().prop_map(Edit::One),
        1 => any::<Index>().prop_map(Edit::Case),
        2 => any::<Index>().prop_map(Edit::Segment),
    ]
}

/// The text with these changes, which begin after its first `fixed` colons.
fn edited(text: &str, fixed: usize, edits: &[Edit]) -> String {
    let mut text = text.to_owned();
    for edit in edits {
        let start = text.match_indices(':').map(|(at, _)| at + 1).take(fixed).last().unwrap_or(0);
        if start == text.len() {
            break;
        }
        let place = |index: &Index| start + index.index(text.len() - start);
        match edit {
            Edit::Many(at, length) => {
                let at = place(at);
                text.replace_range(at..text.len().min(at + length), "*");
            }
            Edit::Rest(at) => text.replace_range(place(at).., "*"),
            Edit::One(at) => {
                let at = place(at);
                text.replace_range(at..=at, "?");
            }
            Edit::Case(at) => {
                let at = place(at);
                let letter = text[at..=at].chars().map(|it| match it {
                    it if it.is_ascii_lowercase() => it.to_ascii_uppercase(),
                    it => it.to_ascii_lowercase(),
                });
                let letter: String = letter.collect();
                text.replace_range(at..=at, &letter);
            }
            Edit::Segment(at) => {
                let segments = segments(&text);
                let segment = segments[at.index(segments.len())].clone();
                text.replace_range(segment, "*");
            }
        }
    }
    text
}

/// Where the segments of an ARN are, or those of an action; the first is left as it is.
fn segments(text: &str) -> Vec<Range<usize>> {
    let ends: Vec<usize> = text.match_indices(':').map(|(at, _)| at).chain([text.len()]).collect();
    let whole = std::iter::once(0..text.len()).filter(|_| ends.len() == 1);
    ends.windows(2).map(|pair| pair[0] + 1..pair[1]).take(5).chain(whole).collect()
}

/// A pattern near one of these texts. Mostly it is changed after its first `fixed` colons, where the
/// meaning of wildcards is documented.
fn near(texts: &'static [&'static str], fixed: usize) -> impl Strategy<Value = String> {
    let fixed = prop_oneof![9 => Just(fixed), 1 => Just(1)];
    (select(texts), fixed, prop::collection::vec(edit(), 0..3))
        .prop_map(|(text, fixed, edits)| edited(text, fixed, &edits))
}

fn action() -> impl Strategy<Value = String> {
    // IAM takes no action without a service.
    let near = near(&ACTIONS, 1).prop_map(|text| if text.contains(':') { text } else { "*".to_owned() });
    prop_oneof![1 => Just("*".to_owned()), 1 => Just("*:*".to_owned()), 12 => near]
}

fn resource() -> impl Strategy<Value = String> {
    prop_oneof![1 => Just("*".to_owned()), 6 => near(&RESOURCES, 5)]
}

/// One text, or a list of some.
fn one_or_more(text: impl Strategy<Value = String>) -> impl Strategy<Value = Value> {
    (prop::collection::vec(text, 1..4), any::<bool>()).prop_map(|(texts, list)| match &texts[..] {
        [text] if !list => json!(text),
        texts => json!(texts),
    })
}

/// Conditions on what the emulator says of each request, see [`context`], and on what no request has.
fn condition() -> impl Strategy<Value = Value> {
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    let conditions = vec![
        json!({"StringEquals": {"aws:RequestedRegion": REGION}}),
        json!({"StringEquals": {"aws:requestedregion": ["eu-west-1", "eu-west-2"]}}),
        json!({"StringNotEquals": {"aws:RequestedRegion": ["eu-west-1", REGION]}}),
        json!({"StringNotEquals": {"aws:RequestedRegion": ["eu-west-1", "eu-west-2"]}}),
        json!({"StringEqualsIgnoreCase": {"aws:RequestedRegion": "US-East-1"}}),
        json!({"StringLike": {"aws:RequestedRegion": ["eu-*", "us-????-1"]}}),
        json!({"StringNotLike": {"aws:RequestedRegion": "us-*"}}),
        json!({"StringLike": {"aws:RequestedRegion": "US-*"}}),
        json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}}),
        json!({"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}),
        json!({"StringEqualsIfExists": {"aws:SourceVpc": "vpc-1"}}),
        json!({"StringNotEqualsIfExists": {"aws:RequestedRegion": REGION}}),
        json!({"ForAnyValue:StringEquals": {"aws:SourceVpc": "vpc-1"}}),
        json!({"ForAllValues:StringEquals": {"aws:SourceVpc": "vpc-1"}}),
        json!({"Null": {"aws:SourceVpc": "true"}}),
        json!({"Null": {"aws:SourceIp": "true"}}),
        json!({"Bool": {"aws:SecureTransport": false}}),
        json!({"Bool": {"aws:SecureTransport": "true"}}),
        json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}),
        json!({"Bool": {"aws:MultiFactorAuthPresent": "false"}}),
        json!({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "127.0.0.0/8"]}}),
        json!({"NotIpAddress": {"aws:SourceIp": "127.0.0.1"}}),
        json!({"IpAddress": {"aws:SourceIp": ["::1/128", "192.0.2.0/24"]}}),
        json!({"ArnEquals": {"aws:PrincipalArn": root}}),
        json!({"ArnLike": {"aws:PrincipalArn": ["arn:aws:iam::*:role/*", "arn:aws:iam::*:root"]}}),
        json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:user/*"}}),
        json!({"StringEquals": {"aws:PrincipalAccount": "210987654321"}}),
        json!({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}),
        json!({"DateLessThanEquals": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}),
        json!({"NumericGreaterThan": {"aws:EpochTime": "1577836800"}}),
        json!({"NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}),
        json!({"StringLike": {"aws:RequestedRegion": "us-*"}, "Bool": {"aws:SecureTransport": "true"}}),
        json!({"StringEquals": {"aws:RequestedRegion": REGION, "aws:PrincipalAccount": ACCOUNT}}),
    ];
    select(conditions)
}

fn statement() -> impl Strategy<Value = Value> {
    let effect = select(vec!["Allow", "Allow", "Allow", "Deny"]);
    let actions = (select(vec!["Action", "Action", "Action", "NotAction"]), one_or_more(action()));
    let resources = (select(vec!["Resource", "Resource", "Resource", "NotResource"]), one_or_more(resource()));
    let condition = prop::option::weighted(0.3, condition());
    (effect, actions, resources, condition).prop_map(|(effect, (action, actions), (resource, resources), condition)| {
        let mut statement = json!({"Effect": effect, action: actions, resource: resources});
        if let Some(condition) = condition {
            statement["Condition"] = condition;
        }
        statement
    })
}

fn policy() -> impl Strategy<Value = Value> {
    let version = select(vec![Some("2012-10-17"), Some("2012-10-17"), Some("2008-10-17"), None]);
    (version, prop::collection::vec(statement(), 1..4), any::<bool>()).prop_map(|(version, mut statements, list)| {
        let mut policy = json!({});
        if let Some(version) = version {
            policy["Version"] = json!(version);
        }
        policy["Statement"] = match statements.len() {
            1 if !list => statements.remove(0),
            _ => json!(statements),
        };
        policy
    })
}

/// A set of policies, and a resource on which they are asked about every action.
#[derive(Debug)]
struct Question {
    policies: Vec<Value>,
    resource: &'static str,
}

fn questions() -> Vec<Question> {
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, SEED);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let set = (prop::collection::vec(policy(), 1..4), subsequence(RESOURCES.to_vec(), 2));
    let sets = (0..SETS).map(|_| set.new_tree(&mut runner).unwrap().current());
    sets.flat_map(|(policies, resources)| {
        resources.into_iter().map(move |resource| Question { policies: policies.clone(), resource })
    })
    .collect()
}

/// What the emulator says of each action.
async fn theirs(client: &aws_sdk_iam::Client, question: &Question) -> Result<Vec<String>, aws_sdk_iam::Error> {
    let call = client.simulate_custom_policy().resource_arns(question.resource);
    let call = call.set_policy_input_list(Some(question.policies.iter().map(ToString::to_string).collect()));
    let call = call.set_action_names(Some(ACTIONS.map(str::to_owned).to_vec()));
    let answer = call.send().await?;
    let results = answer.evaluation_results();
    assert!(results.iter().map(EvaluationResult::eval_action_name).eq(ACTIONS), "{results:?}");
    Ok(results.iter().map(|it| it.eval_decision().as_str().to_owned()).collect())
}

/// What the emulator says of every request: nothing else is in its context.
fn context() -> Context {
    Context::new()
        .with("aws:PrincipalArn", format!("arn:aws:iam::{ACCOUNT}:root"))
        .with("aws:PrincipalAccount", ACCOUNT)
        .with("aws:RequestedRegion", REGION)
        .with("aws:SourceIp", "127.0.0.1")
        .with("aws:SecureTransport", "false")
        .with("aws:CurrentTime", "2026-01-01T12:00:00Z")
        .with("aws:EpochTime", "1767268800")
        .and_no_others()
}

/// What we say of each action.
fn ours(question: &Question) -> Vec<Decision> {
    let policies: Vec<PolicyDocument> =
        question.policies.iter().map(|json| PolicyDocument::from_value(json.clone()).unwrap()).collect();
    let policies: Vec<Option<&PolicyDocument>> = policies.iter().map(Some).collect();
    let root = Principal::from_arn(&format!("arn:aws:iam::{ACCOUNT}:root")).unwrap();
    let request = Request::new(root, ACTIONS[0], Resource::exactly(question.resource)).in_context(context());
    ACTIONS.map(|action| identity_allows(&policies, Boundary::Unset, &request.with_action(action))).into()
}

fn word(decision: &Decision) -> &'static str {
    match decision {
        Decision::Allowed => "allowed",
        Decision::Denied(Denial::Explicit(_)) => "explicitDeny",
        Decision::Denied(Denial::Implicit { .. }) => "implicitDeny",
        Decision::Undecided(_) => "undecided",
    }
}

#[test]
fn our_evaluator_answers_as_the_emulators_does() {
    let questions = questions();
    let client = iam(Emulator::ministack(), ACCOUNT);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asked = stream::iter(&questions).map(|question| theirs(&client, question)).buffered(8);
    let theirs: Vec<Vec<String>> = runtime.block_on(asked.try_collect()).unwrap();

    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    // Denied by both: here since nothing allows it, there since a pattern is read in one way that we leave open.
    let mut other_reason = 0;
    for (question, theirs) in questions.iter().zip(&theirs) {
        for ((action, ours), theirs) in ACTIONS.iter().zip(ours(question)).zip(theirs) {
            if let Decision::Undecided(reasons) = &ours {
                // Only a wildcard that would have to stand for a colon may leave it open.
                assert!(reasons.iter().all(|it| matches!(it.cause, Cause::Pattern(_))), "{ours:?}");
            }
            let word = word(&ours);
            *counts.entry(word).or_default() += 1;
            if (word, theirs.as_str()) == ("implicitDeny", "explicitDeny") {
                other_reason += 1;
            } else if word != "undecided" && word != theirs {
                let policies = serde_json::to_string_pretty(&question.policies).unwrap();
                wrong.push(format!("{action} on {}: we say {ours:?}, they {theirs}\n{policies}", question.resource));
            }
        }
    }
    wrong.sort_by_key(String::len);
    assert!(wrong.is_empty(), "{} of {counts:?} differ; the shortest: {}", wrong.len(), wrong[0]);
    // Neither is it always the same answer, nor do we evade.
    let all = SETS * 2 * ACTIONS.len();
    for answer in ["allowed", "explicitDeny", "implicitDeny"] {
        assert!(counts[answer] > all / 10, "{counts:?}");
    }
    assert!(counts.get("undecided").is_none_or(|undecided| *undecided < all / 100), "{counts:?}");
    assert!(other_reason < all / 100, "{other_reason} of {counts:?}");
}
