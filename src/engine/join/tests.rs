//! Tests of the join in one region: the derived facts, and the facts that a gap leaves unknown.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::model::{Inventory, ResourceType};

const DERIVED: &[(&str, &[&str])] = &[
    ("instances", &["managed_instance", "default_host_management_role", "vpc_endpoints"]),
    ("managed_instances", &["instance"]),
    (
        "roles",
        &[
            "used_by_instances",
            "used_by_systems_manager",
            "uses_ec2messages",
            "session_preferences",
            "root_volume_keys",
        ],
    ),
    ("session_preferences", &["has_nodes", "roles"]),
    ("keys", &["log_groups"]),
];

/// Returns an account with two regions: instances with and without a profile in one; a hybrid node and default host
/// management in the other, where the agent on an instance with a profile uses the role of default host management.
fn account() -> Value {
    let there = |attributes: Value| json!({"exists": true, "in_scope": true, "attributes": attributes});
    json!({
        "source": "aws", "account": "123456789012", "partition": "aws", "collected_at": "2026-11-22T15:00:00Z",
        "scopes": [], "unlisted": [],
        "instances": {
            "us-east-1/i-1": there(json!({"iam_instance_profile": "aws-global/p", "vpc_id": "vpc-1",
                "root_volume": "us-east-1/vol-1"})),
            "us-east-1/i-2": there(json!({"iam_instance_profile": null, "vpc_id": null, "root_volume": null})),
            "eu-west-1/i-3": there(json!({"iam_instance_profile": null, "vpc_id": "vpc-3",
                "root_volume": "eu-west-1/vol-3"})),
            "eu-west-1/i-4": there(json!({"iam_instance_profile": "aws-global/p-app", "vpc_id": "vpc-3",
                "root_volume": null})),
        },
        "volumes": {
            "us-east-1/vol-1": there(json!({"kms_key": "us-east-1/k-volume"})),
            "eu-west-1/vol-3": there(json!({"kms_key": null})),
        },
        "vpc_endpoints": {
            "us-east-1/vpce-1": there(json!({"vpc_id": "vpc-1"})),
            "us-east-1/vpce-2": there(json!({"vpc_id": "vpc-2"})),
        },
        "instance_profiles": {
            "aws-global/p": there(json!({"role": "aws-global/r-profile"})),
            "aws-global/p-app": there(json!({"role": "aws-global/r-app"})),
        },
        "roles": {
            "aws-global/r-app": there(json!({})),
            "aws-global/r-profile": there(json!({})),
            "aws-global/r-host": there(json!({})),
            "aws-global/r-hybrid": there(json!({})),
        },
        "keys": {"us-east-1/k-logs": there(json!({})), "us-east-1/k-volume": there(json!({}))},
        "log_groups": {
            "us-east-1/g": there(json!({"kms_key": "us-east-1/k-logs"})),
            "eu-west-1/gone": {"exists": false, "in_scope": true, "attributes": {}},
        },
        "session_preferences": {
            "us-east-1/d": there(json!({"default_host_management_role": null})),
            "eu-west-1/d": there(json!({"default_host_management_role": "aws-global/r-host"})),
            "ap-south-1/d": there(json!({"default_host_management_role": null})),
        },
        "managed_instances": {
            "us-east-1/i-1": there(json!({"iam_role": null, "agent_version": "3.3.40.0"})),
            "us-east-1/i-gone": there(json!({"iam_role": "aws-global/r-app", "agent_version": "2.3.0.0",
                "ping_status": "ConnectionLost"})),
            "eu-west-1/i-4": there(json!({"iam_role": "aws-global/r-host", "agent_version": "3.3.40.0"})),
            "eu-west-1/mi-1": there(json!({"iam_role": "aws-global/r-hybrid", "agent_version": "3.3.9.0"})),
        },
    })
}

fn joined(account: &Value) -> Value {
    let mut inventory: Inventory = serde_json::from_value(account.clone()).expect("an inventory");
    inventory.join();
    let once = serde_json::to_value(&inventory).expect("serialises");
    inventory.join();
    assert_eq!(once, serde_json::to_value(&inventory).expect("serialises"), "joining twice is joining once");
    once
}

fn get<'a>(inventory: &'a Value, path: &str) -> &'a Value {
    let [table, key, attribute] = path.split(' ').collect::<Vec<_>>()[..] else { panic!("{path}") };
    &inventory[table][key]["attributes"][attribute]
}

fn gap() -> Value {
    json!({"kind": "denied", "call": "x:Y"})
}

fn unlist(account: &mut Value, resource_type: &str, region: &str) {
    let unlisted = json!({"resource_type": resource_type, "region": region, "gap": gap()});
    account["unlisted"].as_array_mut().expect("a list").push(unlisted);
}

#[test]
fn everything_is_derived_when_everything_was_read() {
    let inventory = joined(&account());
    for (path, wanted) in [
        ("instances us-east-1/i-1 managed_instance", json!("us-east-1/i-1")),
        ("instances us-east-1/i-2 managed_instance", json!(null)),
        ("instances us-east-1/i-1 vpc_endpoints", json!(["us-east-1/vpce-1"])),
        ("instances us-east-1/i-2 vpc_endpoints", json!([])),
        ("instances us-east-1/i-1 default_host_management_role", json!(null)),
        ("instances eu-west-1/i-3 default_host_management_role", json!("aws-global/r-host")),
        ("managed_instances us-east-1/i-1 instance", json!("us-east-1/i-1")),
        ("managed_instances us-east-1/i-gone instance", json!(null)),
        ("managed_instances eu-west-1/mi-1 instance", json!(null)),
        ("roles aws-global/r-app used_by_instances", json!(false)),
        ("roles aws-global/r-app used_by_systems_manager", json!(false)),
        ("roles aws-global/r-app session_preferences", json!([])),
        ("roles aws-global/r-profile used_by_instances", json!(true)),
        ("roles aws-global/r-profile used_by_systems_manager", json!(false)),
        ("roles aws-global/r-profile uses_ec2messages", json!(false)),
        // The agent on one of the role's instances has no reported version.
        ("roles aws-global/r-host uses_ec2messages", json!(true)),
        ("roles aws-global/r-hybrid uses_ec2messages", json!(true)),
        ("roles aws-global/r-profile session_preferences", json!(["us-east-1/d"])),
        ("roles aws-global/r-profile root_volume_keys", json!(["us-east-1/k-volume"])),
        ("roles aws-global/r-host used_by_systems_manager", json!(true)),
        ("roles aws-global/r-host session_preferences", json!(["eu-west-1/d"])),
        ("roles aws-global/r-hybrid used_by_instances", json!(false)),
        ("roles aws-global/r-hybrid used_by_systems_manager", json!(true)),
        ("session_preferences us-east-1/d has_nodes", json!(true)),
        ("session_preferences ap-south-1/d has_nodes", json!(false)),
        ("session_preferences us-east-1/d roles", json!(["aws-global/r-profile"])),
        ("session_preferences eu-west-1/d roles", json!(["aws-global/r-host", "aws-global/r-hybrid"])),
        ("keys us-east-1/k-logs log_groups", json!(["us-east-1/g"])),
        ("keys us-east-1/k-volume log_groups", json!([])),
    ] {
        assert_eq!(get(&inventory, path), &wanted, "{path}");
    }
}

/// Nothing was read: no fact may appear as known.
#[test]
fn what_nobody_asked_for_stays_not_collected() {
    let mut account = account();
    for table in ["instances", "managed_instances", "instance_profiles", "volumes", "vpc_endpoints", "log_groups"] {
        account.as_object_mut().expect("an object").remove(table);
    }
    for preferences in account["session_preferences"].as_object_mut().expect("an object").values_mut() {
        preferences["attributes"] = json!({});
    }
    let regions = ["us-east-1", "eu-west-1", "ap-south-1"];
    for region in regions {
        for resource_type in ResourceType::ALL {
            let gap = json!({"kind": "not_collected"});
            let unlisted = json!({"resource_type": resource_type, "region": region, "gap": gap});
            account["unlisted"].as_array_mut().expect("a list").push(unlisted);
        }
    }
    let inventory = joined(&account);
    for (table, attributes) in DERIVED {
        for (key, entry) in inventory[table].as_object().into_iter().flatten() {
            for attribute in *attributes {
                assert_eq!(entry["attributes"].get(*attribute), None, "{table} {key} {attribute}");
            }
        }
    }
}

#[test]
fn a_list_that_was_not_read_leaves_unknown_what_it_would_have_shown() {
    let mut without_instances = account();
    unlist(&mut without_instances, "AWS::EC2::Instance", "ap-south-1");
    let inventory = joined(&without_instances);
    let unknown = json!({"$unknown": gap()});
    for path in [
        "session_preferences ap-south-1/d has_nodes",
        "session_preferences ap-south-1/d roles",
        "roles aws-global/r-profile session_preferences",
        "roles aws-global/r-profile root_volume_keys",
        "roles aws-global/r-hybrid used_by_instances",
    ] {
        assert_eq!(get(&inventory, path), &unknown, "{path}");
    }
    for (path, wanted) in [
        ("roles aws-global/r-profile used_by_instances", json!(true)),
        ("roles aws-global/r-hybrid used_by_systems_manager", json!(true)),
        ("session_preferences us-east-1/d roles", json!(["aws-global/r-profile"])),
        ("managed_instances us-east-1/i-gone instance", json!(null)),
    ] {
        assert_eq!(get(&inventory, path), &wanted, "{path}");
    }
}

/// An application's role is not a node's role if the agent uses another.
#[test]
fn the_agent_uses_the_role_that_aws_names_or_that_of_the_profile() {
    let in_scope = |account: &Value| joined(account)["roles"]["aws-global/r-app"]["in_scope"].clone();
    let mut account = account();
    assert_eq!(in_scope(&account), json!(false));
    // AWS reports no role: the profile's role applies.
    account["managed_instances"]["eu-west-1/i-4"]["attributes"]["iam_role"] = json!(null);
    let inventory = joined(&account);
    assert_eq!(inventory["roles"]["aws-global/r-app"]["in_scope"], json!(true));
    assert_eq!(get(&inventory, "roles aws-global/r-app used_by_instances"), &json!(true));
    assert_eq!(get(&inventory, "roles aws-global/r-app session_preferences"), &json!(["eu-west-1/d"]));
    // AWS reports the profile's role.
    account["managed_instances"]["eu-west-1/i-4"]["attributes"]["iam_role"] = json!("aws-global/r-app");
    let inventory = joined(&account);
    assert_eq!(get(&inventory, "roles aws-global/r-app used_by_instances"), &json!(true));
    assert_eq!(get(&inventory, "roles aws-global/r-app used_by_systems_manager"), &json!(false));
    // The role cannot be read: the application's role may be a node's.
    account["managed_instances"]["eu-west-1/i-4"]["attributes"]["iam_role"] = json!({"$unknown": gap()});
    let inventory = joined(&account);
    assert_eq!(inventory["roles"]["aws-global/r-app"]["in_scope"], json!(true));
    assert_eq!(get(&inventory, "roles aws-global/r-app used_by_instances"), &json!({"$unknown": gap()}));
}

/// The node of a terminated instance stays registered for a while.
#[test]
fn the_role_of_a_node_whose_instance_is_gone_is_not_in_use() {
    let with = |status: Value, listed: bool| {
        let mut account = account();
        account["roles"]["aws-global/r-old"] = json!({"exists": true, "in_scope": true, "attributes": {}});
        account["managed_instances"]["us-east-1/i-gone"] = json!({"exists": true, "in_scope": true, "attributes": {
            "iam_role": "aws-global/r-old", "ping_status": status}});
        if !listed {
            account["unlisted"] = json!([{"resource_type": "AWS::EC2::Instance", "region": "us-east-1", "gap": gap()}]);
        }
        joined(&account)["roles"]["aws-global/r-old"]["in_scope"].clone()
    };
    assert_eq!(with(json!("ConnectionLost"), true), json!(false));
    assert_eq!(with(json!("Online"), true), json!(true));
    assert_eq!(with(json!({"$unknown": gap()}), true), json!(true));
    // The instance may be among the instances that could not be listed.
    assert_eq!(with(json!("ConnectionLost"), false), json!(true));
}

/// An agent that is not registered uses the profile's role only if that role allows it to register.
#[test]
fn an_instance_that_is_no_node_gets_the_role_that_can_register_it() {
    let mut account = account();
    account["managed_instances"].as_object_mut().expect("nodes").remove("eu-west-1/i-4");
    let policy = |action: &str| {
        json!([{"name": "own", "policy": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": action, "Resource": "*"}]}}])
    };
    let arn = json!("arn:aws:iam::123456789012:role/r-app");
    let mut role_with = |policies: Value| {
        account["roles"]["aws-global/r-app"]["attributes"] =
            json!({"arn": arn, "attached_policies": [], "inline_policies": policies, "permissions_boundary": null});
        let inventory = joined(&account);
        (
            inventory["roles"]["aws-global/r-app"]["in_scope"] == json!(true),
            get(&inventory, "roles aws-global/r-app used_by_instances").clone(),
        )
    };
    assert_eq!(role_with(policy("ssm:*")), (true, json!(true)));
    assert_eq!(role_with(policy("dynamodb:*")), (false, json!(false)));
    let (in_scope, used) = role_with(json!({"$unknown": gap()}));
    assert!(in_scope && used.get("$unknown").is_some(), "{used}");
}

/// Another service decides which software runs on the instances that it manages.
#[test]
fn the_role_of_a_managed_instance_is_no_nodes() {
    let mut account = account();
    account["managed_instances"].as_object_mut().expect("nodes").remove("us-east-1/i-1");
    account["instances"]["us-east-1/i-1"]["attributes"]["operator"] = json!("eks.amazonaws.com");
    let inventory = joined(&account);
    assert_eq!(inventory["roles"]["aws-global/r-profile"]["in_scope"], json!(false));
    assert_eq!(get(&inventory, "session_preferences us-east-1/d roles"), &json!([]));
}

#[test]
fn an_unread_profile_leaves_its_regions_roles_unknown() {
    let mut account = account();
    account["instance_profiles"]["aws-global/p"]["attributes"]["role"] = json!({"$unknown": gap()});
    let inventory = joined(&account);
    let unknown = json!({"$unknown": gap()});
    assert_eq!(get(&inventory, "session_preferences us-east-1/d roles"), &unknown);
    assert_eq!(get(&inventory, "roles aws-global/r-profile used_by_instances"), &unknown);
    assert_eq!(get(&inventory, "roles aws-global/r-profile root_volume_keys"), &unknown);
    assert_eq!(
        get(&inventory, "session_preferences eu-west-1/d roles"),
        &json!(["aws-global/r-host", "aws-global/r-hybrid"])
    );
}

/// Returns the places of an inventory that can be unread: attributes, the existence of an entry, and entries that were
/// not listed.
fn places(account: &Value) -> Vec<Vec<String>> {
    let mut places = Vec::new();
    for (table, entries) in account.as_object().into_iter().flatten() {
        for (key, entry) in entries.as_object().into_iter().flatten() {
            for attribute in entry["attributes"].as_object().into_iter().flatten().map(|(name, _)| name) {
                places.push(vec![table.clone(), key.clone(), "attributes".to_owned(), attribute.clone()]);
            }
            places.push(vec![table.clone(), key.clone(), "exists".to_owned()]);
            // A resource that is only referred to is in its table whenever the reference was read.
            let listed = match table.as_str() {
                "instances" => Some("AWS::EC2::Instance"),
                "managed_instances" => Some("AWS::SSM::ManagedInstance"),
                "vpc_endpoints" => Some("AWS::EC2::VPCEndpoint"),
                "log_groups" => Some("AWS::Logs::LogGroup"),
                _ => None,
            };
            if let Some(label) = listed {
                places.push(vec![table.clone(), key.clone(), label.to_owned()]);
            }
            if ["volumes", "instance_profiles"].contains(&table.as_str()) {
                places.push(vec![table.clone(), key.clone()]);
            }
        }
    }
    places
}

fn unread(account: &mut Value, place: &[String]) {
    match place {
        [table, key, attributes, attribute] => {
            account[table][key][attributes][attribute] = json!({"$unknown": gap()});
        }
        [table, key, exists] if exists == "exists" => account[table][key]["exists"] = json!({"$unknown": gap()}),
        [table, key, rest @ ..] => {
            account[table].as_object_mut().expect("a table").remove(key);
            if let [label] = rest {
                let region = key.split('/').next().unwrap_or_default().to_owned();
                unlist(account, label, &region);
            }
        }
        _ => panic!("{place:?}"),
    }
}

fn assert_only_less_is_known(before: &Value, after: &Value, what: &dyn std::fmt::Debug) {
    for (table, attributes) in DERIVED {
        for (key, entry) in after[table].as_object().into_iter().flatten() {
            for attribute in *attributes {
                let after = entry["attributes"].get(*attribute);
                let known = after.is_some_and(|value| value.get("$unknown").is_none());
                let before = before[table][key]["attributes"].get(*attribute);
                assert!(!known || after == before, "{what:?}: {table} {key} {attribute}: {before:?} became {after:?}");
            }
        }
    }
}

#[test]
fn one_thing_unread_never_makes_another_known_value() {
    let account = account();
    let before = joined(&account);
    for place in places(&account) {
        let mut changed = account.clone();
        unread(&mut changed, &place);
        assert_only_less_is_known(&before, &joined(&changed), &place);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// The more is unread, the less is known. No known value changes into another known value.
    #[test]
    fn many_things_unread_never_make_another_known_value(
        chosen in proptest::sample::subsequence(places(&account()), 0..12)
    ) {
        let mut changed = account();
        // Attributes come first: an entry that was removed has none.
        let (attributes, entries): (Vec<_>, Vec<_>) = chosen.into_iter().partition(|place| {
            place.len() == 4 || place.last().is_some_and(|last| last == "exists")
        });
        let mut before = joined(&changed);
        for place in attributes.iter().chain(&entries) {
            unread(&mut changed, place);
            let after = joined(&changed);
            assert_only_less_is_known(&before, &after, place);
            before = after;
        }
    }
}
