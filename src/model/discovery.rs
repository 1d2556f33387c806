//! How resources come to be in an inventory: the calls that find them.

use super::call::{self, Call};
use super::inventory::ResourceType;

impl ResourceType {
    /// The calls that find the resources of this type and tell that they exist. A set of rules on the
    /// type, or on something that links to it, needs all of them.
    pub fn discovery(self) -> &'static [Call] {
        match self {
            Self::Instance => &[call::DESCRIBE_INSTANCES],
            Self::SecurityGroup => &[call::DESCRIBE_INSTANCES, call::DESCRIBE_SECURITY_GROUPS],
            Self::Volume => &[call::DESCRIBE_INSTANCES, call::DESCRIBE_VOLUMES],
            Self::VpcEndpoint => &[call::DESCRIBE_INSTANCES, call::DESCRIBE_VPC_ENDPOINTS],
            Self::PrefixList => {
                &[call::DESCRIBE_INSTANCES, call::DESCRIBE_SECURITY_GROUPS, call::GET_MANAGED_PREFIX_LIST_ENTRIES]
            }
            Self::InstanceProfile => &[call::DESCRIBE_INSTANCES, call::GET_INSTANCE_PROFILE],
            Self::Role => &[
                call::DESCRIBE_INSTANCES,
                call::GET_INSTANCE_PROFILE,
                call::GET_SERVICE_SETTING,
                call::DESCRIBE_INSTANCE_INFORMATION,
                call::GET_ROLE,
            ],
            Self::ManagedPolicy => &[call::LIST_ATTACHED_ROLE_POLICIES, call::GET_POLICY],
            Self::KmsKey => &[
                call::GET_DOCUMENT,
                call::DESCRIBE_LOG_GROUPS,
                call::HEAD_BUCKET,
                call::GET_BUCKET_ENCRYPTION,
                call::DESCRIBE_KEY,
            ],
            Self::LogGroup => &[call::GET_DOCUMENT, call::DESCRIBE_LOG_GROUPS],
            Self::Bucket => &[call::GET_DOCUMENT, call::HEAD_BUCKET],
            Self::SessionPreferences => &[call::GET_DOCUMENT],
            Self::ManagedInstance => &[call::DESCRIBE_INSTANCE_INFORMATION],
        }
    }

    /// Whether resources of this type belong to a region.
    pub fn is_regional(self) -> bool {
        !matches!(self, Self::InstanceProfile | Self::Role | Self::ManagedPolicy | Self::Bucket)
    }
}
