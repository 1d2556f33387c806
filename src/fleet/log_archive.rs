//! The accounts that own other accounts' buckets: the one that `log_archive` in the configuration names, and those that
//! are read in the same run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use tokio::sync::OnceCell;

use super::accounts::{Fleet, Target};
use super::choice::{Access, LogArchive};
use crate::aws::{Assumption, Connection};
use crate::collect::live::BucketOwners;
use crate::model::{Gap, Region};

/// How many accounts of a fleet are tried for the owner of one bucket, besides those that its name tells.
const TRIED: usize = 32;

type Found = Result<Option<Arc<Connection>>, Gap>;

/// The owners of buckets, as the accounts of a fleet find them. Each bucket is looked for once.
#[derive(Debug)]
pub(super) struct FleetOwners<'a> {
    fleet: &'a Fleet,
    /// Narrows what the sessions of assumed roles may do.
    policy: Option<String>,
    found: Mutex<BTreeMap<String, Arc<OnceCell<Found>>>>,
    archive: OnceCell<Result<Arc<Connection>, Gap>>,
}

impl<'a> FleetOwners<'a> {
    pub(super) fn new(fleet: &'a Fleet, policy: Option<String>) -> Self {
        Self { fleet, policy, found: Mutex::default(), archive: OnceCell::new() }
    }

    async fn find(&self, bucket: &str, region: &Region) -> Found {
        let archive = match &self.fleet.access().log_archive {
            Some(archive) => Some(self.archive.get_or_init(|| self.enter(archive)).await.clone()),
            None => None,
        };
        if let Some(Ok(archive)) = &archive
            && archive.owns_bucket(bucket, region).await
        {
            return Ok(Some(Arc::clone(archive)));
        }
        for target in likely_owners(&self.fleet.targets, bucket) {
            if let Ok(connection) = self.fleet.connection(target, self.policy.as_deref()).await
                && connection.owns_bucket(bucket, region).await
            {
                return Ok(Some(connection));
            }
        }
        // The role may read the policy and not ask whether the bucket is there.
        archive.transpose()
    }

    async fn enter(&self, archive: &LogArchive) -> Result<Arc<Connection>, Gap> {
        let hub = self.fleet.hub().await?;
        enter(&hub, self.fleet.access(), archive, self.policy.clone()).await
    }
}

impl BucketOwners for FleetOwners<'_> {
    fn owner<'a>(&'a self, bucket: &'a str, region: &'a Region) -> BoxFuture<'a, Found> {
        let once = {
            let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(found.entry(bucket.to_owned()).or_default())
        };
        Box::pin(async move { once.get_or_init(|| self.find(bucket, region)).await.clone() })
    }
}

/// The owner that the configuration names, where one account is read by itself.
#[derive(Debug)]
pub struct ConfiguredOwner<'a> {
    from: &'a Connection,
    access: &'a Access,
}

impl<'a> ConfiguredOwner<'a> {
    /// The owner that `access` names, reached from this connection.
    pub fn new(from: &'a Connection, access: &'a Access) -> Self {
        Self { from, access }
    }
}

impl BucketOwners for ConfiguredOwner<'_> {
    fn owner<'a>(&'a self, _: &'a str, _: &'a Region) -> BoxFuture<'a, Found> {
        Box::pin(async move {
            match &self.access.log_archive {
                Some(archive) => enter(self.from, self.access, archive, None).await.map(Some),
                None => Ok(None),
            }
        })
    }
}

async fn enter(
    from: &Connection,
    access: &Access,
    archive: &LogArchive,
    policy: Option<String>,
) -> Result<Arc<Connection>, Gap> {
    let role = archive.role.arn(from.partition());
    let assumption = Assumption {
        role: role.clone(),
        external_id: archive.external_id.as_ref().map(ToString::to_string),
        session_name: access.session_name.to_string(),
        policy,
    };
    let entered = from.assume(assumption).await;
    entered.map(Arc::new).map_err(|gap| {
        let more = gap.message.as_deref().map_or_else(String::new, |message| format!(": {message}"));
        gap.with_message(format!("log_archive.role in ssm-audit.yaml, {role}{more}"))
    })
}

/// The accounts that may own the bucket, the likeliest first: those whose id is in its name, those that are named after
/// logs, and others.
fn likely_owners<'t>(targets: &'t [Target], bucket: &str) -> impl Iterator<Item = &'t Target> {
    // Where one account is read, the bucket is not its own.
    let targets = if targets.len() > 1 { targets } else { &[] };
    let told = |target: &&Target| target.account.as_ref().is_some_and(|account| bucket.contains(account.as_str()));
    let of_logs = |target: &&Target| {
        let name = target.name.as_deref().unwrap_or_default().to_lowercase();
        ["log", "archive", "audit"].iter().any(|word| name.contains(word))
    };
    let (mut first, rest): (Vec<&Target>, Vec<&Target>) = targets.iter().partition(told);
    let (of_logs, others): (Vec<&Target>, Vec<&Target>) = rest.into_iter().partition(of_logs);
    first.extend(of_logs.into_iter().chain(others).take(TRIED));
    first.into_iter()
}
