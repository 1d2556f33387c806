//! The lock of an account in each region that a run changes, kept in the account itself, so that runs from two machines
//! or two state folders see each other. What has no region is locked in one region of the partition, too. The lock is a
//! parameter of Systems Manager: AWS creates it for one caller only.
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html>
//!
//! A lock ends with its run. That of a run that was killed expires; `resume` and `undo` of the same run take it over.
//!
//! Machines compare its end with clocks of their own. AWS refuses calls of a clock that is more than five minutes wrong,
//! and a lock is renewed eleven minutes before it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

use aws_sdk_ssm::types::ParameterType;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::account_clients::{AccountClients, RegionClients};
use super::plan::{Plan, Purpose};
use crate::aws::Failure;
use crate::model::call::Call;
use crate::model::{AccountId, Gap, GapKind, Partition, Region};

/// The name of the parameter. AWS reserves names that begin with `ssm`.
pub(crate) const NAME: &str = "/session-manager-audit/lock";

/// How long a lock is valid unless it is renewed.
const VALID: SignedDuration = SignedDuration::from_mins(15);
/// How often it is renewed.
const RENEWED: SignedDuration = SignedDuration::from_mins(4);
/// The pause between two looks at whether that is due. A machine that slept finds out so long after it wakes.
const LOOKED: Duration = Duration::from_secs(20);

const PUT: Call = Call { service: "ssm", operation: "PutParameter", actions: &["ssm:PutParameter"] };
const GET: Call = Call { service: "ssm", operation: "GetParameter", actions: &["ssm:GetParameter"] };
const DELETE: Call = Call { service: "ssm", operation: "DeleteParameter", actions: &["ssm:DeleteParameter"] };

/// The calls that locks take.
pub(crate) const CALLS: [&Call; 3] = [&PUT, &GET, &DELETE];

/// The value of the parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    /// The run that changes the account.
    pub(crate) run: String,
    /// The machine that it runs on.
    pub(crate) host: String,
    /// When the lock is not valid any more, RFC 3339.
    pub(crate) expires_at: Timestamp,
}

/// A lock that cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    /// Another run holds it.
    #[error("run {} on {} is changing account {account} in {region}", holder.run, holder.host)]
    Held {
        /// The account.
        account: AccountId,
        /// The region.
        region: Region,
        /// The other run.
        holder: Holder,
    },
    /// The parameter holds something else.
    #[error("the parameter {NAME} of account {account} in {region} is no lock of this version of ssm-audit")]
    Foreign {
        /// The account.
        account: AccountId,
        /// The region.
        region: Region,
    },
    /// Another run took it at the same moment.
    #[error("another run is locking account {account} in {region} at this moment")]
    Contended {
        /// The account.
        account: AccountId,
        /// The region.
        region: Region,
    },
    /// It could not be renewed in time, for example since the machine slept.
    #[error("the lock of account {account} in {region} expired: other runs may change it")]
    Expired {
        /// The account.
        account: AccountId,
        /// The region.
        region: Region,
    },
    /// It cannot be read or written.
    #[error("failed to lock account {account} in {region}: {gap}")]
    Call {
        /// The account.
        account: AccountId,
        /// The region.
        region: Region,
        /// Why.
        gap: Box<Gap>,
    },
}

/// The locks that a run holds.
pub(crate) struct AccountLocks<'a> {
    places: Vec<RegionClients<'a>>,
    run: String,
    host: String,
    /// The run that is undone.
    undone: Option<String>,
    /// The regions that the undone run may have locked, and that its undo does not change.
    left: Vec<RegionClients<'a>>,
    /// The expired locks of other runs that were taken over.
    pub(crate) expired: Vec<Holder>,
    /// The locks of resources without a region that the caller may not take.
    pub(crate) refused: Vec<LockError>,
}

impl<'a> AccountLocks<'a> {
    /// No locks.
    pub(crate) fn none() -> Self {
        Self {
            places: Vec::new(),
            run: String::new(),
            host: String::new(),
            undone: None,
            left: Vec::new(),
            expired: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// Takes the lock of each account and region that the plan changes: all of them, or none.
    ///
    /// # Errors
    /// Where another run holds one, or one cannot be read or written.
    pub(crate) async fn take(
        plan: &Plan,
        accounts: &'a BTreeMap<AccountId, AccountClients>,
        host: String,
    ) -> Result<Self, LockError> {
        let mut locks = Self { run: plan.id.clone(), host, ..Self::none() };
        // The lock of the run that is undone is this run's, too.
        let undone = match &plan.purpose {
            Purpose::Undo(run) => Some(run),
            Purpose::Fix | Purpose::Discard(_) => None,
        };
        let places = places(plan);
        let home = |account| Some((account, Some(home(accounts.get(account)?))));
        let global = plan.steps.iter().filter(|step| step.resource.region.is_none());
        let homes: BTreeSet<_> = global.filter_map(|step| home(&step.resource.account)).collect();
        let homes: BTreeSet<_> = homes.difference(&places).copied().collect();
        let wanted = places.iter().map(|place| (*place, false)).chain(homes.iter().map(|home| (*home, true)));
        for ((account, region), is_home) in wanted {
            let Some(account_clients) = accounts.get(account) else { continue };
            let place = account_clients.place(region);
            match locks.take_one(&place, undone).await {
                Ok(()) => locks.places.push(place),
                // A policy may close a region that the run does not change.
                Err(LockError::Call { account, region, gap }) if is_home && gap.kind == GapKind::Denied => {
                    locks.refused.push(LockError::Call { account, region, gap });
                }
                Err(error) => {
                    locks.release().await;
                    return Err(error);
                }
            }
        }
        // A run that was killed holds the locks of all regions of its plan, also of those that it did not come to.
        if let Some(undone) = undone {
            locks.undone = Some(undone.clone());
            let all = extent(plan).into_iter().chain(plan.scopes.keys().filter_map(home)).collect::<BTreeSet<_>>();
            for place in all.iter().filter(|place| !places.contains(place) && !homes.contains(place)) {
                locks.left.extend(accounts.get(place.0).map(|account_clients| account_clients.place(place.1)));
            }
        }
        Ok(locks)
    }

    async fn take_one(&mut self, place: &RegionClients<'_>, undone: Option<&String>) -> Result<(), LockError> {
        let (account, region) = (place.account_clients.account().clone(), place.region.clone());
        let failed = |failure: Failure| LockError::Call {
            account: account.clone(),
            region: region.clone(),
            gap: Box::new(failure.gap),
        };
        // The holder may let go of it between two calls.
        for _ in 0..3 {
            match self.put(place, false).await {
                Ok(_) => return Ok(()),
                Err(failure) if failure.has_code(&["ParameterAlreadyExists"]) => {}
                Err(failure) => return Err(failed(failure)),
            }
            let Some((value, version)) = value(place).await.map_err(failed)? else { continue };
            let Ok(holder) = serde_json::from_str::<Holder>(&value) else {
                return Err(LockError::Foreign { account, region });
            };
            let ours = holder.run == self.run || undone == Some(&holder.run);
            if !ours && holder.expires_at > Timestamp::now() {
                return Err(LockError::Held { account, region, holder });
            }
            // Of two that take over an expired lock, one writes the version after the one that both saw. The other is
            // refused, and leaves its name: the first finds it when it renews, and begins nothing more.
            if self.put(place, true).await.map_err(failed)? != version + 1 {
                return Err(LockError::Contended { account, region });
            }
            if !ours {
                self.expired.push(holder);
            }
            return Ok(());
        }
        Err(LockError::Foreign { account, region })
    }

    /// Renews the locks for as long as the run lasts. It ends only where one of them is lost.
    pub(crate) async fn keep(&self) -> LockError {
        // One clock stands still while the machine sleeps, and the other may be set back.
        let now = || (Instant::now(), Timestamp::now());
        let mut renewed: Vec<(Instant, Timestamp)> = self.places.iter().map(|_| now()).collect();
        loop {
            tokio::time::sleep(LOOKED).await;
            for (place, renewed) in self.places.iter().zip(&mut renewed) {
                let awake = SignedDuration::try_from(renewed.0.elapsed()).unwrap_or(SignedDuration::MAX);
                let age = renewed.1.duration_until(Timestamp::now()).max(awake);
                // One that cannot be renewed now is tried again until it expires.
                if age >= RENEWED {
                    match self.renew(place).await {
                        Ok(true) => *renewed = now(),
                        Err(lost) => return lost,
                        Ok(false) if age >= VALID => {
                            let (account, region) = (place.account_clients.account().clone(), place.region.clone());
                            return LockError::Expired { account, region };
                        }
                        Ok(false) => {}
                    }
                }
            }
        }
    }

    /// Renews a lock, unless another run holds it. Returns `false` where it could not be read or written.
    async fn renew(&self, place: &RegionClients<'_>) -> Result<bool, LockError> {
        let held = match value(place).await {
            Ok(held) => held.and_then(|(value, _)| serde_json::from_str::<Holder>(&value).ok()),
            Err(_) => return Ok(false),
        };
        match held {
            Some(holder) if holder.run != self.run => {
                let (account, region) = (place.account_clients.account().clone(), place.region.clone());
                Err(LockError::Held { account, region, holder })
            }
            Some(_) => Ok(self.put(place, true).await.is_ok()),
            None => Ok(self.put(place, false).await.is_ok()),
        }
    }

    /// Lets go of the locks, and of those that the undone run has left. One that cannot be deleted expires.
    pub(crate) async fn release(self) {
        let ours = |run: &String| *run == self.run || self.undone.as_ref() == Some(run);
        for place in self.places.iter().chain(&self.left) {
            let held = value(place).await.ok().flatten();
            let holder: Option<Holder> = held.and_then(|(value, _)| serde_json::from_str(&value).ok());
            if holder.is_some_and(|holder| ours(&holder.run)) {
                let request = place.changing().ssm().delete_parameter().name(NAME).send();
                let _ = place.read(&DELETE, request).await;
            }
        }
    }

    /// Writes the lock; the version of the parameter that this is.
    async fn put(&self, place: &RegionClients<'_>, overwrite: bool) -> Result<i64, Failure> {
        let expires_at = Timestamp::now().saturating_add(VALID).unwrap_or(Timestamp::MAX);
        let holder = Holder { run: self.run.clone(), host: self.host.clone(), expires_at };
        let request = place
            .changing()
            .ssm()
            .put_parameter()
            .name(NAME)
            .r#type(ParameterType::String)
            .description("Held while ssm-audit changes this region; it may be deleted when no run is under way")
            .value(serde_json::to_string(&holder).unwrap_or_default())
            .overwrite(overwrite);
        place.read(&PUT, request.send()).await.map(|answer| answer.version)
    }
}

/// Returns the region in which all runs lock what has no region, such as roles: runs in different regions may change it.
fn home(account_clients: &AccountClients) -> &'static Region {
    static REGIONS: LazyLock<[Region; 3]> =
        LazyLock::new(|| ["us-east-1", "cn-north-1", "us-gov-west-1"].map(|name| name.parse().expect("a region")));
    match account_clients.connection().partition() {
        Partition::Aws => &REGIONS[0],
        Partition::China => &REGIONS[1],
        Partition::UsGov => &REGIONS[2],
    }
}

/// The value of the lock and the version of it; none where there is no lock.
async fn value(place: &RegionClients<'_>) -> Result<Option<(String, i64)>, Failure> {
    let request = place.ssm().get_parameter().name(NAME).send();
    let answer = place.read_unless(&["ParameterNotFound"], &GET, request).await?;
    // A parameter without a value is no lock of this program.
    let parameter = answer.map(|answer| answer.parameter);
    Ok(parameter.map(|held| held.map_or_else(Default::default, |held| (held.value.unwrap_or_default(), held.version))))
}

/// The regions of an account that the plan was made for; none of them by name where it names none.
fn regions_of<'p>(plan: &'p Plan, account: &'p AccountId) -> impl Iterator<Item = (&'p AccountId, Option<&'p Region>)> {
    let regions = plan.scopes.get(account).map(|extent| extent.regions.as_slice()).unwrap_or_default();
    let unnamed = regions.is_empty().then_some((account, None));
    regions.iter().map(move |region| (account, Some(region))).chain(unnamed)
}

/// The accounts and regions that the plan was made for.
fn extent(plan: &Plan) -> BTreeSet<(&AccountId, Option<&Region>)> {
    plan.scopes.keys().flat_map(|account| regions_of(plan, account)).collect()
}

/// The accounts and regions that the plan changes, in one order for all runs, so that two of them do not wait for each
/// other. A step on something without a region is locked in every region of the plan.
fn places(plan: &Plan) -> BTreeSet<(&AccountId, Option<&Region>)> {
    let mut places = BTreeSet::new();
    for step in &plan.steps {
        let account = &step.resource.account;
        match &step.resource.region {
            Some(region) => drop(places.insert((account, Some(region)))),
            None => places.extend(regions_of(plan, account)),
        }
    }
    places
}
