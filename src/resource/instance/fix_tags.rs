//! Instances: tags that are missing. Values come from the settings; what is there keeps the value that it has.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::model::{Region, ResourceType};
use crate::remediate::observed::{AspectKind, ObservedAspect};
use crate::remediate::operation::{CreateTags, DeleteTags, Ec2Tag};
use crate::remediate::plan_builder::{Change, DesiredState, PlanBuilder, ResourceId};
use crate::remediate::setters::{Ability, Setter};

/// Adds tags to instances.
pub(crate) struct InstanceTags;

static ABILITIES: &[Ability] =
    &[Ability::set("tags", &[CreateTags::CALL, DeleteTags::CALL], &[AspectKind::InstanceTags])];

impl Setter for InstanceTags {
    fn resource_type(&self) -> ResourceType {
        ResourceType::Instance
    }

    fn abilities(&self) -> &'static [Ability] {
        ABILITIES
    }

    fn required_reads(
        &self,
        (_, key): &ResourceId,
        wanted: &DesiredState,
        _: &PlanBuilder<'_>,
    ) -> Vec<(Option<Region>, ObservedAspect)> {
        let wanted = wanted.set.get("tags");
        wanted
            .map(|_| (key.region.clone(), ObservedAspect::of(AspectKind::InstanceTags, key.id.as_ref())))
            .into_iter()
            .collect()
    }

    fn builder(&self, thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
        let Some((keys, aims)) = wanted.set.get("tags") else { return };
        let aspect = ObservedAspect::of(AspectKind::InstanceTags, thing.1.id.as_ref());
        let Some(there) = crate::remediate::setters::seen(builder, thing.1.region.as_ref(), &aspect, aims) else {
            return;
        };
        let keys = keys.as_array().into_iter().flatten().filter_map(Json::as_str);
        let missing: Vec<&str> = keys.filter(|key| there.get(*key).is_none()).collect();
        let (given, without): (Vec<_>, Vec<_>) = missing
            .into_iter()
            .map(|key| (key, builder.settings.tags.get(key).cloned()))
            .partition(|tag| tag.1.is_some());
        if !without.is_empty() {
            let keys: Vec<String> = without.iter().map(|(key, _)| format!("fix.tags.{key}")).collect();
            builder.leave_out(aims, format!("the values of the tags are for you to say: set {}", keys.join(" and ")));
            return;
        }
        let tags: BTreeMap<&str, String> = given.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        if tags.is_empty() {
            return;
        }
        let resources = vec![thing.1.id.as_ref().to_owned()];
        let as_list: Vec<Ec2Tag> =
            tags.iter().map(|(key, value)| Ec2Tag { key: (*key).to_owned(), value: value.clone() }).collect();
        let before = tags.keys().map(|key| ((*key).to_owned(), Json::Null)).collect();
        let create = CreateTags { resources: resources.clone(), tags: as_list.clone() };
        let change = Change::new(thing.clone(), aims.clone(), aspect, Json::Object(before), json!(tags), create);
        builder.add(change.undone_by(DeleteTags { resources, tags: as_list }));
    }
}
