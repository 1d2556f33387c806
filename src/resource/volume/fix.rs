//! Instances: an encrypted root volume in place of one that is not. The old volume and the snapshot stay; if a step
//! fails, the old volume goes back and the instance is started again.

mod hindrance;
#[cfg(test)]
mod tests;

use serde_json::{Value as Json, json};

use super::fix_key;
use crate::model::{Key, Region, ResourceType};
use crate::remediate::observed::{AspectKind, KEY_MADE_BY as MADE_BY, ObservedAspect, made_for};
use crate::remediate::operation::{
    AttachVolume, CreateSnapshot, CreateVolume, DeleteSnapshot, DeleteVolume, DetachVolume,
    EbsInstanceBlockDeviceSpecification, Ec2Tag, InstanceBlockDeviceMappingSpecification, ModifyInstanceAttribute,
    Operation, StartInstances, StopInstances, TagSpecification,
};
use crate::remediate::plan::Undo;
use crate::remediate::plan_builder::{Aims, Change, DesiredState, PlanBuilder, ResourceId};
use crate::remediate::setters::{Ability, Setter};
use crate::remediate::step_output::{Reference, Text};
use crate::resource::volume::fix::hindrance::{hindrance, unusable};

/// Swaps root volumes.
pub(crate) struct RootVolume;

const TASK: &str = "swap-root-volume";

/// The same for a volume that is encrypted, but not with a key of the customer's own.
const OWN_KEY: &str = "swap-root-volume-for-own-key";

const TASKS: &[&str] = &[TASK, OWN_KEY];

static ABILITIES: &[Ability] = &[ability(TASK), ability(OWN_KEY)];

const fn ability(task: &'static str) -> Ability {
    Ability::task(
        task,
        &[
            AttachVolume::CALL,
            CreateSnapshot::CALL,
            CreateVolume::CALL,
            DeleteSnapshot::CALL,
            DeleteVolume::CALL,
            DetachVolume::CALL,
            ModifyInstanceAttribute::CALL,
            StartInstances::CALL,
            StopInstances::CALL,
        ],
        &[
            AspectKind::DefaultVolumeKey,
            AspectKind::InstanceDevice,
            AspectKind::InstanceRoot,
            AspectKind::InstanceState,
            AspectKind::RootSnapshot,
            AspectKind::RootVolumeMade,
            AspectKind::Volume,
            AspectKind::VolumeKey,
        ],
    )
    .asking(&[fix_key::ASK])
}

impl Setter for RootVolume {
    fn resource_type(&self) -> ResourceType {
        ResourceType::Instance
    }

    fn abilities(&self) -> &'static [Ability] {
        ABILITIES
    }

    fn propagate(&self, thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
        let aims = wanted.tasks(TASKS);
        if !aims.is_empty() {
            fix_key::ask(thing, &aims, builder);
        }
    }

    fn required_reads(
        &self,
        thing: &ResourceId,
        wanted: &DesiredState,
        builder: &PlanBuilder<'_>,
    ) -> Vec<(Option<Region>, ObservedAspect)> {
        if wanted.tasks(TASKS).is_empty() {
            return Vec::new();
        }
        let root = ObservedAspect::of(AspectKind::InstanceRoot, thing.1.id.as_ref());
        [root, key(thing, builder)].map(|aspect| (thing.1.region.clone(), aspect)).into()
    }

    fn builder(&self, thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
        let mut aims = wanted.tasks(TASKS);
        if aims.is_empty() {
            return;
        }
        let region = thing.1.region.as_ref();
        let Some(root) = crate::remediate::setters::seen(
            builder,
            region,
            &ObservedAspect::of(AspectKind::InstanceRoot, thing.1.id.as_ref()),
            &aims,
        ) else {
            return;
        };
        let aspect = key(thing, builder);
        let Some(key) = crate::remediate::setters::seen(builder, region, &aspect, &aims) else { return };
        if let Some(reason) = hindrance(&root).or_else(|| unusable(&key)) {
            return builder.leave_out(&aims, reason);
        }
        for task in TASKS {
            if let (Some(of), Some(reason)) = (wanted.task(task), pointless(task, &root, &key)) {
                builder.leave_out(of, reason);
                aims.retain(|aim| !of.contains(aim));
            }
        }
        if !aims.is_empty() {
            Swap::new(thing, &aims, &root, &key, builder).builder();
        }
    }
}

/// Why a swap for this would change nothing.
fn pointless(task: &str, root: &Json, key: &Json) -> Option<String> {
    let own = key["KeyManager"] == "CUSTOMER";
    match task {
        TASK if root["Volume"]["Encrypted"] == true => Some("its root volume is encrypted by now".to_owned()),
        OWN_KEY if !own => Some(format!(
            "set fix.volume_key in ssm-audit.yaml to a key of your own: {} is AWS's",
            key["KeyId"].as_str().unwrap_or_default()
        )),
        OWN_KEY if root["Volume"]["KmsKeyId"] == key["Arn"] => {
            Some("its root volume is encrypted with that key by now".to_owned())
        }
        _ => None,
    }
}

/// The key that the new volume is to be encrypted with.
fn key(thing: &ResourceId, builder: &PlanBuilder<'_>) -> ObservedAspect {
    match &builder.settings.volume_key {
        Some(key) => ObservedAspect::of(AspectKind::VolumeKey, builder.here(thing.1.region.as_ref()).fill(key)),
        None => ObservedAspect::of(AspectKind::DefaultVolumeKey, "the account"),
    }
}

/// What was seen of the key that the new root volume of an instance will have; none where there will be no new one.
pub(crate) fn new_key(instance: &Key, builder: &PlanBuilder<'_>) -> Option<Json> {
    let thing = (ResourceType::Instance, instance.clone());
    let wanted = builder.wanted.get(&thing)?;
    let root = builder
        .observation(instance.region.as_ref(), &ObservedAspect::of(AspectKind::InstanceRoot, instance.id.as_ref()))
        .ok()?;
    let key = builder.observation(instance.region.as_ref(), &key(&thing, builder)).ok()?;
    let swaps = TASKS.iter().any(|task| wanted.task(task).is_some() && pointless(task, &root, &key).is_none());
    (swaps && hindrance(&root).or_else(|| unusable(&key)).is_none()).then_some(key)
}

/// Tags that a new volume can have, too: those that AWS reserves cannot be given.
fn copied(tags: &Json) -> Vec<Ec2Tag> {
    let tags = tags.as_object().into_iter().flatten().filter(|(key, _)| !key.starts_with("aws:"));
    tags.map(|(key, value)| Ec2Tag { key: key.clone(), value: value.as_str().unwrap_or_default().to_owned() }).collect()
}

/// The swap of one volume, step by step.
struct Swap<'r, 'd, 'a> {
    thing: &'r ResourceId,
    aims: &'r Aims,
    root: &'r Json,
    key: &'r Json,
    builder: &'d mut PlanBuilder<'a>,
    /// The step before.
    last: Option<usize>,
}

impl<'r, 'd, 'a> Swap<'r, 'd, 'a> {
    fn new(
        thing: &'r ResourceId,
        aims: &'r Aims,
        root: &'r Json,
        key: &'r Json,
        builder: &'d mut PlanBuilder<'a>,
    ) -> Self {
        Self { thing, aims, root, key, builder, last: None }
    }

    fn builder(mut self) {
        let runs = self.root["InstanceState"] == "running";
        let old = text(&self.root["Volume"]["VolumeId"]);
        if runs {
            self.stop();
        }
        let snapshot = self.snapshot(&old);
        let new = Reference::to(self.volume(&snapshot), "VolumeId").into();
        // The old volume must outlive its instance, and when it is put back it must be as it was.
        let kept = self.root["DeleteOnTermination"] != true;
        if !kept {
            self.delete_on_termination(&old.as_str().into(), false);
        }
        self.detach(&old);
        self.attach(&new, &old);
        if !kept {
            self.delete_on_termination(&new, true);
        }
        if runs {
            self.start();
        }
    }

    fn stop(&mut self) {
        let instance_ids = vec![self.id()];
        let call = StopInstances { instance_ids: instance_ids.clone() };
        let (before, after) = (json!({"State": "running"}), json!({"State": "stopped"}));
        let mut change = self
            .change(AspectKind::InstanceState, before, after, call)
            .undone_by(StartInstances { instance_ids })
            .rehearsed();
        let addresses: Vec<&str> =
            self.root["PublicIps"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        if !addresses.is_empty() {
            let addresses = addresses.join(", ");
            change = change.warning(format!("its public address {addresses} is not elastic: it will have another one"));
        }
        self.add(change);
    }

    fn start(&mut self) {
        let instance_ids = vec![self.id()];
        let call = StartInstances { instance_ids: instance_ids.clone() };
        let (before, after) = (json!({"State": "stopped"}), json!({"State": "running"}));
        let change =
            self.change(AspectKind::InstanceState, before, after, call).undone_by(StopInstances { instance_ids });
        self.add(change.rehearsed());
    }

    fn snapshot(&mut self, old: &str) -> Text {
        let call = CreateSnapshot {
            volume_id: old.to_owned(),
            description: format!("{old}, the root volume of {}, before it is encrypted", self.id()),
            tag_specifications: self.tags("snapshot"),
        };
        let after = json!({"VolumeId": old, "State": "completed"});
        let change = self.change(AspectKind::RootSnapshot, Json::Null, after, call);
        let change = Change { aspect: change.aspect.part(self.builder.id), ..change }.creating().rehearsed();
        let change =
            change.warning("the snapshot is kept, and charged for, until `ssm-audit resume RUN --delete-replaced`");
        let made = self.add_deletable(change, |made| {
            DeleteSnapshot { snapshot_id: Reference::to(made, "SnapshotId").into() }.into()
        });
        Reference::to(made, "SnapshotId").into()
    }

    /// The new volume, like the old one.
    fn volume(&mut self, snapshot: &Text) -> usize {
        let old = &self.root["Volume"];
        let kind = text(&old["VolumeType"]);
        let number = |member: &str| old[member].as_i64().and_then(|number| i32::try_from(number).ok());
        let for_types = |kinds: &[&str], number: Option<i32>| number.filter(|_| kinds.contains(&kind.as_str()));
        let iops = for_types(&["gp3", "io1", "io2"], number("Iops"));
        let throughput = for_types(&["gp3"], number("Throughput"));
        let size = number("Size");
        let call = CreateVolume {
            availability_zone: text(&old["AvailabilityZone"]),
            snapshot_id: Some(snapshot.clone()),
            size,
            iops,
            throughput,
            volume_type: kind.clone(),
            encrypted: true,
            // Which is the default is decided now, and not when the volume is made.
            kms_key_id: self.key["Arn"].as_str().map(str::to_owned),
            tag_specifications: self.tags("volume"),
            client_token: self.made_by().replace('/', "-"),
        };
        let mut after = json!({
            "State": "available",
            "Encrypted": true,
            "AvailabilityZone": old["AvailabilityZone"],
            "Size": size,
            "VolumeType": kind,
        });
        // What a type does not let one choose follows from its size.
        for (member, asked) in [("Iops", iops), ("Throughput", throughput)] {
            if let Some(asked) = asked {
                after[member] = asked.into();
            }
        }
        if let Some(key) = self.key["Arn"].as_str() {
            after["KmsKeyId"] = key.into();
        }
        // There is no snapshot yet.
        let rehearsal = CreateVolume { snapshot_id: None, ..call.clone() };
        let change = self.change(AspectKind::RootVolumeMade, Json::Null, after, call).rehearsed_by(rehearsal);
        let mut change = Change { aspect: change.aspect.part(self.builder.id), ..change }.creating();
        let reserved = old["Tags"].as_object().into_iter().flatten().map(|(key, _)| key.as_str());
        let reserved: Vec<&str> = reserved.filter(|key| key.starts_with("aws:")).collect();
        if !reserved.is_empty() {
            change = change
                .warning(format!("tags that only AWS can set are not on the new volume: {}", reserved.join(", ")));
        }
        self.add_deletable(change, |made| DeleteVolume { volume_id: Reference::to(made, "VolumeId").into() }.into())
    }

    fn detach(&mut self, old: &str) {
        let (device, volume_id): (_, Text) = (self.device(), old.into());
        let call = DetachVolume { instance_id: self.id(), device: device.clone(), volume_id: volume_id.clone() };
        let back = AttachVolume { instance_id: self.id(), device, volume_id };
        let before = json!({"VolumeId": old, "InstanceState": "stopped"});
        let change = self.at_device(before, json!({"VolumeId": null}), call).undone_by(back).rehearsed();
        let plain = if self.root["Volume"]["Encrypted"] == true { "" } else { ", not encrypted" };
        let kept = format!("{old} is kept{plain} and charged for, until `ssm-audit resume RUN --delete-replaced`");
        self.add(change.warning(kept));
    }

    fn attach(&mut self, new: &Text, old: &str) {
        let (device, volume_id) = (self.device(), new.clone());
        let call = AttachVolume { instance_id: self.id(), device: device.clone(), volume_id: volume_id.clone() };
        let back = DetachVolume { instance_id: self.id(), device, volume_id };
        let before = json!({"VolumeId": null, "InstanceState": "stopped"});
        let after = json!({"State": "attached"});
        // The old volume stands for the new one, and it is what would have to go back.
        let rehearsal = AttachVolume { volume_id: old.into(), ..call.clone() };
        let change = self.at_device(before, after, call).with_made_after("VolumeId", new.clone());
        self.add(change.undone_by(back).rehearsed_by(rehearsal));
    }

    /// Whether the volume that is attached is deleted with the instance.
    fn delete_on_termination(&mut self, volume: &Text, delete: bool) {
        let state = |delete: bool| json!({"DeleteOnTermination": delete});
        let call = |delete_on_termination: bool| ModifyInstanceAttribute {
            instance_id: self.id(),
            block_device_mappings: vec![InstanceBlockDeviceMappingSpecification {
                device_name: self.device(),
                ebs: EbsInstanceBlockDeviceSpecification { delete_on_termination },
            }],
        };
        let change = self.at_device(state(!delete), state(delete), call(delete)).undone_by(call(!delete)).rehearsed();
        self.add(change.with_made_before("VolumeId", volume.clone()).with_made_after("VolumeId", volume.clone()));
    }

    fn change(&self, kind: AspectKind, before: Json, after: Json, call: impl Into<Operation>) -> Change {
        let aspect = ObservedAspect::of(kind, self.id());
        let change = Change::new(self.thing.clone(), self.aims.clone(), aspect, before, after, call);
        Change { unit: Some(format!("root volume of {}", self.id())), ..change }.needing(self.last)
    }

    fn at_device(&self, before: Json, after: Json, call: impl Into<Operation>) -> Change {
        let change = self.change(AspectKind::InstanceDevice, before, after, call);
        Change { aspect: change.aspect.part(self.device()), ..change }
    }

    fn add(&mut self, change: Change) -> usize {
        let step = self.builder.add(change);
        self.last = Some(step);
        step
    }

    /// Adds a step whose undo deletes what it made.
    fn add_deletable(&mut self, change: Change, delete: impl Fn(usize) -> Operation) -> usize {
        let step = self.builder.changes.len();
        self.add(Change { undo: Undo::Deletes(delete(step)), ..change })
    }

    /// What the snapshot and the volume are found by.
    fn made_by(&self) -> String {
        made_for(self.builder.id, &self.id())
    }

    /// The old volume's tags, and the one that tells what was made.
    fn tags(&self, resource_type: &str) -> Vec<TagSpecification> {
        let mut tags = copied(&self.root["Volume"]["Tags"]);
        tags.retain(|tag| tag.key != MADE_BY);
        tags.push(Ec2Tag { key: MADE_BY.to_owned(), value: self.made_by() });
        vec![TagSpecification { resource_type: resource_type.to_owned(), tags }]
    }

    fn id(&self) -> String {
        self.thing.1.id.as_ref().to_owned()
    }

    fn device(&self) -> String {
        text(&self.root["RootDeviceName"])
    }
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
