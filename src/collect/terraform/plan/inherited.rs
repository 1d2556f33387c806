//! Attributes in which the provider shows what resources of their own manage: the rules of a security group, the
//! policies of a role, the encryption of a bucket. Where the configuration does not write such an attribute, a plan
//! holds it as the state has it, from before the plan is applied. What other resources of the state put there is
//! taken out of it, since these resources say themselves what becomes of it. What is left, nobody manages: it stays.

use serde_json::{Value as Json, json};

use super::{forgotten, list, resources};
use crate::collect::terraform::mapping::normal_protocol;

/// Resources that manage a part of another one.
struct Manager {
    /// The type of the resource with the attribute.
    of: &'static [&'static str],
    attribute: &'static str,
    /// The type of the resource that manages it.
    kind: &'static str,
    /// The attribute that refers to the resource.
    reference: &'static str,
    part: Part,
}

/// What one resource manages of an attribute.
enum Part {
    /// All of it.
    Whole,
    /// The elements that this attribute holds.
    Elements(&'static str),
    /// The blocks whose member of the first name is its attribute of the second.
    Blocks(&'static str, &'static str),
}

const BUCKETS: &[&str] = &["aws_s3_bucket"];
const ROLES: &[&str] = &["aws_iam_role"];
const KEYS: &[&str] = &["aws_kms_key", "aws_kms_external_key", "aws_kms_replica_key", "aws_kms_replica_external_key"];
const INSTANCES: &[&str] = &["aws_instance", "aws_spot_instance_request"];

const fn of_bucket(attribute: &'static str, kind: &'static str) -> Manager {
    Manager { of: BUCKETS, attribute, kind, reference: "bucket", part: Part::Whole }
}

static MANAGERS: &[Manager] = &[
    of_bucket("server_side_encryption_configuration", "aws_s3_bucket_server_side_encryption_configuration"),
    of_bucket("logging", "aws_s3_bucket_logging"),
    of_bucket("object_lock_configuration", "aws_s3_bucket_object_lock_configuration"),
    of_bucket("versioning", "aws_s3_bucket_versioning"),
    of_bucket("lifecycle_rule", "aws_s3_bucket_lifecycle_configuration"),
    of_bucket("policy", "aws_s3_bucket_policy"),
    Manager { of: KEYS, attribute: "policy", kind: "aws_kms_key_policy", reference: "key_id", part: Part::Whole },
    Manager {
        of: ROLES,
        attribute: "managed_policy_arns",
        kind: "aws_iam_role_policy_attachment",
        reference: "role",
        part: Part::Elements("policy_arn"),
    },
    Manager {
        of: ROLES,
        attribute: "managed_policy_arns",
        kind: "aws_iam_policy_attachment",
        reference: "roles",
        part: Part::Elements("policy_arn"),
    },
    Manager {
        of: ROLES,
        attribute: "managed_policy_arns",
        kind: "aws_iam_role_policy_attachments_exclusive",
        reference: "role_name",
        part: Part::Elements("policy_arns"),
    },
    Manager {
        of: ROLES,
        attribute: "inline_policy",
        kind: "aws_iam_role_policy",
        reference: "role",
        part: Part::Blocks("name", "name"),
    },
    Manager {
        of: &["aws_ec2_managed_prefix_list"],
        attribute: "entry",
        kind: "aws_ec2_managed_prefix_list_entry",
        reference: "prefix_list_id",
        part: Part::Blocks("cidr", "cidr"),
    },
    Manager {
        of: INSTANCES,
        attribute: "vpc_security_group_ids",
        kind: "aws_network_interface_sg_attachment",
        reference: "network_interface_id",
        part: Part::Elements("security_group_id"),
    },
    Manager {
        of: &["aws_network_interface"],
        attribute: "security_groups",
        kind: "aws_network_interface_sg_attachment",
        reference: "network_interface_id",
        part: Part::Elements("security_group_id"),
    },
    Manager {
        of: &["aws_vpc_endpoint"],
        attribute: "security_group_ids",
        kind: "aws_vpc_endpoint_security_group_association",
        reference: "vpc_endpoint_id",
        part: Part::Elements("security_group_id"),
    },
];

/// The types of resources whose rules stand inline or in resources of their own.
const GROUPS: &[&str] = &["aws_security_group", "aws_default_security_group"];

/// Resources as they are before the plan is applied: their types and values.
pub(crate) struct Before<'j>(Vec<(&'j str, &'j Json)>);

impl<'j> Before<'j> {
    /// Gathers the resources of the state that a plan was made from; those of a state itself.
    pub(crate) fn of(plan: &'j Json) -> Self {
        let state = ["/prior_state/values/root_module", "/values/root_module"];
        let state = state.iter().filter_map(|pointer| plan.pointer(pointer)).flat_map(resources);
        let state = state.map(|resource| (resource, &resource["values"]));
        let changed = list(plan, "resource_changes").map(|change| (change, &change["change"]["before"]));
        // What Terraform no longer manages stays, and is told by nothing but these attributes.
        let forgotten = forgotten(plan);
        let is_managed = |resource: &Json| {
            resource["mode"] == "managed" && !resource["address"].as_str().is_some_and(|at| forgotten.contains(at))
        };
        let all = state.chain(changed).filter(|(resource, values)| values.is_object() && is_managed(resource));
        Self(all.filter_map(|(resource, values)| Some((resource["type"].as_str()?, values))).collect())
    }

    /// Returns what is left of an attribute of a resource; none where resources of their own manage all of it.
    pub(crate) fn left(&self, kind: &str, attribute: &str, values: &'j Json) -> Option<Json> {
        let mut value = values[attribute].clone();
        if GROUPS.contains(&kind) && matches!(attribute, "ingress" | "egress") {
            value = self.rules_left(attribute, values, &value);
        }
        for manager in MANAGERS.iter().filter(|manager| manager.of.contains(&kind) && manager.attribute == attribute) {
            for other in self.managing(manager.kind, manager.reference, values) {
                match manager.part {
                    Part::Whole => return None,
                    Part::Elements(name) => {
                        let managed = texts(&other[name]);
                        retain(&mut value, |element| !element.as_str().is_some_and(|text| managed.contains(&text)));
                    }
                    Part::Blocks(member, name) => retain(&mut value, |block| block[member] != other[name]),
                }
            }
        }
        Some(value)
    }

    /// Returns the resources of a type that refer to the one with these values.
    fn managing(&self, kind: &str, reference: &str, values: &Json) -> impl Iterator<Item = &'j Json> {
        let known_by = ["id", "arn", "name", "bucket", "key_id", "primary_network_interface_id"];
        let names: Vec<&str> = known_by.iter().filter_map(|name| values[*name].as_str()).collect();
        let refers = |other: &Json| texts(&other[reference]).iter().any(|text| names.contains(text));
        let of_kind = self.0.iter().filter(|(other, _)| *other == kind).map(|(_, values)| *values);
        of_kind.filter(|other| refers(other)).collect::<Vec<_>>().into_iter()
    }

    /// Returns the inline rules of a group without the peers that rules of their own name.
    fn rules_left(&self, direction: &str, values: &Json, rules: &Json) -> Json {
        let group = values["id"].as_str().unwrap_or_default();
        let mut managed: Vec<Rule> = Vec::new();
        let single = format!("aws_vpc_security_group_{direction}_rule");
        for kind in ["aws_security_group_rule", &single] {
            let rules = self.managing(kind, "security_group_id", values);
            let rules = rules.filter(|rule| rule["type"].as_str().is_none_or(|way| way == direction));
            managed.extend(rules.flat_map(|rule| Rule::all(rule, group)));
        }
        let inline = rules.as_array().into_iter().flatten();
        let left = inline.flat_map(|rule| {
            let mut unmanaged = Rule::all(rule, group);
            if unmanaged.is_empty() {
                // A rule without a peer, or one whose peer is not known: it stays as it is.
                return vec![rule.clone()];
            }
            unmanaged.retain(|one| !managed.contains(one));
            unmanaged.iter().map(|one| one.of(rule)).collect()
        });
        Json::Array(left.collect())
    }
}

/// A rule for one peer.
#[derive(Debug, PartialEq)]
struct Rule {
    protocol: String,
    ports: (Json, Json),
    /// The attribute of inline rules that names the peer, and the peer.
    peer: (&'static str, String),
}

/// The attributes that name peers: in rules of their own, and in inline rules.
static PEERS: &[(&str, &str)] = &[
    ("cidr_blocks", "cidr_blocks"),
    ("ipv6_cidr_blocks", "ipv6_cidr_blocks"),
    ("prefix_list_ids", "prefix_list_ids"),
    ("security_groups", "security_groups"),
    ("source_security_group_id", "security_groups"),
    ("cidr_ipv4", "cidr_blocks"),
    ("cidr_ipv6", "ipv6_cidr_blocks"),
    ("prefix_list_id", "prefix_list_ids"),
    ("referenced_security_group_id", "security_groups"),
];

/// The peer of a rule for the group itself.
const ITSELF: &str = "self";

impl Rule {
    /// Returns the rules that an inline rule, or a resource, of this group stands for.
    fn all(rule: &Json, group: &str) -> Vec<Self> {
        let protocol = rule["protocol"].as_str().or_else(|| rule["ip_protocol"].as_str()).unwrap_or("-1");
        let protocol = normal_protocol(protocol);
        let ports = if protocol == "-1" {
            (Json::Null, Json::Null)
        } else {
            (rule["from_port"].clone(), rule["to_port"].clone())
        };
        let mut peers: Vec<(&'static str, String)> = Vec::new();
        for (name, inline) in PEERS {
            for peer in texts(&rule[*name]) {
                let itself = *inline == "security_groups" && peer == group;
                peers.push(if itself { (ITSELF, String::new()) } else { (*inline, peer.to_owned()) });
            }
        }
        if rule[ITSELF] == Json::Bool(true) {
            peers.push((ITSELF, String::new()));
        }
        peers.dedup();
        peers.into_iter().map(|peer| Self { protocol: protocol.clone(), ports: ports.clone(), peer }).collect()
    }

    /// Returns the inline rule with this peer alone.
    fn of(&self, rule: &Json) -> Json {
        let mut one = rule.clone();
        for (_, inline) in PEERS {
            one[*inline] = json!([]);
        }
        let (name, peer) = &self.peer;
        one[ITSELF] = json!(*name == ITSELF);
        if *name != ITSELF {
            one[*name] = json!([peer]);
        }
        one
    }
}

/// Returns a text, or the texts of a list, that are not empty.
fn texts(value: &Json) -> Vec<&str> {
    let all = match value {
        Json::Array(items) => items.iter().filter_map(Json::as_str).collect(),
        value => value.as_str().into_iter().collect::<Vec<_>>(),
    };
    all.into_iter().filter(|text| !text.is_empty()).collect()
}

fn retain(list: &mut Json, keep: impl FnMut(&Json) -> bool) {
    if let Json::Array(items) = list {
        items.retain(keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn managed(kind: &str, values: &Json) -> Json {
        json!({"mode": "managed", "type": kind, "values": values})
    }

    fn state(resources: &[Json]) -> Json {
        json!({"prior_state": {"values": {"root_module": {"child_modules": [{"resources": resources}]}}}})
    }

    fn inline(port: u32, member: &str, peers: Json) -> Json {
        let mut rule = json!({"protocol": "tcp", "from_port": port, "to_port": port, "description": "", "self": false,
            "cidr_blocks": [], "ipv6_cidr_blocks": [], "prefix_list_ids": [], "security_groups": []});
        rule[member] = peers;
        rule
    }

    #[test]
    fn peers_that_rules_of_their_own_name_leave_inline_rules() {
        let group = json!({"id": "sg-1", "egress": [
            inline(443, "cidr_blocks", json!(["10.0.0.0/8", "0.0.0.0/0"])),
            inline(53, "security_groups", json!(["sg-2"])),
            inline(8080, "self", json!(true)),
        ]});
        let rule = |values: Json| managed("aws_security_group_rule", &values);
        let state = state(&[
            rule(
                json!({"security_group_id": "sg-1", "type": "egress", "protocol": "6", "from_port": 443, "to_port": 443,
                "cidr_blocks": ["0.0.0.0/0"]}),
            ),
            // Of the other way, of another group, of another port.
            rule(json!({"security_group_id": "sg-1", "type": "ingress", "protocol": "tcp", "from_port": 443,
                "to_port": 443, "cidr_blocks": ["10.0.0.0/8"]})),
            rule(json!({"security_group_id": "sg-9", "type": "egress", "protocol": "tcp", "from_port": 443,
                "to_port": 443, "cidr_blocks": ["10.0.0.0/8"]})),
            managed(
                "aws_vpc_security_group_egress_rule",
                &json!({"security_group_id": "sg-1", "ip_protocol": "tcp",
                "from_port": 54, "to_port": 54, "referenced_security_group_id": "sg-2"}),
            ),
            managed(
                "aws_vpc_security_group_egress_rule",
                &json!({"security_group_id": "sg-1", "ip_protocol": "tcp",
                "from_port": 8080, "to_port": 8080, "referenced_security_group_id": "sg-1"}),
            ),
        ]);
        let left = Before::of(&state).left("aws_security_group", "egress", &group);
        let expected =
            json!([inline(443, "cidr_blocks", json!(["10.0.0.0/8"])), inline(53, "security_groups", json!(["sg-2"]))]);
        assert_eq!(left, Some(expected));
    }

    #[test]
    fn a_rule_that_changes_leaves_by_what_it_was_before() {
        let plan = json!({"resource_changes": [{"mode": "managed", "type": "aws_vpc_security_group_egress_rule",
            "change": {"before": {"security_group_id": "sg-1", "ip_protocol": "-1", "cidr_ipv4": "0.0.0.0/0"},
                "after": {"security_group_id": "sg-1", "ip_protocol": "tcp"}}}]});
        let mut rule = inline(0, "cidr_blocks", json!(["0.0.0.0/0"]));
        rule["protocol"] = json!("-1");
        let group = json!({"id": "sg-1", "egress": [rule]});
        assert_eq!(Before::of(&plan).left("aws_security_group", "egress", &group), Some(json!([])));
    }

    #[test]
    fn what_terraform_no_longer_manages_stays_as_it_is() {
        let attachment = json!({"role": "node", "policy_arn": "arn:core"});
        let plan = json!({"resource_changes": [{"mode": "managed", "type": "aws_iam_role_policy_attachment",
            "address": "aws_iam_role_policy_attachment.core",
            "change": {"actions": ["forget"], "before": attachment, "after": null}}]});
        let role = json!({"name": "node", "managed_policy_arns": ["arn:core"]});
        let left = Before::of(&plan).left("aws_iam_role", "managed_policy_arns", &role);
        assert_eq!(left, Some(json!(["arn:core"])));
    }

    #[test]
    fn policies_and_configurations_that_others_manage_leave() {
        let state = state(&[
            managed("aws_iam_role_policy_attachment", &json!({"role": "node", "policy_arn": "arn:core"})),
            managed("aws_iam_policy_attachment", &json!({"roles": ["node"], "policy_arn": "arn:more"})),
            managed("aws_iam_role_policy", &json!({"role": "node", "name": "logs"})),
            managed("aws_s3_bucket_logging", &json!({"bucket": "b"})),
            managed("aws_kms_key_policy", &json!({"key_id": "k"})),
        ]);
        let before = Before::of(&state);
        let role = json!({"name": "node", "managed_policy_arns": ["arn:core", "arn:more", "arn:by-hand"],
            "inline_policy": [{"name": "logs"}, {"name": "by-hand"}]});
        assert_eq!(before.left("aws_iam_role", "managed_policy_arns", &role), Some(json!(["arn:by-hand"])));
        assert_eq!(before.left("aws_iam_role", "inline_policy", &role), Some(json!([{"name": "by-hand"}])));
        let bucket = json!({"id": "b", "logging": [{}], "server_side_encryption_configuration": [{}]});
        assert_eq!(before.left("aws_s3_bucket", "logging", &bucket), None);
        let encryption = before.left("aws_s3_bucket", "server_side_encryption_configuration", &bucket);
        assert_eq!(encryption, Some(json!([{}])));
        assert_eq!(before.left("aws_kms_key", "policy", &json!({"key_id": "k", "policy": "{}"})), None);
        assert_eq!(before.left("aws_kms_key", "policy", &json!({"key_id": "l", "policy": "{}"})), Some(json!("{}")));
    }
}
