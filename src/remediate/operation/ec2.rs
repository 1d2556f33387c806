//! EC2. <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Operations.html>

use super::operation;
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
