"""What stands in the way of fixing: instances, volumes and groups that a fix must handle with care or refuse.

A function adds to the first region of a compliant account and returns the ids of what it made. What it adds
is broken, so that there is something to fix: an instance has a root volume that is not encrypted, a group
lets in SSH. Which rules fail besides those is of no interest here.
"""

from accounts import tag_list

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
    return {"instance": instance, "root": root_of(region, instance)}


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


def open_group(region, name: str) -> str:
    """A group of an instance that lets in SSH."""
    group = region.make_group(name)
    region.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[SSH])
    region.launch(name, SecurityGroupIds=[group])
    return group


@hazard("referenced-group")
def referenced_group(region):
    """Another group lets in, and a third lets out, what is in this one."""
    group = open_group(region, "referenced-group")
    pair = {"UserIdGroupPairs": [{"GroupId": group, "Description": "the application"}]}
    postgres = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, **pair}
    lets_in = region.make_group("lets-in-the-referenced-group")
    region.ec2.authorize_security_group_ingress(GroupId=lets_in, IpPermissions=[postgres])
    lets_out = region.make_group("lets-out-to-the-referenced-group", egress=[postgres])
    return {"group": group, "lets_in": lets_in, "lets_out": lets_out}


@hazard("group-that-references-itself")
def group_that_references_itself(region):
    """No other group relies on it."""
    group = open_group(region, "group-that-references-itself")
    itself = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group, "Description": "its own"}]}
    region.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[itself])
    return {"group": group}


@hazard("group-of-a-load-balancer")
def group_of_a_load_balancer(region):
    """An interface of another service is in it, too."""
    group = open_group(region, "group-of-a-load-balancer")
    interface = region.ec2.create_network_interface(
        SubnetId=region.subnet, Groups=[group], Description="ELB app/web/50dc6c495c0c9188"
    )["NetworkInterface"]["NetworkInterfaceId"]
    region.ground(requesters={interface: "amazon-elb"})
    return {"group": group, "interface": interface}


@hazard("group-with-all-kinds-of-rules")
def group_with_all_kinds_of_rules(region):
    """Ranges of both kinds, a prefix list, a group; with descriptions and without: undo must bring back each."""
    group = open_group(region, "group-with-all-kinds-of-rules")
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
    return {"group": group, "prefix_list": prefixes, "peer": other}
