"""Builds accounts on an emulator: one that holds to the guide, one for each way to break it, a demo.

    python accounts.py --endpoint-url URL --account 111111111111 --region us-east-1 [--region …]
                       [--break NAME …] [--vary NAME …] [--hazard NAME …] [--instances N]
    python accounts.py --endpoint-url URL --account 111111111111 --break-everything
                                                        as much as can be broken at once, see everything.py
    python accounts.py --endpoint-url URL --account 111111111111 --untouched
                                                        two instances without a profile, and nothing else
    python accounts.py … --bare --instances N           instances that hold to the guide, and nothing to log to
    python accounts.py … --copies N                     N accounts like that, numbered from the one given
    python accounts.py --endpoint-url URL --matrix      an account for each breakage and each variation, or with
                                                        --break, for each of these breakages
    python accounts.py --endpoint-url URL --demo        three accounts in different states
    python accounts.py --endpoint-url URL --account 111111111111 --user-policy JSON     a user with that policy
    python accounts.py --names                          what can be broken, and what follows from it

With --ssm-endpoint-url, what concerns Systems Manager is made there: ministack has no documents.

Prints JSON: ids of what was made, credentials that lead to the account, and for each breakage the
resources on which its rule must now fail. It talks to the server through boto3, the reference client,
so that a misunderstanding of ours about the API shows here and not only in ssm-audit.
"""

import argparse
import json
import sys
import urllib.request
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import boto3
from botocore.config import Config

LAUNCHED = "2026-01-05T08:00:00Z"  # long enough ago for every node to have registered
AMI_LINUX = "ami-0b301ce3ce347599c"  # moto's Amazon Linux, root device /dev/xvda
AMI_WINDOWS = "ami-b7e93bce"  # moto's Windows Server 2016, root device /dev/sda1
AGENT_LATEST = "3.3.2299.0"
AGENT_OLD = "3.1.1732.0"
TAGS = {"AppID": "session-manager", "DataType": "Sensitive"}
GROUP = "/ssm/sessions"
DOCUMENT = "SSM-SessionManagerRunShell"
ROLE = "ssm-ec2-role"
PROFILE = "ssm-demo-profile"
HYBRID_ROLE = "SSMServiceRole"
CORE = "policy/AmazonSSMManagedInstanceCore"
HTTPS = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
EVERYWHERE = [{"CidrIp": "0.0.0.0/0", "Description": "allow outbound traffic over 443"}]


def partition_of(region: str) -> str:
    return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rsplit("-", 2)[0], "aws")


def suffix_of(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"


def tag_list(tags: dict) -> list:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def statement(actions, resources, **more) -> dict:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def policy(*statements) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(*principals) -> str:
    allow = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    return policy(*({**allow, "Principal": principal} for principal in principals))


class Clients:
    """boto3 clients of one endpoint, shared by all accounts: the credentials say which one is meant."""

    def __init__(self, endpoint: str, ssm_endpoint: str = ""):
        self.endpoint = endpoint
        self.ssm_endpoint = ssm_endpoint or endpoint
        self.session = boto3.Session(aws_access_key_id="000000000000", aws_secret_access_key="test")
        self.config = Config(
            retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, connect_timeout=5, read_timeout=60
        )
        self.made = {}

    def get(self, account: str, service: str, region: str):
        self.session.get_credentials().access_key = account
        if (service, region) not in self.made:
            endpoint = self.ssm_endpoint if service == "ssm" else self.endpoint
            self.made[service, region] = self.session.client(
                service, region_name=region, endpoint_url=endpoint, config=self.config
            )
        return self.made[service, region]


@dataclass
class Region:
    """What was made in one region, and the calls that work on it."""

    account: "Account"
    name: str
    vpc: str = ""
    subnet: str = ""
    group: str = ""
    instances: list = field(default_factory=list)
    keys: dict = field(default_factory=dict)  # session, logs, volumes: their ARNs
    bucket: str = ""
    access_log_bucket: str = ""
    inputs: dict = field(default_factory=dict)  # of the preferences

    def client(self, service: str):
        return self.account.clients.get(self.account.id, service, self.name)

    @property
    def ec2(self):
        return self.client("ec2")

    @property
    def iam(self):
        return self.client("iam")

    @property
    def kms(self):
        return self.client("kms")

    @property
    def logs(self):
        return self.client("logs")

    @property
    def s3(self):
        return self.client("s3")

    @property
    def ssm(self):
        return self.client("ssm")

    @property
    def partition(self) -> str:
        return partition_of(self.name)

    @property
    def prefix(self) -> str:
        return f"AWSLogs/{self.account.id}/ssm_session_logs"

    @property
    def group_arn(self) -> str:
        return f"arn:{self.partition}:logs:{self.name}:{self.account.id}:log-group:{GROUP}"

    @property
    def root_arn(self) -> str:
        return f"arn:{self.partition}:iam::{self.account.id}:root"

    def bucket_arn(self, rest: str = "") -> str:
        return f"arn:{self.partition}:s3:::{self.bucket}{rest}"

    def managed_policy(self, name: str) -> str:
        return f"arn:{self.partition}:iam::aws:{name}"

    def ground(self, **body) -> None:
        """Sets what AWS has no API for; see moto_additions.py."""
        if self.account.clients.ssm_endpoint != self.account.clients.endpoint:
            body.pop("launched", None)  # the instances are elsewhere
        data = json.dumps({"account": self.account.id, "region": self.name, **body}).encode()
        request = urllib.request.Request(f"{self.account.clients.ssm_endpoint}/_ground/nodes", data=data)
        try:
            urllib.request.urlopen(request).read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"the server did not take {body}: {error.read().decode()}") from error

    # -- keys ------------------------------------------------------------------------------------

    def admin_statement(self) -> dict:
        return statement("kms:*", "*", Sid="AccountAdministers", Principal={"AWS": self.root_arn})

    def logs_statement(self, **more) -> dict:
        """https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html"""
        allowed = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
        principal = {"Service": f"logs.{self.name}.{suffix_of(self.name)}"}
        condition = {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": self.group_arn}}
        defaults = {"Sid": "SessionLogs", "Principal": principal, "Condition": condition}
        return statement(allowed, "*", **{**defaults, **more})

    def make_key(self, use: str, *more) -> str:
        key = self.kms.create_key(
            Description=f"Session Manager: {use}",
            Policy=policy(self.admin_statement(), *more),
            Tags=[{"TagKey": key, "TagValue": value} for key, value in TAGS.items()],
        )["KeyMetadata"]
        self.kms.enable_key_rotation(KeyId=key["KeyId"])
        self.kms.create_alias(AliasName=f"alias/ssm-{use}", TargetKeyId=key["KeyId"])
        self.keys[use] = key["Arn"]
        return key["Arn"]

    def key_id(self, use: str) -> str:
        return self.keys[use].rsplit("/", 1)[1]

    def set_key_policy(self, use: str, *statements) -> None:
        """Also one that locks the account's root out."""
        document = {"PolicyName": "default", "Policy": policy(*statements), "BypassPolicyLockoutSafetyCheck": True}
        self.kms.put_key_policy(KeyId=self.key_id(use), **document)

    # -- destinations ----------------------------------------------------------------------------

    def make_log_group(self, **more) -> None:
        self.logs.create_log_group(logGroupName=GROUP, kmsKeyId=self.keys["logs"], tags=TAGS, **more)
        self.logs.put_retention_policy(logGroupName=GROUP, retentionInDays=30)

    def make_access_log_bucket(self) -> None:
        self.access_log_bucket = f"ssm-access-logs-{self.account.id}-{self.name}"
        self.create_bucket(self.access_log_bucket)
        deliver = statement(
            "s3:PutObject",
            f"arn:{self.partition}:s3:::{self.access_log_bucket}/*",
            Principal={"Service": "logging.s3.amazonaws.com"},
            Condition={"StringEquals": {"aws:SourceAccount": self.account.id}},
        )
        self.s3.put_bucket_policy(Bucket=self.access_log_bucket, Policy=policy(deliver))

    def make_bucket(self, object_lock: bool = True) -> None:
        self.bucket = f"ssm-sessions-{self.account.id}-{self.name}"
        self.create_bucket(self.bucket, ObjectLockEnabledForBucket=object_lock)
        self.encrypt_bucket(SSEAlgorithm="AES256")
        self.s3.put_bucket_tagging(Bucket=self.bucket, Tagging={"TagSet": tag_list(TAGS)})
        target = {"TargetBucket": self.access_log_bucket, "TargetPrefix": f"{self.bucket}/"}
        self.s3.put_bucket_logging(Bucket=self.bucket, BucketLoggingStatus={"LoggingEnabled": target})

    def create_bucket(self, name: str, **more) -> None:
        if self.name != "us-east-1":
            more["CreateBucketConfiguration"] = {"LocationConstraint": self.name}
        self.s3.create_bucket(Bucket=name, **more)

    def encrypt_bucket(self, **default) -> None:
        rules = [{"ApplyServerSideEncryptionByDefault": default}]
        self.s3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration={"Rules": rules})

    # -- preferences -----------------------------------------------------------------------------

    def document(self, **changes) -> str:
        inputs = {**self.inputs, **changes.pop("inputs", {})}
        content = {
            "schemaVersion": "1.0",
            "description": "SSM document to house preferences for session manager",
            "sessionType": "Standard_Stream",
            "inputs": {key: value for key, value in inputs.items() if value is not None},
        }
        return json.dumps({**content, **changes})

    def make_preferences(self) -> None:
        self.inputs = {
            "s3BucketName": self.bucket,
            "s3KeyPrefix": self.prefix,
            "s3EncryptionEnabled": False,
            "cloudWatchLogGroupName": GROUP,
            "cloudWatchEncryptionEnabled": False,
            "runAsEnabled": False,
            "kmsKeyId": self.keys["session"],
            "cloudWatchStreamingEnabled": True,
            "idleSessionTimeout": "20",
        }
        self.ssm.create_document(Name=DOCUMENT, DocumentType="Session", DocumentFormat="JSON", Content=self.document())

    def change_preferences(self, make_default: bool = True, **changes) -> None:
        answer = self.ssm.update_document(
            Name=DOCUMENT, DocumentVersion="$LATEST", DocumentFormat="JSON", Content=self.document(**changes)
        )
        self.inputs.update(changes.get("inputs", {}))
        if make_default:
            version = answer["DocumentDescription"]["DocumentVersion"]
            self.ssm.update_document_default_version(Name=DOCUMENT, DocumentVersion=version)

    # -- instances -------------------------------------------------------------------------------

    def find_network(self) -> None:
        self.vpc = self.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
        subnets = self.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["Subnets"]
        self.subnet = sorted(subnets, key=lambda s: s["AvailabilityZone"])[0]["SubnetId"]

    def make_group(self, name: str = "https-allow", egress=None) -> str:
        group = self.ec2.create_security_group(
            GroupName=name, Description="Security group to allow traffic over HTTPS 443", VpcId=self.vpc
        )["GroupId"]
        everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        self.ec2.revoke_security_group_egress(GroupId=group, IpPermissions=everything)
        for rule in [{**HTTPS, "IpRanges": EVERYWHERE}] if egress is None else egress:
            self.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[rule])
        return group

    def default_group(self) -> str:
        """The VPC's default group, with the rule that AWS gives it and moto does not: from itself, everything."""
        named = [{"Name": "group-name", "Values": ["default"]}, {"Name": "vpc-id", "Values": [self.vpc]}]
        group = self.ec2.describe_security_groups(Filters=named)["SecurityGroups"][0]
        if not group["IpPermissions"]:
            itself = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group["GroupId"]}]}]
            self.ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=itself)
        return group["GroupId"]

    def set_egress(self, *rules, group: str = "") -> None:
        """The rules that are wanted, in place of those that are there."""
        group = group or self.group
        there = self.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissionsEgress"]
        for rule in there:
            self.ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[rule])
        for rule in rules:
            self.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[rule])

    def launch(self, name: str = "cloud-security-ec2", register: bool = True, **changes) -> str:
        """An instance as the guide has it, but for the changes to RunInstances' members; None leaves one out."""
        windows = changes.get("ImageId") == AMI_WINDOWS
        volume = {"VolumeSize": 30, "VolumeType": "gp3", "DeleteOnTermination": True, "Encrypted": True}
        if "volumes" in self.keys:
            volume["KmsKeyId"] = self.keys["volumes"]
        request = {
            "ImageId": AMI_LINUX,
            "InstanceType": "t3.micro",
            "MinCount": 1,
            "MaxCount": 1,
            "SubnetId": self.subnet,
            "SecurityGroupIds": [self.group],
            "IamInstanceProfile": {"Name": PROFILE},
            "Monitoring": {"Enabled": True},
            "MetadataOptions": {
                "HttpTokens": "required",
                "HttpEndpoint": "enabled",
                "HttpPutResponseHopLimit": 1,
                "InstanceMetadataTags": "disabled",
            },
            "BlockDeviceMappings": [{"DeviceName": "/dev/sda1" if windows else "/dev/xvda", "Ebs": volume}],
            "TagSpecifications": [{"ResourceType": "instance", "Tags": tag_list({**TAGS, "Name": name})}],
            **changes,
        }
        request = {key: value for key, value in request.items() if value is not None}
        instance = self.ec2.run_instances(**request)["Instances"][0]["InstanceId"]
        self.instances.append(instance)
        nodes = [self.node(instance, windows)] if register else []
        self.ground(launched={instance: LAUNCHED}, nodes=nodes)
        return instance

    def node(self, instance: str, windows: bool = False) -> dict:
        """As DescribeInstanceInformation answers; it does not tell whether a Windows agent is the latest."""
        common = {
            "InstanceId": instance,
            "PingStatus": "Online",
            "LastPingDateTime": "2026-11-22T15:00:00Z",
            "AgentVersion": AGENT_LATEST,
            "ResourceType": "EC2Instance",
            "IPAddress": "172.31.0.10",
            "ComputerName": f"{instance}.internal",
        }
        if windows:
            name = "Microsoft Windows Server 2016 Datacenter"
            return {**common, "PlatformType": "Windows", "PlatformName": name, "PlatformVersion": "10.0.14393"}
        linux = {"PlatformType": "Linux", "PlatformName": "Amazon Linux", "PlatformVersion": "2023"}
        return {**common, **linux, "IsLatestVersion": True}

    def forget_node(self) -> None:
        """The first instance has just been launched, and is not registered yet. Of one whose node is online it is known
        that it reaches Systems Manager, whatever its security groups say."""
        minute_ago = datetime.now(timezone.utc) - timedelta(minutes=1)
        self.ground(remove=self.instances[:1], launched={self.instances[0]: minute_ago.isoformat()})

    def register_hybrid(self, node: str, role: str = HYBRID_ROLE, **changes) -> str:
        """An on-premises server, registered with a role of its own."""
        hybrid = {
            "ResourceType": "ManagedInstance",
            "ActivationId": "3f5e9c1a-7d0b-4f0e-9a52-0c3b6f1d2e84",
            "IamRole": role,
            "RegistrationDate": "2026-01-05T08:00:00Z",
            "Name": "rack-7",
            "ComputerName": "rack-7.example.com",
        }
        self.ground(nodes=[{**self.node(node), **hybrid, **changes}])
        return node

    # -- roles -----------------------------------------------------------------------------------

    def role_policies(self, regions: list) -> dict:
        """The scoped grants of a node's role, by the name of the inline policy; roles serve all regions."""
        regions = [region for region in regions if region.keys]
        if not regions:
            return {}
        groups = [arn for r in regions for arn in (r.group_arn, f"{r.group_arn}:*")]
        streams = ["logs:DescribeLogStreams", "logs:CreateLogStream", "logs:PutLogEvents"]
        return {
            "session-log-group": policy(statement("logs:DescribeLogGroups", "*"), statement(streams, groups)),
            "session-bucket": policy(
                statement("s3:PutObject", [r.bucket_arn(f"/{r.prefix}/*") for r in regions]),
                statement("s3:GetEncryptionConfiguration", [r.bucket_arn() for r in regions]),
            ),
            "session-key": policy(statement("kms:Decrypt", [r.keys["session"] for r in regions])),
            "volume-key": policy(statement(["kms:Decrypt", "kms:Encrypt"], [r.keys["volumes"] for r in regions])),
        }

    def put_role_policy(self, name: str, *statements, role: str = ROLE) -> None:
        self.iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=policy(*statements))

    def delete_role_policy(self, name: str, role: str = ROLE) -> None:
        self.iam.delete_role_policy(RoleName=role, PolicyName=name)

    def make_role(self, name: str, service: str, regions: list, path: str = "/") -> None:
        self.iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=trust({"Service": service}))
        self.iam.attach_role_policy(RoleName=name, PolicyArn=self.managed_policy(CORE))
        for policy_name, document in self.role_policies(regions).items():
            self.iam.put_role_policy(RoleName=name, PolicyName=policy_name, PolicyDocument=document)

    def make_application_role(self, name: str) -> str:
        """A role that says nothing of Systems Manager, and that others may assume, too."""
        services = {"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]}
        self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(services))
        self.put_role_policy("table", statement("dynamodb:GetItem", "*"), role=name)
        return name

    def make_profile(self, name: str = PROFILE, role: str = ROLE) -> None:
        self.iam.create_instance_profile(InstanceProfileName=name)
        if role:
            self.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)


@dataclass
class Account:
    id: str
    clients: Clients
    regions: list = field(default_factory=list)
    broken: dict = field(default_factory=dict)
    varied: dict = field(default_factory=dict)
    hazards: dict = field(default_factory=dict)

    @property
    def credentials(self) -> dict:
        """Environment that leads a client to this account."""
        return {
            "AWS_ACCESS_KEY_ID": self.id,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": self.regions[0].name,
        }

    def describe(self) -> dict:
        return {
            "account": self.id,
            "credentials": self.credentials,
            "role": ROLE,
            "profile": PROFILE,
            "regions": {
                r.name: {
                    "vpc": r.vpc,
                    "subnet": r.subnet,
                    "group": r.group,
                    "instances": r.instances,
                    "keys": r.keys,
                    "log_group": GROUP,
                    "bucket": r.bucket,
                    "access_log_bucket": r.access_log_bucket,
                    "document": DOCUMENT,
                    "inputs": r.inputs,
                }
                for r in self.regions
            },
            "broken": self.broken,
            "varied": self.varied,
            "hazards": self.hazards,
        }


def compliant(clients: Clients, account_id: str, regions: list, instances: int = 1, bare: bool = False) -> Account:
    """An account in which every rule of the guide holds in every region given. A bare one has its network and its
    instances alone: no preferences, and nothing that they or the instances would refer to."""
    account = Account(account_id, clients)
    account.regions = [Region(account, name) for name in regions]
    for region in account.regions:
        region.find_network()
        region.group = region.make_group()
        if bare:
            continue
        region.make_key("session")
        region.make_key("logs", region.logs_statement())
        region.make_key("volumes")
        region.make_log_group()
        region.make_access_log_bucket()
        region.make_bucket()
        region.make_preferences()
    first = account.regions[0]
    first.make_role(ROLE, f"ec2.{suffix_of(first.name)}", account.regions)
    first.make_profile()
    for region in account.regions:
        for number in range(instances):
            region.launch("cloud-security-ec2" if instances == 1 else f"cloud-security-ec2-{number:04}")
    return account


def untouched(clients: Clients, account_id: str, regions: list) -> Account:
    """An account as they are before anyone looks: two instances a region, without a profile, preferences,
    keys, log group or bucket."""
    account = Account(account_id, clients)
    account.regions = [Region(account, name) for name in regions]
    for region in account.regions:
        region.find_network()
        for name in ("web", "bastion"):
            habits = {"IamInstanceProfile": None, "SecurityGroupIds": [region.default_group()], "Monitoring": None}
            tags = [{"ResourceType": "instance", "Tags": tag_list({"Name": name})}]
            region.launch(
                name,
                register=False,
                **habits,
                MetadataOptions={"HttpTokens": "optional"},
                BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "VolumeType": "gp3"}}],
                TagSpecifications=tags,
            )
    return account


def demo(clients: Clients) -> list:
    """A compliant account, one with a handful of realistic faults, and one as accounts are before anyone looks."""
    from breakages import BREAKAGES

    good = compliant(clients, "111111111111", ["us-east-1"], instances=2)

    mixed = compliant(clients, "222222222222", ["us-east-1"], instances=2)
    for name in (
        "sg-no-ingress",
        "logs-retention-set.never",
        "ssm-idle-timeout",
        "kms-rotation-enabled",
        "ec2-required-tags",
        "iam-role-s3-scoped.star",
        "ssm-agent-current",
    ):
        mixed.broken[name] = BREAKAGES[name](mixed.regions[0])
    region = mixed.regions[0]
    region.ec2.modify_instance_metadata_options(InstanceId=region.instances[1], HttpTokens="optional")

    return [good, mixed, untouched(clients, "333333333333", ["us-east-1"])]


def matrix(clients: Clients, regions: list, names: list) -> list:
    """An account for each breakage and each variation, or each breakage that is named, numbered from 100000000001
    in their order."""
    from breakages import BREAKAGES
    from variations import VARIATIONS

    accounts = []
    for name, apply in BREAKAGES.items():
        if names and name not in names:
            continue
        account = compliant(clients, str(100_000_000_001 + len(accounts)), regions)
        account.broken[name] = apply(account.regions[0])
        accounts.append(account)
    for name, (apply, _) in [] if names else VARIATIONS.items():
        account = compliant(clients, str(100_000_000_001 + len(accounts)), regions)
        account.varied[name] = apply(account.regions[0])
        accounts.append(account)
    return accounts


def user(clients: Clients, account_id: str, region: str, document: str) -> dict:
    """A user that may do what the policy says and no more, on a server that enforces policies."""
    iam = clients.get(account_id, "iam", region)
    name = f"user-{uuid.uuid4()}"  # tests that share the account make theirs at the same time
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="given", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    credentials = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    return {"account": account_id, "user": name, "credentials": credentials}


def names() -> dict:
    from breakages import ALSO, BREAKAGES, NOT_EXPRESSIBLE
    from hazards import HAZARDS
    from variations import VARIATIONS

    return {
        "breakages": {name: sorted(ALSO.get(name, [])) for name in BREAKAGES},
        "variations": {name: expected for name, (_, expected) in VARIATIONS.items()},
        "not_expressible": NOT_EXPRESSIBLE,
        "hazards": sorted(HAZARDS),
    }


def build(clients: Clients, account_id: str, regions: list, args: argparse.Namespace) -> Account:
    """An account as the arguments describe it."""
    from breakages import BREAKAGES
    from everything import break_everything
    from hazards import HAZARDS
    from variations import VARIATIONS

    if args.untouched:
        return untouched(clients, account_id, regions)
    account = compliant(clients, account_id, regions, args.instances, args.bare)
    for name in args.breaks:
        account.broken[name] = BREAKAGES[name](account.regions[0])
    for name in args.vary:
        account.varied[name] = VARIATIONS[name][0](account.regions[0])
    for name in args.hazards:
        account.hazards[name] = HAZARDS[name](account.regions[0])
    if args.break_everything:
        break_everything(account)
    return account


def main() -> None:
    parser = argparse.ArgumentParser(description="builds accounts on an AWS-compatible server")
    parser.add_argument("--endpoint-url")
    parser.add_argument("--ssm-endpoint-url", default="")
    parser.add_argument("--account", default="111111111111")
    parser.add_argument("--region", action="append", dest="regions")
    parser.add_argument("--break", action="append", dest="breaks", default=[], metavar="NAME")
    parser.add_argument("--vary", action="append", default=[], metavar="NAME")
    parser.add_argument("--hazard", action="append", dest="hazards", default=[], metavar="NAME")
    parser.add_argument("--break-everything", action="store_true")
    parser.add_argument("--untouched", action="store_true")
    parser.add_argument("--bare", action="store_true")
    parser.add_argument("--instances", type=int, default=1, help="in each region")
    parser.add_argument("--copies", type=int, help="so many accounts alike, numbered from the one given")
    parser.add_argument("--user-policy", metavar="JSON")
    parser.add_argument("--matrix", action="store_true")
    parser.add_argument("--demo", action="store_true")
    parser.add_argument("--names", action="store_true")
    args = parser.parse_args()
    regions = args.regions or ["us-east-1"]
    if args.names:
        json.dump(names(), sys.stdout, indent=2)
        return
    if not args.endpoint_url:
        parser.error("--endpoint-url is needed")
    known = names()
    for kind, asked in (("breakages", args.breaks), ("variations", args.vary), ("hazards", args.hazards)):
        for name in asked:
            if name not in known[kind]:
                parser.error(f"no such name among the {kind}: {name}")
    clients = Clients(args.endpoint_url.rstrip("/"), args.ssm_endpoint_url.rstrip("/"))
    if args.demo:
        made = [account.describe() for account in demo(clients)]
    elif args.user_policy:
        made = user(clients, args.account, regions[0], args.user_policy)
    elif args.matrix:
        made = [account.describe() for account in matrix(clients, regions, args.breaks)]
    elif args.copies:
        numbered = [f"{int(args.account) + number:012}" for number in range(args.copies)]
        made = [build(clients, account_id, regions, args).describe() for account_id in numbered]
    else:
        made = build(clients, args.account, regions, args).describe()
    json.dump(made, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
