//! Operations on buckets. Every call names the account that the bucket must belong to.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>

use serde_json::{Value as Json, json};

use crate::remediate::operation::operation;
use crate::remediate::operation::parameter::part;

part! {
    /// Where a bucket is made.
    CreateBucketConfiguration => aws_sdk_s3::types::CreateBucketConfiguration {
        location_constraint: String => set_location_constraint,
    }
}

part! {
    /// A tag, as S3 has it.
    S3Tag => aws_sdk_s3::types::Tag { key: String => set_key, value: String => set_value, } ok
}

part! {
    /// Tags.
    Tagging => aws_sdk_s3::types::Tagging { tag_set: Vec<S3Tag> => set_tag_set, } ok
}

part! {
    /// How objects are encrypted that come without their own.
    ApplyServerSideEncryptionByDefault => aws_sdk_s3::types::ServerSideEncryptionByDefault {
        #[serde(rename = "SSEAlgorithm")]
        sse_algorithm: String => set_sse_algorithm,
        #[serde(rename = "KMSMasterKeyID")]
        kms_master_key_id: Option<String> => set_kms_master_key_id,
    } ok
}

part! {
    /// Encryption that uploads must not ask for, such as SSE-C.
    BlockedEncryptionTypes => aws_sdk_s3::types::BlockedEncryptionTypes {
        encryption_type: Vec<String> => set_encryption_type,
    }
}

part! {
    /// A rule of encryption.
    ServerSideEncryptionRule => aws_sdk_s3::types::ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: ApplyServerSideEncryptionByDefault
            => set_apply_server_side_encryption_by_default,
        bucket_key_enabled: Option<bool> => set_bucket_key_enabled,
        blocked_encryption_types: Option<BlockedEncryptionTypes> => set_blocked_encryption_types,
    }
}

impl ServerSideEncryptionRule {
    /// The state that it stands for; what is not given is not named.
    pub(crate) fn state(&self) -> Json {
        let by_default = &self.apply_server_side_encryption_by_default;
        let mut state = json!({"SSEAlgorithm": by_default.sse_algorithm});
        if let Some(key) = &by_default.kms_master_key_id {
            state["KMSMasterKeyID"] = key.as_str().into();
        }
        if let Some(enabled) = self.bucket_key_enabled {
            state["BucketKeyEnabled"] = enabled.into();
        }
        if let Some(blocked) = &self.blocked_encryption_types {
            state["BlockedEncryptionTypes"] = blocked.encryption_type.as_slice().into();
        }
        state
    }
}

part! {
    /// Rules of encryption.
    ServerSideEncryptionConfiguration => aws_sdk_s3::types::ServerSideEncryptionConfiguration {
        rules: Vec<ServerSideEncryptionRule> => set_rules,
    } ok
}

part! {
    /// Whether versions are kept.
    VersioningConfiguration => aws_sdk_s3::types::VersioningConfiguration { status: String => set_status, }
}

part! {
    /// Whether objects can be locked.
    ObjectLockConfiguration => aws_sdk_s3::types::ObjectLockConfiguration {
        object_lock_enabled: String => set_object_lock_enabled,
    }
}

part! {
    /// Where server access logs go.
    LoggingEnabled => aws_sdk_s3::types::LoggingEnabled {
        target_bucket: String => set_target_bucket,
        target_prefix: String => set_target_prefix,
    } ok
}

part! {
    /// Whether there are server access logs.
    BucketLoggingStatus => aws_sdk_s3::types::BucketLoggingStatus {
        logging_enabled: Option<LoggingEnabled> => set_logging_enabled,
    }
}

operation! {
    /// Makes a bucket.
    #[serde(rename_all = "PascalCase")]
    CreateBucket = s3.create_bucket,
        "s3" "CreateBucket" ["s3:CreateBucket", "s3:PutBucketVersioning", "s3:PutBucketObjectLockConfiguration"] {
        bucket: String => set_bucket,
        create_bucket_configuration: Option<CreateBucketConfiguration> => set_create_bucket_configuration,
        object_lock_enabled_for_bucket: bool => set_object_lock_enabled_for_bucket,
    }
}

operation! {
    /// Deletes a bucket that is empty.
    #[serde(rename_all = "PascalCase")]
    DeleteBucket = s3.delete_bucket, "s3" "DeleteBucket" ["s3:DeleteBucket"] {
        bucket: String => set_bucket,
        expected_bucket_owner: String => set_expected_bucket_owner,
    }
}

operation! {
    /// Sets the default encryption.
    #[serde(rename_all = "PascalCase")]
    PutBucketEncryption = s3.put_bucket_encryption, "s3" "PutBucketEncryption" ["s3:PutEncryptionConfiguration"] {
        bucket: String => set_bucket,
        server_side_encryption_configuration: ServerSideEncryptionConfiguration
            => set_server_side_encryption_configuration,
        expected_bucket_owner: String => set_expected_bucket_owner,
    }
}

operation! {
    /// Sets the default encryption back to S3's own.
    #[serde(rename_all = "PascalCase")]
    DeleteBucketEncryption = s3.delete_bucket_encryption,
        "s3" "DeleteBucketEncryption" ["s3:PutEncryptionConfiguration"] {
        bucket: String => set_bucket,
        expected_bucket_owner: String => set_expected_bucket_owner,
    }
}

operation! {
    /// Sets whether versions are kept.
    #[serde(rename_all = "PascalCase")]
    PutBucketVersioning = s3.put_bucket_versioning, "s3" "PutBucketVersioning" ["s3:PutBucketVersioning"] {
        bucket: String => set_bucket,
        versioning_configuration: VersioningConfiguration => set_versioning_configuration,
        expected_bucket_owner: String => set_expected_bucket_owner,
    }
}

operation! {
    /// Lets objects be locked. It cannot be taken back.
    #[serde(rename_all = "PascalCase")]
    PutObjectLockConfiguration = s3.put_object_lock_configuration,
        "s3" "PutObjectLockConfiguration" ["s3:PutBucketObjectLockConfiguration"] {
        bucket: String => set_bucket,
        object_lock_configuration: ObjectLockConfiguration => set_object_lock_configuration,
        expected_bucket_owner: String => set_expected_bucket_owner,
    }
}

operation! {
    /// Replaces the tags.
    #[serde(rename_all = "PascalCase")]
    PutBucketTagging = s3.put_bucket_tagging, "s3" "PutBucketTagging" ["s3:PutBucketTagging"] {
        bucket: String => set_bucket,
        tagging: Tagging => set_tagging,
        expected_bucket_owner: String => set_expected_bucket_owner,
    }
}

operation! {
    /// Takes all tags away.
    #[serde(rename_all = "PascalCase")]
    DeleteBucketTagging = s3.delete_bucket_tagging, "s3" "DeleteBucketTagging" ["s3:PutBucketTagging"] {
        bucket: String => set_bucket,
        expected_bucket_owner: String => set_expected_bucket_owner,
    }
}

operation! {
    /// Sets where server access logs go.
    #[serde(rename_all = "PascalCase")]
    PutBucketLogging = s3.put_bucket_logging, "s3" "PutBucketLogging" ["s3:PutBucketLogging"] {
        bucket: String => set_bucket,
        bucket_logging_status: BucketLoggingStatus => set_bucket_logging_status,
        expected_bucket_owner: String => set_expected_bucket_owner,
    }
}
