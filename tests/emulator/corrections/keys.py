"""KMS keys: what each state lets be done, and which policies are refused.

moto enables, rotates and aliases keys that are pending deletion, calls the deletion of any key off, says
that a disabled key is enabled, knows keys that are to be enabled or disabled by id only, and takes any text
for a policy, but fails to describe a key whose policy has one statement instead of a list. It gives the keys that AWS
makes for its services out as a customer's.

https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html
https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyRotationStatus.html
https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-cmk
"""

import json
from fnmatch import fnmatchcase

import moto.kms.responses as kms_responses
from moto.core.exceptions import JsonRESTError
from moto.iam.models import iam_backends
from moto.kms.models import Alias, Key, KmsBackend
from moto.kms.responses import KmsResponse

# -- states ------------------------------------------------------------------------------------------

NOT_PENDING_DELETION = (
    "create_alias",
    "disable_key",
    "disable_key_rotation",
    "enable_key",
    "enable_key_rotation",
    "schedule_key_deletion",
    "tag_resource",
    "untag_resource",
)
ENABLED = ("enable_key_rotation", "disable_key_rotation")
get_rotation_by_moto = KmsBackend.get_key_rotation_status


def refused(code: str, message: str) -> JsonRESTError:
    return JsonRESTError(code, message)


def key_of(self: KmsResponse) -> Key:
    given = self._get_param("TargetKeyId") or self._get_param("KeyId")
    self._validate_key_id(given)
    return self.kms_backend.describe_key(given)


def in_state(operation: str):  # noqa: ANN201
    by_moto = getattr(KmsResponse, operation)

    def call(self: KmsResponse) -> str:
        key = key_of(self)
        pending = key.key_state == "PendingDeletion"
        if operation in NOT_PENDING_DELETION and pending:
            raise refused("KMSInvalidStateException", f"{key.arn} is pending deletion.")
        if operation in ENABLED and key.key_state == "Disabled":
            raise refused("DisabledException", f"{key.arn} is disabled.")
        if operation == "cancel_key_deletion" and not pending:
            raise refused("KMSInvalidStateException", f"{key.arn} is not pending deletion.")
        return by_moto(self)

    return call


def disable_key(self: KmsBackend, key_id: str) -> None:
    key = self.keys[self.get_key_id(key_id)]
    key.enabled, key.key_state = False, "Disabled"


def enable_key(self: KmsBackend, key_id: str) -> None:
    key = self.keys[self.get_key_id(key_id)]
    key.enabled, key.key_state = True, "Enabled"


def cancel_key_deletion(self: KmsBackend, key_id: str) -> None:
    disable_key(self, key_id)
    self.keys[self.get_key_id(key_id)].deletion_date = None


def get_key_rotation_status(self: KmsBackend, key_id: str) -> bool:
    """None while deletion is pending; what was there comes back when it is called off."""
    pending = self.keys[self.get_key_id(key_id)].key_state == "PendingDeletion"
    return not pending and get_rotation_by_moto(self, key_id)


# -- policies ----------------------------------------------------------------------------------------

create_key_by_moto = KmsResponse.create_key
put_key_policy_by_moto = KmsResponse.put_key_policy
assert_default_policy = kms_responses._assert_default_policy


def as_list(value) -> list:  # noqa: ANN001
    return value if isinstance(value, list) else [value]


def principals(statement: dict, kind: str) -> list:
    who = statement.get("Principal", {})
    return ["*"] if who == "*" else as_list(who.get(kind, []))


def does(statement: dict, action: str) -> bool:
    return any(fnmatchcase(action.lower(), one.lower()) for one in as_list(statement.get("Action", [])))


def statements_of(text: str) -> list:
    try:
        statements = as_list(json.loads(text)["Statement"])
        for statement in statements:
            assert statement["Effect"] in ("Allow", "Deny")
            for member in ("Action", "Resource", "Principal"):
                assert (member in statement) != (f"Not{member}" in statement)
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise refused("MalformedPolicyDocumentException", "The policy is not valid.") from error
    return statements


def refuse_policy(self: KmsResponse) -> None:
    """What is no policy, names roles or users that are not there, or locks the caller out. The caller is
    taken to be the account's root: here nobody else calls."""
    statements = statements_of(self._get_param("Policy"))
    iam = iam_backends[self.current_account][self.partition]
    known = {role.arn for role in iam.roles.values()} | {user.arn for user in iam.users.values()}
    root = f"arn:{self.partition}:iam::{self.current_account}:root"
    for who in (who for statement in statements for who in principals(statement, "AWS")):
        of_account = f":iam::{self.current_account}:" in who
        if who not in ("*", root, self.current_account) and of_account and who not in known:
            message = "Policy contains a statement with one or more invalid principals."
            raise refused("MalformedPolicyDocumentException", message)
    if self._get_param("BypassPolicyLockoutSafetyCheck"):
        return
    about_root = [s for s in statements if {"*", root, self.current_account} & set(principals(s, "AWS"))]
    effects = {s["Effect"] for s in about_root if does(s, "kms:PutKeyPolicy") and not s.get("Condition")}
    if effects != {"Allow"}:
        message = "The new key policy will not allow you to update the key policy in the future."
        raise refused("MalformedPolicyDocumentException", message)


def create_key(self: KmsResponse) -> str:
    if self._get_param("Policy"):
        refuse_policy(self)
    return create_key_by_moto(self)


def put_key_policy(self: KmsResponse) -> str:
    refuse_policy(self)
    return put_key_policy_by_moto(self)


validate_by_moto = kms_responses.validate_policy


def validate_policy(key: Key, action: str) -> None:
    """As moto has it: a policy that denies DescribeKey to anyone denies it here."""
    if isinstance(json.loads(key.policy).get("Statement"), list):
        validate_by_moto(key, action)


create_alias_by_moto = KmsBackend.create_alias


def create_alias(self: KmsBackend, target_key_id: str, alias_name: str) -> Alias:
    """Only AWS can give such a name, and only to a key of its own."""
    alias = create_alias_by_moto(self, target_key_id, alias_name)
    if alias_name.startswith("alias/aws/"):
        self.keys[alias.target_key_id].key_manager = "AWS"
    return alias


def assert_default_policy_or_none(name: str | None) -> None:
    """The name of a key's policy may be left out, it is `default`."""
    assert_default_policy(name or "default")


def apply() -> None:
    for operation in {*NOT_PENDING_DELETION, *ENABLED, "cancel_key_deletion"}:
        setattr(KmsResponse, operation, in_state(operation))
    for function in (disable_key, enable_key, cancel_key_deletion, get_key_rotation_status):
        setattr(KmsBackend, function.__name__, function)
    KmsBackend.create_alias = create_alias
    KmsResponse.create_key = create_key
    KmsResponse.put_key_policy = put_key_policy
    kms_responses.validate_policy = validate_policy
    kms_responses._assert_default_policy = assert_default_policy_or_none
