"""Ways to break a compliant account: one function for each, named after the rule that must then fail.

`rule` and `rule.variant` break the same rule in different ways. A function changes the first region of a
compliant account and returns the resources on which the rule must fail, as {"type", "id"}. ALSO names the
other rules that rightly fail as a consequence; NOT_EXPRESSIBLE, the rules that no account on an emulator
can break, with the reason: those are tested from snapshots and from code.
"""

import json

from accounts import (
    AGENT_OLD,
    DOCUMENT,
    EVERYWHERE,
    GROUP,
    HTTPS,
    HYBRID_ROLE,
    PROFILE,
    ROLE,
    Region,
    policy,
    statement,
    tag_list,
    trust,
)

BREAKAGES = {}
ALSO = {}
NOT_EXPRESSIBLE = {
    "kms-deletion-window": "judged in code only: AWS keeps the window only while a deletion is pending",
}

DESCRIBED = "left over from a migration"


def breaks(name: str, also=()):
    """Registers a breakage; `also` are the rules that fail with it."""

    def register(function):
        assert name not in BREAKAGES, name
        BREAKAGES[name] = function
        if also:
            ALSO[name] = set(also)
        return function

    return register


def instance(id: str) -> list:
    return [{"type": "AWS::EC2::Instance", "id": id}]


def group(id: str) -> list:
    return [{"type": "AWS::EC2::SecurityGroup", "id": id}]


def role(name: str = ROLE) -> list:
    return [{"type": "AWS::IAM::Role", "id": name}]


def key(region, use: str) -> list:
    return [{"type": "AWS::KMS::Key", "id": region.key_id(use)}]


def log_group() -> list:
    return [{"type": "AWS::Logs::LogGroup", "id": GROUP}]


def bucket(region) -> list:
    return [{"type": "AWS::S3::Bucket", "id": region.bucket}]


def preferences() -> list:
    return [{"type": "SSM::SessionPreferences", "id": DOCUMENT}]


def node(id: str) -> list:
    return [{"type": "AWS::SSM::ManagedInstance", "id": id}]


# -- AWS::EC2::Instance -----------------------------------------------------------------------------


def metadata_breakage(name: str, **options):
    @breaks(name)
    def change(region):
        region.ec2.modify_instance_metadata_options(InstanceId=region.instances[0], **options)
        return instance(region.instances[0])


metadata_breakage("ec2-imdsv2-required", HttpTokens="optional")
metadata_breakage("ec2-imds-endpoint-enabled", HttpEndpoint="disabled")
metadata_breakage("ec2-imds-hop-limit", HttpPutResponseHopLimit=2)
metadata_breakage("ec2-imds-tags-disabled", InstanceMetadataTags="enabled")


@breaks("ec2-root-volume-encrypted")
def plain_root(region):
    plain = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "VolumeType": "gp3", "Encrypted": False}}]
    return instance(region.launch("plain-root", BlockDeviceMappings=plain))


@breaks("ec2-root-volume-encrypted.only-data-encrypted")
def plain_root_encrypted_data(region):
    plain = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "VolumeType": "gp3", "Encrypted": False}}
    data = {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 8, "VolumeType": "gp3", "Encrypted": True}}
    data["Ebs"]["KmsKeyId"] = region.keys["volumes"]
    return instance(region.launch("plain-root", BlockDeviceMappings=[plain, data]))


@breaks("ec2-detailed-monitoring")
def unmonitor(region):
    region.ec2.unmonitor_instances(InstanceIds=region.instances[:1])
    return instance(region.instances[0])


@breaks("ec2-instance-profile-attached")
def take_profile(region):
    of_instance = [{"Name": "instance-id", "Values": region.instances[:1]}]
    there = region.ec2.describe_iam_instance_profile_associations(Filters=of_instance)
    for association in there["IamInstanceProfileAssociations"]:
        region.ec2.disassociate_iam_instance_profile(AssociationId=association["AssociationId"])
    return instance(region.instances[0])


@breaks("ec2-instance-profile-attached.without-role")
def empty_profile(region):
    region.iam.remove_role_from_instance_profile(InstanceProfileName=PROFILE, RoleName=ROLE)
    return instance(region.instances[0])


@breaks("ec2-no-default-security-group", also=["sg-egress-https-only", "sg-no-ingress", "sg-rules-described"])
def add_default_group(region):
    region.ec2.modify_instance_attribute(InstanceId=region.instances[0], Groups=[region.group, region.default_group()])
    return instance(region.instances[0])


def egress_breakage(name: str, *rules, also=()):
    @breaks(name, also)
    def change(region):
        region.set_egress(*rules)
        if name.startswith("sg-"):
            return group(region.group)
        region.forget_node()
        return instance(region.instances[0])


def described(*ranges) -> list:
    return [{"CidrIp": cidr, "Description": DESCRIBED} for cidr in ranges]


egress_breakage("ec2-https-egress-allowed", {**HTTPS, "IpRanges": described("203.0.113.0/24")})
egress_breakage("ec2-https-egress-allowed.many-public-addresses", {**HTTPS, "IpRanges": described("64.0.0.0/3")})
egress_breakage("ec2-https-egress-allowed.none", also=["sg-egress-https-only"])
egress_breakage(
    "ec2-https-egress-allowed.udp",
    {"IpProtocol": "udp", "FromPort": 443, "ToPort": 443, "IpRanges": EVERYWHERE},
    also=["sg-egress-https-only"],
)


def make_endpoint(region, service: str) -> str:
    """An endpoint that the service's name leads to, in a group of its own."""
    group_of_endpoint = region.make_group(service)
    region.ec2.create_vpc_endpoint(
        VpcEndpointType="Interface",
        VpcId=region.vpc,
        ServiceName=f"com.amazonaws.{region.name}.{service}",
        SubnetIds=[region.subnet],
        SecurityGroupIds=[group_of_endpoint],
        PrivateDnsEnabled=True,
    )
    return group_of_endpoint


@breaks("ec2-https-egress-allowed.to-another-group")
def egress_to_some_group(region):
    """Not the group of an endpoint."""
    for service in ("ssm", "ssmmessages"):
        make_endpoint(region, service)
    other = region.make_group("databases")
    region.set_egress({**HTTPS, "UserIdGroupPairs": [{"GroupId": other, "Description": DESCRIBED}]})
    region.forget_node()
    return instance(region.instances[0])


@breaks("ec2-https-egress-allowed.one-endpoint-of-two")
def egress_to_half_the_endpoints(region):
    within_reach = make_endpoint(region, "ssm")
    make_endpoint(region, "ssmmessages")
    region.set_egress({**HTTPS, "UserIdGroupPairs": [{"GroupId": within_reach, "Description": DESCRIBED}]})
    region.forget_node()
    return instance(region.instances[0])


@breaks("ec2-required-tags")
def take_tag(region):
    region.ec2.delete_tags(Resources=region.instances[:1], Tags=[{"Key": "AppID"}])
    return instance(region.instances[0])


@breaks("ec2-required-tags.case")
def tag_of_other_case(region):
    region.ec2.delete_tags(Resources=region.instances[:1], Tags=[{"Key": "DataType"}])
    region.ec2.create_tags(Resources=region.instances[:1], Tags=tag_list({"datatype": "Sensitive"}))
    return instance(region.instances[0])


@breaks("ssm-instance-managed")
def forget_node(region):
    region.ground(remove=region.instances[:1])
    return instance(region.instances[0])


# -- AWS::EC2::SecurityGroup ------------------------------------------------------------------------

OUT = {**HTTPS, "IpRanges": EVERYWHERE}
egress_breakage(
    "sg-egress-https-only", OUT, {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": described("0.0.0.0/0")}
)
egress_breakage("sg-egress-https-only.everything", {"IpProtocol": "-1", "IpRanges": described("0.0.0.0/0")})
egress_breakage(
    "sg-egress-https-only.range",
    OUT,
    {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 444, "IpRanges": described("10.0.0.0/8")},
)
egress_breakage(
    "sg-egress-https-only.udp",
    OUT,
    {"IpProtocol": "udp", "FromPort": 443, "ToPort": 443, "IpRanges": described("0.0.0.0/0")},
)
egress_breakage(
    "sg-egress-https-only.ipv6",
    OUT,
    {"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0", "Description": DESCRIBED}]},
)
egress_breakage("sg-egress-https-only.no-egress")


def let_in(name: str, also=(), **rule):
    @breaks(name, also)
    def change(region):
        permissions = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, **rule}]
        region.ec2.authorize_security_group_ingress(GroupId=region.group, IpPermissions=permissions)
        return group(region.group)


let_in("sg-no-ingress", IpRanges=described("10.0.0.0/8"))
let_in("sg-no-ingress.ipv6", Ipv6Ranges=[{"CidrIpv6": "::/0", "Description": DESCRIBED}])
let_in("sg-rules-described.ingress", also=["sg-no-ingress"], IpRanges=[{"CidrIp": "10.0.0.0/8"}])
egress_breakage("sg-rules-described", {**HTTPS, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
egress_breakage("sg-rules-described.one-of-two", {**HTTPS, "IpRanges": [*EVERYWHERE, {"CidrIp": "10.0.0.0/8"}]})


# -- AWS::IAM::Role ---------------------------------------------------------------------------------


def trust_breakage(name: str, principals):
    @breaks(name)
    def change(region):
        region.iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=trust(*principals(region)))
        return role()


EC2 = {"Service": "ec2.amazonaws.com"}
trust_breakage("iam-role-trusts-ec2-only", lambda region: [EC2, {"AWS": region.root_arn}])
trust_breakage(
    "iam-role-trusts-ec2-only.another-service", lambda _: [{"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]}]
)
trust_breakage("iam-role-trusts-ec2-only.anyone", lambda _: [EC2, {"AWS": "*"}])
trust_breakage("iam-role-trusts-ec2-only.not-ec2", lambda _: [{"Service": "lambda.amazonaws.com"}])


@breaks("iam-role-trusts-ec2-only.hybrid")
def hybrid_role_trusts_ec2(region):
    region.make_role(HYBRID_ROLE, "ec2.amazonaws.com", region.account.regions)
    region.register_hybrid("mi-0123456789abcdef0")
    return role(HYBRID_ROLE)


@breaks("iam-role-ssm-core")
def detach_core(region):
    region.iam.detach_role_policy(RoleName=ROLE, PolicyArn=region.managed_policy("policy/AmazonSSMManagedInstanceCore"))
    return role()


@breaks("iam-role-ssm-core.denied")
def deny_core(region):
    region.put_role_policy("no-sessions", statement("ssmmessages:*", "*") | {"Effect": "Deny"})
    return role()


@breaks("iam-role-ssm-core.bounded")
def bound_core(region):
    """The boundary leaves out what sessions need, and nothing else."""
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "NotAction": "ssmmessages:*", "Resource": "*"}],
    }
    boundary = region.iam.create_policy(PolicyName="boundary", PolicyDocument=json.dumps(document))["Policy"]["Arn"]
    region.iam.put_role_permissions_boundary(RoleName=ROLE, PermissionsBoundary=boundary)
    return role()


def grant_taken(name: str, inline: str, also=()):
    @breaks(name, also)
    def change(region):
        region.delete_role_policy(inline)
        return role()


grant_taken("iam-role-writes-cloudwatch", "session-log-group")
grant_taken("iam-role-writes-s3", "session-bucket")
grant_taken("iam-role-uses-session-key", "session-key")
grant_taken("iam-role-uses-volume-key", "volume-key")

STREAMS = ["logs:DescribeLogStreams", "logs:CreateLogStream", "logs:PutLogEvents"]


@breaks("iam-role-writes-cloudwatch.describe-scoped")
def scope_describe(region):
    """DescribeLogGroups is authorised on all groups; a grant on one does not reach."""
    own = [region.group_arn, f"{region.group_arn}:*"]
    region.put_role_policy("session-log-group", statement(["logs:DescribeLogGroups", *STREAMS], own))
    return role()


@breaks("iam-role-writes-cloudwatch.another-group")
def grant_another_group(region):
    other = f"{region.group_arn}-old:*"
    region.put_role_policy("session-log-group", statement("logs:DescribeLogGroups", "*"), statement(STREAMS, other))
    return role()


@breaks("iam-role-writes-cloudwatch.denied")
def deny_put(region):
    region.put_role_policy("no-events", statement("logs:Put*", "*") | {"Effect": "Deny"})
    return role()


@breaks("iam-role-writes-s3.another-prefix")
def grant_another_prefix(region):
    region.put_role_policy("session-bucket", statement("s3:PutObject", region.bucket_arn("/elsewhere/*")))
    return role()


@breaks("iam-role-writes-s3.bucket-instead-of-objects")
def grant_the_bucket(region):
    region.put_role_policy("session-bucket", statement("s3:PutObject", region.bucket_arn()))
    return role()


@breaks("iam-role-writes-s3.bucket-policy")
def bucket_denies_put(region):
    """Whatever the role may do, the bucket denies it."""
    deny = statement("s3:PutObject", region.bucket_arn("/*"), Principal={"AWS": "*"}) | {"Effect": "Deny"}
    region.s3.put_bucket_policy(Bucket=region.bucket, Policy=policy(deny))
    return role()


@breaks("iam-role-writes-s3.bounded-grant-to-role")
def bounded_grant_of_bucket(region):
    """What the bucket policy grants to the role, as opposed to a session of it, is limited by the role's boundary."""
    region.delete_role_policy("session-bucket")
    everything_else = {"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}
    boundary = region.iam.create_policy(PolicyName="no-storage", PolicyDocument=policy(everything_else))["Policy"]["Arn"]
    region.iam.put_role_permissions_boundary(RoleName=ROLE, PermissionsBoundary=boundary)
    who = {"AWS": f"arn:{region.partition}:iam::{region.account.id}:role/{ROLE}"}
    region.s3.put_bucket_policy(
        Bucket=region.bucket, Policy=policy(statement("s3:PutObject", region.bucket_arn("/*"), Principal=who))
    )
    return role()


@breaks("iam-role-s3-scoped")
def grant_any_bucket(region):
    region.put_role_policy("read-objects", statement("s3:GetObject", f"arn:{region.partition}:s3:::*/*"))
    return role()


@breaks("iam-role-s3-scoped.star")
def grant_all_of_s3(region):
    region.put_role_policy("storage", statement("s3:*", "*"))
    return role()


@breaks("iam-role-s3-scoped.not-resource")
def grant_all_but_one_bucket(region):
    region.put_role_policy(
        "storage",
        {"Effect": "Allow", "Action": "s3:PutObject", "NotResource": f"arn:{region.partition}:s3:::payroll/*"},
    )
    return role()


@breaks("iam-role-s3-scoped.managed")
def attach_s3_full_access(region):
    region.iam.attach_role_policy(RoleName=ROLE, PolicyArn=region.managed_policy("policy/AmazonS3FullAccess"))
    return role()


@breaks("iam-role-uses-session-key.key-policy", also=["kms-policy-keeps-account-admin"])
def key_policy_without_account(region):
    """Grants in IAM count only where the key's policy leaves them to the account."""
    admin = {"Principal": {"AWS": region.iam.create_user(UserName="admin")["User"]["Arn"]}}
    region.set_key_policy("session", statement("kms:*", "*", **admin))
    return role()


@breaks("iam-role-uses-session-key.denied")
def key_policy_denies(region):
    who = {"AWS": f"arn:{region.partition}:iam::{region.account.id}:role/{ROLE}"}
    deny = {"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*", "Principal": who}
    region.set_key_policy("session", region.admin_statement(), deny)
    return role()


@breaks("iam-role-uses-session-key.bucket-key")
def bucket_key_without_grant(region):
    """A bucket encrypted with a key, which the role may not use."""
    region.make_key("bucket")
    region.encrypt_bucket(SSEAlgorithm="aws:kms", KMSMasterKeyID=region.keys["bucket"])
    return role()


@breaks("iam-role-uses-session-key.small-logs-only")
def bucket_key_without_decrypt(region):
    """Uploads of more than 5 MiB come in parts, for which S3 decrypts."""
    arn = region.make_key("bucket")
    region.encrypt_bucket(SSEAlgorithm="aws:kms", KMSMasterKeyID=arn)
    region.put_role_policy("bucket-key", statement("kms:GenerateDataKey", arn))
    return role()


# -- AWS::KMS::Key ----------------------------------------------------------------------------------


@breaks("kms-rotation-enabled")
def stop_rotation(region):
    region.kms.disable_key_rotation(KeyId=region.key_id("session"))
    return key(region, "session")


@breaks("kms-rotation-enabled.logs-key")
def stop_rotation_of_logs(region):
    region.kms.disable_key_rotation(KeyId=region.key_id("logs"))
    return key(region, "logs")


@breaks("kms-key-usable")
def disable_key(region):
    region.kms.disable_key(KeyId=region.key_id("session"))
    return key(region, "session")


@breaks("kms-key-usable.pending-deletion", also=["kms-rotation-enabled"])
def delete_key(region):
    """Rotation reads as off for as long as the deletion is pending."""
    region.kms.schedule_key_deletion(KeyId=region.key_id("logs"), PendingWindowInDays=30)
    return key(region, "logs")


def logs_key_policy(name: str, statements, also=()):
    @breaks(name, also)
    def change(region):
        region.set_key_policy("logs", *statements(region))
        return key(region, "logs")


def for_group(arn: str) -> dict:
    return {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": arn}}


logs_key_policy("kms-policy-grants-logs", lambda r: [r.admin_statement()])
logs_key_policy(
    "kms-policy-grants-logs.another-region",
    lambda r: [r.admin_statement(), r.logs_statement(Principal={"Service": "logs.ap-south-1.amazonaws.com"})],
)
logs_key_policy(
    "kms-policy-grants-logs.another-group",
    lambda r: [r.admin_statement(), r.logs_statement(Condition=for_group(f"{r.group_arn}-old"))],
)
logs_key_policy(
    "kms-policy-grants-logs.half-the-actions",
    lambda r: [r.admin_statement(), r.logs_statement(Action=["kms:Encrypt", "kms:Decrypt", "kms:Describe*"])],
)
logs_key_policy(
    "kms-policy-grants-logs.denied",
    lambda r: [r.admin_statement(), r.logs_statement(), r.logs_statement(Effect="Deny", Action="kms:GenerateDataKey*")],
)


@breaks("kms-policy-keeps-account-admin")
def take_administration(region):
    who = {"AWS": f"arn:{region.partition}:iam::{region.account.id}:role/{ROLE}"}
    look = statement(["kms:Describe*", "kms:Get*", "kms:PutKeyPolicy"], "*", Principal={"AWS": region.root_arn})
    region.set_key_policy("session", look, statement("kms:Decrypt", "*", Principal=who))
    return key(region, "session")


# -- AWS::Logs::LogGroup ----------------------------------------------------------------------------


@breaks("logs-retention-set")
def keep_a_week(region):
    region.logs.put_retention_policy(logGroupName=GROUP, retentionInDays=7)
    return log_group()


@breaks("logs-retention-set.never")
def keep_for_ever(region):
    region.logs.delete_retention_policy(logGroupName=GROUP)
    return log_group()


@breaks("logs-retention-set.delivery-class")
def delivery_class(region):
    region.logs.delete_log_group(logGroupName=GROUP)
    region.make_log_group(logGroupClass="DELIVERY")
    return log_group()


@breaks("logs-kms-encrypted")
def take_key(region):
    region.logs.disassociate_kms_key(logGroupName=GROUP)
    return log_group()


# -- AWS::S3::Bucket --------------------------------------------------------------------------------


@breaks("s3-object-lock-enabled")
def bucket_without_lock(region):
    region.s3.delete_bucket(Bucket=region.bucket)
    region.make_bucket(object_lock=False)
    return bucket(region)


@breaks("s3-encrypted")
def plain_bucket(region):
    """AWS encrypts every bucket since 2023, so this state is the emulator's and that of old snapshots."""
    region.s3.delete_bucket_encryption(Bucket=region.bucket)
    return bucket(region)


@breaks("s3-encrypted.key-missing", also=["iam-role-uses-session-key"])
def bucket_key_missing(region):
    """S3 keeps the name of a key that was deleted, and refuses every object."""
    gone = f"arn:{region.partition}:kms:{region.name}:{region.account.id}:key/00000000-0000-4000-8000-000000000000"
    region.encrypt_bucket(SSEAlgorithm="aws:kms", KMSMasterKeyID=gone)
    return bucket(region)


@breaks("s3-required-tags")
def take_bucket_tag(region):
    region.s3.put_bucket_tagging(Bucket=region.bucket, Tagging={"TagSet": tag_list({"DataType": "Sensitive"})})
    return bucket(region)


@breaks("s3-required-tags.none")
def take_bucket_tags(region):
    region.s3.delete_bucket_tagging(Bucket=region.bucket)
    return bucket(region)


@breaks("s3-access-logging")
def stop_access_logging(region):
    region.s3.put_bucket_logging(Bucket=region.bucket, BucketLoggingStatus={})
    return bucket(region)


# -- SSM::SessionPreferences ------------------------------------------------------------------------


def inputs_breakage(name: str, also=(), **inputs):
    @breaks(name, also)
    def change(region):
        region.change_preferences(inputs=inputs)
        return preferences()


NOTHING_SET = [
    "ssm-logs-to-s3",
    "ssm-logs-to-cloudwatch",
    "ssm-session-key-set",
]


@breaks("ssm-preferences-exist", also=NOTHING_SET)
def delete_preferences(region):
    region.ssm.delete_document(Name=DOCUMENT)
    return preferences()


@breaks("ssm-preferences-valid")
def other_session_type(region):
    region.change_preferences(sessionType="InteractiveCommands")
    return preferences()


@breaks("ssm-preferences-valid.schema-version")
def other_schema(region):
    region.change_preferences(schemaVersion="0.9")
    return preferences()


inputs_breakage("ssm-preferences-valid.wrong-type", runAsDefaultUser=7)
inputs_breakage("ssm-preferences-valid.flag-as-text", runAsEnabled="false")
inputs_breakage("ssm-preferences-valid.minutes-as-number", idleSessionTimeout=15)
inputs_breakage("ssm-preferences-valid.unknown-input", maxSesionDuration="60")
inputs_breakage("ssm-preferences-valid.shell-profile", shellProfile="exec bash")


@breaks("ssm-preferences-valid.default-is-not-latest")
def later_version(region):
    """Which of the two sessions use has differed. The later one changes what no rule speaks of."""
    region.change_preferences(make_default=False, description="not yet the default")
    return preferences()


@breaks("ssm-encryption-flags-satisfiable")
def role_cannot_look(region):
    """The agent asks for the bucket's encryption before it starts a session."""
    region.change_preferences(inputs={"s3EncryptionEnabled": True})
    region.put_role_policy("session-bucket", statement("s3:PutObject", region.bucket_arn(f"/{region.prefix}/*")))
    return preferences()


@breaks("ssm-encryption-flags-satisfiable.group-without-key", also=["logs-kms-encrypted"])
def group_without_key(region):
    region.change_preferences(inputs={"cloudWatchEncryptionEnabled": True})
    region.logs.disassociate_kms_key(logGroupName=GROUP)
    return preferences()


@breaks("ssm-encryption-flags-satisfiable.plain-bucket", also=["s3-encrypted"])
def flag_on_plain_bucket(region):
    region.change_preferences(inputs={"s3EncryptionEnabled": True})
    region.s3.delete_bucket_encryption(Bucket=region.bucket)
    return preferences()


@breaks("ssm-encryption-flags-satisfiable.bucket-policy")
def bucket_hides_encryption(region):
    region.change_preferences(inputs={"s3EncryptionEnabled": True})
    everyone = {"Effect": "Deny", "Principal": {"AWS": "*"}}
    deny = statement("s3:GetEncryptionConfiguration", region.bucket_arn()) | everyone
    region.s3.put_bucket_policy(Bucket=region.bucket, Policy=policy(deny))
    return preferences()


inputs_breakage("ssm-logs-to-s3", s3BucketName="")
inputs_breakage("ssm-logs-to-s3.absent", s3BucketName=None)


@breaks("ssm-logs-to-s3.bucket-missing")
def delete_bucket(region):
    region.s3.delete_bucket(Bucket=region.bucket)
    return preferences()


@breaks("ssm-s3-key-prefix")
def other_prefix(region):
    region.change_preferences(inputs={"s3KeyPrefix": "logs"})
    region.put_role_policy("other-prefix", statement("s3:PutObject", region.bucket_arn("/logs/*")))
    return preferences()


@breaks("ssm-s3-key-prefix.empty")
def no_prefix(region):
    region.change_preferences(inputs={"s3KeyPrefix": ""})
    region.put_role_policy("any-prefix", statement("s3:PutObject", region.bucket_arn("/*")))
    return preferences()


inputs_breakage("ssm-s3-key-prefix.role-not-told", also=["iam-role-writes-s3"], s3KeyPrefix="logs")
inputs_breakage("ssm-logs-to-cloudwatch", cloudWatchLogGroupName="")


@breaks("ssm-logs-to-cloudwatch.group-missing")
def delete_group(region):
    region.logs.delete_log_group(logGroupName=GROUP)
    return preferences()


@breaks("ssm-logs-to-cloudwatch.only-a-longer-name")
def longer_name(region):
    """DescribeLogGroups answers by prefix."""
    region.logs.delete_log_group(logGroupName=GROUP)
    region.logs.create_log_group(logGroupName=f"{GROUP}-old")
    return preferences()


inputs_breakage("ssm-logs-streamed", cloudWatchStreamingEnabled=False)
inputs_breakage("ssm-session-key-set", kmsKeyId="")


@breaks("ssm-session-key-set.key-missing")
def missing_key(region):
    gone = f"arn:{region.partition}:kms:{region.name}:{region.account.id}:key/00000000-0000-4000-8000-000000000000"
    region.change_preferences(inputs={"kmsKeyId": gone})
    region.put_role_policy("session-key", statement("kms:Decrypt", gone))
    return preferences()


@breaks("ssm-session-key-set.asymmetric")
def asymmetric_key(region):
    """GenerateDataKey takes symmetric keys for encryption only: no session starts."""
    document = {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT", "Policy": policy(region.admin_statement())}
    arn = region.kms.create_key(**document)["KeyMetadata"]["Arn"]
    region.change_preferences(inputs={"kmsKeyId": arn})
    region.put_role_policy("session-key", statement("kms:Decrypt", arn))
    return preferences()


@breaks("ssm-session-key-set.of-another-region")
def key_of_another_region(region):
    """Agent and plug-in ask KMS in the region of the session."""
    there = Region(region.account, "eu-west-1" if region.name != "eu-west-1" else "us-east-1")
    arn = there.make_key("elsewhere")
    region.change_preferences(inputs={"kmsKeyId": arn})
    region.put_role_policy("session-key", statement("kms:Decrypt", arn))
    return preferences()


inputs_breakage("ssm-idle-timeout", idleSessionTimeout="60")
inputs_breakage("ssm-idle-timeout.zero", idleSessionTimeout="0")
inputs_breakage("ssm-run-as-disabled", runAsEnabled=True, runAsDefaultUser="ssm-user")


# -- AWS::SSM::ManagedInstance ----------------------------------------------------------------------


def node_breakage(name: str, **members):
    @breaks(name)
    def change(region):
        region.ground(nodes=[{"InstanceId": region.instances[0], **members}])
        return node(region.instances[0])


node_breakage("ssm-node-online", PingStatus="ConnectionLost", LastPingDateTime="2026-10-01T04:00:00Z")
node_breakage("ssm-node-online.inactive", PingStatus="Inactive", LastPingDateTime="2026-10-01T04:00:00Z")
node_breakage("ssm-agent-current", IsLatestVersion=False, AgentVersion=AGENT_OLD)


@breaks("ssm-node-online.hybrid")
def hybrid_offline(region):
    region.make_role(HYBRID_ROLE, "ssm.amazonaws.com", region.account.regions)
    return node(region.register_hybrid("mi-0123456789abcdef0", PingStatus="ConnectionLost"))


@breaks("ssm-node-online.hybrid-role-missing")
def hybrid_role_missing(region):
    """The node is online until its credentials run out."""
    return node(region.register_hybrid("mi-0123456789abcdef0", role="deleted"))


@breaks("ssm-agent-current.hybrid")
def hybrid_old(region):
    region.make_role(HYBRID_ROLE, "ssm.amazonaws.com", region.account.regions)
    old = {"IsLatestVersion": False, "AgentVersion": AGENT_OLD}
    return node(region.register_hybrid("mi-0123456789abcdef0", **old))
