//! Properties that hold for all policies: a denial wins, and more knowledge never turns an answer
//! round.

use super::{
    Boundary, Context, Decision, Denial, PolicyDocument, Principal, Request, Resource, Truth, identity_allows,
    key_allows,
};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1";
const ROLE: &str = "arn:aws:iam::111122223333:role/node";

fn action() -> impl Strategy<Value = &'static str> {
    select(vec!["*", "kms:*", "kms:De*", "KMS:decrypt", "kms:Encrypt", "s3:*", "kms:?e*"])
}

fn resource() -> impl Strategy<Value = &'static str> {
    select(vec![
        "*",
        KEY,
        "arn:aws:kms:*:*:key/*",
        "arn:aws:kms:*",
        "arn:aws:kms:eu-*:*:key/*",
        "arn:aws:kms:us-east-1:111122223333:key/?",
        "arn:aws:kms:us-east-1:111122223333:key/${aws:username}",
        "arn:aws:kms:us-east-1:111122223333:key/\u{E000}",
        "arn:aws:s3:::b/*",
    ])
}

fn condition() -> impl Strategy<Value = Value> {
    select(vec![
        json!({}),
        json!({}),
        json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}}),
        json!({"StringNotEqualsIfExists": {"aws:SourceVpc": ["vpc-1", "vpc-2"]}}),
        json!({"Null": {"aws:SourceVpc": "true"}}),
        json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}),
        json!({"ForAllValues:StringLike": {"aws:TagKeys": ["a*", "b"]}, "Bool": {"aws:ViaAWSService": false}}),
        json!({"StringLike": {"aws:SourceVpc": "vpc-${aws:username}"}}),
        json!({"Sometimes": {"a:b": "c"}}),
    ])
}

fn statement() -> impl Strategy<Value = Value> {
    let effect = select(vec!["Allow", "Allow", "Deny"]);
    let actions = (select(vec!["Action", "Action", "NotAction"]), prop::collection::vec(action(), 1..3));
    let resources = (select(vec!["Resource", "Resource", "NotResource"]), prop::collection::vec(resource(), 1..3));
    (effect, actions, resources, condition()).prop_map(
        |(effect, (action, actions), (resource, resources), condition)| {
            json!({"Effect": effect, action: actions, resource: resources, "Condition": condition})
        },
    )
}

fn principal() -> impl Strategy<Value = (&'static str, Value)> {
    let named = select(vec![
        json!("*"),
        json!({"AWS": ROLE}),
        json!({"AWS": "111122223333"}),
        json!({"AWS": ["arn:aws:iam::111122223333:root", ROLE]}),
        json!({"AWS": "arn:aws:sts::111122223333:assumed-role/node/i-1"}),
        json!({"AWS": "444455556666", "Service": "ec2.amazonaws.com"}),
    ]);
    (select(vec!["Principal", "Principal", "Principal", "NotPrincipal"]), named)
}

fn policy(statements: &[Value]) -> PolicyDocument {
    let json = json!({"Version": "2012-10-17", "Statement": statements});
    PolicyDocument::from_value(json).expect("a policy")
}

fn statements() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(statement(), 0..4)
}

fn key_statements() -> impl Strategy<Value = Vec<Value>> {
    let one = (statement(), principal()).prop_map(|(mut statement, (name, principal))| {
        statement[name] = principal;
        statement
    });
    prop::collection::vec(one, 0..4)
}

/// All that an answer is given on, in the account of the key or from another one.
#[derive(Debug, Clone)]
struct World {
    identity: Vec<Option<PolicyDocument>>,
    boundary: Limit,
    key: Option<PolicyDocument>,
    request: Request,
    key_account: &'static str,
}

/// A boundary of its own.
#[derive(Debug, Clone)]
enum Limit {
    Unset,
    Unread,
    Document(PolicyDocument),
}

impl World {
    fn answers(&self) -> [Decision; 2] {
        let identity = self.identity.iter().map(Option::as_ref).collect::<Vec<_>>();
        let boundary = match &self.boundary {
            Limit::Unset => Boundary::Unset,
            Limit::Unread => Boundary::Unread,
            Limit::Document(document) => Boundary::Document(document),
        };
        [
            identity_allows(&identity, boundary, &self.request),
            key_allows(self.key.as_ref(), self.key_account, &identity, boundary, &self.request),
        ]
    }

    fn truths(&self) -> [Truth; 2] {
        self.answers().map(|answer| answer.truth())
    }
}

fn world() -> impl Strategy<Value = World> {
    let identity = prop::collection::vec(statements().prop_map(|it| Some(policy(&it))), 0..3);
    let boundary = prop::option::of(statements()).prop_map(|it| match it {
        Some(statements) => Limit::Document(policy(&statements)),
        None => Limit::Unset,
    });
    let key = key_statements().prop_map(|it| Some(policy(&it)));
    let asked = select(vec![
        ("kms:Decrypt", KEY),
        ("kms:*", KEY),
        ("kms:Encrypt", "arn:aws:kms:us-east-1:111122223333:key/*"),
        ("kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/\u{E000}"),
        ("kms:Decrypt", "*"),
    ]);
    let account = select(vec!["111122223333", "111122223333", "444455556666"]);
    (identity, boundary, key, asked, account).prop_map(|(identity, boundary, key, asked, key_account)| {
        let role = Principal::from_arn(ROLE).expect("a role");
        let request = Request::new(role, asked.0, Resource::every(asked.1));
        World { identity, boundary, key, request, key_account }
    })
}

/// The knowledge of `more` includes that of `less`: it may only settle what was undecided.
fn settles(less: [Truth; 2], more: [Truth; 2]) -> bool {
    less.into_iter().zip(more).all(|(less, more)| less == Truth::Unknown || less == more)
}

fn without(world: &World, effect: &str, pick: usize) -> World {
    let remove = |document: &PolicyDocument, pick: usize| {
        let mut statements = document.as_value()["Statement"].as_array().cloned().unwrap_or_default();
        let of_effect =
            (0..statements.len()).filter(|index| statements[*index]["Effect"] == effect).collect::<Vec<_>>();
        if !of_effect.is_empty() {
            statements.remove(of_effect[pick % of_effect.len()]);
        }
        policy(&statements)
    };
    let mut world = world.clone();
    let limit = match &mut world.boundary {
        Limit::Document(document) => Some(document),
        Limit::Unset | Limit::Unread => None,
    };
    let documents = world.identity.iter_mut().chain([&mut world.key]).flatten().chain(limit);
    for (index, document) in documents.enumerate() {
        // Each bit of the pick says whether this document loses one.
        if (pick >> index) & 1 == 1 {
            *document = remove(document, pick);
        }
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn an_explicit_denial_wins(world in world(), at in any::<prop::sample::Index>(), tail in statements()) {
        let mut world = world;
        let mut statements = vec![json!({"Effect": "Deny", "Action": "kms:*", "Resource": "*"})];
        statements.splice(0..0, tail);
        world.identity.push(Some(policy(&statements)));
        let last = world.identity.len() - 1;
        world.identity.swap(last, at.index(last + 1));
        for answer in world.answers() {
            prop_assert!(matches!(answer, Decision::Denied(Denial::Explicit(_))), "{:?}", answer);
        }
    }

    #[test]
    fn removing_an_allow_never_allows(world in world(), pick in 1_usize..64) {
        let after = without(&world, "Allow", pick).truths();
        for (before, after) in world.truths().into_iter().zip(after) {
            prop_assert!(before != Truth::False || after != Truth::True);
            prop_assert!(after <= before, "{:?} then {:?}", before, after);
        }
    }

    #[test]
    fn removing_a_denial_never_denies(world in world(), pick in 1_usize..64) {
        let after = without(&world, "Deny", pick).truths();
        for (before, after) in world.truths().into_iter().zip(after) {
            prop_assert!(after >= before, "{:?} then {:?}", before, after);
        }
    }

    #[test]
    fn what_was_not_read_leaves_it_open_or_as_it_is(world in world(), lost in 1_usize..32) {
        let mut less = world.clone();
        let bit = |index: usize| (lost >> index) & 1 == 1;
        if bit(0) {
            less.key = None;
        }
        if bit(1) && matches!(less.boundary, Limit::Document(_)) {
            less.boundary = Limit::Unread;
        }
        for (index, document) in less.identity.iter_mut().enumerate() {
            if bit(index + 2) {
                *document = None;
            }
        }
        prop_assert!(settles(less.truths(), world.truths()), "{:?} {:?}", less.truths(), world.truths());
    }

    #[test]
    fn more_of_the_context_settles_and_never_turns(
        world in world(),
        vpc in select(vec!["vpc-1", "vpc-9", ""]),
        rest in 0_usize..3,
    ) {
        let mut more = world.clone();
        let context = Context::new();
        let context = match vpc {
            "" => context.without("aws:SourceVpc"),
            vpc => context.with("aws:SourceVpc", vpc),
        };
        more.request = more.request.in_context(match rest {
            0 => context,
            1 => context.with_all("aws:TagKeys", ["ab".to_owned(), "c".to_owned()]),
            _ => context.and_no_others(),
        });
        prop_assert!(settles(world.truths(), more.truths()), "{:?} {:?}", world.truths(), more.truths());
    }

    /// What holds for all resources of a pattern holds for each.
    #[test]
    fn an_answer_for_many_is_an_answer_for_each(world in world()) {
        let mut one = world.clone();
        let role = world.request.principal().clone();
        one.request = Request::new(role, "kms:Decrypt", Resource::exactly(KEY));
        let mut many = world;
        many.request = Request::new(one.request.principal().clone(), "kms:*",
            Resource::every("arn:aws:kms:us-east-1:111122223333:key/*"));
        for (many, one) in many.truths().into_iter().zip(one.truths()) {
            prop_assert!(many != Truth::True || one == Truth::True);
            prop_assert!(one != Truth::False || many == Truth::False || many == Truth::Unknown);
        }
    }
}
