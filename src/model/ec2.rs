//! EC2: instances, and the volumes, security groups, endpoints and prefix lists that they use.

use std::collections::BTreeMap;

use super::fact::Fact;
use super::iam::{InstanceProfile, Role};
use super::ids::Link;
use super::kms::KmsKey;
use super::schema::attributes;
use super::ssm::ManagedInstance;

attributes! {
    /// An EC2 instance that is pending, running, stopping or stopped.
    pub struct Instance {
        /// Its ARN.
        arn: String = DESCRIBE_INSTANCES,
        /// `pending`, `running`, `stopping` or `stopped`.
        instance_state: String = DESCRIBE_INSTANCES,
        /// When it was last launched, RFC 3339.
        launch_time: String = DESCRIBE_INSTANCES,
        /// How its metadata service answers.
        metadata_options: MetadataOptions = DESCRIBE_INSTANCES,
        /// `ebs` or `instance-store`.
        root_device_type: String = DESCRIBE_INSTANCES,
        /// The EBS volume that is mapped at the root device name.
        root_volume: Option<Link<Volume>> = DESCRIBE_INSTANCES,
        /// Whether detailed (one-minute) monitoring is enabled, or being enabled.
        monitoring: bool = DESCRIBE_INSTANCES,
        /// The instance profile that is attached.
        iam_instance_profile: Option<Link<InstanceProfile>> = DESCRIBE_INSTANCES,
        /// The role that default host management names for the region: instances without a profile get it.
        default_host_management_role: Option<Link<Role>> = GET_SERVICE_SETTING,
        /// The AWS service that manages the instance, as `eks.amazonaws.com`: only that service can change it.
        operator: Option<String> = DESCRIBE_INSTANCES,
        /// The VPC that it is in.
        vpc_id: Option<String> = DESCRIBE_INSTANCES,
        /// The security groups of all its network interfaces.
        vpc_security_groups: Vec<Link<SecurityGroup>> = DESCRIBE_INSTANCES,
        /// Its network interfaces.
        network_interfaces: Vec<NetworkInterface> = DESCRIBE_INSTANCES,
        /// The interface endpoints of its VPC that lead to `ssm` or `ssmmessages`.
        vpc_endpoints: Vec<Link<VpcEndpoint>> = DESCRIBE_VPC_ENDPOINTS,
        /// Its tags.
        tags: BTreeMap<String, String> = DESCRIBE_INSTANCES,
        /// The node that its agent registered with Systems Manager.
        managed_instance: Option<Link<ManagedInstance>> = DESCRIBE_INSTANCE_INFORMATION,
    }
}

attributes! {
    /// How an instance's metadata service answers.
    pub struct MetadataOptions {
        /// `required` (IMDSv2 only) or `optional`.
        http_tokens: String,
        /// `enabled` or `disabled`.
        http_endpoint: String,
        /// How many network hops a token may travel, 1 to 64.
        http_put_response_hop_limit: i64,
        /// `enabled` or `disabled`: whether tags can be read from the metadata service.
        instance_metadata_tags: String,
    }
}

attributes! {
    /// A network interface of an instance.
    pub struct NetworkInterface {
        /// Its id.
        network_interface_id: String,
        /// Its private IPv4 addresses.
        private_ips: Vec<String>,
        /// Its IPv6 addresses.
        ipv6_addresses: Vec<String>,
        /// Its security groups.
        security_groups: Vec<Link<SecurityGroup>>,
    }
}

attributes! {
    /// An EBS volume at the root of an instance.
    pub struct Volume {
        /// Its ARN.
        arn: String = DESCRIBE_VOLUMES,
        /// Whether it is encrypted.
        encrypted: bool = DESCRIBE_VOLUMES,
        /// The key that encrypts it.
        kms_key: Option<Link<KmsKey>> = DESCRIBE_VOLUMES,
    }
}

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

attributes! {
    /// A prefix list that a rule of a security group names.
    pub struct PrefixList {
        /// Its ranges.
        cidrs: Vec<String> = GET_MANAGED_PREFIX_LIST_ENTRIES,
    }
}

attributes! {
    /// An interface endpoint of a VPC with instances.
    pub struct VpcEndpoint {
        /// The VPC that it is in.
        vpc_id: String = DESCRIBE_VPC_ENDPOINTS,
        /// The last part of the service's name: `ssm`, `ssmmessages`.
        service: String = DESCRIBE_VPC_ENDPOINTS,
        /// `available` and others.
        state: String = DESCRIBE_VPC_ENDPOINTS,
        /// Whether the service's public name resolves to it inside the VPC.
        private_dns_enabled: bool = DESCRIBE_VPC_ENDPOINTS,
        /// The ids of its security groups.
        security_group_ids: Vec<String> = DESCRIBE_VPC_ENDPOINTS,
        /// The private IPv4 addresses of its interfaces; in code, the ranges that they will be in.
        private_ips: Vec<String> = DESCRIBE_NETWORK_INTERFACES,
    }
}
