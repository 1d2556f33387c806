//! IAM: instance profiles, roles and policies. Each is read once an account.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html>

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::join_all;
use futures::join;
use iam_policy::PolicyDocument;

use super::api_call::filled;
use super::collector::Reader;
use super::ec2::instances::Attached;
use crate::aws::next_marker;
use crate::aws::response_integrity::Requires;
use crate::model::arn::last_segment;
use crate::model::call::{
    GET_INSTANCE_PROFILE, GET_POLICY, GET_POLICY_VERSION, GET_ROLE, GET_ROLE_POLICY, LIST_ATTACHED_ROLE_POLICIES,
    LIST_ROLE_POLICIES,
};
use crate::model::iam::{InlinePolicy, InstanceProfile, ManagedPolicy, Role};
use crate::model::schema::Node;
use crate::model::{Entry, Fact, Gap, Key, Link};

/// The code by which IAM says that something does not exist.
const ABSENT: &[&str] = &["NoSuchEntity", "NoSuchEntityException"];

/// The most items that a page can have.
const PAGE: i32 = 1000;

/// The key of the role that is named so; a path before the name is no part of it.
pub(super) fn role_key(name: &str) -> Key {
    Key::global(last_segment(name))
}

/// Reads these instance profiles, and their roles.
pub(super) async fn profiles(reader: &Reader<'_>, attached: &BTreeMap<Key, Vec<Attached>>) {
    let read = attached.iter().map(|(key, instances)| async move {
        let Some(id) = reader.profiles.get(key.clone(), profile(reader, key)).await else { return };
        for Attached { instance, id: of_instance } in instances {
            if let Some(gone) = of_instance.as_ref().filter(|of_instance| **of_instance != id) {
                keep_deleted(reader, instance, key, gone);
            }
        }
    });
    join_all(read).await;
}

/// An instance whose profile was deleted keeps it, and has no credentials, also where another profile has been made under
/// its name.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html>
fn keep_deleted(reader: &Reader<'_>, instance: &Key, name: &Key, id: &str) {
    let gone = Key::global(format!("{} ({id})", name.id));
    reader.put(gone.clone(), Entry::<InstanceProfile>::missing());
    reader.record(|inventory| {
        if let Some(entry) = inventory.instances.get_mut(instance) {
            entry.attributes.iam_instance_profile = Fact::Known(Some(Link::to(gone)));
        }
    });
}

/// Reads a profile with its role; its id, where it is there.
async fn profile(reader: &Reader<'_>, key: &Key) -> Option<String> {
    if !reader.wants(&GET_INSTANCE_PROFILE) {
        reader.mention::<InstanceProfile>(key);
        return None;
    }
    let inquiry = reader.inquire(&GET_INSTANCE_PROFILE, None);
    let request = reader.connection.iam().get_instance_profile().instance_profile_name(key.id.as_ref());
    let answer = inquiry.send_unless(ABSENT, request.customize().interceptor(Requires("<Roles")).send()).await;
    let profile = answer.and_then(|answer| match answer.map(|answer| answer.instance_profile) {
        Some(None) => Err(inquiry.lacks("InstanceProfile")),
        Some(Some(profile)) => Ok(Some(profile)),
        None => Ok(None),
    });
    match profile {
        Err(gap) => {
            inquiry.unlisted(&gap);
            reader.put(key.clone(), Entry::<InstanceProfile>::unread(&gap));
            None
        }
        Ok(None) => {
            reader.put(key.clone(), Entry::<InstanceProfile>::missing());
            None
        }
        Ok(Some(profile)) => {
            let id = Some(profile.instance_profile_id).filter(|id| !id.is_empty());
            // A profile has one role at most.
            let role = match profile.roles.into_iter().next() {
                None => Fact::Known(None),
                Some(role) => inquiry.named("RoleName", Some(role.role_name)).map(|name| Some(role_key(&name))),
            };
            if let Fact::Unknown(gap) = &role {
                inquiry.unlisted(gap);
            }
            let arn = inquiry.named("Arn", Some(profile.arn));
            let attributes = InstanceProfile { arn, role: role.as_ref().map(|role| role.clone().map(Link::to)) };
            reader.put(key.clone(), Entry::existing(attributes));
            if let Fact::Known(Some(key)) = role {
                role_once(reader, key).await;
            }
            id
        }
    }
}

/// Reads a role with its policies, unless it has been.
pub(super) async fn role_once(reader: &Reader<'_>, key: Key) {
    reader.roles.get(key.clone(), role(reader, key)).await;
}

async fn role(reader: &Reader<'_>, key: Key) {
    let (mut entry, attached, inline) = join!(own(reader, &key), attached(reader, &key), inline(reader, &key));
    // Of a role that does not exist there is nothing more to say.
    if entry.exists == Fact::Known(false) {
        reader.put(key, entry);
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
    reader.put(key, entry);
    let policies = policies.into_iter();
    join_all(policies.map(|key| reader.managed_policies.get(key.clone(), managed_policy(reader, key)))).await;
}

async fn own(reader: &Reader<'_>, key: &Key) -> Entry<Role> {
    if !reader.wants(&GET_ROLE) {
        return Entry { exists: Fact::default(), in_scope: true, attributes: Role::default() };
    }
    let inquiry = reader.inquire(&GET_ROLE, None);
    let request = reader.connection.iam().get_role().role_name(key.id.as_ref());
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
async fn attached(reader: &Reader<'_>, key: &Key) -> Fact<Vec<Link<ManagedPolicy>>> {
    if !reader.wants(&LIST_ATTACHED_ROLE_POLICIES) {
        return Fact::default();
    }
    let inquiry = reader.inquire(&LIST_ATTACHED_ROLE_POLICIES, None);
    let mut policies = BTreeSet::new();
    let mut lacking = None;
    let request = |marker| {
        let request = reader.connection.iam().list_attached_role_policies().role_name(key.id.as_ref());
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
async fn inline(reader: &Reader<'_>, key: &Key) -> Fact<Vec<InlinePolicy>> {
    if !reader.wants(&LIST_ROLE_POLICIES) {
        return Fact::default();
    }
    let inquiry = reader.inquire(&LIST_ROLE_POLICIES, None);
    let mut names = BTreeSet::new();
    let mut lacking = None;
    let request = |marker| {
        let request = reader.connection.iam().list_role_policies().role_name(key.id.as_ref());
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
        None => Fact::Known(join_all(names.into_iter().map(|name| inline_policy(reader, key, name))).await),
    }
}

async fn inline_policy(reader: &Reader<'_>, role: &Key, name: String) -> InlinePolicy {
    let mut policy = Fact::default();
    if reader.wants(&GET_ROLE_POLICY) {
        let inquiry = reader.inquire(&GET_ROLE_POLICY, None);
        let request = reader.connection.iam().get_role_policy().role_name(role.id.as_ref()).policy_name(&name);
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

async fn managed_policy(reader: &Reader<'_>, key: Key) {
    if !reader.wants(&GET_POLICY) {
        reader.mention::<ManagedPolicy>(&key);
        return;
    }
    let inquiry = reader.inquire(&GET_POLICY, None);
    let request = reader.connection.iam().get_policy().policy_arn(key.id.as_ref());
    let answer = inquiry.send_unless(ABSENT, request.send()).await;
    let entry = match answer {
        Ok(None) => Entry::missing(),
        Err(gap) => Entry::unread(&gap),
        Ok(Some(answer)) => match answer.policy {
            None => Entry::unread(&inquiry.lacks("Policy")),
            Some(policy) => Entry::existing(ManagedPolicy {
                arn: Fact::Known(key.id.as_ref().to_owned()),
                policy: match filled(policy.default_version_id) {
                    Some(version) => policy_version(reader, &key, version).await,
                    None => Fact::Unknown(inquiry.lacks("DefaultVersionId")),
                },
            }),
        },
    };
    reader.put(key, entry);
}

async fn policy_version(reader: &Reader<'_>, policy: &Key, version: String) -> Fact<PolicyDocument> {
    if !reader.wants(&GET_POLICY_VERSION) {
        return Fact::default();
    }
    let inquiry = reader.inquire(&GET_POLICY_VERSION, None);
    let request = reader.connection.iam().get_policy_version().policy_arn(policy.id.as_ref()).version_id(version);
    let text: Result<String, Arc<Gap>> = match inquiry.send(request.send()).await {
        Ok(answer) => {
            answer.policy_version.and_then(|version| version.document).ok_or_else(|| inquiry.lacks("Document"))
        }
        Err(gap) => Err(gap),
    };
    match text {
        Ok(text) => inquiry.policy_url_encoded(&text),
        Err(gap) => Fact::Unknown(gap),
    }
}
