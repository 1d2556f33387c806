//! The format of a rule file, `rules/<area>/<id>.yaml`, as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::model::{Severity, Source};
use crate::yaml::Spanned;

/// A rule: what a resource must be like, why, and examples of both.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "ssm-audit rule")]
pub(crate) struct RuleFile {
    /// Its id, the stem of the file: lower-case words with hyphens.
    pub(crate) id: Spanned<String>,
    /// The ids that it had before, oldest first.
    #[serde(default)]
    pub(crate) aliases: Vec<Spanned<String>>,
    /// Why it should no longer be used.
    pub(crate) deprecated: Option<String>,
    /// What it asks for, in a line.
    pub(crate) title: String,
    /// How much a failure matters.
    pub(crate) severity: Severity,
    /// The policy that it belongs to.
    pub(crate) policy: Policy,
    /// The type of resource that it judges; `ssm-audit rules schema` lists them.
    pub(crate) resource: Spanned<String>,
    /// Where it can be judged.
    pub(crate) sources: Spanned<Vec<Source>>,
    /// What holds, in a sentence or two.
    pub(crate) description: String,
    /// What goes wrong when it does not.
    pub(crate) rationale: String,
    /// Its parameters, by name.
    #[serde(default)]
    pub(crate) params: BTreeMap<String, Spanned<ParamFile>>,
    /// A CEL expression: of which resources the rule speaks. All, if it is left out.
    pub(crate) when: Option<Spanned<String>>,
    /// A CEL expression: what must hold.
    pub(crate) assert: Spanned<String>,
    /// What was found where it fails, with `${resource.…}` and `${params.…}` in it.
    pub(crate) message: Option<Spanned<String>>,
    /// A CEL list of the offending elements.
    pub(crate) evidence: Option<Spanned<String>>,
    /// How it is made right.
    pub(crate) remediation: Option<Remediation>,
    /// Instructions to fix it by hand.
    #[serde(default)]
    pub(crate) manual_fix: ManualFix,
    /// Addresses of the documents that it rests on.
    pub(crate) references: Spanned<Vec<Spanned<String>>>,
    /// Its examples.
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
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Param")]
pub(crate) struct ParamFile {
    /// Its type.
    #[serde(rename = "type")]
    pub(crate) kind: ParamKind,
    /// Its value where none is configured.
    pub(crate) default: Json,
    /// The values that it may have, where not all of its type.
    pub(crate) values: Option<Vec<Json>>,
    /// What it means.
    pub(crate) description: String,
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields, expecting = "expected the id of a remediation, or `{none: why there is none}`")]
pub enum Remediation {
    /// By the remediation of this id.
    Id(String),
    /// By nothing that a tool should do, and why.
    None {
        /// Why there is none.
        none: String,
    },
}

/// Instructions to fix by hand what the rule asserts, for its page in the documentation.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManualFix {
    /// Steps in the AWS Management Console, in Markdown.
    pub console: Option<String>,
    /// Commands of the AWS CLI.
    pub cli: Option<String>,
    /// Terraform code, or the part of it that matters.
    pub terraform: Option<String>,
}

/// Examples: attributes of the resource, on top of a complete and compliant one of its type.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestsFile {
    /// Those that must pass.
    #[serde(default)]
    pub(crate) pass: Vec<Spanned<Json>>,
    /// Those that must fail.
    #[serde(default)]
    pub(crate) fail: Vec<Spanned<Json>>,
    /// Those of which it must be unknown.
    #[serde(default)]
    pub(crate) unknown: Vec<Spanned<Json>>,
    /// Those that the rule does not speak of.
    #[serde(default)]
    pub(crate) not_applicable: Vec<Spanned<Json>>,
}
