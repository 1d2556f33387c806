//! What the calls change, one aspect at a time, and how it is looked at: what a plan shows as before and after, what
//! must not have changed since, and what says that a call has taken effect.
//!
//! Each aspect is read in `observed.rs` of its resource type. A state is JSON, by the API's own names: null where the thing does not exist; lists in an order
//! that does not depend on the answer. A state that a step wants may name fewer members than one that was seen.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::account_clients::RegionClients;
use crate::aws::Failure;
use crate::model::ResourceType;
use crate::model::call::{self, Call};
use crate::resource::bucket;
use crate::resource::instance;
use crate::resource::instance_profile;
use crate::resource::key;
pub(crate) use crate::resource::key::observed::MADE_BY as KEY_MADE_BY;
use crate::resource::log_group;
use crate::resource::role;
use crate::resource::security_group;
use crate::resource::session_preferences;
use crate::resource::volume;
pub(crate) use crate::resource::volume::observed::made_for;

/// What is known of a call that makes something which has no name to find it by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CreateHint {
    /// It was not sent: there is nothing to find.
    NotSent,
    /// It was answered so.
    Answered(Json),
    /// It may have been sent.
    None,
}

/// Something that changes as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ObservedAspect {
    /// Which aspect.
    pub(crate) of: AspectKind,
    /// The id of the resource.
    pub(crate) id: String,
    /// Which part of the resource, where there are several: a policy's name, a device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) part: Option<String>,
}

impl ObservedAspect {
    /// The aspect of this resource.
    pub(crate) fn of(of: AspectKind, id: impl Into<String>) -> Self {
        Self { of, id: id.into(), part: None }
    }

    /// One part of it.
    pub(crate) fn part(self, part: impl Into<String>) -> Self {
        Self { part: Some(part.into()), ..self }
    }
}

impl AspectKind {
    /// The type of resource that it is of.
    pub(crate) fn resource_type(self) -> ResourceType {
        match self {
            Self::KeyMade
            | Self::KeyAlias
            | Self::KeyState
            | Self::KeyRotation
            | Self::KeyPrimary
            | Self::KeyPolicy => ResourceType::KmsKey,
            Self::LogGroup | Self::LogGroupRetention | Self::LogGroupKey => ResourceType::LogGroup,
            Self::Bucket
            | Self::BucketEncryption
            | Self::BucketVersioning
            | Self::BucketObjectLock
            | Self::BucketTags
            | Self::BucketLogging => ResourceType::Bucket,
            Self::Role | Self::RoleTrust | Self::RoleAttachment | Self::RolePolicy => ResourceType::Role,
            Self::Profile | Self::ProfileRole => ResourceType::InstanceProfile,
            Self::PreferencesLatest | Self::PreferencesDefault => ResourceType::SessionPreferences,
            Self::SecurityGroupEgress | Self::SecurityGroupIngress | Self::SecurityGroupUsers => {
                ResourceType::SecurityGroup
            }
            Self::InstanceProfile
            | Self::InstanceMetadataOptions
            | Self::InstanceMonitoring
            | Self::InstanceTags
            | Self::InstanceState
            | Self::InstanceDevice
            | Self::InstanceRoot
            | Self::RootSnapshot
            | Self::RootVolumeMade
            | Self::Volume
            | Self::DefaultVolumeKey
            | Self::VolumeKey => ResourceType::Instance,
        }
    }

    /// The member of its state by which later calls name what is made.
    pub(super) fn id_member(self) -> Option<&'static str> {
        match self {
            Self::KeyMade => Some("KeyId"),
            Self::RootSnapshot => Some("SnapshotId"),
            Self::RootVolumeMade => Some("VolumeId"),
            Self::InstanceProfile => Some("AssociationId"),
            Self::PreferencesLatest => Some("Version"),
            _ => None,
        }
    }

    /// Whether it may be in a region that is not read: buckets and the primaries of keys are where they are.
    pub(super) fn may_be_elsewhere(self) -> bool {
        self.resource_type() == ResourceType::Bucket || self == Self::KeyRotation
    }

    /// Whether it decides if the resource is there and can be used; the rest can be made right apart from that.
    pub(super) fn is_for_use(self) -> bool {
        !matches!(
            self,
            Self::KeyRotation
                | Self::LogGroupRetention
                | Self::BucketVersioning
                | Self::BucketObjectLock
                | Self::BucketTags
                | Self::BucketLogging
                | Self::RoleTrust
        )
    }

    /// How long a change that is under way is waited for, at most.
    pub(super) fn patience(self) -> Duration {
        match self {
            // The first snapshot of a volume copies all that is on it.
            Self::RootSnapshot => Duration::from_hours(12),
            Self::RootVolumeMade | Self::InstanceState => Duration::from_mins(30),
            Self::InstanceDevice => Duration::from_mins(10),
            _ => Duration::from_mins(2),
        }
    }
}

impl ObservedAspect {
    /// What there is already of what a call was refused for, since it would be the same again.
    pub(super) async fn look_for_equal(
        &self,
        place: &RegionClients<'_>,
        wanted: &Json,
    ) -> Result<Option<Json>, Failure> {
        match self.of {
            AspectKind::PreferencesLatest => {
                Box::pin(session_preferences::observed::equal_version(place, self, wanted)).await
            }
            _ => Ok(None),
        }
    }
}

impl fmt::Display for ObservedAspect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {}", self.title(), self.id)
    }
}

impl ObservedAspect {
    /// What it is called, with its part.
    fn title(&self) -> String {
        match &self.part {
            None => self.of.title().to_owned(),
            Some(part) => format!("{} {part}", self.of.title()),
        }
    }

    /// What it is called where this resource has just been named.
    pub(crate) fn beside(&self, id: &str) -> String {
        // The token of what is made ends with its name.
        let named = self.part.as_ref().is_some_and(|part| part.ends_with(id));
        match (named, self.id == id) {
            (true, true) => self.of.title().to_owned(),
            (true, false) => format!("{} of {}", self.of.title(), self.id),
            (false, true) => self.title(),
            (false, false) => self.to_string(),
        }
    }
}

macro_rules! aspects {
    ($($(#[doc = $doc:literal])+ $name:ident = $title:literal, [$($call:expr),+] => $look:path;)*) => {
        /// An aspect of a type of resource.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[schemars(rename = "AspectKind")]
        pub(crate) enum AspectKind {
            /// A key that this plan makes: found by its tags.
            KeyMade,
            $($(#[doc = $doc])+ $name,)*
        }

        impl AspectKind {
            /// All of them.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[Self::KeyMade, $(Self::$name),*];

            /// What it is called.
            pub(crate) fn title(self) -> &'static str {
                match self {
                    Self::KeyMade => "new key",
                    $(Self::$name => $title,)*
                }
            }

            /// The calls that look at it.
            pub(crate) fn calls(self) -> &'static [Call] {
                match self {
                    Self::KeyMade => key::observed::MADE,
                    $(Self::$name => const { &[$($call),+] },)*
                }
            }
        }

        impl ObservedAspect {
            /// What it is like now.
            pub(crate) async fn look(&self, place: &RegionClients<'_>, clue: &CreateHint) -> Result<Json, Failure> {
                match self.of {
                    AspectKind::KeyMade => Box::pin(key::observed::made(place, self, clue)).await,
                    $(AspectKind::$name => Box::pin($look(place, self)).await,)*
                }
            }
        }
    };
}

aspects! {
    /// The aliased key, and its state.
    KeyAlias = "alias", [call::DESCRIBE_KEY] => key::observed::alias;
    /// Whether it can be used.
    KeyState = "state", [call::DESCRIBE_KEY] => key::observed::state;
    /// Whether it rotates automatically.
    KeyRotation = "automatic rotation", [call::DESCRIBE_KEY, call::GET_KEY_ROTATION_STATUS] => key::observed::rotation;
    /// The region of its primary, which is its own but for replicas.
    KeyPrimary = "primary", [call::DESCRIBE_KEY] => key::observed::primary;
    /// Its policy.
    KeyPolicy = "key policy", [call::DESCRIBE_KEY, call::GET_KEY_POLICY] => key::observed::policy;
    /// Whether it is there.
    LogGroup = "log group", [call::DESCRIBE_LOG_GROUPS] => log_group::observed::group;
    /// For how many days it keeps events.
    LogGroupRetention = "retention", [call::DESCRIBE_LOG_GROUPS] => log_group::observed::retention;
    /// The key that encrypts what comes.
    LogGroupKey = "key", [call::DESCRIBE_LOG_GROUPS] => log_group::observed::key;
    /// Whether it is there.
    Bucket = "bucket", [call::HEAD_BUCKET] => bucket::observed::bucket;
    /// Its default encryption.
    BucketEncryption = "default encryption", [call::GET_BUCKET_ENCRYPTION] => bucket::observed::encryption;
    /// Whether it keeps versions.
    BucketVersioning = "versioning", [bucket::observed::GET_BUCKET_VERSIONING] => bucket::observed::versioning;
    /// Whether its objects can be locked.
    BucketObjectLock = "object lock", [call::GET_OBJECT_LOCK_CONFIGURATION] => bucket::observed::object_lock;
    /// Its tags.
    BucketTags = "tags", [call::GET_BUCKET_TAGGING] => bucket::observed::tags;
    /// Where its server access logs go.
    BucketLogging = "server access logging", [call::GET_BUCKET_LOGGING] => bucket::observed::logging;
    /// Whether it is there.
    Role = "role", [call::GET_ROLE, call::LIST_ATTACHED_ROLE_POLICIES, call::LIST_ROLE_POLICIES] => role::observed::role;
    /// Who may assume it.
    RoleTrust = "trust policy", [call::GET_ROLE] => role::observed::trust;
    /// A managed policy that is attached to it.
    RoleAttachment = "attached policy", [call::LIST_ATTACHED_ROLE_POLICIES] => role::observed::attachment;
    /// A policy that is embedded in it.
    RolePolicy = "inline policy", [call::GET_ROLE_POLICY] => role::observed::inline_policy;
    /// Whether it is there.
    Profile = "instance profile", [call::GET_INSTANCE_PROFILE] => instance_profile::observed::profile;
    /// The role in it.
    ProfileRole = "role", [call::GET_INSTANCE_PROFILE] => instance_profile::observed::profile_role;
    /// The latest version of the document.
    PreferencesLatest = "latest version", [call::GET_DOCUMENT, session_preferences::observed::LIST_DOCUMENT_VERSIONS] => session_preferences::observed::latest;
    /// The version that sessions use.
    PreferencesDefault = "default version", [call::GET_DOCUMENT] => session_preferences::observed::default;
    /// The instance profile that it has.
    InstanceProfile = "instance profile", [instance::observed::DESCRIBE_ASSOCIATIONS] => instance::observed::profile;
    /// How its metadata service answers.
    InstanceMetadataOptions = "metadata options", [call::DESCRIBE_INSTANCES] => instance::observed::metadata_options;
    /// Whether detailed monitoring is on.
    InstanceMonitoring = "detailed monitoring", [call::DESCRIBE_INSTANCES] => instance::observed::monitoring;
    /// Its tags.
    InstanceTags = "tags", [call::DESCRIBE_INSTANCES] => instance::observed::tags;
    /// Whether it runs.
    InstanceState = "state", [call::DESCRIBE_INSTANCES] => instance::observed::state;
    /// The volume that is attached at a device.
    InstanceDevice = "volume at", [call::DESCRIBE_INSTANCES] => instance::observed::device;
    /// Its root volume, and what stands in the way of putting another in its place.
    InstanceRoot = "root volume", [
        call::DESCRIBE_INSTANCES,
        call::DESCRIBE_VOLUMES,
        volume::observed::DESCRIBE_INSTANCE_ATTRIBUTE,
        volume::observed::DESCRIBE_INSTANCE_TYPES
    ] => volume::observed::root;
    /// A snapshot of its root volume that a plan makes: found by its tag.
    RootSnapshot = "snapshot", [volume::observed::DESCRIBE_SNAPSHOTS] => volume::observed::snapshot;
    /// A root volume that a plan makes: found by its tag.
    RootVolumeMade = "new root volume", [call::DESCRIBE_VOLUMES] => volume::observed::made;
    /// A volume, whatever it was made for.
    Volume = "volume", [call::DESCRIBE_VOLUMES] => volume::observed::one;
    /// The key that new volumes are encrypted with, unless another is named.
    DefaultVolumeKey = "default key of volumes", [volume::observed::GET_EBS_DEFAULT_KMS_KEY_ID, call::DESCRIBE_KEY]
        => volume::observed::default_key;
    /// A key that volumes are to be encrypted with.
    VolumeKey = "key of volumes", [call::DESCRIBE_KEY] => volume::observed::key;
    /// What it lets out.
    SecurityGroupEgress = "egress", [call::DESCRIBE_SECURITY_GROUPS]
        => security_group::observed::egress;
    /// What it lets in.
    SecurityGroupIngress = "ingress", [call::DESCRIBE_SECURITY_GROUPS]
        => security_group::observed::ingress;
    /// Who else relies on it.
    SecurityGroupUsers = "users", [
        call::DESCRIBE_SECURITY_GROUPS,
        call::DESCRIBE_NETWORK_INTERFACES
    ] => security_group::observed::users;
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

/// A JSON text in one form, however it is written: members sorted, no blanks. What is not JSON stays as it is.
pub(crate) fn canonical(text: &str) -> String {
    serde_json::from_str::<Json>(text).map_or_else(|_error| text.to_owned(), |value| sorted(value).to_string())
}

/// JSON with the members of all objects sorted.
pub(crate) fn sorted(value: Json) -> Json {
    match value {
        Json::Object(members) => {
            let members: std::collections::BTreeMap<String, Json> =
                members.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            Json::Object(members.into_iter().collect())
        }
        Json::Array(items) => Json::Array(items.into_iter().map(sorted).collect()),
        value => value,
    }
}

/// A policy or another text of JSON: in one form, to compare; and as it is written, to restore.
pub(crate) fn document(text: &str) -> Json {
    serde_json::json!({"Document": canonical(text), "Text": text})
}

/// The same, as it is wanted: however the service writes it.
pub(crate) fn wanted_document(text: &str) -> Json {
    serde_json::json!({"Document": canonical(text)})
}
