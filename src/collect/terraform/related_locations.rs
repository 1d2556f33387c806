//! Other places that matter for a finding: what the resource refers to, as far as its rule reads through it.

use crate::model::{Fact, Inventory, Key, Link, ResourceType};

/// The resources that a rule reads through this one.
pub(crate) fn of(
    inventory: &Inventory,
    resource_type: ResourceType,
    key: &Key,
    reads: &[String],
) -> Vec<(ResourceType, Key)> {
    let through =
        |name: &str| reads.iter().any(|path| path.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', '['])));
    let mut found: Vec<(ResourceType, Key)> = Vec::new();
    match resource_type {
        ResourceType::Instance => {
            let Some(entry) = inventory.instances.get(key) else { return found };
            let instance = &entry.attributes;
            if through("vpc_security_groups") || through("network_interfaces") {
                several(&mut found, ResourceType::SecurityGroup, &instance.vpc_security_groups);
            }
            if through("iam_instance_profile") {
                one(&mut found, ResourceType::InstanceProfile, &instance.iam_instance_profile);
            }
        }
        ResourceType::SessionPreferences => {
            let Some(entry) = inventory.session_preferences.get(key) else { return found };
            let preferences = &entry.attributes;
            if through("s3_bucket") {
                one(&mut found, ResourceType::Bucket, &preferences.s3_bucket);
            }
            if through("log_group") {
                one(&mut found, ResourceType::LogGroup, &preferences.log_group);
            }
            if through("kms_key") {
                one(&mut found, ResourceType::KmsKey, &preferences.kms_key);
            }
            if through("roles") {
                several(&mut found, ResourceType::Role, &preferences.roles);
            }
        }
        ResourceType::Role => {
            let Some(entry) = inventory.roles.get(key) else { return found };
            if through("session_preferences") {
                several(&mut found, ResourceType::SessionPreferences, &entry.attributes.session_preferences);
            }
            if through("root_volume_keys") {
                several(&mut found, ResourceType::KmsKey, &entry.attributes.root_volume_keys);
            }
        }
        ResourceType::KmsKey => {
            let Some(entry) = inventory.keys.get(key) else { return found };
            if through("log_groups") {
                several(&mut found, ResourceType::LogGroup, &entry.attributes.log_groups);
            }
        }
        _ => {}
    }
    found
}

fn one<T>(found: &mut Vec<(ResourceType, Key)>, resource_type: ResourceType, link: &Fact<Option<Link<T>>>) {
    if let Fact::Known(Some(link)) = link {
        found.push((resource_type, link.key.clone()));
    }
}

fn several<T>(found: &mut Vec<(ResourceType, Key)>, resource_type: ResourceType, links: &Fact<Vec<Link<T>>>) {
    if let Fact::Known(links) = links {
        found.extend(links.iter().map(|link| (resource_type, link.key.clone())));
    }
}
