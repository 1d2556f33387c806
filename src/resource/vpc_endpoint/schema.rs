//! Attributes of interface endpoints.

use crate::model::call::{self, Call};
use crate::model::fact::Fact;
use crate::model::inventory::{Described, Extent};
use crate::model::schema::attributes;

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

impl Described for VpcEndpoint {
    const FOUND_BY: Call = call::DESCRIBE_VPC_ENDPOINTS;
    const EXTENT: Extent = Extent::Regional;
    const TERRAFORM: &[&str] = &[];
    const SECURITY_HUB: Option<&str> = None;
}
