//! Buckets: object lock, default encryption, tags, server access logs; and the bucket for session logs, where there is none.

use std::collections::BTreeMap;

use iam_policy::PolicyDocument;
use serde_json::{Value as Json, json};
use wildmatch::WildMatch;

use crate::engine::rule::params::ParamValue;
use crate::model::arn::Arn;
use crate::model::{Entry, Fact, Key, Region, ResourceType};
use crate::remediate::observed::{AspectKind, ObservedAspect, satisfies};
use crate::remediate::operation::{
    ApplyServerSideEncryptionByDefault, BlockedEncryptionTypes, BucketLoggingStatus, CreateBucket,
    CreateBucketConfiguration, DeleteBucket, DeleteBucketEncryption, DeleteBucketTagging, LoggingEnabled,
    ObjectLockConfiguration, Operation, PutBucketEncryption, PutBucketLogging, PutBucketTagging, PutBucketVersioning,
    PutObjectLockConfiguration, S3Tag, ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tagging,
    VersioningConfiguration,
};
use crate::remediate::plan::Undo;
use crate::remediate::plan_builder::{Aims, Change, DesiredState, PlanBuilder, ResourceId};
use crate::remediate::policy;
use crate::remediate::setters::{Ability, Setter, seen};
use crate::resource::key::schema::KmsKey;

/// Sets attributes of buckets, and makes the bucket for session logs.
pub(crate) struct Buckets;

static ABILITIES: &[Ability] = &[
    Ability::set(
        "object_lock_enabled",
        &[PutBucketVersioning::CALL, PutObjectLockConfiguration::CALL],
        &[AspectKind::BucketVersioning, AspectKind::BucketObjectLock],
    ),
    Ability::set(
        "sse_algorithm",
        &[PutBucketEncryption::CALL, DeleteBucketEncryption::CALL],
        &[AspectKind::BucketEncryption],
    )
    .reading_all(),
    Ability::task("tag", &[PutBucketTagging::CALL, DeleteBucketTagging::CALL], &[AspectKind::BucketTags]),
    Ability::task("log-access", &[PutBucketLogging::CALL], &[AspectKind::Bucket, AspectKind::BucketLogging]),
    Ability::task(
        "create",
        &[
            CreateBucket::CALL,
            DeleteBucket::CALL,
            PutBucketEncryption::CALL,
            DeleteBucketEncryption::CALL,
            PutBucketTagging::CALL,
            DeleteBucketTagging::CALL,
            PutBucketLogging::CALL,
        ],
        &[AspectKind::Bucket, AspectKind::BucketEncryption, AspectKind::BucketTags, AspectKind::BucketLogging],
    ),
];

impl Setter for Buckets {
    fn resource_type(&self) -> ResourceType {
        ResourceType::Bucket
    }

    fn abilities(&self) -> &'static [Ability] {
        ABILITIES
    }

    fn required_reads(
        &self,
        thing: &ResourceId,
        wanted: &DesiredState,
        builder: &PlanBuilder<'_>,
    ) -> Vec<(Option<Region>, ObservedAspect)> {
        let region = region(thing, builder);
        let names = wanted.set.keys().chain(wanted.tasks.keys());
        let abilities = names.filter_map(|name| crate::remediate::setters::ability(ResourceType::Bucket, name));
        let mut kinds: Vec<AspectKind> = abilities.flat_map(|ability| ability.required_reads).copied().collect();
        kinds.sort();
        kinds.dedup();
        let is_own = |kind: &&AspectKind| **kind != AspectKind::Bucket || wanted.tasks.contains_key("create");
        let own = kinds.iter().filter(is_own).map(|kind| ObservedAspect::of(*kind, thing.1.id.as_ref()));
        let target = logging_bucket(region.as_ref(), builder).filter(|_| kinds.contains(&AspectKind::BucketLogging));
        let target = target.map(|target| ObservedAspect::of(AspectKind::Bucket, target));
        own.chain(target).map(|aspect| (region.clone(), aspect)).collect()
    }

    fn builder(&self, thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
        let there = builder.inventory.buckets.get(&thing.1).filter(|entry| entry.exists != Fact::Known(false));
        match there.map(|entry| entry.attributes.foreign.clone()) {
            Some(Fact::Known(true)) => {
                builder.leave_out(&wanted.aims(), "the bucket is another account's, which must change it");
                return;
            }
            Some(Fact::Unknown(gap)) => {
                builder.leave_out(&wanted.aims(), format!("the account that owns the bucket is not known: {gap}"));
                return;
            }
            Some(Fact::Known(false)) | None => {}
        }
        let Some(region) = region(thing, builder) else {
            builder.leave_out(&wanted.aims(), "the bucket's region is not known");
            return;
        };
        let mut this = Bucket { thing, region, builder, new: None };
        let mut wanted = wanted.clone();
        if let Some(aims) = wanted.task("create").cloned() {
            match this.builder.observation(Some(&this.region), &this.aspect(AspectKind::Bucket)) {
                Ok(Json::Null) => this.create(&aims),
                Ok(_) => this.will_be_asked(&mut wanted, &aims),
                Err(gap) => {
                    let reason = format!("whether the bucket {} is this account's is not known: {gap}", thing.1.id);
                    this.builder.leave_out(&aims, reason);
                    return;
                }
            }
        }
        this.lock(&wanted);
        this.encrypt(&wanted);
        this.tag(&wanted);
        this.log(&wanted);
    }
}

/// Returns `true` for a bucket that is known to be another account's.
pub(crate) fn is_foreign(bucket: &str, builder: &PlanBuilder<'_>) -> bool {
    let entry = builder.inventory.buckets.get(&Key::global(bucket));
    entry.is_some_and(|entry| entry.attributes.foreign == Fact::Known(true))
}

/// Returns the key that a bucket encrypts with by default, where it names one.
pub(crate) fn default_key<'a>(bucket: &str, builder: &PlanBuilder<'a>) -> Option<&'a Entry<KmsKey>> {
    let link = builder.inventory.buckets.get(&Key::global(bucket))?.attributes.kms_key.known()?.as_ref()?;
    builder.inventory.keys.get(&link.key)
}

/// Returns why nothing can be written to a bucket: it names a key that does not exist.
pub(crate) fn missing_key(bucket: &str, builder: &PlanBuilder<'_>) -> Option<String> {
    default_key(bucket, builder).filter(|key| key.exists == Fact::Known(false))?;
    let attributes = &builder.inventory.buckets.get(&Key::global(bucket))?.attributes;
    let named = attributes.kms_master_key_id.known()?.as_ref()?;
    Some(format!("the bucket {bucket} names the key {named}, which does not exist: name another one"))
}

/// Returns the bucket for server access logs of the buckets of a region.
fn logging_bucket(region: Option<&Region>, builder: &PlanBuilder<'_>) -> Option<String> {
    builder.settings.logging_bucket.as_ref().map(|bucket| builder.here(region).fill(bucket))
}

/// The region of a bucket: where it is, or where it is to be made.
fn region(thing: &ResourceId, builder: &PlanBuilder<'_>) -> Option<Region> {
    let entry = builder.inventory.buckets.get(&thing.1);
    let there = entry.and_then(|entry| entry.attributes.bucket_region.known()?.parse().ok());
    there.or_else(|| {
        crate::resource::session_preferences::fix::regions_with_bucket(&thing.1.id, builder).into_iter().next()
    })
}

/// A bucket for which steps are drafted.
struct Bucket<'d, 'a> {
    thing: &'d ResourceId,
    region: Region,
    builder: &'d mut PlanBuilder<'a>,
    /// The step that makes it.
    new: Option<usize>,
}

impl Bucket<'_, '_> {
    fn name(&self) -> String {
        self.thing.1.id.as_ref().to_owned()
    }

    fn owner(&self) -> String {
        self.builder.account.to_string()
    }

    fn aspect(&self, kind: AspectKind) -> ObservedAspect {
        ObservedAspect::of(kind, self.name())
    }

    /// What is there before a step: nothing is known of a bucket that is made.
    fn before(&mut self, kind: AspectKind, aims: &Aims) -> Option<Json> {
        let aspect = self.aspect(kind);
        match (self.new, kind) {
            (Some(_), AspectKind::BucketTags) => Some(json!([])),
            (Some(_), _) => Some(json!({})),
            (None, _) => seen(self.builder, Some(&self.region), &aspect, aims),
        }
    }

    fn add(
        &mut self,
        aims: &Aims,
        kind: AspectKind,
        before: Json,
        after: Json,
        call: impl Into<Operation>,
        back: impl Into<Operation>,
    ) -> usize {
        let mut change = Change::new(self.thing.clone(), aims.clone(), self.aspect(kind), before, after, call)
            .in_region(&self.region)
            .undone_by(back)
            .needing(self.new);
        if self.new.is_some() {
            // It goes with the bucket.
            if let Undo::By(back) = change.undo {
                change.undo = Undo::Deletes(back);
            }
            change.creates = true;
        }
        self.builder.add(change)
    }

    fn create(&mut self, aims: &Aims) {
        let elsewhere = self.region.as_str() != "us-east-1";
        let call = CreateBucket {
            bucket: self.name(),
            create_bucket_configuration: elsewhere
                .then(|| CreateBucketConfiguration { location_constraint: self.region.to_string() }),
            object_lock_enabled_for_bucket: true,
        };
        let aspect = self.aspect(AspectKind::Bucket);
        let mut change = Change::new(self.thing.clone(), aims.clone(), aspect, Json::Null, json!({}), call)
            .in_region(&self.region)
            .creating();
        change.undo = Undo::Deletes(DeleteBucket { bucket: self.name(), expected_bucket_owner: self.owner() }.into());
        self.new = Some(self.builder.add(change));
    }

    /// What the rules will ask of a bucket that is there already, as soon as sessions use it: it is done at once. An
    /// earlier run may have made it and got no further.
    fn will_be_asked(&self, wanted: &mut DesiredState, aims: &Aims) {
        let holds = |rule: &str| self.builder.params.contains_key(rule);
        let lacks = |kind: AspectKind, member: &str| {
            let observation = self.builder.observation(Some(&self.region), &self.aspect(kind));
            observation.is_ok_and(|state| state.is_object() && state[member].is_null())
        };
        if holds("s3-encrypted") && lacks(AspectKind::BucketEncryption, "SSEAlgorithm") {
            wanted.set.entry("sse_algorithm".to_owned()).or_insert_with(|| ("AES256".into(), aims.clone()));
        }
        if self.builder.settings.logging_bucket.is_some()
            && holds("s3-access-logging")
            && lacks(AspectKind::BucketLogging, "TargetBucket")
        {
            wanted.tasks.entry("log-access".to_owned()).or_insert_with(|| aims.clone());
        }
        let Ok(Json::Array(tags)) = self.builder.observation(Some(&self.region), &self.aspect(AspectKind::BucketTags))
        else {
            return;
        };
        let required = self.required_tags();
        let has = |key: &String| tags.iter().any(|tag| tag["Key"] == **key);
        if required.iter().all(|key| has(key) || self.builder.settings.tags.contains_key(key))
            && !required.iter().all(has)
        {
            wanted.tasks.entry("tag".to_owned()).or_insert_with(|| aims.clone());
        }
    }

    /// The tags that the rule asks for, where it is held.
    fn required_tags(&self) -> Vec<String> {
        match self.builder.param("s3-required-tags", "keys") {
            Some(ParamValue::Texts(keys)) => keys.clone(),
            _ => Vec::new(),
        }
    }

    fn lock(&mut self, wanted: &DesiredState) {
        let Some((_, aims)) = wanted.set.get("object_lock_enabled") else { return };
        if self.new.is_some() {
            return;
        }
        let Some(versioning) = self.before(AspectKind::BucketVersioning, aims) else { return };
        let Some(lock) = self.before(AspectKind::BucketObjectLock, aims) else { return };
        let mut needs = None;
        if versioning["Status"] != json!("Enabled") {
            if versioning["MFADelete"] == json!("Enabled") {
                self.builder.leave_out(aims, "changing its versioning takes a code of the root user's MFA device");
                return;
            }
            let call = PutBucketVersioning {
                bucket: self.name(),
                versioning_configuration: VersioningConfiguration { status: "Enabled".to_owned() },
                expected_bucket_owner: self.owner(),
            };
            let aspect = self.aspect(AspectKind::BucketVersioning);
            let change =
                Change::new(self.thing.clone(), aims.clone(), aspect, versioning, json!({"Status": "Enabled"}), call)
                    .in_region(&self.region)
                    .not_undone("versioning cannot be suspended while object lock is on")
                    .warning("versions keep what lifecycle rules thought deleted, and are paid for");
            needs = Some(self.builder.add(change));
        }
        let call = PutObjectLockConfiguration {
            bucket: self.name(),
            object_lock_configuration: ObjectLockConfiguration { object_lock_enabled: "Enabled".to_owned() },
            expected_bucket_owner: self.owner(),
        };
        let aspect = self.aspect(AspectKind::BucketObjectLock);
        let change =
            Change::new(self.thing.clone(), aims.clone(), aspect, lock, json!({"ObjectLockEnabled": "Enabled"}), call)
                .in_region(&self.region)
                .not_undone("object lock cannot be switched off")
                .needing(needs);
        self.builder.add(change);
    }

    fn encrypt(&mut self, wanted: &DesiredState) {
        let made = wanted.task("create").filter(|_| self.new.is_some()).cloned();
        let (algorithm, aims) = match (wanted.set.get("sse_algorithm"), made) {
            (Some((value, aims)), _) => (value.as_str().unwrap_or("AES256").to_owned(), aims.clone()),
            (None, Some(aims)) => ("AES256".to_owned(), aims),
            (None, None) => return,
        };
        let Some(before) = self.before(AspectKind::BucketEncryption, &aims) else { return };
        // The call replaces the whole rule: what the rule had besides the algorithm stays.
        let blocked = before["BlockedEncryptionTypes"].as_array().map(|types| BlockedEncryptionTypes {
            encryption_type: types.iter().filter_map(|kind| kind.as_str().map(str::to_owned)).collect(),
        });
        let bucket_key = before["BucketKeyEnabled"].as_bool();
        let rule = |algorithm: &str, key: Option<String>, bucket_key: Option<bool>| ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: ApplyServerSideEncryptionByDefault {
                sse_algorithm: algorithm.to_owned(),
                kms_master_key_id: key,
            },
            bucket_key_enabled: bucket_key,
            blocked_encryption_types: blocked.clone(),
        };
        let put = |rule: ServerSideEncryptionRule| PutBucketEncryption {
            bucket: self.name(),
            server_side_encryption_configuration: ServerSideEncryptionConfiguration { rules: vec![rule] },
            expected_bucket_owner: self.owner(),
        };
        // Bucket keys are for SSE-KMS alone among the encryptions with KMS:
        // <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html>
        let key = before["KMSMasterKeyID"].as_str().filter(|_| algorithm.starts_with("aws:kms")).map(str::to_owned);
        let wanted = rule(&algorithm, key, bucket_key.filter(|_| algorithm != "aws:kms:dsse"));
        let back: Operation = match before["SSEAlgorithm"].as_str() {
            Some(current) => {
                let key = before["KMSMasterKeyID"].as_str().map(str::to_owned);
                put(rule(current, key, bucket_key)).into()
            }
            None => DeleteBucketEncryption { bucket: self.name(), expected_bucket_owner: self.owner() }.into(),
        };
        let after = wanted.state();
        let current = before["SSEAlgorithm"].as_str().unwrap_or_default();
        if let Some(reason) = missing_key(&self.thing.1.id, self.builder) {
            self.builder.leave_out(&aims, reason);
            return;
        }
        if current.starts_with("aws:kms") && algorithm == "AES256" {
            self.builder.leave_out(&aims, format!("the bucket encrypts with a KMS key ({current}), which it keeps"));
            return;
        }
        if self.new.is_none() && satisfies(&before, &after) {
            self.builder.leave_out(&aims, "the bucket has this encryption");
            return;
        }
        // Objects of other accounts would be encrypted with a key of theirs, which nobody else can use.
        let by_name = self.new.is_none() && algorithm.starts_with("aws:kms") && self.others_may_write();
        let step = self.add(&aims, AspectKind::BucketEncryption, before, after, put(wanted), back);
        if by_name {
            let step = &mut self.builder.changes[step];
            step.by_name = true;
            step.warnings.push("other accounts write to the bucket: their objects get keys of their own".to_owned());
        }
    }

    /// Returns `true` unless the bucket policy surely lets only this account put objects.
    fn others_may_write(&self) -> bool {
        let policy = self.builder.inventory.buckets.get(&self.thing.1).map(|entry| &entry.attributes.policy);
        match policy {
            None | Some(Fact::Known(None)) => false,
            Some(Fact::Known(Some(policy))) => may_admit_others(policy, self.builder.account.as_str()),
            Some(Fact::Unknown(_)) => true,
        }
    }

    fn tag(&mut self, wanted: &DesiredState) {
        let made = wanted.task("create").filter(|_| self.new.is_some()).cloned();
        let aims = match (wanted.task("tag"), made) {
            (Some(aims), _) => aims.clone(),
            (None, Some(aims)) => aims,
            (None, None) => return,
        };
        let Some(before) = self.before(AspectKind::BucketTags, &aims) else { return };
        let current: BTreeMap<String, String> = before
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|tag| Some((tag["Key"].as_str()?.to_owned(), tag["Value"].as_str()?.to_owned())))
            .collect();
        let mut tags = current.clone();
        if wanted.task("tag").is_some() {
            let required = self.required_tags();
            let given = &self.builder.settings.tags;
            let missing: Vec<String> = required
                .iter()
                .filter(|key| !current.contains_key(*key) && !given.contains_key(*key))
                .map(|key| format!("fix.tags.{key}"))
                .collect();
            if !missing.is_empty() {
                let reason = format!("set {} in ssm-audit.yaml: only you know the values", missing.join(" and "));
                self.builder.leave_out(&aims, reason);
                return;
            }
            let given = given.clone();
            tags.extend(required.into_iter().filter_map(|key| Some((key.clone(), given.get(&key)?.clone()))));
            // What stands there already keeps its value.
            tags.extend(current.clone());
        } else {
            tags.extend(self.builder.tags());
        }
        let put = |tags: &BTreeMap<String, String>| PutBucketTagging {
            bucket: self.name(),
            tagging: Tagging {
                tag_set: tags.iter().map(|(key, value)| S3Tag { key: key.clone(), value: value.clone() }).collect(),
            },
            expected_bucket_owner: self.owner(),
        };
        let back: Operation = if current.is_empty() {
            DeleteBucketTagging { bucket: self.name(), expected_bucket_owner: self.owner() }.into()
        } else {
            put(&current).into()
        };
        let after = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        let call = put(&tags);
        self.add(&aims, AspectKind::BucketTags, before, after, call, back);
    }

    fn log(&mut self, wanted: &DesiredState) {
        let target = logging_bucket(Some(&self.region), self.builder);
        let made = wanted.task("create").filter(|_| self.new.is_some()).cloned();
        let (aims, target) = match (wanted.task("log-access"), made, target) {
            (Some(aims), _, Some(target)) => (aims.clone(), target),
            (Some(aims), _, None) => {
                let reason = "set fix.logging_bucket in ssm-audit.yaml: the bucket that server access logs go to";
                self.builder.leave_out(aims, reason);
                return;
            }
            (None, Some(aims), Some(target)) => (aims, target),
            (None, ..) => return,
        };
        if let Some(reason) = self.cannot_log_to(&target) {
            self.builder.leave_out(&aims, reason);
            return;
        }
        let Some(before) = self.before(AspectKind::BucketLogging, &aims) else { return };
        let prefix = format!("{}/", self.name());
        let put = |target: Option<(String, String)>| PutBucketLogging {
            bucket: self.name(),
            bucket_logging_status: BucketLoggingStatus {
                logging_enabled: target
                    .map(|(target_bucket, target_prefix)| LoggingEnabled { target_bucket, target_prefix }),
            },
            expected_bucket_owner: self.owner(),
        };
        let earlier = before["TargetBucket"]
            .as_str()
            .map(|bucket| (bucket.to_owned(), before["TargetPrefix"].as_str().unwrap_or_default().to_owned()));
        let after = json!({"TargetBucket": target, "TargetPrefix": prefix});
        let (call, back) = (put(Some((target, prefix))), put(earlier));
        self.add(&aims, AspectKind::BucketLogging, before, after, call, back);
    }

    /// Returns the reason why a bucket cannot take the server access logs of this one.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerLogs.html>
    fn cannot_log_to(&self, target: &str) -> Option<String> {
        if target == self.name() {
            return Some(format!("fix.logging_bucket is {target} itself: its logs would be logged again"));
        }
        match self.builder.observation(Some(&self.region), &ObservedAspect::of(AspectKind::Bucket, target)) {
            Ok(Json::Null) => Some(format!("the bucket {target} of fix.logging_bucket does not exist")),
            Ok(there) => {
                let region = there["Region"].as_str().filter(|region| *region != self.region.as_str())?;
                Some(format!("the bucket {target} of fix.logging_bucket is in {region}: it must be in {}", self.region))
            }
            Err(gap) => Some(format!("the bucket {target} of fix.logging_bucket could not be read: {gap}")),
        }
    }
}

/// Returns `true` if a statement of a bucket policy may let a principal of another account put objects, whatever its
/// conditions say.
fn may_admit_others(policy: &PolicyDocument, account: &str) -> bool {
    let is_other = |principal: &String| Arn::parse(principal).map_or(principal.as_str(), |arn| arn.account) != account;
    policy::statements(&policy.as_value().to_string()).iter().filter(|statement| statement["Effect"] == "Allow").any(
        |statement| {
            let actions = policy::texts(&statement["Action"]);
            let puts = |action: &String| WildMatch::new_case_insensitive(action).matches("s3:PutObject");
            let admits = match &statement["Principal"] {
                Json::Object(kinds) => kinds.iter().any(|(kind, principals)| match kind.as_str() {
                    "AWS" => policy::texts(principals).iter().any(is_other),
                    kind => kind == "CanonicalUser",
                }),
                // Everyone; or everyone but those of `NotPrincipal`.
                _ => true,
            };
            admits && (statement["Action"].is_null() || actions.iter().any(puts))
        },
    )
}
