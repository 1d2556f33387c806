//! Identifiers: account, region, partition, and the key of a resource.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A 12-digit AWS account id. Typed, so that YAML never reads it as a number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(Arc<str>);

/// An AWS region name, e.g. `eu-west-1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(Arc<str>);

impl Ord for Region {
    /// By name. Most keys of an account share the names of its few regions, which need not be read to be the same.
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

impl PartialOrd for Region {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// An identifier that is not of the form that AWS gives it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not {expected}")]
pub struct InvalidId {
    found: String,
    expected: &'static str,
}

impl AccountId {
    /// The twelve digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId { found: text.to_owned(), expected: "an AWS account id (12 digits)" })
        }
    }
}

impl Region {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition that the region is in, by its prefix.
    /// <https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html>
    pub fn partition(&self) -> Partition {
        if self.0.starts_with("cn-") {
            Partition::China
        } else if self.0.starts_with("us-gov-") {
            Partition::UsGov
        } else {
            Partition::Aws
        }
    }
}

impl FromStr for Region {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let mut parts = text.split('-');
        let plausible = text.len() <= 32
            && parts.clone().count() >= 3
            && parts.clone().next_back().is_some_and(|last| last.parse::<u8>().is_ok())
            && parts.all(|part| {
                !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            });
        if plausible {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId { found: text.to_owned(), expected: "an AWS region name such as eu-west-1" })
        }
    }
}

macro_rules! text_id {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string"})
            }
        }
    )*};
}

text_id!(AccountId, Region);

/// An AWS partition: a set of regions with names, endpoints and principals of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Partition {
    /// The commercial regions.
    #[serde(rename = "aws")]
    Aws,
    /// The regions in China.
    #[serde(rename = "aws-cn")]
    China,
    /// AWS GovCloud (US).
    #[serde(rename = "aws-us-gov")]
    UsGov,
}

impl Partition {
    /// The partition's name, the second part of its ARNs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::China => "aws-cn",
            Self::UsGov => "aws-us-gov",
        }
    }

    /// The domain of the partition's endpoints, and of the service principals that carry it.
    pub fn dns_suffix(self) -> &'static str {
        match self {
            Self::China => "amazonaws.com.cn",
            Self::Aws | Self::UsGov => "amazonaws.com",
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// The key of a resource within one account: its region, where it has one, and the id that a user
/// types (instance id, role name, key id, log group name, bucket name).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key {
    /// The region; none for what has no region (IAM).
    pub region: Option<Region>,
    /// The id.
    pub id: Arc<str>,
}

/// The word that stands for the region of a resource that has none, as in the AWS SDKs.
const GLOBAL: &str = "aws-global";

impl Key {
    /// The key of a resource in a region.
    pub fn regional(region: &Region, id: impl Into<Arc<str>>) -> Self {
        Self { region: Some(region.clone()), id: id.into() }
    }

    /// The key of a resource that has no region.
    pub fn global(id: impl Into<Arc<str>>) -> Self {
        Self { region: None, id: id.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.region.as_ref().map_or(GLOBAL, Region::as_str), self.id)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for Key {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        let Some((region, id)) = text.split_once('/') else {
            return Err(InvalidId { found: text, expected: "a resource key of the form REGION/ID" });
        };
        let region = if region == GLOBAL { None } else { Some(region.parse()?) };
        Ok(Self { region, id: id.into() })
    }
}

/// A reference to another resource by its key. It is followed lazily, when a rule reads it.
pub struct Link<T> {
    /// The key in the table of `T`.
    pub key: Key,
    target: PhantomData<fn() -> T>,
}

impl<T> Link<T> {
    /// A link to the resource with this key.
    pub fn to(key: Key) -> Self {
        Self { key, target: PhantomData }
    }
}

// By hand, since derived ones would ask the same of `T`.
impl<T> fmt::Debug for Link<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Link({})", self.key)
    }
}

impl<T> Clone for Link<T> {
    fn clone(&self) -> Self {
        Self::to(self.key.clone())
    }
}

impl<T> PartialEq for Link<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<T> Eq for Link<T> {}

impl<T> PartialOrd for Link<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Link<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

impl<T> Serialize for Link<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.key.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Link<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Key::deserialize(deserializer).map(Self::to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_slashes_in_the_id() {
        for text in ["us-east-1//ssm/sessions", "aws-global/role", "us-gov-west-1/i-0abc"] {
            let key = Key::try_from(text.to_owned()).expect("a key");
            assert_eq!(key.to_string(), text);
        }
        assert!(Key::try_from("nothing".to_owned()).is_err());
    }

    #[test]
    fn regions_tell_their_partition() {
        let partition = |name: &str| name.parse::<Region>().expect("a region").partition();
        assert_eq!(partition("eu-west-1"), Partition::Aws);
        assert_eq!(partition("cn-north-1").dns_suffix(), "amazonaws.com.cn");
        assert_eq!(partition("us-gov-east-1").as_str(), "aws-us-gov");
    }

    #[test]
    fn ids_of_the_wrong_form_are_refused() {
        assert!("12345678901".parse::<AccountId>().is_err());
        assert!("12345678901x".parse::<AccountId>().is_err());
        for bad in ["", "us", "us-east", "US-EAST-1", "us east 1", "us-east-x"] {
            assert!(bad.parse::<Region>().is_err(), "{bad}");
        }
    }
}
