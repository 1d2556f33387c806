//! What was asked for: which accounts, how they are reached, and in which regions. It says nothing of which
//! accounts there are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use serde_json::{Value as Json, json};

use super::role::{ExternalId, RoleArn, RolePattern, SessionName};
use crate::aws::nearest::{self, did_you_mean};
use crate::model::{AccountId, Region};

/// The word for the account that the credentials are for.
pub const OWN: &str = "self";

/// Which accounts are looked at, how, and where.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Which accounts.
    pub accounts: Accounts,
    /// Accounts that are left out.
    pub excluded: BTreeSet<AccountId>,
    /// How they are reached.
    pub access: Access,
    /// Which of their regions.
    pub regions: Regions,
}

impl Choice {
    /// The choice as a history keeps it. It has a form of its own, so that what was kept stays comparable when flags, or
    /// the types behind them, change.
    pub fn kept(&self) -> Json {
        let regions = match &self.regions {
            Regions::Configured => json!("configured"),
            Regions::Enabled => json!("enabled"),
            Regions::Named(regions) => json!(regions),
        };
        let Access { role, via, external_id, session_name, log_archive } = &self.access;
        let log_archive = log_archive.as_ref().map(|archive| {
            let external_id = archive.external_id.as_ref().map(ToString::to_string);
            json!({"role": archive.role.to_string(), "external_id": external_id})
        });
        json!({
            "accounts": self.kept_accounts(),
            "regions": regions,
            "role": role.as_ref().map(ToString::to_string),
            "via": via.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "external_id": external_id.as_ref().map(ToString::to_string),
            "session_name": session_name.to_string(),
            "log_archive": log_archive,
        })
    }

    /// The same of the accounts alone.
    pub fn kept_accounts(&self) -> Json {
        let chosen = match &self.accounts {
            Accounts::Own => json!([OWN]),
            Accounts::Listed(listed) => {
                listed.iter().map(|listed| listed.id().map_or(OWN, AccountId::as_str)).collect()
            }
            Accounts::Profiles(profiles) => json!({"profiles": profiles}),
            Accounts::Organization(part) => {
                let units: Vec<&str> = part.units.iter().map(UnitId::as_str).collect();
                json!({"organization": {"units": units, "tags": part.tags}})
            }
        };
        json!({"chosen": chosen, "excluded": self.excluded})
    }
}

/// Which accounts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Accounts {
    /// The one that the credentials are for.
    #[default]
    Own,
    /// These.
    Listed(BTreeSet<Listed>),
    /// Those that these profiles of the AWS configuration files lead to.
    Profiles(BTreeSet<String>),
    /// Those of the organisation that the caller's account is in.
    Organization(Part),
}

/// A part of an organisation; all of it, where nothing narrows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Part {
    /// Organisational units, with all that are below them; none: all.
    pub units: BTreeSet<UnitId>,
    /// Tags that an account must have, all of them.
    pub tags: BTreeMap<String, String>,
}

/// An account as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listed {
    /// The one that the credentials are for.
    Own,
    /// The one with this id.
    Id(AccountId),
}

impl Listed {
    /// Its id, where it is known.
    pub fn id(&self) -> Option<&AccountId> {
        match self {
            Self::Own => None,
            Self::Id(account) => Some(account),
        }
    }
}

impl FromStr for Listed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == OWN {
            return Ok(Self::Own);
        }
        text.parse().map(Self::Id).map_err(|error| format!("{error}, nor `{OWN}`"))
    }
}

/// The id of an organisational unit, or of a root.
/// <https://docs.aws.amazon.com/organizations/latest/APIReference/API_OrganizationalUnit.html>
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnitId(String);

impl UnitId {
    /// As AWS writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UnitId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for UnitId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_id = |part: &str, least: usize| {
            (least..=32).contains(&part.len())
                && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        let parts: Vec<&str> = text.split('-').collect();
        let fits = match parts[..] {
            ["r", root] => is_id(root, 4),
            ["ou", root, unit] => is_id(root, 4) && is_id(unit, 8),
            _ => false,
        };
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("{text:?} is no id of an organisational unit, such as ou-ab12-cd34ef56, nor of a root"))
        }
    }
}

/// How accounts other than the caller's are reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// The role to assume in each.
    pub role: Option<RolePattern>,
    /// Roles to assume before it, each with the credentials of the one before.
    pub via: Vec<RoleArn>,
    /// What its trust policy asks for.
    pub external_id: Option<ExternalId>,
    /// The name of the session.
    pub session_name: SessionName,
    /// The role in the account that keeps the session logs, for buckets that belong to it.
    pub log_archive: Option<LogArchive>,
}

/// A role that leads into the account that owns the buckets of session logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogArchive {
    /// Its ARN.
    pub role: RoleArn,
    /// What its trust policy asks for.
    pub external_id: Option<ExternalId>,
}

/// Which regions of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Regions {
    /// The one that the AWS configuration names.
    #[default]
    Configured,
    /// Those that are enabled for the account.
    Enabled,
    /// These.
    Named(BTreeSet<Region>),
}

/// The word for all regions that are enabled.
pub const ALL: &str = "all";

impl Regions {
    /// The regions of these names, or `all`.
    ///
    /// # Errors
    /// For a name that no region can have.
    pub fn of<N: AsRef<str>>(names: &[N]) -> Result<Self, String> {
        let names = names.iter().map(|name| name.as_ref().trim());
        match names.clone().collect::<Vec<_>>()[..] {
            [] => Ok(Self::Configured),
            [ALL] => Ok(Self::Enabled),
            _ => names
                .map(|name| name.parse().map_err(|error| format!("{error}{}", did_you_mean(nearest::region(name)))))
                .collect::<Result<_, _>>()
                .map(Self::Named),
        }
    }

    /// The first that is named.
    pub fn first(&self) -> Option<&Region> {
        match self {
            Self::Named(regions) => regions.first(),
            Self::Configured | Self::Enabled => None,
        }
    }
}

macro_rules! parsed {
    ($($name:ident),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

parsed!(Listed, UnitId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_accounts_are_told_from_what_looks_like_them() {
        for unit in ["r-ab12", "ou-ab12-cd34ef56"] {
            assert_eq!(unit.parse::<UnitId>().expect("a unit").as_str(), unit);
        }
        for wrong in ["", "ou-ab12", "ou-ab12-short", "r-AB12", "ou-ab12-cd34ef56-x"] {
            assert!(wrong.parse::<UnitId>().is_err(), "{wrong}");
        }
        assert_eq!("self".parse(), Ok(Listed::Own));
        assert!("12345".parse::<Listed>().is_err());
    }

    #[test]
    fn regions_are_named_or_all() {
        assert_eq!(Regions::of(&["all"]), Ok(Regions::Enabled));
        assert_eq!(Regions::of::<&str>(&[]), Ok(Regions::Configured));
        let named = Regions::of(&["us-east-1", " eu-west-1"]).expect("regions");
        assert_eq!(named.first().map(Region::as_str), Some("eu-west-1"));
        assert!(Regions::of(&["all", "us-east-1"]).is_err());
    }
}
