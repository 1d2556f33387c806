//! Format of a rule file, `rules/<area>/<id>.yaml`, as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::model::{Severity, Source};
use crate::yaml::Spanned;

/// A rule: the requirement on a resource, the reason, and examples of compliant and other resources.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "ssm-audit rule")]
pub(crate) struct RuleFile {
    /// Id of the rule, the stem of the file: lower-case words with hyphens.
    pub(crate) id: Spanned<String>,
    /// Former ids of the rule, oldest first.
    #[serde(default)]
    pub(crate) aliases: Vec<Spanned<String>>,
    /// Reason why the rule should no longer be used.
    pub(crate) deprecated: Option<String>,
    /// The requirement, in one line.
    pub(crate) title: String,
    /// Severity of a failure.
    pub(crate) severity: Severity,
    /// Policy that the rule belongs to.
    pub(crate) policy: Policy,
    /// Resource type that the rule evaluates; `ssm-audit rules schema` lists the types.
    pub(crate) resource: Spanned<String>,
    /// Sources that the rule can be evaluated on.
    pub(crate) sources: Spanned<Vec<Source>>,
    /// The requirement, in a sentence or two.
    pub(crate) description: String,
    /// Consequence of a failure.
    pub(crate) rationale: String,
    /// Parameters of the rule, by name.
    #[serde(default)]
    pub(crate) params: BTreeMap<String, Spanned<ParamFile>>,
    /// CEL expression: the resources to which the rule applies. All, if it is left out.
    pub(crate) when: Option<Spanned<String>>,
    /// CEL expression: the condition for a pass.
    pub(crate) assert: Spanned<String>,
    /// Message of a failure, with `${resource.…}` and `${params.…}` in it.
    pub(crate) message: Option<Spanned<String>>,
    /// CEL list of the offending elements.
    pub(crate) evidence: Option<Spanned<String>>,
    /// Remediation that fixes a failure.
    pub(crate) remediation: Option<Remediation>,
    /// Instructions to fix it by hand.
    #[serde(default)]
    pub(crate) manual_fix: ManualFix,
    /// URLs of the documents that the rule is based on.
    pub(crate) references: Spanned<Vec<Spanned<String>>>,
    /// Examples of the rule.
    pub(crate) tests: Spanned<TestsFile>,
}

/// Set of rules that a scan can evaluate.
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
    /// The documented setup of Session Manager.
    #[default]
    Guide,
    /// The guide, and rules beyond it.
    Hardened,
}

impl Policy {
    /// Returns the name in files and reports.
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
    /// Type of the parameter.
    #[serde(rename = "type")]
    pub(crate) kind: ParamKind,
    /// Default value.
    pub(crate) default: Json,
    /// Allowed values, if not all of the type.
    pub(crate) values: Option<Vec<Json>>,
    /// Meaning of the parameter.
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

/// Remediation of a rule's failures.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields, expecting = "expected the id of a remediation, or `{none: why there is none}`")]
pub enum Remediation {
    /// Id of the remediation.
    Id(String),
    /// No remediation that a tool should apply, and the reason.
    None {
        /// Reason why there is no remediation.
        none: String,
    },
}

/// Instructions to fix a failure of the rule by hand, for the rule's page in the documentation.
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
    /// Examples that must pass.
    #[serde(default)]
    pub(crate) pass: Vec<Spanned<Json>>,
    /// Examples that must fail.
    #[serde(default)]
    pub(crate) fail: Vec<Spanned<Json>>,
    /// Examples of which the verdict must be unknown.
    #[serde(default)]
    pub(crate) unknown: Vec<Spanned<Json>>,
    /// Examples to which the rule is not applicable.
    #[serde(default)]
    pub(crate) not_applicable: Vec<Spanned<Json>>,
}
