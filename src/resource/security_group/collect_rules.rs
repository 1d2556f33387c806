//! The rules of a security group: one for each peer of each permission.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html>

use std::collections::BTreeSet;

use aws_sdk_ec2::types::IpPermission;

use super::schema::SecurityGroupRule;
use crate::collect::live::api_call::{ApiCall, filled};
use crate::collect::live::ec2::shared;
use crate::model::{Fact, Key, Link, Region};
use crate::resource::prefix_list::schema::PrefixList;

/// The rules that these permissions are. The prefix lists that they name are added to `lists`, if given.
pub(crate) fn rules(
    inquiry: ApiCall<'_>,
    region: &Region,
    permissions: Vec<IpPermission>,
    mut lists: Option<&mut BTreeSet<Key>>,
) -> Vec<SecurityGroupRule> {
    let mut rules = Vec::new();
    for permission in permissions {
        let before = rules.len();
        let template = template(inquiry, &permission);
        let rule = |description: Option<String>| SecurityGroupRule {
            description: Fact::Known(description.filter(|text| !text.is_empty())),
            ..template.clone()
        };
        for range in permission.ip_ranges.unwrap_or_default() {
            let cidr_ipv4 = inquiry.named("CidrIp", range.cidr_ip).map(Some);
            rules.push(SecurityGroupRule { cidr_ipv4, ..rule(range.description) });
        }
        for range in permission.ipv6_ranges.unwrap_or_default() {
            let cidr_ipv6 = inquiry.named("CidrIpv6", range.cidr_ipv6).map(Some);
            rules.push(SecurityGroupRule { cidr_ipv6, ..rule(range.description) });
        }
        for list in permission.prefix_list_ids.unwrap_or_default() {
            let prefix_list = prefix_list(inquiry, region, list.prefix_list_id, lists.as_deref_mut());
            rules.push(SecurityGroupRule { prefix_list, ..rule(list.description) });
        }
        for pair in permission.user_id_group_pairs.unwrap_or_default() {
            let referenced_security_group_id = inquiry.named("GroupId", pair.group_id).map(Some);
            rules.push(SecurityGroupRule { referenced_security_group_id, ..rule(pair.description) });
        }
        if rules.len() == before {
            rules.push(without_peer(inquiry, template));
        }
    }
    rules
}

/// What all rules of a permission have in common, for a peer that is yet to be filled in.
fn template(inquiry: ApiCall<'_>, permission: &IpPermission) -> SecurityGroupRule {
    // For these, AWS always sends ports (ICMP's type and code); for all others there are none.
    let has_ports = matches!(permission.ip_protocol.as_deref(), Some("tcp" | "udp" | "icmp" | "icmpv6"));
    let port = |member, value: Option<i32>| match value {
        None if has_ports => Fact::Unknown(inquiry.lacks(member)),
        value => Fact::Known(value.map(i64::from)),
    };
    SecurityGroupRule {
        from_port: port("FromPort", permission.from_port),
        to_port: port("ToPort", permission.to_port),
        ip_protocol: inquiry.named("IpProtocol", permission.ip_protocol.clone()),
        cidr_ipv4: Fact::Known(None),
        cidr_ipv6: Fact::Known(None),
        prefix_list: Fact::Known(None),
        referenced_security_group_id: Fact::Known(None),
        description: Fact::Known(None),
    }
}

fn prefix_list(
    inquiry: ApiCall<'_>,
    region: &Region,
    id: Option<String>,
    lists: Option<&mut BTreeSet<Key>>,
) -> Fact<Option<Link<PrefixList>>> {
    let Some(id) = filled(id) else {
        let gap = inquiry.lacks("PrefixListId");
        inquiry.unlisted(&gap);
        return Fact::Unknown(gap);
    };
    let key = match lists {
        Some(lists) => shared(lists, region, id),
        None => Key::regional(region, id),
    };
    Fact::Known(Some(Link::to(key)))
}

/// A permission that names nobody: it is there, and whom it concerns is unknown.
fn without_peer(inquiry: ApiCall<'_>, template: SecurityGroupRule) -> SecurityGroupRule {
    let gap = inquiry.lacks("the peer of a rule");
    SecurityGroupRule {
        cidr_ipv4: Fact::Unknown(gap.clone()),
        cidr_ipv6: Fact::Unknown(gap.clone()),
        prefix_list: Fact::Unknown(gap.clone()),
        referenced_security_group_id: Fact::Unknown(gap.clone()),
        description: Fact::Unknown(gap),
        ..template
    }
}
