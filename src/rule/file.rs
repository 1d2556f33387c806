//! The format of a rule file, `rules/<area>/<id>.yaml`, as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::model::{Severity, Source};
use crate::yaml::Spanned;

/// A rule: what a resource must be like, why, and examples of both.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleFile {
    pub(crate) id: Spanned<String>,
    #[serde(default)]
    pub(crate) aliases: Vec<Spanned<String>>,
    pub(crate) deprecated: Option<String>,
    pub(crate) title: String,
    pub(crate) severity: Severity,
    pub(crate) policy: Policy,
    pub(crate) resource: Spanned<String>,
    pub(crate) sources: Spanned<Vec<Source>>,
    pub(crate) description: String,
    pub(crate) rationale: String,
    #[serde(default)]
    pub(crate) params: BTreeMap<String, Spanned<ParamFile>>,
    pub(crate) when: Option<Spanned<String>>,
    pub(crate) assert: Spanned<String>,
    pub(crate) message: Option<Spanned<String>>,
    pub(crate) evidence: Option<Spanned<String>>,
    pub(crate) remediation: Option<Remediation>,
    pub(crate) references: Spanned<Vec<Spanned<String>>>,
    pub(crate) tests: Spanned<TestsFile>,
}

/// A set of rules that a scan can hold.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Deserialize,
    serde::Serialize,
    JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// The documented set-up of Session Manager.
    #[default]
    Guide,
    /// The guide, and what goes beyond it.
    Hardened,
}

impl Policy {
    /// The word in files and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guide => "guide",
            Self::Hardened => "hardened",
        }
    }
}

/// A parameter of a rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ParamFile {
    #[serde(rename = "type")]
    pub(crate) kind: ParamKind,
    pub(crate) default: Json,
    pub(crate) values: Option<Vec<Json>>,
    pub(crate) description: String,
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ParamKind {
    /// true or false
    Bool,
    /// a whole number
    Int,
    /// text
    String,
    /// a list of texts
    List,
}

/// How what the rule asserts is made right.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Remediation {
    /// By the remediation of this id.
    Id(String),
    /// By nothing that a tool should do, and why.
    None {
        /// Why there is none.
        none: String,
    },
}

/// Examples: attributes of the resource, on top of a complete and compliant one of its type.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestsFile {
    #[serde(default)]
    pub(crate) pass: Vec<Spanned<Json>>,
    #[serde(default)]
    pub(crate) fail: Vec<Spanned<Json>>,
    #[serde(default)]
    pub(crate) unknown: Vec<Spanned<Json>>,
    #[serde(default)]
    pub(crate) not_applicable: Vec<Spanned<Json>>,
}
