//! A plan drafted from findings and sights that a test makes up: nothing is read, nothing is sent.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Map, Value as Json};

use super::{SETTERS, in_order_of_asking};
use crate::model::{AccountId, Fact, Gap, GapKind, Inventory, Key, Partition, Region, ResourceType, Source};
use crate::remediate::approvals::{Allow, Limits};
use crate::remediate::observed::ObservedAspect;
use crate::remediate::permissions::abilities_of;
use crate::remediate::plan::{Aim, LeftOut, Step, Subject};
use crate::remediate::plan_builder::{Goal, PlanBuilder, ResourceId};
use crate::remediate::remediation::{self, Action, DesiredValue, RemediationSpecs};
use crate::remediate::settings::Settings;

/// What a test makes up.
pub(crate) struct Trial {
    pub(crate) inventory: Inventory,
    pub(crate) settings: Settings,
    pub(crate) limits: Limits,
    findings: Vec<(String, ResourceId, Json)>,
    sights: Vec<(ObservedAspect, Option<Json>)>,
}

/// What is planned.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) steps: Vec<Step>,
    pub(crate) aims: Vec<Aim>,
    pub(crate) left_out: Vec<LeftOut>,
}

pub(crate) fn region() -> Region {
    "eu-west-1".parse().expect("a region")
}

/// Where an aspect is looked at: IAM has no regions.
fn place(aspect: &ObservedAspect) -> Option<Region> {
    let of = aspect.of.resource_type();
    (of.is_regional() || of == ResourceType::Bucket).then(region)
}

/// A resource of the region.
pub(crate) fn thing(resource_type: ResourceType, id: &str) -> ResourceId {
    (resource_type, Key::regional(&region(), id))
}

impl Trial {
    pub(crate) fn new() -> Self {
        let account: AccountId = "111122223333".parse().expect("an account");
        Self {
            inventory: Inventory::new(Source::Aws, Some(account), Partition::Aws, String::new()),
            settings: Settings::default(),
            limits: Limits::default(),
            findings: Vec::new(),
            sights: Vec::new(),
        }
    }

    /// This remediation is called for, with the value of whatever parameter it takes.
    pub(crate) fn finding(mut self, remediation: &str, thing: ResourceId, param: Json) -> Self {
        self.findings.push((remediation.to_owned(), thing, param));
        self
    }

    /// This is known from the scan.
    pub(crate) fn knows(mut self, (resource_type, key): ResourceId, attributes: Json) -> Self {
        resource_type.insert(&mut self.inventory, key, Fact::Known(true), attributes).expect("attributes of the type");
        self
    }

    /// This is known not to exist.
    pub(crate) fn lacks(mut self, (resource_type, key): ResourceId) -> Self {
        resource_type
            .insert(&mut self.inventory, key, Fact::Known(false), Json::Object(Map::new()))
            .expect("no attributes");
        self
    }

    /// This is allowed, and these resources are named.
    pub(crate) fn allowing(mut self, allowed: &[Allow], named: &[&str]) -> Self {
        self.limits.allowed.extend(allowed);
        self.limits.named.extend(named.iter().map(|id| (*id).to_owned()));
        self
    }

    /// This is seen.
    pub(crate) fn sees(mut self, aspect: ObservedAspect, state: Json) -> Self {
        self.sights.push((aspect, Some(state)));
        self
    }

    /// The caller may not look at this.
    pub(crate) fn may_not_see(mut self, aspect: ObservedAspect) -> Self {
        self.sights.push((aspect, None));
        self
    }

    pub(crate) fn plan(&self) -> Planned {
        static REMEDIES: LazyLock<RemediationSpecs> = LazyLock::new(|| {
            let library = crate::engine::rule::embedded().expect("the rules load");
            remediation::embedded(&library).expect("the remediations load")
        });
        let account: AccountId = "111122223333".parse().expect("an account");
        let mut builder = PlanBuilder::new("PLAN", &self.inventory, &account, &self.settings);
        builder.limits = self.limits.clone();
        for (index, (id, thing, param)) in self.findings.iter().enumerate() {
            let remedy = &REMEDIES[id];
            let subject = Subject {
                resource_type: thing.0,
                id: thing.1.id.as_ref().to_owned(),
                account: account.clone(),
                region: thing.1.region.clone(),
            };
            let (rule, fingerprint) = (id.clone(), index.to_string());
            builder.goals.push(Goal { rule, remedy, thing: thing.clone(), subject, fingerprint });
            let aims = BTreeSet::from([index]);
            match &remedy.action {
                Action::Do(task) => builder.ask(thing, task, &aims),
                Action::Set(wishes) => wishes.iter().for_each(|(attribute, wish)| {
                    let value = if let DesiredValue::Value(value) = wish { value } else { param };
                    builder.want(thing, attribute, value.clone(), &aims);
                }),
            }
        }
        for setter in in_order_of_asking() {
            for (thing, wanted) in builder.wanted_of(setter.resource_type()) {
                setter.propagate(&thing, &wanted, &mut builder);
            }
        }
        for (task, aims) in builder.wanted.values().flat_map(|wanted| &wanted.tasks) {
            for aim in aims {
                let goal = &builder.goals[*aim];
                let declared = abilities_of([goal.remedy]).iter().any(|ability| ability.name == task.as_str());
                assert!(declared, "{} asks for {task}, which no ability of it declares", goal.rule);
            }
        }
        let denied = || Gap::of_call(GapKind::Denied, "ec2:DescribeSomething").into();
        builder.seen = self
            .sights
            .iter()
            .map(|(aspect, state)| ((place(aspect), aspect.clone()), state.clone().ok_or_else(denied)))
            .collect();
        for setter in SETTERS {
            for (thing, wanted) in builder.wanted_of(setter.resource_type()) {
                let required_reads = setter.required_reads(&thing, &wanted, &builder);
                let unseen = required_reads.iter().find(|look| !builder.seen.contains_key(*look));
                assert_eq!(unseen, None, "a look that the test does not answer");
            }
        }
        for setter in SETTERS {
            for (thing, _) in builder.wanted_of(setter.resource_type()) {
                setter.resolve_alias(&thing, &mut builder);
            }
        }
        for setter in SETTERS {
            for (thing, wanted) in builder.wanted_of(setter.resource_type()) {
                setter.builder(&thing, &wanted, &mut builder);
            }
        }
        builder.share_aims();
        self.limits.hold(&mut builder);
        let (steps, aims, left_out) = builder.finish(1).expect("a plan that holds together");
        Planned { steps, aims, left_out }
    }
}

impl Planned {
    /// Each step's call with its parameters.
    pub(crate) fn calls(&self) -> Vec<(&'static str, Json)> {
        self.steps.iter().map(|step| (step.call.call().operation, step.call.parameters())).collect()
    }

    /// The names of the calls.
    pub(crate) fn operations(&self) -> Vec<&'static str> {
        self.steps.iter().map(|step| step.call.call().operation).collect()
    }

    /// Why findings were left out.
    pub(crate) fn reasons(&self) -> Vec<&str> {
        self.left_out.iter().map(|left| left.reason.as_str()).collect()
    }
}
