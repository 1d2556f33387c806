//! Rules: one file each, loaded, checked against the schema, compiled, and held against resources.
//! Nothing here reads AWS or writes reports.

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

/// The JSON Schema of a rule's file.
pub fn file_schema() -> schemars::Schema {
    schemars::schema_for!(file::RuleFile)
}

/// A rule, loaded, checked and compiled.
#[derive(Debug)]
pub struct Rule {
    /// Its id, the stem of its file.
    pub id: String,
    /// The ids that it had before, oldest first.
    pub aliases: Vec<String>,
    /// Why it should no longer be used.
    pub deprecated: Option<String>,
    /// What it asks, in a line.
    pub title: String,
    /// How much a failure matters.
    pub severity: Severity,
    /// The policy that it belongs to.
    pub policy: Policy,
    /// The type of resource that it judges.
    pub resource_type: ResourceType,
    /// Where it can be judged.
    pub sources: Vec<Source>,
    /// What holds.
    pub description: String,
    /// What goes wrong when it does not.
    pub rationale: String,
    /// Its parameters.
    pub params: BTreeMap<String, Param>,
    /// How it is made right.
    pub remediation: Option<Remediation>,
    /// Instructions to fix it by hand.
    pub manual_fix: ManualFix,
    /// Documents that say so.
    pub references: Vec<String>,
    /// The file that it was read from.
    pub file: SourceFile,
    expressions: Expressions,
    /// Its examples.
    pub examples: Vec<Example>,
}

/// What a rule asks, compiled.
#[derive(Debug)]
struct Expressions {
    when: Option<Expression>,
    assert: Expression,
    message: Option<Message>,
    /// The offending elements, and the path at which they stand.
    evidence: Option<(Expression, String)>,
    /// The paths on which the verdict depends.
    reads: BTreeSet<Path>,
    /// The paths that its message and its evidence show beside them.
    shows: BTreeSet<Path>,
}

impl Rule {
    /// The id that the rule had first: fingerprints are made of it, so that a rename keeps them.
    pub fn oldest_id(&self) -> &str {
        self.aliases.first().unwrap_or(&self.id)
    }

    /// Returns `true` if the rule comes with the tool. A rule of a folder has another id than any of these.
    pub fn is_built_in(&self) -> bool {
        embedded_ids().any(|id| id == self.id)
    }

    /// The paths on which the verdict depends.
    pub fn reads(&self) -> impl Iterator<Item = &Path> {
        self.expressions.reads.iter()
    }

    /// The condition under which the rule speaks of a resource, as written.
    pub fn when(&self) -> Option<&str> {
        self.expressions.when.as_ref().map(Expression::source)
    }

    /// What must hold, as written.
    pub fn assert(&self) -> &str {
        self.expressions.assert.source()
    }

    /// What must be read for everything that the rule reads and shows.
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        needs.add_call(*self.resource_type.found_by());
        for path in self.expressions.reads.iter().chain(&self.expressions.shows) {
            path.needs(self.resource_type, &mut needs);
        }
        needs.with_prerequisites()
    }
}
