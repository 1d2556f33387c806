//! Attributes of the session preferences of a region.

use crate::model::call::{self, Call};
use crate::model::fact::Fact;
use crate::model::ids::Link;
use crate::model::inventory::{Described, Extent};
use crate::model::schema::attributes;
use crate::resource::bucket::schema::Bucket;
use crate::resource::key::schema::KmsKey;
use crate::resource::log_group::schema::LogGroup;
use crate::resource::role::schema::Role;

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

impl Described for SessionPreferences {
    const FOUND_BY: Call = call::GET_DOCUMENT;
    const EXTENT: Extent = Extent::Regional;
    const TERRAFORM: &[&str] = &["aws_ssm_document"];
    const SECURITY_HUB: Option<&str> = None;
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
