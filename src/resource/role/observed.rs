//! Observed state of roles and their policies.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use crate::aws::{Failure, next_marker};
use crate::model::call::{Call, GET_ROLE, GET_ROLE_POLICY, LIST_ATTACHED_ROLE_POLICIES, LIST_ROLE_POLICIES};
use crate::remediate::account_clients::RegionClients;
use crate::remediate::observed::{ObservedAspect, document};

pub(crate) const ABSENT: &[&str] = &["NoSuchEntity"];

/// A policy as IAM sends it, percent-encoded.
fn decoded(call: &Call, text: &str) -> Result<Json, Box<Failure>> {
    let text = iam_policy::percent_decode(text);
    let text = text.map_err(|error| Box::new(Failure::unreadable(call, &error.to_string())))?;
    Ok(document(&text))
}

async fn get(place: &RegionClients<'_>, name: &str) -> Result<Option<aws_sdk_iam::types::Role>, Failure> {
    let request = place.iam().get_role().role_name(name);
    let Some(answer) = place.read_unless(ABSENT, &GET_ROLE, request.send()).await? else { return Ok(None) };
    // Required members that are missing are empty texts.
    let role = answer.role.filter(|role| !role.arn.is_empty() && !role.role_id.is_empty());
    role.map(Some).ok_or_else(|| Failure::lacks(&GET_ROLE, "Role, its ARN or its id"))
}

/// A role, and the names of its policies.
pub(crate) async fn role(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    let Some(role) = get(place, &aspect.id).await? else { return Ok(Json::Null) };
    let (mut policies, mut is_cut) = (BTreeSet::new(), false);
    let attached = |marker| place.iam().list_attached_role_policies().role_name(&aspect.id).set_marker(marker).send();
    let read = place.pages(&LIST_ATTACHED_ROLE_POLICIES, attached, |page| {
        // One without a name is no usual one.
        let names = page.attached_policies.into_iter().flatten().map(|policy| policy.policy_name.unwrap_or_default());
        policies.extend(names);
        next_marker(page.marker, page.is_truncated, || is_cut = true)
    });
    read.await?;
    if is_cut {
        return Err(Failure::lacks(&LIST_ATTACHED_ROLE_POLICIES, "Marker"));
    }
    let inline = |marker| place.iam().list_role_policies().role_name(&aspect.id).set_marker(marker).send();
    let read = place.pages(&LIST_ROLE_POLICIES, inline, |page| {
        policies.extend(page.policy_names);
        next_marker(page.marker, page.is_truncated, || is_cut = true)
    });
    read.await?;
    if is_cut {
        return Err(Failure::lacks(&LIST_ROLE_POLICIES, "Marker"));
    }
    Ok(json!({"Arn": role.arn, "RoleId": role.role_id, "Policies": policies}))
}

pub(crate) async fn trust(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    let Some(role) = get(place, &aspect.id).await? else { return Ok(Json::Null) };
    let lacks = || Failure::lacks(&GET_ROLE, "AssumeRolePolicyDocument");
    decoded(&GET_ROLE, &role.assume_role_policy_document.ok_or_else(lacks)?).map_err(|failure| *failure)
}

pub(crate) async fn attachment(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    let request = |marker| place.iam().list_attached_role_policies().role_name(&aspect.id).set_marker(marker).send();
    let (mut attached, mut nameless, mut cut) = (false, false, false);
    let read = place.pages(&LIST_ATTACHED_ROLE_POLICIES, request, |page| {
        for policy in page.attached_policies.unwrap_or_default() {
            nameless |= policy.policy_arn.is_none();
            attached |= policy.policy_arn.is_some() && policy.policy_arn == aspect.part;
        }
        next_marker(page.marker, page.is_truncated, || cut = true).filter(|_| !attached)
    });
    match read.await {
        Ok(()) if attached => Ok(json!({"PolicyArn": aspect.part})),
        Ok(()) if nameless => Err(Failure::lacks(&LIST_ATTACHED_ROLE_POLICIES, "the ARN of a policy")),
        Ok(()) if cut => Err(Failure::lacks(&LIST_ATTACHED_ROLE_POLICIES, "Marker")),
        Err(failure) if !failure.has_code(ABSENT) => Err(failure),
        Ok(()) | Err(_) => Ok(Json::Null),
    }
}

pub(crate) async fn inline_policy(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    let name = aspect.part.as_deref().unwrap_or_default();
    let request = place.iam().get_role_policy().role_name(&aspect.id).policy_name(name);
    match place.read_unless(ABSENT, &GET_ROLE_POLICY, request.send()).await? {
        Some(answer) if answer.policy_document.is_empty() => Err(Failure::lacks(&GET_ROLE_POLICY, "PolicyDocument")),
        Some(answer) => decoded(&GET_ROLE_POLICY, &answer.policy_document).map_err(|failure| *failure),
        None => Ok(Json::Null),
    }
}
