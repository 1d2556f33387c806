//! Derived attributes: facts that follow from several resources of an inventory together. The join is pure: it reads
//! nothing, and it is idempotent.
//!
//!
//! The join uses three-valued logic. A fact derived from a list is known only if the list was read completely. Each
//! unknown value carries the gap that causes it; if there are several gaps, the first in their order.

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

    /// Returns the reason why resources of this type may be missing in a region, if they may.
    fn unlisted_in(&self, resource_type: ResourceType, region: Option<&Region>) -> Blame {
        let here = |unlisted: &&crate::model::Unlisted| {
            unlisted.resource_type == resource_type && (unlisted.region.is_none() || unlisted.region.as_ref() == region)
        };
        let mut blame = Blame::default();
        self.unlisted.iter().filter(here).for_each(|unlisted| blame.add(&unlisted.gap));
        blame
    }

    /// Returns the reason why resources of this type may be missing anywhere, if they may.
    fn unlisted_anywhere(&self, resource_type: ResourceType) -> Blame {
        let mut blame = Blame::default();
        let of_type = self.unlisted.iter().filter(|unlisted| unlisted.resource_type == resource_type);
        of_type.for_each(|unlisted| blame.add(&unlisted.gap));
        blame
    }
}

/// Gap that makes a fact unknown; none if the fact is known.
#[derive(Debug, Clone, Default)]
struct Blame(Option<Arc<Gap>>);

impl Blame {
    /// Adds a gap. A failure has precedence over a fact that was not requested: the gap kinds are ordered this way.
    fn add(&mut self, gap: &Arc<Gap>) {
        if self.0.as_ref().is_none_or(|known| gap < known) {
            self.0 = Some(Arc::clone(gap));
        }
    }

    /// Adds all gaps of another `Blame`.
    fn add_all(&mut self, other: &Self) {
        if let Some(gap) = &other.0 {
            self.add(gap);
        }
    }

    /// Returns the value if there is no gap.
    fn or<T>(self, value: impl FnOnce() -> T) -> Fact<T> {
        self.0.map_or_else(|| Fact::Known(value()), Fact::Unknown)
    }
}

/// Returns the region of a resource, for the tables by region.
fn region_of(key: &Key) -> Option<&Region> {
    key.region.as_ref()
}
