//! The keys of root volumes that a role is to be able to use, where the rule on that is held: those of the volumes that
//! its instances have when the plan is done.

use std::collections::BTreeSet;

use super::fix;
use crate::engine::rule::params::ParamValue;
use crate::model::{Key, ResourceType};
use crate::remediate::plan_builder::{Aims, PlanBuilder, ResourceId};
use crate::resource::instance_profile;

/// The task of the role.
pub(crate) const TASK: &str = "use-volume-key";

/// The task, and the type that [`ask`] asks it of.
pub(crate) const ASK: (ResourceType, &str) = (ResourceType::Role, TASK);

/// Asks it of the role that the instance has, or is to have.
pub(crate) fn ask(instance: &ResourceId, aims: &Aims, builder: &mut PlanBuilder<'_>) {
    let required = builder.param("iam-role-uses-volume-key", "required");
    if let (Some(ParamValue::Bool(true)), Some(role)) = (required, role_of(&instance.1, builder)) {
        builder.ask(&role, TASK, aims);
    }
}

/// The ARNs of the keys, those that customers manage.
pub(crate) fn of_role(role: &ResourceId, builder: &PlanBuilder<'_>) -> BTreeSet<String> {
    let instances = builder.inventory.instances.keys().filter(|key| role_of(key, builder).as_ref() == Some(role));
    let key = |instance| match fix::new_key(instance, builder) {
        Some(key) => key["Arn"].as_str().filter(|_| key["KeyManager"] == "CUSTOMER").map(str::to_owned),
        None => present_key(instance, builder),
    };
    instances.filter_map(key).collect()
}

fn present_key(instance: &Key, builder: &PlanBuilder<'_>) -> Option<String> {
    let instance = builder.inventory.instances.get(instance)?;
    let key = builder.inventory.root_volume_key(&instance.attributes.root_volume);
    let key = builder.inventory.keys.get(key.known()?.as_ref()?)?;
    let customers = key.attributes.key_manager.known().is_some_and(|by| by == "CUSTOMER");
    key.attributes.arn.known().filter(|_| customers).cloned()
}

/// The role that the agent on an instance uses.
fn role_of(instance: &Key, builder: &PlanBuilder<'_>) -> Option<ResourceId> {
    let wanted = builder.wanted.get(&(ResourceType::Instance, instance.clone()));
    if wanted.is_some_and(|wanted| wanted.task("instance-profile").is_some()) {
        return Some(instance_profile::fix::role(builder));
    }
    let inventory = builder.inventory;
    let attributes = &inventory.instances.get(instance)?.attributes;
    let agent = inventory.agent_role(instance, attributes, &inventory.host_management_roles());
    agent.known().cloned().flatten().map(|agent| (ResourceType::Role, agent.role))
}
