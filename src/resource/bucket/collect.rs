//! S3: the bucket that the session preferences name. Each is read once an account, in its own region.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_s3::operation::get_bucket_encryption::GetBucketEncryptionOutput;
use aws_sdk_s3::operation::get_bucket_policy::GetBucketPolicyOutput;
use aws_sdk_s3::types::{
    ObjectLockEnabled, ObjectLockRetentionMode, ObjectLockRule, ServerSideEncryption, ServerSideEncryptionByDefault,
};
use futures::join;
use iam_policy::PolicyDocument;

use super::collect_foreign;
use super::schema::{Bucket, DefaultRetention};
use crate::aws::api_error::Failure;
use crate::aws::connection::Connection;
use crate::aws::response_integrity::Requires;
use crate::collect::live::api_call::{ApiCall, filled};
use crate::collect::live::collector::Collector;
use crate::model::call::{
    GET_BUCKET_ENCRYPTION, GET_BUCKET_LOGGING, GET_BUCKET_OWNERSHIP_CONTROLS, GET_BUCKET_POLICY, GET_BUCKET_TAGGING,
    GET_OBJECT_LOCK_CONFIGURATION, HEAD_BUCKET, LIST_BUCKETS,
};
use crate::model::schema::Node;
use crate::model::{Entry, Fact, Gap, GapKind, Key, Link, Region};
use crate::resource::key;
use crate::resource::key::collect::Use;
use crate::resource::key::schema::KmsKey;

/// Reads a bucket that the preferences of this region name, unless it has been.
pub(crate) async fn read_once(collector: &Collector<'_>, region: &Region, name: &str) {
    let key = Key::global(name);
    collector.buckets.get(key.clone(), read(collector, region, key)).await;
}

/// Returns `true` if a bucket can have this name, or if it is the ARN of an access point. Names of old buckets may be longer
/// and have capital letters and underscores.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
fn may_name_a_bucket(name: &str) -> bool {
    let is_usual = |letter: u8| letter.is_ascii_alphanumeric() || b".-_".contains(&letter);
    let is_bucket = (3..=255).contains(&name.len()) && name.bytes().all(is_usual);
    is_bucket || (name.starts_with("arn:") && name.contains(":accesspoint/"))
}

async fn read(collector: &Collector<'_>, asking: &Region, key: Key) {
    if !collector.wants(&HEAD_BUCKET) {
        collector.mention::<Bucket>(&key);
        return;
    }
    if !may_name_a_bucket(&key.id) {
        collector.put(key, Entry::<Bucket>::missing());
        return;
    }
    let (mut entry, place) = head(collector, asking, &key).await;
    if entry.exists == Fact::Known(false) {
        collector.put(key, entry);
        return;
    }
    // Where the bucket's region is unknown, the region that named it is the best that can be asked,
    // and what goes wrong there is said of the account.
    let region = place.as_ref();
    let client = collector.connection.s3(region.unwrap_or(asking));
    let ask = Place { collector, client, name: &key.id, named_in: asking, region };
    let bucket = &mut entry.attributes;
    match bucket.foreign.clone() {
        Fact::Known(true) => {
            // Its own rules are evaluated in the account that it belongs to.
            entry.in_scope = false;
            collect_foreign::read(&ask, bucket).await;
        }
        // It refuses the caller, and nobody says whose it is.
        Fact::Unknown(gap) if !gap.is_not_collected() && entry.exists == Fact::Known(true) => {
            ask.unread(bucket, &gap);
        }
        Fact::Known(false) | Fact::Unknown(_) => {
            let (lock, encryption, tags, logging, policy) =
                join!(ask.object_lock(), ask.encryption(), ask.tags(), ask.logging(), ask.policy());
            (bucket.object_lock_enabled, bucket.default_retention) = lock;
            (bucket.sse_algorithm, bucket.kms_master_key_id, bucket.kms_key) = encryption;
            bucket.tags = tags;
            bucket.logging_target_bucket = logging;
            bucket.policy = policy;
        }
    }
    collector.put(key, entry);
}

/// Whether the bucket exists, whose it is, and where.
async fn head(collector: &Collector<'_>, asking: &Region, key: &Key) -> (Entry<Bucket>, Option<Region>) {
    let inquiry = collector.inquire(&HEAD_BUCKET, None);
    let own = head_where_it_is(inquiry, asking, key, Owner::Account).await;
    // The condition on the owner is refused as anything else is: without it, the bucket of another account answers.
    let (answer, foreign) = match own {
        Err((failure, place)) if failure.status == Some(403) => {
            let place = place.unwrap_or_else(|| asking.clone());
            (head_where_it_is(inquiry, &place, key, Owner::Anyone).await, Fact::Known(true))
        }
        own => (own, Fact::Known(false)),
    };
    match answer {
        Ok(place) => (Entry::existing(existing(collector, key, foreign, place.as_ref())), place),
        Err((failure, _)) if failure.status == Some(404) => {
            collector.answered(None);
            (Entry::missing(), None)
        }
        // "Regardless of the permissions on the bucket, you will receive a response header with the correct bucket
        // location": who is refused learns that the bucket exists, and not whose it is.
        // <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>
        Err((failure, Some(place))) if failure.status == Some(403) => {
            let foreign = is_foreign(collector, asking, key, failure).await;
            (Entry::existing(existing(collector, key, foreign, Some(&place))), Some(place))
        }
        Err((failure, place)) => {
            let gap = inquiry.failed(denied(failure));
            let mut bucket = Bucket::default();
            bucket.mark_unknown(&HEAD_BUCKET, &gap);
            (Entry { exists: Fact::Unknown(gap), in_scope: true, attributes: bucket }, place)
        }
    }
}

/// What is known of a bucket that exists.
fn existing(collector: &Collector<'_>, key: &Key, foreign: Fact<bool>, place: Option<&Region>) -> Bucket {
    let inquiry = collector.inquire(&HEAD_BUCKET, None);
    let owner = match &foreign {
        Fact::Known(false) => Fact::Known(collector.connection.account().to_string()),
        Fact::Known(true) => Fact::Unknown(collect_foreign::gap(&key.id)),
        Fact::Unknown(gap) => Fact::Unknown(Arc::clone(gap)),
    };
    Bucket {
        arn: Fact::Known(format!("arn:{}:s3:::{}", collector.connection.partition(), key.id)),
        bucket_region: match place {
            Some(place) => Fact::Known(place.as_str().to_owned()),
            None => Fact::Unknown(inquiry.lacks("x-amz-bucket-region")),
        },
        foreign,
        owner,
        ..Bucket::default()
    }
}

/// Whether a bucket that answers neither as the account's own nor as anybody's is another account's: it is, unless it is
/// among the account's buckets.
async fn is_foreign(collector: &Collector<'_>, asking: &Region, key: &Key, refused: Failure) -> Fact<bool> {
    if !collector.wants(&LIST_BUCKETS) {
        return Fact::default();
    }
    let inquiry = collector.inquire(&LIST_BUCKETS, None);
    let mut own = false;
    let request = |token| {
        let request = collector.connection.s3(asking).list_buckets().prefix(key.id.as_ref()).max_buckets(1000);
        let request = request.set_continuation_token(token).customize().interceptor(Requires("<Buckets"));
        inquiry.send(request.send())
    };
    let read = inquiry
        .pages(request, |page| {
            own |= page.buckets.unwrap_or_default().iter().any(|bucket| bucket.name.as_deref() == Some(&*key.id));
            page.continuation_token
        })
        .await;
    match read {
        Ok(()) if own => {
            // It is the account's own, and the caller may not ask for it.
            collector.inquire(&HEAD_BUCKET, None).failed(denied(refused));
            Fact::Known(false)
        }
        Ok(()) => Fact::Known(true),
        Err(gap) => Fact::Unknown(gap),
    }
}

/// A HEAD has no body, so the code is the SDK's guess from the status, or nothing.
fn denied(mut failure: Failure) -> Failure {
    if failure.status == Some(403) {
        failure.gap.kind = GapKind::Denied;
    }
    failure
}

/// Whose bucket is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Account,
    Anyone,
}

/// Asks in the region that S3 says the bucket is in, when it says so: it answers 301, 307 or 400 elsewhere.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html>
async fn head_where_it_is(
    inquiry: ApiCall<'_>,
    asking: &Region,
    key: &Key,
    owner: Owner,
) -> Result<Option<Region>, (Failure, Option<Region>)> {
    let request = async |region: &Region| {
        let connection = inquiry.collector.connection;
        let expected = (owner == Owner::Account).then(|| connection.account().to_string());
        let client = connection.s3(region);
        let request = client.head_bucket().bucket(key.id.as_ref()).set_expected_bucket_owner(expected);
        let answer = inquiry.attempt(request.send()).await;
        answer.map(|answer| answer.bucket_region.and_then(|name| name.parse().ok())).map_err(|failure| {
            let place = failure.bucket_region.as_deref().and_then(|name| name.parse().ok());
            (failure, place)
        })
    };
    match request(asking).await {
        Err((failure, Some(place))) if place != *asking && matches!(failure.status, Some(301 | 307 | 400 | 403)) => {
            request(&place).await.map_err(|(failure, found)| (failure, found.or(Some(place))))
        }
        answer => answer,
    }
}

/// The algorithm of the default encryption, the name of its key, and the key.
pub(crate) type Encryption = (Fact<Option<String>>, Fact<Option<String>>, Fact<Option<Link<KmsKey>>>);

/// The code by which S3 says that a bucket has no default encryption.
pub(super) const NO_ENCRYPTION: &[&str] = &["ServerSideEncryptionConfigurationNotFoundError"];

/// The code by which S3 says that a bucket has no policy.
pub(super) const NO_POLICY: &[&str] = &["NoSuchBucketPolicy"];

/// The default encryption in an answer.
pub(super) fn default_encryption(
    inquiry: ApiCall<'_>,
    answer: Option<GetBucketEncryptionOutput>,
) -> Result<Option<ServerSideEncryptionByDefault>, Arc<Gap>> {
    let Some(answer) = answer else { return Ok(None) };
    let rules = answer.server_side_encryption_configuration.map(|configuration| configuration.rules);
    let rule = rules.into_iter().flatten().next();
    let default = rule.and_then(|rule| rule.apply_server_side_encryption_by_default);
    default.map(Some).ok_or_else(|| inquiry.lacks("ApplyServerSideEncryptionByDefault"))
}

/// The bucket policy in an answer; none where the bucket has none.
pub(super) fn policy_in(inquiry: ApiCall<'_>, answer: Option<GetBucketPolicyOutput>) -> Fact<Option<PolicyDocument>> {
    match answer.map(|answer| answer.policy) {
        None => Fact::Known(None),
        Some(Some(text)) => inquiry.policy_json(&text).map(Some),
        Some(None) => Fact::Unknown(inquiry.lacks("Policy")),
    }
}

/// The default retention. Where the configuration has no rule, objects are kept that say it themselves, and no others.
fn default_retention(inquiry: ApiCall<'_>, rule: Option<ObjectLockRule>) -> Fact<Option<DefaultRetention>> {
    let Some(rule) = rule else { return Fact::Known(None) };
    inquiry.required("DefaultRetention", rule.default_retention).map(|retention| {
        let span = |value: Option<i32>| match (retention.days, retention.years) {
            (None, None) => Fact::Unknown(inquiry.lacks("Days or Years")),
            _ => Fact::Known(value.map(i64::from)),
        };
        Some(DefaultRetention {
            days: span(retention.days),
            years: span(retention.years),
            mode: inquiry.one_of("Mode", retention.mode, ObjectLockRetentionMode::values()),
        })
    })
}

/// What is asked about one bucket.
pub(crate) struct Place<'r> {
    pub(crate) collector: &'r Collector<'r>,
    pub(crate) client: aws_sdk_s3::Client,
    pub(crate) name: &'r str,
    /// The region that named it.
    pub(super) named_in: &'r Region,
    /// The region that it is in.
    pub(crate) region: Option<&'r Region>,
}

impl Place<'_> {
    /// Nothing more is known of the bucket, for this reason.
    fn unread(&self, bucket: &mut Bucket, gap: &Arc<Gap>) {
        for call in [
            GET_BUCKET_POLICY,
            GET_BUCKET_OWNERSHIP_CONTROLS,
            GET_OBJECT_LOCK_CONFIGURATION,
            GET_BUCKET_ENCRYPTION,
            GET_BUCKET_TAGGING,
            GET_BUCKET_LOGGING,
        ] {
            bucket.mark_unknown(&call, gap);
        }
        self.collector.unlisted(&GET_BUCKET_ENCRYPTION, Some(self.region.unwrap_or(self.named_in)), gap);
    }

    /// Whether object lock is on, and for how long it keeps objects.
    async fn object_lock(&self) -> (Fact<bool>, Fact<Option<DefaultRetention>>) {
        let inquiry = self.collector.inquire(&GET_OBJECT_LOCK_CONFIGURATION, self.region);
        if !self.collector.wants(inquiry.call) {
            return (Fact::default(), Fact::default());
        }
        let request = self.client.get_object_lock_configuration().bucket(self.name).send();
        let configuration = match inquiry.send_unless(&["ObjectLockConfigurationNotFoundError"], request).await {
            Ok(None) => return (Fact::Known(false), Fact::Known(None)),
            Ok(Some(answer)) => inquiry.required("ObjectLockConfiguration", answer.object_lock_configuration),
            Err(gap) => Fact::Unknown(gap),
        };
        match configuration {
            Fact::Unknown(gap) => (Fact::Unknown(Arc::clone(&gap)), Fact::Unknown(gap)),
            Fact::Known(configuration) => (
                // Its one value: a bucket cannot have it switched off.
                inquiry
                    .one_of("ObjectLockEnabled", configuration.object_lock_enabled, ObjectLockEnabled::values())
                    .map(|_| true),
                default_retention(inquiry, configuration.rule),
            ),
        }
    }

    async fn encryption(&self) -> Encryption {
        let inquiry = self.collector.inquire(&GET_BUCKET_ENCRYPTION, self.region);
        if !self.collector.wants(inquiry.call) {
            return (Fact::default(), Fact::default(), Fact::default());
        }
        let request = self.client.get_bucket_encryption().bucket(self.name).send();
        let answer = inquiry.send_unless(NO_ENCRYPTION, request).await;
        match answer.and_then(|answer| default_encryption(inquiry, answer)) {
            Err(gap) => self.unencrypted_or_not(inquiry, gap),
            Ok(default) => self.encrypted(default, self.collector.connection, Use::Sessions).await,
        }
    }

    /// The default encryption, with its key as `connection` sees it.
    pub(crate) async fn encrypted(
        &self,
        default: Option<ServerSideEncryptionByDefault>,
        connection: &Connection,
        used: Use,
    ) -> Encryption {
        let Some(default) = default else { return (Fact::Known(None), Fact::Known(None), Fact::Known(None)) };
        let region = self.region.unwrap_or(self.named_in);
        let named = default.kms_master_key_id.filter(|reference| !reference.is_empty());
        let key = match &named {
            Some(reference) => {
                Some(Link::to(key::collect::read_by(self.collector, connection, region, reference, used).await))
            }
            None => None,
        };
        let inquiry = self.collector.inquire(&GET_BUCKET_ENCRYPTION, self.region);
        let algorithm =
            inquiry.one_of("SSEAlgorithm", Some(default.sse_algorithm), ServerSideEncryption::values()).map(Some);
        (algorithm, Fact::Known(named), Fact::Known(key))
    }

    /// The key, if there is one, is in the bucket's region; where that is unknown too, in that which named it.
    fn unencrypted_or_not(&self, inquiry: ApiCall<'_>, gap: Arc<Gap>) -> Encryption {
        self.collector.unlisted(inquiry.call, Some(self.region.unwrap_or(self.named_in)), &gap);
        (Fact::Unknown(Arc::clone(&gap)), Fact::Unknown(Arc::clone(&gap)), Fact::Unknown(gap))
    }

    async fn policy(&self) -> Fact<Option<PolicyDocument>> {
        let inquiry = self.collector.inquire(&GET_BUCKET_POLICY, self.region);
        if !self.collector.wants(inquiry.call) {
            return Fact::default();
        }
        let request = self.client.get_bucket_policy().bucket(self.name).send();
        match inquiry.attempt(request).await {
            Ok(answer) => policy_in(inquiry, Some(answer)),
            Err(failure) if failure.has_code(NO_POLICY) => {
                self.collector.answered(self.region);
                policy_in(inquiry, None)
            }
            // "…using an identity that doesn't belong to the bucket owner's account."
            // <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html>
            Err(failure) if failure.status == Some(405) || failure.has_code(&["MethodNotAllowed"]) => {
                Fact::Unknown(collect_foreign::gap(self.name))
            }
            Err(failure) => Fact::Unknown(inquiry.failed(failure)),
        }
    }

    async fn tags(&self) -> Fact<BTreeMap<String, String>> {
        let inquiry = self.collector.inquire(&GET_BUCKET_TAGGING, self.region);
        if !self.collector.wants(inquiry.call) {
            return Fact::default();
        }
        let request = self.client.get_bucket_tagging().bucket(self.name);
        let request = request.customize().interceptor(Requires("<TagSet")).send();
        match inquiry.send_unless(&["NoSuchTagSet", "NoSuchTagSetError"], request).await {
            Ok(answer) => {
                let tags = answer.map(|answer| answer.tag_set).unwrap_or_default();
                let tags = tags.into_iter().map(|tag| Some((filled(Some(tag.key))?, tag.value)));
                inquiry.required("TagSet.Key", tags.collect())
            }
            Err(gap) => Fact::Unknown(gap),
        }
    }

    async fn logging(&self) -> Fact<Option<String>> {
        let inquiry = self.collector.inquire(&GET_BUCKET_LOGGING, self.region);
        if !self.collector.wants(inquiry.call) {
            return Fact::default();
        }
        let request = self.client.get_bucket_logging().bucket(self.name).send();
        match inquiry.send(request).await {
            Ok(answer) => match answer.logging_enabled {
                None => Fact::Known(None),
                Some(logging) => inquiry.named("TargetBucket", Some(logging.target_bucket)).map(Some),
            },
            Err(gap) => Fact::Unknown(gap),
        }
    }
}
