//! EC2: instances, their volumes and security groups.

use aws_sdk_ec2::types::{Filter, Instance};
use serde_json::{Value as Json, json};

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

async fn instance(place: &Place<'_>, id: &str) -> Result<Option<Instance>, Failure> {
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
