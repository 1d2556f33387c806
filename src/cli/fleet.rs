//! Which accounts and regions a command is about: the flags for it, on top of `fleet:` in the configuration.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;

use super::{Error, Globals};
use crate::fleet::choice::{Listed, Part, UnitId};
use crate::fleet::role::{ExternalId, RolePattern, SessionName};
use crate::fleet::{Accounts, Choice, Regions};
use crate::model::{AccountId, Region};

/// Flags that choose accounts and regions.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Accounts")]
pub(super) struct FleetArgs {
    /// Accounts, separated by commas; `self` is the caller's [default: `fleet` in the configuration, or self]
    #[arg(long, value_name = "IDS", env = "SSM_AUDIT_ACCOUNTS", value_delimiter = ',')]
    accounts: Vec<Listed>,
    /// All accounts of the organization
    #[arg(long, conflicts_with = "accounts", env = "SSM_AUDIT_ORGANIZATION")]
    organization: bool,
    /// Only accounts in these organizational units and below
    #[arg(long = "ou", value_name = "IDS", conflicts_with = "accounts", env = "SSM_AUDIT_OU", value_delimiter = ',')]
    units: Vec<UnitId>,
    /// Only accounts with this tag; can be repeated
    #[arg(
        long = "account-tag",
        value_name = "KEY=VALUE",
        conflicts_with = "accounts",
        value_parser = parse_tag,
        env = "SSM_AUDIT_ACCOUNT_TAG"
    )]
    tags: Vec<(String, String)>,
    /// Leave out these accounts, separated by commas
    #[arg(long = "exclude-account", value_name = "IDS", env = "SSM_AUDIT_EXCLUDE_ACCOUNT", value_delimiter = ',')]
    excluded_accounts: Vec<AccountId>,
    /// Accounts of these AWS profiles, separated by commas
    #[arg(
        long,
        value_name = "NAMES",
        conflicts_with_all = ["accounts", "organization", "units", "tags", "role"],
        env = "SSM_AUDIT_PROFILES",
        value_delimiter = ','
    )]
    profiles: Vec<String>,
    /// Role to assume in each account: name, or ARN with ${account}
    #[arg(long, value_name = "ROLE", env = "SSM_AUDIT_ROLE")]
    role: Option<RolePattern>,
    /// External id of the role
    #[arg(long, value_name = "ID", env = "SSM_AUDIT_EXTERNAL_ID")]
    external_id: Option<ExternalId>,
    /// Session name in CloudTrail [default: ssm-audit]
    #[arg(long, value_name = "NAME", env = "SSM_AUDIT_SESSION_NAME")]
    session_name: Option<SessionName>,
    /// Regions, separated by commas, or `all` enabled ones
    #[arg(long, value_name = "REGIONS", env = "SSM_AUDIT_REGIONS", value_delimiter = ',')]
    regions: Vec<String>,
}

fn parse_tag(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(key, _)| !key.is_empty());
    parts.map(|(key, value)| (key.to_owned(), value.to_owned())).ok_or_else(|| "expected KEY=VALUE".to_owned())
}

impl FleetArgs {
    /// What the flags and the configuration say. `region` is the only one, if it is named.
    pub(super) fn choice(&self, region: Option<&Region>, globals: &Globals) -> Result<Choice, Error> {
        let mut choice = globals.config()?.fleet.clone().unwrap_or_default();
        if let Some(accounts) = self.chosen() {
            // What the configuration leaves out, it leaves out of the organisation.
            if !matches!(accounts, Accounts::Organization(_)) {
                choice.excluded.clear();
            }
            choice.accounts = accounts;
        }
        choice.excluded.extend(self.excluded_accounts.iter().cloned());
        let access = &mut choice.access;
        access.role = self.role.clone().or(access.role.take());
        access.external_id = self.external_id.clone().or(access.external_id.take());
        if let Some(name) = &self.session_name {
            access.session_name = name.clone();
        }
        if let Some(region) = region {
            choice.regions = Regions::Named(BTreeSet::from([region.clone()]));
        } else if !self.regions.is_empty() {
            choice.regions = Regions::of(&self.regions).map_err(|message| Error::Usage {
                message: format!("--regions: {message}"),
                help: "name regions such as eu-west-1,us-east-1, or `all`".to_owned(),
            })?;
        }
        Ok(choice)
    }

    /// With these regions, where flags name none.
    pub(super) fn or_regions<'r>(&self, regions: impl IntoIterator<Item = &'r Region>) -> Self {
        if !self.regions.is_empty() {
            return self.clone();
        }
        Self { regions: regions.into_iter().map(ToString::to_string).collect(), ..self.clone() }
    }

    /// The accounts that flags choose.
    fn chosen(&self) -> Option<Accounts> {
        if !self.profiles.is_empty() {
            Some(Accounts::Profiles(self.profiles.iter().cloned().collect()))
        } else if !self.accounts.is_empty() {
            Some(Accounts::Listed(self.accounts.iter().cloned().collect()))
        } else if self.organization || !self.units.is_empty() || !self.tags.is_empty() {
            let tags: BTreeMap<String, String> = self.tags.iter().cloned().collect();
            Some(Accounts::Organization(Part { units: self.units.iter().cloned().collect(), tags }))
        } else {
            None
        }
    }
}
