//! Operations on log groups.
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_Operations.html>

use std::collections::BTreeMap;

use crate::remediate::operation::operation;
use crate::remediate::step_output::Text;

impl crate::remediate::operation::parameter::Parameter<std::collections::HashMap<String, String>>
    for BTreeMap<String, String>
{
    fn give(self) -> Option<std::collections::HashMap<String, String>> {
        Some(self.into_iter().collect())
    }
}

operation! {
    /// Makes a log group.
    #[serde(rename_all = "camelCase")]
    CreateLogGroup = logs.create_log_group, "logs" "CreateLogGroup" ["logs:CreateLogGroup", "logs:TagResource"] {
        log_group_name: String => set_log_group_name,
        kms_key_id: Option<Text> => set_kms_key_id,
        tags: BTreeMap<String, String> => set_tags,
    }
}

operation! {
    /// Deletes a log group with its events.
    #[serde(rename_all = "camelCase")]
    DeleteLogGroup = logs.delete_log_group, "logs" "DeleteLogGroup" ["logs:DeleteLogGroup"] {
        log_group_name: String => set_log_group_name,
    }
}

operation! {
    /// Sets for how many days events are kept.
    #[serde(rename_all = "camelCase")]
    PutRetentionPolicy = logs.put_retention_policy, "logs" "PutRetentionPolicy" ["logs:PutRetentionPolicy"] {
        log_group_name: String => set_log_group_name,
        retention_in_days: i32 => set_retention_in_days,
    }
}

operation! {
    /// Lets events be kept for ever.
    #[serde(rename_all = "camelCase")]
    DeleteRetentionPolicy = logs.delete_retention_policy, "logs" "DeleteRetentionPolicy" ["logs:DeleteRetentionPolicy"] {
        log_group_name: String => set_log_group_name,
    }
}

operation! {
    /// Encrypts what comes from now on with a key.
    #[serde(rename_all = "camelCase")]
    AssociateKmsKey = logs.associate_kms_key, "logs" "AssociateKmsKey" ["logs:AssociateKmsKey"] {
        log_group_name: String => set_log_group_name,
        kms_key_id: Text => set_kms_key_id,
    }
}

operation! {
    /// Encrypts what comes from now on with CloudWatch Logs' own key.
    #[serde(rename_all = "camelCase")]
    DisassociateKmsKey = logs.disassociate_kms_key, "logs" "DisassociateKmsKey" ["logs:DisassociateKmsKey"] {
        log_group_name: String => set_log_group_name,
    }
}
