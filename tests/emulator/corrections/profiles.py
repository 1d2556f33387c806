"""Instance profiles and their roles.

EC2 answers in its own words where IAM does not know a profile, or does not yet; moto passes IAM's error on.
moto gives the id of the association out as the profile's, keeps it when the profile is replaced, and fails
where a role is taken from a profile twice.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateIamInstanceProfile.html
https://docs.aws.amazon.com/IAM/latest/APIReference/API_RemoveRoleFromInstanceProfile.html
"""

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.iam_instance_profile import IamInstanceProfileAssociation
from moto.ec2.responses import EC2Response
from moto.ec2.utils import filter_iam_instance_profiles, random_iam_instance_profile_association_id
from moto.iam.exceptions import NotFoundException
from moto.iam.models import IAMBackend, Role
from moto.iam.policy_validation import IAMTrustPolicyDocumentValidator

associate_by_moto = EC2Backend.associate_iam_instance_profile
associate_call_by_moto = EC2Response.associate_iam_instance_profile
replace_by_moto = EC2Backend.replace_iam_instance_profile_association
replace_call_by_moto = EC2Response.replace_iam_instance_profile_association
create_role_by_moto = IAMBackend.create_role
remove_role_by_moto = IAMBackend.remove_role_from_instance_profile


def refuse_unknown(self: EC2Response) -> None:
    for member in ("Name", "Arn"):
        value = self._get_param(f"IamInstanceProfile.{member}")
        if not value:
            continue
        given = {f"iam_instance_profile_{member.lower()}": value}
        other = {"iam_instance_profile_arn": None, "iam_instance_profile_name": None}
        try:
            profile = filter_iam_instance_profiles(self.current_account, self.partition, **{**other, **given})
        except NotFoundException:
            profile = None
        parameter = f"iamInstanceProfile.{member.lower()}"
        if profile is None:
            kind = "name" if member == "Name" else "ARN"
            message = f"Value ({value}) for parameter {parameter} is invalid. Invalid IAM Instance Profile {kind}"
            raise EC2ClientError("InvalidParameterValue", message)
        if not profile.roles:
            raise EC2ClientError("InvalidParameterValue", f"{parameter} ({value}) has no associated IAM Roles")


def associate_call(self: EC2Response) -> ActionResult:
    refuse_unknown(self)
    return associate_call_by_moto(self)


def replace_call(self: EC2Response) -> ActionResult:
    refuse_unknown(self)
    return replace_call_by_moto(self)


def show(self: EC2Backend, association: IamInstanceProfileAssociation) -> IamInstanceProfileAssociation:
    profile = {"Arn": association.iam_instance_profile.arn, "Id": association.iam_instance_profile.id}
    self.modify_instance_attribute(association.instance_id, "iam_instance_profile", profile)
    return association


def associate(self: EC2Backend, *args, **kwargs) -> IamInstanceProfileAssociation:  # noqa: ANN002, ANN003
    return show(self, associate_by_moto(self, *args, **kwargs))


def replace(self: EC2Backend, *args, **kwargs) -> IamInstanceProfileAssociation:  # noqa: ANN002, ANN003
    """moto leaves DescribeInstances with the profile that was there."""
    association = show(self, replace_by_moto(self, *args, **kwargs))
    association.association_id = random_iam_instance_profile_association_id()
    return association


def create_role(self: IAMBackend, role_name: str, assume_role_policy_document: str, *args, **kwargs) -> Role:  # noqa: ANN002, ANN003
    IAMTrustPolicyDocumentValidator(assume_role_policy_document).validate()
    return create_role_by_moto(self, role_name, assume_role_policy_document, *args, **kwargs)


def remove_role(self: IAMBackend, profile_name: str, role_name: str) -> None:
    profile, role = self.get_instance_profile(profile_name), self.get_role(role_name)
    if role not in profile.roles:
        raise NotFoundException(f"Role {role_name} is not in instance profile {profile_name}")
    remove_role_by_moto(self, profile_name, role_name)


def apply() -> None:
    EC2Response.associate_iam_instance_profile = associate_call
    EC2Response.replace_iam_instance_profile_association = replace_call
    EC2Backend.associate_iam_instance_profile = associate
    EC2Backend.replace_iam_instance_profile_association = replace
    IAMBackend.create_role = create_role
    IAMBackend.remove_role_from_instance_profile = remove_role
