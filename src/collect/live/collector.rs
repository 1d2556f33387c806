//! State shared by all readers of one account: the required calls, the concurrency limit, the inventory so
//! far, and the coverage. No lock is held while a call runs.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Collection;
use super::coverage::Coverage;
use crate::aws::connection::Connection;
use crate::aws::once_map::Once;
use crate::model::call::{self, Call};
use crate::model::discovery::leads_to;
use crate::model::{Entry, Fact, Gap, Inventory, Key, Region, Resource, Source, Unlisted};
use crate::resource::key::collect::Described;

/// The reading of one account.
pub(crate) struct Collector<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) collection: &'a Collection<'a>,
    pub(crate) permits: Semaphore,
    /// Time at which the collection has to end.
    pub(crate) deadline: Option<Instant>,
    /// The ids of instance profiles by their names.
    pub(crate) profiles: Once<Key, Option<String>>,
    pub(crate) roles: Once<Key, ()>,
    pub(crate) managed_policies: Once<Key, ()>,
    pub(crate) buckets: Once<Key, ()>,
    pub(crate) described_keys: Once<(Region, String), Described>,
    pub(crate) key_policies: Once<Key, ()>,
    pub(crate) key_rotations: Once<Key, ()>,
    gathered: Mutex<Gathered>,
}

struct Gathered {
    inventory: Inventory,
    coverage: Coverage,
    unlisted: BTreeSet<Unlisted>,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(connection: &'a Connection, collection: &'a Collection<'a>) -> Self {
        let inventory = Inventory::new(
            Source::Aws,
            Some(connection.account().clone()),
            connection.partition(),
            collection.collected_at.clone(),
        );
        let coverage = Coverage::of(&collection.regions.iter().cloned().collect());
        Self {
            connection,
            collection,
            permits: Semaphore::new(collection.concurrency.get()),
            deadline: collection.deadline.map(|deadline| Instant::now() + deadline),
            profiles: Once::default(),
            roles: Once::default(),
            managed_policies: Once::default(),
            buckets: Once::default(),
            described_keys: Once::default(),
            key_policies: Once::default(),
            key_rotations: Once::default(),
            gathered: Mutex::new(Gathered { inventory, coverage, unlisted: BTreeSet::new() }),
        }
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `true` if the rules need this call.
    pub(crate) fn wants(&self, call: &Call) -> bool {
        self.collection.needs.wants(call)
    }

    /// Changes the inventory collected so far.
    pub(crate) fn record<T>(&self, change: impl FnOnce(&mut Inventory) -> T) -> T {
        change(&mut self.gathered().inventory)
    }

    /// Adds a resource to the inventory.
    pub(crate) fn put<T: Resource>(&self, key: Key, entry: Entry<T>) {
        self.record(|inventory| T::table_mut(inventory).insert(key, entry));
    }

    /// Adds a reference to a resource to the inventory, if no required call describes the resource.
    pub(crate) fn mention<T: Resource>(&self, key: &Key) {
        self.record(|inventory| {
            T::table_mut(inventory).entry(key.clone()).or_insert_with(|| Entry {
                exists: Fact::default(),
                in_scope: true,
                attributes: T::default(),
            });
        });
    }

    /// Records that a call of this region (without a region: of the account) returned an answer.
    pub(crate) fn answered(&self, region: Option<&Region>) {
        self.gathered().coverage.answered(region);
    }

    /// Records that a call of this region (without a region: of the account) left a gap.
    pub(crate) fn failed(&self, region: Option<&Region>, gap: Gap) -> Arc<Gap> {
        self.gathered().coverage.failed(region, &gap);
        Arc::new(gap)
    }

    /// Records that, because of this gap, the resources found through this call may be incomplete.
    pub(crate) fn unlisted(&self, call: &Call, region: Option<&Region>, gap: &Arc<Gap>) {
        let unlisted = leads_to(call).iter().map(|resource_type| Unlisted {
            resource_type: *resource_type,
            region: resource_type.region_unlisted(region),
            gap: Arc::clone(gap),
        });
        self.gathered().unlisted.extend(unlisted);
    }

    /// Records that the resources of this type may be incomplete.
    pub(crate) fn say_unlisted(&self, unlisted: Unlisted) {
        self.gathered().unlisted.insert(unlisted);
    }

    /// Returns the collected inventory. Resources that only calls that were not required would have found are
    /// unlisted too, since no such call was made.
    pub(crate) fn finish(self) -> Inventory {
        for call in call::ALL.iter().filter(|call| !self.wants(call)) {
            for region in self.collection.regions {
                self.unlisted(call, Some(region), &Gap::not_collected());
            }
        }
        let gathered = self.gathered.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut inventory = gathered.inventory;
        inventory.scopes = gathered.coverage.scopes(self.connection.account());
        inventory.unlisted = gathered.unlisted.into_iter().collect();
        inventory.asked = self.collection.needs.calls().map(ToString::to_string).collect();
        inventory.join();
        inventory
    }
}
