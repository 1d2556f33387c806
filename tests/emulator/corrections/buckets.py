"""Buckets.

moto suspends versioning under an object lock, refuses an object lock for a bucket with objects, shows any
account the buckets of all others, and takes any text for a policy.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-configure.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
"""

import json

from moto.s3.exceptions import InvalidBucketState, S3ClientError
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response

from corrections.keys import as_list

head_by_moto = S3Response.head_bucket
put_policy_by_moto = S3Backend.put_bucket_policy
put_versioning_by_moto = S3Backend.put_bucket_versioning
put_lock_by_moto = S3Backend.put_object_lock_configuration


def put_bucket_versioning(self: S3Backend, bucket_name: str, status: str) -> None:
    if status != "Enabled" and self.get_bucket(bucket_name).object_lock_enabled:
        message = "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."
        raise InvalidBucketState(message)
    put_versioning_by_moto(self, bucket_name, status)


def put_object_lock_configuration(self: S3Backend, bucket_name: str, *args, **kwargs) -> None:  # noqa: ANN002, ANN003
    """On a bucket with objects, too: they are merely not there for as long as moto looks."""
    bucket = self.get_bucket(bucket_name)
    objects = bucket.keys
    bucket.keys = type(objects)()
    try:
        put_lock_by_moto(self, bucket_name, *args, **kwargs)
    finally:
        bucket.keys = objects


def head_bucket(self: S3Response):  # noqa: ANN201
    answer = head_by_moto(self)
    if answer[0] == 200 and self.backend.head_bucket(self.bucket_name).account_id != self.current_account:
        return 403, answer[1], ""
    return answer


def put_bucket_policy(self: S3Backend, bucket_name: str, policy: bytes) -> None:
    try:
        statements = as_list(json.loads(policy)["Statement"])
        resources = [resource for statement in statements for resource in as_list(statement["Resource"])]
    except (ValueError, KeyError, TypeError) as error:
        raise S3ClientError("MalformedPolicy", "The policy is not valid.") from error
    if any(resource.split(":::", 1)[-1].split("/", 1)[0] != bucket_name for resource in resources):
        raise S3ClientError("MalformedPolicy", "Policy has invalid resource")
    put_policy_by_moto(self, bucket_name, policy)


def apply() -> None:
    S3Response.head_bucket = head_bucket
    for function in (put_bucket_versioning, put_object_lock_configuration, put_bucket_policy):
        setattr(S3Backend, function.__name__, function)
