//! Every leaf of plans is changed in turn: the plan is refused, or the change is shown.

use crate::model::ResourceType;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::{Value as Json, json};

use super::*;
use crate::model::AccountId;
use crate::remediate::approvals::Allow;
use crate::remediate::observed::ObservedAspect;
use crate::remediate::plan::Extent;
use crate::remediate::remediation;
use crate::remediate::setters::trial::{Trial, region, thing};
use crate::remediate::show::{self, Look};
use crate::terminal::Paint;

static LIBRARY: LazyLock<Library> = LazyLock::new(|| crate::engine::rule::embedded().expect("the rules load"));
static REMEDIES: LazyLock<RemediationSpecs> =
    LazyLock::new(|| remediation::embedded(&LIBRARY).expect("the remediations load"));

fn account() -> AccountId {
    "111122223333".parse().expect("an account")
}

/// The plan of a trial, for the rules whose remediations it tries.
fn plan(trial: &Trial) -> Plan {
    let planned = trial.plan();
    assert_eq!(planned.reasons(), [""; 0]);
    let mut plan = Plan::empty("PLAN".to_owned(), "2026-11-22T15:00:00Z".to_owned(), "sha256:0".to_owned());
    plan.scopes.insert(account(), Extent { regions: vec![region()], resources: 54 });
    plan.steps = planned.steps;
    plan.findings = planned.aims;
    for aim in &mut plan.findings {
        let named = |rule: &&crate::engine::rule::Rule| matches!(&rule.remediation, Some(Remediation::Id(id)) if *id == aim.remediation);
        let rule = LIBRARY.rules().find(named).expect("a rule with that remediation");
        let resource = &aim.resource;
        let (region, id) = (resource.region.as_ref(), &resource.id);
        aim.fingerprint = scan::fingerprint_of(rule, resource.resource_type, &resource.account, region, id);
        aim.rule.clone_from(&rule.id);
        let params: BTreeMap<String, Json> = BTreeMap::from([("min".to_owned(), json!(1))]);
        plan.rules.insert(rule.id.clone(), params);
    }
    plan.sealed()
}

fn instances() -> Trial {
    let options = json!({"HttpTokens": "optional", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 2,
        "InstanceMetadataTags": "enabled", "State": "applied"});
    let root = json!({
        "InstanceState": "running", "InstanceLifecycle": null, "Operator": null, "InstanceStore": false,
        "DisableApiStop": false, "PublicIps": [], "Tags": {}, "RootDeviceType": "ebs",
        "RootDeviceName": "/dev/xvda", "DeleteOnTermination": true,
        "Volume": {"VolumeId": "vol-old", "State": "in-use", "AvailabilityZone": "eu-west-1a", "Size": 8,
            "VolumeType": "gp3", "Iops": 6000, "Throughput": 500, "Encrypted": false, "Tags": {"Name": "root"}},
    });
    let key = json!({"KeyId": "k", "Arn": "arn:aws:kms:eu-west-1:111122223333:key/k", "KeyState": "Enabled",
        "KeySpec": "SYMMETRIC_DEFAULT"});
    let instance = || thing(ResourceType::Instance, "i-1");
    let mut trial = Trial::new();
    trial.settings.tags.insert("AppID".to_owned(), "a".to_owned());
    trial
        .finding("ec2-require-imdsv2", instance(), Json::Null)
        .finding("ec2-limit-imds-hops", instance(), json!(1))
        .finding("ec2-enable-detailed-monitoring", instance(), Json::Null)
        .finding("ec2-set-required-tags", instance(), json!(["AppID"]))
        .finding("ec2-encrypt-root-volume", instance(), Json::Null)
        .sees(ObservedAspect::of(AspectKind::InstanceMetadataOptions, "i-1"), options)
        .sees(ObservedAspect::of(AspectKind::InstanceMonitoring, "i-1"), json!("disabled"))
        .sees(ObservedAspect::of(AspectKind::InstanceTags, "i-1"), json!({"Name": "web"}))
        .sees(ObservedAspect::of(AspectKind::InstanceRoot, "i-1"), root)
        .sees(ObservedAspect::of(AspectKind::DefaultVolumeKey, "the account"), key)
        .allowing(&[Allow::Replace], &[])
}

fn groups() -> Trial {
    let rule = |port: i32, description: &str| json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "Peer": {"CidrIp": "10.0.0.0/8"}, "Description": description});
    let group = || thing(ResourceType::SecurityGroup, "sg-1");
    Trial::new()
        .finding("sg-restrict-egress", group(), Json::Null)
        .finding("sg-remove-ingress", group(), Json::Null)
        .finding("sg-describe-rules", group(), Json::Null)
        .sees(
            ObservedAspect::of(AspectKind::SecurityGroupEgress, "sg-1"),
            json!({"tcp 80 to 10.0.0.0/8": rule(80, "web")}),
        )
        .sees(
            ObservedAspect::of(AspectKind::SecurityGroupIngress, "sg-1"),
            json!({"tcp 22 from 10.0.0.0/8": rule(22, "")}),
        )
        .sees(ObservedAspect::of(AspectKind::SecurityGroupUsers, "sg-1"), json!({"Groups": ["sg-2"], "Interfaces": []}))
        .allowing(&[Allow::Shared], &["sg-1"])
}

fn made() -> Trial {
    let seen = |kind, id: &str| ObservedAspect::of(kind, id);
    let preferences =
        (ResourceType::SessionPreferences, crate::model::Key::regional(&region(), "SSM-SessionManagerRunShell"));
    let alias = "alias/ssm-sessions";
    let bucket = "ssm-sessions-111122223333-eu-west-1";
    let core = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore";
    let full = "arn:aws:iam::aws:policy/CloudWatchLogsFullAccess";
    let instance = thing(ResourceType::Instance, "i-1");
    let mut trial = Trial::new();
    trial.settings.logging_bucket = Some("access-logs".to_owned());
    trial = trial.sees(ObservedAspect::of(AspectKind::Bucket, "access-logs"), json!({"Region": null}));
    trial = trial
        .finding("ssm-create-preferences", preferences.clone(), Json::Null)
        .finding("ec2-attach-instance-profile", instance.clone(), Json::Null)
        .knows(preferences, json!({"roles": []}))
        .knows(instance, json!({"iam_instance_profile": null}))
        .sees(seen(AspectKind::KeyAlias, alias), Json::Null)
        .sees(seen(AspectKind::KeyPolicy, alias), Json::Null)
        .sees(seen(AspectKind::InstanceProfile, "i-1"), Json::Null)
        .sees(seen(AspectKind::Profile, "ssm-ec2-profile"), Json::Null)
        .sees(seen(AspectKind::ProfileRole, "ssm-ec2-profile"), Json::Null)
        .sees(seen(AspectKind::Role, "ssm-ec2-role"), Json::Null)
        .sees(seen(AspectKind::RoleTrust, "ssm-ec2-role"), Json::Null)
        .sees(seen(AspectKind::RoleAttachment, "ssm-ec2-role").part(core), Json::Null)
        .sees(seen(AspectKind::RoleAttachment, "ssm-ec2-role").part(full), Json::Null)
        .sees(seen(AspectKind::RolePolicy, "ssm-ec2-role").part(INLINE_POLICY), Json::Null);
    for kind in [AspectKind::LogGroup, AspectKind::LogGroupRetention, AspectKind::LogGroupKey] {
        trial = trial.sees(seen(kind, "/ssm/sessions"), Json::Null);
    }
    for kind in [AspectKind::Bucket, AspectKind::BucketEncryption, AspectKind::BucketTags, AspectKind::BucketLogging] {
        trial = trial.sees(seen(kind, bucket), Json::Null);
    }
    for kind in [AspectKind::PreferencesLatest, AspectKind::PreferencesDefault] {
        trial = trial.sees(seen(kind, "SSM-SessionManagerRunShell"), Json::Null);
    }
    trial.allowing(&[], &["SSM-SessionManagerRunShell"])
}

fn stored() -> Trial {
    let bucket = || (ResourceType::Bucket, crate::model::Key::global("logs"));
    let group = || thing(ResourceType::LogGroup, "/ssm/sessions");
    let key = || thing(ResourceType::KmsKey, "k");
    let preferences =
        || (ResourceType::SessionPreferences, crate::model::Key::regional(&region(), "SSM-SessionManagerRunShell"));
    let seen = |kind, id: &str| ObservedAspect::of(kind, id);
    let document = json!({"schemaVersion": "1.0", "inputs": {"idleSessionTimeout": "60"}});
    let document =
        json!({"Version": "3", "Document": sorted(document.clone()).to_string(), "Text": document.to_string()});
    let policy = json!({"Version": "2012-10-17", "Statement": []}).to_string();
    let mut trial = Trial::new();
    trial.settings.logging_bucket = Some("access-logs".to_owned());
    trial = trial.sees(ObservedAspect::of(AspectKind::Bucket, "access-logs"), json!({"Region": null}));
    trial.settings.tags.insert("AppID".to_owned(), "a".to_owned());
    trial
        .finding("s3-enable-object-lock", bucket(), Json::Null)
        .finding("s3-encrypt-with-kms", bucket(), Json::Null)
        .finding("s3-enable-access-logging", bucket(), Json::Null)
        .finding("logs-set-retention", group(), json!(90))
        .finding("kms-enable-key", key(), Json::Null)
        .finding("kms-enable-rotation", key(), Json::Null)
        .finding("kms-keep-account-admin", key(), Json::Null)
        .finding("ssm-set-idle-timeout", preferences(), json!(20))
        .knows(bucket(), json!({"bucket_region": "eu-west-1", "foreign": false}))
        .knows(key(), json!({"arn": "arn:aws:kms:eu-west-1:111122223333:key/k"}))
        .knows(preferences(), json!({"roles": []}))
        .sees(seen(AspectKind::BucketVersioning, "logs"), json!({"Status": null, "MFADelete": null}))
        .sees(seen(AspectKind::BucketObjectLock, "logs"), json!({"ObjectLockEnabled": null}))
        .sees(
            seen(AspectKind::BucketEncryption, "logs"),
            json!({"SSEAlgorithm": "AES256", "KMSMasterKeyID": null,
            "BucketKeyEnabled": true, "BlockedEncryptionTypes": ["SSE-C"]}),
        )
        .sees(seen(AspectKind::BucketLogging, "logs"), json!({"TargetBucket": null, "TargetPrefix": null}))
        .sees(seen(AspectKind::LogGroup, "/ssm/sessions"), json!({"Name": "/ssm/sessions"}))
        .sees(
            seen(AspectKind::LogGroupRetention, "/ssm/sessions"),
            json!({"RetentionInDays": 7, "RetentionPolicyName": null}),
        )
        .sees(seen(AspectKind::LogGroupKey, "/ssm/sessions"), json!({"KmsKeyId": null}))
        .sees(seen(AspectKind::KeyState, "k"), json!("PendingDeletion"))
        .sees(seen(AspectKind::KeyRotation, "k"), json!(false))
        .sees(seen(AspectKind::KeyPrimary, "k"), json!({"Region": "eu-west-1"}))
        .sees(seen(AspectKind::KeyPolicy, "k"), json!({"Document": policy.clone(), "Text": policy}))
        .sees(seen(AspectKind::PreferencesLatest, "SSM-SessionManagerRunShell"), document.clone())
        .sees(seen(AspectKind::PreferencesDefault, "SSM-SessionManagerRunShell"), document)
        .allowing(&[Allow::Irreversible], &["logs", "k"])
}

fn plans() -> Vec<Plan> {
    [instances(), groups(), made(), stored()].iter().map(plan).collect()
}

fn shown(plan: &Plan) -> String {
    let look = Look { paint: Paint::Plain, width: 400, all: true };
    let mut text = Vec::new();
    show::origin(plan, look, &mut text).and_then(|()| show::plan(plan, None, look, &mut text)).expect("it is shown");
    String::from_utf8(text).expect("text")
}

/// The places of all values that hold no others.
fn leaves(value: &Json, place: &str, found: &mut Vec<String>) {
    match value {
        Json::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(index, item)| leaves(item, &format!("{place}/{index}"), found));
        }
        Json::Object(members) if !members.is_empty() => members.iter().for_each(|(name, value)| {
            leaves(value, &format!("{place}/{}", crate::remediate::step_output::escaped(name)), found);
        }),
        _ => found.push(place.to_owned()),
    }
}

/// Other values of the same type.
fn others(value: &Json) -> Vec<Json> {
    match value {
        Json::String(text) => {
            let twice = text.replacen('{', "{\"Statement\":[{\"Sid\":\"Evil\"}],\"inputs\":{},", 1);
            vec![
                json!(format!("{text}x")),
                json!(""),
                json!("arn:aws:iam::aws:policy/AdministratorAccess"),
                json!(twice),
            ]
        }
        Json::Number(number) => vec![json!(number.as_i64().unwrap_or_default() + 1), json!(0)],
        Json::Bool(is) => vec![json!(!is)],
        _ => vec![json!("x")],
    }
}

/// Members of a state before a step that the step does not change. They must be so in the account, or nothing is done:
/// that is not for the plan to decide.
fn is_compared_with_the_account(place: &str) -> bool {
    place.split('/').nth(3).is_some_and(|member| member == "before")
}

#[test]
fn plans_are_consistent_as_they_are_made_and_read() {
    for plan in plans() {
        assert_eq!(plan.consistent(&LIBRARY, &REMEDIES), Ok(()), "{}", shown(&plan));
        let text = serde_json::to_string(&plan).expect("it is written");
        assert_eq!(serde_json::from_str::<Plan>(&text).expect("it is read"), plan);
    }
    // The plans are more than one operation repeated.
    let operations: BTreeSet<&str> =
        plans().iter().flat_map(|plan| plan.steps.clone()).map(|step| step.call.call().operation).collect();
    assert!(operations.len() > 30, "{operations:?}");
}

#[test]
fn whatever_is_changed_in_a_plan_is_refused_or_shown() {
    let mut problems = Vec::new();
    for plan in plans() {
        let original = shown(&plan);
        let json = serde_json::to_value(&plan).expect("it is written");
        let mut places = Vec::new();
        leaves(&json, "", &mut places);
        for (place, other) in places.iter().flat_map(|place| {
            let others = others(json.pointer(place).expect("a leaf"));
            others.into_iter().map(move |other| (place, other))
        }) {
            if json.pointer(place) == Some(&other) {
                continue;
            }
            let mut changed = json.clone();
            *changed.pointer_mut(place).expect("a leaf") = other.clone();
            let Ok(changed) = serde_json::from_value::<Plan>(changed) else { continue };
            if changed.consistent(&LIBRARY, &REMEDIES).is_ok() {
                problems.push(format!("{place} = {other}: taken as it is"));
            }
            // Whoever makes the digests again is held to what is shown.
            let changed = changed.sealed();
            let accepted = changed.consistent(&LIBRARY, &REMEDIES).is_ok();
            let wants_names =
                |plan: &Plan| plan.steps.iter().map(|step| step.nature().wants_name()).collect::<Vec<_>>();
            let idle = place.ends_with("/by_name") && wants_names(&changed) == wants_names(&plan);
            let silent = shown(&changed) == original && !is_compared_with_the_account(place) && !idle;
            if accepted && silent && !place.starts_with("/seal") && !place.starts_with("/tool") {
                problems.push(format!("{place} = {other}: taken, and not shown"));
            }
        }
    }
    assert_eq!(problems, [""; 0]);
}

#[test]
fn steps_that_are_dropped_or_moved_are_refused() {
    for plan in plans() {
        for index in 0..plan.steps.len() {
            let mut dropped = plan.clone();
            dropped.steps.remove(index);
            assert!(dropped.consistent(&LIBRARY, &REMEDIES).is_err(), "{index} dropped");
            let mut freed = plan.clone();
            if !std::mem::take(&mut freed.steps[index].needs).is_empty() {
                let (member, problem) = freed.consistent(&LIBRARY, &REMEDIES).expect_err("it needs others");
                assert!(member.starts_with(&format!("steps[{index}]")), "{member}: {problem}");
            }
            if index > 0 {
                let mut moved = plan.clone();
                moved.steps.swap(index, index - 1);
                assert!(moved.consistent(&LIBRARY, &REMEDIES).is_err(), "{index} moved");
            }
        }
    }
}

/// Calls and what is shown of them changed together, with digests made again: what no remediation does is refused.
#[test]
fn what_no_remediation_does_is_refused_with_its_step() {
    let refused = |trial: &Trial, change: &dyn Fn(&mut Plan)| {
        let mut changed = plan(trial);
        change(&mut changed);
        changed.sealed().consistent(&LIBRARY, &REMEDIES).expect_err("it is refused").1
    };
    let step = |plan: &Plan, operation: &str| {
        plan.steps.iter().position(|step| step.call.call().operation == operation).expect("the step")
    };
    let administrator = refused(&made(), &|plan| {
        let index = step(plan, "AttachRolePolicy");
        let arn = "arn:aws:iam::aws:policy/AdministratorAccess";
        let text = serde_json::to_string(&plan.steps[index]).expect("it is written");
        let text = text.replace("arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore", arn);
        plan.steps[index] = serde_json::from_str(&text).expect("it is read");
    });
    assert!(administrator.contains("AdministratorAccess, which no remediation does"), "{administrator}");
    let other = refused(&instances(), &|plan| {
        let index = step(plan, "MonitorInstances");
        let key = "arn:aws:kms:eu-west-1:111122223333:key/k".to_owned();
        plan.steps[index].call = crate::remediate::operation::EnableKey { key_id: key }.into();
    });
    assert!(other.contains("shows detailed monitoring, and EnableKey changes state"), "{other}");
    let remediation = refused(&instances(), &|plan| plan.findings[0].remediation = "ec2-limit-imds-hops".to_owned());
    assert!(remediation.contains("is ec2-require-imdsv2, not ec2-limit-imds-hops"), "{remediation}");
    let account = refused(&stored(), &|plan| {
        let index = step(plan, "PutBucketVersioning");
        let text = serde_json::to_string(&plan.steps[index].call).expect("it is written");
        plan.steps[index].call =
            serde_json::from_str(&text.replace("111122223333", "999999999999")).expect("it is read");
    });
    assert!(account.contains("expects another account"), "{account}");
    let region = refused(&instances(), &|plan| {
        plan.steps[0].resource.region = Some("us-east-1".parse().expect("a region"));
    });
    assert!(region.contains("which is not among `scopes`"), "{region}");
    let quiet = refused(&stored(), &|plan| {
        plan.steps.iter_mut().for_each(|step| step.by_name = false);
    });
    assert!(quiet.contains("by name"), "{quiet}");
}
