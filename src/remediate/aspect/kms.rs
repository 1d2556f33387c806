//! KMS: keys, by id or alias, their state, rotation and policy.

use serde_json::{Value as Json, json};

use super::{Aspect, Clue};
use crate::model::call::{Call, DESCRIBE_KEY, GET_KEY_POLICY, GET_KEY_ROTATION_STATUS};
use crate::remediate::place::Place;
use crate::source::aws::Failure;

const LIST_KEYS: Call = Call { service: "kms", operation: "ListKeys", actions: &["kms:ListKeys"] };
const LIST_RESOURCE_TAGS: Call =
    Call { service: "kms", operation: "ListResourceTags", actions: &["kms:ListResourceTags"] };

/// The calls that find a key by its tags.
pub(super) const MADE: &[Call] = &[LIST_KEYS, LIST_RESOURCE_TAGS, DESCRIBE_KEY];

/// The tag that a key is found by.
pub(crate) const MADE_BY: &str = "ssm-audit:plan";

const ABSENT: &[&str] = &["NotFoundException"];

/// The key, by id, ARN or alias.
async fn describe(place: &Place<'_>, id: &str) -> Result<Json, Failure> {
    let request = place.kms().describe_key().key_id(id);
    let answer = place.read_unless(ABSENT, &DESCRIBE_KEY, request.send()).await?;
    Ok(answer.and_then(|answer| answer.key_metadata).map_or(Json::Null, |key| {
        json!({
            "KeyId": key.key_id,
            "Arn": key.arn,
            "KeyState": key.key_state.map(|state| state.as_str().to_owned()),
            "KeyManager": key.key_manager.map(|manager| manager.as_str().to_owned()),
        })
    }))
}

pub(super) async fn alias(place: &Place<'_>, aspect: &Aspect) -> Result<Json, Failure> {
    describe(place, &aspect.id).await
}

/// A key that was made for this alias: its tag names the plan and the alias. One that is to be deleted is gone: nobody
/// can use it.
pub(super) async fn made(place: &Place<'_>, aspect: &Aspect, clue: &Clue) -> Result<Json, Failure> {
    let key = find(place, aspect, clue).await?;
    Ok(if key["KeyState"] == json!("PendingDeletion") { Json::Null } else { key })
}

async fn find(place: &Place<'_>, aspect: &Aspect, clue: &Clue) -> Result<Json, Failure> {
    match clue {
        Clue::NotSent => return Ok(Json::Null),
        Clue::Answered(answer) => {
            if let Some(id) = answer["KeyId"].as_str() {
                return describe(place, id).await;
            }
        }
        Clue::None => {}
    }
    let mut marker = None;
    loop {
        let request = place.kms().list_keys().limit(1000).set_marker(marker);
        let page = place.read(&LIST_KEYS, request.send()).await?;
        for id in page.keys.into_iter().flatten().filter_map(|key| key.key_id) {
            let request = place.kms().list_resource_tags().key_id(&id);
            // AWS's own keys, and those of which the caller may not see the tags, are not ours.
            let Ok(tags) = place.read(&LIST_RESOURCE_TAGS, request.send()).await else { continue };
            let part = aspect.part.as_deref().unwrap_or_default();
            if tags.tags.into_iter().flatten().any(|tag| tag.tag_key == MADE_BY && tag.tag_value == part) {
                return describe(place, &id).await;
            }
        }
        marker = page.next_marker.filter(|_| page.truncated);
        if marker.is_none() {
            return Ok(Json::Null);
        }
    }
}

pub(super) async fn state(place: &Place<'_>, aspect: &Aspect) -> Result<Json, Failure> {
    Ok(describe(place, &aspect.id).await?["KeyState"].clone())
}

pub(super) async fn rotation(place: &Place<'_>, aspect: &Aspect) -> Result<Json, Failure> {
    let key = describe(place, &aspect.id).await?;
    let Some(id) = key["KeyId"].as_str() else { return Ok(Json::Null) };
    let request = place.kms().get_key_rotation_status().key_id(id);
    Ok(place.read(&GET_KEY_ROTATION_STATUS, request.send()).await?.key_rotation_enabled.into())
}

pub(super) async fn policy(place: &Place<'_>, aspect: &Aspect) -> Result<Json, Failure> {
    let key = describe(place, &aspect.id).await?;
    let Some(id) = key["KeyId"].as_str() else { return Ok(Json::Null) };
    let request = place.kms().get_key_policy().key_id(id).policy_name("default");
    let answer = place.read(&GET_KEY_POLICY, request.send()).await?;
    Ok(answer.policy.as_deref().map_or(Json::Null, super::document))
}
