//! Instance profiles, with their roles. Each is read once an account.

use super::schema::InstanceProfile;
use crate::aws::response_integrity::Requires;
use crate::collect::live::collector::Collector;
use crate::model::call::GET_INSTANCE_PROFILE;
use crate::model::{Entry, Fact, Key, Link};
use crate::resource::instance::collect::Attached;
use crate::resource::role::collect::{ABSENT, role_key, role_once};
use futures::future::join_all;
use std::collections::BTreeMap;

/// Reads these instance profiles, and their roles.
pub(crate) async fn profiles(collector: &Collector<'_>, attached: &BTreeMap<Key, Vec<Attached>>) {
    let read = attached.iter().map(|(key, instances)| async move {
        let Some(id) = collector.profiles.get(key.clone(), profile(collector, key)).await else { return };
        for Attached { instance, id: of_instance } in instances {
            if let Some(gone) = of_instance.as_ref().filter(|of_instance| **of_instance != id) {
                keep_deleted(collector, instance, key, gone);
            }
        }
    });
    join_all(read).await;
}

/// An instance whose profile was deleted keeps it, and has no credentials, also where another profile has been made under
/// its name.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html>
fn keep_deleted(collector: &Collector<'_>, instance: &Key, name: &Key, id: &str) {
    let gone = Key::global(format!("{} ({id})", name.id));
    collector.put(gone.clone(), Entry::<InstanceProfile>::missing());
    collector.record(|inventory| {
        if let Some(entry) = inventory.instances.get_mut(instance) {
            entry.attributes.iam_instance_profile = Fact::Known(Some(Link::to(gone)));
        }
    });
}

/// Reads a profile with its role; its id, where it is there.
async fn profile(collector: &Collector<'_>, key: &Key) -> Option<String> {
    if !collector.wants(&GET_INSTANCE_PROFILE) {
        collector.mention::<InstanceProfile>(key);
        return None;
    }
    let inquiry = collector.inquire(&GET_INSTANCE_PROFILE, None);
    let request = collector.connection.iam().get_instance_profile().instance_profile_name(key.id.as_ref());
    let answer = inquiry.send_unless(ABSENT, request.customize().interceptor(Requires("<Roles")).send()).await;
    let profile = answer.and_then(|answer| match answer.map(|answer| answer.instance_profile) {
        Some(None) => Err(inquiry.lacks("InstanceProfile")),
        Some(Some(profile)) => Ok(Some(profile)),
        None => Ok(None),
    });
    match profile {
        Err(gap) => {
            inquiry.unlisted(&gap);
            collector.put(key.clone(), Entry::<InstanceProfile>::unread(&gap));
            None
        }
        Ok(None) => {
            collector.put(key.clone(), Entry::<InstanceProfile>::missing());
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
            collector.put(key.clone(), Entry::existing(attributes));
            if let Fact::Known(Some(key)) = role {
                role_once(collector, key).await;
            }
            id
        }
    }
}
