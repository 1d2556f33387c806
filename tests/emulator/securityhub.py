#!/usr/bin/env python3
"""Imports an ASFF report into an emulated Security Hub, as its documentation says, and prints what is there then.

    securityhub.py --endpoint-url URL FILE

Each line of FILE is a batch. It is held against the model of the service that botocore has, and against the limits
that the documentation has and the model has not; then the account and region that it is of import it.
"""

import argparse
import collections
import json
import sys

import boto3
from botocore.validate import ParamValidator

LIMITS = {"Id": 512, "GeneratorId": 512, "Title": 256, "Description": 1024}


def problems(batch: list, shape) -> list[str]:
    found = ParamValidator().validate({"Findings": batch}, shape).generate_report().splitlines()
    if not 1 <= len(batch) <= 100:
        found.append(f"a batch of {len(batch)} findings")
    if len(json.dumps(batch)) > 6_000_000:
        found.append("a batch of more than 6 MB")
    for finding in batch:
        account, region = finding["AwsAccountId"], finding["Region"]
        product = f":securityhub:{region}:{account}:product/{account}/default"
        if not finding["ProductArn"].endswith(product):
            found.append(f"{finding['ProductArn']} is not the product of {account} in {region}")
        if (account, region) != (batch[0]["AwsAccountId"], batch[0]["Region"]):
            found.append("a batch of several accounts or regions")
        if len(json.dumps(finding)) > 240_000:
            found.append(f"{finding['Id']} has more than 240 KB")
        for name, most in LIMITS.items():
            if len(finding[name].encode()) > most:
                found.append(f"{name} of {finding['Id']} is too long")
    return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoint-url", required=True)
    parser.add_argument("file")
    arguments = parser.parse_args()

    def client(account: str, region: str):
        return boto3.client("securityhub", endpoint_url=arguments.endpoint_url, region_name=region,
                            aws_access_key_id=account, aws_secret_access_key="test")

    shape = client("123456789012", "us-east-1").meta.service_model.operation_model("BatchImportFindings").input_shape
    found, places = [], set()
    with open(arguments.file, encoding="utf-8") as lines:
        for line in lines:
            batch = json.loads(line)
            found += problems(batch, shape)
            place = (batch[0]["AwsAccountId"], batch[0]["Region"])
            places.add(place)
            answer = client(*place).batch_import_findings(Findings=batch)
            found += [f"refused: {failed}" for failed in answer["FailedFindings"]]
    findings = []
    for place in sorted(places):
        for page in client(*place).get_paginator("get_findings").paginate():
            findings += page["Findings"]
    statuses = collections.Counter(
        finding["Compliance"]["Status"] + (" SUPPRESSED" if "Workflow" in finding else "") for finding in findings)
    json.dump({"problems": found, "places": sorted(places), "statuses": statuses}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
