//! S3: `aws_s3_bucket` with the resources that configure it, and the arguments that it had itself in old code.

use std::rc::Rc;
use std::sync::Arc;

use iam_policy::PolicyDocument;

use super::schema::{Bucket, DefaultRetention};
use crate::collect::terraform::block_view::BlockView;
use crate::collect::terraform::instance::Instance;
use crate::collect::terraform::mapping::associations::with_text;
use crate::collect::terraform::mapping::references::Reference;
use crate::collect::terraform::mapping::{Judged, Mapped, Mapper, fact};
use crate::collect::terraform::value::Value;
use crate::model::{Fact, Gap, Key, Link, ResourceType};
use crate::resource::key::schema::KmsKey;

const BUCKETS: &[&str] = &["aws_s3_bucket"];

/// Where the configuration of a bucket stands.
type Configured = Result<Option<BlockView>, Arc<Gap>>;

/// The algorithm of the default encryption, the name of its key, and the key.
type Encryption = (Fact<Option<String>>, Fact<Option<String>>, Fact<Option<Link<KmsKey>>>);

impl Mapper {
    /// The bucket that a value names.
    pub(crate) fn bucket_link(
        &mut self,
        value: &Value,
        by: &Rc<Instance>,
        judged: Judged,
    ) -> Fact<Option<Link<Bucket>>> {
        let target = self.target(value, BUCKETS, by);
        if let Some(none) = self.no_link(&target, by, judged) {
            return none;
        }
        Fact::Known(Some(match target {
            Reference::Declared(bucket) => Link::to(self.put_bucket(&bucket, judged)),
            Reference::Named(name) => {
                let arn = format!("arn:{}:s3:::{name}", by.partition());
                let link = self.put_named(Key::global(name), by);
                if let Some(entry) = self.inventory.buckets.get_mut(&link.key) {
                    entry.attributes.arn = Fact::Known(arn);
                }
                link
            }
            _ => return Fact::Known(None),
        }))
    }

    pub(crate) fn put_bucket(&mut self, bucket: &Rc<Instance>, judged: Judged) -> Key {
        let key = Self::key_of(ResourceType::Bucket, bucket);
        if self.seen::<Bucket>(&key, judged) {
            return key;
        }
        let view = bucket.view();
        let mut mapped: Mapped<Bucket> = Mapped::new();
        mapped.at("tags", view.span_of("tags"));
        let object_lock_enabled = self.object_lock(bucket, &mut mapped);
        let default_retention = self.default_retention(bucket, &mut mapped);
        let (sse_algorithm, kms_master_key_id, kms_key) = self.encryption(bucket, &mut mapped);
        let logging_target_bucket = self.logging(bucket, &mut mapped);
        let policy = self.bucket_policy(bucket, &mut mapped);
        let object_ownership = self.object_ownership(bucket, &mut mapped);
        let region = fact::text(&self.context, &bucket.region_value());
        let owner = fact::text(&self.context, &bucket.account_value());
        mapped.resource = Bucket {
            arn: self.told(bucket, "arn"),
            bucket_region: fact::or(region, String::new),
            foreign: self.is_foreign(bucket),
            owner: fact::or(owner, String::new),
            policy,
            object_ownership,
            object_lock_enabled,
            default_retention,
            sse_algorithm,
            kms_master_key_id,
            kms_key,
            tags: self.tags(&view),
            logging_target_bucket,
        };
        self.put(key.clone(), bucket, mapped, judged);
        key
    }

    /// The configuration in a resource of its own, or in a block of the bucket.
    fn configured(&self, bucket: &Rc<Instance>, kind: &'static str, block: &str) -> Configured {
        self.companion_or_own(kind, "bucket", bucket, BUCKETS, |view| view.block(block))
    }

    /// The policy of `aws_s3_bucket_policy`, or the one that the bucket had itself in old code; absent without either.
    fn bucket_policy(&self, bucket: &Rc<Instance>, mapped: &mut Mapped<Bucket>) -> Fact<Option<PolicyDocument>> {
        let own = |view: &BlockView| Ok(with_text(view, "policy"));
        let view = match self.companion_or_own("aws_s3_bucket_policy", "bucket", bucket, BUCKETS, own) {
            Err(gap) => return Fact::Unknown(gap),
            Ok(None) => return Fact::Known(None),
            Ok(Some(view)) => view,
        };
        fact::policy(&self.context, &view, &mapped.get("policy", &view, "policy"))
    }

    /// Without controls, a new bucket has ACLs off.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>
    fn object_ownership(&self, bucket: &Rc<Instance>, mapped: &mut Mapped<Bucket>) -> Fact<String> {
        let controls = match self.association("aws_s3_bucket_ownership_controls", "bucket", bucket, BUCKETS) {
            Err(gap) => return Fact::Unknown(gap),
            Ok(None) => return Fact::Known("BucketOwnerEnforced".to_owned()),
            Ok(Some(controls)) => controls,
        };
        match controls.view().block("rule") {
            Err(gap) => Fact::Unknown(gap),
            Ok(None) => Fact::Unknown(fact::left_open(&controls.view(), "the ownership controls have no rule")),
            Ok(Some(rule)) => {
                let ownership = mapped.get("object_ownership", &rule, "object_ownership");
                fact::or(fact::text(&self.context, &ownership), String::new)
            }
        }
    }

    fn object_lock(&self, bucket: &Rc<Instance>, mapped: &mut Mapped<Bucket>) -> Fact<bool> {
        let view = bucket.view();
        let flag = fact::or(fact::flag(&mapped.get("object_lock_enabled", &view, "object_lock_enabled")), || false);
        if flag != Fact::Known(false) {
            return flag;
        }
        match self.configured(bucket, "aws_s3_bucket_object_lock_configuration", "object_lock_configuration") {
            Err(gap) => Fact::Unknown(gap),
            Ok(None) => Fact::Known(false),
            Ok(Some(view)) => {
                mapped.source_map.retain(|(path, _)| *path != "object_lock_enabled");
                mapped.at("object_lock_enabled", Some(view.span()));
                let enabled = fact::text(&self.context, &view.get("object_lock_enabled"));
                enabled.map(|enabled| enabled.is_none_or(|enabled| enabled == "Enabled"))
            }
        }
    }

    /// For how long object lock keeps new objects: what one rule of the configuration says.
    fn default_retention(&self, bucket: &Rc<Instance>, mapped: &mut Mapped<Bucket>) -> Fact<Option<DefaultRetention>> {
        let retention = self
            .configured(bucket, "aws_s3_bucket_object_lock_configuration", "object_lock_configuration")
            .and_then(|view| view.map_or(Ok(None), |view| view.block("rule")))
            .and_then(|rule| rule.map_or(Ok(None), |rule| rule.block("default_retention")));
        match retention {
            Err(gap) => Fact::Unknown(gap),
            Ok(None) => Fact::Known(None),
            Ok(Some(view)) => {
                mapped.at("default_retention", Some(view.span()));
                let mode = match fact::text(&self.context, &view.get("mode")) {
                    Fact::Known(Some(mode)) => Fact::Known(mode),
                    Fact::Known(None) => Fact::Unknown(fact::left_open(&view, "the retention has no mode")),
                    Fact::Unknown(gap) => Fact::Unknown(gap),
                };
                let span = |name| fact::whole(&self.context, &view.get(name));
                Fact::Known(Some(DefaultRetention { mode, days: span("days"), years: span("years") }))
            }
        }
    }

    /// Without a configuration, S3 encrypts with its own keys.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html>
    fn encryption(&mut self, bucket: &Rc<Instance>, mapped: &mut Mapped<Bucket>) -> Encryption {
        let unknown =
            |gap: Arc<Gap>| (Fact::Unknown(Arc::clone(&gap)), Fact::Unknown(Arc::clone(&gap)), Fact::Unknown(gap));
        let kind = "aws_s3_bucket_server_side_encryption_configuration";
        let default = self
            .configured(bucket, kind, "server_side_encryption_configuration")
            .and_then(|view| view.map_or(Ok(None), |view| view.block("rule")))
            .and_then(|rule| rule.map_or(Ok(None), |rule| rule.block("apply_server_side_encryption_by_default")));
        let default = match default {
            Err(gap) => {
                self.unlisted(ResourceType::KmsKey, bucket.region(), &gap);
                return unknown(gap);
            }
            Ok(None) => return (Fact::Known(Some("AES256".to_owned())), Fact::Known(None), Fact::Known(None)),
            Ok(Some(default)) => default,
        };
        mapped.at("sse_algorithm", default.span_of("sse_algorithm").or(Some(default.span())));
        let key = mapped.get("kms_master_key_id", &default, "kms_master_key_id");
        mapped.at("kms_key", default.span_of("kms_master_key_id"));
        let named = fact::text(&self.context, &key).map(|name| name.filter(|name| !name.is_empty()));
        let algorithm = fact::text(&self.context, &default.get("sse_algorithm"));
        (algorithm, named, self.key_link(&key, bucket, Judged::Yes))
    }

    fn logging(&self, bucket: &Rc<Instance>, mapped: &mut Mapped<Bucket>) -> Fact<Option<String>> {
        match self.configured(bucket, "aws_s3_bucket_logging", "logging") {
            Err(gap) => Fact::Unknown(gap),
            Ok(None) => Fact::Known(None),
            Ok(Some(view)) => {
                mapped.at("logging_target_bucket", view.span_of("target_bucket").or(Some(view.span())));
                fact::text(&self.context, &view.get("target_bucket"))
            }
        }
    }
}
