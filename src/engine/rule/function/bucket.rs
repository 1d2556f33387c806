//! Delivery of session logs to a bucket: evaluates the role's policies and the bucket's policy together, for uploads as
//! SSM Agent makes them.
//! <https://github.com/aws/amazon-ssm-agent/blob/mainline/agent/s3util/s3util.go>

use iam_policy::{BucketOwner, BucketPolicy, Context, Decision, bucket_allows};

use super::super::value::Argument;
use super::policy::{RolePolicies, Through, by_itself, undecided};
use super::{Answer, Arguments, Receiver, Undecided};
use crate::model::arn::Arn;
use crate::model::{Entry, Fact, Key, ResourceType, Source};
use crate::resource::bucket::schema::Bucket;
use crate::resource::key::schema::KmsKey;
use crate::resource::session_preferences::schema::{SessionPreferences, uploads};

pub(super) fn delivers_logs(receiver: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    all(Delivery::of(receiver, arguments)?.checks())
}

pub(super) fn delivery_denial(receiver: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    let denials = Delivery::of(receiver, arguments)?.checks().into_iter().filter_map(|check| match check {
        Check::Denied(denial) => Some(denial),
        Check::Allowed | Check::Undecided(_) => None,
    });
    Ok(Answer::Text(denials.collect::<Vec<_>>().join("; ")))
}

pub(super) fn sees_bucket_encryption(receiver: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    all(vec![Delivery::of(receiver, arguments)?.sees_encryption()])
}

/// Condition keys of headers that the agent does not send with an upload.
const NOT_SENT: &[&str] = &[
    "s3:x-amz-server-side-encryption-customer-algorithm",
    "s3:x-amz-copy-source",
    "s3:x-amz-metadata-directive",
    "s3:x-amz-website-redirect-location",
    "s3:object-lock-mode",
    "s3:object-lock-legal-hold",
    "s3:object-lock-retain-until-date",
    "s3:object-lock-remaining-retention-days",
];

/// Result of one permission check.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Check {
    /// Certainly allowed.
    Allowed,
    /// Certainly denied, with the reason.
    Denied(String),
    /// Depends on an unknown fact.
    Undecided(Undecided),
}

impl Check {
    fn of(what: &str, decision: Result<Decision, Undecided>) -> Self {
        match decision {
            Ok(Decision::Allowed) => Self::Allowed,
            Ok(Decision::Denied(denial)) => Self::Denied(format!("{what}: {denial}")),
            Ok(Decision::Undecided(reasons)) => Self::Undecided(undecided(&reasons)),
            Err(undecided) => Self::Undecided(undecided),
        }
    }

    /// Returns the same result if it is unknown whether the check counts: then a denial may not matter.
    fn if_it_counts(self, why: Undecided) -> Self {
        match self {
            Self::Denied(_) => Self::Undecided(why),
            other => other,
        }
    }
}

/// Combines all checks: one that is certainly denied decides.
fn all(checks: Vec<Check>) -> Result<Answer, Undecided> {
    if checks.iter().any(|check| matches!(check, Check::Denied(_))) {
        return Ok(Answer::Bool(false));
    }
    let undecided = checks.into_iter().find_map(|check| match check {
        Check::Undecided(undecided) => Some(undecided),
        Check::Allowed | Check::Denied(_) => None,
    });
    undecided.map_or(Ok(Answer::Bool(true)), Err)
}

/// One role, and the bucket that the session preferences of a region name.
struct Delivery<'a> {
    role: RolePolicies<'a>,
    bucket: &'a Bucket,
    arn: String,
    /// Accounts that the bucket may belong to.
    owners: &'static [BucketOwner],
    /// Prefix of the object names.
    prefix: Result<Option<String>, Undecided>,
}

impl<'a> Delivery<'a> {
    fn of(receiver: &Receiver<'a>, arguments: &[Argument]) -> Result<Self, Undecided> {
        let role = RolePolicies::of(receiver)?;
        let key = Arguments(arguments).resource(ResourceType::SessionPreferences, 0)?;
        let preferences = role.inventory.session_preferences.get(key);
        let preferences = preferences.ok_or_else(|| Undecided("the session preferences were not read".to_owned()))?;
        let SessionPreferences { s3_bucket, inputs, .. } = &preferences.attributes;
        let link = match s3_bucket {
            Fact::Known(Some(link)) => link,
            Fact::Known(None) => return Err(Undecided("the preferences name no bucket".to_owned())),
            Fact::Unknown(gap) => return Err(gap.as_ref().into()),
        };
        let prefix = match inputs.as_ref() {
            Fact::Known(inputs) => inputs.s3_key_prefix.text().map_err(|gap| gap.as_ref().into()),
            Fact::Unknown(gap) => Err(gap.as_ref().into()),
        };
        Self::new(role, &link.key, prefix.map(|prefix| prefix.map(str::to_owned)))
    }

    /// Returns the delivery of a role to a bucket, under a prefix.
    ///
    /// # Errors
    /// If the bucket was not read, or is known not to exist.
    fn new(role: RolePolicies<'a>, key: &Key, prefix: Result<Option<String>, Undecided>) -> Result<Self, Undecided> {
        let inventory = role.inventory;
        let entry = inventory.buckets.get(key).ok_or_else(|| Undecided("the bucket was not read".to_owned()))?;
        if entry.exists == Fact::Known(false) {
            return Err(Undecided("the bucket does not exist".to_owned()));
        }
        let bucket = &entry.attributes;
        let arn = match (bucket.arn.text(), &bucket.foreign) {
            (Ok(arn), _) => arn.to_owned(),
            // The ARN of a bucket follows from its name, whether or not the bucket could be read.
            (Err(_), Fact::Unknown(_)) => format!("arn:{}:s3:::{}", inventory.partition, key.id),
            (Err(gap), Fact::Known(_)) => return Err(gap.as_ref().into()),
        };
        let owners: &[BucketOwner] = match &bucket.foreign {
            Fact::Known(true) => &[BucketOwner::Other],
            Fact::Known(false) => &[BucketOwner::Same],
            // A bucket that the code only refers to is not defined by the code: grants of its policy do not count.
            Fact::Unknown(_) if inventory.source == Source::Terraform && !entry.in_scope => &[BucketOwner::Other],
            Fact::Unknown(_) => &[BucketOwner::Same, BucketOwner::Other],
        };
        Ok(Self { role, bucket, arn, owners, prefix })
    }

    /// Returns all permission checks of an upload.
    fn checks(&self) -> Vec<Check> {
        let objects = match &self.prefix {
            // The name of an object is that of the session.
            Ok(prefix) => format!("{}.log", uploads(&self.arn, prefix.as_deref())),
            Err(undecided) => return vec![Check::Undecided(undecided.clone())],
        };
        let context = self.upload();
        let mut checks = vec![self.check("s3:PutObject", &objects, &context)];
        checks.extend(self.key_faults());
        if self.bucket.foreign != Fact::Known(false) {
            let mut others = self.acl_check(&objects, &context).into_iter().collect::<Vec<_>>();
            others.extend(self.key_checks());
            checks.extend(others.into_iter().map(|check| match &self.bucket.foreign {
                Fact::Unknown(gap) => check.if_it_counts(gap.as_ref().into()),
                Fact::Known(_) => check,
            }));
        }
        checks
    }

    /// Checks the ACL that the agent sends with each object. If ACLs are disabled, S3 accepts the ACL and it has no
    /// effect.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>
    fn acl_check(&self, objects: &str, context: &Context) -> Option<Check> {
        let check = self.check("s3:PutObjectAcl", objects, context);
        match &self.bucket.object_ownership {
            Fact::Known(ownership) if ownership == "BucketOwnerEnforced" => None,
            Fact::Known(_) => Some(check),
            Fact::Unknown(gap) => Some(check.if_it_counts(gap.as_ref().into())),
        }
    }

    /// Checks the key with which the bucket of another account encrypts.
    fn key_checks(&self) -> Vec<Check> {
        let (id, entry) = match self.default_key() {
            Ok(Some(key)) => key,
            Ok(None) => return Vec::new(),
            Err(undecided) => return vec![Check::Undecided(undecided)],
        };
        if entry.exists == Fact::Known(false) {
            return vec![Check::Denied(format!("the bucket's key {} does not exist", id.id))];
        }
        let name = self.bucket.kms_master_key_id.known().and_then(Option::as_deref).unwrap_or_default();
        let within_requester = !name.is_empty() && !name.starts_with("arn:");
        let managed_by_aws = match &entry.attributes.key_manager {
            // Every account has an AWS managed key of its own.
            Fact::Known(manager) if manager == "AWS" && within_requester => return Vec::new(),
            Fact::Known(manager) if manager == "AWS" && !name.is_empty() => {
                return vec![Check::Denied(format!(
                    "the bucket's key {name} is for the account that owns the bucket only"
                ))];
            }
            Fact::Known(_) => None,
            Fact::Unknown(gap) => Some(Undecided::from(gap.as_ref())),
        };
        // KMS resolves a key without an account in the account of the caller.
        // <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ServerSideEncryptionByDefault.html>
        if within_requester {
            let why = format!("the bucket's key {name} names no account: KMS looks for it in the account of the role");
            let alias = name.starts_with("alias/");
            return vec![if alias { Check::Undecided(Undecided(why)) } else { Check::Denied(why) }];
        }
        let check = |action: &&str| {
            let decision = self.role.with_key(action, id, Through::Service("s3"));
            let check = Check::of(&format!("{action} with {}", id.id), decision);
            managed_by_aws.clone().map_or(check.clone(), |why| check.if_it_counts(why))
        };
        let mut checks: Vec<Check> = ["kms:GenerateDataKey", "kms:Decrypt"].iter().map(check).collect();
        checks.extend(self.key_must_have("state", &entry.attributes.key_state, "Enabled"));
        checks
    }

    /// Returns the key that the bucket encrypts with by default.
    fn default_key(&self) -> Result<Option<(&Key, &Entry<KmsKey>)>, Undecided> {
        match &self.bucket.kms_key {
            Fact::Known(None) => Ok(None),
            Fact::Unknown(gap) => Err(gap.as_ref().into()),
            Fact::Known(Some(link)) => match self.role.inventory.keys.get(&link.key) {
                Some(entry) => Ok(Some((&link.key, entry))),
                None => Err(Undecided("the key was not read".to_owned())),
            },
        }
    }

    /// Checks an attribute of the bucket's default key. Code may name a key without its attributes: other rules cover
    /// such a key.
    fn key_must_have(&self, attribute: &str, fact: &Fact<String>, wanted: &str) -> Option<Check> {
        match fact {
            Fact::Known(is) if is == wanted => None,
            Fact::Known(is) => Some(Check::Denied(format!("the bucket's key has the {attribute} {is}, not {wanted}"))),
            Fact::Unknown(_) if self.role.inventory.source == Source::Terraform => None,
            Fact::Unknown(gap) => Some(Check::Undecided(gap.as_ref().into())),
        }
    }

    /// Checks that uploads can use the bucket's default key: S3 accepts any key in a bucket's configuration.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html>
    fn key_faults(&self) -> Vec<Check> {
        let uncertain = match &self.bucket.sse_algorithm {
            Fact::Known(algorithm) if !algorithm.as_ref().is_some_and(|name| name.starts_with("aws:kms")) => {
                return Vec::new();
            }
            Fact::Known(_) => None,
            Fact::Unknown(gap) => Some(Undecided::from(gap.as_ref())),
        };
        let key = match self.default_key() {
            // Another rule reports that a key does not exist.
            Ok(Some((_, entry))) if entry.exists == Fact::Known(false) => return Vec::new(),
            Ok(Some((_, entry))) => &entry.attributes,
            Ok(None) => return Vec::new(),
            Err(_) if self.role.inventory.source == Source::Terraform => return Vec::new(),
            Err(undecided) => return vec![Check::Undecided(undecided)],
        };
        let name = self.bucket.kms_master_key_id.known().and_then(Option::as_deref).and_then(Arn::parse);
        let region = name.map_or_else(|| key.region.clone(), |arn| Fact::Known(arn.region.to_owned()));
        let in_region = match &self.bucket.bucket_region {
            Fact::Known(wanted) => self.key_must_have("region", &region, wanted),
            Fact::Unknown(_) => self.key_must_have("region", &self.bucket.bucket_region, ""),
        };
        let spec = self.key_must_have("key spec", &key.key_spec, "SYMMETRIC_DEFAULT");
        let usage = self.key_must_have("key usage", &key.key_usage, "ENCRYPT_DECRYPT");
        let faults = [spec, usage, in_region].into_iter().flatten();
        faults.map(|fault| uncertain.clone().map_or(fault.clone(), |why| fault.if_it_counts(why))).collect()
    }

    /// Checks that the agent can read the bucket's encryption configuration.
    fn sees_encryption(&self) -> Check {
        self.check("s3:GetEncryptionConfiguration", &self.arn, &self.request())
    }

    fn check(&self, action: &str, on: &str, context: &Context) -> Check {
        Check::of(&format!("{action} on {on}"), self.decide(action, on, context))
    }

    /// Returns the decision if it is the same for all accounts that the bucket may belong to.
    fn decide(&self, action: &str, on: &str, context: &Context) -> Result<Decision, Undecided> {
        let policy = match &self.bucket.policy {
            Fact::Known(None) => BucketPolicy::Unset,
            Fact::Known(Some(document)) => BucketPolicy::Document(document),
            Fact::Unknown(_) => BucketPolicy::Unread,
        };
        let (documents, boundary) = (self.role.documents(), self.role.boundary());
        let sessions = self.role.sessions(self.bucket.policy.known().and_then(Option::as_ref));
        let request = |session: &Option<String>| self.role.request_of(session.as_deref(), action, on, context.clone());
        let requests = sessions.iter().map(request).collect::<Result<Vec<_>, _>>()?;
        let ask = |owner: &BucketOwner| -> Decision {
            requests.iter().map(|request| bucket_allows(policy, *owner, &documents, boundary, request)).collect()
        };
        let decisions: Vec<Decision> = self.owners.iter().map(ask).collect();
        let differ = decisions.windows(2).any(|two| two[0].truth() != two[1].truth());
        match (differ, &self.bucket.foreign) {
            (true, Fact::Unknown(gap)) => Err(gap.as_ref().into()),
            _ => Ok(decisions.into_iter().collect()),
        }
    }

    /// Returns the known context of every request to the bucket.
    fn request(&self) -> Context {
        let context = by_itself()
            .with_one_of("s3:TlsVersion", ["1.2".to_owned(), "1.3".to_owned()])
            .with("s3:authType", "REST-HEADER")
            .with("s3:signatureversion", "AWS4-HMAC-SHA256")
            .without_family("s3:DataAccessPoint")
            .without("s3:AccessPointNetworkOrigin");
        let known = [
            ("aws:RequestedRegion", self.bucket.bucket_region.text()),
            ("aws:ResourceAccount", self.bucket.owner.text()),
            ("s3:ResourceAccount", self.bucket.owner.text()),
        ];
        known
            .into_iter()
            .filter_map(|(key, text)| Some((key, text.ok()?)))
            .fold(context, |context, (key, text)| context.with(key, text))
    }

    /// Returns the known context of an upload: the agent always sends this ACL, and the encryption of the bucket if the
    /// agent may read it.
    fn upload(&self) -> Context {
        const ALGORITHM: &str = "s3:x-amz-server-side-encryption";
        const KEY: &str = "s3:x-amz-server-side-encryption-aws-kms-key-id";
        let context = NOT_SENT
            .iter()
            .fold(self.request(), |context, key| context.without(key))
            .with("s3:x-amz-acl", "bucket-owner-full-control")
            .without_family("s3:x-amz-grant-");
        let sent = match self.sees_encryption() {
            Check::Allowed => self.bucket.sse_algorithm.known().cloned(),
            Check::Denied(_) => Some(None),
            Check::Undecided(_) => None,
        };
        match sent.as_ref().map(|algorithm| algorithm.as_deref()) {
            None => context,
            Some(Some("AES256")) => context.with(ALGORITHM, "AES256").without(KEY),
            Some(Some("aws:kms")) => {
                let context = context.with(ALGORITHM, "aws:kms");
                match &self.bucket.kms_master_key_id {
                    Fact::Known(None) => context.without(KEY),
                    Fact::Known(Some(key)) if key.contains(":key/") => context.with(KEY, key.as_str()),
                    Fact::Known(Some(_)) | Fact::Unknown(_) => context,
                }
            }
            Some(_) => context.without(ALGORITHM).without(KEY),
        }
    }
}
