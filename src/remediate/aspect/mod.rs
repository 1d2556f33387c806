//! What the calls change, one aspect at a time, and how it is looked at: what a plan shows as before and after, what
//! must not have changed since, and what says that a call has taken effect.
//!
//! One file a service. A state is JSON, by the API's own names: null where the thing does not exist; lists in an order
//! that does not depend on the answer. A state that a step wants may name fewer members than one that was seen.

mod ec2;
mod security_group;
mod volume;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub(crate) use self::volume::{MADE_BY, made_for};
use super::place::Place;
use crate::model::ResourceType;
use crate::model::call::Call;
use crate::source::aws::Failure;

/// Something that changes as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Aspect {
    /// Which aspect.
    pub(crate) of: Kind,
    /// The id of the resource.
    pub(crate) id: String,
    /// Which part of the resource, where there are several: a policy's name, a device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) part: Option<String>,
}

impl Aspect {
    /// The aspect of this resource.
    pub(crate) fn of(of: Kind, id: impl Into<String>) -> Self {
        Self { of, id: id.into(), part: None }
    }

    /// One part of it.
    pub(crate) fn part(self, part: impl Into<String>) -> Self {
        Self { part: Some(part.into()), ..self }
    }
}

impl Kind {
    /// How long a change is waited for, at most.
    pub(crate) fn patience(self) -> Duration {
        match self {
            // The first snapshot of a volume copies all that is on it.
            Self::RootSnapshot => Duration::from_hours(12),
            Self::RootVolumeMade | Self::InstanceState => Duration::from_mins(30),
            Self::InstanceDevice => Duration::from_mins(10),
            _ => Duration::from_mins(2),
        }
    }
}

impl fmt::Display for Aspect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.part {
            None => write!(formatter, "{} of {}", self.of.title(), self.id),
            Some(part) => write!(formatter, "{} {part} of {}", self.of.title(), self.id),
        }
    }
}

macro_rules! aspects {
    ($($(#[doc = $doc:literal])+ $name:ident = $title:literal, $type:ident, [$($call:expr),+] => $look:path;)*) => {
        /// An aspect of a type of resource.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub(crate) enum Kind {
            $($(#[doc = $doc])+ $name,)*
        }

        impl Kind {
            /// All of them.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name),*];

            /// What it is called.
            pub(crate) fn title(self) -> &'static str {
                match self {
                    $(Self::$name => $title,)*
                }
            }

            /// The type of the resource.
            pub(crate) fn resource_type(self) -> ResourceType {
                match self {
                    $(Self::$name => ResourceType::$type,)*
                }
            }

            /// The calls that look at it.
            pub(crate) fn calls(self) -> &'static [Call] {
                match self {
                    $(Self::$name => const { &[$($call),+] },)*
                }
            }
        }

        impl Aspect {
            /// What it is like now.
            pub(crate) async fn look(&self, place: &Place<'_>) -> Result<Json, Failure> {
                match self.of {
                    $(Kind::$name => Box::pin($look(place, self)).await,)*
                }
            }
        }
    };
}

aspects! {
    /// How its metadata service answers.
    InstanceMetadataOptions = "metadata options", Instance, [crate::model::call::DESCRIBE_INSTANCES] => ec2::metadata_options;
    /// Whether detailed monitoring is on.
    InstanceMonitoring = "detailed monitoring", Instance, [crate::model::call::DESCRIBE_INSTANCES] => ec2::monitoring;
    /// Its tags.
    InstanceTags = "tags", Instance, [crate::model::call::DESCRIBE_INSTANCES] => ec2::tags;
    /// Whether it runs.
    InstanceState = "state", Instance, [crate::model::call::DESCRIBE_INSTANCES] => ec2::state;
    /// The volume that is attached at a device.
    InstanceDevice = "volume at", Instance, [crate::model::call::DESCRIBE_INSTANCES] => ec2::device;
    /// Its root volume, and what stands in the way of putting another in its place.
    InstanceRoot = "root volume", Instance, [
        crate::model::call::DESCRIBE_INSTANCES,
        crate::model::call::DESCRIBE_VOLUMES,
        volume::DESCRIBE_INSTANCE_ATTRIBUTE,
        volume::DESCRIBE_INSTANCE_TYPES
    ] => volume::root;
    /// A snapshot of its root volume that a plan makes: found by its tag.
    RootSnapshot = "snapshot", Instance, [volume::DESCRIBE_SNAPSHOTS] => volume::snapshot;
    /// A root volume that a plan makes: found by its tag.
    RootVolumeMade = "new root volume", Instance, [crate::model::call::DESCRIBE_VOLUMES] => volume::made;
    /// The key that new volumes are encrypted with, unless another is named.
    DefaultVolumeKey = "default key of volumes", KmsKey, [volume::GET_EBS_DEFAULT_KMS_KEY_ID, crate::model::call::DESCRIBE_KEY]
        => volume::default_key;
    /// A key that volumes are to be encrypted with.
    VolumeKey = "key of volumes", KmsKey, [crate::model::call::DESCRIBE_KEY] => volume::key;
    /// What it lets out.
    SecurityGroupEgress = "egress", SecurityGroup, [crate::model::call::DESCRIBE_SECURITY_GROUPS]
        => security_group::egress;
    /// What it lets in.
    SecurityGroupIngress = "ingress", SecurityGroup, [crate::model::call::DESCRIBE_SECURITY_GROUPS]
        => security_group::ingress;
    /// Who else relies on it.
    SecurityGroupUsers = "users", SecurityGroup, [
        crate::model::call::DESCRIBE_SECURITY_GROUPS,
        crate::model::call::DESCRIBE_NETWORK_INTERFACES
    ] => security_group::users;
}

/// Whether a change is under way that nothing more can be done about: what comes of it must be waited for.
pub(crate) fn under_way(state: &Json) -> bool {
    let state = state["State"].as_str();
    state.is_some_and(|state| matches!(state, "attaching" | "busy" | "creating" | "detaching" | "pending" | "stopping"))
}

/// Why a change came to nothing, where that is certain, so that there is nothing to wait for.
pub(crate) fn failed(state: &Json) -> Option<&str> {
    state["Failed"].as_str()
}

/// Whether what is seen is what is wanted: objects may have more members than are wanted, everything else is the same.
pub(crate) fn satisfies(seen: &Json, wanted: &Json) -> bool {
    match (seen, wanted) {
        (Json::Object(seen), Json::Object(wanted)) => {
            wanted.iter().all(|(name, wanted)| satisfies(seen.get(name).unwrap_or(&Json::Null), wanted))
        }
        (Json::Array(seen), Json::Array(wanted)) => {
            seen.len() == wanted.len() && seen.iter().zip(wanted).all(|(seen, wanted)| satisfies(seen, wanted))
        }
        (seen, wanted) => seen == wanted,
    }
}
