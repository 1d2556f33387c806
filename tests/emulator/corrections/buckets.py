"""Buckets.

moto suspends versioning under an object lock, refuses an object lock for a bucket with objects, shows any
account the buckets of all others with their policies and settings, takes any text for a policy, lets the tags that AWS gave a bucket be taken
away, which S3 wants named with the others, and gives a new bucket the tags of a deleted one of its name.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-configure.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html
https://github.com/hashicorp/terraform-provider-aws/issues/7323
"""

import json

import xmltodict
from moto.s3.exceptions import (
    AccessDeniedByLock,
    DuplicateTagKeys,
    InvalidBucketState,
    InvalidTagError,
    MethodNotAllowed,
    MissingBucket,
    NoSystemTags,
    S3ClientError,
)
from moto.s3.models import FakeBucket, S3Backend
from moto.s3.responses import S3Response

from corrections.keys import as_list

head_by_moto = S3Response.head_bucket
versioning_by_moto = S3Response.get_bucket_versioning
put_policy_by_moto = S3Backend.put_bucket_policy
GUARDED = {
    name: getattr(S3Response, name)
    for name in (
        "get_bucket_encryption",
        "get_bucket_logging",
        "get_bucket_ownership_controls",
        "get_bucket_policy",
        "get_bucket_tags",
        "get_object_lock_configuration",
    )
    if hasattr(S3Response, name)
}
put_versioning_by_moto = S3Backend.put_bucket_versioning
delete_tagging_by_moto = S3Backend.delete_bucket_tagging
delete_by_moto = S3Backend.delete_bucket
put_lock_by_moto = S3Backend.put_object_lock_configuration


def put_bucket_versioning(self: S3Backend, bucket_name: str, status: str) -> None:
    if status != "Enabled" and self.get_bucket(bucket_name).object_lock_enabled:
        message = "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."
        raise InvalidBucketState(message)
    put_versioning_by_moto(self, bucket_name, status)


def put_object_lock_configuration(self: S3Backend, bucket_name: str, *args, **kwargs) -> None:  # noqa: ANN002, ANN003
    """On a bucket with objects, too: they are merely not there for as long as moto looks. A default retention
    is in days or in years; the other is absent and not 0."""
    bucket = self.get_bucket(bucket_name)
    objects = bucket.keys
    bucket.keys = type(objects)()
    try:
        put_lock_by_moto(self, bucket_name, *args, **kwargs)
    finally:
        bucket.keys = objects
    bucket.default_lock_days = bucket.default_lock_days or None
    bucket.default_lock_years = bucket.default_lock_years or None


def get_bucket_versioning(self: S3Response):  # noqa: ANN201
    """The element of the answer is VersioningConfiguration; moto names it after the operation."""
    status, headers, body = versioning_by_moto(self)
    text = body.decode() if isinstance(body, bytes) else body
    return status, headers, text.replace("GetBucketVersioningResponse", "VersioningConfiguration")


def head_bucket(self: S3Response):  # noqa: ANN201
    answer = head_by_moto(self)
    if answer[0] == 200 and self.backend.head_bucket(self.bucket_name).account_id != self.current_account:
        return 403, answer[1], ""
    return answer


def only_for_owner(name: str):  # noqa: ANN201
    """The operation as moto has it, for the account that owns the bucket. Others are refused unless the bucket policy
    names the action; and the policy itself is for the owner, whatever it says."""
    by_moto = GUARDED[name]

    def guarded(self: S3Response):  # noqa: ANN202
        try:
            owner = self.backend.head_bucket(self.bucket_name)
        except MissingBucket:
            return by_moto(self)
        if owner.account_id == self.current_account:
            return by_moto(self)
        if name == "get_bucket_policy":
            raise MethodNotAllowed(method="GET", resource_type="BUCKETPOLICY")
        if name == "get_bucket_encryption" and b"s3:GetEncryptionConfiguration" in (owner.policy or b""):
            return by_moto(self)
        raise AccessDeniedByLock

    return guarded


def put_bucket_policy(self: S3Backend, bucket_name: str, policy: bytes) -> None:
    try:
        statements = as_list(json.loads(policy)["Statement"])
        resources = [resource for statement in statements for resource in as_list(statement["Resource"])]
    except (ValueError, KeyError, TypeError) as error:
        raise S3ClientError("MalformedPolicy", "The policy is not valid.") from error
    if any(resource.split(":::", 1)[-1].split("/", 1)[0] != bucket_name for resource in resources):
        raise S3ClientError("MalformedPolicy", "Policy has invalid resource")
    put_policy_by_moto(self, bucket_name, policy)


def system_tags(backend: S3Backend, bucket_name: str) -> dict:
    tags = backend.get_bucket_tagging(bucket_name)["Tags"]
    return {tag["Key"]: tag["Value"] for tag in tags if tag["Key"].startswith("aws:")}


def bucket_tagging_from_body(self: S3Response) -> dict:
    parsed = xmltodict.parse(self.body, force_list={"Tag": True})
    given = (parsed["Tagging"].get("TagSet") or {}).get("Tag", [])
    tags = {tag["Key"]: tag["Value"] or "" for tag in given}
    if len(tags) != len(given):
        raise DuplicateTagKeys()
    there = system_tags(self.backend, self.bucket_name)
    asked = {key: value for key, value in tags.items() if key.startswith("aws:")}
    if there.keys() - asked.keys():
        raise InvalidTagError("System tags cannot be removed by requester")
    if asked != there:
        raise NoSystemTags()
    return tags


def delete_bucket_tagging(self: S3Backend, bucket_name: str) -> None:
    if system_tags(self, bucket_name):
        raise InvalidTagError("System tags cannot be removed by requester")
    delete_tagging_by_moto(self, bucket_name)


def delete_bucket(self: S3Backend, bucket_name: str) -> FakeBucket | None:
    deleted = delete_by_moto(self, bucket_name)
    if deleted:
        self.tagger.delete_all_tags_for_resource(deleted.arn)
    return deleted


def apply() -> None:
    S3Response._bucket_tagging_from_body = bucket_tagging_from_body
    S3Response.head_bucket = head_bucket
    for name in GUARDED:
        setattr(S3Response, name, only_for_owner(name))
    S3Response.get_bucket_versioning = get_bucket_versioning
    for function in (
        put_bucket_versioning,
        put_object_lock_configuration,
        put_bucket_policy,
        delete_bucket_tagging,
        delete_bucket,
    ):
        setattr(S3Backend, function.__name__, function)
