"""Starts moto with the operations that it lacks and that ssm-audit calls, and with the corrections to
those that it has (see `corrections/`).

What is in this file is ours. A test that passes on it shows that ssm-audit agrees with our reading of
the AWS documentation, not with an independent one: everything else that the server answers is moto's.

    python moto_additions.py [--port P] [--until-stdin-closes]

binds 127.0.0.1 only, prints `listening on http://127.0.0.1:PORT` once it accepts connections, and
reads the account from the credentials: an access key of twelve digits is the account, AssumeRole
leads to the account of the role, anything else to 123456789012.

What AWS gives no API for is set at `POST /_ground/nodes`, which seeding uses:

    {"account": "…", "region": "…", "launched": {"i-…": "2026-01-01T00:00:00Z"},
     "nodes": [{"InstanceId": "i-…", …as DescribeInstanceInformation answers}], "remove": ["mi-…"],
     "tags": {"i-…": {"aws:autoscaling:groupName": "…"}}, "bucket_tags": {"…": {"aws:…": "…"}},
     "requesters": {"eni-…": "amazon-elb"}, "boots_only": {"i-…": ["vol-…"]},
     "operators": {"i-…": "eks.amazonaws.com"}}

`tags` and `bucket_tags` are those that AWS reserves for itself, `requesters` the services that own
interfaces, `boots_only` instances that go back to stopped when they are started with other volumes (an empty
list: with any), `operators` the services that manage instances, which are hidden.

Everything is kept in moto's own backends, so that `POST /moto-api/reset` forgets it too.
"""

import argparse
import json
import logging
import os
import re
from dataclasses import dataclass
from datetime import datetime, timezone

os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
os.environ.pop("MOTO_ACCOUNT_ID", None)

import moto.ec2.models.amis as amis  # noqa: E402
import moto.iam.models as iam_models  # noqa: E402
import moto.kms.models as kms_models  # noqa: E402
from moto.core.responses import ActionResult, BaseResponse, EmptyResult  # noqa: E402
from moto.core.utils import utcnow  # noqa: E402
from moto.ec2.models import EC2Backend, ec2_backends  # noqa: E402
from moto.ec2.models.elastic_network_interfaces import NetworkInterface  # noqa: E402
from moto.ec2.models.instances import MetadataOptions  # noqa: E402
from moto.ec2.responses import EC2Response  # noqa: E402
from moto.moto_server.werkzeug_app import (  # noqa: E402
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.s3.models import s3_backends  # noqa: E402
from moto.ssm.exceptions import SSMException  # noqa: E402
from moto.ssm.models import ssm_backends  # noqa: E402
from moto.ssm.responses import SimpleSystemManagerResponse as SsmResponse  # noqa: E402
from moto.utilities.utils import get_partition  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402
from werkzeug.wrappers import Request, Response  # noqa: E402

import corrections  # noqa: E402
from corrections.managed_instances import give_to_operator  # noqa: E402
from corrections.volumes import boots_only  # noqa: E402
from lifeline import end_with_stdin  # noqa: E402

# ---------------------------------------------------------------------------------------------------
# Accounts: an access key of twelve digits is the account, as ministack has it.

ACCOUNT_KEY = re.compile(r"Credential=(\d{12})/")
account_by_moto = BaseResponse.get_current_account


def account_by_key(self: BaseResponse) -> str:
    key = ACCOUNT_KEY.search(self.headers.get("Authorization", ""))
    return key.group(1) if key else account_by_moto(self)


# ---------------------------------------------------------------------------------------------------
# ssm: managed nodes and service settings.


def managed_nodes(account: str, region: str) -> dict:
    """Nodes by id, in the order of their registration."""
    return vars(ssm_backends[account][region]).setdefault("managed_nodes", {})


def describe_instance_information(self: SsmResponse) -> ActionResult:
    """https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeInstanceInformation.html"""
    size = self._get_param("MaxResults") or 10
    if not 5 <= size <= 50:
        raise SSMException("ValidationException", f"MaxResults must be between 5 and 50, not {size}")
    nodes = list(managed_nodes(self.current_account, self.region).values())
    for wanted in self._get_param("Filters") or []:
        nodes = [n for n in nodes if matches(n, wanted["Key"], wanted["Values"])]
    for wanted in self._get_param("InstanceInformationFilterList") or []:
        nodes = [n for n in nodes if matches(n, wanted["key"], wanted["valueSet"])]
    token = self._get_param("NextToken") or "0"
    if not token.isdigit():
        raise SSMException("InvalidNextToken", "The specified token isn't valid.")
    start = int(token)
    result = {"InstanceInformationList": nodes[start : start + size]}
    if start + size < len(nodes):
        result["NextToken"] = str(start + size)
    return ActionResult(result)


FILTERED_MEMBERS = {
    "InstanceIds": "InstanceId",
    "PingStatus": "PingStatus",
    "PlatformTypes": "PlatformType",
    "ResourceType": "ResourceType",
    "AgentVersion": "AgentVersion",
}


def matches(node: dict, key: str, values: list) -> bool:
    if key not in FILTERED_MEMBERS:
        raise SSMException("InvalidFilterKey", f"{key} is not a filter that the test ground has")
    return node.get(FILTERED_MEMBERS[key]) in values


HOST_MANAGEMENT = "/ssm/managed-instance/default-ec2-instance-management-role"
SETTING_DEFAULTS = {HOST_MANAGEMENT: "$None", "/ssm/documents/console/public-sharing-permission": "Enable"}


def service_setting(self: SsmResponse) -> tuple:
    """The settings that were changed, and the id that was asked for: a path, or an ARN that ends in it."""
    asked = self._get_param("SettingId")
    setting = asked.split(":servicesetting", 1)[-1] if asked.startswith("arn:") else asked
    if setting not in SETTING_DEFAULTS:
        raise SSMException("ServiceSettingNotFound", f"Setting {asked} doesn't exist.")
    return vars(self.ssm_backend).setdefault("service_settings", {}), setting


def describe_setting(self: SsmResponse, changed: dict, setting: str) -> dict:
    value, date = changed.get(setting, (SETTING_DEFAULTS[setting], datetime(2023, 2, 17, tzinfo=timezone.utc)))
    customized = setting in changed
    return {
        "SettingId": setting,
        "SettingValue": value,
        "LastModifiedDate": date,
        "LastModifiedUser": f"arn:{self.partition}:iam::{self.current_account}:root" if customized else "System",
        "ARN": f"arn:{self.partition}:ssm:{self.region}:{self.current_account}:servicesetting{setting}",
        "Status": "Customized" if customized else "Default",
    }


def get_service_setting(self: SsmResponse) -> ActionResult:
    """https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetServiceSetting.html"""
    return ActionResult({"ServiceSetting": describe_setting(self, *service_setting(self))})


def update_service_setting(self: SsmResponse) -> ActionResult:
    changed, setting = service_setting(self)
    changed[setting] = (self._get_param("SettingValue"), utcnow())
    return EmptyResult()


def reset_service_setting(self: SsmResponse) -> ActionResult:
    changed, setting = service_setting(self)
    changed.pop(setting, None)
    return ActionResult({"ServiceSetting": describe_setting(self, changed, setting)})


# ---------------------------------------------------------------------------------------------------
# ec2: monitoring, metadata options and their defaults.


def set_monitoring(self: EC2Response, state: str) -> ActionResult:
    self.error_on_dryrun()
    instances = self.ec2_backend.get_multi_instances_by_id(self._get_param("InstanceIds", []))
    for instance in instances:
        instance.monitoring_state = state
    answer = [{"InstanceId": i.id, "Monitoring": {"State": state}} for i in instances]
    return ActionResult({"InstanceMonitorings": answer})


METADATA_MEMBERS = {
    "HttpTokens": "http_tokens",
    "HttpPutResponseHopLimit": "http_put_response_hop_limit",
    "HttpEndpoint": "http_endpoint",
    "HttpProtocolIpv6": "http_protocol_ipv6",
    "InstanceMetadataTags": "instance_metadata_tags",
}


def modify_instance_metadata_options(self: EC2Response) -> ActionResult:
    """As moto has it, but members that are not passed stay as they are, and DryRun changes nothing."""
    instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
    self.error_on_dryrun()
    options: MetadataOptions = instance.metadata_options
    for member, attribute in METADATA_MEMBERS.items():
        value = self._get_param(member)
        if value is not None:
            setattr(options, attribute, value)
    pending = {member: getattr(options, attribute) for member, attribute in METADATA_MEMBERS.items()}
    return ActionResult({"InstanceId": instance.id, "InstanceMetadataOptions": {**pending, "State": "pending"}})


METADATA_DEFAULTS = ("HttpTokens", "HttpPutResponseHopLimit", "HttpEndpoint", "InstanceMetadataTags")


def metadata_defaults(self: EC2Response) -> dict:
    return vars(self.ec2_backend).setdefault("instance_metadata_defaults", {})


def get_instance_metadata_defaults(self: EC2Response) -> ActionResult:
    self.error_on_dryrun()
    return ActionResult({"AccountLevel": {**metadata_defaults(self), "ManagedBy": "account"}})


def modify_instance_metadata_defaults(self: EC2Response) -> ActionResult:
    self.error_on_dryrun()
    for member in METADATA_DEFAULTS:
        value = self._get_param(member)
        if value in ("no-preference", -1):
            metadata_defaults(self).pop(member, None)
        elif value is not None:
            metadata_defaults(self)[member] = value
    return ActionResult({"Return": True})


def get_ebs_default_kms_key_id(self: EC2Response) -> ActionResult:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetEbsDefaultKmsKeyId.html"""
    self.error_on_dryrun()
    return ActionResult({"KmsKeyId": getattr(self.ec2_backend, "default_kms_key_id", None) or "alias/aws/ebs"})


# ---------------------------------------------------------------------------------------------------
# Every account and region of moto's starts with 1,582 managed policies and 1,301 images. Without most of
# them an account takes a fifth of a second and ten megabytes less. It also makes an RSA key for every
# symmetric one, which nothing uses: here they share it.

POLICIES = ("AmazonSSM", "AmazonS3", "AmazonEC2Role", "CloudWatch", "AdministratorAccess", "PowerUser", "ReadOnly")
IMAGES = ("ami-0b301ce3ce347599c", "ami-b7e93bce", "ami-760aaa0f")


def load_few_images(self: EC2Backend) -> None:
    for image in (image for image in amis.AMIS if image["ami_id"] in IMAGES):
        created = image.get("creation_date")
        image = {**image, "owner_alias": "amazon", "creation_date": moment(created) if created else None}
        image["platform"] = "windows" if image["platform"] == "windows" else None
        self.amis[image["ami_id"]] = amis.Ami(self, **image)


def load_less() -> None:
    policies = json.loads(iam_models.aws_managed_policies_data)
    wanted = {name: policy for name, policy in policies.items() if name.startswith(POLICIES)}
    iam_models.aws_managed_policies_data = json.dumps(wanted)
    EC2Backend._load_amis = load_few_images
    make_private_key = kms_models.generate_private_key
    unused = make_private_key("SYMMETRIC_DEFAULT")
    kms_models.generate_private_key = lambda spec: unused if spec == "SYMMETRIC_DEFAULT" else make_private_key(spec)


def add_operations() -> None:
    BaseResponse.get_current_account = account_by_key
    for operation in (
        describe_instance_information,
        get_service_setting,
        update_service_setting,
        reset_service_setting,
    ):
        setattr(SsmResponse, operation.__name__, operation)
    for operation in (
        modify_instance_metadata_options,
        get_instance_metadata_defaults,
        modify_instance_metadata_defaults,
        get_ebs_default_kms_key_id,
    ):
        setattr(EC2Response, operation.__name__, operation)
    EC2Response.monitor_instances = lambda self: set_monitoring(self, "enabled")
    EC2Response.unmonitor_instances = lambda self: set_monitoring(self, "disabled")
    corrections.apply()


# ---------------------------------------------------------------------------------------------------
# What AWS has no API for.


def moment(time: str) -> datetime:
    return datetime.fromisoformat(time.replace("Z", "+00:00"))


def give_to_service(interface: NetworkInterface, service: str) -> None:
    """As the interfaces of load balancers and databases are: attached, but to no instance of the account's."""
    interface.requester_managed, interface.requester_id = True, service
    interface.status, interface.attach_time = "in-use", utcnow()
    interface.attachment_id = f"ela-attach-{interface.id[4:]}"
    interface.instance = ServiceInstance(None, service)


def set_ground(body: dict) -> None:
    account, region = body["account"], body["region"]
    nodes = managed_nodes(account, region)
    for node in body.get("nodes", []):
        times = {member: moment(value) for member, value in node.items() if member.endswith(("Date", "DateTime"))}
        nodes[node["InstanceId"]] = {**nodes.get(node["InstanceId"], {}), **node, **times}
    for node in body.get("remove", []):
        nodes.pop(node, None)
    for instance, time in body.get("launched", {}).items():
        ec2_backends[account][region].get_instance(instance).launch_time = moment(time)
    for resource, tags in body.get("tags", {}).items():
        ec2_backends[account][region].create_tags([resource], tags)
    for bucket, tags in body.get("bucket_tags", {}).items():
        buckets = s3_backends[account][get_partition(region)]
        there = {tag["Key"]: tag["Value"] for tag in buckets.get_bucket_tagging(bucket)["Tags"]}
        buckets.put_bucket_tagging(bucket, {**there, **tags})
    for interface, service in body.get("requesters", {}).items():
        give_to_service(ec2_backends[account][region].get_network_interface(interface), service)
    boots_only(ec2_backends[account][region]).update(body.get("boots_only", {}))
    for instance, operator in body.get("operators", {}).items():
        give_to_operator(ec2_backends[account][region].get_instance(instance), operator)


@dataclass
class ServiceInstance:
    id: None
    owner_id: str


class Ground(DomainDispatcherApplication):
    def __call__(self, environ, start_response):  # noqa: ANN001, ANN204
        if environ.get("PATH_INFO") != "/_ground/nodes":
            return super().__call__(environ, start_response)
        try:
            set_ground(Request(environ).get_json(force=True))
            answer = Response("{}", mimetype="application/json")
        except Exception as error:  # the seeding that sent it shows what is wrong with it
            answer = Response(f"{type(error).__name__}: {error}", status=400)
        return answer(environ, start_response)


def main() -> None:
    parser = argparse.ArgumentParser(description="moto with the operations that ssm-audit needs")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when standard input is closed")
    args = parser.parse_args()
    add_operations()
    load_less()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server(
        "127.0.0.1", args.port, Ground(create_backend_app), threaded=True, request_handler=MotoRequestHandler
    )
    os.environ["MOTO_PORT"] = str(server.port)
    if args.until_stdin_closes:
        end_with_stdin()
    print(f"listening on http://127.0.0.1:{server.port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
