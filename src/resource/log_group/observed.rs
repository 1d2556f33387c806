//! Observed state of log groups, by name.

use aws_sdk_cloudwatchlogs::types::LogGroup;
use serde_json::{Value as Json, json};

use crate::aws::Failure;
use crate::model::call::DESCRIBE_LOG_GROUPS;
use crate::remediate::account_clients::RegionClients;
use crate::remediate::observed::ObservedAspect;

async fn find(place: &RegionClients<'_>, name: &str) -> Result<Option<LogGroup>, Failure> {
    let request = |token| place.logs().describe_log_groups().log_group_name_prefix(name).set_next_token(token).send();
    let (mut found, mut nameless) = (None, false);
    let read = place.pages(&DESCRIBE_LOG_GROUPS, request, |page| {
        let groups = page.log_groups.unwrap_or_default();
        nameless |= groups.iter().any(|group| group.log_group_name.is_none());
        found = found.take().or_else(|| groups.into_iter().find(|group| group.log_group_name.as_deref() == Some(name)));
        page.next_token.filter(|_| found.is_none())
    });
    read.await?;
    match found {
        None if nameless => Err(Failure::lacks(&DESCRIBE_LOG_GROUPS, "the name of a log group")),
        found => Ok(found),
    }
}

pub(crate) async fn group(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    Ok(find(place, &aspect.id).await?.map_or(Json::Null, |group| {
        json!({"Name": group.log_group_name, "Class": group.log_group_class.map(|class| class.as_str().to_owned())})
    }))
}

/// Absent where the group is kept for ever, or is not there: of a group that is not there nothing is set.
pub(crate) async fn retention(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    Ok(find(place, &aspect.id).await?.map_or(Json::Null, |group| {
        json!({
            "RetentionInDays": group.retention_in_days,
            "RetentionPolicyName": group.retention_policy_name,
        })
    }))
}

pub(crate) async fn key(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    Ok(find(place, &aspect.id).await?.map_or(Json::Null, |group| json!({"KmsKeyId": group.kms_key_id})))
}
