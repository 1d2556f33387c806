"""Asks the emulator what `corrections/` put right, one function for what belongs together.

    python check.py --endpoint-url URL

Prints what is not as AWS documents it; nothing, and `[]`, where all is. It runs with the tests: a new
version of moto may undo a correction without a word.
"""

import argparse
import json
import sys
import uuid

from accounts import CORE, DOCUMENT, GROUP, PROFILE, ROLE, Clients, compliant, policy, statement, tag_list
from botocore.exceptions import ClientError
from hazards import HAZARDS

ABSENT_KEY = "00000000-0000-4000-8000-000000000000"
wrong = []


def is_(what: str, found, expected) -> None:  # noqa: ANN001
    if found != expected:
        wrong.append(f"{what}: {found!r} instead of {expected!r}")


def refused(what: str, code: str, call, **request) -> None:  # noqa: ANN001
    try:
        call(**request)
        wrong.append(f"{what}: taken instead of refused with {code}")
    except ClientError as error:
        is_(what, error.response["Error"]["Code"], code)


def instance_of(region, id: str) -> dict:
    return region.ec2.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]


def volume_of(region, id: str) -> dict:
    return region.ec2.describe_volumes(VolumeIds=[id])["Volumes"][0]


def check_swap(region) -> None:
    ec2 = region.ec2
    made = HAZARDS["tuned-volume"](region)
    instance, root = made["instance"], made["root"]
    there = {"VolumeId": root, "InstanceId": instance, "Device": "/dev/xvda"}
    refused("detaching a running root", "OperationNotPermitted", ec2.detach_volume, **there)
    refused("attaching twice", "VolumeInUse", ec2.attach_volume, **there)
    ec2.stop_instances(InstanceIds=[instance])
    ec2.stop_instances(InstanceIds=[instance])
    snapshot = ec2.create_snapshot(VolumeId=root)["SnapshotId"]
    request = {
        "SnapshotId": snapshot,
        "AvailabilityZone": volume_of(region, root)["AvailabilityZone"],
        "Encrypted": True,
        "KmsKeyId": "alias/ssm-volumes",
        "VolumeType": "gp3",
        "Iops": 6000,
        "Throughput": 500,
        "ClientToken": str(uuid.uuid4()),
    }
    copy = ec2.create_volume(**request)["VolumeId"]
    is_("the volume of a client token", ec2.create_volume(**request)["VolumeId"], copy)
    refused("a token with other members", "IdempotentParameterMismatch", ec2.create_volume, **{**request, "Iops": 7000})
    is_("the key of a volume", volume_of(region, copy)["KmsKeyId"], region.keys["volumes"])
    is_("its throughput", volume_of(region, copy)["Throughput"], 500)
    own = ec2.create_snapshot(VolumeId=copy)["SnapshotId"]
    plain = {"SnapshotId": own, "AvailabilityZone": request["AvailabilityZone"]}
    is_("the key of a snapshot's copy", ec2.create_volume(**plain)["KmsKeyId"], region.keys["volumes"])
    gp2 = {**plain, "VolumeType": "gp2", "Iops": 100}
    refused("operations of gp2", "InvalidParameterCombination", ec2.create_volume, **gp2)
    reserved = [{"ResourceType": "volume", "Tags": tag_list({"aws:backup": "x"})}]
    refused("AWS's tags", "InvalidParameterValue", ec2.create_volume, **plain, TagSpecifications=reserved)
    lost = ec2.create_volume(**{**request, "KmsKeyId": ABSENT_KEY, "ClientToken": str(uuid.uuid4())})["VolumeId"]
    refused("a volume of no key", "InvalidVolume.NotFound", ec2.describe_volumes, VolumeIds=[lost])
    at_root = {"VolumeId": copy, "InstanceId": instance, "Device": "/dev/xvda"}
    refused("an occupied device", "InvalidParameterValue", ec2.attach_volume, **at_root)
    ec2.detach_volume(VolumeId=root)
    refused("detaching twice", "IncorrectState", ec2.detach_volume, VolumeId=root)
    refused("starting without a root", "InvalidParameterValue", ec2.start_instances, InstanceIds=[instance])
    ec2.attach_volume(**at_root)
    mapping = instance_of(region, instance)["BlockDeviceMappings"][0]["Ebs"]
    is_("deletion with the instance", (mapping["VolumeId"], mapping["DeleteOnTermination"]), (copy, False))
    keep = [{"DeviceName": "/dev/xvda", "Ebs": {"DeleteOnTermination": True}}]
    ec2.modify_instance_attribute(InstanceId=instance, BlockDeviceMappings=keep)
    is_("deletion, set", volume_of(region, copy)["Attachments"][0]["DeleteOnTermination"], True)
    region.kms.disable_key(KeyId=region.key_id("volumes"))
    ec2.start_instances(InstanceIds=[instance])
    is_("a start with a disabled key", instance_of(region, instance)["State"]["Name"], "stopped")
    is_("its reason", instance_of(region, instance)["StateReason"]["Code"], "Client.InternalError")
    region.kms.enable_key(KeyId=region.key_id("volumes"))
    ec2.start_instances(InstanceIds=[instance])
    is_("a start", instance_of(region, instance)["State"]["Name"], "running")


def check_stopping(region) -> None:
    for hazard, code in (("spot", "UnsupportedOperation"), ("stop-protection", "OperationNotPermitted")):
        made = HAZARDS[hazard](region)
        refused(f"stopping: {hazard}", code, region.ec2.stop_instances, InstanceIds=[made["instance"]])
    made = HAZARDS["boots-from-its-root-only"](region)
    region.ec2.stop_instances(InstanceIds=[made["instance"]])
    region.ec2.start_instances(InstanceIds=[made["instance"]])
    is_("a start from its root", instance_of(region, made["instance"])["State"]["Name"], "running")
    made = HAZARDS["instance-store"](region)
    is_("volumes of an instance store", len(instance_of(region, made["instance"])["BlockDeviceMappings"]), 1)


def check_tags(region) -> None:
    tags = tag_list({"aws:x": "y"})
    refused("AWS's tags", "InvalidParameterValue", region.ec2.create_tags, Resources=region.instances[:1], Tags=tags)
    nothing = {"Resources": ["i-0123456789abcdef0"], "Tags": tag_list({"a": "b"})}
    refused("tags of nothing", "InvalidInstanceID.NotFound", region.ec2.create_tags, **nothing)


def check_groups(region) -> None:
    ec2 = region.ec2
    made = HAZARDS["group-with-all-kinds-of-rules"](region)
    group = made["resource"]

    def egress() -> list:
        return ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissionsEgress"]

    before = egress()
    other = {"IpProtocol": "tcp", "FromPort": 81, "ToPort": 81, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    there = {"GroupId": made["peer"], "Description": "of another name"}
    pair = {"IpProtocol": "tcp", "FromPort": 8000, "ToPort": 8100, "UserIdGroupPairs": [there]}
    half = {"GroupId": group, "IpPermissions": [other, pair]}
    refused("a rule that is there", "InvalidPermission.Duplicate", ec2.authorize_security_group_egress, **half)
    refused("a rule that is not there", "InvalidPermission.NotFound", ec2.revoke_security_group_egress, **half)
    is_("rules after both", egress(), before)
    undescribed = json.loads(json.dumps(before))
    targets = [value for rule in undescribed for value in rule.values() if isinstance(value, list)]
    for entry in (entry for entries in targets for entry in entries):
        entry.pop("Description", None)
    every = {"GroupId": group, "IpPermissions": undescribed}
    ec2.update_security_group_rule_descriptions_egress(**every)
    is_("rules without descriptions", egress(), undescribed)
    ec2.update_security_group_rule_descriptions_egress(GroupId=group, IpPermissions=before)
    is_("rules with descriptions again", egress(), before)
    ec2.revoke_security_group_egress(**every)
    is_("rules after all were revoked", egress(), [])
    answer = ec2.authorize_security_group_egress(GroupId=group, IpPermissions=before)
    is_("rules put back", (egress(), len(answer["SecurityGroupRules"])), (before, 9))
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    elsewhere = ec2.create_security_group(GroupName="elsewhere", Description="x", VpcId=vpc)["GroupId"]
    answer = ec2.revoke_security_group_egress(GroupId=elsewhere, IpPermissions=[other])
    is_("unknown rules outside of a default VPC", len(answer["UnknownIpPermissions"]), 1)
    made = HAZARDS["group-of-a-load-balancer"](region)
    services = [{"Name": "group-id", "Values": [made["resource"]]}, {"Name": "requester-managed", "Values": ["true"]}]
    found = ec2.describe_network_interfaces(Filters=services)["NetworkInterfaces"]
    is_("interfaces of services", [i["Attachment"]["InstanceOwnerId"] for i in found], ["amazon-elb"])


def check_profiles(region) -> None:
    ec2, iam, instance = region.ec2, region.iam, region.instances[0]

    def association() -> dict:
        of_instance = [{"Name": "instance-id", "Values": [instance]}]
        return ec2.describe_iam_instance_profile_associations(Filters=of_instance)["IamInstanceProfileAssociations"][0]

    region.make_profile("second")
    region.make_profile("empty", role="")
    first = association()["AssociationId"]
    for name in ("nonesuch", "empty"):
        request = {"AssociationId": first, "IamInstanceProfile": {"Name": name}}
        refused(name, "InvalidParameterValue", ec2.replace_iam_instance_profile_association, **request)
    ec2.replace_iam_instance_profile_association(AssociationId=first, IamInstanceProfile={"Name": "second"})
    is_("the association of another profile is another", association()["AssociationId"] == first, False)
    id = iam.get_instance_profile(InstanceProfileName="second")["InstanceProfile"]["InstanceProfileId"]
    is_("the profile of the instance", instance_of(region, instance)["IamInstanceProfile"]["Id"], id)
    again = {"InstanceId": instance, "IamInstanceProfile": {"Name": PROFILE}}
    refused("a second profile", "IncorrectState", ec2.associate_iam_instance_profile, **again)
    ec2.disassociate_iam_instance_profile(AssociationId=association()["AssociationId"])
    is_("no profile", instance_of(region, instance).get("IamInstanceProfile"), None)
    nobody = {"InstanceProfileName": "empty", "RoleName": ROLE}
    refused("a role taken twice", "NoSuchEntity", iam.remove_role_from_instance_profile, **nobody)
    malformed = {"RoleName": "malformed", "AssumeRolePolicyDocument": "{}"}
    refused("a trust that is none", "MalformedPolicyDocument", iam.create_role, **malformed)
    iam.attach_role_policy(RoleName=ROLE, PolicyArn=region.managed_policy(CORE))


def check_keys(region) -> None:
    kms = region.kms
    arn = region.make_key("checked")
    id = region.key_id("checked")
    put = {"KeyId": id, "PolicyName": "default"}
    text = ' { "Statement": [{"Effect":"Allow","Principal":{"AWS":"%s"},"Action":"kms:*","Resource":"*"}]}\n'
    kms.put_key_policy(**put, Policy=text % region.root_arn)
    is_("the text of a policy", kms.get_key_policy(KeyId=id)["Policy"], text % region.root_arn)
    nobody = statement("kms:*", "*", Principal={"AWS": f"{region.root_arn.removesuffix('root')}role/nonesuch"})
    for what, bad in (
        ("no JSON", "{"),
        ("no statements", "{}"),
        ("a role that is not there", policy(region.admin_statement(), nobody)),
        ("a policy that locks out", policy(statement("kms:Decrypt", "*", Principal={"AWS": region.root_arn}))),
    ):
        refused(what, "MalformedPolicyDocumentException", kms.put_key_policy, **put, Policy=bad)
    refused("calling nothing off", "KMSInvalidStateException", kms.cancel_key_deletion, KeyId=id)
    kms.disable_key(KeyId=arn)
    refused("rotation of a disabled key", "DisabledException", kms.enable_key_rotation, KeyId=id)
    is_("rotation of a disabled key", kms.get_key_rotation_status(KeyId=id)["KeyRotationEnabled"], True)
    kms.schedule_key_deletion(KeyId=id, PendingWindowInDays=7)
    for call in (kms.enable_key, kms.disable_key, kms.enable_key_rotation, kms.schedule_key_deletion):
        refused(f"{call.__name__} while deletion is pending", "KMSInvalidStateException", call, KeyId=id)
    is_("rotation while deletion is pending", kms.get_key_rotation_status(KeyId=id)["KeyRotationEnabled"], False)
    kms.cancel_key_deletion(KeyId=id)
    is_("a key kept", kms.describe_key(KeyId=id)["KeyMetadata"]["KeyState"], "Disabled")
    is_("a key kept is enabled", kms.describe_key(KeyId=id)["KeyMetadata"]["Enabled"], False)
    is_("rotation of a key kept", kms.get_key_rotation_status(KeyId=id)["KeyRotationEnabled"], True)


def check_log_groups(region) -> None:
    logs, key = region.logs, region.keys["logs"]
    logs.associate_kms_key(logGroupName=GROUP, kmsKeyId=key)
    logs.create_log_group(logGroupName="/other")
    for what, name, given in (
        ("a key for another group", "/other", key),
        ("a key that logs may not use", GROUP, region.keys["session"]),
        ("a key by its id", GROUP, region.key_id("logs")),
    ):
        refused(what, "InvalidParameterException", logs.associate_kms_key, logGroupName=name, kmsKeyId=given)
    new = {"logGroupName": "/new", "kmsKeyId": key}
    refused("a new group with it", "InvalidParameterException", logs.create_log_group, **new)
    odd = {"logGroupName": GROUP, "retentionInDays": 31}
    refused("31 days", "InvalidParameterException", logs.put_retention_policy, **odd)


def check_buckets(region) -> None:
    s3, name = region.s3, f"checked-{region.account.id}"
    region.create_bucket(name)
    lock = {"Bucket": name, "ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}
    refused("a lock without versions", "InvalidBucketState", s3.put_object_lock_configuration, **lock)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    s3.put_object_lock_configuration(**lock)
    retention = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 30}}
    lock["ObjectLockConfiguration"]["Rule"] = retention
    s3.put_object_lock_configuration(**lock)
    locked = s3.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"]
    is_("the default retention", locked["Rule"], retention)
    suspend = {"Bucket": name, "VersioningConfiguration": {"Status": "Suspended"}}
    refused("suspending under a lock", "InvalidBucketState", s3.put_bucket_versioning, **suspend)
    is_("objects under a lock", len(s3.list_objects_v2(Bucket=name)["Contents"]), 1)
    refused("a policy that is none", "MalformedPolicy", s3.put_bucket_policy, Bucket=name, Policy='{"a": 1}')
    foreign = region.account.clients.get("999999999999", "s3", region.name)
    refused("another account's bucket", "403", foreign.head_bucket, Bucket=name)
    HAZARDS["bucket-with-tags-of-aws"](region)

    def tags() -> dict:
        return {tag["Key"]: tag["Value"] for tag in region.s3.get_bucket_tagging(Bucket=region.bucket)["TagSet"]}

    def put(**given: str) -> dict:
        return {"Bucket": region.bucket, "Tagging": {"TagSet": tag_list(given)}}

    before = tags()
    own = {key: value for key, value in before.items() if not key.startswith("aws:")}
    is_("a tag without a value", own, {"Owner": "audit", "Note": ""})
    for what, request in (("taking AWS's tags", put(**own)), ("a tag of AWS's", put(**before, **{"aws:x": "y"}))):
        refused(what, "InvalidTag", region.s3.put_bucket_tagging, **request)
    region.s3.put_bucket_tagging(**put(**before, Team="x"))
    is_("tags beside AWS's", tags(), {**before, "Team": "x"})
    again = f"again-{region.account.id}"
    region.create_bucket(again)
    region.s3.put_bucket_tagging(Bucket=again, Tagging={"TagSet": tag_list({"Team": "x"})})
    region.s3.delete_bucket(Bucket=again)
    region.create_bucket(again)
    refused("tags of a bucket that was deleted", "NoSuchTagSet", region.s3.get_bucket_tagging, Bucket=again)


def check_documents(region) -> None:
    ssm = region.ssm
    for number in range(2, 12):
        region.change_preferences(make_default=number == 9, inputs={"idleSessionTimeout": str(number)})
    ssm.delete_document(Name=DOCUMENT, DocumentVersion="11")
    is_("the latest version", ssm.get_document(Name=DOCUMENT, DocumentVersion="$LATEST")["DocumentVersion"], "10")
    is_("the default version", ssm.get_document(Name=DOCUMENT, DocumentVersion="$DEFAULT")["DocumentVersion"], "9")
    listed = ssm.list_document_versions(Name=DOCUMENT)["DocumentVersions"]
    is_("all versions", [v["DocumentVersion"] for v in listed], [str(n) for n in range(10, 0, -1)])
    is_("the default of all", [v["DocumentVersion"] for v in listed if v["IsDefaultVersion"]], ["9"])
    for call in (ssm.get_document, ssm.update_document_default_version, ssm.delete_document):
        request = {"Name": DOCUMENT, "DocumentVersion": "11"}
        refused(f"{call.__name__} of no version", "InvalidDocumentVersion", call, **request)
    default = {"Name": DOCUMENT, "DocumentVersion": "9"}
    refused("deleting the default", "InvalidDocumentOperation", ssm.delete_document, **default)


def main() -> None:
    parser = argparse.ArgumentParser(description="asks the emulator what was put right")
    parser.add_argument("--endpoint-url", required=True)
    parser.add_argument("--account", required=True)
    args = parser.parse_args()
    region = compliant(Clients(args.endpoint_url), args.account, ["us-east-1"]).regions[0]
    for name, check in sorted(globals().items()):
        if name.startswith("check_"):
            check(region)
    json.dump(wrong, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
