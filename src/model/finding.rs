//! One rule held against one resource, and the report that holds all of them. This is the JSON
//! contract: what stands here is what others build on.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gap::Gap;
use super::ids::{AccountId, Region};
use super::inventory::{ResourceType, Scope};
use super::provenance::Provenance;

/// How much a failed rule matters.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Good practice.
    Low,
    /// A weakness.
    Medium,
    /// A hole.
    High,
    /// An open door.
    Critical,
}

impl Severity {
    /// The word in rules and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// What holding a rule against a resource gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All that the rule needs was read, and it holds.
    Pass,
    /// It does not hold.
    Fail,
    /// What it needs could not be read.
    Unknown,
    /// It failed or is unknown, and a waiver accepts that.
    Waived,
}

impl Verdict {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
            Self::Waived => "waived",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// One rule held against one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The rule's id.
    pub rule: String,
    /// Its severity, as configured.
    pub severity: Severity,
    /// What came of it.
    pub verdict: Verdict,
    /// In a sentence, for people.
    pub message: String,
    /// The resource.
    pub resource: ResourceRef,
    /// Where it stands in code.
    pub location: Option<Location>,
    /// Other places in code that matter.
    #[serde(default)]
    pub related: Vec<Location>,
    /// The folder of code that was read, or that a plan was made from: the one that `ssm-audit fix` takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<Arc<str>>,
    /// The attributes that the rule read.
    pub evidence: Vec<Evidence>,
    /// What was not known.
    pub gaps: Vec<Gap>,
    /// The waiver, where one applies.
    pub waiver: Option<Box<AppliedWaiver>>,
    /// The id of the remediation.
    pub remediation: Option<String>,
    /// Lower-case hexadecimal SHA-256 that stays the same as long as rule and resource do.
    pub fingerprint: String,
    /// What the rule says of the code that made the resource, where that is known (`--terraform-state`). Another
    /// verdict than that of the account is drift.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Verdict>,
    /// A change of the code that makes it right, for formats that can carry one.
    #[serde(skip)]
    #[schemars(skip)]
    pub edit: Option<Box<Edit>>,
}

/// A change of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What it does, in a line.
    pub title: String,
    /// What is replaced, by file, from the first on.
    pub files: Vec<(String, Vec<Replacement>)>,
}

/// What stands between two places of a file, and what is to stand there. Lines and columns count from 1, columns in
/// code points; the end is the first place that stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// The line where it begins.
    pub line: u32,
    /// The column there.
    pub column: u32,
    /// The line where it ends.
    pub end_line: u32,
    /// The column there.
    pub end_column: u32,
    /// The text that is to stand there.
    pub text: String,
}

/// The resource of a finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ResourceRef {
    /// Its type.
    #[serde(rename = "type")]
    pub resource_type: ResourceType,
    /// What a user types in AWS; `*` where resources of the type could not be listed.
    pub id: String,
    /// Its ARN.
    pub arn: Option<String>,
    /// Its name, where it has one beside the id.
    pub name: Option<String>,
    /// The account that was scanned, even where the ARN names another one.
    pub account: Option<AccountId>,
    /// The region.
    pub region: Option<Region>,
    /// The Terraform address.
    pub address: Option<String>,
}

/// An attribute that the rule read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Its path from the resource, e.g. `metadata_options.http_tokens`; `offending` for what a rule computes.
    pub path: String,
    /// Its value; null where it is absent, `{"$unknown": …}` where it is not known.
    pub value: serde_json::Value,
}

/// A place in code; lines and columns count from 1, columns in code points.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Location {
    /// The file, relative to the root that was scanned.
    pub file: String,
    /// The first line.
    pub line: u32,
    /// The first column.
    pub column: u32,
    /// The last line.
    pub end_line: u32,
}

/// The waiver that accepts a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppliedWaiver {
    /// What the finding would be without it.
    pub verdict: Verdict,
    /// Why it is accepted.
    pub reason: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The last day on which it applies, as `YYYY-MM-DD`.
    pub expires: Option<String>,
    /// Where it is written, as `file:line:column`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether it is a comment in code.
    #[serde(default, skip_serializing_if = "is_false")]
    pub inline: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// How many findings there are of each verdict. Not applicable ones are counted, not listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Rules that hold.
    pub pass: u64,
    /// Rules that do not.
    pub fail: u64,
    /// Rules of which it is not known.
    pub unknown: u64,
    /// Accepted ones.
    pub waived: u64,
    /// Rules that do not speak of the resource.
    pub not_applicable: u64,
    /// Failing and unknown ones that are not listed, because the baseline has them (`--baseline`).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub in_baseline: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The tool that made a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// `ssm-audit`
    pub name: String,
    /// Its version.
    pub version: String,
    /// `sha256:` and the digest of the rules and parameters that were held.
    pub rules_digest: String,
}

impl Tool {
    /// This version of it, with rules of this digest.
    pub(crate) fn this(rules_digest: String) -> Self {
        Self { name: "ssm-audit".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), rules_digest }
    }
}

/// All findings of a scan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// `ssm-audit/report`
    pub kind: String,
    /// 1
    pub schema_version: u32,
    /// What made it.
    pub tool: Tool,
    /// When the scan began, RFC 3339.
    pub started_at: String,
    /// When it ended, RFC 3339.
    pub finished_at: String,
    /// The policy that was held: `guide` or `hardened`.
    pub policy: String,
    /// Which configuration, rules, flags and waivers were used, and where they came from.
    #[serde(default)]
    pub provenance: Provenance,
    /// What was covered.
    pub scopes: Vec<Scope>,
    /// The counts.
    pub summary: Summary,
    /// The findings, by account, region, type, id and rule.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The `kind` that every report begins with.
    pub const KIND: &'static str = "ssm-audit/report";
    /// The version of this contract.
    pub const SCHEMA_VERSION: u32 = 1;
}
