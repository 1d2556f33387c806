use serde_json::{Value as Json, json};

use crate::model::ResourceType;
use crate::remediate::observed::{AspectKind, ObservedAspect};
use crate::remediate::setters::trial::{Trial, region, thing};

/// An instance with these interfaces, and groups of these names with these users; `None`: not known.
fn trial(interfaces: &Json, groups: &[(&str, &str, Option<&[&str]>)]) -> Trial {
    let instance = thing(ResourceType::Instance, "i-1");
    let trial = Trial::new().knows(instance.clone(), json!({"network_interfaces": interfaces})).finding(
        "ec2-allow-https-egress",
        instance,
        Json::Null,
    );
    let trial = trial.allowing(&[], &["i-1"]);
    groups.iter().fold(trial, |trial, (id, name, users)| {
        let trial = trial
            .knows(thing(ResourceType::SecurityGroup, id), json!({"name": name}))
            .sees(ObservedAspect::of(AspectKind::SecurityGroupEgress, *id), json!({}))
            .sees(ObservedAspect::of(AspectKind::SecurityGroupIngress, *id), json!({}));
        let aspect = ObservedAspect::of(AspectKind::SecurityGroupUsers, *id);
        match users {
            Some(users) => trial.sees(aspect, json!({"Groups": users, "Interfaces": []})),
            None => trial.may_not_see(aspect),
        }
    })
}

fn interface(ipv4: &[&str], groups: &[&str]) -> Json {
    let groups: Vec<String> = groups.iter().map(|group| format!("{}/{group}", region())).collect();
    json!({"private_ips": ipv4, "ipv6_addresses": ["2001:db8::1"], "security_groups": groups})
}

#[test]
fn a_group_is_chosen_that_nobody_else_relies_on() {
    let interfaces = json!([interface(&["10.0.0.1"], &["sg-1", "sg-2", "sg-3", "sg-4"])]);
    let groups: [(&str, &str, Option<&[&str]>); 4] = [
        ("sg-1", "unknown", None),
        ("sg-2", "shared", Some(&["sg-9"])),
        ("sg-3", "default", Some(&[])),
        ("sg-4", "web", Some(&[])),
    ];
    let planned = trial(&interfaces, &groups).plan();
    let step = &planned.steps[0];
    assert_eq!((step.call.call().operation, step.resource.id.as_str()), ("AuthorizeSecurityGroupEgress", "sg-4"));
    assert_eq!(step.after, json!({"tcp 443 to 0.0.0.0/0": {"Description": "HTTPS, for Session Manager"}}));
    assert_eq!(planned.aims[0].resource.id, "i-1");
}

#[test]
fn an_interface_without_ipv4_is_let_out_over_ipv6() {
    let interfaces = json!([interface(&[], &["sg-1"])]);
    let planned = trial(&interfaces, &[("sg-1", "web", Some(&[]))]).plan();
    assert_eq!(planned.steps[0].after, json!({"tcp 443 to ::/0": {"Description": "HTTPS, for Session Manager"}}));
}

#[test]
fn the_only_group_is_shared_and_so_must_be_allowed() {
    let interfaces = json!([interface(&["10.0.0.1"], &["sg-2"])]);
    let planned = trial(&interfaces, &[("sg-2", "shared", Some(&["sg-9"]))]).plan();
    assert_eq!(planned.reasons(), ["others use sg-2 too: allow it with --allow shared"]);
}

#[test]
fn a_port_is_opened_only_of_an_instance_that_is_named() {
    let instance = thing(ResourceType::Instance, "i-1");
    let planned = Trial::new()
        .knows(instance.clone(), json!({"network_interfaces": [interface(&["10.0.0.1"], &["sg-1"])]}))
        .finding("ec2-allow-https-egress", instance, Json::Null)
        .plan();
    assert_eq!(planned.operations(), Vec::<&str>::new());
    assert_eq!(
        planned.reasons(),
        ["it opens a port to every address, which is done only by name: allow it with --resource i-1"]
    );
}

#[test]
fn an_instance_without_an_interface_says_so() {
    assert_eq!(trial(&json!([]), &[]).plan().reasons(), ["it has no network interface"]);
}

#[test]
fn two_wishes_about_one_group_are_one_rule() {
    let interfaces = json!([interface(&["10.0.0.1"], &["sg-1"])]);
    let planned = trial(&interfaces, &[("sg-1", "web", Some(&[]))])
        .finding("sg-restrict-egress", thing(ResourceType::SecurityGroup, "sg-1"), Json::Null)
        .allowing(&[], &["sg-1"])
        .plan();
    assert_eq!(planned.operations(), ["AuthorizeSecurityGroupEgress"]);
    assert_eq!(planned.aims.len(), 2);
}
