//! Effects of calls, read from their parameters: the aspect that a call changes, the state that it needs and the state
//! that it leads to. A saved plan is held to them: a step that shows something else than its call does is refused.

use serde_json::{Map, Value as Json, json};

use super::observed::{AspectKind, KEY_MADE_BY as MADE_BY, canonical};
use super::operation::{Ec2Tag, IpPermission, Operation, TagSpecification};
use super::step_output::{Part, Reference, Text};
use crate::resource::security_group::fix_rule::{Way, rules_of};

/// What a call does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Effect {
    /// What of the resource it changes.
    pub(crate) of: AspectKind,
    /// The id of the resource; none where the parameters do not say.
    pub(crate) id: Option<Text>,
    /// The part of it.
    pub(crate) part: Option<String>,
    /// Members of the state that the call takes away, where the parameters say so.
    pub(crate) from: Option<Json>,
    /// The state that it leads to; none where the parameters do not say.
    pub(crate) after: Option<Json>,
    /// Parameters that say more than the resource, the part and the states.
    pub(crate) beside: &'static [&'static str],
}

impl Effect {
    fn of(of: AspectKind, id: impl Into<Text>, after: Json) -> Self {
        Self { of, id: Some(id.into()), part: None, from: None, after: Some(after), beside: &[] }
    }

    fn part(self, part: &str) -> Self {
        Self { part: Some(part.to_owned()), ..self }
    }

    fn from(self, from: Json) -> Self {
        Self { from: Some(from), ..self }
    }

    fn beside(self, beside: &'static [&'static str]) -> Self {
        Self { beside, ..self }
    }
}

/// A text with its references as words that stand nowhere in its plain parts: equal texts have equal words.
pub(crate) fn words(text: &Text) -> String {
    let plain = |word: &str| text.parts().iter().any(|part| matches!(part, Part::Plain(text) if text.contains(word)));
    let mut mark = "reference".to_owned();
    while plain(&mark) {
        mark.push('_');
    }
    let parts = text.parts().iter().map(|part| match part {
        Part::Plain(text) => text.clone(),
        Part::Made(Reference { step, member }) => format!("<{mark} {step} {}>", member.escape_default()),
    });
    parts.collect()
}

/// A document in the form in which states have it.
fn document(text: &Text) -> Json {
    json!({"Document": canonical(&words(text))})
}

fn plain(text: &str) -> Json {
    document(&text.into())
}

/// The value of the tag that something is found by.
fn mark<'t>(tags: impl IntoIterator<Item = (&'t String, &'t String)>) -> String {
    let mut values = tags.into_iter().filter(|(key, _)| *key == MADE_BY).map(|(_, value)| value.clone());
    values.next().unwrap_or_default()
}

fn ec2_mark(specifications: &[TagSpecification]) -> String {
    let tags = specifications.iter().flat_map(|specification| &specification.tags);
    mark(tags.map(|Ec2Tag { key, value }| (key, value)))
}

/// What a plan makes for an instance.
fn made_for(of: AspectKind, specifications: &[TagSpecification], after: Json) -> Effect {
    let mark = ec2_mark(specifications);
    let (plan, instance) = mark.split_once('/').unwrap_or_default();
    Effect::of(of, instance, after).part(plan)
}

fn rules(of: AspectKind, group: &str, permissions: &[IpPermission], there: bool) -> Effect {
    let way = if of == AspectKind::SecurityGroupEgress { Way::Out } else { Way::In };
    let rules = rules_of(permissions, way);
    let described: Map<String, Json> =
        rules.iter().map(|(words, rule)| (words.clone(), json!({"Description": rule.description}))).collect();
    let absent = rules.keys().map(|words| (words.clone(), Json::Null)).collect();
    if there {
        Effect::of(of, group, Json::Object(described))
    } else {
        Effect::of(of, group, Json::Object(absent)).from(Json::Object(described))
    }
}

fn first(ids: &[String]) -> &str {
    if let [id] = ids { id } else { "" }
}

impl Operation {
    /// What the call does, by its parameters.
    #[expect(clippy::too_many_lines, reason = "a table of all operations")]
    pub(crate) fn effect(&self) -> Effect {
        use AspectKind as K;
        match self {
            Self::AddRoleToInstanceProfile(call) => {
                Effect::of(K::ProfileRole, call.instance_profile_name.as_str(), json!({"RoleName": call.role_name}))
            }
            Self::RemoveRoleFromInstanceProfile(call) => {
                Effect::of(K::ProfileRole, call.instance_profile_name.as_str(), Json::Null)
                    .from(json!({"RoleName": call.role_name}))
            }
            Self::AssociateIamInstanceProfile(call) => {
                let after = json!({"Name": call.iam_instance_profile.name});
                Effect::of(K::InstanceProfile, call.instance_id.as_str(), after)
            }
            Self::DisassociateIamInstanceProfile(call) => {
                Effect::of(K::InstanceProfile, call.association_id.clone(), Json::Null)
            }
            Self::AssociateKmsKey(call) => {
                let after = json!({"KmsKeyId": words(&call.kms_key_id)});
                Effect::of(K::LogGroupKey, call.log_group_name.as_str(), after)
            }
            Self::DisassociateKmsKey(call) => {
                Effect::of(K::LogGroupKey, call.log_group_name.as_str(), json!({"KmsKeyId": null}))
            }
            Self::AttachRolePolicy(call) => {
                let after = json!({"PolicyArn": call.policy_arn});
                Effect::of(K::RoleAttachment, call.role_name.as_str(), after).part(&call.policy_arn)
            }
            Self::DetachRolePolicy(call) => {
                Effect::of(K::RoleAttachment, call.role_name.as_str(), Json::Null).part(&call.policy_arn)
            }
            Self::AttachVolume(call) => {
                let after = json!({"VolumeId": words(&call.volume_id), "State": "attached"});
                Effect::of(K::InstanceDevice, call.instance_id.as_str(), after).part(&call.device)
            }
            Self::DetachVolume(call) => {
                Effect::of(K::InstanceDevice, call.instance_id.as_str(), json!({"VolumeId": null}))
                    .part(&call.device)
                    .from(json!({"VolumeId": words(&call.volume_id)}))
            }
            Self::AuthorizeSecurityGroupEgress(call) => {
                rules(K::SecurityGroupEgress, &call.group_id, &call.ip_permissions, true)
            }
            Self::AuthorizeSecurityGroupIngress(call) => {
                rules(K::SecurityGroupIngress, &call.group_id, &call.ip_permissions, true)
            }
            Self::RevokeSecurityGroupEgress(call) => {
                rules(K::SecurityGroupEgress, &call.group_id, &call.ip_permissions, false)
            }
            Self::RevokeSecurityGroupIngress(call) => {
                rules(K::SecurityGroupIngress, &call.group_id, &call.ip_permissions, false)
            }
            Self::UpdateSecurityGroupRuleDescriptionsEgress(call) => {
                rules(K::SecurityGroupEgress, &call.group_id, &call.ip_permissions, true)
            }
            Self::UpdateSecurityGroupRuleDescriptionsIngress(call) => {
                rules(K::SecurityGroupIngress, &call.group_id, &call.ip_permissions, true)
            }
            Self::CancelKeyDeletion(call) => Effect::of(K::KeyState, call.key_id.as_str(), "Disabled".into()),
            Self::EnableKey(call) => Effect::of(K::KeyState, call.key_id.as_str(), "Enabled".into()),
            Self::DisableKey(call) => Effect::of(K::KeyState, call.key_id.as_str(), "Disabled".into()),
            Self::CreateAlias(call) => {
                let after = json!({"KeyId": words(&call.target_key_id)});
                Effect::of(K::KeyAlias, call.alias_name.as_str(), after)
            }
            Self::DeleteAlias(call) => Effect::of(K::KeyAlias, call.alias_name.as_str(), Json::Null),
            Self::CreateKey(call) => {
                let mark = mark(call.tags.iter().map(|tag| (&tag.tag_key, &tag.tag_value)));
                let alias = mark.splitn(3, '/').nth(2).unwrap_or_default();
                Effect::of(K::KeyMade, alias, json!({"KeyState": "Enabled"})).part(&mark).beside(&[
                    "Description",
                    "Policy",
                    "Tags",
                ])
            }
            Self::ScheduleKeyDeletion(call) => {
                Effect::of(K::KeyMade, call.key_id.clone(), Json::Null).beside(&["PendingWindowInDays"])
            }
            Self::EnableKeyRotation(call) => Effect::of(K::KeyRotation, call.key_id.clone(), true.into()),
            Self::DisableKeyRotation(call) => Effect::of(K::KeyRotation, call.key_id.clone(), false.into()),
            Self::PutKeyPolicy(call) => Effect::of(K::KeyPolicy, call.key_id.as_str(), plain(&call.policy)),
            Self::CreateBucket(call) => Effect::of(K::Bucket, call.bucket.as_str(), json!({}))
                .beside(&["CreateBucketConfiguration", "ObjectLockEnabledForBucket"]),
            Self::DeleteBucket(call) => Effect::of(K::Bucket, call.bucket.as_str(), Json::Null),
            Self::PutBucketEncryption(call) => {
                let rules = &call.server_side_encryption_configuration.rules;
                let after = match rules.as_slice() {
                    [rule] => rule.state(),
                    _ => Json::Null,
                };
                Effect::of(K::BucketEncryption, call.bucket.as_str(), after)
            }
            Self::DeleteBucketEncryption(call) => {
                Effect::of(K::BucketEncryption, call.bucket.as_str(), json!({"SSEAlgorithm": null}))
            }
            Self::PutBucketVersioning(call) => {
                let after = json!({"Status": call.versioning_configuration.status});
                Effect::of(K::BucketVersioning, call.bucket.as_str(), after)
            }
            Self::PutObjectLockConfiguration(call) => {
                let after = json!({"ObjectLockEnabled": call.object_lock_configuration.object_lock_enabled});
                Effect::of(K::BucketObjectLock, call.bucket.as_str(), after)
            }
            Self::PutBucketTagging(call) => {
                let tags = call.tagging.tag_set.iter().map(|tag| json!({"Key": tag.key, "Value": tag.value}));
                Effect::of(K::BucketTags, call.bucket.as_str(), tags.collect())
            }
            Self::DeleteBucketTagging(call) => Effect::of(K::BucketTags, call.bucket.as_str(), json!([])),
            Self::PutBucketLogging(call) => {
                let target = call.bucket_logging_status.logging_enabled.as_ref();
                let after = json!({
                    "TargetBucket": target.map(|target| &target.target_bucket),
                    "TargetPrefix": target.map(|target| &target.target_prefix),
                });
                Effect::of(K::BucketLogging, call.bucket.as_str(), after)
            }
            Self::CreateDocument(call) => Effect::of(K::PreferencesLatest, call.name.as_str(), document(&call.content))
                .beside(&["DocumentType", "DocumentFormat", "Tags"]),
            Self::UpdateDocument(call) => Effect::of(K::PreferencesLatest, call.name.as_str(), document(&call.content))
                .beside(&["DocumentVersion", "DocumentFormat"]),
            Self::UpdateDocumentDefaultVersion(call) => {
                let after = json!({"Version": words(&call.document_version)});
                Effect::of(K::PreferencesDefault, call.name.as_str(), after)
            }
            Self::DeleteDocument(call) => {
                let effect = Effect::of(K::PreferencesLatest, call.name.as_str(), Json::Null);
                match &call.document_version {
                    None => effect,
                    Some(version) => Effect { after: None, ..effect }.from(json!({"Version": words(version)})),
                }
            }
            Self::CreateInstanceProfile(call) => {
                Effect::of(K::Profile, call.instance_profile_name.as_str(), json!({})).beside(&["Tags"])
            }
            Self::DeleteInstanceProfile(call) => {
                Effect::of(K::Profile, call.instance_profile_name.as_str(), Json::Null)
            }
            Self::CreateLogGroup(call) => {
                Effect::of(K::LogGroup, call.log_group_name.as_str(), json!({"Name": call.log_group_name}))
                    .beside(&["kmsKeyId", "tags"])
            }
            Self::DeleteLogGroup(call) => Effect::of(K::LogGroup, call.log_group_name.as_str(), Json::Null),
            Self::PutRetentionPolicy(call) => {
                let after = json!({"RetentionInDays": call.retention_in_days});
                Effect::of(K::LogGroupRetention, call.log_group_name.as_str(), after)
            }
            Self::DeleteRetentionPolicy(call) => {
                Effect::of(K::LogGroupRetention, call.log_group_name.as_str(), json!({"RetentionInDays": null}))
            }
            Self::CreateRole(call) => Effect::of(K::Role, call.role_name.as_str(), json!({})).beside(&[
                "Description",
                "AssumeRolePolicyDocument",
                "Tags",
            ]),
            Self::DeleteRole(call) => Effect::of(K::Role, call.role_name.as_str(), Json::Null),
            Self::UpdateAssumeRolePolicy(call) => {
                Effect::of(K::RoleTrust, call.role_name.as_str(), plain(&call.policy_document))
            }
            Self::PutRolePolicy(call) => {
                Effect::of(K::RolePolicy, call.role_name.as_str(), document(&call.policy_document))
                    .part(&call.policy_name)
            }
            Self::DeleteRolePolicy(call) => {
                Effect::of(K::RolePolicy, call.role_name.as_str(), Json::Null).part(&call.policy_name)
            }
            Self::CreateSnapshot(call) => {
                let after = json!({"VolumeId": call.volume_id, "State": "completed"});
                made_for(K::RootSnapshot, &call.tag_specifications, after).beside(&["Description", "TagSpecifications"])
            }
            Self::DeleteSnapshot(call) => Effect::of(K::RootSnapshot, call.snapshot_id.clone(), Json::Null),
            Self::CreateVolume(call) => {
                let mut after = json!({
                    "State": "available",
                    "Encrypted": call.encrypted,
                    "AvailabilityZone": call.availability_zone,
                    "Size": call.size,
                    "VolumeType": call.volume_type,
                });
                for (member, given) in [("Iops", call.iops), ("Throughput", call.throughput)] {
                    if let Some(given) = given {
                        after[member] = given.into();
                    }
                }
                if let Some(key) = &call.kms_key_id {
                    after["KmsKeyId"] = key.as_str().into();
                }
                made_for(K::RootVolumeMade, &call.tag_specifications, after).beside(&[
                    "SnapshotId",
                    "TagSpecifications",
                    "ClientToken",
                ])
            }
            Self::DeleteVolume(call) => Effect::of(K::RootVolumeMade, call.volume_id.clone(), Json::Null),
            Self::CreateTags(call) => {
                let tags: Map<String, Json> =
                    call.tags.iter().map(|tag| (tag.key.clone(), tag.value.as_str().into())).collect();
                Effect::of(K::InstanceTags, first(&call.resources), tags.into())
            }
            Self::DeleteTags(call) => {
                let absent = call.tags.iter().map(|tag| (tag.key.clone(), Json::Null)).collect();
                let there: Map<String, Json> =
                    call.tags.iter().map(|tag| (tag.key.clone(), tag.value.as_str().into())).collect();
                Effect::of(K::InstanceTags, first(&call.resources), Json::Object(absent)).from(there.into())
            }
            Self::ModifyInstanceMetadataOptions(call) => {
                let mut after = json!({"State": "applied"});
                let given = [
                    ("HttpTokens", call.http_tokens.as_deref().map(Json::from)),
                    ("HttpEndpoint", call.http_endpoint.as_deref().map(Json::from)),
                    ("HttpPutResponseHopLimit", call.http_put_response_hop_limit.map(Json::from)),
                    ("InstanceMetadataTags", call.instance_metadata_tags.as_deref().map(Json::from)),
                ];
                for (member, value) in given.into_iter().filter_map(|(member, value)| Some((member, value?))) {
                    after[member] = value;
                }
                Effect::of(K::InstanceMetadataOptions, call.instance_id.as_str(), after)
            }
            Self::MonitorInstances(call) => {
                Effect::of(K::InstanceMonitoring, first(&call.instance_ids), "enabled".into())
            }
            Self::UnmonitorInstances(call) => {
                Effect::of(K::InstanceMonitoring, first(&call.instance_ids), "disabled".into())
            }
            Self::StartInstances(call) => {
                Effect::of(K::InstanceState, first(&call.instance_ids), json!({"State": "running"}))
            }
            Self::StopInstances(call) => {
                Effect::of(K::InstanceState, first(&call.instance_ids), json!({"State": "stopped"}))
            }
            Self::ModifyInstanceAttribute(call) => {
                let (device, delete) = match call.block_device_mappings.as_slice() {
                    [mapping] => (mapping.device_name.as_str(), Some(mapping.ebs.delete_on_termination)),
                    _ => ("", None),
                };
                let after = json!({"DeleteOnTermination": delete});
                Effect::of(K::InstanceDevice, call.instance_id.as_str(), after).part(device)
            }
        }
    }

    /// The parameters that say more than the resource and the states of a step.
    pub(crate) fn beside(&self) -> Json {
        let beside = self.effect().beside;
        let mut shown = self.written_in_words();
        if let Json::Object(members) = &mut shown {
            members.retain(|name, _| beside.contains(&name.as_str()));
        }
        shown
    }
}
