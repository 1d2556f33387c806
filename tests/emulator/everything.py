"""An account in which every rule that can be fixed in place is broken at once.

The first region breaks what stands together: instances, their group and role, the session key, the log
group's key, the log group, the bucket and the preferences. What excludes one of those (a log group without
a key has no key whose policy could be wrong) is broken in the second region, if there is one. In the third, if
there is one, there is nothing for sessions, so that all of it must be made. An account that nobody touched, see
`untouched` in accounts.py, lacks the role and the profile besides.
"""

from accounts import GROUP, HTTPS, statement
from breakages import BREAKAGES, DESCRIBED, NOTHING_SET, group, key, preferences

FIRST = (
    "ec2-imdsv2-required",
    "ec2-imds-endpoint-enabled",
    "ec2-imds-hop-limit",
    "ec2-imds-tags-disabled",
    "ec2-detailed-monitoring",
    "ec2-required-tags",
    "ec2-root-volume-encrypted.only-data-encrypted",  # on an instance of its own, which keeps the profile
    "ec2-instance-profile-attached",
    "iam-role-trusts-ec2-only",
    "iam-role-ssm-core",
    "iam-role-writes-cloudwatch",
    "iam-role-writes-s3",
    "iam-role-uses-session-key",
    "iam-role-uses-volume-key",
    "kms-rotation-enabled",
    "kms-key-usable",  # after rotation: a disabled key cannot be told to stop rotating
    "logs-retention-set",
    "s3-object-lock-enabled",  # makes the bucket anew
    "s3-encrypted",
    "s3-required-tags",
    "s3-access-logging",
)

# Beside what no rule speaks of, which must stay.
INPUTS = {
    "s3KeyPrefix": "logs",
    "s3EncryptionEnabled": True,
    "cloudWatchStreamingEnabled": False,
    "idleSessionTimeout": "60",
    "maxSessionDuration": "90",
    "shellProfile": {"windows": "", "linux": "exec bash"},
}


def break_group(region) -> dict:
    """HTTPS goes out to some addresses only, which is enough for the nodes that are online; other things go out and come
    in, and nobody wrote down why."""
    http = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    inside = {**HTTPS, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": DESCRIBED}]}
    region.set_egress(inside, http)
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    region.ec2.authorize_security_group_ingress(GroupId=region.group, IpPermissions=[ssh])
    return dict.fromkeys(("sg-egress-https-only", "sg-no-ingress", "sg-rules-described"), group(region.group))


def break_logs_key(region) -> dict:
    """Root may do no more than mend the policy, and CloudWatch Logs may do nothing."""
    may = ["kms:Describe*", "kms:Get*", "kms:List*", "kms:PutKeyPolicy"]
    region.set_key_policy("logs", statement(may, "*", Sid="LookOnly", Principal={"AWS": region.root_arn}))
    return dict.fromkeys(("kms-policy-grants-logs", "kms-policy-keeps-account-admin"), key(region, "logs"))


def break_preferences(region) -> dict:
    """The default is wrong, and a later version, as wrong, is not the default."""
    region.change_preferences(inputs=INPUTS)
    region.change_preferences(make_default=False, description="not yet the default")
    rules = ("valid", "s3-key-prefix", "logs-streamed", "idle-timeout")
    names = [f"ssm-preferences-{rule}" if rule == "valid" else f"ssm-{rule}" for rule in rules]
    return dict.fromkeys((*names, "ssm-encryption-flags-satisfiable"), preferences())


def break_bucket_key(region) -> dict:
    arn = region.make_key("bucket")
    region.encrypt_bucket(SSEAlgorithm="aws:kms", KMSMasterKeyID=arn)
    region.kms.schedule_key_deletion(KeyId=region.key_id("bucket"), PendingWindowInDays=30)
    # Rotation reads as off for as long as the deletion is pending.
    names = ("kms-key-usable.pending-deletion", "kms-rotation-enabled.pending-deletion")
    return dict.fromkeys(names, key(region, "bucket"))


def break_second(region) -> dict:
    broken = break_bucket_key(region)
    for name in ("logs-retention-set.never", "logs-kms-encrypted", "ssm-session-key-set"):
        broken[name] = BREAKAGES[name](region)
    return broken


def empty_third(region) -> dict:
    """Nodes, and nothing that their sessions could use. The keys stay: nothing leads to them."""
    BREAKAGES["ssm-preferences-exist"](region)
    region.logs.delete_log_group(logGroupName=GROUP)
    region.s3.delete_bucket(Bucket=region.bucket)
    return {f"{rule}.third": preferences() for rule in ("ssm-preferences-exist", *NOTHING_SET)}


def break_everything(account) -> None:
    first, *others = account.regions
    for name in FIRST:
        account.broken[name] = BREAKAGES[name](first)
    for change in (break_group, break_logs_key, break_preferences):
        account.broken.update(change(first))
    for change, region in zip((break_second, empty_third), others, strict=False):
        account.broken.update(change(region))
