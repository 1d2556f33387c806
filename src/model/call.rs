//! Every AWS call that a scan may make, as data: its name and the IAM actions that it needs.
//!
//! Attributes name the call that gives them (see `attributes!`), so the calls of a set of rules and
//! the least-privilege policy follow from the attributes that the rules read. The actions are those
//! of the Service Authorization Reference:
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>

use std::collections::BTreeSet;
use std::fmt;

/// One AWS API operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    /// The service's IAM prefix, e.g. `ec2`.
    pub service: &'static str,
    /// The operation, e.g. `DescribeInstances`.
    pub operation: &'static str,
    /// The IAM actions that it needs.
    pub actions: &'static [&'static str],
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.service, self.operation)
    }
}

/// What a set of rules needs: a source makes these calls and no others, and follows a reference that no
/// rule reads no further.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    calls: BTreeSet<Call>,
    attributes: BTreeSet<(&'static str, &'static str)>,
}

impl Needs {
    /// Whether the call is needed.
    pub fn wants(&self, call: &Call) -> bool {
        self.calls.contains(call)
    }

    /// Whether this attribute of this structure is read, e.g. `kms_key` of `Volume`.
    pub fn reads(&self, structure: &'static str, attribute: &'static str) -> bool {
        self.attributes.contains(&(structure, attribute))
    }

    /// The calls, by service and operation.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter()
    }

    /// Adds a call.
    pub fn add_call(&mut self, call: Call) {
        self.calls.insert(call);
    }

    /// Adds an attribute that is read, with the calls that give it.
    pub fn add_attribute(&mut self, structure: &'static str, attribute: &'static str, calls: &[Call]) {
        self.attributes.insert((structure, attribute));
        self.calls.extend(calls);
    }

    /// Adds what others need.
    pub fn extend(&mut self, other: Self) {
        self.calls.extend(other.calls);
        self.attributes.extend(other.attributes);
    }
}

impl FromIterator<Call> for Needs {
    fn from_iter<I: IntoIterator<Item = Call>>(calls: I) -> Self {
        Self { calls: calls.into_iter().collect(), attributes: BTreeSet::new() }
    }
}

macro_rules! calls {
    ($($name:ident = $service:literal $operation:literal [$($action:literal),*];)*) => {
        $(
            #[doc = concat!("`", $service, ":", $operation, "`")]
            pub const $name: Call = Call { service: $service, operation: $operation, actions: &[$($action),*] };
        )*

        /// All of them.
        pub const ALL: &[Call] = &[$($name),*];
    };
}

calls! {
    DESCRIBE_REGIONS = "ec2" "DescribeRegions" ["ec2:DescribeRegions"];
    DESCRIBE_INSTANCES = "ec2" "DescribeInstances" ["ec2:DescribeInstances"];
    DESCRIBE_VOLUMES = "ec2" "DescribeVolumes" ["ec2:DescribeVolumes"];
    DESCRIBE_SECURITY_GROUPS = "ec2" "DescribeSecurityGroups" ["ec2:DescribeSecurityGroups"];
    DESCRIBE_VPC_ENDPOINTS = "ec2" "DescribeVpcEndpoints" ["ec2:DescribeVpcEndpoints"];
    DESCRIBE_NETWORK_INTERFACES = "ec2" "DescribeNetworkInterfaces" ["ec2:DescribeNetworkInterfaces"];
    GET_MANAGED_PREFIX_LIST_ENTRIES = "ec2" "GetManagedPrefixListEntries" ["ec2:GetManagedPrefixListEntries"];

    GET_INSTANCE_PROFILE = "iam" "GetInstanceProfile" ["iam:GetInstanceProfile"];
    GET_ROLE = "iam" "GetRole" ["iam:GetRole"];
    LIST_ATTACHED_ROLE_POLICIES = "iam" "ListAttachedRolePolicies" ["iam:ListAttachedRolePolicies"];
    LIST_ROLE_POLICIES = "iam" "ListRolePolicies" ["iam:ListRolePolicies"];
    GET_ROLE_POLICY = "iam" "GetRolePolicy" ["iam:GetRolePolicy"];
    GET_POLICY = "iam" "GetPolicy" ["iam:GetPolicy"];
    GET_POLICY_VERSION = "iam" "GetPolicyVersion" ["iam:GetPolicyVersion"];

    DESCRIBE_KEY = "kms" "DescribeKey" ["kms:DescribeKey"];
    GET_KEY_ROTATION_STATUS = "kms" "GetKeyRotationStatus" ["kms:GetKeyRotationStatus"];
    GET_KEY_POLICY = "kms" "GetKeyPolicy" ["kms:GetKeyPolicy"];

    DESCRIBE_LOG_GROUPS = "logs" "DescribeLogGroups" ["logs:DescribeLogGroups"];

    HEAD_BUCKET = "s3" "HeadBucket" ["s3:ListBucket"];
    LIST_BUCKETS = "s3" "ListBuckets" ["s3:ListAllMyBuckets"];
    GET_BUCKET_POLICY = "s3" "GetBucketPolicy" ["s3:GetBucketPolicy"];
    GET_BUCKET_OWNERSHIP_CONTROLS = "s3" "GetBucketOwnershipControls" ["s3:GetBucketOwnershipControls"];
    GET_OBJECT_LOCK_CONFIGURATION = "s3" "GetObjectLockConfiguration" ["s3:GetBucketObjectLockConfiguration"];
    GET_BUCKET_ENCRYPTION = "s3" "GetBucketEncryption" ["s3:GetEncryptionConfiguration"];
    GET_BUCKET_TAGGING = "s3" "GetBucketTagging" ["s3:GetBucketTagging"];
    GET_BUCKET_LOGGING = "s3" "GetBucketLogging" ["s3:GetBucketLogging"];

    DESCRIBE_ORGANIZATION = "organizations" "DescribeOrganization" ["organizations:DescribeOrganization"];

    GET_DOCUMENT = "ssm" "GetDocument" ["ssm:GetDocument"];
    GET_SERVICE_SETTING = "ssm" "GetServiceSetting" ["ssm:GetServiceSetting"];
    DESCRIBE_INSTANCE_INFORMATION = "ssm" "DescribeInstanceInformation" ["ssm:DescribeInstanceInformation"];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_stands_twice_and_each_has_an_action() {
        let mut names: Vec<String> = ALL.iter().map(ToString::to_string).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.iter().all(|call| !call.actions.is_empty()));
    }
}
