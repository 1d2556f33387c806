//! The plan: ordered steps, each one call, with what is before and what is to be after, and how it is taken back.
//! It is data: it is shown, saved, confirmed, applied and undone as it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::approvals::Nature;
use super::consistency::Seal;
use super::observed::ObservedAspect;
use super::operation::Operation;
use super::planner::Part;
use super::step_output::{self, Dangling, Members, Text, Texts};
use crate::file_envelope::Form;
use crate::model::finding::Tool;
use crate::model::{AccountId, Region, ResourceType};

/// Steps that make findings right, and what is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    /// `ssm-audit/plan`
    pub(crate) kind: String,
    /// 1
    pub(crate) schema_version: u32,
    /// What made it.
    pub(crate) tool: Tool,
    /// Its id, which is the id of the run that applies it.
    pub(crate) id: String,
    /// When it was made, RFC 3339.
    pub(super) created_at: String,
    /// What it is for.
    pub(crate) purpose: Purpose,
    /// The accounts that were looked at.
    pub(crate) scopes: BTreeMap<AccountId, Extent>,
    /// The rules of its findings, each with the parameters that it was held with.
    pub(crate) rules: BTreeMap<String, BTreeMap<String, Json>>,
    /// The findings that it is to make right.
    pub(crate) findings: Vec<Aim>,
    /// What it does, in an order in which it can be done.
    pub(crate) steps: Vec<Step>,
    /// What it does not do, and why.
    pub(crate) left_out: Vec<LeftOut>,
    /// Names of resources that have one beside the id, by id, for people.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) names: BTreeMap<String, String>,
    /// Digests of all that, by which a plan that was changed is told; none in the journal of an undo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) seal: Option<Seal>,
}

/// What was looked at of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extent {
    /// The regions.
    pub(crate) regions: Vec<Region>,
    /// How many resources the rules could judge: what may be changed at once is counted against them.
    pub(crate) resources: usize,
}

/// What a plan is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Purpose {
    /// To make findings right.
    Fix,
    /// To take back what this run did.
    Undo(String),
    /// To delete what this run has replaced and kept.
    Discard(String),
}

/// A finding that a plan is to make right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Aim {
    /// The rule.
    pub(crate) rule: String,
    /// The remediation.
    pub(crate) remediation: String,
    /// The resource.
    pub(crate) resource: Subject,
    /// The finding's fingerprint.
    pub(crate) fingerprint: String,
    /// The steps that make it right.
    pub(crate) steps: Vec<usize>,
}

/// A resource of an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subject {
    /// Its type.
    #[serde(rename = "type")]
    pub(crate) resource_type: ResourceType,
    /// What a user types.
    pub(crate) id: String,
    /// The account.
    pub(crate) account: AccountId,
    /// The region; none for IAM.
    pub(crate) region: Option<Region>,
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.resource_type, self.id)
    }
}

/// One call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// Its number, from 1.
    pub(crate) number: usize,
    /// What it changes.
    pub(crate) resource: Subject,
    /// What of it.
    pub(crate) aspect: ObservedAspect,
    /// What there must be before; null: nothing.
    pub(crate) before: Json,
    /// What there is to be after.
    pub(crate) after: Json,
    /// Members of both that earlier steps make.
    #[serde(default, skip_serializing_if = "Made::is_empty")]
    pub(crate) made: Made,
    /// The call.
    pub(crate) call: Operation,
    /// How it is taken back.
    pub(crate) undo: Undo,
    /// The steps that must be done first.
    pub(crate) needs: Vec<usize>,
    /// Steps of the same unit are taken back together if one of them fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<String>,
    /// What is asked before anything of its unit is begun: a call like its own, of what is there by then, with
    /// `DryRun`. Where one is denied, the unit is not begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rehearsal: Option<Operation>,
    /// What it interrupts.
    pub(crate) disruption: Disruption,
    /// Whether it changes what others use too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) shared: bool,
    /// Whether the resource must be named to change it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) by_name: bool,
    /// Whether it makes something that was not there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) creates: bool,
    /// What to know before it is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Members of the states before and after a step that earlier steps make.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Made {
    /// Of the state before it.
    #[serde(default, skip_serializing_if = "Members::is_empty")]
    pub(crate) before: Members,
    /// Of the state after it.
    #[serde(default, skip_serializing_if = "Members::is_empty")]
    pub(crate) after: Members,
}

impl Made {
    fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }
}

impl Texts for Made {
    fn each_text(&mut self, visit: &mut dyn FnMut(&mut Text)) {
        self.before.each_text(visit);
        self.after.each_text(visit);
    }
}

/// How a step is taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Undo {
    /// By this call.
    By(Operation),
    /// By this call, but only when asked for what was replaced to be deleted: what it takes away may hold data.
    Deletes(Operation),
    /// Not at all, and why.
    Not(String),
}

impl Texts for Undo {
    fn each_text(&mut self, visit: &mut dyn FnMut(&mut Text)) {
        match self {
            Self::By(operation) | Self::Deletes(operation) => operation.each_text(visit),
            Self::Not(_) => {}
        }
    }
}

/// What a step interrupts, or cannot be taken back from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Disruption {
    /// Nothing.
    #[default]
    None,
    /// Something, for seconds.
    Brief,
    /// The instance: it stops and starts.
    Restart,
    /// A part is replaced by another, with the instance stopped.
    Replace,
    /// It cannot be taken back.
    Irreversible,
}

/// A finding that the plan does not make right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeftOut {
    /// The rule.
    pub(crate) rule: String,
    /// The resource.
    pub(crate) resource: Subject,
    /// Why, and what to do about it.
    pub(crate) reason: String,
    /// Whether it would have been done, if it could: the run is then not a success.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) failed: bool,
}

impl Step {
    /// What there must be before, where these steps have left this.
    pub(super) fn before_in(&self, left: &BTreeMap<usize, Json>) -> Result<Json, Dangling> {
        step_output::state(&self.before, &self.made.before, left)
    }

    /// What there is to be after, where these steps have left this.
    pub(super) fn after_in(&self, left: &BTreeMap<usize, Json>) -> Result<Json, Dangling> {
        step_output::state(&self.after, &self.made.after, left)
    }

    /// What limits look at.
    pub(crate) fn nature(&self) -> Nature<'_> {
        Nature { id: &self.resource.id, disruption: self.disruption, shared: self.shared, by_name: self.by_name }
    }
}

impl Plan {
    /// The `kind` that every plan begins with.
    pub(crate) const KIND: &'static str = "ssm-audit/plan";
    /// The version of the format.
    pub(crate) const SCHEMA_VERSION: u32 = 1;
    /// The form of its file.
    pub(crate) const FORM: &Form = &Form {
        kind: Self::KIND,
        version: Self::SCHEMA_VERSION,
        noun: "plan",
        made_with: "ssm-audit fix --out FILE",
        most_mib: 16,
    };

    /// A plan that does nothing yet.
    pub(crate) fn empty(id: String, created_at: String, rules_digest: String) -> Self {
        Self {
            kind: Self::KIND.to_owned(),
            schema_version: Self::SCHEMA_VERSION,
            tool: Tool::this(rules_digest),
            id,
            created_at,
            purpose: Purpose::Fix,
            scopes: BTreeMap::new(),
            rules: BTreeMap::new(),
            findings: Vec::new(),
            steps: Vec::new(),
            left_out: Vec::new(),
            names: BTreeMap::new(),
            seal: None,
        }
    }

    /// The same with its digests: nothing may be changed any more.
    pub(crate) fn sealed(mut self) -> Self {
        self.seal = Some(Seal::of(&self));
        self
    }

    /// Adds what is done in one account.
    pub(crate) fn add(&mut self, account: AccountId, extent: Extent, part: Part) {
        self.scopes.insert(account, extent);
        self.steps.extend(part.steps);
        self.findings.extend(part.aims);
        self.left_out.extend(part.left_out);
    }

    /// Whether something is left out that should have been done.
    pub(crate) fn fails(&self) -> bool {
        self.left_out.iter().any(|left| left.failed)
    }

    /// The step of that number.
    pub(crate) fn step(&self, number: usize) -> Option<&Step> {
        self.steps.iter().find(|step| step.number == number)
    }

    /// The id of a resource, and its name beside it if it has one.
    pub(crate) fn with_name(&self, id: &str) -> String {
        self.names.get(id).map_or_else(|| id.to_owned(), |name| format!("{id} ({name})"))
    }

    /// The accounts that it changes.
    pub(crate) fn accounts(&self) -> BTreeSet<&AccountId> {
        self.steps.iter().map(|step| &step.resource.account).collect()
    }

    /// The resources of an account that it changes; what it makes is not counted.
    pub(super) fn changed_in(&self, account: &AccountId) -> BTreeSet<&Subject> {
        let changes = self.steps.iter().filter(|step| !step.creates && step.resource.account == *account);
        changes.map(|step| &step.resource).collect()
    }

    /// Where it does not hold together, as one that was changed by hand may not: the path of the member, and what is
    /// wrong with it.
    ///
    /// # Errors
    /// The first that is found.
    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        // What each step so far builds on, itself with it.
        let mut grounds: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for (index, step) in self.steps.iter().enumerate() {
            let wrong = |member: &str, problem: String| Err((format!("steps[{index}].{member}"), problem));
            if grounds.contains_key(&step.number) {
                return wrong("number", format!("there is another step {}", step.number));
            }
            if !self.scopes.contains_key(&step.resource.account) {
                let problem = format!("account {} is not among `scopes`", step.resource.account);
                return wrong("resource.account", problem);
            }
            let mut ground = BTreeSet::from([step.number]);
            for needed in &step.needs {
                match grounds.get(needed) {
                    Some(below) => ground.extend(below),
                    None => return wrong("needs", format!("there is no step {needed} before it")),
                }
            }
            for (state, members) in [(&step.before, &step.made.before), (&step.after, &step.made.after)] {
                if !members.is_empty() && !state.is_object() && !state.is_null() {
                    return wrong("made", "a state that is no object has no members".to_owned());
                }
            }
            let own = [step.number];
            for (member, steps, may) in [
                ("made", steps_of(&step.made), &[][..]),
                ("call", steps_of(&step.call), &[]),
                ("undo", steps_of(&step.undo), &own),
                ("rehearsal", steps_of(&step.rehearsal), &[]),
            ] {
                let strays = |step: &usize| own.contains(step) && !may.contains(step) || !ground.contains(step);
                if let Some(stray) = steps.into_iter().find(strays) {
                    return wrong(member, format!("it refers to step {stray}, which it does not need"));
                }
            }
            grounds.insert(step.number, ground);
        }
        for (index, aim) in self.findings.iter().enumerate() {
            if let Some(missing) = aim.steps.iter().find(|step| !grounds.contains_key(step)) {
                return Err((format!("findings[{index}].steps"), format!("there is no step {missing}")));
            }
            if !self.rules.contains_key(&aim.rule) {
                let problem = format!("the rule {} is not among `rules`", aim.rule);
                return Err((format!("findings[{index}].rule"), problem));
            }
        }
        Ok(())
    }
}

/// The steps that a value refers to.
fn steps_of<T: Texts + Clone>(value: &T) -> Vec<usize> {
    step_output::all(value).into_iter().map(|reference| reference.step).collect()
}
