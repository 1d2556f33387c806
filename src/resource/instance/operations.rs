//! Operations on instances. <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Operations.html>

use crate::remediate::operation::operation;
use crate::remediate::operation::parameter::part;
use crate::remediate::step_output::Text;

operation! {
    /// Changes how an instance's metadata service answers. What is not given stays.
    #[serde(rename_all = "PascalCase")]
    ModifyInstanceMetadataOptions = ec2.modify_instance_metadata_options,
        "ec2" "ModifyInstanceMetadataOptions" ["ec2:ModifyInstanceMetadataOptions"] {
        instance_id: String => set_instance_id,
        http_tokens: Option<String> => set_http_tokens,
        http_endpoint: Option<String> => set_http_endpoint,
        http_put_response_hop_limit: Option<i32> => set_http_put_response_hop_limit,
        instance_metadata_tags: Option<String> => set_instance_metadata_tags,
    }
}

operation! {
    /// Enables detailed monitoring.
    #[serde(rename_all = "PascalCase")]
    MonitorInstances = ec2.monitor_instances, "ec2" "MonitorInstances" ["ec2:MonitorInstances"] {
        instance_ids: Vec<String> => set_instance_ids,
    }
}

operation! {
    /// Disables detailed monitoring.
    #[serde(rename_all = "PascalCase")]
    UnmonitorInstances = ec2.unmonitor_instances, "ec2" "UnmonitorInstances" ["ec2:UnmonitorInstances"] {
        instance_ids: Vec<String> => set_instance_ids,
    }
}

part! {
    /// An instance profile, by its name.
    IamInstanceProfileSpecification => aws_sdk_ec2::types::IamInstanceProfileSpecification { name: String => set_name, }
}

operation! {
    /// Gives an instance without a profile one.
    #[serde(rename_all = "PascalCase")]
    AssociateIamInstanceProfile = ec2.associate_iam_instance_profile,
        "ec2" "AssociateIamInstanceProfile" ["ec2:AssociateIamInstanceProfile", "iam:PassRole"] {
        instance_id: String => set_instance_id,
        iam_instance_profile: IamInstanceProfileSpecification => set_iam_instance_profile,
    }
}

operation! {
    /// Takes its profile from an instance.
    #[serde(rename_all = "PascalCase")]
    DisassociateIamInstanceProfile = ec2.disassociate_iam_instance_profile,
        "ec2" "DisassociateIamInstanceProfile" ["ec2:DisassociateIamInstanceProfile"] {
        association_id: Text => set_association_id,
    }
}

part! {
    /// A tag, as EC2 has it.
    Ec2Tag => aws_sdk_ec2::types::Tag { key: String => set_key, value: String => set_value, }
}

operation! {
    /// Adds tags, or gives those that are there these values.
    #[serde(rename_all = "PascalCase")]
    CreateTags = ec2.create_tags, "ec2" "CreateTags" ["ec2:CreateTags"] {
        resources: Vec<String> => set_resources,
        tags: Vec<Ec2Tag> => set_tags,
    }
}

operation! {
    /// Takes tags away that have these values.
    #[serde(rename_all = "PascalCase")]
    DeleteTags = ec2.delete_tags, "ec2" "DeleteTags" ["ec2:DeleteTags"] {
        resources: Vec<String> => set_resources,
        tags: Vec<Ec2Tag> => set_tags,
    }
}

operation! {
    /// Stops instances.
    #[serde(rename_all = "PascalCase")]
    StopInstances = ec2.stop_instances, "ec2" "StopInstances" ["ec2:StopInstances"] {
        instance_ids: Vec<String> => set_instance_ids,
    } ; asked_by set_dry_run
}

operation! {
    /// Starts instances; EC2 has a volume's key used for them by a grant.
    #[serde(rename_all = "PascalCase")]
    StartInstances = ec2.start_instances, "ec2" "StartInstances" ["ec2:StartInstances", "kms:CreateGrant"] {
        instance_ids: Vec<String> => set_instance_ids,
    } ; asked_by set_dry_run
}

part! {
    /// What becomes of a volume when its instance is terminated.
    EbsInstanceBlockDeviceSpecification => aws_sdk_ec2::types::EbsInstanceBlockDeviceSpecification {
        delete_on_termination: bool => set_delete_on_termination,
    }
}

part! {
    /// A device of an instance.
    InstanceBlockDeviceMappingSpecification => aws_sdk_ec2::types::InstanceBlockDeviceMappingSpecification {
        device_name: String => set_device_name,
        ebs: EbsInstanceBlockDeviceSpecification => set_ebs,
    }
}

operation! {
    /// Changes what becomes of an instance's volumes when it is terminated.
    #[serde(rename_all = "PascalCase")]
    ModifyInstanceAttribute = ec2.modify_instance_attribute,
        "ec2" "ModifyInstanceAttribute" ["ec2:ModifyInstanceAttribute"] {
        instance_id: String => set_instance_id,
        block_device_mappings: Vec<InstanceBlockDeviceMappingSpecification> => set_block_device_mappings,
    } ; asked_by set_dry_run
}
