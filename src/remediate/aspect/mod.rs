//! What the calls change, one aspect at a time, and how it is looked at: what a plan shows as before and after, what
//! must not have changed since, and what says that a call has taken effect.
//!
//! One file a service. A state is JSON, by the API's own names: null where the thing does not exist; lists in an order
//! that does not depend on the answer. A state that a step wants may name fewer members than one that was seen.

mod ec2;

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::place::Place;
use crate::model::ResourceType;
use crate::model::call::Call;
use crate::source::aws::Failure;

/// Something that changes as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
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
        Duration::from_mins(2)
    }
}

impl fmt::Display for Aspect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {}", self.title(), self.id)
    }
}

impl Aspect {
    /// What it is called, with its part.
    fn title(&self) -> String {
        match &self.part {
            None => self.of.title().to_owned(),
            Some(part) => format!("{} {part}", self.of.title()),
        }
    }

    /// What it is called where this resource has just been named.
    pub(crate) fn beside(&self, id: &str) -> String {
        if self.id == id { self.title() } else { self.to_string() }
    }
}

macro_rules! aspects {
    ($($(#[doc = $doc:literal])+ $name:ident = $title:literal, $type:ident, [$($call:expr),+] => $look:path;)*) => {
        /// An aspect of a type of resource.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[schemars(rename = "AspectKind")]
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
