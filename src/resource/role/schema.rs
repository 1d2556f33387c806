//! Attributes of IAM roles. IAM has no region.

use crate::model::call::{self, Call};
use crate::model::fact::Fact;
use crate::model::ids::Link;
use crate::model::inventory::{Described, Extent};
use crate::model::schema::attributes;
use crate::resource::key::schema::KmsKey;
use crate::resource::managed_policy::schema::ManagedPolicy;
use crate::resource::session_preferences::schema::SessionPreferences;
use iam_policy::PolicyDocument;
use std::collections::BTreeMap;

attributes! {
    /// A role of an instance profile in use, of default host management, or of a hybrid node.
    pub struct Role {
        /// Its ARN.
        arn: String = GET_ROLE,
        /// Its id, with which `aws:userid` of its sessions begins.
        role_id: String = GET_ROLE,
        /// Its tags, which its sessions have as principal tags.
        principal_tags: BTreeMap<String, String> = GET_ROLE,
        /// The organisation that its account is in, where a policy speaks of organisations.
        organization_id: Option<String> = DESCRIBE_ORGANIZATION,
        /// Who may assume it.
        assume_role_policy: PolicyDocument = GET_ROLE,
        /// The policy that bounds its permissions.
        permissions_boundary: Option<Link<ManagedPolicy>> = GET_ROLE,
        /// The managed policies that are attached to it.
        attached_policies: Vec<Link<ManagedPolicy>> = LIST_ATTACHED_ROLE_POLICIES,
        /// The policies that are embedded in it.
        inline_policies: Vec<InlinePolicy> = LIST_ROLE_POLICIES | GET_ROLE_POLICY,
        /// Whether the agent on an EC2 instance uses it, through an instance profile.
        used_by_instances: bool = DESCRIBE_INSTANCES | GET_INSTANCE_PROFILE | GET_SERVICE_SETTING | DESCRIBE_INSTANCE_INFORMATION | GET_ROLE | LIST_ATTACHED_ROLE_POLICIES | LIST_ROLE_POLICIES | GET_ROLE_POLICY | GET_POLICY | GET_POLICY_VERSION,
        /// Whether default host management, or a node that it or a hybrid activation registered, uses it: through Systems
        /// Manager.
        used_by_systems_manager: bool = DESCRIBE_INSTANCES | GET_INSTANCE_PROFILE | GET_SERVICE_SETTING | DESCRIBE_INSTANCE_INFORMATION | GET_ROLE | LIST_ATTACHED_ROLE_POLICIES | LIST_ROLE_POLICIES | GET_ROLE_POLICY | GET_POLICY | GET_POLICY_VERSION,
        /// Whether an agent that uses it may ask `ec2messages`: one older than 3.3.40.0, or of a version not reported.
        uses_ec2messages: bool = DESCRIBE_INSTANCES | GET_INSTANCE_PROFILE | GET_SERVICE_SETTING | DESCRIBE_INSTANCE_INFORMATION | GET_ROLE | LIST_ATTACHED_ROLE_POLICIES | LIST_ROLE_POLICIES | GET_ROLE_POLICY | GET_POLICY | GET_POLICY_VERSION,
        /// The session preferences of the regions in which nodes use it.
        session_preferences: Vec<Link<SessionPreferences>> = DESCRIBE_INSTANCES | GET_INSTANCE_PROFILE | GET_SERVICE_SETTING | DESCRIBE_INSTANCE_INFORMATION | GET_ROLE | LIST_ATTACHED_ROLE_POLICIES | LIST_ROLE_POLICIES | GET_ROLE_POLICY | GET_POLICY | GET_POLICY_VERSION,
        /// The keys that encrypt the root volumes of the instances that use it.
        root_volume_keys: Vec<Link<KmsKey>> = DESCRIBE_VOLUMES | DESCRIBE_INSTANCES | GET_INSTANCE_PROFILE | GET_SERVICE_SETTING | DESCRIBE_INSTANCE_INFORMATION | GET_ROLE | LIST_ATTACHED_ROLE_POLICIES | LIST_ROLE_POLICIES | GET_ROLE_POLICY | GET_POLICY | GET_POLICY_VERSION,
    }
}

impl Described for Role {
    const FOUND_BY: Call = call::GET_ROLE;
    const EXTENT: Extent = Extent::Global;
    const TERRAFORM: &[&str] = &["aws_iam_role"];
    const SECURITY_HUB: Option<&str> = Some("AwsIamRole");
}

attributes! {
    /// A policy that is embedded in a role.
    pub struct InlinePolicy {
        /// Its name.
        name: String,
        /// What it says.
        policy: PolicyDocument,
    }
}
