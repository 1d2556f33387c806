#!/usr/bin/env python3
"""Renews common.json: the AWS-managed policies that Terraform code attaches most often to the roles of instances.

    $(python3 tests/emulator/install.py)/bin/python src/iam/managed/renew.py

The documents are those that the moto emulator (Apache License 2.0) collects from AWS, in the partition `aws`. The date
is that of the newest change among all policies that moto has. NAMES says which policies are in the file: those that
the public modules of terraform-aws-modules, Cloud Posse and others name, and that a role of instances may have.
"""

import json
from pathlib import Path

from moto.iam.aws_managed_policies import aws_managed_policies_data

NAMES = """
AWSXRayDaemonWriteAccess AWSXrayWriteOnlyAccess AdministratorAccess AmazonEC2ContainerRegistryFullAccess
AmazonEC2ContainerRegistryPowerUser AmazonEC2ContainerRegistryPullOnly AmazonEC2ContainerRegistryReadOnly
AmazonEC2FullAccess AmazonEC2ReadOnlyAccess AmazonEKSWorkerNodeMinimalPolicy AmazonEKSWorkerNodePolicy
AmazonEKS_CNI_Policy AmazonElasticFileSystemClientFullAccess AmazonElasticFileSystemClientReadWriteAccess
AmazonPrometheusRemoteWriteAccess AmazonRoute53FullAccess AmazonS3FullAccess AmazonS3ReadOnlyAccess
AmazonSESFullAccess AmazonSNSFullAccess AmazonSQSFullAccess AmazonSSMFullAccess AmazonSSMReadOnlyAccess
AutoScalingReadOnlyAccess CloudWatchAgentAdminPolicy CloudWatchFullAccess CloudWatchFullAccessV2
CloudWatchReadOnlyAccess IAMReadOnlyAccess PowerUserAccess ReadOnlyAccess SecretsManagerReadWrite SecurityAudit
AmazonDynamoDBFullAccess AmazonDynamoDBReadOnlyAccess AmazonKinesisFullAccess AmazonRDSFullAccess
AWSElasticBeanstalkWebTier AWSElasticBeanstalkWorkerTier AWSElasticBeanstalkMulticontainerDocker
AWSCodeDeployFullAccess AWSCloudFormationReadOnlyAccess AWSLambda_FullAccess
service-role/AmazonEBSCSIDriverPolicy service-role/AmazonEC2ContainerServiceforEC2Role
service-role/AmazonEFSCSIDriverPolicy service-role/AmazonSSMAutomationRole service-role/AWSBatchServiceRole
job-function/ViewOnlyAccess
""".split()


def main() -> None:
    all_policies = json.loads(aws_managed_policies_data)
    known = {f"{policy['Path'].lstrip('/')}{name}": policy for name, policy in all_policies.items()}
    missing = [name for name in NAMES if name not in known]
    if missing:
        raise SystemExit(f"moto does not have {', '.join(missing)}: take them off the list")
    as_of = max(policy["UpdateDate"] for policy in all_policies.values())[:10]
    policies = {name: known[name]["Document"] for name in sorted(NAMES)}
    text = json.dumps({"as_of": as_of, "policies": policies}, separators=(",", ":"))
    Path(__file__).with_name("common.json").write_text(text + "\n")
    print(f"{len(policies)} policies as of {as_of}, {len(text) >> 10} KiB")


if __name__ == "__main__":
    main()
