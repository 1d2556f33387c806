//! Rules: one file each, loaded, checked against the schema, compiled, and evaluated on resources. Nothing here reads
//! AWS or writes reports.

pub(crate) mod check;
pub mod eval;
pub mod example;
mod expression;
mod file;
pub mod framework;
pub mod function;
mod load;
mod message;
#[cfg(test)]
mod meta;
#[cfg(test)]
mod monotone;
pub mod params;
pub mod path;
pub mod schema;
mod symbol;
mod types;
mod value;

use std::collections::{BTreeMap, BTreeSet};

pub use file::{ManualFix, ParamKind, Policy, Remediation};
pub(crate) use load::from_folder_within;
pub use load::{Library, embedded, embedded_ids, from_folder};

use crate::diagnostic::SourceFile;
use crate::model::call::Needs;
use crate::model::{ResourceType, Severity, Source};
use example::Example;
use expression::Expression;
use message::Message;
use params::Param;
use path::Path;

/// Returns the JSON Schema of a rule's file.
pub fn file_schema() -> schemars::Schema {
    schemars::schema_for!(file::RuleFile)
}

/// A rule, loaded, checked and compiled.
#[derive(Debug)]
pub struct Rule {
    /// Id of the rule, the stem of its file.
    pub id: String,
    /// Former ids of the rule, oldest first.
    pub aliases: Vec<String>,
    /// Reason why the rule should no longer be used.
    pub deprecated: Option<String>,
    /// The requirement, in one line.
    pub title: String,
    /// Severity of a failure.
    pub severity: Severity,
    /// Policy that the rule belongs to.
    pub policy: Policy,
    /// Resource type that the rule evaluates.
    pub resource_type: ResourceType,
    /// Sources that the rule can be evaluated on.
    pub sources: Vec<Source>,
    /// The requirement.
    pub description: String,
    /// Consequence of a failure.
    pub rationale: String,
    /// Parameters of the rule.
    pub params: BTreeMap<String, Param>,
    /// Remediation that fixes a failure.
    pub remediation: Option<Remediation>,
    /// Instructions to fix it by hand.
    pub manual_fix: ManualFix,
    /// Documents that the rule is based on.
    pub references: Vec<String>,
    /// File that the rule was read from.
    pub file: SourceFile,
    expressions: Expressions,
    /// Examples of the rule.
    pub examples: Vec<Example>,
}

/// Compiled expressions of a rule.
#[derive(Debug)]
struct Expressions {
    when: Option<Expression>,
    assert: Expression,
    message: Option<Message>,
    /// The offending elements, and the path that contains them.
    evidence: Option<(Expression, String)>,
    /// The paths on which the verdict depends.
    reads: BTreeSet<Path>,
    /// The paths that the message and the evidence show besides.
    shows: BTreeSet<Path>,
}

impl Rule {
    /// Returns the first id of the rule: fingerprints are derived from it, so that a rename keeps them.
    pub fn oldest_id(&self) -> &str {
        self.aliases.first().unwrap_or(&self.id)
    }

    /// Returns `true` if the rule is built in. A rule of a user's folder has another id than any of these.
    pub fn is_built_in(&self) -> bool {
        embedded_ids().any(|id| id == self.id)
    }

    /// Returns the paths on which the verdict depends.
    pub fn reads(&self) -> impl Iterator<Item = &Path> {
        self.expressions.reads.iter()
    }

    /// Returns the condition under which the rule applies to a resource, as written.
    pub fn when(&self) -> Option<&str> {
        self.expressions.when.as_ref().map(Expression::source)
    }

    /// Returns the condition for a pass, as written.
    pub fn assert(&self) -> &str {
        self.expressions.assert.source()
    }

    /// Returns the reads needed for everything that the rule reads and shows.
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        needs.add_call(*self.resource_type.found_by());
        for path in self.expressions.reads.iter().chain(&self.expressions.shows) {
            path.needs(self.resource_type, &mut needs);
        }
        needs.with_prerequisites()
    }
}
