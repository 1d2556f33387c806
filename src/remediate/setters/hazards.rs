//! Tests: a plan neither weakens encryption nor reaches resources of others without a question.

use serde_json::{Value as Json, json};

use super::trial::{Planned, Trial, thing};
use crate::model::{Key, ResourceType};
use crate::remediate::approvals::Allow;
use crate::remediate::observed::{AspectKind, ObservedAspect, document};
use crate::remediate::plan_builder::ResourceId;

const BUCKET: &str = "session-logs";
const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/0c9e1d6a-0000-4000-8000-000000000000";

/// The same in an inventory.
const SHORT_KEY: &str = "eu-west-1/0c9e1d6a-0000-4000-8000-000000000000";

fn key() -> ResourceId {
    thing(ResourceType::KmsKey, SHORT_KEY.trim_start_matches("eu-west-1/"))
}

fn bucket() -> ResourceId {
    (ResourceType::Bucket, Key::global(BUCKET))
}

/// A bucket with this policy and this default encryption.
fn of_bucket(remediation: &str, policy: &Json, encryption: Json) -> Trial {
    let attributes = json!({
        "arn": format!("arn:aws:s3:::{BUCKET}"), "bucket_region": "eu-west-1", "foreign": false, "policy": policy,
    });
    Trial::new()
        .finding(remediation, bucket(), Json::Null)
        .knows(bucket(), attributes)
        .sees(ObservedAspect::of(AspectKind::BucketEncryption, BUCKET), encryption)
        .sees(ObservedAspect::of(AspectKind::BucketLogging, BUCKET), json!({}))
        .sees(ObservedAspect::of(AspectKind::Bucket, BUCKET), json!({"Region": "eu-west-1"}))
}

fn of(effect: &str, principal: &Json, action: &str) -> Json {
    let statement = json!({
        "Effect": effect, "Principal": principal, "Action": action, "Resource": format!("arn:aws:s3:::{BUCKET}/*"),
    });
    json!({"Version": "2012-10-17", "Statement": statement})
}

fn left_out(planned: &Planned) -> String {
    assert!(planned.steps.is_empty(), "{:?}", planned.operations());
    planned.reasons().join("; ")
}

#[test]
fn a_bucket_that_other_accounts_write_to_gets_a_kms_key_only_by_name() {
    let plan = |policy: &Json| of_bucket("s3-encrypt-with-kms", policy, json!({"SSEAlgorithm": "AES256"}));
    let other = json!({"AWS": "arn:aws:iam::222222222222:root"});
    let by_name = [
        of("Allow", &other, "s3:PutObject"),
        of("Allow", &other, "s3:*"),
        of("Allow", &json!({"AWS": ["111122223333", "222222222222"]}), "S3:PutObject*"),
        of("Allow", &json!("*"), "s3:PutObject"),
        // The name of a role is free.
        of("Allow", &json!({"AWS": "arn:aws:iam::222222222222:role/111122223333"}), "s3:PutObject"),
        of(
            "Allow",
            &json!({"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}),
            "s3:*",
        ),
        json!({"$unknown": {"kind": "denied"}}),
    ];
    for policy in &by_name {
        assert!(left_out(&plan(policy).plan()).contains("only by name"), "{policy}");
        assert_eq!(plan(policy).allowing(&[], &[BUCKET]).plan().operations(), ["PutBucketEncryption"], "{policy}");
    }
    let own = json!({"AWS": "arn:aws:iam::111122223333:role/ssm-node"});
    let at_once = [
        Json::Null,
        of("Allow", &own, "s3:PutObject"),
        of("Allow", &other, "s3:GetObject"),
        of("Deny", &json!("*"), "s3:PutObject"),
        of("Allow", &json!({"Service": "logging.s3.amazonaws.com"}), "s3:PutObject"),
    ];
    for policy in &at_once {
        assert_eq!(plan(policy).plan().operations(), ["PutBucketEncryption"], "{policy}");
    }
}

#[test]
fn a_bucket_keeps_its_kms_key() {
    let with_key = json!({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY});
    let planned = of_bucket("s3-encrypt", &Json::Null, with_key.clone()).plan();
    assert!(left_out(&planned).contains("which it keeps"));
    // The same once more would change nothing.
    let planned = of_bucket("s3-encrypt-with-kms", &Json::Null, with_key.clone()).plan();
    assert!(left_out(&planned).contains("has this encryption"));
    // No encryption with a key that is gone is any better.
    for (remediation, algorithm) in
        [("s3-encrypt", "aws:kms"), ("s3-encrypt-with-kms", "aws:kms"), ("s3-encrypt-with-kms", "aws:kms:dsse")]
    {
        let seen = json!({"SSEAlgorithm": algorithm, "KMSMasterKeyID": KEY});
        let known = json!({
            "bucket_region": "eu-west-1", "foreign": false, "policy": null, "kms_master_key_id": KEY, "kms_key": SHORT_KEY,
        });
        let planned = of_bucket(remediation, &Json::Null, seen).knows(bucket(), known).lacks(key()).plan();
        assert!(left_out(&planned).contains("does not exist"), "{remediation}");
    }
}

/// Answers what is asked about a role: it trusts as it says, and has what is attached to it and no inline policy of ours.
fn with_role(trial: Trial, name: &str, trust: Json) -> Trial {
    let attached = super::ATTACHED_POLICIES.iter().fold(trial, |trial, policy| {
        let aspect =
            ObservedAspect::of(AspectKind::RoleAttachment, name).part(format!("arn:aws:iam::aws:policy/{policy}"));
        trial.sees(aspect, json!({}))
    });
    attached
        .sees(ObservedAspect::of(AspectKind::RoleTrust, name), trust)
        .sees(ObservedAspect::of(AspectKind::RolePolicy, name).part(super::INLINE_POLICY), Json::Null)
}

/// The preferences of the region.
fn preferences() -> ResourceId {
    thing(ResourceType::SessionPreferences, "SSM-SessionManagerRunShell")
}

/// The attributes of preferences that name the bucket, which these roles write to, with these inputs besides.
fn logging(roles: &[&str], inputs: &Json) -> Json {
    let mut attributes = json!({
        "document_exists": true, "document_type": "Session", "s3_bucket": format!("aws-global/{BUCKET}"), "log_group": null,
        "kms_key": null, "roles": roles, "inputs": inputs,
    });
    attributes["inputs"]["s3_bucket_name"] = BUCKET.into();
    attributes
}

/// Answers what is asked about the preferences: they name the bucket.
fn with_preferences(trial: Trial) -> Trial {
    let content = json!({"schemaVersion": "1.0", "sessionType": "Standard_Stream", "inputs": {"s3BucketName": BUCKET}});
    let seen = json!({"Version": "1", "Document": content.to_string(), "Text": content.to_string()});
    [AspectKind::PreferencesLatest, AspectKind::PreferencesDefault]
        .into_iter()
        .fold(trial, |trial, kind| trial.sees(ObservedAspect::of(kind, "SSM-SessionManagerRunShell"), seen.clone()))
}

#[test]
fn a_bucket_that_does_not_exist_is_made() {
    let trial = Trial::new()
        .finding("ssm-log-to-s3", preferences(), Json::Null)
        .knows(preferences(), logging(&["aws-global/node"], &json!({})))
        .lacks(bucket())
        .sees(ObservedAspect::of(AspectKind::Bucket, BUCKET), Json::Null)
        .sees(ObservedAspect::of(AspectKind::BucketEncryption, BUCKET), json!({}))
        .sees(ObservedAspect::of(AspectKind::BucketTags, BUCKET), json!([]))
        .sees(ObservedAspect::of(AspectKind::BucketLogging, BUCKET), json!({}));
    let mut trial = with_role(with_preferences(trial), "node", Json::Null);
    trial.settings.bucket = BUCKET.to_owned();
    assert!(trial.plan().operations().contains(&"CreateBucket"), "{:?}", trial.plan().reasons());
}

#[test]
fn a_bucket_whose_key_is_gone_is_the_reason_why_its_role_stays_as_it_is() {
    let role = (ResourceType::Role, Key::global("node"));
    let plan = |remediation: &str, foreign: bool| {
        let known = json!({
            "bucket_region": "eu-west-1", "foreign": foreign, "kms_master_key_id": KEY, "kms_key": SHORT_KEY,
        });
        let trial = Trial::new()
            .finding(remediation, role.clone(), Json::Null)
            .knows(role.clone(), json!({"session_preferences": ["eu-west-1/SSM-SessionManagerRunShell"]}))
            .knows(preferences(), logging(&["aws-global/node"], &json!({"s3_key_prefix": null})))
            .knows(bucket(), known)
            .lacks(key());
        with_role(trial, "node", Json::Null).plan()
    };
    let gone = "which does not exist: name another one";
    assert!(left_out(&plan("iam-grant-session-key", false)).contains(gone));
    assert!(left_out(&plan("iam-grant-s3", true)).contains(gone));
    // One rule speaks of the key of a bucket.
    assert_eq!(plan("iam-grant-s3", false).operations(), ["PutRolePolicy"]);
    assert!(!plan("iam-grant-session-key", true).reasons().iter().any(|reason| reason.contains(gone)));
}

/// Preferences that are to require an encrypted bucket, and the bucket with this encryption.
fn requiring(algorithm: &Json) -> Planned {
    let known = json!({"bucket_region": "eu-west-1", "foreign": false, "policy": null, "sse_algorithm": algorithm});
    let trial = Trial::new()
        .finding("ssm-require-encrypted-bucket", preferences(), Json::Null)
        .knows(preferences(), logging(&[], &json!({"s3_encryption_enabled": false})))
        .knows(bucket(), known)
        .sees(
            ObservedAspect::of(AspectKind::BucketEncryption, BUCKET),
            json!({"SSEAlgorithm": algorithm, "KMSMasterKeyID": KEY}),
        );
    with_preferences(trial).plan()
}

#[test]
fn encryption_that_could_not_be_read_is_not_taken_for_none() {
    let operations = |algorithm: Json| requiring(&algorithm).operations();
    let document = ["UpdateDocument", "UpdateDocumentDefaultVersion"];
    assert_eq!(operations(json!("aws:kms")), document);
    assert_eq!(operations(json!(null)), ["PutBucketEncryption", document[0], document[1]]);
    let unread = requiring(&json!({"$unknown": {"kind": "denied"}}));
    assert!(left_out(&unread).contains("could not be read"));
}

#[test]
fn access_logs_go_to_another_bucket_that_exists_in_the_region() {
    let plan = |target: &str, there: Json| {
        let mut trial = of_bucket("s3-enable-access-logging", &Json::Null, Json::Null);
        trial.settings.logging_bucket = Some(target.to_owned());
        trial.sees(ObservedAspect::of(AspectKind::Bucket, target), there).plan()
    };
    let here = json!({"Region": "eu-west-1"});
    assert_eq!(plan("access-logs", here.clone()).operations(), ["PutBucketLogging"]);
    assert!(left_out(&plan("access-logs", Json::Null)).contains("does not exist"));
    assert!(left_out(&plan("access-logs", json!({"Region": "us-east-1"}))).contains("is in us-east-1"));
    assert!(left_out(&plan(BUCKET, here)).contains("itself"));
}

#[test]
fn a_security_group_of_another_account_is_left_to_it() {
    let group = thing(ResourceType::SecurityGroup, "sg-1");
    let planned = |account: &str| {
        let rules = json!({"tcp 22 from 10.0.0.0/8": {
            "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "Peer": {"CidrIp": "10.0.0.0/8"}, "Description": "SSH"}});
        let arn = format!("arn:aws:ec2:eu-west-1:{account}:security-group/sg-1");
        Trial::new()
            .finding("sg-remove-ingress", group.clone(), Json::Null)
            .knows(group.clone(), json!({"arn": arn}))
            .sees(ObservedAspect::of(AspectKind::SecurityGroupUsers, "sg-1"), json!({"Groups": [], "Interfaces": []}))
            .sees(ObservedAspect::of(AspectKind::SecurityGroupEgress, "sg-1"), json!({}))
            .sees(ObservedAspect::of(AspectKind::SecurityGroupIngress, "sg-1"), rules)
            .allowing(&[], &["sg-1"])
            .plan()
    };
    assert_eq!(planned("111122223333").operations(), ["RevokeSecurityGroupIngress"]);
    assert!(left_out(&planned("222222222222")).contains("belongs to the account 222222222222"));
}

#[test]
fn a_role_in_a_profile_of_other_instances_is_a_shared_change() {
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let trial = |others: &[&str]| {
        let first = thing(ResourceType::Instance, "i-1");
        let attached = json!({"iam_instance_profile": "aws-global/empty"});
        let mut trial = Trial::new()
            .finding("ec2-attach-instance-profile", first.clone(), Json::Null)
            .knows(first, attached.clone())
            .knows((ResourceType::InstanceProfile, Key::global("empty")), json!({"role": null}))
            .sees(ObservedAspect::of(AspectKind::InstanceProfile, "i-1"), json!({"Name": "empty"}))
            .sees(ObservedAspect::of(AspectKind::Profile, "empty"), json!({"Name": "empty"}))
            .sees(ObservedAspect::of(AspectKind::ProfileRole, "empty"), Json::Null)
            .sees(
                ObservedAspect::of(AspectKind::Role, "ssm-ec2-role"),
                json!({"Policies": ["AmazonSSMManagedInstanceCore"]}),
            );
        trial = with_role(trial, "ssm-ec2-role", document(&trust.to_string()));
        for other in others {
            trial = trial.knows(thing(ResourceType::Instance, other), attached.clone());
        }
        trial
    };
    assert_eq!(trial(&[]).plan().operations(), ["AddRoleToInstanceProfile"]);
    let shared = trial(&["i-2"]);
    assert!(left_out(&shared.plan()).contains("shared"));
    assert_eq!(shared.allowing(&[Allow::Shared], &[]).plan().operations(), ["AddRoleToInstanceProfile"]);
}
