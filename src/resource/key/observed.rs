//! Observed state of keys, by id or alias: state, rotation, policy.

use aws_sdk_kms::types::MultiRegionKeyType;
use serde_json::{Value as Json, json};

use crate::aws::Failure;
use crate::model::GapKind;
use crate::model::call::{Call, DESCRIBE_KEY, GET_KEY_POLICY, GET_KEY_ROTATION_STATUS};
use crate::remediate::account_clients::RegionClients;
use crate::remediate::observed::{CreateHint, ObservedAspect};

const LIST_KEYS: Call = Call { service: "kms", operation: "ListKeys", actions: &["kms:ListKeys"] };
const LIST_RESOURCE_TAGS: Call =
    Call { service: "kms", operation: "ListResourceTags", actions: &["kms:ListResourceTags"] };

/// The calls that find a key by its tags.
pub(crate) const MADE: &[Call] = &[LIST_KEYS, LIST_RESOURCE_TAGS, DESCRIBE_KEY];

/// The tag that a key is found by.
pub(crate) const MADE_BY: &str = "ssm-audit:plan";

const ABSENT: &[&str] = &["NotFoundException"];

/// The key, by id, ARN or alias.
async fn describe(place: &RegionClients<'_>, id: &str) -> Result<Json, Failure> {
    let request = place.kms().describe_key().key_id(id);
    let answer = place.read_unless(ABSENT, &DESCRIBE_KEY, request.send()).await?;
    let Some(answer) = answer else { return Ok(Json::Null) };
    let key = answer.key_metadata.filter(|key| !key.key_id.is_empty());
    let key = key.ok_or_else(|| Failure::lacks(&DESCRIBE_KEY, "KeyMetadata or its KeyId"))?;
    let state = key.key_state.ok_or_else(|| Failure::lacks(&DESCRIBE_KEY, "KeyState"))?;
    Ok(json!({
        "KeyId": key.key_id,
        "Arn": key.arn,
        "KeyState": state.as_str(),
        "KeyManager": key.key_manager.map(|manager| manager.as_str().to_owned()),
        "KeySpec": key.key_spec.map(|spec| spec.as_str().to_owned()),
        "KeyUsage": key.key_usage.map(|usage| usage.as_str().to_owned()),
    }))
}

pub(crate) async fn alias(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    describe(place, &aspect.id).await
}

/// A key that was made for this alias: its tag names the plan and the alias. One that is to be deleted is gone: nobody
/// can use it.
pub(crate) async fn made(
    place: &RegionClients<'_>,
    aspect: &ObservedAspect,
    clue: &CreateHint,
) -> Result<Json, Failure> {
    let key = find(place, aspect, clue).await?;
    Ok(if key["KeyState"] == json!("PendingDeletion") { Json::Null } else { key })
}

async fn find(place: &RegionClients<'_>, aspect: &ObservedAspect, clue: &CreateHint) -> Result<Json, Failure> {
    match clue {
        CreateHint::NotSent => return Ok(Json::Null),
        CreateHint::Answered(answer) => {
            if let Some(id) = answer["KeyId"].as_str() {
                return describe(place, id).await;
            }
        }
        CreateHint::None => {}
    }
    let mut ids = Vec::new();
    let mut nameless = false;
    let request = |marker| place.kms().list_keys().limit(1000).set_marker(marker).send();
    let read = place.pages(&LIST_KEYS, request, |page| {
        for key in page.keys.unwrap_or_default() {
            nameless |= key.key_id.is_none();
            ids.extend(key.key_id);
        }
        page.next_marker.filter(|_| page.truncated)
    });
    read.await?;
    for id in ids {
        if is_made(place, &id, aspect.part.as_deref().unwrap_or_default()).await? {
            return describe(place, &id).await;
        }
    }
    if nameless { Err(Failure::lacks(&LIST_KEYS, "KeyId")) } else { Ok(Json::Null) }
}

/// Whether a key has the tag of what is made so.
async fn is_made(place: &RegionClients<'_>, id: &str, mark: &str) -> Result<bool, Failure> {
    let mut made = false;
    let request = |marker| place.kms().list_resource_tags().key_id(id).set_marker(marker).send();
    let read = place.pages(&LIST_RESOURCE_TAGS, request, |page| {
        made |= page.tags.into_iter().flatten().any(|tag| tag.tag_key == MADE_BY && tag.tag_value == mark);
        page.next_marker.filter(|_| page.truncated && !made)
    });
    match read.await {
        Ok(()) => Ok(made),
        // AWS's own keys, and those of which the caller may not see the tags, are not ours.
        Err(failure) if failure.gap.kind == GapKind::Denied || failure.has_code(ABSENT) => Ok(false),
        Err(failure) => Err(failure),
    }
}

pub(crate) async fn state(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    Ok(describe(place, &aspect.id).await?["KeyState"].clone())
}

pub(crate) async fn primary(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    let request = place.kms().describe_key().key_id(&aspect.id);
    let answer = place.read_unless(ABSENT, &DESCRIBE_KEY, request.send()).await?;
    let Some(answer) = answer else { return Ok(Json::Null) };
    let key = answer.key_metadata.ok_or_else(|| Failure::lacks(&DESCRIBE_KEY, "KeyMetadata"))?;
    let replica = key
        .multi_region_configuration
        .filter(|configuration| configuration.multi_region_key_type == Some(MultiRegionKeyType::Replica));
    let Some(configuration) = replica else { return Ok(json!({"Region": place.region})) };
    let region = configuration.primary_key.and_then(|primary| primary.region);
    Ok(json!({"Region": region.ok_or_else(|| Failure::lacks(&DESCRIBE_KEY, "the region of PrimaryKey"))?}))
}

pub(crate) async fn rotation(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    let key = describe(place, &aspect.id).await?;
    let Some(id) = key["KeyId"].as_str() else { return Ok(Json::Null) };
    let request = place.kms().get_key_rotation_status().key_id(id);
    Ok(place.read(&GET_KEY_ROTATION_STATUS, request.send()).await?.key_rotation_enabled.into())
}

pub(crate) async fn policy(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    let key = describe(place, &aspect.id).await?;
    let Some(id) = key["KeyId"].as_str() else { return Ok(Json::Null) };
    let request = place.kms().get_key_policy().key_id(id).policy_name("default");
    let answer = place.read(&GET_KEY_POLICY, request.send()).await?;
    // Every key has one.
    let policy = answer.policy.ok_or_else(|| Failure::lacks(&GET_KEY_POLICY, "Policy"))?;
    Ok(crate::remediate::observed::document(&policy))
}
