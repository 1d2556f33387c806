//! Instances: metadata options, monitoring.

use serde_json::{Value as Json, json};

use crate::model::{Region, ResourceType};
use crate::remediate::observed::{AspectKind, ObservedAspect};
use crate::remediate::operation::{ModifyInstanceMetadataOptions, MonitorInstances, Operation, UnmonitorInstances};
use crate::remediate::plan_builder::{Aims, Change, DesiredState, PlanBuilder, ResourceId};
use crate::remediate::setters::{Ability, Setter};

/// Sets attributes of instances.
pub(crate) struct Instances;

const METADATA_OPTIONS: &[(&str, &str)] = &[
    ("metadata_options.http_tokens", "HttpTokens"),
    ("metadata_options.http_endpoint", "HttpEndpoint"),
    ("metadata_options.http_put_response_hop_limit", "HttpPutResponseHopLimit"),
    ("metadata_options.instance_metadata_tags", "InstanceMetadataTags"),
];

const fn metadata(attribute: &'static str) -> Ability {
    Ability::set(attribute, &[ModifyInstanceMetadataOptions::CALL], &[AspectKind::InstanceMetadataOptions])
}

static ABILITIES: &[Ability] = &[
    metadata("metadata_options.http_tokens"),
    metadata("metadata_options.http_endpoint"),
    metadata("metadata_options.http_put_response_hop_limit"),
    metadata("metadata_options.instance_metadata_tags"),
    Ability::set("monitoring", &[MonitorInstances::CALL, UnmonitorInstances::CALL], &[AspectKind::InstanceMonitoring]),
];

impl Setter for Instances {
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
        let mut kinds: Vec<AspectKind> = wanted
            .set
            .keys()
            .filter_map(|attribute| crate::remediate::setters::ability(ResourceType::Instance, attribute))
            .flat_map(|ability| ability.required_reads)
            .copied()
            .collect();
        kinds.dedup();
        kinds.into_iter().map(|kind| (key.region.clone(), ObservedAspect::of(kind, key.id.as_ref()))).collect()
    }

    fn builder(&self, thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
        metadata_options(thing, wanted, builder);
        monitoring(thing, wanted, builder);
    }
}

/// One call for all options that are wanted.
fn metadata_options(thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
    let mut values = serde_json::Map::new();
    let mut aims = Aims::new();
    for (attribute, name) in METADATA_OPTIONS {
        if let Some((value, why)) = wanted.set.get(*attribute) {
            values.insert((*name).to_owned(), value.clone());
            aims.extend(why);
        }
    }
    if values.is_empty() {
        return;
    }
    let aspect = ObservedAspect::of(AspectKind::InstanceMetadataOptions, thing.1.id.as_ref());
    let Some(mut before) = crate::remediate::setters::seen(builder, thing.1.region.as_ref(), &aspect, &aims) else {
        return;
    };
    // A change that is under way comes to its end by itself, and none is asked for to undo this one.
    if before["State"] == "pending" {
        before["State"] = "applied".into();
    }
    let call = |values: &dyn Fn(&str) -> Json| ModifyInstanceMetadataOptions {
        instance_id: thing.1.id.as_ref().to_owned(),
        http_tokens: values("HttpTokens").as_str().map(str::to_owned),
        http_endpoint: values("HttpEndpoint").as_str().map(str::to_owned),
        http_put_response_hop_limit: values("HttpPutResponseHopLimit")
            .as_i64()
            .and_then(|hops| i32::try_from(hops).ok()),
        instance_metadata_tags: values("InstanceMetadataTags").as_str().map(str::to_owned),
    };
    let forward = call(&|name| values.get(name).cloned().unwrap_or_default());
    let backward = call(&|name| if values.contains_key(name) { before[name].clone() } else { Json::Null });
    let mut after = values.clone();
    after.insert("State".to_owned(), "applied".into());
    builder.add(Change::new(thing.clone(), aims, aspect, before, Json::Object(after), forward).undone_by(backward));
}

fn monitoring(thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
    let Some((value, aims)) = wanted.set.get("monitoring") else { return };
    let aspect = ObservedAspect::of(AspectKind::InstanceMonitoring, thing.1.id.as_ref());
    let Some(before) = crate::remediate::setters::seen(builder, thing.1.region.as_ref(), &aspect, aims) else { return };
    let instance_ids = vec![thing.1.id.as_ref().to_owned()];
    let on: Operation = MonitorInstances { instance_ids: instance_ids.clone() }.into();
    let off: Operation = UnmonitorInstances { instance_ids }.into();
    let wants = *value == json!(true);
    let (call, undo, after) = if wants { (on, off, "enabled") } else { (off, on, "disabled") };
    builder.add(Change::new(thing.clone(), aims.clone(), aspect, before, after.into(), call).undone_by(undo));
}
