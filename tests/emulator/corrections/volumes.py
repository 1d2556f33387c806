"""Volumes, snapshots, and the instances that start from them.

moto makes a second volume for one client token, keeps a key as it was asked for instead of its ARN, gives
snapshots no key and volumes no default performance, attaches what is attached already and where something
is attached already, detaches the root of a running instance, and starts instances without a root.

With `DryRun`, AWS says whether the caller is permitted, and does not ask what state things are in; moto answers so,
too, but here the state is looked at before moto is asked:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/permitting-and-denying-access.html

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVolume.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AttachVolume.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DetachVolume.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

import json

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.elastic_block_store import Snapshot, Volume, VolumeAttachment
from moto.ec2.models.instances import Instance, StateReason
from moto.ec2.responses import EC2Response
from moto.ec2.responses._base_response import EC2BaseResponse
from moto.kms.models import Key, kms_backends

# -- tags --------------------------------------------------------------------------------------------

parse_tags_by_moto = EC2BaseResponse._parse_tag_specification
create_tags_by_moto = EC2Response.create_tags


def refuse_reserved(keys) -> None:  # noqa: ANN001
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions"""
    if any(key.lower().startswith("aws:") for key in keys):
        message = "Tag keys starting with 'aws:' are reserved for internal use"
        raise EC2ClientError("InvalidParameterValue", message)


def parse_tags(self: EC2BaseResponse, *args, **kwargs) -> dict:  # noqa: ANN002, ANN003
    tags = parse_tags_by_moto(self, *args, **kwargs)
    for of_type in tags.values():
        refuse_reserved(of_type)
    return tags


def create_tags(self: EC2Response) -> ActionResult:
    refuse_reserved(tag["Key"] for tag in self._get_param("Tags", []))
    for resource in self._get_param("Resources", []):
        if resource.startswith("i-"):
            self.ec2_backend.get_instance(resource)
        elif resource.startswith("vol-"):
            self.ec2_backend.get_volume(resource)
    return create_tags_by_moto(self)


# -- volumes and snapshots ---------------------------------------------------------------------------

create_volume_by_moto = EC2Backend.create_volume
create_volume_call_by_moto = EC2Response.create_volume
create_snapshot_by_moto = EC2Backend.create_snapshot


def create_volume(self: EC2Backend, *args, **kwargs) -> Volume:  # noqa: ANN002, ANN003
    """With the key's ARN; a copy of an encrypted snapshot is encrypted with its key unless another is named.
    A key that is not there or not usable shows only later: the volume never comes to be."""
    named = kwargs.get("kms_key_id")
    if kwargs.get("snapshot_id") and not named:
        snapshot = self.get_snapshot(kwargs["snapshot_id"])
        if snapshot.encrypted and snapshot.kms_key_id:
            kwargs |= {"encrypted": True, "kms_key_id": snapshot.kms_key_id}
    volume = create_volume_by_moto(self, *args, **kwargs)
    if volume.volume_type == "gp2":
        volume.iops = min(max(100, 3 * volume.size), 16_000)
    if volume.volume_type == "gp3":
        volume.throughput = volume.throughput or 125
    if volume.kms_key_id:
        key = usable_key(self, volume.kms_key_id)
        if key is None:
            del self.volumes[volume.id]
        else:
            volume.kms_key_id = key.arn
    return volume


def usable_key(backend: EC2Backend, key_id: str) -> Key | None:
    keys = kms_backends[backend.account_id][backend.region_name]
    id_of = keys.get_key_id_from_alias if "alias/" in key_id else keys.get_key_id
    key = keys.keys.get(id_of(keys.get_alias_name(key_id)))
    return key if key is not None and key.key_state == "Enabled" else None


def create_volume_call(self: EC2Response) -> ActionResult:
    kind, token = self._get_param("VolumeType"), self._get_param("ClientToken")
    if self._get_param("Iops") and kind not in ("gp3", "io1", "io2"):
        raise EC2ClientError(
            "InvalidParameterCombination", f"The parameter iops is not supported for {kind or 'gp2'} volumes."
        )
    members = {name: value for name, value in self._get_params().items() if name != "ClientToken"}
    asked = json.dumps(members, sort_keys=True)
    made = vars(self.ec2_backend).setdefault("volumes_by_token", {})
    if token not in made:
        made[token] = (asked, create_volume_call_by_moto(self))
    before, answer = made[token]
    if before != asked:
        raise EC2ClientError(
            "IdempotentParameterMismatch", "The client token was used before, with other parameters."
        )
    return answer


def create_snapshot(self: EC2Backend, *args, **kwargs) -> Snapshot:  # noqa: ANN002, ANN003
    snapshot = create_snapshot_by_moto(self, *args, **kwargs)
    snapshot.kms_key_id = snapshot.volume.kms_key_id
    return snapshot


# -- attachments -------------------------------------------------------------------------------------

attach_by_moto = EC2Response.attach_volume
modify_instance_by_moto = EC2Response.modify_instance_attribute


def attach_volume(self: EC2Response) -> ActionResult:
    volume = self.ec2_backend.get_volume(self._get_param("VolumeId"))
    instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
    self.error_on_dryrun()
    device = self._get_param("Device")
    if volume.attachment:
        raise EC2ClientError("VolumeInUse", f"{volume.id} is already attached to an instance")
    if instance.state not in ("running", "stopped"):
        raise EC2ClientError("IncorrectState", f"Instance '{instance.id}' is not 'running'.")
    if device in instance.block_device_mapping:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use",
        )
    if volume.availability_zone != instance.availability_zone:
        raise EC2ClientError(
            "InvalidVolume.ZoneMismatch",
            f"The volume '{volume.id}' is not in the same availability zone as instance '{instance.id}'",
        )
    return attach_by_moto(self)


def detach_volume(self: EC2Response) -> ActionResult:
    self.error_on_dryrun()
    volume = self.ec2_backend.get_volume(self._get_param("VolumeId"))
    instance, device = self._get_param("InstanceId"), self._get_param("Device")
    attachment: VolumeAttachment | None = volume.attachment
    if attachment is None:
        raise EC2ClientError("IncorrectState", f"Volume '{volume.id}' is in the 'available' state.")
    if instance not in (None, attachment.instance.id) or device not in (None, attachment.device):
        raise EC2ClientError("InvalidAttachment.NotFound", f"Volume {volume.id} is attached to something else.")
    if attachment.device == attachment.instance.root_device_name and attachment.instance.state != "stopped":
        message = f"Unable to detach root volume '{volume.id}' from instance '{attachment.instance.id}'"
        raise EC2ClientError("OperationNotPermitted", message)
    self.ec2_backend.detach_volume(volume.id, attachment.instance.id, attachment.device)
    members = {"VolumeId": volume.id, "InstanceId": attachment.instance.id, "Device": attachment.device}
    return ActionResult({**members, "State": "detaching", "AttachTime": attachment.attach_time})


def delete_on_termination(self: VolumeAttachment) -> bool:
    """moto tells it with the instance only."""
    mapping = self.instance.block_device_mapping.get(self.device)
    return bool(mapping and mapping.delete_on_termination)


def modify_instance_attribute(self: EC2Response) -> ActionResult:
    mappings = self._get_param("BlockDeviceMappings", [])
    there = self.ec2_backend.get_instance(self._get_param("InstanceId")).block_device_mapping
    for mapping in mappings:
        if mapping.get("DeviceName") not in there:
            message = f"No device is currently mapped at {mapping.get('DeviceName')}"
            raise EC2ClientError("InvalidInstanceAttributeValue", message)
    return modify_instance_by_moto(self)


# -- starting and stopping ---------------------------------------------------------------------------

start_by_moto = EC2Backend.start_instances
stop_by_moto = EC2Backend.stop_instances
parse_mappings_by_moto = EC2Response._parse_block_device_mapping


def refuse_terminated(instances: list, verb: str) -> None:
    for instance in instances:
        if instance.state == "terminated":
            message = f"The instance '{instance.id}' is not in a state from which it can be {verb}."
            raise EC2ClientError("IncorrectInstanceState", message)


def start_instances(self: EC2Backend, instance_ids: list) -> list:
    """An instance whose key cannot be used goes back to stopped, and says why where nobody looks:
    https://repost.aws/knowledge-center/kms-iam-ec2-permission"""
    instances = self.get_multi_instances_by_id(instance_ids)
    refuse_terminated(instances, "started")
    for instance in instances:
        if instance.root_device_name not in instance.block_device_mapping:
            root = f"Instance does not have a volume attached at root ({instance.root_device_name})"
            raise EC2ClientError("InvalidParameterValue", f"Invalid value '{instance.id}' for instanceId. {root}")
    answer = start_by_moto(self, instance_ids)
    for instance in instances:
        if not boots(self, instance):
            instance.stop()
            code = "Client.InternalError"
            instance.state_reason = StateReason(f"{code}: Client error on launch", code)
    return answer


def boots(backend: EC2Backend, instance: Instance) -> bool:
    volumes = [backend.get_volume(mapping.volume_id) for _, mapping in instance.get_block_device_mapping]
    if any(volume.kms_key_id and usable_key(backend, volume.kms_key_id) is None for volume in volumes):
        return False
    only = boots_only(backend).get(instance.id)
    return only is None or any(volume.id in only for volume in volumes)


def boots_only(backend: EC2Backend) -> dict:
    """Instances that start from these volumes only: set at `/_ground/nodes`."""
    return vars(backend).setdefault("boots_only", {})


def stop_instances(self: EC2Backend, instance_ids: list) -> list:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-interruptions.html"""
    instances = self.get_multi_instances_by_id(instance_ids)
    refuse_terminated(instances, "stopped")
    for instance in instances:
        if instance.lifecycle == "spot":
            message = f"You can't stop the Spot Instance '{instance.id}'"
            reason = "because it is associated with a one-time Spot Instance request."
            raise EC2ClientError("UnsupportedOperation", f"{message} {reason}")
    return stop_by_moto(self, instance_ids)


def parse_mappings(self: EC2Response) -> list:
    """moto makes a volume for a device of the instance store; AWS does not list those with an instance:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/block-device-mapping-concepts.html"""
    mappings = self._get_params().get("BlockDeviceMappings", [])
    mappings[:] = [m for m in mappings if not m.get("VirtualName", "").startswith("ephemeral")]
    return parse_mappings_by_moto(self)


def apply() -> None:
    EC2BaseResponse._parse_tag_specification = parse_tags
    EC2Backend.create_volume = create_volume
    EC2Backend.create_snapshot = create_snapshot
    EC2Backend.start_instances = start_instances
    EC2Backend.stop_instances = stop_instances
    VolumeAttachment.delete_on_termination = property(delete_on_termination)
    EC2Response.create_tags = create_tags
    EC2Response.create_volume = create_volume_call
    EC2Response.attach_volume = attach_volume
    EC2Response.detach_volume = detach_volume
    EC2Response.modify_instance_attribute = modify_instance_attribute
    EC2Response._parse_block_device_mapping = parse_mappings
