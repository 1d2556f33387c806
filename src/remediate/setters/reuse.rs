//! Tests: plans reuse roles and keys that already exist if these are suitable, and leave others alone.

use serde_json::{Value as Json, json};

use super::trial::{Trial, region, thing};
use crate::model::{Key, ResourceType};
use crate::remediate::observed::{AspectKind, ObservedAspect, document};
use crate::resource::role::fix::POLICY;

const ROLE: &str = "ssm-ec2-role";
const GROUP: &str = "/ssm/sessions";
const ALIAS: &str = "alias/ssm-sessions";
const KEY: &str = "0c9e1d6a-0000-4000-8000-000000000000";

fn arn(key: &str) -> String {
    format!("arn:aws:kms:eu-west-1:111122223333:key/{key}")
}

/// An instance without a profile, and a role of the name that one would get.
fn role(principal: &Json, policies: &Json) -> Trial {
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}],
    });
    let attachment = |name: &str| {
        ObservedAspect::of(AspectKind::RoleAttachment, ROLE).part(format!("arn:aws:iam::aws:policy/{name}"))
    };
    let instance = thing(ResourceType::Instance, "i-1");
    Trial::new()
        .finding("ec2-attach-instance-profile", instance.clone(), Json::Null)
        .knows(instance, json!({"iam_instance_profile": null}))
        .sees(ObservedAspect::of(AspectKind::InstanceProfile, "i-1"), Json::Null)
        .sees(ObservedAspect::of(AspectKind::Profile, "ssm-ec2-profile"), Json::Null)
        .sees(ObservedAspect::of(AspectKind::ProfileRole, "ssm-ec2-profile"), Json::Null)
        .sees(ObservedAspect::of(AspectKind::Role, ROLE), json!({"Arn": "a", "RoleId": "r", "Policies": policies}))
        .sees(ObservedAspect::of(AspectKind::RoleTrust, ROLE), document(&trust.to_string()))
        .sees(attachment("AmazonSSMManagedInstanceCore"), json!({"PolicyArn": "x"}))
        .sees(attachment("CloudWatchLogsFullAccess"), Json::Null)
        .sees(ObservedAspect::of(AspectKind::RolePolicy, ROLE).part(POLICY), Json::Null)
}

#[test]
fn a_role_that_is_somebody_elses_is_not_given_to_instances() {
    let ec2 = json!({"Service": "ec2.amazonaws.com"});
    let usual = json!(["AmazonSSMManagedInstanceCore", POLICY]);
    let planned = role(&ec2, &usual).plan();
    let expected = ["CreateInstanceProfile", "AddRoleToInstanceProfile", "AssociateIamInstanceProfile"];
    assert_eq!((planned.operations(), planned.reasons()), (expected.to_vec(), Vec::new()));
    let refused = |trial: Trial| {
        let planned = trial.plan();
        assert!(planned.steps.is_empty(), "{:?}", planned.operations());
        planned.reasons().join("")
    };
    for other in [json!({"AWS": "999999999999"}), json!({"Service": "lambda.amazonaws.com"})] {
        assert!(refused(role(&other, &usual)).contains("EC2 may not assume it"), "{other}");
    }
    let administrator = json!(["AdministratorAccess"]);
    assert!(refused(role(&ec2, &administrator)).contains("AdministratorAccess"));
    let both = json!({"Service": "ec2.amazonaws.com", "AWS": "999999999999"});
    assert!(refused(role(&both, &usual)).contains("may do more than nodes need"));
    // It has what AWS gives nodes, and more.
    let more = json!(["AmazonSSMManagedInstanceCore", "own"]);
    assert_eq!(role(&ec2, &more).plan().operations(), expected);
    // Somebody has said that it is the one, or nodes have it already.
    let mut named = role(&ec2, &administrator);
    named.settings.role = "web".to_owned();
    let named = named
        .sees(
            ObservedAspect::of(AspectKind::Role, "web"),
            json!({"Arn": "a", "RoleId": "r", "Policies": administrator}),
        )
        .sees(ObservedAspect::of(AspectKind::RoleTrust, "web"), document(&trusting_ec2()))
        .sees(
            ObservedAspect::of(AspectKind::RoleAttachment, "web")
                .part("arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"),
            json!({}),
        )
        .sees(
            ObservedAspect::of(AspectKind::RoleAttachment, "web")
                .part("arn:aws:iam::aws:policy/CloudWatchLogsFullAccess"),
            Json::Null,
        )
        .sees(ObservedAspect::of(AspectKind::RolePolicy, "web").part(POLICY), Json::Null);
    assert_eq!(named.plan().operations(), expected);
    let used =
        role(&ec2, &administrator).knows((ResourceType::Role, Key::global(ROLE)), json!({"session_preferences": []}));
    assert_eq!(used.plan().operations(), expected);
}

fn trusting_ec2() -> String {
    let statement =
        json!({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"});
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

/// A log group that is to be encrypted, with this key, and an alias that leads to a key.
fn encrypting(group_key: &Json, key: &Json) -> Trial {
    let admin = json!({
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"},
            {"Effect": "Allow", "Principal": {"Service": "logs.eu-west-1.amazonaws.com"}, "Action": "kms:*", "Resource": "*"},
        ],
    });
    let group = thing(ResourceType::LogGroup, GROUP);
    Trial::new()
        .finding("logs-encrypt", group.clone(), Json::Null)
        .knows(group, json!({"kms_key": null}))
        .sees(ObservedAspect::of(AspectKind::LogGroup, GROUP), json!({"Name": GROUP}))
        .sees(
            ObservedAspect::of(AspectKind::LogGroupRetention, GROUP),
            json!({"RetentionInDays": 30, "RetentionPolicyName": null}),
        )
        .sees(ObservedAspect::of(AspectKind::LogGroupKey, GROUP), json!({"KmsKeyId": group_key}))
        .sees(ObservedAspect::of(AspectKind::KeyAlias, ALIAS), key.clone())
        .sees(ObservedAspect::of(AspectKind::KeyPolicy, ALIAS), document(&admin.to_string()))
        .sees(ObservedAspect::of(AspectKind::KeyState, KEY), key["KeyState"].clone())
        .sees(ObservedAspect::of(AspectKind::KeyPolicy, KEY), document(&admin.to_string()))
        .sees(ObservedAspect::of(AspectKind::KeyRotation, KEY), json!(true))
        .sees(ObservedAspect::of(AspectKind::KeyPrimary, KEY), json!({"Region": region()}))
}

fn key(state: &str, spec: &str) -> Json {
    let usage = if spec == "SYMMETRIC_DEFAULT" { "ENCRYPT_DECRYPT" } else { "SIGN_VERIFY" };
    json!({
        "KeyId": KEY, "Arn": arn(KEY), "KeyState": state, "KeyManager": "CUSTOMER", "KeySpec": spec, "KeyUsage": usage,
    })
}

#[test]
fn a_key_that_cannot_be_used_is_not_used_whatever_its_alias() {
    let planned = encrypting(&Json::Null, &key("Enabled", "SYMMETRIC_DEFAULT")).plan();
    assert_eq!(planned.operations(), ["AssociateKmsKey"], "{:?}", planned.reasons());
    for (state, spec) in
        [("Disabled", "SYMMETRIC_DEFAULT"), ("PendingDeletion", "SYMMETRIC_DEFAULT"), ("Enabled", "RSA_2048")]
    {
        let planned = encrypting(&Json::Null, &key(state, spec)).plan();
        assert!(planned.steps.is_empty(), "{state} {spec}: {:?}", planned.operations());
        assert!(planned.reasons()[0].starts_with("the alias alias/ssm-sessions leads to the key"), "{state} {spec}");
    }
}

#[test]
fn a_key_that_is_gone_is_replaced_for_good() {
    let planned = encrypting(&json!(arn("gone")), &key("Enabled", "SYMMETRIC_DEFAULT")).plan();
    assert_eq!(planned.operations(), ["AssociateKmsKey"], "{:?}", planned.reasons());
    let undo = serde_json::to_value(&planned.steps[0].undo).expect("it is written");
    assert!(undo["not"].as_str().is_some_and(|why| why.contains("cannot be associated again")), "{undo}");
}
