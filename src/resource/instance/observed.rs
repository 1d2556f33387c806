//! Observed state of instances.

use aws_sdk_ec2::types::{AttachmentStatus, EbsInstanceBlockDevice, Filter, Instance, Tag};
use serde_json::{Map, Value as Json, json};

use crate::aws::Failure;
use crate::model::call::{Call, DESCRIBE_INSTANCES};
use crate::remediate::account_clients::RegionClients;
use crate::remediate::observed::ObservedAspect;

pub(crate) const DESCRIBE_ASSOCIATIONS: Call = Call {
    service: "ec2",
    operation: "DescribeIamInstanceProfileAssociations",
    actions: &["ec2:DescribeIamInstanceProfileAssociations"],
};

const NO_INSTANCE: &[&str] = &["InvalidInstanceID.NotFound"];

pub(crate) async fn instance(place: &RegionClients<'_>, id: &str) -> Result<Option<Instance>, Failure> {
    let mut found = None;
    let request = |token| place.ec2().describe_instances().instance_ids(id).set_next_token(token).send();
    let read = place.pages(&DESCRIBE_INSTANCES, request, |page| {
        let instances =
            page.reservations.into_iter().flatten().filter_map(|reservation| reservation.instances).flatten();
        found = found.take().or_else(|| instances.into_iter().next());
        page.next_token.filter(|_| found.is_none())
    });
    match read.await {
        Ok(()) => Ok(found),
        Err(failure) if failure.has_code(NO_INSTANCE) => Ok(None),
        Err(failure) => Err(failure),
    }
}

pub(crate) async fn metadata_options(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    let Some(instance) = instance(place, &aspect.id).await? else { return Ok(Json::Null) };
    let lacks = || Failure::lacks(&DESCRIBE_INSTANCES, "MetadataOptions");
    let stopped = matches!(state_of(&instance).as_str(), "stopping" | "stopped");
    let options = instance.metadata_options.ok_or_else(lacks)?;
    // What is asked of a stopped instance is pending until it starts, and nothing else comes of it before:
    // <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceMetadataOptions.html>
    let state = options.state.map(|value| value.as_str().to_owned());
    let state = if stopped && state.as_deref() == Some("pending") { Some("applied".to_owned()) } else { state };
    Ok(json!({
            "HttpTokens": options.http_tokens.map(|value| value.as_str().to_owned()),
            "HttpEndpoint": options.http_endpoint.map(|value| value.as_str().to_owned()),
            "HttpPutResponseHopLimit": options.http_put_response_hop_limit,
            "InstanceMetadataTags": options.instance_metadata_tags.map(|value| value.as_str().to_owned()),
            "State": state,
    }))
}

pub(crate) async fn monitoring(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    let Some(instance) = instance(place, &aspect.id).await? else { return Ok(Json::Null) };
    let state = instance.monitoring.and_then(|monitoring| monitoring.state);
    let state = state.ok_or_else(|| Failure::lacks(&DESCRIBE_INSTANCES, "the state of monitoring"))?;
    Ok(match state.as_str() {
        // It is on its way, and nothing more can be asked for.
        "pending" => "enabled".into(),
        "disabling" => "disabled".into(),
        state => state.into(),
    })
}

pub(crate) async fn profile(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    let filter = Filter::builder().name("instance-id").values(&aspect.id).build();
    let request = |token| {
        let request = place.ec2().describe_iam_instance_profile_associations().filters(filter.clone());
        request.set_next_token(token).send()
    };
    let mut associations = Vec::new();
    let read = place.pages(&DESCRIBE_ASSOCIATIONS, request, |page| {
        associations.extend(page.iam_instance_profile_associations.unwrap_or_default());
        page.next_token
    });
    read.await?;
    if associations.iter().any(|association| association.state.is_none()) {
        return Err(Failure::lacks(&DESCRIBE_ASSOCIATIONS, "the state of an association"));
    }
    let current = associations.into_iter().find(|association| {
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

pub(crate) async fn tags(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    Ok(instance(place, &aspect.id).await?.map_or(Json::Null, |instance| named(instance.tags)))
}

/// Reasons of an instance that stopped because it was told to.
const AS_ASKED: &[&str] = &["Client.UserInitiatedShutdown", "Client.InstanceInitiatedShutdown"];

pub(crate) async fn state(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
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

pub(crate) fn state_of(instance: &Instance) -> String {
    let state = instance.state.as_ref().and_then(|state| state.name.as_ref());
    state.map_or_else(|| "unknown".to_owned(), |state| state.as_str().to_owned())
}

/// The volume at a device, and whether it can be taken from there: a root volume only while the instance is stopped.
pub(crate) async fn device(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    let Some(instance) = instance(place, &aspect.id).await? else { return Ok(Json::Null) };
    let mapping = instance.block_device_mappings().iter().find(|mapping| mapping.device_name == aspect.part);
    let volume = mapping.and_then(|mapping| mapping.ebs.as_ref());
    Ok(json!({
        "InstanceState": state_of(&instance),
        "VolumeId": volume.and_then(|volume| volume.volume_id.as_ref()),
        "State": volume.and_then(|volume| volume.status.as_ref()).map(AttachmentStatus::as_str),
        "DeleteOnTermination": volume.map(goes_with_instance).transpose()?,
    }))
}

/// Returns whether a volume is deleted with its instance. A wrong value would be restored by an undo.
#[expect(clippy::result_large_err, reason = "it is the failure of a call, which the readers return")]
pub(crate) fn goes_with_instance(volume: &EbsInstanceBlockDevice) -> Result<bool, Failure> {
    volume.delete_on_termination.ok_or_else(|| Failure::lacks(&DESCRIBE_INSTANCES, "DeleteOnTermination of a volume"))
}

/// Tags as an object: values by key.
pub(crate) fn named(tags: Option<Vec<Tag>>) -> Json {
    let tags = tags.unwrap_or_default().into_iter();
    tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default().into()))).collect::<Map<_, _>>().into()
}
