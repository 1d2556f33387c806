//! Joins roles and session preferences with the resources that use them, by region.

use std::collections::{BTreeMap, BTreeSet};

use super::instances::in_region;
use super::role_uses::{RegionUses, RoleUses, Uses};
use super::{Blame, region_of};
use crate::model::ids::{Key, Region};
use crate::model::inventory::{Inventory, ResourceType, Source};
use crate::model::{Fact, Link};
use crate::resource::instance_profile::schema::InstanceProfile;
use crate::resource::volume::schema::Volume;

impl Inventory {
    /// Returns the role of an instance profile.
    pub(crate) fn profile_role(&self, profile: &Fact<Option<Link<InstanceProfile>>>) -> Fact<Option<Key>> {
        let link = match profile {
            Fact::Unknown(gap) => return Fact::Unknown(gap.clone()),
            Fact::Known(None) => return Fact::Known(None),
            Fact::Known(Some(link)) => link,
        };
        match self.instance_profiles.get(&link.key) {
            None => Fact::default(),
            Some(entry) if entry.exists == Fact::Known(false) => Fact::Known(None),
            Some(entry) => entry.attributes.role.as_ref().map(|role| role.as_ref().map(|role| role.key.clone())),
        }
    }

    /// Returns the key of a root volume.
    pub(crate) fn root_volume_key(&self, volume: &Fact<Option<Link<Volume>>>) -> Fact<Option<Key>> {
        let link = match volume {
            Fact::Unknown(gap) => return Fact::Unknown(gap.clone()),
            Fact::Known(None) => return Fact::Known(None),
            Fact::Known(Some(link)) => link,
        };
        let entry = self.volumes.get(&link.key);
        entry.map_or_else(Fact::default, |entry| {
            entry.attributes.kms_key.as_ref().map(|key| key.as_ref().map(|link| link.key.clone()))
        })
    }

    pub(super) fn join_roles(&mut self, uses: &RoleUses) {
        let preferences: BTreeMap<&Key, Uses> = self
            .session_preferences
            .iter()
            // If the code does not declare the document, it is unknown whether there is one that logs are written for.
            .filter(|(_, entry)| self.source != Source::Terraform || entry.attributes.document_exists.gap().is_none())
            .map(|(key, _)| (key, uses.regions.get(&key.region).map(RegionUses::all).unwrap_or_default()))
            .collect();
        for (key, entry) in &mut self.roles {
            let role = &mut entry.attributes;
            role.used_by_instances = any(uses.regions.values().map(|uses| uses.instances.contains(key)));
            role.used_by_systems_manager = any(uses.regions.values().map(|uses| uses.systems_manager.contains(key)));
            role.uses_ec2messages = uses.agents.may_use_ec2messages(key);
            // These rules do not cover the permissions of an application, or of a role that no node uses any more.
            let used = [&role.used_by_instances, &role.used_by_systems_manager];
            if uses.without_agent.contains(key) && used == [&Fact::Known(false), &Fact::Known(false)] {
                entry.in_scope = false;
            }
            let mut blame = Blame::default();
            let mut links = Vec::new();
            for (preferences, uses) in &preferences {
                match uses.contains(key) {
                    Fact::Known(true) => links.push(Link::to((*preferences).clone())),
                    Fact::Known(false) => {}
                    Fact::Unknown(gap) => blame.add(&gap),
                }
            }
            role.session_preferences = blame.or(|| links);
            let mut blame = uses.root_volume_keys.blame.clone();
            let keys = uses.root_volume_keys.by_role.get(key);
            if let Some((_, of_role)) = keys {
                blame.add_all(of_role);
            }
            role.root_volume_keys =
                blame.or(|| keys.into_iter().flat_map(|(keys, _)| keys).cloned().map(Link::to).collect());
        }
    }

    pub(super) fn join_session_preferences(&mut self, uses: &RoleUses) {
        let regions: BTreeSet<Option<Region>> = self.session_preferences.keys().map(|key| key.region.clone()).collect();
        let has_nodes: BTreeMap<Option<Region>, Fact<bool>> =
            regions.into_iter().map(|region| (region.clone(), self.has_nodes(region.as_ref()))).collect();
        for (key, entry) in &mut self.session_preferences {
            let preferences = &mut entry.attributes;
            preferences.has_nodes = has_nodes.get(&region_of(key).cloned()).cloned().unwrap_or_default();
            let uses = uses.regions.get(&key.region).map(RegionUses::all).unwrap_or_default();
            preferences.roles = uses.blame.clone().or(|| uses.roles.iter().cloned().map(Link::to).collect());
        }
    }

    fn has_nodes(&self, region: Option<&Region>) -> Fact<bool> {
        let instance = in_region(&self.instances, region).next().is_some();
        if instance || in_region(&self.managed_instances, region).next().is_some() {
            return Fact::Known(true);
        }
        let mut blame = self.unlisted_in(ResourceType::Instance, region);
        blame.add_all(&self.unlisted_in(ResourceType::ManagedInstance, region));
        blame.or(|| false)
    }
}

/// Returns `true` if any of the facts is true.
fn any(facts: impl Iterator<Item = Fact<bool>>) -> Fact<bool> {
    let mut blame = Blame::default();
    for fact in facts {
        match fact {
            Fact::Known(true) => return fact,
            Fact::Known(false) => {}
            Fact::Unknown(gap) => blame.add(&gap),
        }
    }
    blame.or(|| false)
}
