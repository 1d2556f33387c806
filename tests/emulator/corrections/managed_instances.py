"""Instances that other AWS services manage, and that an account hides.

moto knows no operators. AWS leaves such instances out of answers unless they are asked for, where the account has
their visibility set to hidden, and refuses to let anybody but the operator change them.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_OperatorResponse.html
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/amazon-ec2-managed-instances.html
"""

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.responses import EC2Response

describe_instances_by_moto = EC2Response.describe_instances
find_instances_by_moto = EC2Backend.describe_instances

CHANGES = (
    "associate_iam_instance_profile",
    "create_tags",
    "modify_instance_metadata_options",
    "monitor_instances",
    "stop_instances",
)


def give_to_operator(instance, operator: str) -> None:  # noqa: ANN001
    instance.operator = {"Managed": True, "Principal": operator, "HiddenByDefault": True}


def operator_of(instance) -> dict | None:  # noqa: ANN001
    return getattr(instance, "operator", None)


def describe_instances(self: EC2Response) -> ActionResult:
    """Before the answer is cut into pages."""
    asked = str(self._get_param("IncludeManagedResources")).lower() == "true"
    self.ec2_backend.hides_managed = not asked
    try:
        return describe_instances_by_moto(self)
    finally:
        self.ec2_backend.hides_managed = False


def find_instances(self: EC2Backend, filters=None) -> list:  # noqa: ANN001
    found = find_instances_by_moto(self, filters=filters)
    if getattr(self, "hides_managed", False):
        found = [one for one in found if not any(operator_of(instance) for instance in one.instances)]
    return found


def refusing(by_moto):  # noqa: ANN001, ANN201
    def change(self: EC2Response) -> ActionResult:
        ids = [self._get_param("InstanceId"), *self._get_param("InstanceIds", []), *self._get_param("Resources", [])]
        for id in ids:
            instance = self.ec2_backend.get_instance_by_id(id) if id and id.startswith("i-") else None
            if operator := instance and operator_of(instance):
                message = f"{id} is managed by {operator['Principal']}"
                raise EC2ClientError("OperationNotPermitted", message)
        return by_moto(self)

    return change


def apply() -> None:
    EC2Response.describe_instances = describe_instances
    EC2Backend.describe_instances = find_instances
    for change in CHANGES:
        setattr(EC2Response, change, refusing(getattr(EC2Response, change)))
