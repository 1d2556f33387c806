//! Joins instances with nodes, endpoints and default host management, and nodes with instances.

use std::collections::BTreeMap;

use super::role_uses::is_hybrid;
use super::{Blame, region_of};
use crate::model::ids::{Key, Region};
use crate::model::inventory::{Inventory, ResourceType, Source, Table};
use crate::model::{Fact, Link};
use crate::resource::vpc_endpoint::schema::VpcEndpoint;

/// Facts that all instances of a region share.
struct RegionFacts {
    unlisted_nodes: Blame,
    endpoints: Endpoints,
}

/// Roles that default host management names.
pub(crate) struct HostManagement {
    pub(super) regions: BTreeMap<Option<Region>, Fact<Option<Key>>>,
    /// Role in regions without an entry.
    elsewhere: Fact<Option<Key>>,
}

impl HostManagement {
    /// Returns the role of a region.
    pub(crate) fn of(&self, region: Option<&Region>) -> Fact<Option<Key>> {
        self.regions.get(&region.cloned()).unwrap_or(&self.elsewhere).clone()
    }
}

/// Endpoints of a region, by VPC.
struct Endpoints {
    by_vpc: BTreeMap<String, Vec<Link<VpcEndpoint>>>,
    blame: Blame,
}

impl Inventory {
    pub(super) fn join_instances(&mut self) {
        let mut regions: BTreeMap<Option<Region>, RegionFacts> = BTreeMap::new();
        for key in self.instances.keys() {
            if !regions.contains_key(&key.region) {
                regions.insert(key.region.clone(), self.region_facts(region_of(key)));
            }
        }
        let host_management = self.host_management_roles();
        for (key, entry) in &mut self.instances {
            let Some(facts) = regions.get(&key.region) else { continue };
            let instance = &mut entry.attributes;
            instance.managed_instance = if self.managed_instances.contains_key(key) {
                Fact::Known(Some(Link::to(key.clone())))
            } else {
                facts.unlisted_nodes.clone().or(|| None)
            };
            instance.default_host_management_role = host_management.of(region_of(key)).map(|role| role.map(Link::to));
            instance.vpc_endpoints = match instance.vpc_id.text() {
                Err(gap) => Fact::Unknown(gap.clone()),
                Ok(None) => Fact::Known(Vec::new()),
                Ok(Some(vpc)) => {
                    facts.endpoints.blame.clone().or(|| facts.endpoints.by_vpc.get(vpc).cloned().unwrap_or_default())
                }
            };
        }
    }

    fn region_facts(&self, region: Option<&Region>) -> RegionFacts {
        let mut blame = self.unlisted_in(ResourceType::VpcEndpoint, region);
        let mut by_vpc: BTreeMap<String, Vec<Link<VpcEndpoint>>> = BTreeMap::new();
        for (key, entry) in in_region(&self.vpc_endpoints, region) {
            match entry.attributes.vpc_id.text() {
                Ok(vpc) => by_vpc.entry(vpc.to_owned()).or_default().push(Link::to(key.clone())),
                Err(gap) => blame.add(gap),
            }
        }
        RegionFacts {
            unlisted_nodes: self.unlisted_in(ResourceType::ManagedInstance, region),
            endpoints: Endpoints { by_vpc, blame },
        }
    }

    /// Returns the role that default host management names in each region.
    pub(crate) fn host_management_roles(&self) -> HostManagement {
        let regions = self
            .session_preferences
            .iter()
            .map(|(key, entry)| {
                let role = entry.attributes.default_host_management_role.as_ref();
                (key.region.clone(), role.map(|role| role.as_ref().map(|role| role.key.clone())))
            })
            .collect();
        // Code without the setting leaves default host management off. Of an account, the setting is read.
        let elsewhere = if self.source == Source::Terraform { Fact::Known(None) } else { Fact::default() };
        HostManagement { regions, elsewhere }
    }

    pub(super) fn join_nodes(&mut self) {
        let regions: BTreeMap<Option<Region>, Blame> = self
            .managed_instances
            .keys()
            .map(|key| (key.region.clone(), self.unlisted_in(ResourceType::Instance, region_of(key))))
            .collect();
        for (key, entry) in &mut self.managed_instances {
            entry.attributes.instance = if self.instances.contains_key(key) {
                Fact::Known(Some(Link::to(key.clone())))
            } else if is_hybrid(key) {
                // A node outside EC2, whether or not the instances were listed.
                Fact::Known(None)
            } else {
                regions.get(&key.region).cloned().unwrap_or_default().or(|| None)
            };
        }
    }
}

/// Returns the entries of a table that are in a region.
pub(super) fn in_region<'a, T>(
    table: &'a Table<T>,
    region: Option<&Region>,
) -> impl Iterator<Item = (&'a Key, &'a crate::model::Entry<T>)> {
    table.iter().filter(move |(key, _)| region_of(key) == region)
}
