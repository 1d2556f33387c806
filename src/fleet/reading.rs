//! Reads the accounts of a fleet, several at once.
//!
//! The unit is an account with its regions: what has no region, such as a role, is judged over all of them. An account
//! is handed on as soon as it has been read, and nothing of it is kept, so memory follows how many are read at once
//! and not how many there are.

use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, Stream, StreamExt};

use super::accounts::{Fleet, Target};
use super::log_archive::FleetOwners;
use crate::aws::Shared;
use crate::collect::live::{Collection, DEFAULT_CONCURRENCY, collect, unread};
use crate::collect::{Progress, Shutdown};
use crate::model::call::Needs;
use crate::model::{Gap, GapKind, Inventory, Region};

/// How many calls an account keeps going, by and large: so many fewer accounts are read at once.
const CALLS: usize = 2;

/// What to read of each account, and how.
#[derive(Clone)]
pub struct Reading<'a> {
    /// The calls that may be made. Make it whole with `Needs::with_prerequisites`.
    pub needs: &'a Needs,
    /// The time now, RFC 3339.
    pub collected_at: String,
    /// How many calls may run at once, in all accounts together.
    pub concurrency: NonZeroUsize,
    /// How long an account may take.
    pub deadline: Duration,
    /// Narrows what the sessions of assumed roles may do: a policy in JSON.
    pub policy: Option<String>,
    /// Is told of each call.
    pub progress: &'a dyn Progress,
    /// Stops the reading: what is not read by then becomes gaps.
    pub shutdown: &'a Shutdown,
}

/// Reads these accounts and hands each on: always an inventory, in which an account that cannot be reached says why.
/// They come in the order in which they are done.
pub fn read<'f: 'a, 'a, F, T>(
    fleet: &'f Fleet,
    targets: &'f [Target],
    reading: &'a Reading<'a>,
    hand_on: impl Fn(&'f Target, Inventory) -> F + Copy + 'a,
) -> impl Stream<Item = T> + 'a
where
    F: Future<Output = T> + 'a,
    T: 'a,
{
    let shared = Arc::new(Shared::new(reading.concurrency));
    let owners = Arc::new(FleetOwners::new(fleet, reading.policy.clone()));
    stream::iter(targets)
        .map(move |target| {
            let (shared, owners) = (Arc::clone(&shared), Arc::clone(&owners));
            async move { hand_on(target, account(fleet, target, reading, &shared, &owners).await).await }
        })
        .buffer_unordered((reading.concurrency.get() / CALLS).max(1))
}

async fn account(
    fleet: &Fleet,
    target: &Target,
    reading: &Reading<'_>,
    shared: &Shared,
    owners: &FleetOwners<'_>,
) -> Inventory {
    let shutdown = reading.shutdown;
    let connected = if shutdown.is_requested() {
        Err(interrupted())
    } else {
        tokio::select! {
            biased;
            connected = fleet.connect(target, reading.policy.as_deref()) => connected,
            () = shutdown.requested() => Err(interrupted()),
        }
    };
    match connected {
        Ok((connection, regions)) => collect(&connection, &collection(reading, shared, owners, &regions)).await,
        Err(gap) => {
            let regions = fleet.named_regions();
            unread(target.account.as_ref(), fleet.partition(), &collection(reading, shared, owners, &regions), &gap)
        }
    }
}

fn collection<'a>(
    reading: &'a Reading<'a>,
    shared: &'a Shared,
    owners: &'a FleetOwners<'a>,
    regions: &'a [Region],
) -> Collection<'a> {
    Collection {
        regions,
        needs: reading.needs,
        collected_at: reading.collected_at.clone(),
        concurrency: reading.concurrency.min(DEFAULT_CONCURRENCY),
        shared: Some(shared),
        deadline: Some(reading.deadline),
        owners: Some(owners),
        progress: reading.progress,
        shutdown: reading.shutdown,
    }
}

fn interrupted() -> Gap {
    Gap::because(GapKind::Failed, "interrupted")
}
