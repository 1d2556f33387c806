//! IAM: roles, their policies, instance profiles.

use serde_json::{Value as Json, json};

use super::{Aspect, document};
use crate::model::call::{Call, GET_INSTANCE_PROFILE, GET_ROLE, GET_ROLE_POLICY, LIST_ATTACHED_ROLE_POLICIES};
use crate::remediate::place::Place;
use crate::source::aws::Failure;

const ABSENT: &[&str] = &["NoSuchEntity"];

/// A policy as IAM sends it, percent-encoded.
fn decoded(call: &Call, text: &str) -> Result<Json, Box<Failure>> {
    let text = crate::iam::percent_decode(text);
    let text = text.map_err(|error| Box::new(Failure::unreadable(call, &error.to_string())))?;
    Ok(document(&text))
}

async fn get(place: &Place<'_>, name: &str) -> Result<Option<aws_sdk_iam::types::Role>, Failure> {
    let request = place.iam().get_role().role_name(name);
    Ok(place.read_unless(ABSENT, &GET_ROLE, request.send()).await?.and_then(|answer| answer.role))
}

pub(super) async fn role(place: &Place<'_>, aspect: &Aspect) -> Result<Json, Failure> {
    Ok(get(place, &aspect.id).await?.map_or(Json::Null, |role| json!({"Arn": role.arn, "RoleId": role.role_id})))
}

pub(super) async fn trust(place: &Place<'_>, aspect: &Aspect) -> Result<Json, Failure> {
    match get(place, &aspect.id).await?.and_then(|role| role.assume_role_policy_document) {
        Some(text) => decoded(&GET_ROLE, &text).map_err(|failure| *failure),
        None => Ok(Json::Null),
    }
}

pub(super) async fn attachment(place: &Place<'_>, aspect: &Aspect) -> Result<Json, Failure> {
    let mut marker = None;
    loop {
        let request = place.iam().list_attached_role_policies().role_name(&aspect.id).set_marker(marker);
        let answer = place.read_unless(ABSENT, &LIST_ATTACHED_ROLE_POLICIES, request.send()).await?;
        let Some(page) = answer else { return Ok(Json::Null) };
        let mut policies = page.attached_policies.into_iter().flatten().filter_map(|policy| policy.policy_arn);
        if let Some(arn) = policies.find(|arn| Some(arn) == aspect.part.as_ref()) {
            return Ok(json!({"PolicyArn": arn}));
        }
        marker = page.marker.filter(|_| page.is_truncated);
        if marker.is_none() {
            return Ok(Json::Null);
        }
    }
}

pub(super) async fn inline_policy(place: &Place<'_>, aspect: &Aspect) -> Result<Json, Failure> {
    let name = aspect.part.as_deref().unwrap_or_default();
    let request = place.iam().get_role_policy().role_name(&aspect.id).policy_name(name);
    match place.read_unless(ABSENT, &GET_ROLE_POLICY, request.send()).await? {
        Some(answer) => decoded(&GET_ROLE_POLICY, &answer.policy_document).map_err(|failure| *failure),
        None => Ok(Json::Null),
    }
}

async fn instance_profile(
    place: &Place<'_>,
    name: &str,
) -> Result<Option<aws_sdk_iam::types::InstanceProfile>, Failure> {
    let request = place.iam().get_instance_profile().instance_profile_name(name);
    let answer = place.read_unless(ABSENT, &GET_INSTANCE_PROFILE, request.send()).await?;
    Ok(answer.and_then(|answer| answer.instance_profile))
}

pub(super) async fn profile(place: &Place<'_>, aspect: &Aspect) -> Result<Json, Failure> {
    let profile = instance_profile(place, &aspect.id).await?;
    Ok(profile
        .map_or(Json::Null, |profile| json!({"Arn": profile.arn, "InstanceProfileId": profile.instance_profile_id})))
}

pub(super) async fn profile_role(place: &Place<'_>, aspect: &Aspect) -> Result<Json, Failure> {
    let profile = instance_profile(place, &aspect.id).await?;
    let role = profile.and_then(|profile| profile.roles.into_iter().next());
    Ok(role.map_or(Json::Null, |role| json!({"RoleName": role.role_name})))
}
