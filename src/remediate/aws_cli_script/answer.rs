//! What the AWS CLI tells of what a call makes, and how it waits for it.

use crate::model::call::Call;
use crate::remediate::operation::Operation;

/// Operations, members of what is there after them, and where the answer has them.
const QUERIES: &[(&str, &str, &str)] = &[
    ("CreateKey", "KeyId", "KeyMetadata.KeyId"),
    ("CreateKey", "Arn", "KeyMetadata.Arn"),
    ("CreateDocument", "Version", "DocumentDescription.DocumentVersion"),
    ("UpdateDocument", "Version", "DocumentDescription.DocumentVersion"),
    ("AssociateIamInstanceProfile", "AssociationId", "IamInstanceProfileAssociation.AssociationId"),
    ("CreateSnapshot", "SnapshotId", "SnapshotId"),
    ("CreateVolume", "VolumeId", "VolumeId"),
];

/// The query that gives this member in the answer of this call.
pub(crate) fn query(call: &Call, member: &str) -> Option<&'static str> {
    let found = QUERIES.iter().find(|(operation, of, _)| *operation == call.operation && *of == member);
    found.map(|(.., query)| *query)
}

/// How the AWS CLI waits for what a call does.
pub(crate) struct Waiter {
    pub(crate) name: &'static str,
    /// The flag that takes what is waited for.
    pub(crate) flag: &'static str,
    /// The parameter of the call that has it.
    pub(crate) given: &'static str,
    /// The member of what the call makes that has it instead.
    pub(crate) made: Option<&'static str>,
}

const fn given(name: &'static str, flag: &'static str, given: &'static str) -> Waiter {
    Waiter { name, flag, given, made: None }
}

const fn made(name: &'static str, flag: &'static str, member: &'static str) -> Waiter {
    Waiter { name, flag, given: "", made: Some(member) }
}

/// Operations that are answered before they have taken effect.
/// <https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-wait.html>
const WAITERS: &[(&str, Waiter)] = &[
    ("AttachVolume", given("volume-in-use", "--volume-ids", "VolumeId")),
    ("CreateBucket", given("bucket-exists", "--bucket", "Bucket")),
    ("CreateInstanceProfile", given("instance-profile-exists", "--instance-profile-name", "InstanceProfileName")),
    ("CreateRole", given("role-exists", "--role-name", "RoleName")),
    ("CreateSnapshot", made("snapshot-completed", "--snapshot-ids", "SnapshotId")),
    ("CreateVolume", made("volume-available", "--volume-ids", "VolumeId")),
    ("DetachVolume", given("volume-available", "--volume-ids", "VolumeId")),
    ("StartInstances", given("instance-running", "--instance-ids", "InstanceIds")),
    ("StopInstances", given("instance-stopped", "--instance-ids", "InstanceIds")),
];

/// How this call is waited for; none where its answer says that it is done.
pub(super) fn waiter(call: &Operation) -> Option<&'static Waiter> {
    WAITERS.iter().find(|(operation, _)| *operation == call.call().operation).map(|(_, waiter)| waiter)
}
