//! Inventory of an account that could not be reached, so that the account is in the report.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Collection;
use crate::model::{AccountId, Gap, Inventory, Partition, Region, ResourceType, Scope, Source, Unlisted};

/// Returns the inventory of an account of which nothing was read, for this reason: resources of every
/// requested type may exist. `regions` are the regions that would have been read, if they are known.
pub fn unread(account: Option<&AccountId>, partition: Partition, collection: &Collection<'_>, gap: &Gap) -> Inventory {
    let mut inventory = Inventory::new(Source::Aws, account.cloned(), partition, collection.collected_at.clone());
    let regions: BTreeSet<Option<&Region>> = std::iter::once(None).chain(collection.regions.iter().map(Some)).collect();
    inventory.scopes = regions.iter().map(|region| scope(account, *region, gap)).collect();
    let gap = Arc::new(gap.clone());
    let wanted = ResourceType::ALL.iter().filter(|resource_type| collection.needs.wants(resource_type.found_by()));
    let unlisted: BTreeSet<Unlisted> = wanted
        .flat_map(|resource_type| regions.iter().map(move |region| (*resource_type, *region)))
        // If the regions are known, regional types are unlisted in each region, and not in the account in
        // addition.
        .filter(|(resource_type, region)| {
            region.is_some() || collection.regions.is_empty() || resource_type.is_global()
        })
        .map(|(resource_type, region)| Unlisted {
            resource_type,
            region: resource_type.region_unlisted(region),
            gap: Arc::clone(&gap),
        })
        .collect();
    inventory.unlisted = unlisted.into_iter().collect();
    inventory.asked = collection.needs.calls().map(ToString::to_string).collect();
    inventory
}

fn scope(account: Option<&AccountId>, region: Option<&Region>, gap: &Gap) -> Scope {
    Scope {
        source: Source::Aws,
        account: account.cloned(),
        region: region.cloned(),
        complete: false,
        read: false,
        gaps: vec![gap.clone()],
    }
}
