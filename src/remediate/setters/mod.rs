//! Setters: they plan the steps that lead from the observed to the desired state. Each is in `fix.rs` of its resource type.
//!
//! A setter is asked three things, in turn: what its wishes ask of other resources (`propagate`), what must be looked at
//! (`required_reads`), and, when that was seen, which steps lead there (`builder`). It reads nothing and sends nothing itself.

#[cfg(test)]
mod hazards;
#[cfg(test)]
mod reuse;
#[cfg(test)]
pub(crate) mod trial;

use serde_json::Value as Json;

use super::observed::{AspectKind, ObservedAspect};
use super::plan_builder::{Aims, DesiredState, PlanBuilder, ResourceId};
use crate::model::call::Call;
use crate::model::{Region, ResourceType};
use crate::resource::bucket;
use crate::resource::instance;
use crate::resource::instance_profile;
use crate::resource::key;
pub(crate) use crate::resource::key::fix::{grants_logs, logs_service};
use crate::resource::log_group;
use crate::resource::role;
pub(crate) use crate::resource::role::fix::{ATTACHED as ATTACHED_POLICIES, POLICY as INLINE_POLICY};
use crate::resource::security_group;
use crate::resource::session_preferences;
pub(crate) use crate::resource::session_preferences::fix::INPUTS;
use crate::resource::volume;

/// What sets attributes of a type of resource, and does tasks on it.
pub(crate) trait Setter: Sync {
    /// The type.
    fn resource_type(&self) -> ResourceType;

    /// What it can do.
    fn abilities(&self) -> &'static [Ability];

    /// Asks of other resources what this one needs of them.
    fn propagate(&self, _thing: &ResourceId, _wanted: &DesiredState, _draft: &mut PlanBuilder<'_>) {}

    /// What must be looked at, and in which region.
    fn required_reads(
        &self,
        thing: &ResourceId,
        wanted: &DesiredState,
        builder: &PlanBuilder<'_>,
    ) -> Vec<(Option<Region>, ObservedAspect)>;

    /// Says what a thing turned out to be, if it is not what it is called.
    fn resolve_alias(&self, _thing: &ResourceId, _draft: &mut PlanBuilder<'_>) {}

    /// Drafts the steps.
    fn builder(&self, thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>);
}

/// Something that a setter can do, and the calls that it may take.
#[derive(Debug)]
pub(crate) struct Ability {
    /// The path of an attribute that it sets, or a task that it does.
    pub(crate) name: &'static str,
    /// Whether that is an attribute.
    pub(crate) sets: bool,
    /// The calls that may change something.
    pub(crate) calls: &'static [Call],
    /// What is looked at.
    pub(crate) required_reads: &'static [AspectKind],
    /// What else it may ask for, of which resources.
    pub(crate) asks: &'static [(ResourceType, &'static str)],
    /// True if it depends on more than what the rule of the finding reads.
    pub(super) reads_all: bool,
}

impl Ability {
    /// Sets an attribute.
    pub(crate) const fn set(name: &'static str, calls: &'static [Call], required_reads: &'static [AspectKind]) -> Self {
        Self { name, sets: true, calls, required_reads, asks: &[], reads_all: false }
    }

    /// Does a task.
    pub(crate) const fn task(
        name: &'static str,
        calls: &'static [Call],
        required_reads: &'static [AspectKind],
    ) -> Self {
        Self { name, sets: false, calls, required_reads, asks: &[], reads_all: true }
    }

    /// Asking for this besides.
    pub(crate) const fn asking(self, asks: &'static [(ResourceType, &'static str)]) -> Self {
        Self { asks, reads_all: true, ..self }
    }

    /// Depending on what other rules read, too.
    pub(crate) const fn reading_all(self) -> Self {
        Self { reads_all: true, ..self }
    }
}

/// All setters, in the order in which what they make is referred to: what comes later needs what comes before.
pub(super) static SETTERS: &[&dyn Setter] = &[
    &key::fix::Keys,
    &log_group::fix::LogGroups,
    &bucket::fix::Buckets,
    &role::fix::Roles,
    &instance_profile::fix::Profiles,
    &session_preferences::fix::Preferences,
    &instance::fix_profile::OfInstances,
    // It asks something of groups, when it is known what they are like.
    &instance::fix_https_egress::HttpsEgress,
    &security_group::fix::SecurityGroups,
    &instance::fix::Instances,
    &instance::fix_tags::InstanceTags,
    &volume::fix::RootVolume,
];

/// The order in which setters ask things of each other's resources: what asks comes before what is asked.
pub(super) fn in_order_of_asking() -> impl Iterator<Item = &'static dyn Setter> {
    SETTERS.iter().rev().copied()
}

fn abilities(resource_type: ResourceType) -> impl Iterator<Item = &'static Ability> {
    SETTERS.iter().filter(move |setter| setter.resource_type() == resource_type).flat_map(|setter| setter.abilities())
}

/// What a setter can do under this name.
pub(crate) fn ability(resource_type: ResourceType, name: &str) -> Option<&'static Ability> {
    abilities(resource_type).find(|ability| ability.name == name)
}

/// Whether a setter sets this attribute.
pub(crate) fn sets(resource_type: ResourceType, attribute: &str) -> bool {
    ability(resource_type, attribute).is_some_and(|ability| ability.sets)
}

/// Whether a setter does this task.
pub(crate) fn does(resource_type: ResourceType, task: &str) -> bool {
    ability(resource_type, task).is_some_and(|ability| !ability.sets)
}

/// The tasks that setters do to resources of this type.
pub(super) fn procedures(resource_type: ResourceType) -> impl Iterator<Item = &'static str> {
    abilities(resource_type).filter(|ability| !ability.sets).map(|ability| ability.name)
}

/// What was seen of an aspect of something that is there. Where nothing was, the findings are left out.
pub(crate) fn seen(
    builder: &mut PlanBuilder<'_>,
    region: Option<&Region>,
    aspect: &ObservedAspect,
    aims: &Aims,
) -> Option<Json> {
    match builder.observation(region, aspect) {
        Ok(Json::Null) => {
            builder.leave_out(aims, format!("{aspect}: it is not there any more"));
            None
        }
        Ok(state) => Some(state),
        Err(gap) => {
            builder.leave_out(aims, format!("{aspect} could not be looked at: {gap}"));
            None
        }
    }
}
