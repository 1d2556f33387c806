//! The role that is assumed in each account: its name, or an ARN with a place for the account.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>

use std::fmt;
use std::str::FromStr;

use crate::model::{AccountId, Partition};

/// What stands for the account.
const ACCOUNT: &str = "${account}";
/// What stands for the partition.
const PARTITION: &str = "${partition}";

/// A role of every account: a name, perhaps with its path, or an ARN with `${account}` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolePattern(String);

/// The ARN of one role, which may leave its partition open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleArn(String);

/// The name of the sessions, which CloudTrail shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionName(String);

/// What the trust policies of the roles may ask for, so that nobody else can have us assume them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalId(String);

/// Text that AWS would not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no {wanted}")]
pub struct InvalidRole {
    found: String,
    wanted: &'static str,
}

impl InvalidRole {
    fn of(found: &str, wanted: &'static str) -> Self {
        Self { found: found.to_owned(), wanted }
    }
}

impl RolePattern {
    /// The ARN of the role in this account.
    pub fn arn(&self, partition: Partition, account: &AccountId) -> String {
        self.arn_in(partition, Some(account))
    }

    /// The ARN of the role in this account; without one, of all accounts, for a policy.
    pub fn arn_in(&self, partition: Partition, account: Option<&AccountId>) -> String {
        let account = account.map_or("*", AccountId::as_str);
        if self.0.starts_with("arn:") {
            return self.0.replace(PARTITION, partition.as_str()).replace(ACCOUNT, account);
        }
        format!("arn:{partition}:iam::{account}:role/{}", self.0)
    }
}

impl FromStr for RolePattern {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        if text.starts_with("arn:") {
            if !is_role_arn(text) {
                return Err(InvalidRole::of(text, "ARN of a role"));
            }
            if !text.contains(ACCOUNT) {
                return Err(InvalidRole::of(
                    text,
                    "role of every account: write `${account}` where its account stands",
                ));
            }
            return Ok(Self(text.to_owned()));
        }
        if text.len() <= 64 + 512 && is_path(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidRole::of(text, "name of a role, nor an ARN with `${account}`"))
        }
    }
}

impl RoleArn {
    /// The ARN in this partition.
    pub fn arn(&self, partition: Partition) -> String {
        self.0.replace(PARTITION, partition.as_str())
    }
}

impl FromStr for RoleArn {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        let whole = is_role_arn(text) && !text.contains(ACCOUNT);
        if whole { Ok(Self(text.to_owned())) } else { Err(InvalidRole::of(text, "ARN of one role")) }
    }
}

impl Default for SessionName {
    fn default() -> Self {
        Self("ssm-audit".to_owned())
    }
}

impl FromStr for SessionName {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        let fits = (2..=64).contains(&text.len()) && text.chars().all(is_word);
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidRole::of(text, "name of a session (2 to 64 letters, digits and _+=,.@-)"))
        }
    }
}

impl FromStr for ExternalId {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        let fits = (2..=1224).contains(&text.len()) && text.chars().all(|c| is_word(c) || matches!(c, ':' | '/'));
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidRole::of(text, "external id (2 to 1224 letters, digits and _+=,.@:/-)"))
        }
    }
}

/// `arn:PARTITION:iam::ACCOUNT:role/NAME`, either of the first two perhaps left open.
fn is_role_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts[..] else { return false };
    let partitions = [PARTITION, "aws", "aws-cn", "aws-us-gov"];
    partitions.contains(&partition)
        && (account == ACCOUNT || account.parse::<AccountId>().is_ok())
        && resource.strip_prefix("role/").is_some_and(is_path)
}

/// The name of a role after its path.
fn is_path(text: &str) -> bool {
    text.split('/').all(|part| !part.is_empty() && part.chars().all(is_word))
        && text.rsplit('/').next().is_some_and(|name| name.len() <= 64)
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_+=,.@-".contains(character)
}

macro_rules! text {
    ($($name:ident),*) => {$(
        impl $name {
            /// As it was written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

text!(RolePattern, RoleArn, SessionName, ExternalId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_or_a_pattern_leads_to_the_role_of_an_account() {
        let account: AccountId = "123456789012".parse().expect("an account");
        for (pattern, partition, arn) in [
            ("SsmAuditScan", Partition::Aws, "arn:aws:iam::123456789012:role/SsmAuditScan"),
            ("audit/Scan", Partition::China, "arn:aws-cn:iam::123456789012:role/audit/Scan"),
            (
                "arn:${partition}:iam::${account}:role/a/b",
                Partition::UsGov,
                "arn:aws-us-gov:iam::123456789012:role/a/b",
            ),
            ("arn:aws:iam::${account}:role/b", Partition::Aws, "arn:aws:iam::123456789012:role/b"),
        ] {
            let pattern: RolePattern = pattern.parse().expect("a pattern");
            assert_eq!(pattern.arn(partition, &account), arn);
        }
    }

    #[test]
    fn what_can_be_no_role_of_every_account_is_refused() {
        for wrong in [
            "",
            "a role",
            "/Scan",
            "arn:aws:iam::${account}:user/x",
            "arn:aws:iam::111111111111:role/Scan",
            "arn:aws:sts::${account}:role/Scan",
            "${account}",
        ] {
            assert!(wrong.parse::<RolePattern>().is_err(), "{wrong}");
        }
        assert!("arn:aws:iam::111111111111:role/Hub".parse::<RoleArn>().is_ok());
        assert!("arn:aws:iam::${account}:role/Hub".parse::<RoleArn>().is_err());
        assert!("a".parse::<SessionName>().is_err() && "nightly@audit".parse::<SessionName>().is_ok());
        assert!("a b".parse::<ExternalId>().is_err() && "org:1/2".parse::<ExternalId>().is_ok());
    }
}
