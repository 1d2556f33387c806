//! Attributes of security groups.

use crate::model::call::{self, Call};
use crate::model::fact::Fact;
use crate::model::ids::Link;
use crate::model::inventory::{Described, Extent};
use crate::model::schema::attributes;
use crate::resource::prefix_list::schema::PrefixList;
use std::collections::BTreeMap;

attributes! {
    /// A security group that is attached to an instance, or to an endpoint that an instance uses.
    pub struct SecurityGroup {
        /// Its ARN.
        arn: String = DESCRIBE_SECURITY_GROUPS,
        /// Its name; a VPC's default group is named `default`.
        name: String = DESCRIBE_SECURITY_GROUPS,
        /// The VPC that it is in.
        vpc_id: Option<String> = DESCRIBE_SECURITY_GROUPS,
        /// What it lets out: one rule for each peer.
        egress: Vec<SecurityGroupRule> = DESCRIBE_SECURITY_GROUPS,
        /// What it lets in: one rule for each peer.
        ingress: Vec<SecurityGroupRule> = DESCRIBE_SECURITY_GROUPS,
        /// Its tags.
        tags: BTreeMap<String, String> = DESCRIBE_SECURITY_GROUPS,
    }
}

impl Described for SecurityGroup {
    const FOUND_BY: Call = call::DESCRIBE_SECURITY_GROUPS;
    const EXTENT: Extent = Extent::Regional;
    const TERRAFORM: &[&str] = &["aws_security_group", "aws_default_security_group"];
    const SECURITY_HUB: Option<&str> = Some("AwsEc2SecurityGroup");
}

attributes! {
    /// A rule of a security group, for one peer.
    pub struct SecurityGroupRule {
        /// `tcp`, `udp`, `icmp`, `icmpv6`, a protocol number, or `-1` for all.
        ip_protocol: String,
        /// The first port; absent where the protocol has no ports.
        from_port: Option<i64>,
        /// The last port; absent where the protocol has no ports.
        to_port: Option<i64>,
        /// The peer, where it is an IPv4 range.
        cidr_ipv4: Option<String>,
        /// The peer, where it is an IPv6 range.
        cidr_ipv6: Option<String>,
        /// The peer, where it is a prefix list.
        prefix_list: Option<Link<PrefixList>>,
        /// The peer, where it is a security group: its id.
        referenced_security_group_id: Option<String>,
        /// Its description.
        description: Option<String>,
    }
}
