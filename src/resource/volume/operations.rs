//! Operations on volumes and snapshots.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Operations_List_EBS.html>

use crate::remediate::operation::operation;
use crate::remediate::operation::parameter::part;
use crate::remediate::step_output::Text;
use crate::resource::instance::operations::Ec2Tag;

part! {
    /// Tags for what is made.
    TagSpecification => aws_sdk_ec2::types::TagSpecification {
        resource_type: String => set_resource_type,
        tags: Vec<Ec2Tag> => set_tags,
    }
}

operation! {
    /// Takes a snapshot of a volume.
    #[serde(rename_all = "PascalCase")]
    CreateSnapshot = ec2.create_snapshot, "ec2" "CreateSnapshot" ["ec2:CreateSnapshot", "ec2:CreateTags"] {
        volume_id: String => set_volume_id,
        description: String => set_description,
        tag_specifications: Vec<TagSpecification> => set_tag_specifications,
    } ; asked_by set_dry_run
}

operation! {
    /// Deletes a snapshot.
    #[serde(rename_all = "PascalCase")]
    DeleteSnapshot = ec2.delete_snapshot, "ec2" "DeleteSnapshot" ["ec2:DeleteSnapshot"] {
        snapshot_id: Text => set_snapshot_id,
    }
}

operation! {
    /// Makes a volume of a snapshot. The actions on the key are those that EC2 asks of who makes an encrypted volume:
    /// <https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html>
    #[serde(rename_all = "PascalCase")]
    CreateVolume = ec2.create_volume, "ec2" "CreateVolume" [
        "ec2:CreateVolume",
        "ec2:CreateTags",
        "kms:CreateGrant",
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo"
    ] {
        availability_zone: String => set_availability_zone,
        snapshot_id: Option<Text> => set_snapshot_id,
        size: Option<i32> => set_size,
        volume_type: String => set_volume_type,
        iops: Option<i32> => set_iops,
        throughput: Option<i32> => set_throughput,
        encrypted: bool => set_encrypted,
        kms_key_id: Option<String> => set_kms_key_id,
        tag_specifications: Vec<TagSpecification> => set_tag_specifications,
        client_token: String => set_client_token,
    } ; asked_by set_dry_run
}

operation! {
    /// Deletes a volume.
    #[serde(rename_all = "PascalCase")]
    DeleteVolume = ec2.delete_volume, "ec2" "DeleteVolume" ["ec2:DeleteVolume"] {
        volume_id: Text => set_volume_id,
    }
}

operation! {
    /// Attaches a volume to an instance.
    #[serde(rename_all = "PascalCase")]
    AttachVolume = ec2.attach_volume, "ec2" "AttachVolume" ["ec2:AttachVolume"] {
        instance_id: String => set_instance_id,
        device: String => set_device,
        volume_id: Text => set_volume_id,
    } ; asked_by set_dry_run
}

operation! {
    /// Detaches a volume from an instance.
    #[serde(rename_all = "PascalCase")]
    DetachVolume = ec2.detach_volume, "ec2" "DetachVolume" ["ec2:DetachVolume"] {
        instance_id: String => set_instance_id,
        device: String => set_device,
        volume_id: Text => set_volume_id,
    } ; asked_by set_dry_run
}
