//! Which statements grant something: evidence for what a role should not be able to do.

use super::decision::{Source, StatementRef};
use super::document::{Effect, PolicyDocument};
use super::request::Request;
use super::statement::View;
use super::truth::Truth;

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
/// resource: `arn:aws:s3:::*/*` asks for objects of any bucket. Denials are not looked at.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iam::{Context, Layer, Principal, Resource};

    const OBJECT_ACTIONS: [&str; 3] = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"];
    const SOURCE: Source = Source { layer: Layer::Identity, index: 0 };

    fn open(statement: &str) -> Vec<Grant> {
        let document = format!(r#"{{"Version": "2012-10-17", "Statement": [{statement}]}}"#);
        let policy = PolicyDocument::from_json(&document).expect("a policy");
        let role = Principal::from_arn("arn:aws:iam::111122223333:role/node").expect("a role");
        let resource = Resource::arbitrary("arn:aws:s3:::*/*");
        let request = Request::new(role, "s3:*", resource).in_context(Context::new());
        grants(&policy, SOURCE, &OBJECT_ACTIONS, &request)
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
