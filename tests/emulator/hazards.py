"""What a fix must handle with care, or refuse: instances, groups, buckets, keys and roles.

A function changes the first region of a compliant account and returns the rule that then fails, the id of the
resource on which it does, and what else it made: `{"rule", "resource", …}`. Which rules fail besides is of no
interest here.
"""

import json

from accounts import DOCUMENT, suffix_of, tag_list

HAZARDS = {}
SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "SSH"}]}


def hazard(name: str):
    """Registers a hazard."""

    def register(function):
        assert name not in HAZARDS, name
        HAZARDS[name] = function
        return function

    return register


# -- instances whose root volume is to be swapped -----------------------------------------------------


def plain(size: int = 8, **more) -> dict:
    volume = {"VolumeSize": size, "VolumeType": "gp3", "DeleteOnTermination": True, "Encrypted": False}
    return {"DeviceName": "/dev/xvda", "Ebs": {**volume, **more}}


def root_of(region, instance: str) -> str:
    found = region.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return next(m["Ebs"]["VolumeId"] for m in found["BlockDeviceMappings"] if m["DeviceName"] == "/dev/xvda")


def launch(region, name: str, *data, **changes) -> dict:
    instance = region.launch(name, **{"BlockDeviceMappings": [plain(), *data], **changes})
    of_rule = {"rule": "ec2-root-volume-encrypted", "resource": instance}
    return {**of_rule, "instance": instance, "root": root_of(region, instance)}


@hazard("plain-root")
def plain_root(region):
    """Nothing in the way."""
    return launch(region, "plain-root")


@hazard("instance-store")
def instance_store(region):
    """What is on the disks of the host is lost when the instance stops. DescribeInstances does not list them:
    the type of the instance tells."""
    disk = {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}
    return launch(region, "instance-store", disk, InstanceType="m5d.large")


@hazard("spot")
def spot(region):
    """A one-time spot instance cannot be stopped."""
    return launch(region, "spot", InstanceMarketOptions={"MarketType": "spot"})


@hazard("autoscaling-member")
def autoscaling_member(region):
    """Its group replaces it as soon as it stops."""
    made = launch(region, "autoscaling-member")
    region.ground(tags={made["instance"]: {"aws:autoscaling:groupName": "web"}})
    return made


@hazard("managed-instance")
def managed_instance(region):
    """Only the service that manages it may change it, and the account hides it."""
    made = launch(region, "managed-instance")
    region.ground(operators={made["instance"]: "eks.amazonaws.com"})
    return made


@hazard("stop-protection")
def stop_protection(region):
    return launch(region, "stop-protection", DisableApiStop=True)


@hazard("several-volumes")
def several_volumes(region):
    """The root is not the first: one data volume is encrypted, the other is not."""
    encrypted = {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 20, "VolumeType": "gp2", "Encrypted": True}}
    encrypted["Ebs"]["KmsKeyId"] = region.keys["volumes"]
    unencrypted = {"DeviceName": "/dev/sdg", "Ebs": {"VolumeSize": 30, "VolumeType": "gp2"}}
    return launch(region, "several-volumes", BlockDeviceMappings=[encrypted, plain(), unencrypted])


@hazard("stopped")
def stopped(region):
    """It must not be running afterwards."""
    made = launch(region, "stopped", register=False)
    region.ec2.stop_instances(InstanceIds=[made["instance"]])
    return made


@hazard("tuned-volume")
def tuned_volume(region):
    """Performance and tags of its own, one of them AWS's, which nobody else can set."""
    made = launch(region, "tuned-volume")
    region.ec2.modify_volume(VolumeId=made["root"], Iops=6000, Throughput=500)
    region.ec2.create_tags(Resources=[made["root"]], Tags=tag_list({"Name": "tuned-root", "Backup": "daily"}))
    region.ground(tags={made["root"]: {"aws:cloudformation:stack-name": "web"}})
    return made


@hazard("provisioned-volume")
def provisioned_volume(region):
    """Of a type that needs its number of operations named."""
    made = launch(region, "provisioned-volume")
    region.ec2.modify_volume(VolumeId=made["root"], VolumeType="io2", Iops=4000)
    return made


@hazard("old-type-of-volume")
def old_type_of_volume(region):
    """gp2, whose number of operations can be read but not asked for."""
    return launch(region, "old-type-of-volume", BlockDeviceMappings=[plain(20, VolumeType="gp2")])


@hazard("kept-volume")
def kept_volume(region):
    """Its root outlives it."""
    return launch(region, "kept-volume", BlockDeviceMappings=[plain(DeleteOnTermination=False)])


@hazard("public-address")
def public_address(region):
    """The address changes when it stops and starts."""
    interface = {"DeviceIndex": 0, "AssociatePublicIpAddress": True, "SubnetId": region.subnet}
    interface["Groups"] = [region.group]
    return launch(region, "public-address", SubnetId=None, SecurityGroupIds=None, NetworkInterfaces=[interface])


@hazard("elastic-address")
def elastic_address(region):
    """The address stays."""
    made = launch(region, "elastic-address")
    address = region.ec2.allocate_address(Domain="vpc")
    region.ec2.associate_address(InstanceId=made["instance"], AllocationId=address["AllocationId"])
    return {**made, "address": address["PublicIp"]}


@hazard("boots-from-its-root-only")
def boots_from_its_root_only(region):
    """From any other volume it goes back to stopped: the old one must go back."""
    made = launch(region, "boots-from-its-root-only")
    region.ground(boots_only={made["instance"]: [made["root"]]})
    return made


@hazard("does-not-boot-again")
def does_not_boot_again(region):
    """From no volume at all: there is nothing left but to say so."""
    made = launch(region, "does-not-boot-again")
    region.ground(boots_only={made["instance"]: []})
    return made


# -- groups that others rely on -----------------------------------------------------------------------


def open_group(region, name: str) -> dict:
    """A group of an instance that lets in SSH."""
    group = region.make_group(name)
    region.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[SSH])
    region.launch(name, SecurityGroupIds=[group])
    return {"rule": "sg-no-ingress", "resource": group}


@hazard("referenced-group")
def referenced_group(region):
    """Another group lets in, and a third lets out, what is in this one."""
    made = open_group(region, "referenced-group")
    group = made["resource"]
    pair = {"UserIdGroupPairs": [{"GroupId": group, "Description": "the application"}]}
    postgres = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, **pair}
    lets_in = region.make_group("lets-in-the-referenced-group")
    region.ec2.authorize_security_group_ingress(GroupId=lets_in, IpPermissions=[postgres])
    lets_out = region.make_group("lets-out-to-the-referenced-group", egress=[postgres])
    return {**made, "lets_in": lets_in, "lets_out": lets_out}


@hazard("group-that-references-itself")
def group_that_references_itself(region):
    """No other group relies on it."""
    made = open_group(region, "group-that-references-itself")
    group = made["resource"]
    itself = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group, "Description": "its own"}]}
    region.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[itself])
    return made


@hazard("group-of-a-load-balancer")
def group_of_a_load_balancer(region):
    """An interface of another service is in it, too."""
    made = open_group(region, "group-of-a-load-balancer")
    group = made["resource"]
    interface = region.ec2.create_network_interface(
        SubnetId=region.subnet, Groups=[group], Description="ELB app/web/50dc6c495c0c9188"
    )["NetworkInterface"]["NetworkInterfaceId"]
    region.ground(requesters={interface: "amazon-elb"})
    return {**made, "interface": interface}


@hazard("group-with-all-kinds-of-rules")
def group_with_all_kinds_of_rules(region):
    """Ranges of both kinds, a prefix list, a group; with descriptions and without: undo must bring back each."""
    made = open_group(region, "group-with-all-kinds-of-rules")
    group = made["resource"]
    other = region.make_group("a-peer")
    prefixes = region.ec2.create_managed_prefix_list(
        PrefixListName="offices", AddressFamily="IPv4", MaxEntries=5, Entries=[{"Cidr": "192.0.2.0/24"}]
    )["PrefixList"]["PrefixListId"]
    rules = {
        "IpProtocol": "tcp",
        "FromPort": 8000,
        "ToPort": 8100,
        "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "inside"}, {"CidrIp": "198.51.100.0/24"}],
        "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32", "Description": "inside, too"}, {"CidrIpv6": "::/0"}],
        "PrefixListIds": [{"PrefixListId": prefixes, "Description": "offices"}],
        "UserIdGroupPairs": [{"GroupId": other, "Description": "a peer"}],
    }
    ping = {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    region.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[rules, ping, everything])
    region.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rules, ping])
    return {**made, "prefix_list": prefixes, "peer": other}


# -- buckets, keys, roles -----------------------------------------------------------------------------


@hazard("bucket-with-tags-of-aws")
def bucket_with_tags_of_aws(region):
    """S3 wants them named with the new ones, and no others added to them."""
    region.s3.put_bucket_tagging(Bucket=region.bucket, Tagging={"TagSet": tag_list({"Owner": "audit", "Note": ""})})
    region.ground(bucket_tags={region.bucket: {"aws:cloudformation:stack-name": "sessions"}})
    return {"rule": "s3-required-tags", "resource": region.bucket}


@hazard("bucket-in-use")
def bucket_in_use(region):
    """Objects, and a rule that expires them: versioning will keep what it thinks it deleted."""
    region.s3.delete_bucket(Bucket=region.bucket)
    region.make_bucket(object_lock=False)
    region.s3.put_object(Bucket=region.bucket, Key=f"{region.prefix}/session.log", Body=b"whoami")
    expire = {"ID": "a-month", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}}
    rules = {"Rules": [expire]}
    region.s3.put_bucket_lifecycle_configuration(Bucket=region.bucket, LifecycleConfiguration=rules)
    return {"rule": "s3-object-lock-enabled", "resource": region.bucket}


@hazard("oddly-written-key-policy")
def oddly_written_key_policy(region):
    """What is in it must come back as it was written: spaces, order, one statement instead of a list."""
    text = json.dumps({**region.admin_statement(), "Sid": "Verwaltung für alle"}, ensure_ascii=False, indent=3)
    policy = f' {{ "Statement" :\t{text},\n\n"Id":"key-1", "Version":"2012-10-17" }}\n'
    region.kms.put_key_policy(KeyId=region.key_id("logs"), PolicyName="default", Policy=policy)
    return {"rule": "kms-policy-grants-logs", "resource": region.key_id("logs"), "policy": policy}


@hazard("node-that-may-not-decrypt")
def node_that_may_not_decrypt(region):
    """No session key is set, and the role of one of two nodes may not use the one that there is: to set it
    first would lock that node out."""
    role = "role-without-key"
    region.make_role(role, f"ec2.{suffix_of(region.name)}", [region])
    region.delete_role_policy("session-key", role=role)
    region.make_profile(role, role)
    instance = region.launch(role, IamInstanceProfile={"Name": role})
    region.change_preferences(inputs={"kmsKeyId": ""})
    return {"rule": "ssm-session-key-set", "resource": DOCUMENT, "instance": instance, "role": role}


@hazard("preferences-that-were-right")
def preferences_that_were_right(region):
    """What is to be written is word for word what an earlier version says: Systems Manager refuses it."""
    plain = json.dumps(json.loads(region.document()), separators=(",", ":"))
    region.ssm.update_document(Name=DOCUMENT, DocumentVersion="$LATEST", DocumentFormat="JSON", Content=plain)
    region.change_preferences(inputs={"idleSessionTimeout": "60"})
    return {"rule": "ssm-idle-timeout", "resource": DOCUMENT}
