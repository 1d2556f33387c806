//! S3: the bucket that the session preferences name.

use std::collections::BTreeMap;

use iam_policy::PolicyDocument;

use crate::model::call::{self, Call};
use crate::model::fact::Fact;
use crate::model::ids::Link;
use crate::model::inventory::{Described, Extent};
use crate::model::schema::attributes;
use crate::resource::key::schema::KmsKey;

attributes! {
    /// A bucket that the session preferences name.
    pub struct Bucket {
        /// Its ARN.
        arn: String = HEAD_BUCKET,
        /// The region that it is in.
        bucket_region: String = HEAD_BUCKET,
        /// Whether the bucket is another account's.
        foreign: bool = HEAD_BUCKET | LIST_BUCKETS,
        /// The account that it belongs to. Of another account's bucket, it is known only where that account is read too.
        owner: String = HEAD_BUCKET,
        /// The bucket policy. One that speaks of organisations is known together with the account's own.
        policy: Option<PolicyDocument> = GET_BUCKET_POLICY | DESCRIBE_ORGANIZATION,
        /// Of another account's bucket, who owns its objects: `BucketOwnerEnforced`, `BucketOwnerPreferred` or `ObjectWriter`.
        object_ownership: String = GET_BUCKET_OWNERSHIP_CONTROLS,
        /// Whether object lock is on.
        object_lock_enabled: bool = GET_OBJECT_LOCK_CONFIGURATION,
        /// For how long object lock keeps new objects that do not say it themselves; absent: not at all.
        default_retention: Option<DefaultRetention> = GET_OBJECT_LOCK_CONFIGURATION,
        /// The default encryption: `AES256`, `aws:kms` or `aws:kms:dsse`.
        sse_algorithm: Option<String> = GET_BUCKET_ENCRYPTION,
        /// The key that the default encryption names, by id, ARN or alias; absent: AWS's own.
        kms_master_key_id: Option<String> = GET_BUCKET_ENCRYPTION,
        /// That key, if it exists.
        kms_key: Option<Link<KmsKey>> = GET_BUCKET_ENCRYPTION,
        /// Its tags.
        tags: BTreeMap<String, String> = GET_BUCKET_TAGGING,
        /// The bucket that its server access logs go to.
        logging_target_bucket: Option<String> = GET_BUCKET_LOGGING,
    }
}

impl Described for Bucket {
    const FOUND_BY: Call = call::HEAD_BUCKET;
    const EXTENT: Extent = Extent::Named;
    const TERRAFORM: &[&str] = &["aws_s3_bucket"];
    const SECURITY_HUB: Option<&str> = Some("AwsS3Bucket");
}

attributes! {
    /// For how long object lock keeps new objects: for days, or for years.
    pub struct DefaultRetention {
        /// `GOVERNANCE`, which some may override, or `COMPLIANCE`, which nobody may.
        mode: String,
        /// The days, where they are days.
        days: Option<i64>,
        /// The years, where they are years.
        years: Option<i64>,
    }
}
