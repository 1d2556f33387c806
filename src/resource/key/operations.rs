//! Operations on keys. <https://docs.aws.amazon.com/kms/latest/APIReference/API_Operations.html>

use crate::remediate::operation::operation;
use crate::remediate::operation::parameter::part;
use crate::remediate::step_output::Text;

part! {
    /// A tag, as KMS has it.
    KmsTag => aws_sdk_kms::types::Tag { tag_key: String => set_tag_key, tag_value: String => set_tag_value, } ok
}

operation! {
    /// Makes a key. It has no token against making it twice: it is found again by its tags.
    #[serde(rename_all = "PascalCase")]
    CreateKey = kms.create_key, "kms" "CreateKey" ["kms:CreateKey", "kms:TagResource"] {
        description: String => set_description,
        policy: String => set_policy,
        tags: Vec<KmsTag> => set_tags,
    } answers made: made.key_metadata.as_ref().map(|key| serde_json::json!({"KeyId": key.key_id}))
}

operation! {
    /// Orders the end of a key, after this many days.
    #[serde(rename_all = "PascalCase")]
    ScheduleKeyDeletion = kms.schedule_key_deletion, "kms" "ScheduleKeyDeletion" ["kms:ScheduleKeyDeletion"] {
        key_id: Text => set_key_id,
        pending_window_in_days: i32 => set_pending_window_in_days,
    }
}

operation! {
    /// Takes that order back; the key is disabled then.
    #[serde(rename_all = "PascalCase")]
    CancelKeyDeletion = kms.cancel_key_deletion, "kms" "CancelKeyDeletion" ["kms:CancelKeyDeletion"] {
        key_id: String => set_key_id,
    }
}

operation! {
    /// Gives a key an alias.
    #[serde(rename_all = "PascalCase")]
    CreateAlias = kms.create_alias, "kms" "CreateAlias" ["kms:CreateAlias"] {
        alias_name: String => set_alias_name,
        target_key_id: Text => set_target_key_id,
    }
}

operation! {
    /// Takes an alias away; the key stays.
    #[serde(rename_all = "PascalCase")]
    DeleteAlias = kms.delete_alias, "kms" "DeleteAlias" ["kms:DeleteAlias"] {
        alias_name: String => set_alias_name,
    }
}

operation! {
    /// Switches automatic rotation on.
    #[serde(rename_all = "PascalCase")]
    EnableKeyRotation = kms.enable_key_rotation, "kms" "EnableKeyRotation" ["kms:EnableKeyRotation"] {
        key_id: Text => set_key_id,
    }
}

operation! {
    /// Switches automatic rotation off.
    #[serde(rename_all = "PascalCase")]
    DisableKeyRotation = kms.disable_key_rotation, "kms" "DisableKeyRotation" ["kms:DisableKeyRotation"] {
        key_id: Text => set_key_id,
    }
}

operation! {
    /// Lets a key be used.
    #[serde(rename_all = "PascalCase")]
    EnableKey = kms.enable_key, "kms" "EnableKey" ["kms:EnableKey"] {
        key_id: String => set_key_id,
    }
}

operation! {
    /// Lets a key not be used.
    #[serde(rename_all = "PascalCase")]
    DisableKey = kms.disable_key, "kms" "DisableKey" ["kms:DisableKey"] {
        key_id: String => set_key_id,
    }
}

operation! {
    /// Replaces a key's policy. KMS refuses one that would lock the caller out.
    #[serde(rename_all = "PascalCase")]
    PutKeyPolicy = kms.put_key_policy, "kms" "PutKeyPolicy" ["kms:PutKeyPolicy"] {
        key_id: String => set_key_id,
        policy_name: String => set_policy_name,
        policy: String => set_policy,
    }
}
