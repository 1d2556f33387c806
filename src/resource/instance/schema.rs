//! Attributes of EC2 instances.

use crate::model::call::{self, Call};
use crate::model::fact::Fact;
use crate::model::ids::Link;
use crate::model::inventory::{Described, Extent};
use crate::model::schema::attributes;
use crate::resource::instance_profile::schema::InstanceProfile;
use crate::resource::managed_instance::schema::ManagedInstance;
use crate::resource::role::schema::Role;
use crate::resource::security_group::schema::SecurityGroup;
use crate::resource::volume::schema::Volume;
use crate::resource::vpc_endpoint::schema::VpcEndpoint;
use std::collections::BTreeMap;

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

impl Described for Instance {
    const FOUND_BY: Call = call::DESCRIBE_INSTANCES;
    const EXTENT: Extent = Extent::Regional;
    const TERRAFORM: &[&str] = &["aws_instance", "aws_spot_instance_request"];
    const SECURITY_HUB: Option<&str> = Some("AwsEc2Instance");
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
