//! The accounts that code deploys to, by its providers. Each has an inventory of its own: what another account has
//! stands in it only where its own resources refer to that, and is judged in the inventory of the account that has it.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use super::super::instance::Instance;
use super::super::module::Module;
use super::super::value::Value;
use super::{Judged, Mapper};
use crate::model::{Fact, Gap, Inventory, Key, Region, ResourceType, Scope, Source, Unlisted};
use crate::resource::key::terraform::KEYS;
use crate::resource::security_group::terraform::GROUPS;

/// An account that the code deploys to.
pub(crate) struct Home {
    account: Value,
    /// The regions of its resources; without a region where that is not known.
    regions: BTreeSet<Option<Region>>,
    /// The region of its provider, where the code has no resource of a region.
    default: Option<Region>,
    is_used: bool,
}

impl Home {
    /// The account of the root module's own provider.
    pub(crate) fn of(root: &Rc<Module>) -> Self {
        let provider = root.default_provider();
        let default = provider.region();
        Self { account: provider.account(), regions: BTreeSet::new(), default, is_used: false }
    }

    /// Whether a value is this account.
    pub(crate) fn is_of(&self, account: &Value) -> bool {
        is_same(&self.account, account)
    }

    /// The inventory of the account, with nothing in it yet but what may hide resources.
    pub(crate) fn inventory(&self, nothing: &Inventory, hidden: &[Arc<Gap>]) -> Inventory {
        let mut inventory = nothing.clone();
        if let Value::Text(account) = &self.account {
            inventory.account = account.parse().ok();
        }
        let regions =
            if self.regions.is_empty() { BTreeSet::from([self.default.clone()]) } else { self.regions.clone() };
        let partition = regions.iter().flatten().next().map(Region::partition);
        inventory.partition = partition.unwrap_or(inventory.partition);
        let mut gaps: Vec<Gap> = Vec::new();
        for gap in hidden {
            if !gaps.contains(gap) {
                gaps.push(gap.as_ref().clone());
            }
        }
        for region in regions {
            inventory.scopes.push(Scope {
                source: Source::Terraform,
                account: inventory.account.clone(),
                region,
                complete: gaps.is_empty(),
                read: true,
                gaps: gaps.clone(),
            });
        }
        for gap in hidden {
            for resource_type in [ResourceType::Instance, ResourceType::SessionPreferences] {
                let unlisted = Unlisted { resource_type, region: None, gap: Arc::clone(gap) };
                if !inventory.unlisted.contains(&unlisted) {
                    inventory.unlisted.push(unlisted);
                }
            }
        }
        inventory
    }
}

/// Whether two values are surely one account. Those that are not known are one where they are one and the same hole.
fn is_same(one: &Value, other: &Value) -> bool {
    one.equals(other).is_ok_and(|same| same)
}

/// Notes the account and the region of a resource.
pub(crate) fn add(homes: &mut Vec<Home>, instance: &Rc<Instance>) {
    if !instance.kind.starts_with("aws_") {
        return;
    }
    let account = instance.account_value();
    let index = homes.iter().position(|home| home.is_of(&account)).unwrap_or_else(|| {
        homes.push(Home { account, regions: BTreeSet::new(), default: None, is_used: true });
        homes.len() - 1
    });
    let home = &mut homes[index];
    home.is_used = true;
    if instance.kind.starts_with("aws_iam_") {
        home.default = home.default.take().or_else(|| instance.region());
    } else {
        home.regions.insert(instance.region());
    }
}

/// The accounts that have resources, or the default one where none has.
pub(super) fn in_use(mut homes: Vec<Home>) -> Vec<Home> {
    if homes.iter().any(|home| home.is_used) {
        homes.retain(|home| home.is_used);
    }
    homes
}

impl Mapper {
    /// Maps into the inventory of an account.
    pub(crate) fn within(
        &mut self,
        homes: &[Home],
        index: usize,
        inventories: &mut [Inventory],
        map: impl FnOnce(&mut Self),
    ) {
        (self.account, self.home) = (homes[index].account.clone(), index);
        std::mem::swap(&mut self.inventory, &mut inventories[index]);
        map(self);
        std::mem::swap(&mut self.inventory, &mut inventories[index]);
    }

    /// Whether the resource is in the account at hand.
    pub(crate) fn owns(&self, instance: &Rc<Instance>) -> bool {
        is_same(&self.account, &instance.account_value())
    }

    /// Whether the resource is in another account than the one at hand.
    pub(crate) fn is_foreign(&self, instance: &Rc<Instance>) -> Fact<bool> {
        match self.account.equals(&instance.account_value()) {
            Ok(same) => Fact::Known(!same),
            Err(hole) => Fact::Unknown(Arc::clone(&hole.gap)),
        }
    }

    /// Whether the resource is judged in the inventory at hand. If not, it will be in that of its own account.
    pub(super) fn is_at_home(
        &mut self,
        resource_type: ResourceType,
        key: &Key,
        instance: &Rc<Instance>,
        judged: Judged,
    ) -> bool {
        // Of other types, a reference from another account leads nowhere.
        let shared = [ResourceType::Bucket, ResourceType::KmsKey, ResourceType::SecurityGroup];
        let at_home = !shared.contains(&resource_type) || self.owns(instance);
        if !at_home {
            self.foreign.insert((self.home, resource_type, key.clone()), Rc::clone(instance));
            self.abroad.extend((judged == Judged::Yes).then(|| Rc::clone(instance)));
        }
        at_home
    }

    /// Puts in a resource of the account at hand that another account uses.
    pub(super) fn put_at_home(&mut self, instance: &Rc<Instance>) {
        match &*instance.kind {
            "aws_s3_bucket" => drop(self.put_bucket(instance, Judged::Yes)),
            kind if KEYS.contains(&kind) => drop(self.put_key(instance, Judged::Yes)),
            kind if GROUPS.contains(&kind) => drop(self.put_group(instance, Judged::Yes)),
            _ => {}
        }
    }
}
