//! AWS-managed policies, for code: a live account tells them itself. Those that belong to Session Manager are as AWS
//! publishes them, <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html>. Of others, the
//! 49 that code attaches most often to roles of instances are known in the partition `aws`: 196 KiB, which
//! `managed/renew.py` renews. AWS may change policies at any time, so these have a date.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::arn::Arn;
use super::document::PolicyDocument;

/// The partitions in which these policies exist.
const PARTITIONS: [&str; 3] = ["aws", "aws-cn", "aws-us-gov"];

/// Path and name, and the document in the partition `aws`.
const POLICIES: [(&str, &str); 7] = [
    ("AmazonSSMManagedInstanceCore", include_str!("managed/AmazonSSMManagedInstanceCore.json")),
    ("AmazonSSMManagedEC2InstanceDefaultPolicy", include_str!("managed/AmazonSSMManagedEC2InstanceDefaultPolicy.json")),
    ("CloudWatchLogsFullAccess", include_str!("managed/CloudWatchLogsFullAccess.json")),
    ("CloudWatchAgentServerPolicy", include_str!("managed/CloudWatchAgentServerPolicy.json")),
    ("AmazonSSMPatchAssociation", include_str!("managed/AmazonSSMPatchAssociation.json")),
    ("AmazonSSMDirectoryServiceAccess", include_str!("managed/AmazonSSMDirectoryServiceAccess.json")),
    ("service-role/AmazonEC2RoleforSSM", include_str!("managed/AmazonEC2RoleforSSM.json")),
];

struct Managed {
    partition: &'static str,
    name: &'static str,
    document: PolicyDocument,
}

static MANAGED: LazyLock<Vec<Managed>> = LazyLock::new(|| {
    let read = |partition, name, text: &str| {
        // The other partitions have the same policies, with their own ARNs.
        let text = text.replace("\"arn:aws:", &format!("\"arn:{partition}:"));
        let document = PolicyDocument::from_json(&text).ok()?;
        Some(Managed { partition, name, document })
    };
    PARTITIONS.iter().flat_map(|partition| POLICIES.map(|(name, text)| read(partition, name, text))).flatten().collect()
});

/// Policies that do not belong to Session Manager, as they were on a day.
#[derive(Default)]
struct Common {
    as_of: String,
    policies: BTreeMap<String, PolicyDocument>,
}

#[derive(Deserialize)]
struct WrittenCommon {
    as_of: String,
    policies: BTreeMap<String, serde_json::Value>,
}

static COMMON: LazyLock<Common> = LazyLock::new(|| {
    // A test reads it: it is part of the program.
    let Ok(written) = serde_json::from_str::<WrittenCommon>(include_str!("managed/common.json")) else {
        return Common::default();
    };
    let policies = written.policies.into_iter();
    let policies = policies.filter_map(|(name, document)| Some((name, PolicyDocument::from_value(document).ok()?)));
    Common { as_of: written.as_of, policies: policies.collect() }
});

/// An AWS-managed policy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Known {
    /// What it says.
    pub document: &'static PolicyDocument,
    /// The day on which it said so; none for those that belong to Session Manager.
    pub as_of: Option<&'static str>,
}

/// Returns an AWS-managed policy by its ARN; none where it is not one of those known here.
#[must_use]
pub fn find(arn: &str) -> Option<Known> {
    let parts = Arn::parse(arn)?;
    if (parts.service, parts.account) != ("iam", "aws") {
        return None;
    }
    let name = parts.resource.strip_prefix("policy/")?;
    let own = MANAGED.iter().find(|managed| managed.name == name && managed.partition == parts.partition);
    if let Some(own) = own {
        return Some(Known { document: &own.document, as_of: None });
    }
    let common = (parts.partition == PARTITIONS[0]).then(|| COMMON.policies.get(name)).flatten()?;
    Some(Known { document: common, as_of: Some(&COMMON.as_of) })
}

/// Returns the document of an AWS-managed policy, by its ARN; none where it is not one of those known here.
#[must_use]
pub fn document(arn: &str) -> Option<&'static PolicyDocument> {
    find(arn).map(|known| known.document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_reads_in_every_partition() {
        for partition in PARTITIONS {
            for (name, _) in POLICIES {
                let arn = format!("arn:{partition}:iam::aws:policy/{name}");
                let document = document(&arn).expect(&arn);
                let json = document.as_value().to_string();
                let arns = json.matches("\"arn:").count();
                let own = json.matches(&format!("\"arn:{partition}:")).count();
                assert_eq!(arns, own, "{arn}");
            }
        }
    }

    #[test]
    fn common_policies_read_and_have_a_date() {
        let written: WrittenCommon = serde_json::from_str(include_str!("managed/common.json")).expect("JSON");
        assert_eq!(COMMON.policies.len(), written.policies.len());
        for name in ["ReadOnlyAccess", "AdministratorAccess", "service-role/AmazonEC2ContainerServiceforEC2Role"] {
            let known = find(&format!("arn:aws:iam::aws:policy/{name}")).expect(name);
            assert_eq!(known.as_of, Some(&*written.as_of));
        }
        assert_eq!(find("arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore").expect("it").as_of, None);
    }

    #[test]
    fn other_policies_are_not_known() {
        for arn in [
            "arn:aws:iam::aws:policy/AmazonBraketFullAccess",
            "arn:aws-cn:iam::aws:policy/AdministratorAccess",
            "arn:aws:iam::aws:policy/AmazonEC2RoleforSSM",
            "arn:aws:iam::111122223333:policy/AmazonSSMManagedInstanceCore",
            "AmazonSSMManagedInstanceCore",
        ] {
            assert_eq!(document(arn), None, "{arn}");
        }
    }
}
