//! Observed state of buckets of the account, in their own regions.

use aws_sdk_s3::types::EncryptionType;
use serde_json::{Value as Json, json};

use crate::aws::Failure;
use crate::model::call::{
    Call, GET_BUCKET_ENCRYPTION, GET_BUCKET_LOGGING, GET_BUCKET_TAGGING, GET_OBJECT_LOCK_CONFIGURATION, HEAD_BUCKET,
};
use crate::remediate::account_clients::RegionClients;
use crate::remediate::observed::ObservedAspect;

pub(crate) const GET_BUCKET_VERSIONING: Call =
    Call { service: "s3", operation: "GetBucketVersioning", actions: &["s3:GetBucketVersioning"] };

fn owner(place: &RegionClients<'_>) -> String {
    place.account_clients.account().to_string()
}

pub(crate) async fn bucket(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    let request = place.s3().head_bucket().bucket(&aspect.id).expected_bucket_owner(owner(place));
    match place.read(&HEAD_BUCKET, request.send()).await {
        Ok(answer) => Ok(json!({"Region": answer.bucket_region})),
        Err(failure) if failure.status == Some(404) => Ok(Json::Null),
        Err(failure) => Err(failure),
    }
}

pub(crate) async fn encryption(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    const NONE: &[&str] = &["ServerSideEncryptionConfigurationNotFoundError"];
    let request = place.s3().get_bucket_encryption().bucket(&aspect.id).expected_bucket_owner(owner(place));
    let answer = place.read_unless(NONE, &GET_BUCKET_ENCRYPTION, request.send()).await?;
    let rules = answer.and_then(|answer| answer.server_side_encryption_configuration).map(|all| all.rules);
    let rule = rules.and_then(|rules| rules.into_iter().next());
    let bucket_key = rule.as_ref().and_then(|rule| rule.bucket_key_enabled);
    let blocked = rule.as_ref().and_then(|rule| rule.blocked_encryption_types.as_ref());
    let blocked = blocked.map(|blocked| {
        let mut types: Vec<&str> = blocked.encryption_type().iter().map(EncryptionType::as_str).collect();
        types.sort_unstable();
        json!(types)
    });
    let by_default = rule.and_then(|rule| rule.apply_server_side_encryption_by_default);
    Ok(json!({
        "SSEAlgorithm": by_default.as_ref().map(|rule| rule.sse_algorithm.as_str().to_owned()),
        "KMSMasterKeyID": by_default.and_then(|rule| rule.kms_master_key_id),
        "BucketKeyEnabled": bucket_key,
        "BlockedEncryptionTypes": blocked,
    }))
}

pub(crate) async fn versioning(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    let request = place.s3().get_bucket_versioning().bucket(&aspect.id).expected_bucket_owner(owner(place));
    let answer = place.read(&GET_BUCKET_VERSIONING, request.send()).await?;
    Ok(json!({
        "Status": answer.status.map(|status| status.as_str().to_owned()),
        "MFADelete": answer.mfa_delete.map(|status| status.as_str().to_owned()),
    }))
}

pub(crate) async fn object_lock(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    const NONE: &[&str] = &["ObjectLockConfigurationNotFoundError"];
    let request = place.s3().get_object_lock_configuration().bucket(&aspect.id).expected_bucket_owner(owner(place));
    let answer = place.read_unless(NONE, &GET_OBJECT_LOCK_CONFIGURATION, request.send()).await?;
    let enabled = answer.and_then(|answer| answer.object_lock_configuration?.object_lock_enabled);
    Ok(json!({"ObjectLockEnabled": enabled.map(|enabled| enabled.as_str().to_owned())}))
}

pub(crate) async fn tags(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    const NONE: &[&str] = &["NoSuchTagSet", "NoSuchTagSetError"];
    let request = place.s3().get_bucket_tagging().bucket(&aspect.id).expected_bucket_owner(owner(place));
    let answer = place.read_unless(NONE, &GET_BUCKET_TAGGING, request.send()).await?;
    let mut tags: Vec<(String, String)> =
        answer.map(|answer| answer.tag_set).unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect();
    tags.sort();
    Ok(tags.into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect())
}

pub(crate) async fn logging(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    let request = place.s3().get_bucket_logging().bucket(&aspect.id).expected_bucket_owner(owner(place));
    let enabled = place.read(&GET_BUCKET_LOGGING, request.send()).await?.logging_enabled;
    Ok(json!({
        "TargetBucket": enabled.as_ref().map(|enabled| enabled.target_bucket.clone()),
        "TargetPrefix": enabled.map(|enabled| enabled.target_prefix),
    }))
}
