//! Observed state of instance profiles.

use crate::aws::Failure;
use crate::model::call::GET_INSTANCE_PROFILE;
use crate::remediate::account_clients::RegionClients;
use crate::remediate::observed::ObservedAspect;
use crate::resource::role::observed::ABSENT;
use serde_json::{Value as Json, json};

async fn instance_profile(
    place: &RegionClients<'_>,
    name: &str,
) -> Result<Option<aws_sdk_iam::types::InstanceProfile>, Failure> {
    let request = place.iam().get_instance_profile().instance_profile_name(name);
    let answer = place.read_unless(ABSENT, &GET_INSTANCE_PROFILE, request.send()).await?;
    let Some(answer) = answer else { return Ok(None) };
    let is_whole = |profile: &aws_sdk_iam::types::InstanceProfile| {
        let roles = profile.roles.iter().map(|role| &role.role_name);
        let texts = [&profile.arn, &profile.instance_profile_id];
        texts.into_iter().chain(roles).all(|text| !text.is_empty())
    };
    let profile = answer.instance_profile.filter(is_whole);
    profile.map(Some).ok_or_else(|| Failure::lacks(&GET_INSTANCE_PROFILE, "InstanceProfile, its ARN, its id or a role"))
}

pub(crate) async fn profile(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    let profile = instance_profile(place, &aspect.id).await?;
    Ok(profile
        .map_or(Json::Null, |profile| json!({"Arn": profile.arn, "InstanceProfileId": profile.instance_profile_id})))
}

pub(crate) async fn profile_role(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    let profile = instance_profile(place, &aspect.id).await?;
    let role = profile.and_then(|profile| profile.roles.into_iter().next());
    Ok(role.map_or(Json::Null, |role| json!({"RoleName": role.role_name})))
}
