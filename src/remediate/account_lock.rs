//! The lock of an account in each region that a run changes, kept in the account itself, so that runs from two machines
//! or two state folders see each other. It is a parameter of Systems Manager: AWS creates it for one caller only.
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html>
//!
//! A lock ends with its run. That of a run that was killed expires; `resume` and `undo` of the same run take it over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_ssm::types::ParameterType;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::place::{Place, Reach};
use super::plan::{Plan, Purpose};
use crate::model::call::Call;
use crate::model::{AccountId, Gap, Region};
use crate::source::aws::Failure;

/// The name of the parameter. AWS reserves names that begin with `ssm`.
pub(crate) const NAME: &str = "/session-manager-audit/lock";

/// How long a lock is valid unless it is renewed.
const VALID: SignedDuration = SignedDuration::from_mins(15);
/// How often it is renewed.
const RENEWED: Duration = Duration::from_mins(4);

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
    places: Vec<Place<'a>>,
    run: String,
    host: String,
    /// The expired locks of other runs that were taken over.
    pub(crate) expired: Vec<Holder>,
}

impl<'a> AccountLocks<'a> {
    /// No locks.
    pub(crate) fn none() -> Self {
        Self { places: Vec::new(), run: String::new(), host: String::new(), expired: Vec::new() }
    }

    /// Takes the lock of each account and region that the plan changes: all of them, or none.
    ///
    /// # Errors
    /// Where another run holds one, or one cannot be read or written.
    pub(crate) async fn take(
        plan: &Plan,
        reaches: &'a BTreeMap<AccountId, Reach>,
        host: String,
    ) -> Result<Self, LockError> {
        let mut locks = Self { run: plan.id.clone(), host, ..Self::none() };
        // The lock of the run that is undone is this run's, too.
        let undone = match &plan.purpose {
            Purpose::Undo(run) => Some(run),
            Purpose::Fix | Purpose::Discard(_) => None,
        };
        for (account, region) in places(plan) {
            let Some(reach) = reaches.get(account) else { continue };
            let place = reach.place(region);
            match locks.take_one(&place, undone).await {
                Ok(()) => locks.places.push(place),
                Err(error) => {
                    locks.release().await;
                    return Err(error);
                }
            }
        }
        Ok(locks)
    }

    async fn take_one(&mut self, place: &Place<'_>, undone: Option<&String>) -> Result<(), LockError> {
        let (account, region) = (place.reach.account().clone(), place.region.clone());
        let failed = |failure: Failure| LockError::Call {
            account: account.clone(),
            region: region.clone(),
            gap: Box::new(failure.gap),
        };
        // The holder may let go of it between two calls.
        for _ in 0..3 {
            match self.put(place, false).await {
                Ok(()) => return Ok(()),
                Err(failure) if failure.has_code(&["ParameterAlreadyExists"]) => {}
                Err(failure) => return Err(failed(failure)),
            }
            let Some(value) = value(place).await.map_err(failed)? else { continue };
            let Ok(holder) = serde_json::from_str::<Holder>(&value) else {
                return Err(LockError::Foreign { account, region });
            };
            let ours = holder.run == self.run || undone == Some(&holder.run);
            if !ours && holder.expires_at > Timestamp::now() {
                return Err(LockError::Held { account, region, holder });
            }
            self.put(place, true).await.map_err(failed)?;
            if !ours {
                self.expired.push(holder);
            }
            return Ok(());
        }
        Err(LockError::Foreign { account, region })
    }

    /// Renews the locks for as long as the run lasts. It never ends.
    pub(crate) async fn renew(&self) {
        loop {
            tokio::time::sleep(RENEWED).await;
            for place in &self.places {
                // One that cannot be renewed now is tried again before it expires.
                let _ = self.put(place, true).await;
            }
        }
    }

    /// Lets go of the locks. One that cannot be deleted expires.
    pub(crate) async fn release(self) {
        for place in &self.places {
            let held = value(place).await.ok().flatten();
            let holder: Option<Holder> = held.and_then(|value| serde_json::from_str(&value).ok());
            if holder.is_some_and(|holder| holder.run == self.run) {
                let request = place.changing().ssm().delete_parameter().name(NAME).send();
                let _ = place.read(&DELETE, request).await;
            }
        }
    }

    async fn put(&self, place: &Place<'_>, overwrite: bool) -> Result<(), Failure> {
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
        place.read(&PUT, request.send()).await.map(drop)
    }
}

/// The value of the lock; none where there is no lock.
async fn value(place: &Place<'_>) -> Result<Option<String>, Failure> {
    let request = place.ssm().get_parameter().name(NAME).send();
    let answer = place.read_unless(&["ParameterNotFound"], &GET, request).await?;
    Ok(answer.map(|answer| answer.parameter.and_then(|parameter| parameter.value).unwrap_or_default()))
}

/// The accounts and regions that the plan changes, in one order for all runs, so that two of them do not wait for each
/// other. A step on something without a region is locked in every region of the plan.
fn places(plan: &Plan) -> BTreeSet<(&AccountId, Option<&Region>)> {
    let mut places = BTreeSet::new();
    for step in &plan.steps {
        let account = &step.resource.account;
        if let Some(region) = &step.resource.region {
            places.insert((account, Some(region)));
        } else {
            let regions = plan.scopes.get(account).map(|extent| extent.regions.as_slice()).unwrap_or_default();
            places.extend(regions.iter().map(|region| (account, Some(region))));
            if regions.is_empty() {
                places.insert((account, None));
            }
        }
    }
    places
}
