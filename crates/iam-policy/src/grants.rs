//! What is granted at all, and by which statements: evidence for what a role should not be able to do.

use super::decision::{Source, StatementRef};
use super::document::{Effect, PolicyDocument};
use super::evaluate::Boundary;
use super::request::Request;
use super::statement::View;
use super::truth::{Coverage, Truth};

/// An `Allow` statement that matches a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Which one.
    pub statement: StatementRef,
    /// Those of the actions asked about that it grants, in the order given.
    pub actions: Vec<String>,
    /// `True` if it surely matches, `Unknown` if that depends on a condition; never `False`.
    pub certain: Truth,
}

/// The statements of an identity policy that grant one of the actions on the request's resource, or
/// on a part of what the request stands for; the request's own action does not count. With
/// [`Resource::arbitrary`](super::Resource::arbitrary) these are the statements that are open to any
/// place: `arn:aws:s3:::*/*` asks for some object of any bucket. Denials are not looked at.
#[must_use]
pub fn grants(policy: &PolicyDocument, source: Source, actions: &[&str], request: &Request) -> Vec<Grant> {
    let requests = actions.iter().map(|action| (*action, request.with_action(action))).collect::<Vec<_>>();
    let mut found = Vec::new();
    let mut causes = Vec::new();
    for (index, statement) in policy.statements().iter().enumerate() {
        if statement.effect != Effect::Allow {
            continue;
        }
        let mut certain = Truth::False;
        let mut granted = Vec::new();
        for (action, request) in &requests {
            let coverage = statement.coverage(request, View::Identity, &mut causes);
            if !coverage.is_nothing() {
                granted.push((*action).to_owned());
                certain = certain.or(coverage.any);
            }
        }
        if !granted.is_empty() {
            found.push(Grant {
                statement: StatementRef { source, index, sid: statement.sid.clone() },
                actions: granted,
                certain,
            });
        }
    }
    found
}

/// Whether at least one of the requests that the question stands for is allowed, where
/// [`identity_allows`](super::identity_allows) asks whether all are. What a deny or the permissions
/// boundary leaves of a grant, if each takes a part, is not followed up: it may be something.
#[must_use]
pub fn identity_allows_some(policies: &[Option<&PolicyDocument>], boundary: Boundary<'_>, request: &Request) -> Truth {
    let limits = match boundary {
        Boundary::Unset => None,
        Boundary::Document(policy) => Some(Some(policy)),
        Boundary::Unread => Some(None),
    };
    let whole_or_doubt = |coverage: Coverage| match (coverage.all, coverage.any) {
        (Truth::True, _) => Truth::True,
        (_, Truth::False) => Truth::False,
        _ => Truth::Unknown,
    };
    let granted = matched(policies.iter().copied(), Effect::Allow, request).any;
    let within = limits.map_or(Truth::True, |limit| whole_or_doubt(matched([limit], Effect::Allow, request)));
    let denied = whole_or_doubt(matched(policies.iter().copied().chain(limits), Effect::Deny, request));
    granted.and(within).and(!denied)
}

/// How much the statements of this effect match; those of a policy that was not read may match.
fn matched<'a>(
    policies: impl IntoIterator<Item = Option<&'a PolicyDocument>>,
    effect: Effect,
    request: &Request,
) -> Coverage {
    let mut causes = Vec::new();
    let mut total = Coverage::NOTHING;
    for policy in policies {
        let Some(policy) = policy else {
            total = total.or(Coverage::UNKNOWN);
            continue;
        };
        for statement in policy.statements().iter().filter(|statement| statement.effect == effect) {
            total = total.or(statement.coverage(request, View::Identity, &mut causes));
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Layer, Principal, Resource};

    const OBJECT_ACTIONS: [&str; 3] = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"];
    const SOURCE: Source = Source { layer: Layer::Identity, index: 0 };

    fn policy(statements: &str) -> PolicyDocument {
        let document = format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#);
        PolicyDocument::from_json(&document).expect("a policy")
    }

    fn requests() -> Vec<Request> {
        let role = Principal::from_arn("arn:aws:iam::111122223333:role/node").expect("a role");
        let resources = Resource::arbitrary("arn:aws:s3:::*/*").into_iter();
        resources.map(|it| Request::new(role.clone(), "s3:PutObject", it).in_context(Context::new())).collect()
    }

    /// The grants of the request that most are found of.
    fn open(statement: &str) -> Vec<Grant> {
        let policy = policy(statement);
        let found = requests().into_iter().map(|request| grants(&policy, SOURCE, &OBJECT_ACTIONS, &request));
        found.max_by_key(Vec::len).expect("a request")
    }

    #[track_caller]
    fn some(statements: &str, boundary: Option<&str>, expected: Truth) {
        let boundary = boundary.map(policy);
        let boundary = boundary.as_ref().map_or(Boundary::Unset, Boundary::Document);
        let policy = policy(statements);
        let asked = requests().into_iter().map(|request| identity_allows_some(&[Some(&policy)], boundary, &request));
        assert_eq!(asked.fold(Truth::False, Truth::or), expected, "{statements}");
    }

    fn put(effect: &str, resource: &str) -> String {
        format!(r#"{{"Effect": "{effect}", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::{resource}"}}"#)
    }

    #[test]
    fn a_bucket_is_open_if_some_key_of_it_is() {
        for resource in ["*", "*/*", "*/AWSLogs/*", "*/a", "*.log", "???*/*", "*-logs/*", "???/*"] {
            some(&put("Allow", resource), None, Truth::True);
            assert_eq!(open(&put("Allow", resource)).len(), 1, "{resource}");
        }
        // It is the beginning of a name that binds it: a `*` before may take the slash in.
        for resource in ["logs/*", "logs-*", "l*/*", "?", "??/*"] {
            some(&put("Allow", resource), None, Truth::False);
            assert_eq!(open(&put("Allow", resource)), [], "{resource}");
        }
        // The variable has no value for a role, and another has one that is not known.
        some(&put("Allow", "*/${aws:username}/*"), None, Truth::False);
        some(&put("Allow", "*/${aws:userid}/*"), None, Truth::Unknown);
    }

    #[test]
    fn what_is_taken_back_as_a_whole_is_not_open_and_what_is_in_part_may_be() {
        let all = put("Allow", "*");
        let with = |deny: &str| format!("{all}, {deny}");
        some(&with(&put("Deny", "*")), None, Truth::False);
        some(&with(&put("Deny", "*/*")), None, Truth::False);
        some(&with(&put("Deny", "*/secret/*")), None, Truth::True);
        let but_one = put("Deny", "own/*").replace("Resource", "NotResource");
        some(&with(&but_one), None, Truth::False);
        let part = put("Allow", "*/AWSLogs/*");
        some(&format!("{part}, {but_one}"), None, Truth::False);
        some(&format!("{part}, {}", put("Deny", "*/AWSLogs/x")), None, Truth::Unknown);
        some(&all, Some(&put("Allow", "own/*")), Truth::False);
        some(&all, Some(&all), Truth::True);
        some(&part, Some(&all), Truth::True);
        some(&part, Some(&put("Allow", "*/other/*")), Truth::Unknown);
        some(&all, Some(&with(&put("Deny", "*"))), Truth::False);
    }

    #[test]
    fn what_was_not_read_may_deny() {
        let all = policy(&put("Allow", "*"));
        for request in requests() {
            assert_eq!(identity_allows_some(&[Some(&all), None], Boundary::Unset, &request), Truth::Unknown);
            assert_eq!(identity_allows_some(&[None], Boundary::Unset, &request), Truth::Unknown);
            assert_eq!(identity_allows_some(&[Some(&all)], Boundary::Unread, &request), Truth::Unknown);
        }
    }

    #[test]
    fn a_grant_on_any_bucket_is_found_however_it_is_written() {
        for statement in [
            r#"{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}"#,
            r#"{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::*"}"#,
            r#"{"Effect": "Allow", "NotAction": "iam:*", "Resource": "arn:aws:s3:::*/*"}"#,
            r#"{"Effect": "Allow", "Action": "s3:putobject", "NotResource": "arn:aws:s3:::a/*"}"#,
        ] {
            let found = open(statement);
            assert_eq!(found.len(), 1, "{statement}");
            assert_eq!(found[0].certain, Truth::True, "{statement}");
        }
    }

    #[test]
    fn a_grant_on_named_buckets_or_of_other_actions_is_not() {
        for statement in [
            r#"{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::logs/*"}"#,
            r#"{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::logs-*"}"#,
            r#"{"Effect": "Allow", "Action": "s3:GetEncryptionConfiguration", "Resource": "*"}"#,
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}"#,
        ] {
            assert_eq!(open(statement), [], "{statement}");
        }
    }

    #[test]
    fn a_condition_leaves_it_open() {
        let found = open(
            r#"{"Sid": "Own", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*",
                "Condition": {"StringEquals": {"aws:ResourceAccount": "111122223333"}}}"#,
        );
        assert_eq!(found[0].certain, Truth::Unknown);
        assert_eq!(found[0].statement.sid.as_deref(), Some("Own"));
        assert_eq!(found[0].actions, ["s3:GetObject"]);
    }
}
