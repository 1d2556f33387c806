//! Observed root volumes of instances, and the snapshots and volumes that replace them.

use aws_sdk_ec2::types::{Filter, Instance, InstanceAttributeName, InstanceType, Volume};
use serde_json::{Value as Json, json};

use crate::aws::Failure;
use crate::model::call::{Call, DESCRIBE_KEY, DESCRIBE_VOLUMES};
use crate::remediate::account_clients::RegionClients;
use crate::remediate::observed::ObservedAspect;
use crate::resource::instance::observed::{goes_with_instance, instance, named, state_of};
use crate::resource::key::observed::MADE_BY;

pub(crate) const DESCRIBE_INSTANCE_ATTRIBUTE: Call =
    Call { service: "ec2", operation: "DescribeInstanceAttribute", actions: &["ec2:DescribeInstanceAttribute"] };
pub(crate) const DESCRIBE_INSTANCE_TYPES: Call =
    Call { service: "ec2", operation: "DescribeInstanceTypes", actions: &["ec2:DescribeInstanceTypes"] };
pub(crate) const DESCRIBE_SNAPSHOTS: Call =
    Call { service: "ec2", operation: "DescribeSnapshots", actions: &["ec2:DescribeSnapshots"] };
pub(crate) const GET_EBS_DEFAULT_KMS_KEY_ID: Call =
    Call { service: "ec2", operation: "GetEbsDefaultKmsKeyId", actions: &["ec2:GetEbsDefaultKmsKeyId"] };

/// The most results that a page of these operations can have.
const PAGE: i32 = 1000;

/// The root volume, with what another must be like to take its place, and what stands in the way of that.
pub(crate) async fn root(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    let Some(instance) = instance(place, &aspect.id).await? else { return Ok(Json::Null) };
    let device = instance.root_device_name.clone();
    let mapping = instance.block_device_mappings().iter().find(|mapping| mapping.device_name == device);
    let attached = mapping.and_then(|mapping| mapping.ebs.as_ref());
    let volume = match attached.and_then(|attached| attached.volume_id.as_deref()) {
        Some(id) => volumes(place, Filter::builder().name("volume-id").values(id).build()).await?.into_iter().next(),
        None => None,
    };
    Ok(json!({
        "InstanceState": state_of(&instance),
        "InstanceLifecycle": instance.instance_lifecycle.as_ref().map(|lifecycle| lifecycle.as_str().to_owned()),
        "Operator": instance.operator.as_ref().filter(|operator| operator.managed == Some(true))
            .map(|operator| operator.principal.clone().unwrap_or_default()),
        "InstanceStore": has_instance_store(place, instance.instance_type.as_ref()).await?,
        "DisableApiStop": stop_protection(place, &aspect.id).await?,
        "PublicIps": passing_addresses(&instance),
        "Tags": named(instance.tags.clone()),
        "RootDeviceType": instance.root_device_type.as_ref().map(|kind| kind.as_str().to_owned()),
        "RootDeviceName": device,
        "DeleteOnTermination": attached.map(goes_with_instance).transpose()?,
        "Volume": volume.map(described),
    }))
}

/// Whether instances of this type have disks of their host, which lose what is on them when the instance stops. They
/// are not among the devices of an instance.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-store-volumes.html>
async fn has_instance_store(place: &RegionClients<'_>, kind: Option<&InstanceType>) -> Result<Option<bool>, Failure> {
    let Some(kind) = kind else { return Ok(None) };
    let request =
        |token| place.ec2().describe_instance_types().instance_types(kind.clone()).set_next_token(token).send();
    let mut described = None;
    let read = place.pages(&DESCRIBE_INSTANCE_TYPES, request, |page| {
        described = described.take().or_else(|| page.instance_types.into_iter().flatten().next());
        page.next_token.filter(|_| described.is_none())
    });
    read.await?;
    Ok(described.and_then(|described| described.instance_storage_supported))
}

async fn stop_protection(place: &RegionClients<'_>, id: &str) -> Result<Option<bool>, Failure> {
    let attribute = InstanceAttributeName::DisableApiStop;
    let request = place.ec2().describe_instance_attribute().instance_id(id).attribute(attribute);
    let answer = place.read(&DESCRIBE_INSTANCE_ATTRIBUTE, request.send()).await?;
    Ok(answer.disable_api_stop.and_then(|value| value.value))
}

/// Public addresses that an instance has only until it stops: those that are Amazon's and not the account's.
fn passing_addresses(instance: &Instance) -> Vec<String> {
    let interfaces = instance.network_interfaces().iter();
    let associations = interfaces.filter_map(|interface| interface.association.as_ref());
    let passing = associations.filter(|association| association.ip_owner_id.as_deref() == Some("amazon"));
    passing.filter_map(|association| association.public_ip.clone()).collect()
}

/// A volume by its id; one that is being deleted is not there any more.
pub(crate) async fn one(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    let found = volumes(place, Filter::builder().name("volume-id").values(&aspect.id).build()).await?;
    let mut found = found.into_iter().map(described).filter(|volume| volume["State"] != "deleting");
    Ok(found.next().unwrap_or_default())
}

fn described(volume: Volume) -> Json {
    json!({
        "VolumeId": volume.volume_id,
        "State": volume.state.map(|state| state.as_str().to_owned()),
        "AvailabilityZone": volume.availability_zone,
        "Size": volume.size,
        "VolumeType": volume.volume_type.map(|kind| kind.as_str().to_owned()),
        "Iops": volume.iops,
        "Throughput": volume.throughput,
        "Encrypted": volume.encrypted,
        "KmsKeyId": volume.kms_key_id,
        "MultiAttachEnabled": volume.multi_attach_enabled,
        "OutpostArn": volume.outpost_arn,
        "Tags": named(volume.tags),
    })
}

async fn volumes(place: &RegionClients<'_>, filter: Filter) -> Result<Vec<Volume>, Failure> {
    let request =
        |token| place.ec2().describe_volumes().filters(filter.clone()).max_results(PAGE).set_next_token(token).send();
    let mut found = Vec::new();
    let read = place.pages(&DESCRIBE_VOLUMES, request, |page| {
        found.extend(page.volumes.unwrap_or_default());
        page.next_token
    });
    read.await?;
    Ok(found)
}

/// The value of the tag that a snapshot and a volume are found by: the plan and the instance that they were made for.
pub(crate) fn made_for(plan: &str, instance: &str) -> String {
    format!("{plan}/{instance}")
}

fn made_by(aspect: &ObservedAspect) -> Filter {
    let plan = aspect.part.as_deref().unwrap_or_default();
    Filter::builder().name(format!("tag:{MADE_BY}")).values(made_for(plan, &aspect.id)).build()
}

/// The volume that a plan made.
pub(crate) async fn made(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    let found = volumes(place, made_by(aspect)).await?;
    let mut found = found.into_iter().map(described).filter(|volume| volume["State"] != "deleting");
    Ok(found.next().map_or(Json::Null, |mut volume| {
        if volume["State"] == "error" {
            volume["Failed"] = "EC2 could not make the volume".into();
        }
        volume
    }))
}

/// The snapshot that a plan made.
pub(crate) async fn snapshot(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    let request = |token| {
        let request = place.ec2().describe_snapshots().owner_ids("self").filters(made_by(aspect));
        request.max_results(PAGE).set_next_token(token).send()
    };
    let mut found = None;
    let read = place.pages(&DESCRIBE_SNAPSHOTS, request, |page| {
        found = found.take().or_else(|| page.snapshots.into_iter().flatten().next());
        page.next_token.filter(|_| found.is_none())
    });
    read.await?;
    let Some(snapshot) = found else { return Ok(Json::Null) };
    let state = snapshot.state.map(|state| state.as_str().to_owned());
    let failed = (state.as_deref() == Some("error"))
        .then(|| snapshot.state_message.unwrap_or_else(|| "EC2 could not take the snapshot".to_owned()));
    Ok(json!({
        "SnapshotId": snapshot.snapshot_id,
        "VolumeId": snapshot.volume_id,
        "State": state,
        "Failed": failed,
    }))
}

/// The key of new volumes for which none is named.
pub(crate) async fn default_key(place: &RegionClients<'_>, _: &ObservedAspect) -> Result<Json, Failure> {
    let request = place.ec2().get_ebs_default_kms_key_id();
    let answer = place.read(&GET_EBS_DEFAULT_KMS_KEY_ID, request.send()).await?;
    match answer.kms_key_id {
        Some(id) => described_key(place, &id).await,
        None => Ok(Json::Null),
    }
}

pub(crate) async fn key(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    described_key(place, &aspect.id).await
}

async fn described_key(place: &RegionClients<'_>, id: &str) -> Result<Json, Failure> {
    let request = place.kms().describe_key().key_id(id);
    let answer = place.read_unless(&["NotFoundException"], &DESCRIBE_KEY, request.send()).await?;
    Ok(answer.and_then(|answer| answer.key_metadata).map_or(json!({"KeyId": id, "Arn": null}), |key| {
        json!({
            "KeyId": id,
            "Arn": key.arn,
            "KeyState": key.key_state.map(|state| state.as_str().to_owned()),
            "KeyManager": key.key_manager.map(|by| by.as_str().to_owned()),
            "KeySpec": key.key_spec.map(|spec| spec.as_str().to_owned()),
        })
    }))
}
