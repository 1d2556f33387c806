//! A rule of a security group as fixes see it: traffic of a kind, to or from one peer, with its description.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::IpPermission as Answer;
use serde::{Deserialize, Serialize};

use crate::remediate::operation::{IpPermission, IpRange, Ipv6Range, PrefixListId, UserIdGroupPair};

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SecurityGroupRule {
    pub(crate) ip_protocol: String,
    pub(crate) from_port: Option<i32>,
    pub(crate) to_port: Option<i32>,
    pub(crate) peer: Peer,
    /// Empty where there is none.
    pub(crate) description: String,
}

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Peer {
    CidrIp(String),
    CidrIpv6(String),
    PrefixListId(String),
    /// A security group, and the account that it belongs to.
    Group(String, Option<String>),
}

/// Which way traffic goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Out,
    In,
}

/// Rules by what they are, in words.
pub(crate) type Rules = BTreeMap<String, SecurityGroupRule>;

/// All rules that these permissions are; none where something is missing in them.
pub(crate) fn rules(permissions: Vec<Answer>, way: Way) -> Option<Rules> {
    let mut rules = Rules::new();
    for permission in permissions {
        let (ip_protocol, from_port, to_port) = (permission.ip_protocol?, permission.from_port, permission.to_port);
        let mut peers = Vec::new();
        for range in permission.ip_ranges.unwrap_or_default() {
            peers.push((Peer::CidrIp(range.cidr_ip?), range.description));
        }
        for range in permission.ipv6_ranges.unwrap_or_default() {
            peers.push((Peer::CidrIpv6(range.cidr_ipv6?), range.description));
        }
        for list in permission.prefix_list_ids.unwrap_or_default() {
            peers.push((Peer::PrefixListId(list.prefix_list_id?), list.description));
        }
        for pair in permission.user_id_group_pairs.unwrap_or_default() {
            peers.push((Peer::Group(pair.group_id?, pair.user_id), pair.description));
        }
        for (peer, description) in peers {
            let description = description.unwrap_or_default();
            let rule = SecurityGroupRule { ip_protocol: ip_protocol.clone(), from_port, to_port, peer, description };
            rules.insert(rule.words(way), rule);
        }
    }
    Some(rules)
}

/// The rules that a call is about, by what they are.
pub(crate) fn rules_of(permissions: &[IpPermission], way: Way) -> Rules {
    let mut rules = Rules::new();
    for permission in permissions {
        let mut add = |peer: Peer, description: Option<&String>| {
            let rule = SecurityGroupRule {
                ip_protocol: permission.ip_protocol.clone(),
                from_port: permission.from_port,
                to_port: permission.to_port,
                peer,
                description: description.cloned().unwrap_or_default(),
            };
            rules.insert(rule.words(way), rule);
        };
        for range in permission.ip_ranges.iter().flatten() {
            add(Peer::CidrIp(range.cidr_ip.clone()), range.description.as_ref());
        }
        for range in permission.ipv6_ranges.iter().flatten() {
            add(Peer::CidrIpv6(range.cidr_ipv6.clone()), range.description.as_ref());
        }
        for list in permission.prefix_list_ids.iter().flatten() {
            add(Peer::PrefixListId(list.prefix_list_id.clone()), list.description.as_ref());
        }
        for pair in permission.user_id_group_pairs.iter().flatten() {
            add(Peer::Group(pair.group_id.clone(), pair.user_id.clone()), pair.description.as_ref());
        }
    }
    rules
}

impl SecurityGroupRule {
    /// TCP port 443 for this peer.
    pub(crate) fn https(peer: Peer, description: &str) -> Self {
        let description = description.to_owned();
        Self { ip_protocol: "tcp".to_owned(), from_port: Some(443), to_port: Some(443), peer, description }
    }

    /// Whether it is for TCP port 443 and nothing else.
    pub(super) fn is_https(&self) -> bool {
        self.ip_protocol == "tcp" && (self.from_port, self.to_port) == (Some(443), Some(443))
    }

    /// Whether it is for TCP port 443, too.
    pub(super) fn covers_https(&self) -> bool {
        let ports = self.from_port.zip(self.to_port);
        self.ip_protocol == "-1"
            || self.ip_protocol == "tcp" && ports.is_some_and(|(from, to)| from <= 443 && 443 <= to)
    }

    /// What it is, in words that no other rule of the group has, and that a description may have.
    pub(crate) fn words(&self, way: Way) -> String {
        let traffic = match (self.ip_protocol.as_str(), self.from_port, self.to_port) {
            ("-1", ..) => "all traffic".to_owned(),
            (protocol @ ("icmp" | "icmpv6"), Some(kind), Some(-1)) if kind >= 0 => format!("{protocol} {kind}"),
            (protocol @ ("icmp" | "icmpv6"), Some(kind), Some(code)) if kind >= 0 => {
                format!("{protocol} {kind}/{code}")
            }
            (protocol @ ("tcp" | "udp"), Some(from), Some(to)) if from == to => format!("{protocol} {from}"),
            (protocol @ ("tcp" | "udp"), Some(from), Some(to)) => format!("{protocol} {from}-{to}"),
            (protocol, ..) if protocol.starts_with(|first: char| first.is_ascii_digit()) => {
                format!("protocol {protocol}")
            }
            (protocol, ..) => protocol.to_owned(),
        };
        let peer = match &self.peer {
            Peer::CidrIp(peer) | Peer::CidrIpv6(peer) | Peer::PrefixListId(peer) | Peer::Group(peer, _) => peer,
        };
        format!("{traffic} {} {peer}", if way == Way::Out { "to" } else { "from" })
    }

    /// The same with this description.
    pub(crate) fn described(&self, description: &str) -> Self {
        Self { description: description.to_owned(), ..self.clone() }
    }

    /// As calls have it.
    pub(super) fn permission(&self) -> IpPermission {
        let description = Some(self.description.clone()).filter(|text| !text.is_empty());
        let permission = IpPermission {
            ip_protocol: self.ip_protocol.clone(),
            from_port: self.from_port,
            to_port: self.to_port,
            ..IpPermission::default()
        };
        match self.peer.clone() {
            Peer::CidrIp(cidr_ip) => {
                IpPermission { ip_ranges: Some(vec![IpRange { cidr_ip, description }]), ..permission }
            }
            Peer::CidrIpv6(cidr_ipv6) => {
                IpPermission { ipv6_ranges: Some(vec![Ipv6Range { cidr_ipv6, description }]), ..permission }
            }
            Peer::PrefixListId(prefix_list_id) => {
                let list = PrefixListId { prefix_list_id, description };
                IpPermission { prefix_list_ids: Some(vec![list]), ..permission }
            }
            Peer::Group(group_id, user_id) => {
                let pair = UserIdGroupPair { group_id, user_id, description };
                IpPermission { user_id_group_pairs: Some(vec![pair]), ..permission }
            }
        }
    }
}
