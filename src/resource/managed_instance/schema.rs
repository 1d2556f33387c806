//! Attributes of nodes that are registered with Systems Manager.

use crate::model::call::{self, Call};
use crate::model::fact::Fact;
use crate::model::ids::Link;
use crate::model::inventory::{Described, Extent};
use crate::model::schema::attributes;
use crate::resource::instance::schema::Instance;
use crate::resource::role::schema::Role;

attributes! {
    /// A node that is registered with Systems Manager: an EC2 instance, an edge device, a server or a virtual machine.
    pub struct ManagedInstance {
        /// Its ARN.
        arn: String = DESCRIBE_INSTANCE_INFORMATION,
        /// `Online`, `ConnectionLost` or `Inactive`.
        ping_status: String = DESCRIBE_INSTANCE_INFORMATION,
        /// The version of its agent.
        agent_version: Option<String> = DESCRIBE_INSTANCE_INFORMATION,
        /// Whether the agent is the latest; AWS does not tell it of Windows.
        is_latest_version: bool = DESCRIBE_INSTANCE_INFORMATION,
        /// `Linux`, `Windows` or `MacOS`.
        platform_type: Option<String> = DESCRIBE_INSTANCE_INFORMATION,
        /// `EC2Instance`, or `ManagedInstance` for what is not on EC2.
        resource_type: String = DESCRIBE_INSTANCE_INFORMATION,
        /// The EC2 instance, where it is one that is still there.
        instance: Option<Link<Instance>> = DESCRIBE_INSTANCES,
        /// The name of the role that the node uses, where AWS tells it: of nodes that are not on EC2, and of EC2 nodes
        /// with the role of default host management. Other EC2 nodes use that of their instance profile.
        iam_role_name: Option<String> = DESCRIBE_INSTANCE_INFORMATION,
        /// That role, if it exists.
        iam_role: Option<Link<Role>> = DESCRIBE_INSTANCE_INFORMATION,
    }
}

impl Described for ManagedInstance {
    const FOUND_BY: Call = call::DESCRIBE_INSTANCE_INFORMATION;
    const EXTENT: Extent = Extent::Regional;
    const TERRAFORM: &[&str] = &[];
    const SECURITY_HUB: Option<&str> = None;
}
