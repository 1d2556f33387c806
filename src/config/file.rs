//! The format of `ssm-audit.yaml`, as it is written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;

use super::fleet::{FleetFile, LogArchiveFile};
use super::inline::InlineWaiversFile;
use crate::collect::terraform::Engine;
use crate::engine::rule::Policy;
use crate::model::{FailOn, Severity};
use crate::remediate::settings::Settings;
use crate::yaml::Spanned;

/// The configuration of ssm-audit. A flag of the same name wins over it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "ssm-audit.yaml")]
pub(super) struct ConfigFile {
    /// The policy to hold: the documented set-up (guide), or that and more (hardened).
    #[serde(default)]
    pub(super) policy: Option<Policy>,
    /// The least severity that makes a scan, a sweep or a merge fail; `never` accepts failures, never unknowns.
    #[serde(default)]
    pub(super) fail_on: Option<FailOn>,
    /// The format of reports on standard output.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub(super) format: Option<Spanned<String>>,
    /// Leave out findings that this baseline has (`ssm-audit baseline create`); relative to this file.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub(super) baseline: Option<PathBuf>,
    /// Folders with rules of your own, relative to this file.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) rules: Vec<PathBuf>,
    /// Rules that are not held; `*` and `?` match.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) disable: Vec<Spanned<String>>,
    /// Severities in place of the rules' own, by rule.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Severity>")]
    pub(super) severity: BTreeMap<Spanned<String>, Severity>,
    /// Parameters of rules, by rule and name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, BTreeMap<String, Json>>")]
    pub(super) params: BTreeMap<Spanned<String>, BTreeMap<Spanned<String>, Spanned<Json>>>,
    /// How fixes are made.
    #[serde(default)]
    pub(super) fix: Settings,
    /// Which accounts are looked at, how they are reached, and in which regions.
    #[serde(default)]
    pub(super) fleet: Option<FleetFile>,
    /// The account that keeps the session logs of others: its buckets' policies are read there.
    #[serde(default)]
    pub(super) log_archive: Option<LogArchiveFile>,
    /// Facts about the network that accounts do not show.
    #[serde(default)]
    pub(super) network: NetworkFile,
    /// The engine that runs Terraform code. Without it, `.tofu` files are read both ways.
    #[serde(default)]
    pub(super) engine: Option<Engine>,
    /// Failures and unknowns that are accepted.
    #[serde(default)]
    #[schemars(with = "Vec<WaiverFile>")]
    pub(super) waivers: Vec<Spanned<WaiverFile>>,
    /// Which comments in code waive anything (`# ssm-audit:ignore`): `deny` for none, or which rules they can waive and
    /// what they must say. All, if it is left out; none with --base.
    #[serde(default)]
    pub(super) inline_waivers: InlineWaiversFile,
}

/// Facts about the network that accounts do not show.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Network")]
pub(super) struct NetworkFile {
    /// The address ranges of endpoints for Systems Manager that are not in the VPC of the instances: those of a hub, of
    /// a shared VPC, or reached through a Route 53 profile. Sets the parameter `endpoint_cidrs` of rules.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) endpoint_cidrs: Vec<Spanned<String>>,
}

/// Findings that are accepted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Waiver")]
pub(super) struct WaiverFile {
    /// Which rules, by id; `*` and `?` match.
    #[schemars(with = "String", length(min = 1))]
    pub(super) rule: Spanned<String>,
    /// Which resources, by id, ARN or Terraform address; `*` and `?` match.
    #[schemars(with = "String", length(min = 1))]
    pub(super) resource: Spanned<String>,
    /// Which accounts; `*` and `?` match. All, if it is left out.
    #[schemars(with = "Option<String>", length(min = 1))]
    pub(super) account: Option<Spanned<String>>,
    /// Why it is accepted.
    #[schemars(with = "String", length(min = 1))]
    pub(super) reason: Spanned<String>,
    /// Who answers for it.
    pub(super) owner: Option<String>,
    /// The last day on which it applies, in UTC.
    #[schemars(with = "Option<Day>")]
    pub(super) until: Option<Spanned<Day>>,
    /// The same under its earlier name; `until` is preferred.
    #[schemars(with = "Option<Day>")]
    pub(super) expires: Option<Spanned<Day>>,
}

/// A day, as `YYYY-MM-DD`.
#[derive(Debug)]
pub(super) struct Day(pub(super) Date);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse::<Date>() {
            Ok(day) if day.to_string() == text => Ok(Self(day)),
            _ => Err(D::Error::custom(format!("{text:?} is no day of the form YYYY-MM-DD"))),
        }
    }
}

impl JsonSchema for Day {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Day".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date"})
    }
}
