//! A plan in the making, for one account: what each resource is to be like, what was seen of it, and the steps so far.

mod change;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value as Json;

pub(crate) use self::change::Change;
use super::approvals::Limits;
use super::observed::ObservedAspect;
use super::plan::{Aim, LeftOut, Step, Subject};
use super::remediation::RemediationSpec;
use super::settings::{Here, Settings};
use super::step_output::{self, Texts};
use crate::engine::rule::params::ParamValue;
use crate::model::{AccountId, Gap, Inventory, Key, Region, ResourceType};

/// The tag of everything that is made, with the id of the plan.
const MADE_BY: &str = "ssm-audit:run";

/// Findings by their place in a draft.
pub(crate) type Aims = BTreeSet<usize>;

/// A resource by type and key.
pub(crate) type ResourceId = (ResourceType, Key);

/// What a resource is to be like.
#[derive(Debug, Clone, Default)]
pub(crate) struct DesiredState {
    /// Attributes by their paths, with the values that they are to have.
    pub(crate) set: BTreeMap<String, (Json, Aims)>,
    /// What is to be done, or to be there.
    pub(crate) tasks: BTreeMap<String, Aims>,
}

impl DesiredState {
    /// Everything that it is for.
    pub(crate) fn aims(&self) -> Aims {
        self.set.values().map(|(_, aims)| aims).chain(self.tasks.values()).flatten().copied().collect()
    }

    /// What a task is for, where it is to be done.
    pub(crate) fn task(&self, name: &str) -> Option<&Aims> {
        self.tasks.get(name)
    }

    /// What these tasks are for together.
    pub(crate) fn tasks(&self, names: &[&str]) -> Aims {
        names.iter().filter_map(|name| self.tasks.get(*name)).flatten().copied().collect()
    }
}

/// A finding that is to be made right.
#[derive(Debug)]
pub(crate) struct Goal<'a> {
    pub(crate) rule: String,
    pub(crate) remedy: &'a RemediationSpec,
    pub(crate) thing: ResourceId,
    pub(crate) subject: Subject,
    pub(crate) fingerprint: String,
}

/// Steps in their order, what they are for, and what is left out.
pub(crate) type Finished = (Vec<Step>, Vec<Aim>, Vec<LeftOut>);

/// A plan that contradicts itself: an error of this program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("internal error in the plan: {0}; nothing was changed, please report it")]
pub struct Contradiction(String);

impl Contradiction {
    /// What is wrong with this member.
    pub(crate) fn of((member, problem): (String, String)) -> Self {
        Self(format!("{member}: {problem}"))
    }
}

/// What was seen: the state, or why it could not be looked at.
pub(crate) type Observation = Result<Json, Arc<Gap>>;

/// A plan in the making.
#[derive(Debug)]
pub(crate) struct PlanBuilder<'a> {
    /// The id of the plan.
    pub(crate) id: &'a str,
    /// What is known of the account.
    pub(crate) inventory: &'a Inventory,
    pub(crate) account: &'a AccountId,
    pub(crate) settings: &'a Settings,
    /// What the user allows: where something is not, less may be done instead.
    pub(crate) limits: Limits,
    pub(crate) goals: Vec<Goal<'a>>,
    pub(crate) wanted: BTreeMap<ResourceId, DesiredState>,
    /// Things that turned out to be others: an alias is a key.
    pub(crate) same: BTreeMap<ResourceId, ResourceId>,
    /// The log groups that keys are to encrypt.
    pub(crate) groups_of_keys: BTreeMap<ResourceId, BTreeSet<String>>,
    /// The regions in which roles are to be used by instances.
    pub(crate) regions_of_roles: BTreeMap<ResourceId, BTreeSet<Region>>,
    /// The regions whose sessions must not get a key: it would lock people out.
    pub(crate) keyless: BTreeSet<Region>,
    /// The parameters of the rules that are held.
    pub(crate) params: BTreeMap<String, BTreeMap<String, ParamValue>>,
    pub(crate) seen: BTreeMap<(Option<Region>, ObservedAspect), Observation>,
    pub(crate) changes: Vec<Change>,
    /// Findings that are left out, and why.
    pub(crate) left_out: BTreeMap<usize, String>,
}

impl<'a> PlanBuilder<'a> {
    /// A draft without anything in it.
    pub(crate) fn new(id: &'a str, inventory: &'a Inventory, account: &'a AccountId, settings: &'a Settings) -> Self {
        Self {
            id,
            inventory,
            account,
            settings,
            limits: Limits::default(),
            goals: Vec::new(),
            wanted: BTreeMap::new(),
            same: BTreeMap::new(),
            groups_of_keys: BTreeMap::new(),
            regions_of_roles: BTreeMap::new(),
            keyless: BTreeSet::new(),
            params: BTreeMap::new(),
            seen: BTreeMap::new(),
            changes: Vec::new(),
            left_out: BTreeMap::new(),
        }
    }

    /// This place, for what settings name of it.
    pub(crate) fn here<'r>(&self, region: Option<&'r Region>) -> Here<'r>
    where
        'a: 'r,
    {
        Here { account: self.account, region, partition: self.inventory.partition }
    }

    /// What is done to a thing under this name is done to that other one.
    pub(crate) fn resolve_alias(&mut self, thing: &ResourceId, other: ResourceId) {
        if let Some(wanted) = self.wanted.remove(thing) {
            let there = self.wanted.entry(other.clone()).or_default();
            for (attribute, (value, aims)) in wanted.set {
                there.set.entry(attribute).or_insert((value, Aims::new())).1.extend(aims);
            }
            for (task, aims) in wanted.tasks {
                there.tasks.entry(task).or_default().extend(aims);
            }
        }
        if let Some(groups) = self.groups_of_keys.remove(thing) {
            self.groups_of_keys.entry(other.clone()).or_default().extend(groups);
        }
        self.same.insert(thing.clone(), other);
    }

    /// What a thing turned out to be.
    pub(crate) fn identity(&self, thing: &ResourceId) -> ResourceId {
        self.same.get(thing).unwrap_or(thing).clone()
    }

    /// The value of a rule's parameter, where the rule is held.
    pub(crate) fn param(&self, rule: &str, name: &str) -> Option<&ParamValue> {
        self.params.get(rule)?.get(name)
    }

    /// The steps so far on a thing that must be done before it can be used.
    pub(crate) fn steps_of(&self, thing: &ResourceId) -> Vec<usize> {
        let thing = self.identity(thing);
        let mut steps = self.steps_on(|other| *other == thing);
        steps.retain(|step| self.changes[*step].aspect.of.is_for_use() && !self.changes[*step].after.is_null());
        steps
    }

    /// Tags for what is made.
    pub(crate) fn tags(&self) -> BTreeMap<String, String> {
        let mut tags = self.settings.tags.clone();
        tags.insert(MADE_BY.to_owned(), self.id.to_owned());
        tags
    }

    /// Asks for an attribute of a resource to have a value.
    pub(crate) fn want(&mut self, thing: &ResourceId, attribute: &str, value: Json, aims: &Aims) {
        let wanted = self.wanted.entry(thing.clone()).or_default();
        wanted.set.entry(attribute.to_owned()).or_insert_with(|| (value, Aims::new())).1.extend(aims);
    }

    /// Asks for something to be done to a resource, or for it to be there.
    pub(crate) fn ask(&mut self, thing: &ResourceId, task: &str, aims: &Aims) {
        let wanted = self.wanted.entry(thing.clone()).or_default();
        wanted.tasks.entry(task.to_owned()).or_default().extend(aims);
    }

    /// Whatever is done to this thing makes these right, too.
    pub(crate) fn served_by(&mut self, thing: &ResourceId, aims: &Aims) {
        let Some(wanted) = self.wanted.get_mut(thing) else { return };
        wanted.set.values_mut().map(|(_, of)| of).chain(wanted.tasks.values_mut()).for_each(|of| of.extend(aims));
    }

    /// What is wanted of the resources of a type.
    pub(super) fn wanted_of(&self, resource_type: ResourceType) -> Vec<(ResourceId, DesiredState)> {
        let of_type = self.wanted.iter().filter(|((of, _), _)| *of == resource_type);
        of_type.map(|(thing, wanted)| (thing.clone(), wanted.clone())).collect()
    }

    /// What was seen of an aspect; what was not looked at is not known.
    pub(crate) fn observation(&self, region: Option<&Region>, aspect: &ObservedAspect) -> Observation {
        match self.seen.get(&(region.cloned(), aspect.clone())) {
            Some(observation) => observation.clone(),
            None => Err(Gap::not_collected()),
        }
    }

    /// Leaves findings out, for a reason. The first reason stays.
    pub(crate) fn leave_out(&mut self, aims: &Aims, reason: impl Into<String>) {
        let reason = reason.into();
        for aim in aims {
            self.left_out.entry(*aim).or_insert_with(|| reason.clone());
        }
    }

    /// Adds a step, and gives its place. A step of the finding's own resource is as disruptive as the remediation says.
    pub(crate) fn add(&mut self, change: Change) -> usize {
        let mut change = self.as_remedied(change);
        let this = self.changes.len();
        let referred = change.referred();
        change.needs.extend(referred.into_iter().filter(|step| *step != this));
        self.changes.push(change);
        this
    }

    /// Why this change would not be made, if it were added, and what would allow it.
    pub(crate) fn objection(&self, change: &Change) -> Option<String> {
        self.limits.objection(&self.as_remedied(change.clone()).nature())
    }

    fn as_remedied(&self, mut change: Change) -> Change {
        for aim in &change.aims {
            let Some(goal) = self.goals.get(*aim).filter(|goal| goal.thing == change.thing) else { continue };
            change.disruption = change.disruption.max(goal.remedy.disruption);
            change.by_name |= goal.remedy.by_name;
            let mates = self.changes.iter().filter(|other| change.unit.is_some() && other.unit == change.unit);
            if let Some(warning) = &goal.remedy.warn
                && !mates.chain([&change]).any(|other| other.warnings.contains(warning))
            {
                change.warnings.push(warning.clone());
            }
        }
        change
    }

    /// The steps so far that change resources of which this is true.
    pub(crate) fn steps_on(&self, test: impl Fn(&ResourceId) -> bool) -> Vec<usize> {
        (0..self.changes.len()).filter(|index| test(&self.changes[*index].thing)).collect()
    }

    /// Lets each step serve everything that the steps which need it serve. A step for findings that are left out is no
    /// longer needed, unless another step uses its output.
    pub(super) fn share_aims(&mut self) {
        let of_left_out = |change: &Change| change.aims.iter().all(|aim| self.left_out.contains_key(aim));
        let dropped: BTreeSet<usize> =
            (0..self.changes.len()).filter(|index| of_left_out(&self.changes[*index])).collect();
        for change in &mut self.changes {
            let referred = change.referred();
            change.needs.retain(|needed| !dropped.contains(needed) || referred.contains(needed));
        }
        loop {
            let mut shared = false;
            for index in 0..self.changes.len() {
                let aims = self.changes[index].aims.clone();
                for needed in self.changes[index].needs.clone() {
                    let before = self.changes[needed].aims.len();
                    self.changes[needed].aims.extend(&aims);
                    shared |= self.changes[needed].aims.len() > before;
                }
            }
            if !shared {
                return;
            }
        }
    }

    /// Takes out the steps of which this gives a reason, and all that need them.
    pub(crate) fn prune(&mut self, reason: impl Fn(&Change) -> Option<String>) {
        let mut out: BTreeMap<usize, String> = BTreeMap::new();
        loop {
            let before = out.len();
            for (index, change) in self.changes.iter().enumerate().filter(|(index, _)| !self.is_gone(*index)) {
                if out.contains_key(&index) {
                    continue;
                }
                let because = reason(change).or_else(|| {
                    let mate = |other: &usize| change.unit.is_some() && self.changes[*other].unit == change.unit;
                    let first = out.iter().find(|(other, _)| change.needs.contains(other) || mate(other));
                    first.map(|(_, reason)| reason.clone())
                });
                if let Some(because) = because {
                    out.insert(index, because);
                }
            }
            if out.len() == before {
                break;
            }
        }
        for (index, reason) in &out {
            let aims = self.changes[*index].aims.clone();
            self.leave_out(&aims, reason.clone());
        }
        // What was only for findings that are left out is not done either.
        for (index, change) in self.changes.iter_mut().enumerate() {
            if out.contains_key(&index) || change.aims.iter().all(|aim| self.left_out.contains_key(aim)) {
                change.aims.clear();
            }
        }
    }

    fn is_gone(&self, index: usize) -> bool {
        self.changes[index].aims.is_empty()
    }

    /// The steps in an order in which they can be done, numbered from `first`, with what they are for and what is left out.
    ///
    /// # Errors
    /// Where a step that is done needs one that is not.
    pub(crate) fn finish(self, first: usize) -> Result<Finished, Contradiction> {
        let order = self.order()?;
        let numbers: BTreeMap<usize, usize> = order.iter().copied().zip(first..).collect();
        let mut steps = Vec::new();
        for (index, number) in order.iter().zip(first..) {
            let change = &self.changes[*index];
            let needs: Option<Vec<usize>> = change.needs.iter().map(|needed| numbers.get(needed).copied()).collect();
            let what = || Contradiction(format!("step {number} ({}) needs one that is not done", change.aspect));
            steps.push(Step {
                number,
                resource: self.subject(change),
                aspect: change.aspect.clone(),
                before: change.before.clone(),
                after: change.after.clone(),
                made: renumbered(&change.made, &numbers).ok_or_else(what)?,
                call: renumbered(&change.call, &numbers).ok_or_else(what)?,
                undo: renumbered(&change.undo, &numbers).ok_or_else(what)?,
                needs: needs.ok_or_else(what)?,
                unit: change.unit.clone(),
                rehearsal: renumbered(&change.rehearsal, &numbers).ok_or_else(what)?,
                disruption: change.disruption,
                shared: change.shared,
                by_name: change.by_name,
                creates: change.creates,
                warnings: change.warnings.clone(),
            });
        }
        let mut aims = Vec::new();
        let mut left_out = Vec::new();
        for (index, goal) in self.goals.iter().enumerate() {
            let serving: Vec<usize> = order
                .iter()
                .filter(|step| self.changes[**step].aims.contains(&index))
                .filter_map(|step| numbers.get(step).copied())
                .collect();
            match self.left_out.get(&index) {
                None if !serving.is_empty() => aims.push(Aim {
                    rule: goal.rule.clone(),
                    remediation: goal.remedy.id.clone(),
                    resource: goal.subject.clone(),
                    fingerprint: goal.fingerprint.clone(),
                    steps: serving,
                }),
                reason => left_out.push(LeftOut {
                    rule: goal.rule.clone(),
                    resource: goal.subject.clone(),
                    reason: reason
                        .cloned()
                        .unwrap_or_else(|| "nothing that can be changed would make it right".to_owned()),
                    failed: false,
                }),
            }
        }
        Ok((steps, aims, left_out))
    }

    /// The places of the steps that stay, each after those that it needs; otherwise as they were drafted.
    fn order(&self) -> Result<Vec<usize>, Contradiction> {
        let mut order: Vec<usize> = Vec::new();
        let mut left: Vec<usize> = (0..self.changes.len()).filter(|index| !self.is_gone(*index)).collect();
        loop {
            let next = left.iter().position(|index| {
                self.changes[*index].needs.iter().all(|needed| order.contains(needed) || self.is_gone(*needed))
            });
            match next {
                Some(next) => order.push(left.remove(next)),
                None if left.is_empty() => return Ok(order),
                None => {
                    let stuck: Vec<String> = left.iter().map(|index| self.changes[*index].aspect.to_string()).collect();
                    return Err(Contradiction(format!("steps that need each other: {}", stuck.join(", "))));
                }
            }
        }
    }

    fn subject(&self, change: &Change) -> Subject {
        Subject {
            resource_type: change.thing.0,
            id: change.thing.1.id.as_ref().to_owned(),
            account: self.account.clone(),
            region: change.region.clone(),
        }
    }
}

/// A value with its references pointing to these numbers; none where a step has none.
fn renumbered<T: Texts + Clone>(value: &T, numbers: &BTreeMap<usize, usize>) -> Option<T> {
    step_output::renumber(value, |step| numbers.get(&step).copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Partition, Source};
    use crate::remediate::observed::AspectKind;
    use crate::remediate::operation::{CreateAlias, EnableKey};
    use crate::remediate::step_output::{Reference, Text};

    fn change(alias: &str, target: Text) -> Change {
        let thing = (ResourceType::KmsKey, Key::regional(&"eu-west-1".parse().expect("a region"), alias));
        let call = CreateAlias { alias_name: alias.to_owned(), target_key_id: target };
        Change::new(
            thing,
            Aims::from([0]),
            ObservedAspect::of(AspectKind::KeyAlias, alias),
            Json::Null,
            Json::Null,
            call,
        )
    }

    fn finished(change_it: impl Fn(&mut PlanBuilder<'_>)) -> Result<Vec<Step>, String> {
        let account: AccountId = "111122223333".parse().expect("an account");
        let inventory = Inventory::new(Source::Aws, Some(account.clone()), Partition::Aws, String::new());
        let settings = Settings::default();
        let mut builder = PlanBuilder::new("PLAN", &inventory, &account, &settings);
        change_it(&mut builder);
        builder.finish(1).map(|(steps, ..)| steps).map_err(|error| error.to_string())
    }

    #[test]
    fn texts_of_the_account_that_look_like_references_are_left_alone() {
        for text in ["@{99.KeyId}", "@{0.KeyId}", "{\"text\":[{\"step\":0,\"member\":\"KeyId\"}]}"] {
            let steps = finished(|builder| {
                builder.add(change(text, text.into()));
            });
            let steps = steps.expect("a plan");
            let call = CreateAlias { alias_name: text.to_owned(), target_key_id: text.into() };
            assert_eq!((steps[0].call.clone(), steps[0].needs.len()), (call.into(), 0));
        }
    }

    #[test]
    fn references_follow_their_steps_to_their_numbers() {
        let steps = finished(|builder| {
            let first = builder.add(change("alias/a", "k".into()));
            builder.add(change("alias/b", Reference::to(first, "KeyId").into()));
        });
        let steps = steps.expect("a plan");
        assert_eq!(step_output::all(&steps[1].call), [Reference::to(1, "KeyId")]);
        assert_eq!(steps[1].needs, [1]);
    }

    #[test]
    fn an_order_that_drops_steps_is_reported() {
        let circle = |builder: &mut PlanBuilder<'_>| {
            builder.add(change("alias/a", "k".into()).needing([1]));
            builder.add(change("alias/b", "k".into()).needing([0]));
        };
        assert!(finished(circle).expect_err("a circle").contains("steps that need each other: alias of alias/a"));
        let gone = |builder: &mut PlanBuilder<'_>| {
            let first = builder.add(change("alias/a", "k".into()));
            builder.add(change("alias/b", Reference::to(first, "KeyId").into()));
            builder.changes[first].aims.clear();
        };
        assert!(finished(gone).expect_err("a step that is gone").contains("needs one that is not done"));
        let unknown = |builder: &mut PlanBuilder<'_>| {
            let undo = EnableKey { key_id: "k".to_owned() };
            let mut change = change("alias/a", "k".into()).undone_by(undo);
            change.made.after.insert("KeyId".to_owned(), Reference::to(77, "KeyId").into());
            builder.changes.push(change);
        };
        assert!(finished(unknown).expect_err("a step that is not there").contains("internal error"));
    }
}
