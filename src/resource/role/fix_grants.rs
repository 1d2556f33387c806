//! What the inline policy of a role is to allow, by statements; and whether that would help: a deny stays a deny.

use std::collections::{BTreeMap, BTreeSet};

use iam_policy::{BucketOwner, BucketPolicy, Decision, Denial, Layer, PolicyDocument, bucket_allows, key_allows};
use serde_json::{Value as Json, json};

use crate::engine::rule::function::RolePolicies;
use crate::model::{Fact, Key, Region};
use crate::remediate::observed::{AspectKind, sorted};
use crate::remediate::plan_builder::PlanBuilder;
use crate::remediate::policy;
use crate::remediate::step_output::Text;

/// Actions on resources, by the statement's name.
#[derive(Default)]
pub(crate) struct Grants {
    pub(crate) statements: BTreeMap<&'static str, (Vec<&'static str>, BTreeSet<Text>)>,
}

/// A policy, and the places in it of what earlier steps make.
pub(crate) struct Merged {
    pub(crate) policy: Json,
    made: BTreeMap<String, Text>,
}

impl Merged {
    /// As it is sent.
    pub(crate) fn written(&self) -> Text {
        Text::of_json(&self.policy, &self.made)
    }

    /// In the one form in which documents are compared.
    pub(crate) fn canonical(&self) -> Text {
        Text::of_json(&sorted(self.policy.clone()), &self.made)
    }
}

impl Grants {
    pub(crate) fn add(&mut self, sid: &'static str, actions: &[&'static str], resource: impl Into<Text>) {
        let (known, resources) = self.statements.entry(sid).or_default();
        known.extend(actions.iter().filter(|action| !known.contains(action)).collect::<Vec<_>>());
        resources.insert(resource.into());
    }

    /// The statements that are wanted, with what our earlier ones of the same names allow, and all others that are there.
    pub(crate) fn merged(&self, text: Option<&str>) -> Merged {
        let text = text.unwrap_or("{}");
        let there = policy::statements(text);
        let kept = there.iter().filter(|statement| !self.statements.keys().any(|sid| is_ours(statement, sid)));
        let mut statements: Vec<Json> = kept.cloned().collect();
        let mut made = BTreeMap::new();
        for (sid, (actions, resources)) in &self.statements {
            let mut actions: BTreeSet<String> = actions.iter().map(|action| (*action).to_owned()).collect();
            let mut resources = resources.clone();
            let name = policy::unused_sid(sid, &policy::of(&statements));
            for earlier in there.iter().filter(|statement| is_ours(statement, sid)) {
                actions.extend(policy::texts(&earlier["Action"]));
                resources.extend(policy::texts(&earlier["Resource"]).into_iter().map(Text::from));
            }
            for (index, resource) in resources.iter().enumerate().filter(|(_, resource)| resource.plain().is_none()) {
                made.insert(format!("/Statement/{}/Resource/{index}", statements.len()), resource.clone());
            }
            let resources: Vec<&str> = resources.iter().map(|resource| resource.plain().unwrap_or_default()).collect();
            statements.push(json!({"Sid": name, "Effect": "Allow", "Action": actions, "Resource": resources}));
        }
        Merged { policy: policy::as_json(&statements), made }
    }

    /// Takes out the statements that would surely not help the role, each with the reason.
    pub(super) fn take_useless(
        &mut self,
        role: &Key,
        regions: &BTreeSet<Region>,
        builder: &PlanBuilder<'_>,
    ) -> BTreeMap<&'static str, String> {
        let mut useless = BTreeMap::new();
        let Some(entry) = builder.inventory.roles.get(role) else { return useless };
        let there = RolePolicies::of_role(builder.inventory, &entry.attributes);
        let granted = PolicyDocument::from_json(&self.merged(None).policy.to_string()).ok();
        let mut policies = there.documents();
        policies.push(granted.as_ref());
        for (sid, (actions, resources)) in &self.statements {
            // Of what is not made yet nothing is denied yet.
            let known = resources.iter().filter_map(Text::plain);
            let places = known.flat_map(|resource| places(resource, regions, builder));
            let asked: Vec<(&str, String)> =
                places.flat_map(|place| actions.iter().map(move |action| (*action, place.clone()))).collect();
            let reason = asked.into_iter().find_map(|(action, on)| {
                let request = there.request(action, &on).ok()?;
                let decision = if action.starts_with("kms:") {
                    let key_policy = key_policy(&on, builder)?;
                    let owner = on.split(':').nth(4).unwrap_or_default();
                    key_allows(Some(&key_policy), owner, &policies, there.boundary(), &request)
                } else if let Some((policy, owner)) = bucket_policy(&on, builder) {
                    bucket_allows(policy, owner, &policies, there.boundary(), &request)
                } else {
                    iam_policy::identity_allows(&policies, there.boundary(), &request)
                };
                let Decision::Denied(denial) = decision else { return None };
                Some(format!("{} {action} on {on}: no grant that is added helps", who_denies(&denial, action)))
            });
            useless.extend(reason.map(|reason| (*sid, reason)));
        }
        self.statements.retain(|sid, _| !useless.contains_key(sid));
        useless
    }
}

/// Returns `true` if ssm-audit wrote a statement: its `Sid` is this one, or this one with a number, and it only allows
/// actions on resources. A statement that somebody changed otherwise is not ours.
fn is_ours(statement: &Json, sid: &str) -> bool {
    let named = statement["Sid"].as_str().and_then(|name| name.strip_prefix(sid));
    let mut members = statement.as_object().into_iter().flat_map(|members| members.keys());
    named.is_some_and(|number| number.chars().all(|digit| digit.is_ascii_digit()))
        && statement["Effect"] == "Allow"
        && members.all(|member| ["Sid", "Effect", "Action", "Resource"].contains(&member.as_str()))
}

/// Where an action is asked for: that of describing log groups on all of a region.
fn places(resource: &str, regions: &BTreeSet<Region>, builder: &PlanBuilder<'_>) -> Vec<String> {
    let all = |region| format!("arn:{}:logs:{region}:{}:log-group:*", builder.inventory.partition, builder.account);
    if resource == "*" { regions.iter().map(all).collect() } else { vec![resource.to_owned()] }
}

/// The policy of the bucket that an ARN of S3 is about, and whose the bucket is; none where there is no such bucket yet, or
/// it is not known whose it is.
fn bucket_policy<'d>(arn: &str, builder: &'d PlanBuilder<'_>) -> Option<(BucketPolicy<'d>, BucketOwner)> {
    let name = arn.split_once(":s3:::")?.1.split('/').next()?;
    let bucket = &builder.inventory.buckets.get(&Key::global(name))?.attributes;
    let owner = match bucket.foreign {
        Fact::Known(true) => BucketOwner::Other,
        Fact::Known(false) => BucketOwner::Same,
        Fact::Unknown(_) => return None,
    };
    let policy = match &bucket.policy {
        Fact::Known(None) => BucketPolicy::Unset,
        Fact::Known(Some(document)) => BucketPolicy::Document(document),
        Fact::Unknown(_) => BucketPolicy::Unread,
    };
    Some((policy, owner))
}

/// The policy of the key, as the plan leaves it; none where it is not known, or the key is not made yet.
fn key_policy(arn: &str, builder: &PlanBuilder<'_>) -> Option<PolicyDocument> {
    let of_arn = |entry: &&crate::model::Entry<crate::resource::key::schema::KmsKey>| matches!(&entry.attributes.arn, Fact::Known(known) if known == arn);
    let entry = builder.inventory.keys.values().find(of_arn)?;
    let id = arn.rsplit('/').next()?;
    let planned = builder
        .changes
        .iter()
        .rev()
        .find(|change| change.aspect.of == AspectKind::KeyPolicy && *change.thing.1.id == *id);
    match planned {
        Some(change) => PolicyDocument::from_json(change.after["Document"].as_str()?).ok(),
        None => entry.attributes.policy.known().cloned(),
    }
}

fn who_denies(denial: &Denial, action: &str) -> &'static str {
    let layer = match denial {
        Denial::Explicit(statement) => statement.source.layer,
        Denial::Implicit { layer, .. } => *layer,
    };
    match layer {
        Layer::Identity => "another policy of the role denies it",
        Layer::Boundary => "the permissions boundary of the role does not let it have",
        Layer::Resource if action.starts_with("s3:") => "the bucket's policy does not let the role have",
        Layer::Resource => "the key's policy does not let the role have",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_others_stay_and_ours_grow() {
        let mut grants = Grants::default();
        grants.add("SessionKey", &["kms:Decrypt"], "arn:b");
        let there = policy::of(&[
            json!({"Sid": "Theirs", "Effect": "Deny", "Action": "s3:*", "Resource": "*"}),
            json!({"Sid": "SessionKey", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": ["arn:a"]}),
        ]);
        let expected = vec![
            json!({"Sid": "Theirs", "Effect": "Deny", "Action": "s3:*", "Resource": "*"}),
            json!({"Sid": "SessionKey", "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": ["arn:a", "arn:b"]}),
        ];
        assert_eq!(grants.merged(Some(&there)).policy["Statement"], Json::from(expected));
    }

    #[test]
    fn statements_that_somebody_has_changed_stay() {
        let mut grants = Grants::default();
        grants.add("SessionKey", &["kms:Decrypt"], "arn:b");
        let vpc = json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}});
        let allow =
            |sid: &str| json!({"Sid": sid, "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": ["arn:b"]});
        for theirs in [
            json!({"Sid": "SessionKey", "Effect": "Deny", "Action": "kms:Decrypt", "Resource": "arn:a"}),
            json!({"Sid": "SessionKey", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Condition": vpc}),
            json!({"Sid": "SessionKey", "Effect": "Allow", "NotAction": "kms:Decrypt", "Resource": "arn:a"}),
            json!({"Sid": "SessionKey", "Effect": "Allow", "Action": "kms:Decrypt", "NotResource": "arn:a"}),
        ] {
            let once = grants.merged(Some(&policy::of(std::slice::from_ref(&theirs)))).policy;
            assert_eq!(once["Statement"], json!([theirs, allow("SessionKey2")]));
            // The second time it is known as ours.
            assert_eq!(grants.merged(Some(&once.to_string())).policy, once);
        }
    }
}
