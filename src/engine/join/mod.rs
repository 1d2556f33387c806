//! Derived attributes: what follows from the resources of an inventory together. Pure: it reads nothing,
//! and joining twice is joining once.
//!
//! It is three-valued. What is derived from a list is known only if the list was read to its end, and each
//! unknown value carries the gap that is to blame; where several are, the first in their order.

use std::sync::Arc;

use crate::model::fact::Fact;
use crate::model::gap::Gap;
use crate::model::ids::{Key, Region};
use crate::model::inventory::{Inventory, ResourceType};

mod agents;
mod instances;
mod keys;
mod role_uses;
mod roles;

#[cfg(test)]
mod tests;

use role_uses::RoleUses;

impl Inventory {
    /// Fills the derived attributes: `Instance.managed_instance`, `default_host_management_role` and
    /// `vpc_endpoints`; `ManagedInstance.instance`; `Role.used_by_instances`, `used_by_systems_manager`,
    /// `uses_ec2messages`, `session_preferences` and `root_volume_keys`; `SessionPreferences.has_nodes` and `roles`;
    /// `KmsKey.log_groups`.
    pub fn join(&mut self) {
        self.join_instances();
        self.join_nodes();
        self.join_keys();
        let uses = RoleUses::of(self);
        self.join_roles(&uses);
        self.join_session_preferences(&uses);
    }

    /// Why resources of this type may be missing in a region, if they may.
    fn unlisted_in(&self, resource_type: ResourceType, region: Option<&Region>) -> Blame {
        let here = |unlisted: &&crate::model::Unlisted| {
            unlisted.resource_type == resource_type && (unlisted.region.is_none() || unlisted.region.as_ref() == region)
        };
        let mut blame = Blame::default();
        self.unlisted.iter().filter(here).for_each(|unlisted| blame.add(&unlisted.gap));
        blame
    }

    /// Why resources of this type may be missing anywhere, if they may.
    fn unlisted_anywhere(&self, resource_type: ResourceType) -> Blame {
        let mut blame = Blame::default();
        let of_type = self.unlisted.iter().filter(|unlisted| unlisted.resource_type == resource_type);
        of_type.for_each(|unlisted| blame.add(&unlisted.gap));
        blame
    }
}

/// The gap that keeps something from being known; none if it is known.
#[derive(Debug, Clone, Default)]
struct Blame(Option<Arc<Gap>>);

impl Blame {
    /// One more gap. A failure counts before what nobody asked for: the kinds are ordered so.
    fn add(&mut self, gap: &Arc<Gap>) {
        if self.0.as_ref().is_none_or(|known| gap < known) {
            self.0 = Some(Arc::clone(gap));
        }
    }

    /// All of another's.
    fn add_all(&mut self, other: &Self) {
        if let Some(gap) = &other.0 {
            self.add(gap);
        }
    }

    /// The value, if nothing is to blame.
    fn or<T>(self, value: impl FnOnce() -> T) -> Fact<T> {
        self.0.map_or_else(|| Fact::Known(value()), Fact::Unknown)
    }
}

/// The region of a resource, for the tables by region.
fn region_of(key: &Key) -> Option<&Region> {
    key.region.as_ref()
}
