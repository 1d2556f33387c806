//! Descriptions of the rules that ran, of their controls and remediations: for reports and for the history.

use serde::{Deserialize, Serialize};

use super::{ResourceType, Severity};

/// Description of a rule that ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleInfo {
    /// Its id.
    pub id: String,
    /// What it asks for, in a line.
    pub title: String,
    /// How much it matters, as configured.
    pub severity: Severity,
    /// What holds, in a sentence or two.
    pub description: String,
    /// What goes wrong when it does not.
    pub rationale: String,
    /// Addresses of documentation, the most telling first.
    pub references: Vec<String>,
    /// Address of the rule's page in the project's documentation, once that is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// What makes it right.
    pub remediation: Option<RemediationInfo>,
    /// The type of resource that it judges.
    pub resource_type: ResourceType,
    /// The policy that it belongs to: `guide` or `hardened`.
    pub policy: String,
    /// The controls of published frameworks that it answers for.
    pub controls: Vec<ControlInfo>,
}

/// Description of a control of a published framework.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ControlInfo {
    /// What the framework is called, with its version where it has one.
    pub framework: String,
    /// The control's id in it.
    pub id: String,
    /// What it asks, in the framework's words.
    pub title: String,
}

/// Description of a remediation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemediationInfo {
    /// Its id.
    pub id: String,
    /// What it does, in a line.
    pub title: String,
}
