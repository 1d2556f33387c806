//! The accounts that a choice comes to, and the way into each.

use std::fmt;
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::choice::{Access, Accounts, Choice, Listed, Regions};
use super::organization::{self, Member};
use crate::aws::{Assumption, Connection, ConnectionError, ConnectionSettings};
use crate::model::{AccountId, Gap, Partition, Region};

/// Accounts to look at.
#[derive(Debug)]
pub struct Fleet {
    /// Those that can be looked at, by id.
    pub targets: Vec<Target>,
    /// Those that belong to the choice and cannot be used: suspended, pending, closing.
    pub left_out: Vec<LeftOut>,
    /// The account of the credentials; none where profiles were chosen.
    caller: Option<Arc<Connection>>,
    /// Where the last role before those of the accounts has led to.
    hub: OnceCell<Result<Arc<Connection>, Gap>>,
    access: Access,
    regions: Regions,
    partition: Partition,
}

/// An account to look at.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its id; none where a profile leads to none.
    pub account: Option<AccountId>,
    /// What the organisation calls it, or the profile that leads to it.
    pub name: Option<String>,
    way: Way,
}

/// How an account is reached.
#[derive(Debug, Clone)]
enum Way {
    /// With these credentials.
    Open(Arc<Connection>),
    /// With the role; the caller's own account without it, where it has no such role.
    Role,
    /// Not at all.
    Closed(Gap),
}

/// An account that is not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its id.
    pub account: AccountId,
    /// Its name.
    pub name: Option<String>,
    /// Its state in the organisation, e.g. `SUSPENDED`.
    pub state: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.account)?;
        if let Some(name) = &self.name {
            write!(formatter, " ({name})")?;
        }
        write!(formatter, ": {}", self.state.to_lowercase().replace('_', " "))
    }
}

/// Why there is nothing to look at.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// AWS does not tell which accounts there are, or who is calling.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// Accounts were chosen that only a role leads into.
    #[error("no role is named for {0}: name one with --role, or `fleet.role` in ssm-audit.yaml")]
    NoRole(AccountId),
    /// The choice comes to nothing.
    #[error("no account is selected: {0}")]
    Empty(&'static str),
    /// Two profiles lead to one account.
    #[error("the profiles {first} and {second} both lead to {account}: choose one of them")]
    Twice {
        /// The account.
        account: AccountId,
        /// One profile.
        first: String,
        /// The other.
        second: String,
    },
}

impl Fleet {
    /// Finds out which accounts the choice comes to.
    ///
    /// # Errors
    /// Where that cannot be known, and where it is none. An account that cannot be reached is not an error.
    pub async fn open(choice: &Choice, settings: &ConnectionSettings) -> Result<Self, FleetError> {
        let mut fleet = Self {
            targets: Vec::new(),
            left_out: Vec::new(),
            caller: None,
            hub: OnceCell::new(),
            access: choice.access.clone(),
            regions: choice.regions.clone(),
            partition: Partition::Aws,
        };
        if let Accounts::Profiles(profiles) = &choice.accounts {
            for profile in profiles {
                let settings = ConnectionSettings { profile: Some(profile.clone()), ..settings.clone() };
                fleet.add_profile(profile, Connection::open(&settings).await)?;
            }
        } else {
            let caller = Arc::new(Connection::open(settings).await?);
            fleet.partition = caller.partition();
            let members = match &choice.accounts {
                Accounts::Own | Accounts::Profiles(_) => {
                    fleet.targets.push(Target::open(&caller));
                    Vec::new()
                }
                Accounts::Listed(listed) => listed.iter().map(|listed| Member::listed(listed, &caller)).collect(),
                Accounts::Organization(part) => organization::members(&caller, part).await?,
            };
            for member in members {
                fleet.add(member);
            }
            fleet.caller = Some(caller);
        }
        fleet.targets.sort_by(|left, right| (&left.account, &left.name).cmp(&(&right.account, &right.name)));
        // The caller's own may be listed by its id too.
        fleet.targets.dedup_by(|one, other| one.account.is_some() && one.account == other.account);
        let before = fleet.targets.len();
        let excluded = |account: Option<&AccountId>| account.is_some_and(|account| choice.excluded.contains(account));
        fleet.targets.retain(|target| !excluded(target.account.as_ref()));
        fleet.left_out.retain(|left_out| !excluded(Some(&left_out.account)));
        fleet.check(before)?;
        Ok(fleet)
    }

    fn add(&mut self, member: Member) {
        let Member { account, name, closed, doubt } = member;
        if let Some(state) = closed {
            self.left_out.push(LeftOut { account, name, state });
        } else {
            let way = doubt.map_or(Way::Role, Way::Closed);
            self.targets.push(Target { account: Some(account), name, way });
        }
    }

    fn add_profile(&mut self, profile: &str, opened: Result<Connection, ConnectionError>) -> Result<(), FleetError> {
        let (account, way) = match opened {
            Ok(connection) => {
                self.partition = connection.partition();
                (Some(connection.account().clone()), Way::Open(Arc::new(connection)))
            }
            Err(error) => {
                let gap = error.gap();
                let reason = gap.message.as_deref().map_or_else(String::new, |message| format!(": {message}"));
                (None, Way::Closed(gap.with_message(format!("the profile {profile}{reason}"))))
            }
        };
        let same = |target: &&Target| account.is_some() && target.account == account;
        if let (Some(other), Some(account)) = (self.targets.iter().find(same), &account) {
            let first = other.name.clone().unwrap_or_default();
            return Err(FleetError::Twice { account: account.clone(), first, second: profile.to_owned() });
        }
        self.targets.push(Target { account, name: Some(profile.to_owned()), way });
        Ok(())
    }

    fn check(&self, before: usize) -> Result<(), FleetError> {
        if self.targets.is_empty() {
            let why = if before > 0 {
                "all that there are, are left out by --exclude-account or `exclude`"
            } else {
                "no active account of the organisation is in these units and has these tags"
            };
            return Err(FleetError::Empty(why));
        }
        let own = self.caller.as_ref().map(|caller| caller.account());
        let other = |target: &&Target| matches!(target.way, Way::Role) && target.account.as_ref() != own;
        match self.targets.iter().find(other).and_then(|target| target.account.clone()) {
            Some(account) if self.access.role.is_none() => Err(FleetError::NoRole(account)),
            _ => Ok(()),
        }
    }

    /// Whose credentials lead to the accounts, and the region that is looked at because none was named.
    pub fn origin(&self) -> Option<(&AccountId, Option<&Region>)> {
        let configured = matches!(self.regions, Regions::Configured);
        self.caller.as_ref().map(|caller| (caller.account(), Some(caller.region()).filter(|_| configured)))
    }

    /// The partition that the accounts are in.
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// The regions that are looked at in every account, where they were named.
    pub fn named_regions(&self) -> Vec<Region> {
        match (&self.regions, &self.caller) {
            (Regions::Named(regions), _) => regions.iter().cloned().collect(),
            (Regions::Configured, Some(caller)) => vec![caller.region().clone()],
            (Regions::Configured | Regions::Enabled, _) => Vec::new(),
        }
    }

    /// A connection to one of the accounts, and the regions to look at in it. `policy` narrows what the session of
    /// an assumed role may do.
    ///
    /// # Errors
    /// Where the account cannot be reached, or does not tell which regions it has.
    pub async fn connect(&self, target: &Target, policy: Option<&str>) -> Result<(Arc<Connection>, Vec<Region>), Gap> {
        let connection = self.connection(target, policy).await?;
        let regions = match &self.regions {
            Regions::Configured => vec![connection.region().clone()],
            Regions::Named(regions) => regions.iter().cloned().collect(),
            Regions::Enabled => connection.enabled_regions().await.map_err(|error| error.gap())?,
        };
        Ok((connection, regions))
    }

    /// A connection to one of the accounts, whatever regions it has.
    pub(super) async fn connection(&self, target: &Target, policy: Option<&str>) -> Result<Arc<Connection>, Gap> {
        match (&target.way, &target.account) {
            (Way::Open(connection), _) => Ok(Arc::clone(connection)),
            (Way::Closed(gap), _) => Err(gap.clone()),
            (Way::Role, Some(account)) => self.enter(account, policy).await,
            (Way::Role, None) => Err(nobody()),
        }
    }

    /// How the accounts are reached.
    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// Assumes the role in an account. The caller's own account needs none.
    async fn enter(&self, account: &AccountId, policy: Option<&str>) -> Result<Arc<Connection>, Gap> {
        let own = self.caller.as_ref().filter(|caller| caller.account() == account);
        let entered = match &self.access.role {
            Some(role) => self.assume(role.arn(self.partition, account), policy).await,
            None => Err(nobody()),
        };
        match (entered, own) {
            (Ok(connection), _) => Ok(Arc::new(connection)),
            (Err(_), Some(own)) => Ok(Arc::clone(own)),
            (Err(gap), None) => Err(gap),
        }
    }

    async fn assume(&self, role: String, policy: Option<&str>) -> Result<Connection, Gap> {
        let assumption = Assumption {
            role,
            external_id: self.access.external_id.as_ref().map(ToString::to_string),
            session_name: self.access.session_name.to_string(),
            policy: policy.map(str::to_owned),
        };
        self.hub().await?.assume(assumption).await
    }

    /// The connection that assumes the roles of the accounts.
    pub(super) async fn hub(&self) -> Result<Arc<Connection>, Gap> {
        let hub = self.hub.get_or_init(|| async {
            let mut hub = Arc::clone(self.caller.as_ref().ok_or_else(nobody)?);
            for role in &self.access.via {
                let assumption = Assumption {
                    role: role.arn(self.partition),
                    external_id: None,
                    session_name: self.access.session_name.to_string(),
                    policy: None,
                };
                hub = Arc::new(hub.assume(assumption).await?);
            }
            Ok(hub)
        });
        hub.await.clone()
    }
}

/// A profile has credentials of its own, and assumes no other role.
fn nobody() -> Gap {
    Gap::because(crate::model::GapKind::Failed, "no role leads into the account")
}

impl Target {
    /// What decides which part of a fleet it is in: the same on every machine, also where its profile leads nowhere.
    pub fn key(&self) -> String {
        match (&self.way, &self.account, &self.name) {
            (Way::Open(_), _, Some(name)) | (_, None, Some(name)) => name.clone(),
            (_, Some(account), _) => account.to_string(),
            (_, None, None) => String::new(),
        }
    }

    /// What stands for the account in the history: its id, or what leads to none.
    pub fn subject(&self) -> String {
        match (&self.account, &self.name) {
            (Some(account), _) => account.to_string(),
            (None, name) => format!("profile {}", name.as_deref().unwrap_or_default()),
        }
    }

    fn open(connection: &Arc<Connection>) -> Self {
        Self { account: Some(connection.account().clone()), name: None, way: Way::Open(Arc::clone(connection)) }
    }
}

impl Member {
    fn listed(listed: &Listed, caller: &Connection) -> Self {
        let account = match listed {
            Listed::Own => caller.account().clone(),
            Listed::Id(account) => account.clone(),
        };
        Self { account, name: None, closed: None, doubt: None }
    }
}
