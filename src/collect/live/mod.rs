//! Reads a live account through the AWS SDK.
//!
//! References are followed from the instances and the session preferences of each region; keys, buckets
//! and log groups are never enumerated. A call that fails becomes gaps on exactly the facts that it
//! would have given, and where it would have led to more resources, those are said to be unlisted
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

/// How many calls may run at once in an account, unless said otherwise.
pub const DEFAULT_CONCURRENCY: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not zero");

/// What to read of an account.
#[derive(Clone)]
pub struct Collection<'a> {
    /// The regions.
    pub regions: &'a [Region],
    /// The calls that may be made. Make it whole with `Needs::with_prerequisites`.
    pub needs: &'a Needs,
    /// The time now, RFC 3339.
    pub collected_at: String,
    /// How many calls may run at once.
    pub concurrency: NonZeroUsize,
    /// What is shared with the readings of other accounts, where there are others.
    pub shared: Option<&'a Shared>,
    /// How long it may take. What is not read by then becomes gaps.
    pub deadline: Option<Duration>,
    /// Where other accounts' buckets are read.
    pub owners: Option<&'a dyn BucketOwners>,
    /// Is told of each call.
    pub progress: &'a dyn Progress,
    /// Stops the reading: what is not read by then becomes gaps.
    pub shutdown: &'a Shutdown,
}

/// Reads the account. It always gives an inventory: what could not be read is in it as gaps. The derived
/// attributes are filled (`Inventory::join`).
pub async fn collect(connection: &Connection, collection: &Collection<'_>) -> Inventory {
    let collector = collector::Collector::new(connection, collection);
    join_all(collection.regions.iter().map(|region| region::read(&collector, region))).await;
    organization::read(&collector).await;
    collector.finish()
}
