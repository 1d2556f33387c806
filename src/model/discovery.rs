//! Which calls lead to which resources: what else a call needs, and what may be missing when one fails.
//! One table each, read by the live source, by whoever derives the calls of a set of rules, and by tests.

use super::call::{self, Call, Needs};
use super::ids::Region;
use super::inventory::{Extent, ResourceType};

/// The types of which resources may exist unseen when this call fails, is cut short, or gives a
/// reference that cannot be read. What the call describes of resources whose key is known already is
/// not here: those resources stay in the inventory, with unknown facts.
pub fn leads_to(call: &Call) -> &'static [ResourceType] {
    use ResourceType::{
        Bucket, Instance, InstanceProfile, KmsKey, LogGroup, ManagedInstance, ManagedPolicy, PrefixList, Role,
        SecurityGroup, Volume, VpcEndpoint,
    };
    static LEADS_TO: &[(&Call, &[ResourceType])] = &[
        (
            &call::DESCRIBE_INSTANCES,
            &[Instance, Volume, SecurityGroup, PrefixList, VpcEndpoint, InstanceProfile, Role, ManagedPolicy],
        ),
        // Not KmsKey: the keys of root volumes are not judged, so none of their verdicts can go missing.
        (&call::DESCRIBE_VOLUMES, &[]),
        (&call::DESCRIBE_SECURITY_GROUPS, &[PrefixList]),
        (&call::DESCRIBE_VPC_ENDPOINTS, &[VpcEndpoint]),
        (&call::GET_INSTANCE_PROFILE, &[Role, ManagedPolicy]),
        (&call::GET_SERVICE_SETTING, &[Role, ManagedPolicy]),
        (&call::DESCRIBE_INSTANCE_INFORMATION, &[ManagedInstance, Role, ManagedPolicy]),
        (&call::GET_ROLE, &[ManagedPolicy]),
        (&call::LIST_ATTACHED_ROLE_POLICIES, &[ManagedPolicy]),
        (&call::GET_DOCUMENT, &[LogGroup, Bucket, KmsKey]),
        (&call::DESCRIBE_LOG_GROUPS, &[KmsKey]),
        (&call::GET_BUCKET_ENCRYPTION, &[KmsKey]),
    ];
    LEADS_TO.iter().find(|(known, _)| *known == call).map_or(&[], |(_, types)| types)
}

/// The calls without which this one has nothing to ask about, or gives less than its attributes say.
pub fn prerequisites(call: &Call) -> &'static [&'static Call] {
    PREREQUISITES.iter().find(|(known, _)| *known == call).map_or(&[], |(_, calls)| calls)
}

static PREREQUISITES: &[(&Call, &[&Call])] = &[
    (&call::DESCRIBE_VOLUMES, &[&call::DESCRIBE_INSTANCES]),
    (&call::DESCRIBE_SECURITY_GROUPS, &[&call::DESCRIBE_INSTANCES]),
    (&call::DESCRIBE_VPC_ENDPOINTS, &[&call::DESCRIBE_INSTANCES]),
    (&call::DESCRIBE_NETWORK_INTERFACES, &[&call::DESCRIBE_VPC_ENDPOINTS]),
    (&call::GET_MANAGED_PREFIX_LIST_ENTRIES, &[&call::DESCRIBE_SECURITY_GROUPS]),
    (&call::GET_INSTANCE_PROFILE, &[&call::DESCRIBE_INSTANCES]),
    (&call::GET_ROLE, ROLES),
    (&call::LIST_ATTACHED_ROLE_POLICIES, ROLES),
    (
        &call::LIST_ROLE_POLICIES,
        &[
            &call::GET_INSTANCE_PROFILE,
            &call::GET_SERVICE_SETTING,
            &call::DESCRIBE_INSTANCE_INFORMATION,
            &call::GET_ROLE,
            &call::GET_ROLE_POLICY,
        ],
    ),
    (&call::GET_ROLE_POLICY, &[&call::LIST_ROLE_POLICIES]),
    (&call::GET_POLICY, &[&call::LIST_ATTACHED_ROLE_POLICIES, &call::GET_ROLE]),
    (&call::GET_POLICY_VERSION, &[&call::GET_POLICY]),
    (&call::DESCRIBE_LOG_GROUPS, &[&call::GET_DOCUMENT]),
    (&call::HEAD_BUCKET, &[&call::GET_DOCUMENT]),
    (&call::LIST_BUCKETS, &[&call::HEAD_BUCKET]),
    (&call::GET_BUCKET_POLICY, &[&call::HEAD_BUCKET, &call::LIST_BUCKETS]),
    (&call::GET_BUCKET_OWNERSHIP_CONTROLS, &[&call::HEAD_BUCKET, &call::LIST_BUCKETS]),
    (&call::DESCRIBE_ORGANIZATION, &[&call::GET_BUCKET_POLICY]),
    (&call::GET_OBJECT_LOCK_CONFIGURATION, &[&call::HEAD_BUCKET, &call::LIST_BUCKETS]),
    (&call::GET_BUCKET_ENCRYPTION, &[&call::HEAD_BUCKET, &call::LIST_BUCKETS]),
    (&call::GET_BUCKET_TAGGING, &[&call::HEAD_BUCKET, &call::LIST_BUCKETS]),
    (&call::GET_BUCKET_LOGGING, &[&call::HEAD_BUCKET, &call::LIST_BUCKETS]),
    (
        &call::DESCRIBE_KEY,
        &[&call::GET_DOCUMENT, &call::DESCRIBE_LOG_GROUPS, &call::HEAD_BUCKET, &call::GET_BUCKET_ENCRYPTION],
    ),
    (&call::GET_KEY_ROTATION_STATUS, &[&call::DESCRIBE_KEY]),
    (&call::GET_KEY_POLICY, &[&call::DESCRIBE_KEY]),
];

/// The calls that lead to roles.
static ROLES: &[&Call] =
    &[&call::GET_INSTANCE_PROFILE, &call::GET_SERVICE_SETTING, &call::DESCRIBE_INSTANCE_INFORMATION, &call::GET_ROLE];

impl ResourceType {
    /// Returns `true` if resources of this type are known by region and id.
    pub fn is_regional(self) -> bool {
        self.extent() == Extent::Regional
    }

    /// Returns `true` if resources of this type have no region.
    pub fn is_global(self) -> bool {
        self.extent() == Extent::Global
    }

    /// The region under which it is said that resources of this type could not be listed.
    pub fn region_unlisted(self, region: Option<&Region>) -> Option<Region> {
        if self.is_global() { None } else { region.cloned() }
    }
}

impl Needs {
    /// These calls with all that they need to be asked at all.
    #[must_use]
    pub fn with_prerequisites(mut self) -> Self {
        let mut open: Vec<Call> = self.calls().copied().collect();
        while let Some(call) = open.pop() {
            for needed in prerequisites(&call) {
                if !self.wants(needed) {
                    self.add_call(**needed);
                    open.push(**needed);
                }
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_starts_from_one_that_needs_no_other() {
        let roots: Vec<String> =
            call::ALL.iter().filter(|call| prerequisites(call).is_empty()).map(ToString::to_string).collect();
        assert_eq!(
            roots,
            [
                "ec2:DescribeRegions",
                "ec2:DescribeInstances",
                "ssm:GetDocument",
                "ssm:GetServiceSetting",
                "ssm:DescribeInstanceInformation"
            ]
        );
    }

    #[test]
    fn what_leads_to_a_type_is_needed_by_the_calls_that_describe_it() {
        let needs: Needs = [call::GET_POLICY_VERSION].into_iter().collect();
        let needs = needs.with_prerequisites();
        for leading in call::ALL.iter().filter(|call| leads_to(call).contains(&ResourceType::ManagedPolicy)) {
            assert!(needs.wants(leading), "{leading}");
        }
        let needs: Needs = [call::GET_KEY_POLICY].into_iter().collect();
        let needs = needs.with_prerequisites();
        for leading in call::ALL.iter().filter(|call| leads_to(call).contains(&ResourceType::KmsKey)) {
            assert!(needs.wants(leading), "{leading}");
        }
    }
}
