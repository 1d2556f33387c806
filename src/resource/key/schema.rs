//! KMS: the keys that sessions, their logs and their bucket use.

use iam_policy::PolicyDocument;

use crate::model::call::{self, Call};
use crate::model::fact::Fact;
use crate::model::ids::Link;
use crate::model::inventory::{Described, Extent};
use crate::model::schema::attributes;
use crate::resource::log_group::schema::LogGroup;

attributes! {
    /// A key that the session preferences, the session log group, or the session bucket names.
    pub struct KmsKey {
        /// Its ARN.
        arn: String = DESCRIBE_KEY,
        /// Its id.
        key_id: String = DESCRIBE_KEY,
        /// The region that it is in.
        region: String = DESCRIBE_KEY,
        /// `CUSTOMER` or `AWS`.
        key_manager: String = DESCRIBE_KEY,
        /// What it is made of, e.g. `SYMMETRIC_DEFAULT`.
        key_spec: String = DESCRIBE_KEY,
        /// What it is for: `ENCRYPT_DECRYPT`, `SIGN_VERIFY`, `GENERATE_VERIFY_MAC` or `KEY_AGREEMENT`.
        key_usage: String = DESCRIBE_KEY,
        /// Where its material comes from, e.g. `AWS_KMS` or `EXTERNAL`.
        origin: String = DESCRIBE_KEY,
        /// `Enabled`, `Disabled`, `PendingDeletion` and others.
        key_state: String = DESCRIBE_KEY,
        /// Whether automatic rotation is on; a multi-Region replica has its primary's.
        enable_key_rotation: bool = GET_KEY_ROTATION_STATUS,
        /// The key policy.
        policy: PolicyDocument = GET_KEY_POLICY,
        /// The session log groups that it encrypts.
        log_groups: Vec<Link<LogGroup>> = GET_DOCUMENT | DESCRIBE_LOG_GROUPS,
        /// How many days pass between the order to delete it and its end. Only code tells.
        deletion_window_in_days: Option<i64>,
    }
}

impl Described for KmsKey {
    const FOUND_BY: Call = call::DESCRIBE_KEY;
    const EXTENT: Extent = Extent::Regional;
    const TERRAFORM: &[&str] = &["aws_kms_key", "aws_kms_external_key", "aws_kms_replica_key"];
    const SECURITY_HUB: Option<&str> = Some("AwsKmsKey");
}
