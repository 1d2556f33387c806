"""Changes in an account what a fix is about to change, or has changed, as somebody else might.

    python meddle.py --endpoint-url URL --account 111111111111 --region us-east-1

In that region only. Prints what it changed, as steps of plans name it: {"of": aspect, "id": resource}. What is not
there is left alone.
"""

import argparse
import json
import sys

from accounts import DOCUMENT, GROUP, ROLE, Clients, policy, statement, tag_list, trust

POLICY = "SsmAuditSessionManager"


def meddle(clients: Clients, account: str, region: str) -> list:
    def client(service: str):  # noqa: ANN202
        return clients.get(account, service, region)

    changed = []

    def note(aspect: str, id: str) -> None:
        changed.append({"of": aspect, "id": id})

    ec2, iam, kms, logs, s3, ssm = (client(name) for name in ("ec2", "iam", "kms", "logs", "s3", "ssm"))
    instances = [i["InstanceId"] for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
    for instance in instances:
        ec2.modify_instance_metadata_options(InstanceId=instance, HttpPutResponseHopLimit=5)
        note("InstanceMetadataOptions", instance)

    root = f"arn:aws:iam::{account}:root"
    iam.update_assume_role_policy(
        RoleName=ROLE, PolicyDocument=trust({"Service": "lambda.amazonaws.com"}, {"AWS": root})
    )
    note("RoleTrust", ROLE)
    iam.put_role_policy(RoleName=ROLE, PolicyName=POLICY, PolicyDocument=policy(statement("s3:ListAllMyBuckets", "*")))
    note("RolePolicy", ROLE)

    for key in kms.list_keys()["Keys"]:
        id = key["KeyId"]
        there = json.loads(kms.get_key_policy(KeyId=id, PolicyName="default")["Policy"])
        there["Statement"].append(statement("kms:Decrypt", "*", Sid="Meddled", Principal={"AWS": root}))
        document = {"PolicyName": "default", "Policy": json.dumps(there), "BypassPolicyLockoutSafetyCheck": True}
        kms.put_key_policy(KeyId=id, **document)
        note("KeyPolicy", id)

    logs.put_retention_policy(logGroupName=GROUP, retentionInDays=3)
    note("LogGroupRetention", GROUP)

    bucket = f"ssm-sessions-{account}-{region}"
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tag_list({"Meddled": "yes"})})
    note("BucketTags", bucket)
    rules = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
    note("BucketEncryption", bucket)

    content = json.loads(ssm.get_document(Name=DOCUMENT, DocumentVersion="$DEFAULT")["Content"])
    content["description"] = "meddled with"
    answer = ssm.update_document(
        Name=DOCUMENT, DocumentVersion="$LATEST", DocumentFormat="JSON", Content=json.dumps(content)
    )
    version = answer["DocumentDescription"]["DocumentVersion"]
    ssm.update_document_default_version(Name=DOCUMENT, DocumentVersion=version)
    note("PreferencesLatest", DOCUMENT)
    note("PreferencesDefault", DOCUMENT)
    return changed


def main() -> None:
    parser = argparse.ArgumentParser(description="changes what a fix changes, as somebody else might")
    parser.add_argument("--endpoint-url", required=True)
    parser.add_argument("--account", required=True)
    parser.add_argument("--region", required=True)
    args = parser.parse_args()
    json.dump(meddle(Clients(args.endpoint_url.rstrip("/")), args.account, args.region), sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
