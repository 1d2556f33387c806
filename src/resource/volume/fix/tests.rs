use serde_json::{Value as Json, json};

use crate::model::ResourceType;
use crate::remediate::approvals::Allow;
use crate::remediate::observed::{AspectKind, ObservedAspect};
use crate::remediate::plan::{Disruption, Undo};
use crate::remediate::setters::trial::{Planned, Trial, thing};

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/default";

/// A running instance with a plain volume, with these members instead.
fn root(changes: &Json) -> Json {
    let mut root = json!({
        "InstanceState": "running", "InstanceLifecycle": null, "Operator": null, "InstanceStore": false,
        "DisableApiStop": false, "PublicIps": [], "Tags": {}, "RootDeviceType": "ebs",
        "RootDeviceName": "/dev/xvda", "DeleteOnTermination": true,
        "Volume": {"VolumeId": "vol-old", "State": "in-use", "AvailabilityZone": "eu-west-1a", "Size": 8,
            "VolumeType": "gp3", "Iops": 6000, "Throughput": 500, "Encrypted": false, "KmsKeyId": null,
            "MultiAttachEnabled": false, "OutpostArn": null,
            "Tags": {"Name": "root", "aws:cloudformation:stack-name": "web"}},
    });
    merge(&mut root, changes);
    root
}

fn merge(value: &mut Json, changes: &Json) {
    match (value, changes) {
        (Json::Object(members), Json::Object(changes)) => {
            changes.iter().for_each(|(name, change)| merge(members.entry(name).or_insert(Json::Null), change));
        }
        (value, change) => *value = change.clone(),
    }
}

fn trial(changes: &Json) -> Trial {
    let enabled = json!({"KeyId": KEY, "Arn": KEY, "KeyState": "Enabled", "KeySpec": "SYMMETRIC_DEFAULT"});
    Trial::new()
        .finding("ec2-encrypt-root-volume", thing(ResourceType::Instance, "i-1"), Json::Null)
        .sees(ObservedAspect::of(AspectKind::InstanceRoot, "i-1"), root(changes))
        .sees(ObservedAspect::of(AspectKind::DefaultVolumeKey, "the account"), enabled)
}

fn plan(changes: &Json) -> Planned {
    trial(changes).allowing(&[Allow::Replace], &[]).plan()
}

fn undo(planned: &Planned, step: usize) -> &'static str {
    match &planned.steps[step].undo {
        Undo::By(call) | Undo::Deletes(call) => call.call().operation,
        Undo::Not(why) => panic!("{why}"),
    }
}

#[test]
fn a_running_instance_is_stopped_swapped_and_started_as_one() {
    let planned = plan(&json!({}));
    let made = |step: usize, member: &str| json!({"text": [{"step": step, "member": member}]});
    let device = |volume: &Json| json!({"InstanceId": "i-1", "Device": "/dev/xvda", "VolumeId": volume});
    let deleted = |delete: bool| {
        json!({"InstanceId": "i-1",
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"DeleteOnTermination": delete}}]})
    };
    let tags = |kind: &str| {
        json!([{"ResourceType": kind,
        "Tags": [{"Key": "Name", "Value": "root"}, {"Key": "ssm-audit:plan", "Value": "PLAN/i-1"}]}])
    };
    let expected = [
        ("StopInstances", json!({"InstanceIds": ["i-1"]}), "StartInstances"),
        (
            "CreateSnapshot",
            json!({"VolumeId": "vol-old", "Description": "vol-old, the root volume of i-1, before it is encrypted",
                "TagSpecifications": tags("snapshot")}),
            "DeleteSnapshot",
        ),
        (
            "CreateVolume",
            json!({"AvailabilityZone": "eu-west-1a", "SnapshotId": made(2, "SnapshotId"), "Size": 8, "VolumeType": "gp3",
                "Iops": 6000, "Throughput": 500, "Encrypted": true, "KmsKeyId": KEY,
                "TagSpecifications": tags("volume"), "ClientToken": "PLAN-i-1"}),
            "DeleteVolume",
        ),
        ("ModifyInstanceAttribute", deleted(false), "ModifyInstanceAttribute"),
        ("DetachVolume", device(&json!("vol-old")), "AttachVolume"),
        ("AttachVolume", device(&made(3, "VolumeId")), "DetachVolume"),
        ("ModifyInstanceAttribute", deleted(true), "ModifyInstanceAttribute"),
        ("StartInstances", json!({"InstanceIds": ["i-1"]}), "StopInstances"),
    ];
    for (index, (call, expected)) in planned.calls().into_iter().zip(&expected).enumerate() {
        assert_eq!((call, undo(&planned, index)), ((expected.0, expected.1.clone()), expected.2));
    }
    assert_eq!(planned.steps.len(), expected.len());
    for (index, step) in planned.steps.iter().enumerate() {
        assert_eq!(step.needs.last().copied().unwrap_or_default(), index, "each after the one before");
        assert_eq!((step.unit.as_deref(), step.disruption), (Some("root volume of i-1"), Disruption::Replace));
    }
    let deletable = planned.steps.iter().filter(|step| matches!(step.undo, Undo::Deletes(_))).count();
    assert_eq!((deletable, planned.steps.iter().filter(|step| step.creates).count()), (2, 2));
    let warned = |step: usize, what: &str| planned.steps[step].warnings.iter().any(|warning| warning.contains(what));
    assert!(warned(0, "no capacity to start it again"));
    assert!(warned(2, "aws:cloudformation:stack-name"));
    assert!(warned(4, "vol-old is kept"));
}

#[test]
fn a_stopped_instance_stays_stopped() {
    let stopped = json!({"InstanceState": "stopped", "DisableApiStop": true, "InstanceStore": true});
    let operations = plan(&stopped).operations();
    assert_eq!(operations.first(), Some(&"CreateSnapshot"));
    assert!(!operations.contains(&"StopInstances") && !operations.contains(&"StartInstances"));
}

#[test]
fn a_volume_that_outlives_its_instance_still_does() {
    assert!(!plan(&json!({"DeleteOnTermination": false})).operations().contains(&"ModifyInstanceAttribute"));
}

#[test]
fn only_what_a_type_of_volume_takes_is_asked_for() {
    for (kind, iops, throughput) in [("gp2", false, false), ("io2", true, false), ("gp3", true, true)] {
        let planned = plan(&json!({"Volume": {"VolumeType": kind}}));
        let (_, call) = &planned.calls()[2];
        assert_eq!((call.get("Iops").is_some(), call.get("Throughput").is_some()), (iops, throughput), "{kind}");
        let after = &planned.steps[2].after;
        assert_eq!((after.get("Iops").is_some(), after.get("Throughput").is_some()), (iops, throughput), "{kind}");
    }
}

#[test]
fn an_address_that_is_not_elastic_is_said_to_change() {
    let planned = plan(&json!({"PublicIps": ["192.0.2.1"]}));
    let warning = "its public address 192.0.2.1 is not elastic: it will have another one";
    assert!(planned.steps[0].warnings.iter().any(|said| said == warning));
}

#[test]
fn it_must_be_allowed() {
    let planned = trial(&json!({})).plan();
    assert_eq!(planned.steps, []);
    let reason = "it replaces a part, with the instance stopped: allow it with --allow replace";
    assert_eq!(planned.reasons(), [reason]);
}

#[test]
fn what_stands_in_the_way_is_said_and_nothing_is_begun() {
    let many: serde_json::Map<String, Json> = (0..50).map(|n| (format!("tag{n}"), "".into())).collect();
    let cases = [
        (json!({"RootDeviceType": "instance-store"}), "its root device is not an EBS volume"),
        (json!({"InstanceState": "stopping"}), "it is stopping"),
        (json!({"InstanceLifecycle": "spot"}), "it is a spot instance"),
        (json!({"Tags": {"aws:autoscaling:groupName": "web"}}), "its Auto Scaling group web"),
        (json!({"Tags": {"aws:elasticmapreduce:job-flow-id": "j-1"}}), "it belongs to an EMR cluster"),
        (json!({"Tags": {"aws:ec2:fleet-id": "fleet-1"}}), "it belongs to an EC2 Fleet"),
        (json!({"Tags": {"aws:ec2spot:fleet-request-id": "sfr-1"}}), "it belongs to a Spot Fleet"),
        (json!({"Tags": {"Name": "n", "karpenter.sh/nodepool": "default"}}), "it belongs to Karpenter"),
        (json!({"Tags": {"karpenter.k8s.aws/ec2nodeclass": "default"}}), "it belongs to Karpenter"),
        (json!({"Tags": {"eks:cluster-name": "c"}}), "it belongs to an EKS cluster"),
        (json!({"Tags": {"aws:eks:cluster-name": "c"}}), "it belongs to an EKS cluster"),
        (json!({"Tags": {"kubernetes.io/cluster/c": "owned"}}), "it belongs to a Kubernetes cluster"),
        (json!({"Tags": {"AmazonECSManaged": ""}}), "it belongs to an ECS cluster"),
        (json!({"Tags": {"AWSBatchServiceTag": "batch"}}), "it belongs to AWS Batch"),
        (json!({"Tags": {"elasticbeanstalk:environment-name": "e"}}), "it belongs to an Elastic Beanstalk"),
        (json!({"Tags": {"opsworks:stack": "s"}}), "it belongs to an OpsWorks stack"),
        (json!({"Tags": {"parallelcluster:cluster-name": "p"}}), "it belongs to a ParallelCluster"),
        (json!({"Operator": "eks.amazonaws.com"}), "eks.amazonaws.com manages it"),
        (json!({"DisableApiStop": true}), "stop protection is not known to be off"),
        (json!({"DisableApiStop": null}), "stop protection is not known to be off"),
        (json!({"InstanceStore": true}), "it is not known to be without instance store disks"),
        (json!({"InstanceStore": null}), "it is not known to be without instance store disks"),
        (json!({"Volume": null}), "no volume is attached at its root device /dev/xvda"),
        (json!({"Volume": {"Encrypted": true}}), "its root volume is encrypted by now"),
        (json!({"Volume": {"MultiAttachEnabled": true}}), "its root volume can be attached to several"),
        (json!({"Volume": {"OutpostArn": "arn:aws:outposts:…"}}), "its root volume is on an Outpost"),
        (json!({"Volume": {"Tags": many}}), "its root volume has 50 tags"),
    ];
    for (changes, reason) in cases {
        let planned = plan(&changes);
        assert_eq!(planned.steps, [], "{changes}");
        assert!(planned.reasons()[0].starts_with(reason), "{changes}: {:?}", planned.reasons());
    }
}

#[test]
fn a_key_that_cannot_be_used_is_found_out_before_the_instance_is_stopped() {
    let cases = [
        (json!({"KeyId": "alias/mine", "Arn": null}), Some("the key alias/mine for volumes does not exist")),
        (
            json!({"KeyId": "alias/mine", "Arn": KEY, "KeyState": "Disabled"}),
            Some("the key alias/mine for volumes is Disabled"),
        ),
        (
            json!({"KeyId": "alias/mine", "Arn": KEY, "KeyState": "Enabled", "KeySpec": "RSA_2048"}),
            Some("the key alias/mine is not symmetric"),
        ),
        // EC2 makes it when it is first needed.
        (json!({"KeyId": "alias/aws/ebs", "Arn": null}), None),
    ];
    for (key, reason) in cases {
        let mut trial = trial(&json!({})).allowing(&[Allow::Replace], &[]);
        trial.settings.volume_key = Some("alias/mine".to_owned());
        let planned = trial.sees(ObservedAspect::of(AspectKind::VolumeKey, "alias/mine"), key.clone()).plan();
        match reason {
            Some(reason) => assert!(planned.reasons()[0].starts_with(reason), "{key}: {:?}", planned.reasons()),
            None => assert_eq!(planned.reasons(), [] as [&str; 0]),
        }
    }
}
