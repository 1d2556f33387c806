//! Which roles are used in which region, and by what.

use std::collections::{BTreeMap, BTreeSet};

use super::{Blame, region_of};
use crate::model::Fact;
use crate::model::ids::{Key, Region};
use crate::model::inventory::{Inventory, ResourceType, Source};

/// The uses of roles, by region.
#[derive(Debug, Default)]
pub(super) struct RoleUses {
    pub(super) regions: BTreeMap<Option<Region>, RegionUses>,
    pub(super) root_volume_keys: RootVolumeKeys,
}

/// The roles that are used in one region.
#[derive(Debug, Default)]
pub(super) struct RegionUses {
    /// Through instance profiles.
    pub(super) instances: Uses,
    /// By hybrid nodes, and the role that default host management names: it counts though every instance may
    /// have a profile now, since the next one without gets it.
    pub(super) systems_manager: Uses,
}

/// Roles in use, and why there may be more.
#[derive(Debug, Default, Clone)]
pub(super) struct Uses {
    pub(super) roles: BTreeSet<Key>,
    pub(super) blame: Blame,
}

/// The keys of the root volumes of the instances that have a role.
#[derive(Debug, Default)]
pub(super) struct RootVolumeKeys {
    pub(super) by_role: BTreeMap<Key, (BTreeSet<Key>, Blame)>,
    /// What leaves the keys of every role unknown.
    pub(super) blame: Blame,
}

impl Uses {
    /// Whether it is a use of this role: yes, no, or why that is unknown.
    pub(super) fn contains(&self, role: &Key) -> Fact<bool> {
        if self.roles.contains(role) { Fact::Known(true) } else { self.blame.clone().or(|| false) }
    }
}

impl RegionUses {
    /// All roles in use.
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
        uses.add_systems_manager(inventory);
        uses.add_instances(inventory);
        uses.add_unused_profiles(inventory);
        uses
    }

    fn add_systems_manager(&mut self, inventory: &Inventory) {
        for (region, role) in inventory.host_management_roles().regions {
            self.regions.entry(region).or_default().systems_manager.add(&role);
        }
        for (key, entry) in &inventory.managed_instances {
            let role = entry.attributes.iam_role.as_ref().map(|role| role.as_ref().map(|role| role.key.clone()));
            self.regions.entry(key.region.clone()).or_default().systems_manager.add(&role);
        }
    }

    /// Of code, profiles that are not in scope are those that no instance of it has: instances of other code may have
    /// them, in any region.
    fn add_unused_profiles(&mut self, inventory: &Inventory) {
        if inventory.source != Source::Terraform {
            return;
        }
        let unused = inventory.instance_profiles.values().filter(|entry| !entry.in_scope);
        let roles: Vec<Key> = unused
            .filter_map(|entry| match &entry.attributes.role {
                Fact::Known(Some(role)) => Some(role.key.clone()),
                // It is listed as unknown, or comes from outside.
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
            let role = inventory.profile_role(&entry.attributes.iam_instance_profile);
            self.regions.entry(key.region.clone()).or_default().instances.add(&role);
            // Without a profile, an instance has the role of default host management.
            let role = match role {
                Fact::Known(None) => host_management.of(region_of(key)),
                role => role,
            };
            match role {
                Fact::Known(None) => {}
                Fact::Unknown(gap) => self.root_volume_keys.blame.add(&gap),
                Fact::Known(Some(role)) => {
                    let (keys, blame) = self.root_volume_keys.by_role.entry(role).or_default();
                    match inventory.root_volume_key(&entry.attributes.root_volume) {
                        Fact::Known(key) => keys.extend(key),
                        Fact::Unknown(gap) => blame.add(&gap),
                    }
                }
            }
        }
    }
}

impl Uses {
    fn add(&mut self, role: &Fact<Option<Key>>) {
        match role {
            Fact::Known(role) => self.roles.extend(role.clone()),
            Fact::Unknown(gap) => self.blame.add(gap),
        }
    }
}
