//! Systems Manager: the session preferences of a region, and the nodes that are registered in it.

use super::ec2::Instance;
use super::fact::Fact;
use super::iam::Role;
use super::ids::Link;
use super::kms::KmsKey;
use super::logs::LogGroup;
use super::s3::Bucket;
use super::schema::attributes;

/// The document that holds the session preferences of a region.
pub const PREFERENCES_DOCUMENT: &str = "SSM-SessionManagerRunShell";

/// Returns the pattern of the objects that the agent uploads to a bucket, by the ARN of the bucket and `s3KeyPrefix`.
#[must_use]
pub fn uploads(bucket_arn: &str, prefix: Option<&str>) -> String {
    match upload_prefix(prefix.unwrap_or_default()).as_str() {
        "" => format!("{bucket_arn}/*"),
        prefix => format!("{bucket_arn}/{}/*", prefix.trim_end_matches('/')),
    }
}

/// Returns the prefix under which the agent uploads logs for this `s3KeyPrefix`, without a slash at its end; empty for
/// none. The agent cleans the path, as Go's `path.Join` does: `logs//ssm/` is `logs/ssm`.
/// <https://github.com/aws/amazon-ssm-agent/blob/mainline/agent/fileutil/fileutil.go>
#[must_use]
pub fn upload_prefix(prefix: &str) -> String {
    let rooted = prefix.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in prefix.split('/') {
        match (part, parts.last()) {
            ("" | ".", _) => {}
            ("..", Some(last)) if *last != ".." => drop(parts.pop()),
            ("..", _) if rooted => {}
            (part, _) => parts.push(part),
        }
    }
    format!("{}{}", if rooted { "/" } else { "" }, parts.join("/"))
}

attributes! {
    /// The session preferences of a region: the document `SSM-SessionManagerRunShell`, whether or not it exists.
    pub struct SessionPreferences {
        /// Its ARN.
        arn: String = GET_DOCUMENT,
        /// Whether the document exists. Without it, sessions run with AWS's defaults and are not logged.
        document_exists: bool = GET_DOCUMENT,
        /// Whether the region has EC2 instances or registered nodes.
        has_nodes: bool = DESCRIBE_INSTANCES | DESCRIBE_INSTANCE_INFORMATION,
        /// The type of the document: `Session` is that of session preferences.
        document_type: Option<String> = GET_DOCUMENT,
        /// The document's `schemaVersion`.
        schema_version: Option<String> = GET_DOCUMENT,
        /// The document's `sessionType`.
        session_type: Option<String> = GET_DOCUMENT,
        /// The version that is the default.
        default_version: Option<String> = GET_DOCUMENT,
        /// The newest version.
        latest_version: Option<String> = GET_DOCUMENT,
        /// What is wrong with the document's form: content that is not a JSON object, members and inputs that no such
        /// document has, and inputs of a wrong type.
        problems: Vec<String> = GET_DOCUMENT,
        /// The document's `inputs`.
        inputs: SessionInputs = GET_DOCUMENT,
        /// The bucket that session logs go to.
        s3_bucket: Option<Link<Bucket>> = GET_DOCUMENT,
        /// The log group that session logs go to.
        log_group: Option<Link<LogGroup>> = GET_DOCUMENT,
        /// The key that encrypts sessions.
        kms_key: Option<Link<KmsKey>> = GET_DOCUMENT,
        /// The role that default host management names for the region's instances, where it is on.
        default_host_management_role: Option<Link<Role>> = GET_SERVICE_SETTING,
        /// The roles that agents on nodes in the region use: of instance profiles, of default host management, of hybrid
        /// nodes.
        roles: Vec<Link<Role>> = DESCRIBE_INSTANCES | GET_INSTANCE_PROFILE | GET_SERVICE_SETTING | DESCRIBE_INSTANCE_INFORMATION | GET_ROLE | LIST_ATTACHED_ROLE_POLICIES | LIST_ROLE_POLICIES | GET_ROLE_POLICY | GET_POLICY | GET_POLICY_VERSION,
    }
}

attributes! {
    /// The inputs of the session preferences, by their names in snake case. Empty texts count as absent.
    /// <https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-schema.html>
    pub struct SessionInputs {
        /// `s3BucketName`
        s3_bucket_name: Option<String>,
        /// `s3KeyPrefix`
        s3_key_prefix: Option<String>,
        /// `s3EncryptionEnabled`
        s3_encryption_enabled: Option<bool>,
        /// `cloudWatchLogGroupName`
        cloud_watch_log_group_name: Option<String>,
        /// `cloudWatchEncryptionEnabled`
        cloud_watch_encryption_enabled: Option<bool>,
        /// `cloudWatchStreamingEnabled`
        cloud_watch_streaming_enabled: Option<bool>,
        /// `kmsKeyId`
        kms_key_id: Option<String>,
        /// `runAsEnabled`
        run_as_enabled: Option<bool>,
        /// `runAsDefaultUser`
        run_as_default_user: Option<String>,
        /// `idleSessionTimeout`, in minutes (a text in the document)
        idle_session_timeout: Option<i64>,
        /// `maxSessionDuration`, in minutes (a text in the document)
        max_session_duration: Option<i64>,
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_cleaned_as_the_agent_cleans_them() {
        for (prefix, under) in [
            ("", ""),
            ("logs", "logs"),
            ("logs/", "logs"),
            ("logs//ssm", "logs/ssm"),
            ("./logs/./ssm//", "logs/ssm"),
            ("logs/../ssm", "ssm"),
            ("../logs", "../logs"),
            ("/logs/", "/logs"),
            ("/../logs", "/logs"),
            ("/", "/"),
        ] {
            assert_eq!(upload_prefix(prefix), under, "{prefix:?}");
        }
    }
}
