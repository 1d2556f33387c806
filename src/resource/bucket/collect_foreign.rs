//! Buckets of other accounts: what decides the delivery of session logs is read in the account that owns them.
//!
//! S3 tells a bucket policy to the bucket's own account only. Who has no way into that account learns which key of the
//! configuration names one.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html>

use std::fmt::Debug;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::join;
use iam_policy::PolicyDocument;

use super::collect::{NO_ENCRYPTION, NO_POLICY, Place, default_encryption, policy_in};
use super::schema::Bucket;
use crate::aws::api_error::Failure;
use crate::aws::connection::Connection;
use crate::collect::live::api_call::ApiCall;
use crate::model::call::{Call, GET_BUCKET_ENCRYPTION, GET_BUCKET_OWNERSHIP_CONTROLS, GET_BUCKET_POLICY};
use crate::model::{Fact, Gap, GapKind, Region};
use crate::resource::key::collect::Use;

/// Ways into the accounts that buckets may belong to.
pub trait BucketOwners: Debug + Send + Sync {
    /// A connection to the account that owns the bucket; none where there is no way into it.
    ///
    /// # Errors
    /// Where the way that the configuration names cannot be taken.
    fn owner<'a>(&'a self, bucket: &'a str, region: &'a Region) -> BoxFuture<'a, Result<Option<Arc<Connection>>, Gap>>;
}

impl Connection {
    /// Returns `true` if the bucket is known to belong to this account.
    pub async fn owns_bucket(&self, bucket: &str, region: &Region) -> bool {
        let request = self.s3(region).head_bucket().bucket(bucket).expected_bucket_owner(self.account().as_str());
        request.send().await.is_ok()
    }
}

/// The reason why another account's bucket is not known, with what to do.
pub(crate) fn gap(name: &str) -> Arc<Gap> {
    let message = format!(
        "the bucket {name} belongs to another account, and only that account may read its policy: scan that account in \
         the same run, or name a role of it in ssm-audit.yaml (log_archive: {{role: arn:aws:iam::ACCOUNT:role/NAME}})"
    );
    Arc::new(Gap::because(GapKind::Unresolved, message))
}

/// Reads what decides whether roles of this account deliver to the bucket.
pub(crate) async fn read(place: &Place<'_>, bucket: &mut Bucket) {
    let wanted = [&GET_BUCKET_POLICY, &GET_BUCKET_OWNERSHIP_CONTROLS, &GET_BUCKET_ENCRYPTION];
    if !wanted.iter().any(|call| place.collector.wants(call)) {
        return;
    }
    let owner = match place.collector.collection.owners {
        Some(owners) => owners.owner(place.name, place.region.unwrap_or(place.named_in)).await,
        None => Ok(None),
    };
    let gap = match owner {
        Ok(Some(connection)) => return Owned { place, connection: &connection }.read(bucket).await,
        Ok(None) => gap(place.name),
        Err(gap) => place.collector.failed(None, gap),
    };
    bucket.owner = Fact::Unknown(Arc::clone(&gap));
    bucket.policy = Fact::Unknown(Arc::clone(&gap));
    bucket.object_ownership = Fact::Unknown(Arc::clone(&gap));
    let (algorithm, name, key) = guest_encryption(place, &gap).await;
    (bucket.sse_algorithm, bucket.kms_master_key_id, bucket.kms_key) = (algorithm, name, key);
}

/// The default encryption, where the bucket lets other accounts see it.
async fn guest_encryption(place: &Place<'_>, gap: &Arc<Gap>) -> super::collect::Encryption {
    let inquiry = place.collector.inquire(&GET_BUCKET_ENCRYPTION, place.region);
    if !place.collector.wants(inquiry.call) {
        return (Fact::default(), Fact::default(), Fact::default());
    }
    let request = place.client.get_bucket_encryption().bucket(place.name).send();
    let default = match inquiry.attempt(request).await {
        Ok(answer) => default_encryption(inquiry, Some(answer)),
        Err(failure) if failure.has_code(NO_ENCRYPTION) => Ok(None),
        // A bucket that hides it does so from whoever asks.
        Err(failure) if failure.gap.kind == GapKind::Denied => Err(Arc::clone(gap)),
        Err(failure) => Err(inquiry.failed(failure)),
    };
    match default {
        Ok(default) => place.encrypted(default, place.collector.connection, Use::ForeignBucket).await,
        Err(gap) => (Fact::Unknown(Arc::clone(&gap)), Fact::Unknown(Arc::clone(&gap)), Fact::Unknown(gap)),
    }
}

/// A bucket, and the account that owns it.
struct Owned<'p, 'r> {
    place: &'p Place<'r>,
    connection: &'p Connection,
}

impl<'r> Owned<'_, 'r> {
    async fn read(self, bucket: &mut Bucket) {
        let (policy, ownership, encryption) = join!(self.policy(), self.object_ownership(), self.encryption());
        // Its policy is told to its own account only.
        bucket.owner = policy.as_ref().map(|_| self.connection.account().to_string());
        bucket.policy = policy;
        bucket.object_ownership = ownership;
        (bucket.sse_algorithm, bucket.kms_master_key_id, bucket.kms_key) = encryption;
    }

    fn client(&self) -> aws_sdk_s3::Client {
        self.connection.s3(self.place.region.unwrap_or(self.place.named_in))
    }

    /// A call, where the rules need it.
    fn inquire(&self, call: &'static Call) -> Option<ApiCall<'r>> {
        self.place.collector.wants(call).then(|| self.place.collector.inquire(call, self.place.region))
    }

    /// Notes a failure, with the account that it was in.
    fn failed(&self, inquiry: ApiCall<'_>, mut failure: Failure) -> Arc<Gap> {
        let account = self.connection.account();
        let message = failure.gap.message.take().map_or_else(String::new, |message| format!(": {message}"));
        failure.gap.message = Some(format!("in the account {account}{message}"));
        inquiry.failed(failure)
    }

    async fn policy(&self) -> Fact<Option<PolicyDocument>> {
        let Some(inquiry) = self.inquire(&GET_BUCKET_POLICY) else { return Fact::default() };
        match inquiry.attempt(self.client().get_bucket_policy().bucket(self.place.name).send()).await {
            Ok(answer) => policy_in(inquiry, Some(answer)),
            Err(failure) if failure.has_code(NO_POLICY) => policy_in(inquiry, None),
            Err(failure) => Fact::Unknown(self.failed(inquiry, failure)),
        }
    }

    /// Without controls, whoever uploads an object owns it.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>
    async fn object_ownership(&self) -> Fact<String> {
        let Some(inquiry) = self.inquire(&GET_BUCKET_OWNERSHIP_CONTROLS) else { return Fact::default() };
        match inquiry.attempt(self.client().get_bucket_ownership_controls().bucket(self.place.name).send()).await {
            Ok(answer) => {
                let rules = answer.ownership_controls.map(|controls| controls.rules);
                let rule = rules.into_iter().flatten().next();
                inquiry.required("ObjectOwnership", rule.map(|rule| rule.object_ownership.as_str().to_owned()))
            }
            Err(failure) if failure.has_code(&["OwnershipControlsNotFoundError"]) => {
                Fact::Known("ObjectWriter".to_owned())
            }
            Err(failure) => Fact::Unknown(self.failed(inquiry, failure)),
        }
    }

    async fn encryption(&self) -> super::collect::Encryption {
        let Some(inquiry) = self.inquire(&GET_BUCKET_ENCRYPTION) else {
            return (Fact::default(), Fact::default(), Fact::default());
        };
        let request = self.client().get_bucket_encryption().bucket(self.place.name).send();
        let default = match inquiry.attempt(request).await {
            Ok(answer) => default_encryption(inquiry, Some(answer)),
            Err(failure) if failure.has_code(NO_ENCRYPTION) => Ok(None),
            Err(failure) => Err(self.failed(inquiry, failure)),
        };
        match default {
            Ok(default) => self.place.encrypted(default, self.connection, Use::ForeignBucket).await,
            Err(gap) => (Fact::Unknown(Arc::clone(&gap)), Fact::Unknown(Arc::clone(&gap)), Fact::Unknown(gap)),
        }
    }
}
