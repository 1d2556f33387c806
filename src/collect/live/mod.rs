//! Reads a live account through the AWS SDK.
//!
//! References are followed from the instances and the session preferences of each region; keys, buckets and
//! log groups are never enumerated. A failed call becomes gaps on exactly the facts that the call would have
//! returned. Resource types that the call would have led to are recorded as unlisted
//! (`model::discovery::leads_to`).

use std::num::NonZeroUsize;
use std::time::Duration;

use futures::future::join_all;

use super::{Progress, Shutdown};
use crate::aws::{Connection, Shared};
use crate::model::call::Needs;
use crate::model::{Inventory, Region};

#[cfg(any(test, fuzzing))]
mod answers;
pub(crate) mod api_call;
pub(crate) mod collector;
mod coverage;
pub(crate) mod ec2;
mod organization;
mod policy;
mod region;
mod unreachable;

pub use crate::resource::bucket::collect_foreign::BucketOwners;
#[cfg(any(test, fuzzing))]
pub(crate) use answers::answered;
pub use unreachable::unread;

/// Default number of concurrent calls in an account.
pub const DEFAULT_CONCURRENCY: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not zero");

/// Parameters of the collection of one account.
#[derive(Clone)]
pub struct Collection<'a> {
    /// Regions to read.
    pub regions: &'a [Region],
    /// Calls that may be made. Add their prerequisites with `Needs::with_prerequisites`.
    pub needs: &'a Needs,
    /// Current time, RFC 3339.
    pub collected_at: String,
    /// Maximum number of concurrent calls.
    pub concurrency: NonZeroUsize,
    /// State shared with the collections of other accounts, if any.
    pub shared: Option<&'a Shared>,
    /// Time limit of the collection. Facts not read by then become gaps.
    pub deadline: Option<Duration>,
    /// Reader of buckets that other accounts own.
    pub owners: Option<&'a dyn BucketOwners>,
    /// Observer that is notified of each call.
    pub progress: &'a dyn Progress,
    /// Signal that stops the collection: facts not read by then become gaps.
    pub shutdown: &'a Shutdown,
}

/// Reads the account. The result is always an inventory, in which facts that could not be read are gaps. The
/// derived attributes are filled (`Inventory::join`).
pub async fn collect(connection: &Connection, collection: &Collection<'_>) -> Inventory {
    let collector = collector::Collector::new(connection, collection);
    join_all(collection.regions.iter().map(|region| region::read(&collector, region))).await;
    organization::read(&collector).await;
    collector.finish()
}
