//! Finds which roles are used in which region, and by which resources.

use std::collections::{BTreeMap, BTreeSet};

use super::{Blame, region_of};
use crate::model::Fact;
use crate::model::ids::{Key, Region};
use crate::model::inventory::{Inventory, ResourceType, Source};
use crate::model::version::{Version, without_ec2messages};

/// Uses of roles, by region.
#[derive(Debug, Default)]
pub(super) struct RoleUses {
    pub(super) regions: BTreeMap<Option<Region>, RegionUses>,
    pub(super) root_volume_keys: RootVolumeKeys,
    pub(super) agents: Agents,
    /// Roles that no agent uses, unless another instance or node shows such a use: roles of instance profiles whose
    /// instances have an agent with another role, and roles that only nodes of terminated instances name.
    pub(super) without_agent: BTreeSet<Key>,
}

/// Roles that are used in one region.
#[derive(Debug, Default)]
pub(super) struct RegionUses {
    /// Roles used by agents that get them through instance profiles.
    pub(super) instances: Uses,
    /// Roles used by hybrid nodes, and the role that default host management names. The latter counts even if every
    /// instance has a profile now, since the next instance without a profile gets it.
    pub(super) systems_manager: Uses,
}

/// Roles in use, and the reason why there may be more.
#[derive(Debug, Default, Clone)]
pub(super) struct Uses {
    pub(super) roles: BTreeSet<Key>,
    pub(super) blame: Blame,
}

/// Agents that use each role.
#[derive(Debug, Default)]
pub(super) struct Agents {
    /// `true` if all agents with the role receive their messages from `ssmmessages`, by role.
    newer: BTreeMap<Key, bool>,
    /// Gap that leaves unknown whether there are more agents.
    blame: Blame,
}

impl Agents {
    /// Adds an agent, with the version that is reported of it.
    fn add(&mut self, role: &Key, version: &Fact<Option<String>>) {
        let newer = match version {
            Fact::Unknown(gap) => return self.blame.add(gap),
            Fact::Known(version) => version.as_deref().and_then(Version::parse),
        };
        let newer = newer.is_some_and(|version| version >= without_ec2messages());
        *self.newer.entry(role.clone()).or_insert(true) &= newer;
    }

    /// Returns `true` if an agent with this role may call `ec2messages`. An agent without a reported version may.
    pub(super) fn may_use_ec2messages(&self, role: &Key) -> Fact<bool> {
        match self.newer.get(role) {
            Some(false) => Fact::Known(true),
            newer => self.blame.clone().or(|| newer.is_none()),
        }
    }
}

/// Keys of the root volumes of the instances that have a role.
#[derive(Debug, Default)]
pub(super) struct RootVolumeKeys {
    pub(super) by_role: BTreeMap<Key, (BTreeSet<Key>, Blame)>,
    /// Gap that leaves the keys of every role unknown.
    pub(super) blame: Blame,
}

impl Uses {
    /// Returns `true` if this role is used, `false` if it is not, or the reason why that is unknown.
    pub(super) fn contains(&self, role: &Key) -> Fact<bool> {
        if self.roles.contains(role) { Fact::Known(true) } else { self.blame.clone().or(|| false) }
    }
}

impl RegionUses {
    /// Returns all roles in use.
    pub(super) fn all(&self) -> Uses {
        let mut all = self.instances.clone();
        all.roles.extend(self.systems_manager.roles.iter().cloned());
        all.blame.add_all(&self.systems_manager.blame);
        all
    }
}

impl RoleUses {
    pub(super) fn of(inventory: &Inventory) -> Self {
        let mut uses = Self::default();
        let listed = inventory.unlisted.iter();
        let unlisted = listed
            .filter(|unlisted| matches!(unlisted.resource_type, ResourceType::Instance | ResourceType::ManagedInstance))
            .map(|unlisted| unlisted.region.clone());
        let keys = inventory.instances.keys().chain(inventory.managed_instances.keys());
        let keys = keys.chain(inventory.session_preferences.keys()).map(|key| key.region.clone());
        let regions: BTreeSet<Option<Region>> = keys.chain(unlisted).collect();
        for region in regions {
            let mut here = RegionUses::default();
            here.instances.blame = inventory.unlisted_in(ResourceType::Instance, region.as_ref());
            here.systems_manager.blame = inventory.unlisted_in(ResourceType::ManagedInstance, region.as_ref());
            uses.regions.insert(region, here);
        }
        uses.root_volume_keys.blame = inventory.unlisted_anywhere(ResourceType::Instance);
        for listed in [ResourceType::Instance, ResourceType::ManagedInstance] {
            uses.agents.blame.add_all(&inventory.unlisted_anywhere(listed));
        }
        uses.add_systems_manager(inventory);
        uses.add_instances(inventory);
        uses.add_unused_profiles(inventory);
        uses
    }

    fn add_systems_manager(&mut self, inventory: &Inventory) {
        for (region, role) in inventory.host_management_roles().regions {
            self.regions.entry(region).or_default().systems_manager.add(&role);
        }
        // Nodes on EC2 are handled with their instances.
        let without_instance =
            inventory.managed_instances.iter().filter(|(key, _)| !inventory.instances.contains_key(*key));
        for (key, entry) in without_instance {
            let node = &entry.attributes;
            let role = node.iam_role.as_ref().map(|role| role.as_ref().map(|role| role.key.clone()));
            // The node of a terminated instance stays registered for a while, but no longer uses a role.
            match (&node.ping_status, is_hybrid(key)) {
                (Fact::Known(status), false) if status != "Online" => {
                    self.without_agent.extend(role.known().cloned().flatten());
                    continue;
                }
                (Fact::Unknown(gap), false) => {
                    self.agents.blame.add(gap);
                    self.regions.entry(key.region.clone()).or_default().systems_manager.blame.add(gap);
                    continue;
                }
                (Fact::Known(_), false) | (_, true) => {}
            }
            match &role {
                Fact::Known(Some(role)) => self.agents.add(role, &node.agent_version),
                Fact::Known(None) => {}
                Fact::Unknown(gap) => self.agents.blame.add(gap),
            }
            self.regions.entry(key.region.clone()).or_default().systems_manager.add(&role);
        }
    }

    /// Adds unused instance profiles. In code, profiles out of scope are those that no instance of this code has:
    /// instances of other code may have them, in any region.
    fn add_unused_profiles(&mut self, inventory: &Inventory) {
        if inventory.source != Source::Terraform {
            return;
        }
        let unused = inventory.instance_profiles.values().filter(|entry| !entry.in_scope);
        let roles: Vec<Key> = unused
            .filter_map(|entry| match &entry.attributes.role {
                Fact::Known(Some(role)) => Some(role.key.clone()),
                // The profile is listed as unknown, or is defined elsewhere.
                Fact::Known(None) | Fact::Unknown(_) => None,
            })
            .collect();
        if roles.is_empty() {
            return;
        }
        if self.regions.is_empty() {
            let scopes = inventory.scopes.iter().map(|scope| scope.region.clone());
            self.regions.extend(scopes.map(|region| (region, RegionUses::default())));
        }
        for uses in self.regions.values_mut() {
            uses.instances.roles.extend(roles.iter().cloned());
        }
    }

    fn add_instances(&mut self, inventory: &Inventory) {
        let host_management = inventory.host_management_roles();
        for (key, entry) in &inventory.instances {
            let instance = &entry.attributes;
            let uses = self.regions.entry(key.region.clone()).or_default();
            let agent = match inventory.agent_role(key, instance, &host_management) {
                Fact::Known(agent) => agent,
                Fact::Unknown(gap) => {
                    uses.instances.blame.add(&gap);
                    self.root_volume_keys.blame.add(&gap);
                    self.agents.blame.add(&gap);
                    continue;
                }
            };
            if let Fact::Known(Some(role)) = inventory.profile_role(&instance.iam_instance_profile)
                && agent.as_ref().is_none_or(|agent| agent.role != role)
            {
                self.without_agent.insert(role);
            }
            let Some(agent) = agent else { continue };
            let handed_out_by = if agent.by_systems_manager { &mut uses.systems_manager } else { &mut uses.instances };
            handed_out_by.roles.insert(agent.role.clone());
            let version = match inventory.managed_instances.get(key) {
                Some(node) => node.attributes.agent_version.clone(),
                None => inventory.unlisted_in(ResourceType::ManagedInstance, region_of(key)).or(|| None),
            };
            self.agents.add(&agent.role, &version);
            let (keys, blame) = self.root_volume_keys.by_role.entry(agent.role).or_default();
            match inventory.root_volume_key(&instance.root_volume) {
                Fact::Known(key) => keys.extend(key),
                Fact::Unknown(gap) => blame.add(&gap),
            }
        }
    }
}

/// Returns `true` if a node is not on EC2. The id of a node on EC2 is that of the instance.
pub(super) fn is_hybrid(node: &Key) -> bool {
    !node.id.starts_with("i-")
}

impl Uses {
    fn add(&mut self, role: &Fact<Option<Key>>) {
        match role {
            Fact::Known(role) => self.roles.extend(role.clone()),
            Fact::Unknown(gap) => self.blame.add(gap),
        }
    }
}
