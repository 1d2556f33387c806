//! Roles and their policies. Each is read once an account.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html>

use std::collections::BTreeSet;

use futures::future::join_all;
use futures::join;

use super::schema::{InlinePolicy, Role};
use crate::aws::next_marker;
use crate::aws::response_integrity::Requires;
use crate::collect::live::api_call::filled;
use crate::collect::live::collector::Collector;
use crate::model::arn::last_segment;
use crate::model::call::{GET_ROLE, GET_ROLE_POLICY, LIST_ATTACHED_ROLE_POLICIES, LIST_ROLE_POLICIES};
use crate::model::schema::Node;
use crate::model::{Entry, Fact, Key, Link};
use crate::resource::managed_policy;
use crate::resource::managed_policy::schema::ManagedPolicy;

/// The code by which IAM says that something does not exist.
pub(crate) const ABSENT: &[&str] = &["NoSuchEntity", "NoSuchEntityException"];

/// The most items that a page can have.
pub(crate) const PAGE: i32 = 1000;

/// The key of the role that is named so; a path before the name is no part of it.
pub(crate) fn role_key(name: &str) -> Key {
    Key::global(last_segment(name))
}

/// Reads a role with its policies, unless it has been.
pub(crate) async fn role_once(collector: &Collector<'_>, key: Key) {
    collector.roles.get(key.clone(), role(collector, key)).await;
}

async fn role(collector: &Collector<'_>, key: Key) {
    let (mut entry, attached, inline) = join!(own(collector, &key), attached(collector, &key), inline(collector, &key));
    // Of a role that does not exist there is nothing more to say.
    if entry.exists == Fact::Known(false) {
        collector.put(key, entry);
        return;
    }
    entry.attributes.attached_policies = attached;
    entry.attributes.inline_policies = inline;
    let boundary = entry.attributes.permissions_boundary.known().cloned().flatten();
    let policies: BTreeSet<Key> = entry
        .attributes
        .attached_policies
        .known()
        .into_iter()
        .flatten()
        .cloned()
        .chain(boundary)
        .map(|link| link.key)
        .collect();
    collector.put(key, entry);
    let policies = policies.into_iter();
    join_all(policies.map(|key| {
        collector.managed_policies.get(key.clone(), managed_policy::collect::managed_policy(collector, key))
    }))
    .await;
}

async fn own(collector: &Collector<'_>, key: &Key) -> Entry<Role> {
    if !collector.wants(&GET_ROLE) {
        return Entry { exists: Fact::default(), in_scope: true, attributes: Role::default() };
    }
    let inquiry = collector.inquire(&GET_ROLE, None);
    let request = collector.connection.iam().get_role().role_name(key.id.as_ref());
    let answer = match inquiry.send_unless(ABSENT, request.send()).await {
        Ok(None) => return Entry::missing(),
        Ok(Some(answer)) => answer.role.ok_or_else(|| inquiry.lacks("Role")),
        Err(gap) => Err(gap),
    };
    let role = match answer {
        Ok(role) => role,
        Err(gap) => {
            inquiry.unlisted(&gap);
            let mut attributes = Role::default();
            attributes.mark_unknown(&GET_ROLE, &gap);
            return Entry { exists: Fact::Unknown(gap), in_scope: true, attributes };
        }
    };
    let assume_role_policy = match filled(role.assume_role_policy_document) {
        Some(text) => inquiry.policy_url_encoded(&text),
        None => Fact::Unknown(inquiry.lacks("AssumeRolePolicyDocument")),
    };
    let permissions_boundary = match role.permissions_boundary {
        None => Fact::Known(None),
        Some(boundary) => inquiry
            .named("PermissionsBoundaryArn", boundary.permissions_boundary_arn)
            .map(|arn| Some(Link::to(Key::global(arn)))),
    };
    if let Fact::Unknown(gap) = &permissions_boundary {
        inquiry.unlisted(gap);
    }
    let tags = role.tags.unwrap_or_default().into_iter().map(|tag| Some((filled(Some(tag.key))?, tag.value)));
    Entry::existing(Role {
        arn: inquiry.named("Arn", Some(role.arn)),
        role_id: inquiry.named("RoleId", Some(role.role_id)),
        principal_tags: inquiry.required("Tags.Key", tags.collect()),
        assume_role_policy,
        permissions_boundary,
        ..Role::default()
    })
}

/// The managed policies of a role. Where a page is missing, they are unknown: they are judged together.
async fn attached(collector: &Collector<'_>, key: &Key) -> Fact<Vec<Link<ManagedPolicy>>> {
    if !collector.wants(&LIST_ATTACHED_ROLE_POLICIES) {
        return Fact::default();
    }
    let inquiry = collector.inquire(&LIST_ATTACHED_ROLE_POLICIES, None);
    let mut policies = BTreeSet::new();
    let mut lacking = None;
    let request = |marker| {
        let request = collector.connection.iam().list_attached_role_policies().role_name(key.id.as_ref());
        inquiry.send(request.max_items(PAGE).set_marker(marker).send())
    };
    let read = inquiry
        .pages(request, |page| {
            let arns =
                page.attached_policies.map(|policies| policies.into_iter().map(|policy| filled(policy.policy_arn)));
            match arns.and_then(Iterator::collect::<Option<Vec<_>>>) {
                Some(arns) => policies.extend(arns.into_iter().map(|arn| Link::to(Key::global(arn)))),
                None => lacking = Some(inquiry.lacks("AttachedPolicies")),
            }
            next_marker(page.marker, page.is_truncated, || lacking = Some(inquiry.lacks("Marker")))
        })
        .await;
    match read.err().or(lacking) {
        None => Fact::Known(policies.into_iter().collect()),
        Some(gap) => {
            inquiry.unlisted(&gap);
            Fact::Unknown(gap)
        }
    }
}

/// The policies that are embedded in a role.
async fn inline(collector: &Collector<'_>, key: &Key) -> Fact<Vec<InlinePolicy>> {
    if !collector.wants(&LIST_ROLE_POLICIES) {
        return Fact::default();
    }
    let inquiry = collector.inquire(&LIST_ROLE_POLICIES, None);
    let mut names = BTreeSet::new();
    let mut lacking = None;
    let request = |marker| {
        let request = collector.connection.iam().list_role_policies().role_name(key.id.as_ref());
        let request = request.max_items(PAGE).set_marker(marker);
        inquiry.send(request.customize().interceptor(Requires("<PolicyNames")).send())
    };
    let read = inquiry
        .pages(request, |page| {
            for name in page.policy_names {
                if name.is_empty() {
                    lacking = Some(inquiry.lacks("PolicyNames"));
                } else {
                    names.insert(name);
                }
            }
            next_marker(page.marker, page.is_truncated, || lacking = Some(inquiry.lacks("Marker")))
        })
        .await;
    match read.err().or(lacking) {
        Some(gap) => Fact::Unknown(gap),
        None => Fact::Known(join_all(names.into_iter().map(|name| inline_policy(collector, key, name))).await),
    }
}

async fn inline_policy(collector: &Collector<'_>, role: &Key, name: String) -> InlinePolicy {
    let mut policy = Fact::default();
    if collector.wants(&GET_ROLE_POLICY) {
        let inquiry = collector.inquire(&GET_ROLE_POLICY, None);
        let request = collector.connection.iam().get_role_policy().role_name(role.id.as_ref()).policy_name(&name);
        policy = match inquiry.send(request.send()).await {
            Ok(answer) => match filled(Some(answer.policy_document)) {
                Some(text) => inquiry.policy_url_encoded(&text),
                None => Fact::Unknown(inquiry.lacks("PolicyDocument")),
            },
            Err(gap) => Fact::Unknown(gap),
        };
    }
    InlinePolicy { name: Fact::Known(name), policy }
}
