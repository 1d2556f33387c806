//! What is made where it is missing: names and values, by the guide unless `fix` in `ssm-audit.yaml` says otherwise.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{AccountId, Partition, Region};

/// How fixes are made: names of what is made where it is missing, and values that only you know.
///
/// `${account}`, `${region}` and `${partition}` are replaced.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Fix")]
pub struct Settings {
    /// The log group for sessions, where the preferences name none.
    pub log_group: String,
    /// The bucket for session logs, where the preferences name none that exists.
    pub bucket: String,
    /// The alias of the key for sessions and their log group.
    pub key_alias: String,
    /// The role for instances that have none.
    pub role: String,
    /// The instance profile for instances that have none.
    pub instance_profile: String,
    /// The key that root volumes are encrypted with, by id, ARN or alias; the account's default, if it is left out.
    pub volume_key: Option<String>,
    /// The bucket that the session bucket's server access logs go to.
    pub logging_bucket: Option<String>,
    /// Tags for what is made, and values of tags that are required.
    pub tags: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            log_group: "/ssm/sessions".to_owned(),
            bucket: "ssm-sessions-${account}-${region}".to_owned(),
            key_alias: "alias/ssm-sessions".to_owned(),
            role: "ssm-ec2-role".to_owned(),
            instance_profile: "ssm-ec2-profile".to_owned(),
            volume_key: None,
            logging_bucket: None,
            tags: BTreeMap::new(),
        }
    }
}

/// Where placeholders are replaced.
#[derive(Debug, Clone)]
pub(crate) struct Here<'a> {
    pub(crate) account: &'a AccountId,
    pub(crate) region: Option<&'a Region>,
    pub(crate) partition: Partition,
}

impl Here<'_> {
    /// The text with what it names of this place.
    pub(crate) fn fill(&self, text: &str) -> String {
        let text = text.replace("${account}", self.account.as_str()).replace("${partition}", self.partition.as_str());
        match self.region {
            Some(region) => text.replace("${region}", region.as_str()),
            None => text,
        }
    }
}
