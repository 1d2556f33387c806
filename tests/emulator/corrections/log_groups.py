"""Log groups: their keys, classes and retention.

moto lacks AssociateKmsKey and account-level policies, does not say of which class a group is, lets any text
be a group's key, and keeps events for any number of days.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_AssociateKmsKey.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
"""

import json
from fnmatch import fnmatchcase

from moto.kms.models import kms_backends
from moto.logs.exceptions import InvalidParameterException, LogsClientError, ResourceNotFoundException
from moto.logs.models import LogGroup
from moto.logs.responses import LogsResponse

from corrections.keys import as_list, does, principals, statements_of

RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
USED = ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey")
CONTEXT = "kms:EncryptionContext:aws:logs:arn"

create_log_group_by_moto = LogsResponse.create_log_group
describe_log_group_by_moto = LogGroup.to_describe_dict
put_retention_by_moto = LogsResponse.put_retention_policy


def name_of(self: LogsResponse) -> str:
    return self._get_param("logGroupName") or self._get_param("resourceIdentifier").split(":log-group:")[-1]


def log_group_of(self: LogsResponse) -> LogGroup:
    groups = self.logs_backend.groups
    if name_of(self) not in groups:
        raise ResourceNotFoundException()
    return groups[name_of(self)]


def refuse_key(self: LogsResponse) -> None:
    """CloudWatch Logs tries the key before it takes it: it is there, enabled, named by its ARN, and its
    policy lets the service use it for this group."""
    given = self._get_param("kmsKeyId")
    keys = kms_backends[self.current_account][self.region].keys
    key = next((key for key in keys.values() if key.arn == given), None)
    group = f"arn:{self.partition}:logs:{self.region}:{self.current_account}:log-group:{name_of(self)}"
    if key is None or key.key_state != "Enabled" or not all(lets_logs(self, key, group, use) for use in USED):
        message = f"The specified KMS key does not exist or is not allowed to be used with LogGroup '{group}'"
        refusal = InvalidParameterException()
        LogsClientError.__init__(refusal, "InvalidParameterException", message)
        raise refusal


def lets_logs(self: LogsResponse, key, group: str, action: str) -> bool:  # noqa: ANN001
    suffix = "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"
    services = {f"logs.{self.region}.{suffix}", "logs.amazonaws.com", "*"}
    about = [s for s in statements_of(key.policy) if services & set(principals(s, "Service"))]
    effects = {s["Effect"] for s in about if does(s, action) and holds(s.get("Condition", {}), group)}
    return effects == {"Allow"}


def holds(conditions: dict, group: str) -> bool:
    """Conditions on anything but the group are taken not to hold."""
    patterns = [value for one in conditions.values() for key, values in one.items() for value in as_list(values)]
    known = all(key == CONTEXT for one in conditions.values() for key in one)
    return known and (not patterns or any(fnmatchcase(group, pattern) for pattern in patterns))


def associate_kms_key(self: LogsResponse) -> str:
    group = log_group_of(self)
    refuse_key(self)
    group.kms_key_id = self._get_param("kmsKeyId")
    return ""


def disassociate_kms_key(self: LogsResponse) -> str:
    log_group_of(self).kms_key_id = None
    return ""


def create_log_group(self: LogsResponse) -> str:
    if self._get_param("kmsKeyId") and name_of(self) not in self.logs_backend.groups:
        refuse_key(self)
    answer = create_log_group_by_moto(self)
    log_group_of(self).log_group_class = self._get_param("logGroupClass") or "STANDARD"
    return answer


def describe_log_group(self: LogGroup) -> dict:
    return {**describe_log_group_by_moto(self), "logGroupClass": getattr(self, "log_group_class", "STANDARD")}


def describe_account_policies(self: LogsResponse) -> str:
    """Account-level policies cannot be set here: there are none."""
    return json.dumps({"accountPolicies": []})


def put_retention_policy(self: LogsResponse) -> str:
    days = self._get_param("retentionInDays")
    if days not in RETENTIONS:
        constraint = f"Member must satisfy enum value set: {list(RETENTIONS)}"
        raise InvalidParameterException(constraint=constraint, parameter="retentionInDays", value=days)
    return put_retention_by_moto(self)


def apply() -> None:
    for operation in (
        associate_kms_key,
        disassociate_kms_key,
        create_log_group,
        describe_account_policies,
        put_retention_policy,
    ):
        setattr(LogsResponse, operation.__name__, operation)
    LogGroup.to_describe_dict = describe_log_group
