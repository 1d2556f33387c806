//! What stands in the way of swapping a root volume: it is said beforehand, and nothing is begun.

use serde_json::Value as Json;

use super::copied;

/// The most tags that a resource can have. <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html>
const MOST_TAGS: usize = 50;

/// Why the volume cannot be swapped, or must not be.
pub(crate) fn hindrance(root: &Json) -> Option<String> {
    let (state, tags, volume) = (&root["InstanceState"], &root["Tags"], &root["Volume"]);
    let group = &tags["aws:autoscaling:groupName"];
    let said = |value: &Json| value.as_str().unwrap_or("unknown").to_owned();
    let runs = state == "running";
    let owner = replaced_by(tags);
    let (tag, of) = owner.unwrap_or_default();
    let hindrances = [
        (root["RootDeviceType"] != "ebs", "its root device is not an EBS volume".to_owned()),
        (
            !runs && state != "stopped",
            format!("it is {}: its root volume is swapped only when it is running or stopped", said(state)),
        ),
        (
            root["InstanceLifecycle"] == "spot",
            "it is a spot instance, which cannot be stopped at will: launch it anew with an encrypted volume".to_owned(),
        ),
        (
            !group.is_null(),
            format!(
                "its Auto Scaling group {} replaces it when it stops: encrypt the volumes of the group's launch template",
                said(group)
            ),
        ),
        (
            owner.is_some(),
            format!(
                "it belongs to {of} (tag {tag}), which replaces it when it stops, or counts it as lost: encrypt the \
                 volumes where {of} is configured"
            ),
        ),
        (!root["Operator"].is_null(), format!("{} manages it: nobody else changes its volumes", said(&root["Operator"]))),
        (
            runs && root["DisableApiStop"] != false,
            "stop protection is not known to be off: switch it off (DisableApiStop) first".to_owned(),
        ),
        (
            runs && root["InstanceStore"] != false,
            "it is not known to be without instance store disks, which lose what is on them when it stops: save that, and stop it yourself first"
                .to_owned(),
        ),
        (volume.is_null(), format!("no volume is attached at its root device {}", said(&root["RootDeviceName"]))),
        (
            volume["MultiAttachEnabled"] == true,
            "its root volume can be attached to several instances at once".to_owned(),
        ),
        (!volume["OutpostArn"].is_null(), "its root volume is on an Outpost".to_owned()),
        (
            copied(&volume["Tags"]).len() >= MOST_TAGS,
            format!("its root volume has {MOST_TAGS} tags: there is no room for the one that the new volume is found by"),
        ),
    ];
    hindrances.into_iter().find(|(stands, _)| *stands).map(|(_, reason)| reason)
}

/// How keys of tags begin by which services and controllers know the instances that they start, and whose they are. Each
/// of them starts another instance in place of one that stops, or counts it as lost.
const OWNERS: &[(&str, &str)] = &[
    // <https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-plan-tags.html>
    ("aws:elasticmapreduce:", "an EMR cluster"),
    // <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/manage-ec2-fleet.html>
    ("aws:ec2:fleet-id", "an EC2 Fleet"),
    ("aws:ec2spot:fleet-request-id", "a Spot Fleet"),
    ("aws:autoscaling:", "an Auto Scaling group"),
    // <https://karpenter.sh/docs/concepts/nodeclasses/#spectags>
    ("karpenter.sh/", "Karpenter"),
    ("karpenter.k8s.aws/", "Karpenter"),
    // <https://docs.aws.amazon.com/eks/latest/userguide/eks-using-tags.html>
    ("aws:eks:", "an EKS cluster"),
    ("eks:", "an EKS cluster"),
    ("kubernetes.io/cluster/", "a Kubernetes cluster"),
    ("k8s.io/", "a Kubernetes cluster"),
    ("sigs.k8s.io/cluster-api-provider-aws/", "a Kubernetes cluster"),
    ("KubernetesCluster", "a Kubernetes cluster"),
    ("aws:ecs:", "an ECS cluster"),
    ("AmazonECSManaged", "an ECS cluster"),
    ("aws:batch:", "AWS Batch"),
    ("AWSBatchServiceTag", "AWS Batch"),
    ("elasticbeanstalk:", "an Elastic Beanstalk environment"),
    ("opsworks:", "an OpsWorks stack"),
    ("parallelcluster:", "a ParallelCluster"),
    ("aws-parallelcluster-", "a ParallelCluster"),
    ("aws:gamelift:", "a GameLift fleet"),
    ("aws:sagemaker:", "SageMaker"),
    ("AWSElasticDisasterRecoveryManaged", "Elastic Disaster Recovery"),
    ("AWSApplicationMigrationServiceManaged", "Application Migration Service"),
    ("spotinst:", "Spot by Flexera"),
];

/// The tag that says whose the instance is, where another service replaces it.
fn replaced_by(tags: &Json) -> Option<(&str, &'static str)> {
    let mut keys = tags.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    keys.find_map(|key| Some((key, OWNERS.iter().find(|(prefix, _)| key.starts_with(prefix))?.1)))
}

/// Why the key cannot encrypt a volume. One that EC2 has yet to make for itself can.
pub(crate) fn unusable(key: &Json) -> Option<String> {
    let id = key["KeyId"].as_str().unwrap_or_default();
    match key["KeyState"].as_str() {
        None if id.ends_with("alias/aws/ebs") => None,
        None => Some(format!("the key {id} for volumes does not exist: set fix.volume_key to one that does")),
        Some("Enabled") if key["KeySpec"] == "SYMMETRIC_DEFAULT" => None,
        Some("Enabled") => Some(format!("the key {id} is not symmetric, as one for volumes must be")),
        Some(state) => Some(format!("the key {id} for volumes is {state}: a volume could not be encrypted with it")),
    }
}
