//! The contents of the AWS-managed policies that belong to Session Manager, for code: a live account
//! tells them itself. As AWS publishes them,
//! <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html>; AWS may
//! change them at any time.

use super::document::PolicyDocument;
use super::principal::Arn;
use std::sync::LazyLock;

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

/// The document of an AWS-managed policy, by its ARN; none where it is not one of those known here.
#[must_use]
pub fn document(arn: &str) -> Option<&'static PolicyDocument> {
    let parts = Arn::parse(arn)?;
    if (parts.service, parts.account) != ("iam", "aws") {
        return None;
    }
    let name = parts.resource.strip_prefix("policy/")?;
    MANAGED
        .iter()
        .find(|managed| managed.name == name && managed.partition == parts.partition)
        .map(|managed| &managed.document)
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
    fn other_policies_are_not_known() {
        for arn in [
            "arn:aws:iam::aws:policy/AdministratorAccess",
            "arn:aws:iam::aws:policy/AmazonEC2RoleforSSM",
            "arn:aws:iam::111122223333:policy/AmazonSSMManagedInstanceCore",
            "AmazonSSMManagedInstanceCore",
        ] {
            assert_eq!(document(arn), None, "{arn}");
        }
    }
}
