"""Compliant accounts that look different: what must not be mistaken for a fault.

A function changes the first region of a compliant account and returns what it made. Beside it stand the
verdicts, other than `pass` and `not_applicable`, that are right after it: mostly none.
"""

from datetime import datetime, timedelta, timezone

from accounts import (
    AMI_WINDOWS,
    DOCUMENT,
    EVERYWHERE,
    GROUP,
    HTTPS,
    HYBRID_ROLE,
    ROLE,
    Account,
    Region,
    policy,
    statement,
    suffix_of,
    trust,
)

VARIATIONS = {}
HOST_MANAGEMENT = "/ssm/managed-instance/default-ec2-instance-management-role"
HOST_ROLE = "AWSSystemsManagerDefaultEC2InstanceManagementRole"


def holds(name: str, **expected: str):
    """Registers a variation; `expected` is rule (with _ for -) to verdict."""

    def register(function):
        assert name not in VARIATIONS, name
        VARIATIONS[name] = (function, {rule.replace("_", "-"): verdict for rule, verdict in expected.items()})
        return function

    return register


# -- instances --------------------------------------------------------------------------------------


@holds("windows-node")
def windows_node(region):
    """DescribeInstanceInformation does not tell whether a Windows agent is the latest: nothing is said of it."""
    return region.launch("windows", ImageId=AMI_WINDOWS)


@holds("stopped-instance")
def stopped(region):
    instance = region.launch("batch")
    region.ec2.stop_instances(InstanceIds=[instance])
    region.ground(nodes=[{"InstanceId": instance, "PingStatus": "ConnectionLost"}])
    return instance


@holds("terminated-instance")
def terminated(region):
    """Terminated instances stay listed for an hour; nothing about them matters."""
    instance = region.launch("gone", MetadataOptions=None, Monitoring=None)
    region.ec2.terminate_instances(InstanceIds=[instance])
    region.ground(remove=[instance])
    return instance


@holds("just-launched")
def just_launched(region):
    """Nodes take some minutes to register."""
    instance = region.launch("young", register=False)
    minute_ago = datetime.now(timezone.utc) - timedelta(minutes=1)
    region.ground(launched={instance: minute_ago.isoformat()})
    return instance


@holds("root-not-mapped", ec2_root_volume_encrypted="unknown", iam_role_uses_volume_key="unknown")
def root_not_mapped(region):
    data = {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 8, "VolumeType": "gp3", "Encrypted": True}}
    return region.launch("detached-root", BlockDeviceMappings=[data])


@holds("account-default-volume-key")
def default_volume_key(region):
    """Encrypted with the account's AWS-managed key: no grant of the role's is needed."""
    volume = {"VolumeSize": 8, "VolumeType": "gp3", "Encrypted": True}
    return region.launch("default-key", BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": volume}])


@holds("host-management")
def host_management(region):
    """An instance without a profile, managed through the role that default host management names."""
    region.make_role(HOST_ROLE, "ssm.amazonaws.com", region.account.regions, path="/service-role/")
    region.ssm.update_service_setting(SettingId=HOST_MANAGEMENT, SettingValue=f"service-role/{HOST_ROLE}")
    return region.launch("no-profile", IamInstanceProfile=None)


@holds("application-profile")
def application_profile(region):
    """The role of the profile is an application's: the agent has the role of default host management."""
    host_management(region)
    region.make_profile("orders", region.make_application_role("orders"))
    instance = region.launch("orders", IamInstanceProfile={"Name": "orders"})
    region.ground(nodes=[{**region.node(instance), "IamRole": HOST_ROLE}])
    return instance


@holds("application-profile-not-registered", ssm_instance_managed="fail")
def application_profile_not_registered(region):
    """Without a node, too: the role does not let the agent register."""
    host_management(region)
    region.make_profile("orders", region.make_application_role("orders"))
    return region.launch("orders", register=False, IamInstanceProfile={"Name": "orders"})


@holds("newer-agents")
def newer_agents(region):
    """Agents from 3.3.40.0 on do not ask ec2messages."""
    if len(region.account.regions) == 1:
        region.put_role_policy("no-ec2messages", {**statement("ec2messages:*", "*"), "Effect": "Deny"})
    return ROLE


@holds("managed-instance")
def managed_instance(region):
    """Another service manages it and hides it; what only that service can change is not asked of the customer."""
    instance = region.launch("worker", register=False, Monitoring={"Enabled": False}, MetadataOptions={})
    region.ground(operators={instance: "eks.amazonaws.com"})
    return instance


@holds("hybrid-node")
def hybrid_node(region):
    region.make_role(HYBRID_ROLE, "ssm.amazonaws.com", region.account.regions)
    return region.register_hybrid("mi-0123456789abcdef0")


@holds("seventy-nodes")
def seventy_nodes(region):
    """More than a page of DescribeInstanceInformation."""
    region.make_role(HYBRID_ROLE, "ssm.amazonaws.com", region.account.regions)
    nodes = [f"mi-{number:017x}" for number in range(70)]
    for node in nodes:
        region.register_hybrid(node)
    return nodes


@holds("second-group")
def second_group(region):
    """The permissions of an interface are those of all its groups."""
    narrow = region.make_group("narrow", egress=[{**HTTPS, "IpRanges": EVERYWHERE}])
    region.ec2.modify_instance_attribute(InstanceId=region.instances[0], Groups=[region.group, narrow])
    return narrow


# -- egress -----------------------------------------------------------------------------------------


@holds("egress-in-halves")
def egress_in_halves(region):
    halves = [{"CidrIp": cidr, "Description": "half of all"} for cidr in ("0.0.0.0/1", "128.0.0.0/1")]
    region.set_egress({**HTTPS, "IpRanges": halves})
    region.forget_node()
    return region.group


def make_endpoints(region, private_dns: bool = True) -> str:
    """Interface endpoints for ssm and ssmmessages, in a group of their own."""
    group = region.make_group("endpoints")
    for service in ("ssm", "ssmmessages"):
        region.ec2.create_vpc_endpoint(
            VpcEndpointType="Interface",
            VpcId=region.vpc,
            ServiceName=f"com.amazonaws.{region.name}.{service}",
            SubnetIds=[region.subnet],
            SecurityGroupIds=[group],
            PrivateDnsEnabled=private_dns,
        )
    return group


def endpoint_ranges(region) -> list:
    """The addresses of the endpoints' interfaces, each as a range; moto takes them from anywhere."""
    endpoints = region.ec2.describe_vpc_endpoints()["VpcEndpoints"]
    interfaces = [id for endpoint in endpoints for id in endpoint["NetworkInterfaceIds"]]
    found = region.ec2.describe_network_interfaces(NetworkInterfaceIds=interfaces)["NetworkInterfaces"]
    return [f"{interface['PrivateIpAddress']}/32" for interface in found]


@holds("egress-to-endpoint-group")
def egress_to_endpoint_group(region):
    group = make_endpoints(region)
    region.set_egress({**HTTPS, "UserIdGroupPairs": [{"GroupId": group, "Description": "to the endpoints"}]})
    region.forget_node()
    return group


@holds("egress-to-endpoint-addresses")
def egress_to_endpoint_addresses(region):
    make_endpoints(region)
    ranges = endpoint_ranges(region)
    region.set_egress({**HTTPS, "IpRanges": [{"CidrIp": cidr, "Description": "to the endpoints"} for cidr in ranges]})
    region.forget_node()
    return ranges


@holds("egress-to-prefix-list")
def egress_to_prefix_list(region):
    make_endpoints(region)
    entries = [{"Cidr": cidr, "Description": "endpoint"} for cidr in endpoint_ranges(region)]
    prefixes = region.ec2.create_managed_prefix_list(
        PrefixListName="endpoints", AddressFamily="IPv4", MaxEntries=5, Entries=entries
    )["PrefixList"]["PrefixListId"]
    region.set_egress({**HTTPS, "PrefixListIds": [{"PrefixListId": prefixes, "Description": "to the endpoints"}]})
    region.forget_node()
    return prefixes


@holds("egress-to-a-hub")
def egress_to_a_hub(region):
    """The endpoints are in another VPC, and the node is online: it gets there."""
    region.set_egress({**HTTPS, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "to the hub"}]})
    return region.group


@holds("egress-to-a-hub-not-online", ec2_https_egress_allowed="unknown", ssm_node_online="fail")
def egress_to_a_hub_not_online(region):
    region.ground(nodes=[{"InstanceId": region.instances[0], "PingStatus": "ConnectionLost"}])
    return egress_to_a_hub(region)


@holds("endpoints-without-private-dns", ec2_https_egress_allowed="unknown", ssm_node_online="fail")
def endpoints_without_private_dns(region):
    """The services' names do not lead to these endpoints, as far as can be seen."""
    group = make_endpoints(region, private_dns=False)
    region.set_egress({**HTTPS, "UserIdGroupPairs": [{"GroupId": group, "Description": "to the endpoints"}]})
    region.ground(nodes=[{"InstanceId": region.instances[0], "PingStatus": "ConnectionLost"}])
    return group


# -- roles and keys ---------------------------------------------------------------------------------


@holds("guide-policies")
def guide_policies(region):
    """As the guide attaches them: managed policies, one of them at its second version."""
    for name in ("session-log-group", "session-bucket"):
        region.delete_role_policy(name)
    region.iam.attach_role_policy(RoleName=ROLE, PolicyArn=region.managed_policy("policy/CloudWatchLogsFullAccess"))
    objects = ["s3:GetObject", "s3:PutObject", "s3:PutObjectAcl"]
    arn = region.iam.create_policy(
        PolicyName="ssm_logs_policy", PolicyDocument=policy(statement(objects, "arn:aws:s3:::old/*"))
    )
    arn = arn["Policy"]["Arn"]
    everywhere = [r.bucket_arn("/*") for r in region.account.regions]
    region.iam.create_policy_version(
        PolicyArn=arn, PolicyDocument=policy(statement(objects, everywhere)), SetAsDefault=True
    )
    region.iam.attach_role_policy(RoleName=ROLE, PolicyArn=arn)
    return arn


@holds("trust-as-list")
def trust_as_list(region):
    region.iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=trust({"Service": ["ec2.amazonaws.com"]}))
    return ROLE


@holds("unused-role")
def unused_role(region):
    """Roles and profiles that no instance uses are not looked at."""
    region.iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=trust({"AWS": "*"}))
    region.make_profile("unused", "deploy")
    return "deploy"


@holds("shared-profile")
def shared_profile(region):
    """Two profiles that lead to one role: one finding a role."""
    region.make_profile("second-profile")
    return region.launch("second", IamInstanceProfile={"Name": "second-profile"})


@holds("logs-key-guide-policy")
def guide_key_policy(region):
    """As the guide grants it: wildcard actions without a condition."""
    actions = ["kms:Decrypt*", "kms:Describe*", "kms:Encrypt*", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
    grant = region.logs_statement(Action=actions)
    grant.pop("Condition")
    region.set_key_policy("logs", region.admin_statement(), grant)
    return region.key_id("logs")


@holds("logs-key-any-group")
def any_group_key_policy(region):
    """As AWS's documentation grants it to all groups of an account."""
    arn = f"arn:{region.partition}:logs:{region.name}:{region.account.id}:*"
    condition = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": arn}}
    region.set_key_policy("logs", region.admin_statement(), region.logs_statement(Condition=condition))
    return region.key_id("logs")


@holds("session-key-by-id")
def key_by_id(region):
    region.change_preferences(inputs={"kmsKeyId": region.key_id("session")})
    return region.key_id("session")


@holds("session-key-by-alias")
def key_by_alias(region):
    region.change_preferences(inputs={"kmsKeyId": "alias/ssm-session"})
    return region.key_id("session")


@holds("key-policy-names-role")
def key_policy_names_role(region):
    """The key's policy suffices without a grant in IAM."""
    who = {"AWS": f"arn:{region.partition}:iam::{region.account.id}:role/{ROLE}"}
    region.set_key_policy("session", region.admin_statement(), statement("kms:Decrypt", "*", Principal=who))
    if len(region.account.regions) == 1:
        region.delete_role_policy("session-key")
    return region.key_id("session")


@holds("conditions-that-hold")
def conditions_that_hold(region):
    """What the grants ask of the request is so whenever the agent makes it."""
    own = {"aws:ResourceAccount": region.account.id, "aws:RequestedRegion": region.name}
    acl = {"StringEquals": {**own, "s3:x-amz-acl": "bucket-owner-full-control"}, "Bool": {"aws:ViaAWSService": "false"}}
    region.put_role_policy(
        "session-bucket",
        statement("s3:PutObject", region.bucket_arn(f"/{region.prefix}/*"), Condition=acl),
        statement("s3:GetEncryptionConfiguration", region.bucket_arn(), Condition={"StringEquals": own}),
    )
    arn = region.make_key("bucket")
    region.encrypt_bucket(SSEAlgorithm="aws:kms", KMSMasterKeyID=arn)
    through_s3 = {"StringEquals": {"kms:ViaService": f"s3.{region.name}.{suffix_of(region.name)}"}}
    region.put_role_policy("bucket-key", statement(["kms:GenerateDataKey", "kms:Decrypt"], arn, Condition=through_s3))
    region.put_role_policy(
        "session-log-group",
        statement("logs:DescribeLogGroups", "*"),
        statement(
            ["logs:DescribeLogStreams", "logs:CreateLogStream", "logs:PutLogEvents"],
            f"{region.group_arn}:log-stream:*",
            Condition={"StringEquals": own},
        ),
    )
    return ROLE


@holds("region-guard")
def region_guard(region):
    """A boundary that allows all in the regions in use, and nothing but global services elsewhere."""
    regions = [r.name for r in region.account.regions]
    everything = statement("*", "*")
    guard = {
        "Effect": "Deny",
        "NotAction": ["iam:*", "sts:*", "organizations:*", "support:*"],
        "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:RequestedRegion": regions}},
    }
    boundary = region.iam.create_policy(PolicyName="regions", PolicyDocument=policy(everything, guard))["Policy"]["Arn"]
    region.iam.put_role_permissions_boundary(RoleName=ROLE, PermissionsBoundary=boundary)
    return boundary


# -- destinations and preferences -------------------------------------------------------------------


@holds("bucket-with-key")
def bucket_with_key(region):
    arn = region.make_key("bucket")
    region.encrypt_bucket(SSEAlgorithm="aws:kms", KMSMasterKeyID=arn)
    region.put_role_policy("bucket-key", statement(["kms:GenerateDataKey", "kms:Decrypt"], arn))
    return arn


@holds("bucket-policy-as-usual")
def bucket_policy_as_usual(region):
    """What AWS's examples deny does not meet the agent."""
    everyone = {"Effect": "Deny", "Principal": "*", "Action": "s3:*"}
    both = [region.bucket_arn(), region.bucket_arn("/*")]
    acl = {"StringNotEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}
    algorithm = {"StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}}
    put = {**everyone, "Action": "s3:PutObject", "Resource": region.bucket_arn("/*")}
    document = policy(
        {**everyone, "Resource": both, "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {**everyone, "Resource": both, "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}},
        {**put, "Condition": acl},
        {**put, "Condition": algorithm},
    )
    region.s3.put_bucket_policy(Bucket=region.bucket, Policy=document)
    return region.bucket


@holds("bucket-policy-of-organization")
def bucket_policy_of_organization(region):
    """The bucket denies everything to whoever is not of the organisation that the account is in."""
    organizations = region.account.clients.get(region.account.id, "organizations", "us-east-1")
    own = organizations.create_organization(FeatureSet="ALL")["Organization"]["Id"]
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*"}
    both = [region.bucket_arn(), region.bucket_arn("/*")]
    strangers = {"StringNotEquals": {"aws:PrincipalOrgID": own}, "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}
    region.s3.put_bucket_policy(Bucket=region.bucket, Policy=policy({**deny, "Resource": both, "Condition": strangers}))
    return region.bucket


@holds("bucket-policy-names-session")
def bucket_policy_names_session(region):
    """A grant to a session is not limited by what the boundary leaves out, and needs none of the role's own."""
    region.delete_role_policy("session-bucket")
    everything_else = {"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}
    boundary = region.iam.create_policy(PolicyName="no-storage", PolicyDocument=policy(everything_else))["Policy"]["Arn"]
    region.iam.put_role_permissions_boundary(RoleName=ROLE, PermissionsBoundary=boundary)
    session = f"arn:{region.partition}:sts::{region.account.id}:assumed-role/{ROLE}/{region.instances[0]}"
    grant = statement("s3:PutObject", region.bucket_arn("/*"), Principal={"AWS": session})
    region.s3.put_bucket_policy(Bucket=region.bucket, Policy=policy(grant))
    return region.bucket


def make_archive(region) -> tuple:
    """A bucket of the account that keeps the logs, and the role's own grants for it."""
    archive = Region(Account("9" + region.account.id[1:], region.account.clients), region.name)
    archive.bucket = f"log-archive-{archive.account.id}"
    archive.create_bucket(archive.bucket)
    region.change_preferences(inputs={"s3BucketName": archive.bucket})
    arn = f"arn:{region.partition}:s3:::{archive.bucket}"
    region.put_role_policy(
        "session-bucket",
        statement("s3:PutObject", f"{arn}/{region.prefix}/*"),
        statement("s3:GetEncryptionConfiguration", arn),
    )
    return archive, arn


@holds("bucket-of-log-archive", iam_role_writes_s3="unknown")
def bucket_of_log_archive(region):
    """The bucket is another account's, of which nothing is read: that it exists is all that it says."""
    archive, _ = make_archive(region)
    return archive.bucket


@holds("bucket-of-log-archive-that-admits", iam_role_writes_s3="unknown")
def admitting_log_archive(region):
    """As landing zones make it: whoever is of the organisation may write, with the key of the log archive."""
    archive, arn = make_archive(region)
    organizations = region.account.clients.get(region.account.id, "organizations", "us-east-1")
    own = organizations.create_organization(FeatureSet="ALL")["Organization"]["Id"]
    members = {"Principal": {"AWS": "*"}, "Condition": {"StringEquals": {"aws:PrincipalOrgID": own}}}
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    deny = {"Effect": "Deny", "Principal": "*", "Condition": insecure}
    archive.s3.put_bucket_policy(
        Bucket=archive.bucket,
        Policy=policy(
            statement("s3:PutObject", f"{arn}/AWSLogs/*", **members),
            statement("s3:*", [arn, f"{arn}/*"]) | deny,
        ),
    )
    rules = [{"ObjectOwnership": "BucketOwnerEnforced"}]
    archive.s3.put_bucket_ownership_controls(Bucket=archive.bucket, OwnershipControls={"Rules": rules})
    key = archive.make_key("archive", statement(["kms:GenerateDataKey*", "kms:Decrypt"], "*", **members))
    archive.encrypt_bucket(SSEAlgorithm="aws:kms", KMSMasterKeyID=key)
    region.put_role_policy("archive-key", statement(["kms:GenerateDataKey", "kms:Decrypt"], key))
    return archive.bucket


@holds("default-retention")
def default_retention(region):
    """Object lock with a retention, which keeps what is in the bucket."""
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 90}}
    region.s3.put_object_lock_configuration(
        Bucket=region.bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    return region.bucket


@holds("flags-satisfied")
def flags_satisfied(region):
    region.change_preferences(inputs={"s3EncryptionEnabled": True, "cloudWatchEncryptionEnabled": True})
    return DOCUMENT


@holds("idle-timeout-absent")
def idle_timeout_absent(region):
    """Absent counts as the default, twenty minutes."""
    region.change_preferences(inputs={"idleSessionTimeout": None})
    return DOCUMENT


@holds("later-default")
def later_default(region):
    region.change_preferences(description="second version, made the default")
    return DOCUMENT


@holds("longer-retention")
def longer_retention(region):
    region.logs.put_retention_policy(logGroupName=GROUP, retentionInDays=365)
    return GROUP


@holds("neighbours")
def neighbours(region):
    """Keys, buckets, groups and documents that Session Manager does not use are not looked at."""
    region.kms.create_key(Description="of something else")
    region.create_bucket(f"elsewhere-{region.account.id}-{region.name}")
    region.logs.create_log_group(logGroupName=f"{GROUP}-old")
    region.logs.create_log_group(logGroupName="/aws/lambda/f")
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    return region.make_group("unattached", egress=everything)
