//! Joins keys with the log groups that they encrypt. A log group's key is in the group's region.

use std::collections::{BTreeMap, BTreeSet};

use super::{Blame, region_of};
use crate::model::ids::{Key, Region};
use crate::model::inventory::{Inventory, ResourceType};
use crate::model::{Fact, Link};
use crate::resource::log_group::schema::LogGroup;

impl Inventory {
    pub(super) fn join_keys(&mut self) {
        let mut groups: BTreeMap<Key, BTreeSet<Link<LogGroup>>> = BTreeMap::new();
        let mut blames: BTreeMap<Option<Region>, Blame> = self
            .keys
            .keys()
            .map(|key| (key.region.clone(), self.unlisted_in(ResourceType::LogGroup, region_of(key))))
            .collect();
        for (key, entry) in &self.log_groups {
            if entry.exists == Fact::Known(false) {
                continue;
            }
            match &entry.attributes.kms_key {
                Fact::Known(None) => {}
                Fact::Known(Some(link)) => {
                    groups.entry(link.key.clone()).or_default().insert(Link::to(key.clone()));
                }
                Fact::Unknown(gap) => blames.entry(key.region.clone()).or_default().add(gap),
            }
        }
        for (key, entry) in &mut self.keys {
            let blame = blames.get(&key.region).cloned().unwrap_or_default();
            entry.attributes.log_groups = blame.or(|| groups.get(key).into_iter().flatten().cloned().collect());
        }
    }
}
