//! EC2. <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Operations.html>

use super::operation;
use super::parameter::part;
use super::*;

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
        association_id: String => set_association_id,
    }
}
