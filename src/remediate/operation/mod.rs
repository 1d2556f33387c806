//! The calls that change something, as data: each is one AWS API operation with its parameters by the API's own
//! names, so that a plan, the journal and `aws … --cli-input-json` all show what is sent.
//!
//! Each call is in `operations.rs` of the resource type that it changes. The state that a call changes is in `observed`.

pub(crate) mod parameter;

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value as Json;

use super::account_clients::{RegionClients, Sent};
use super::step_output::{self, Text, Texts, escaped};
use crate::aws::Failure;
use crate::model::call::Call;
pub(crate) use crate::resource::bucket::operations::*;
pub(crate) use crate::resource::instance::operations::*;
pub(crate) use crate::resource::instance_profile::operations::*;
pub(crate) use crate::resource::key::operations::*;
pub(crate) use crate::resource::log_group::operations::*;
pub(crate) use crate::resource::role::operations::*;
pub(crate) use crate::resource::security_group::operations::*;
pub(crate) use crate::resource::session_preferences::operations::*;
pub(crate) use crate::resource::volume::operations::*;

/// One operation: its parameters with the SDK's setter for each, and the IAM actions that it needs; `asked_by` the SDK's
/// setter of `DryRun`, where the API has that.
macro_rules! operation {
    (
        $(#[$meta:meta])*
        $name:ident = $service:ident.$method:ident, $prefix:literal $operation:literal [$($action:literal),+] {
            $($(#[$field_meta:meta])* $field:ident: $type:ty => $setter:ident,)*
        } $(answers $member:ident: $answer:expr)? $(; asked_by $dry_run:ident)?
    ) => {
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        $(#[$meta])*
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: $type,)*
        }

        impl $crate::remediate::step_output::Texts for $name {
            fn each_text(&mut self, visit: &mut dyn FnMut(&mut $crate::remediate::step_output::Text)) {
                $($crate::remediate::step_output::Texts::each_text(&mut self.$field, visit);)*
            }
        }

        impl $name {
            /// The call, with the actions that it needs.
            pub(crate) const CALL: $crate::model::call::Call =
                $crate::model::call::Call { service: $prefix, operation: $operation, actions: &[$($action),+] };

            pub(crate) async fn send(
                self,
                place: &$crate::remediate::account_clients::RegionClients<'_>,
                dry_run: Option<bool>,
            ) -> $crate::remediate::account_clients::Sent {
                let changing = place.changing();
                let request = changing.$service().$method();
                $(let request = request.$setter($crate::remediate::operation::parameter::Parameter::give(self.$field));)*
                $(let request = request.$dry_run(dry_run);)?
                let _ = dry_run;
                let result = Box::pin(request.send()).await;
                let answer: Option<serde_json::Value> = None;
                $(let answer = result.as_ref().ok().and_then(|$member| $answer).or(answer);)?
                $crate::remediate::account_clients::Sent { answer, ..$crate::remediate::account_clients::Sent::of(&Self::CALL, result) }
            }

            /// Whether it can be asked beforehand if it would be allowed.
            pub(crate) const CAN_BE_REHEARSED: bool = !stringify!($($dry_run)?).is_empty();
        }
    };
}
pub(crate) use operation;

macro_rules! operations {
    ($($name:ident,)*) => {
        /// A call that changes something.
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        #[serde(tag = "operation", content = "parameters")]
        pub(crate) enum Operation {
            $(#[doc = concat!("`", stringify!($name), "`")] $name($name),)*
        }

        impl Operation {
            /// The calls of all of them.
            pub(crate) const CALLS: &'static [Call] = &[$($name::CALL),*];

            /// The call, with the actions that it needs.
            pub(crate) fn call(&self) -> &'static Call {
                match self {
                    $(Self::$name(_) => &$name::CALL,)*
                }
            }

            fn parameters_as_they_are(&self) -> serde_json::Result<Json> {
                match self {
                    $(Self::$name(parameters) => serde_json::to_value(parameters),)*
                }
            }

            /// Sends it.
            pub(crate) async fn send(self, place: &RegionClients<'_>) -> Sent {
                if let Some(sent) = self.unresolved() {
                    return sent;
                }
                match self {
                    $(Self::$name(operation) => Box::pin(operation.send(place, None)).await,)*
                }
            }

            /// Asks whether it would be allowed; none where the API does not say.
            pub(crate) async fn rehearse(self, place: &RegionClients<'_>) -> Option<Sent> {
                if let Some(sent) = self.unresolved() {
                    return Some(sent);
                }
                match self {
                    $(Self::$name(operation) if $name::CAN_BE_REHEARSED => {
                        Some(Box::pin(operation.send(place, Some(true))).await)
                    })*
                    _ => None,
                }
            }
        }

        impl Texts for Operation {
            fn each_text(&mut self, visit: &mut dyn FnMut(&mut Text)) {
                match self {
                    $(Self::$name(operation) => operation.each_text(visit),)*
                }
            }
        }

        $(impl From<$name> for Operation {
            fn from(operation: $name) -> Self {
                Self::$name(operation)
            }
        })*
    };
}

operations! {
    AddRoleToInstanceProfile,
    AssociateIamInstanceProfile,
    AssociateKmsKey,
    AttachRolePolicy,
    AttachVolume,
    AuthorizeSecurityGroupEgress,
    AuthorizeSecurityGroupIngress,
    CancelKeyDeletion,
    CreateAlias,
    CreateBucket,
    CreateDocument,
    CreateInstanceProfile,
    CreateKey,
    CreateLogGroup,
    CreateRole,
    CreateSnapshot,
    CreateTags,
    CreateVolume,
    DeleteAlias,
    DeleteBucket,
    DeleteBucketEncryption,
    DeleteBucketTagging,
    DeleteDocument,
    DeleteInstanceProfile,
    DeleteLogGroup,
    DeleteRetentionPolicy,
    DeleteRole,
    DeleteRolePolicy,
    DeleteSnapshot,
    DeleteTags,
    DeleteVolume,
    DetachRolePolicy,
    DetachVolume,
    DisableKey,
    DisableKeyRotation,
    DisassociateIamInstanceProfile,
    DisassociateKmsKey,
    EnableKey,
    EnableKeyRotation,
    ModifyInstanceAttribute,
    ModifyInstanceMetadataOptions,
    MonitorInstances,
    PutBucketEncryption,
    PutBucketLogging,
    PutBucketTagging,
    PutBucketVersioning,
    PutKeyPolicy,
    PutObjectLockConfiguration,
    PutRetentionPolicy,
    PutRolePolicy,
    RemoveRoleFromInstanceProfile,
    RevokeSecurityGroupEgress,
    RevokeSecurityGroupIngress,
    ScheduleKeyDeletion,
    StartInstances,
    StopInstances,
    UnmonitorInstances,
    UpdateAssumeRolePolicy,
    UpdateDocument,
    UpdateDocumentDefaultVersion,
    UpdateSecurityGroupRuleDescriptionsEgress,
    UpdateSecurityGroupRuleDescriptionsIngress,
}

impl Operation {
    /// The parameters, by the API's names; those that are not given are left out.
    pub(crate) fn parameters(&self) -> Json {
        // Structures of texts, numbers and lists: there is nothing in them that JSON could not hold.
        without_nulls(self.parameters_as_they_are().unwrap_or_default())
    }

    /// The parameters as a JSON text, of which parts may be made by earlier steps.
    pub(crate) fn written(&self) -> Text {
        let parameters = self.parameters();
        let mut made = BTreeMap::new();
        find_texts(&parameters, "", &mut made);
        Text::of_json(&parameters, &made)
    }

    /// The parameters with references in words, for people.
    pub(super) fn written_in_words(&self) -> Json {
        let mut call = self.clone();
        call.each_text(&mut |text| *text = text.in_words().into());
        call.parameters()
    }

    /// The text of a parameter, or of the first in a list.
    pub(crate) fn text_of(&self, parameter: &str) -> Option<Text> {
        let parameters = self.parameters();
        let given = parameters.get(parameter)?;
        serde_json::from_value(given.get(0).unwrap_or(given).clone()).ok()
    }

    /// The same content in another layout: so many blank lines follow it. None where the call has no content.
    pub(super) fn in_another_layout(&self, blank_lines: usize) -> Option<Self> {
        let Self::UpdateDocument(update) = self else { return None };
        let content = update.content.clone().followed_by(&"\n".repeat(blank_lines));
        Some(UpdateDocument { content, ..update.clone() }.into())
    }

    /// A call must not be sent with a part left out that a step was to make.
    fn unresolved(&self) -> Option<Sent> {
        let reference = step_output::all(self).into_iter().next()?;
        let problem = format!("internal error: {} of step {} is not resolved", reference.member, reference.step);
        Some(Sent::not_sent(Failure::unreadable(self.call(), &problem)))
    }
}

impl JsonSchema for Operation {
    fn schema_name() -> Cow<'static, str> {
        "Operation".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = Self::CALLS.iter().map(|call| call.operation).collect();
        json_schema!({
            "description": "A call that changes something.",
            "type": "object",
            "required": ["operation", "parameters"],
            "additionalProperties": false,
            "properties": {
                "operation": {"description": "The operation of the AWS API.", "enum": names},
                "parameters": {"description": "Its parameters, by the API's names.", "type": "object"},
            },
        })
    }
}

impl Serialize for Operation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut operation = serializer.serialize_struct("Operation", 2)?;
        operation.serialize_field("operation", self.call().operation)?;
        operation.serialize_field("parameters", &self.parameters())?;
        operation.end()
    }
}

/// The texts with parts in parameters, by their places. By type, nothing else is written as an object with a list: what
/// comes from outside is a string.
fn find_texts(value: &Json, place: &str, found: &mut BTreeMap<String, Text>) {
    match value {
        Json::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| find_texts(item, &format!("{place}/{index}"), found));
        }
        Json::Object(members) if members.get("text").is_some_and(Json::is_array) => {
            if let Ok(text) = serde_json::from_value(value.clone()) {
                found.insert(place.to_owned(), text);
            }
        }
        Json::Object(members) => {
            members.iter().for_each(|(name, value)| find_texts(value, &format!("{place}/{}", escaped(name)), found));
        }
        _ => {}
    }
}

fn without_nulls(value: Json) -> Json {
    match value {
        Json::Object(members) => Json::Object(
            members
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name, without_nulls(value)))
                .collect(),
        ),
        Json::Array(items) => Json::Array(items.into_iter().map(without_nulls).collect()),
        value => value,
    }
}
