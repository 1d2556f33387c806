//! Operations on security groups. <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html>

use crate::remediate::operation::operation;
use crate::remediate::operation::parameter::part;

part! {
    /// A range of IPv4 addresses.
    IpRange => aws_sdk_ec2::types::IpRange {
        cidr_ip: String => set_cidr_ip,
        description: Option<String> => set_description,
    }
}

part! {
    /// A range of IPv6 addresses.
    Ipv6Range => aws_sdk_ec2::types::Ipv6Range {
        cidr_ipv6: String => set_cidr_ipv6,
        description: Option<String> => set_description,
    }
}

part! {
    /// A prefix list.
    PrefixListId => aws_sdk_ec2::types::PrefixListId {
        prefix_list_id: String => set_prefix_list_id,
        description: Option<String> => set_description,
    }
}

part! {
    /// A security group, which may be another account's.
    UserIdGroupPair => aws_sdk_ec2::types::UserIdGroupPair {
        group_id: String => set_group_id,
        user_id: Option<String> => set_user_id,
        description: Option<String> => set_description,
    }
}

part! {
    /// Traffic of a kind, to or from any of these.
    #[derive(Default)]
    IpPermission => aws_sdk_ec2::types::IpPermission {
        ip_protocol: String => set_ip_protocol,
        from_port: Option<i32> => set_from_port,
        to_port: Option<i32> => set_to_port,
        ip_ranges: Option<Vec<IpRange>> => set_ip_ranges,
        ipv6_ranges: Option<Vec<Ipv6Range>> => set_ipv6_ranges,
        prefix_list_ids: Option<Vec<PrefixListId>> => set_prefix_list_ids,
        user_id_group_pairs: Option<Vec<UserIdGroupPair>> => set_user_id_group_pairs,
    }
}

/// A call about rules of a group.
macro_rules! about_rules {
    ($(#[$meta:meta])* $name:ident = $method:ident, $operation:literal [$action:literal]) => {
        operation! {
            $(#[$meta])*
            #[serde(rename_all = "PascalCase")]
            $name = ec2.$method, "ec2" $operation [$action] {
                group_id: String => set_group_id,
                ip_permissions: Vec<IpPermission> => set_ip_permissions,
            }
        }
    };
}

about_rules! {
    /// Lets something out.
    AuthorizeSecurityGroupEgress = authorize_security_group_egress,
        "AuthorizeSecurityGroupEgress" ["ec2:AuthorizeSecurityGroupEgress"]
}

about_rules! {
    /// Lets something in.
    AuthorizeSecurityGroupIngress = authorize_security_group_ingress,
        "AuthorizeSecurityGroupIngress" ["ec2:AuthorizeSecurityGroupIngress"]
}

about_rules! {
    /// Lets something out no more.
    RevokeSecurityGroupEgress = revoke_security_group_egress,
        "RevokeSecurityGroupEgress" ["ec2:RevokeSecurityGroupEgress"]
}

about_rules! {
    /// Lets something in no more.
    RevokeSecurityGroupIngress = revoke_security_group_ingress,
        "RevokeSecurityGroupIngress" ["ec2:RevokeSecurityGroupIngress"]
}

about_rules! {
    /// Says what rules to let something out are for; a description that is not given is taken away.
    UpdateSecurityGroupRuleDescriptionsEgress = update_security_group_rule_descriptions_egress,
        "UpdateSecurityGroupRuleDescriptionsEgress" ["ec2:UpdateSecurityGroupRuleDescriptionsEgress"]
}

about_rules! {
    /// Says what rules to let something in are for; a description that is not given is taken away.
    UpdateSecurityGroupRuleDescriptionsIngress = update_security_group_rule_descriptions_ingress,
        "UpdateSecurityGroupRuleDescriptionsIngress" ["ec2:UpdateSecurityGroupRuleDescriptionsIngress"]
}
