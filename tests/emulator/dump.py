"""Prints everything about an account that a fix may change, as sorted JSON, to be compared with a later dump.

    python dump.py --endpoint-url URL --account 111111111111 --region us-east-1 [--region …] [--comparable]
                   [--copies N]                         N accounts, numbered from the one given, as a list

What AWS numbers anew each time is left out with --comparable: ids of associations, numbers of document
versions, addresses that come with a start. Volumes, snapshots and keys stay under their ids, so that one that
a fix made, or left behind, shows as new, and one that it should have put back shows as changed.
"""

import argparse
import json
import sys

from accounts import Clients
from botocore.exceptions import ClientError

ABSENT = (
    "NoSuchBucketPolicy",
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchTagSet",
    "NoSuchLifecycleConfiguration",
    "ObjectLockConfigurationNotFoundError",
    "OwnershipControlsNotFoundError",
    "ServerSideEncryptionConfigurationNotFoundError",
)


def tags_of(tags: list | None, key: str = "Key", value: str = "Value") -> dict:
    return {tag[key]: tag[value] for tag in tags or []}


def pages(client, operation: str, **request) -> list:
    """All elements of the one list that the answers hold."""
    paginator = client.get_paginator(operation)
    found = []
    for page in paginator.paginate(**request):
        found.extend(page[paginator.result_keys[0].parsed["value"]])
    return found


# -- ec2 ---------------------------------------------------------------------------------------------


def instances(ec2, comparable: bool) -> dict:
    associations = pages(ec2, "describe_iam_instance_profile_associations")
    by_instance = {association["InstanceId"]: association for association in associations}
    found = {}
    for instance in (i for r in pages(ec2, "describe_instances") for i in r["Instances"]):
        id, association = instance["InstanceId"], by_instance.get(instance["InstanceId"])
        if instance["State"]["Name"] == "terminated":
            continue
        stop = ec2.describe_instance_attribute(InstanceId=id, Attribute="disableApiStop")
        address = instance.get("PublicIpAddress")
        found[id] = {
            "state": instance["State"]["Name"],
            "type": instance["InstanceType"],
            "lifecycle": instance.get("InstanceLifecycle"),
            "metadata_options": instance["MetadataOptions"],
            "monitoring": instance["Monitoring"]["State"],
            "profile": instance.get("IamInstanceProfile", {}).get("Arn"),
            "association": association and association["IamInstanceProfile"]["Arn"],
            "association_id": association and association["AssociationId"],
            "stop_protection": stop["DisableApiStop"]["Value"],
            "groups": sorted(group["GroupId"] for group in instance["SecurityGroups"]),
            "public_address": bool(address) if comparable else address,
            "root_device": instance["RootDeviceName"],
            "block_devices": {
                mapping["DeviceName"]: {
                    "volume": mapping["Ebs"]["VolumeId"],
                    "delete_on_termination": mapping["Ebs"]["DeleteOnTermination"],
                }
                for mapping in instance["BlockDeviceMappings"]
            },
            "tags": tags_of(instance.get("Tags")),
        }
        if comparable:
            del found[id]["association_id"]
    return found


def volumes(ec2) -> dict:
    members = ("Size", "VolumeType", "Iops", "Throughput", "Encrypted", "KmsKeyId", "AvailabilityZone", "SnapshotId")
    return {
        volume["VolumeId"]: {
            **{member: volume.get(member) for member in (*members, "State")},
            "attached": [f"{a['InstanceId']} {a['Device']}" for a in volume["Attachments"]],
            "tags": tags_of(volume.get("Tags")),
        }
        for volume in pages(ec2, "describe_volumes")
    }


def snapshots(ec2) -> dict:
    members = ("VolumeId", "VolumeSize", "Encrypted", "KmsKeyId", "Description", "State")
    return {
        snapshot["SnapshotId"]: {
            **{member: snapshot.get(member) for member in members},
            "tags": tags_of(snapshot.get("Tags")),
        }
        for snapshot in pages(ec2, "describe_snapshots", OwnerIds=["self"])
    }


def rules(permissions: list) -> dict:
    """Descriptions by rule."""
    found = {}
    targets = (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6"), ("PrefixListIds", "PrefixListId"))
    for permission in permissions:
        ports = f"{permission['IpProtocol']} {permission.get('FromPort')}-{permission.get('ToPort')}"
        for member, target in (*targets, ("UserIdGroupPairs", "GroupId")):
            for entry in permission.get(member, []):
                found[f"{ports} {entry[target]}"] = entry.get("Description")
    return found


def groups(ec2) -> dict:
    return {
        group["GroupId"]: {
            "name": group["GroupName"],
            "vpc": group["VpcId"],
            "ingress": rules(group["IpPermissions"]),
            "egress": rules(group["IpPermissionsEgress"]),
            "tags": tags_of(group.get("Tags")),
        }
        for group in pages(ec2, "describe_security_groups")
    }


# -- kms, logs ---------------------------------------------------------------------------------------


def keys(kms) -> dict:
    aliases = {}
    for alias in pages(kms, "list_aliases"):
        aliases.setdefault(alias.get("TargetKeyId"), []).append(alias["AliasName"])
    found = {}
    for id in (key["KeyId"] for key in pages(kms, "list_keys")):
        # AWS makes its own keys when they are first used or looked at, and nobody takes them away.
        if any(alias.startswith("alias/aws/") for alias in aliases.get(id, [])):
            continue
        metadata = kms.describe_key(KeyId=id)["KeyMetadata"]
        found[id] = {
            "state": metadata["KeyState"],
            "enabled": metadata["Enabled"],
            "manager": metadata["KeyManager"],
            "description": metadata["Description"],
            "rotation": kms.get_key_rotation_status(KeyId=id)["KeyRotationEnabled"],
            "policy": kms.get_key_policy(KeyId=id, PolicyName="default")["Policy"],
            "aliases": sorted(aliases.get(id, [])),
            "tags": tags_of(kms.list_resource_tags(KeyId=id)["Tags"], "TagKey", "TagValue"),
        }
    return found


def log_groups(logs) -> dict:
    return {
        group["logGroupName"]: {
            "retention": group.get("retentionInDays"),
            "key": group.get("kmsKeyId"),
            "class": group.get("logGroupClass"),
            "tags": logs.list_tags_for_resource(resourceArn=group["logGroupArn"])["tags"],
        }
        for group in pages(logs, "describe_log_groups")
    }


# -- s3 ----------------------------------------------------------------------------------------------


def bucket(s3, name: str) -> dict:
    def read(operation: str, member: str):  # noqa: ANN202
        try:
            return getattr(s3, operation)(Bucket=name).get(member)
        except ClientError as error:
            if error.response["Error"]["Code"] in ABSENT:
                return None
            raise

    return {
        "encryption": read("get_bucket_encryption", "ServerSideEncryptionConfiguration"),
        "versioning": read("get_bucket_versioning", "Status"),
        "object_lock": read("get_object_lock_configuration", "ObjectLockConfiguration"),
        "logging": read("get_bucket_logging", "LoggingEnabled"),
        "public_access_block": read("get_public_access_block", "PublicAccessBlockConfiguration"),
        "ownership": read("get_bucket_ownership_controls", "OwnershipControls"),
        "lifecycle": read("get_bucket_lifecycle_configuration", "Rules"),
        "policy": read("get_bucket_policy", "Policy"),
        "tags": tags_of(read("get_bucket_tagging", "TagSet")),
    }


def buckets(s3, region: str) -> dict:
    names = [found["Name"] for found in s3.list_buckets()["Buckets"]]
    here = [n for n in names if (s3.get_bucket_location(Bucket=n).get("LocationConstraint") or "us-east-1") == region]
    return {name: bucket(s3, name) for name in here}


# -- ssm ---------------------------------------------------------------------------------------------


def documents(ssm, comparable: bool) -> dict:
    found = {}
    for name in (d["Name"] for d in pages(ssm, "list_documents", Filters=[{"Key": "Owner", "Values": ["Self"]}])):
        numbers = [version["DocumentVersion"] for version in pages(ssm, "list_document_versions", Name=name)]
        contents = {n: ssm.get_document(Name=name, DocumentVersion=n)["Content"] for n in numbers}
        default, latest = (ssm.get_document(Name=name, DocumentVersion=v) for v in ("$DEFAULT", "$LATEST"))
        found[name] = {
            "default": default["Content"] if comparable else default["DocumentVersion"],
            "latest": latest["Content"] if comparable else latest["DocumentVersion"],
            "versions": [contents[n] for n in sorted(contents, key=int)] if comparable else contents,
            "format": default["DocumentFormat"],
            "tags": tags_of(ssm.describe_document(Name=name)["Document"].get("Tags")),
        }
    return found


# -- iam ---------------------------------------------------------------------------------------------


def role(iam, listed: dict) -> dict:
    name = listed["RoleName"]
    found = iam.get_role(RoleName=name)["Role"]
    inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    return {
        "path": found["Path"],
        "description": found.get("Description"),
        "boundary": found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        "trust": found["AssumeRolePolicyDocument"],
        "attached": sorted(policy["PolicyArn"] for policy in attached),
        "inline": {n: iam.get_role_policy(RoleName=name, PolicyName=n)["PolicyDocument"] for n in inline},
        "tags": tags_of(found.get("Tags")),
    }


def profiles(iam) -> dict:
    return {
        profile["InstanceProfileName"]: {
            "path": profile["Path"],
            "roles": sorted(role["RoleName"] for role in profile["Roles"]),
            "tags": tags_of(profile.get("Tags")),
        }
        for listed in pages(iam, "list_instance_profiles")
        for profile in [iam.get_instance_profile(InstanceProfileName=listed["InstanceProfileName"])["InstanceProfile"]]
    }


def dump(clients: Clients, account: str, regions: list, comparable: bool) -> dict:
    found = {}
    for region in regions:

        def client(service: str, region: str = region):  # noqa: ANN202
            return clients.get(account, service, region)

        found[region] = {
            "instances": instances(client("ec2"), comparable),
            "volumes": volumes(client("ec2")),
            "snapshots": snapshots(client("ec2")),
            "security_groups": groups(client("ec2")),
            "keys": keys(client("kms")),
            "log_groups": log_groups(client("logs")),
            "buckets": buckets(client("s3"), region),
            "documents": documents(client("ssm"), comparable),
        }
    iam = clients.get(account, "iam", regions[0])
    roles = {listed["RoleName"]: role(iam, listed) for listed in pages(iam, "list_roles")}
    return {"account": account, "regions": found, "roles": roles, "instance_profiles": profiles(iam)}


def main() -> None:
    parser = argparse.ArgumentParser(description="prints what a fix may change in an account")
    parser.add_argument("--endpoint-url", required=True)
    parser.add_argument("--account", default="111111111111")
    parser.add_argument("--region", action="append", dest="regions")
    parser.add_argument("--comparable", action="store_true")
    parser.add_argument("--copies", type=int)
    args = parser.parse_args()
    clients = Clients(args.endpoint_url.rstrip("/"))
    numbered = [f"{int(args.account) + number:012}" for number in range(args.copies or 1)]
    dumps = [dump(clients, account, args.regions or ["us-east-1"], args.comparable) for account in numbered]
    result = dumps if args.copies else dumps[0]
    json.dump(result, sys.stdout, indent=2, sort_keys=True, default=str)
    print()


if __name__ == "__main__":
    main()
