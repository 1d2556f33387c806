//! EC2: instances, their volumes and security groups.

use aws_sdk_ec2::types::{AttachmentStatus, Filter, Instance, Tag};
use serde_json::{Map, Value as Json, json};

use super::Aspect;
use crate::model::call::{Call, DESCRIBE_INSTANCES};
use crate::remediate::place::Place;
use crate::source::aws::Failure;

pub(super) const DESCRIBE_ASSOCIATIONS: Call = Call {
    service: "ec2",
    operation: "DescribeIamInstanceProfileAssociations",
    actions: &["ec2:DescribeIamInstanceProfileAssociations"],
};

const NO_INSTANCE: &[&str] = &["InvalidInstanceID.NotFound"];

pub(super) async fn instance(place: &Place<'_>, id: &str) -> Result<Option<Instance>, Failure> {
    let request = place.ec2().describe_instances().instance_ids(id);
    let answer = place.read_unless(NO_INSTANCE, &DESCRIBE_INSTANCES, request.send()).await?;
    let mut instances = answer.into_iter().flat_map(|answer| answer.reservations.unwrap_or_default());
    Ok(instances.find_map(|reservation| reservation.instances.unwrap_or_default().into_iter().next()))
}

pub(super) async fn metadata_options(place: &Place<'_>, aspect: &Aspect) -> Result<Json, Failure> {
    let instance = instance(place, &aspect.id).await?;
    Ok(match instance.and_then(|instance| instance.metadata_options) {
        None => Json::Null,
        Some(options) => json!({
            "HttpTokens": options.http_tokens.map(|value| value.as_str().to_owned()),
            "HttpEndpoint": options.http_endpoint.map(|value| value.as_str().to_owned()),
            "HttpPutResponseHopLimit": options.http_put_response_hop_limit,
            "InstanceMetadataTags": options.instance_metadata_tags.map(|value| value.as_str().to_owned()),
            "State": options.state.map(|value| value.as_str().to_owned()),
        }),
    })
}

pub(super) async fn monitoring(place: &Place<'_>, aspect: &Aspect) -> Result<Json, Failure> {
    let instance = instance(place, &aspect.id).await?;
    Ok(match instance.and_then(|instance| instance.monitoring?.state) {
        None => Json::Null,
        // It is on its way, and nothing more can be asked for.
        Some(state) => match state.as_str() {
            "pending" => "enabled".into(),
            "disabling" => "disabled".into(),
            state => state.into(),
        },
    })
}

pub(super) async fn profile(place: &Place<'_>, aspect: &Aspect) -> Result<Json, Failure> {
    let filter = Filter::builder().name("instance-id").values(&aspect.id).build();
    let request = place.ec2().describe_iam_instance_profile_associations().filters(filter);
    let answer = place.read(&DESCRIBE_ASSOCIATIONS, request.send()).await?;
    let mut associations = answer.iam_instance_profile_associations.unwrap_or_default().into_iter();
    let current = associations.find(|association| {
        association.state.as_ref().is_some_and(|state| matches!(state.as_str(), "associating" | "associated"))
    });
    Ok(current.map_or(Json::Null, |association| {
        let arn = association.iam_instance_profile.and_then(|profile| profile.arn);
        json!({
            "AssociationId": association.association_id,
            "Name": arn.as_deref().and_then(|arn| arn.rsplit('/').next()),
        })
    }))
}

pub(super) async fn tags(place: &Place<'_>, aspect: &Aspect) -> Result<Json, Failure> {
    Ok(instance(place, &aspect.id).await?.map_or(Json::Null, |instance| named(instance.tags)))
}

/// Reasons of an instance that stopped because it was told to.
const AS_ASKED: &[&str] = &["Client.UserInitiatedShutdown", "Client.InstanceInitiatedShutdown"];

pub(super) async fn state(place: &Place<'_>, aspect: &Aspect) -> Result<Json, Failure> {
    let Some(instance) = instance(place, &aspect.id).await? else { return Ok(Json::Null) };
    let state = state_of(&instance);
    let reason = instance.state_reason.filter(|reason| {
        state == "stopped" && reason.code.as_deref().is_some_and(|code| !code.is_empty() && !AS_ASKED.contains(&code))
    });
    Ok(match reason.and_then(|reason| reason.message.or(reason.code)) {
        Some(reason) => json!({"State": state, "Failed": reason}),
        None => json!({"State": state}),
    })
}

pub(super) fn state_of(instance: &Instance) -> String {
    let state = instance.state.as_ref().and_then(|state| state.name.as_ref());
    state.map_or_else(|| "unknown".to_owned(), |state| state.as_str().to_owned())
}

/// The volume at a device, and whether it can be taken from there: a root volume only while the instance is stopped.
pub(super) async fn device(place: &Place<'_>, aspect: &Aspect) -> Result<Json, Failure> {
    let Some(instance) = instance(place, &aspect.id).await? else { return Ok(Json::Null) };
    let mapping = instance.block_device_mappings().iter().find(|mapping| mapping.device_name == aspect.part);
    let volume = mapping.and_then(|mapping| mapping.ebs.as_ref());
    Ok(json!({
        "InstanceState": state_of(&instance),
        "VolumeId": volume.and_then(|volume| volume.volume_id.as_ref()),
        "State": volume.and_then(|volume| volume.status.as_ref()).map(AttachmentStatus::as_str),
        "DeleteOnTermination": volume.and_then(|volume| volume.delete_on_termination),
    }))
}

/// Tags as an object: values by key.
pub(super) fn named(tags: Option<Vec<Tag>>) -> Json {
    let tags = tags.unwrap_or_default().into_iter();
    tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default().into()))).collect::<Map<_, _>>().into()
}
