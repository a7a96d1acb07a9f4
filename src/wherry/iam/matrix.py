"""The authorisation matrix: who gets which answer to which of the 49 operations.

Worked out from the rules alone (`wherry.iam.permissions`), so that the document that shows it can't say anything else,
and tests can hold a running control plane against it.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from wherry.contract.operations import OPERATIONS
from wherry.iam.permissions import (
    NOTHING,
    SMS_FULL_ACCESS,
    SMS_OPERATIONS,
    SMS_READ_ONLY_ACCESS,
    Resource,
    why_not,
)
from wherry.iam.policies import parse_policy
from wherry.iam.principals import Kind, Principal

DENIED: Final = ("sms:server:delete*", "sms:server:*Task", "sms:template:*", "sms:migproject:update")
"""What the custom policy of the matrix denies, beside SMS FullAccess."""

DENYING: Final = {"Version": "5.0", "Statement": [{"Effect": "Deny", "Action": list(DENIED)}]}

ANONYMOUS: Final = frozenset({"ListApiVersion", "ShowApiVersion"})
"""Operations that ask nobody who he is."""

NAMED_BY_THE_BODY: Final = {
    "CreateTask": "source_id",
    "DeleteServers": "source_id",
    "DeleteTasks": "task_id",
    "ExportConsistencyResults": "task_id",
    "DeleteTemplates": "id",
}
"""Operations whose body, not whose path, names what they are about; with the parameter that others name it by."""

_MISSING: Final = {
    "source_id": "SMS.7602",
    "server_id": "SMS.7602",
    "task_id": "SMS.7703",
    "id": "SMS.7101",
    "mig_project_id": "SMS.9001",
}
"""What is answered where the account has no such thing, by the parameter that names it."""

_OWN, _OTHER = "own", "other"


class Caller(Enum):
    """Who calls, by the heading of his column."""

    OWNER = "owner"
    FULL_ACCESS = "full access"
    READ_ONLY = "read only"
    CUSTOM_DENY = "custom deny"
    OWN_AGENT = "agent, own"
    OTHER_AGENT = "agent, other's"
    OTHER_ACCOUNT = "other account"
    EXPIRED = "expired token"
    REVOKED = "revoked token"
    NOBODY = "no credentials"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request that is right in every other way: its HTTP status, and the code of a refusal."""

    status: int
    code: str = ""

    def __str__(self) -> str:
        return f"{self.status} {self.code}".strip()


_DONE: Final = Answer(200)
_FORBIDDEN: Final = Answer(403, "SMS.9004")
_UNPROVEN: Final = {
    Caller.EXPIRED: Answer(401, "APIGW.0307"),
    Caller.REVOKED: Answer(401, "APIGW.0307"),
    Caller.NOBODY: Answer(401, "APIGW.0301"),
}
_PRINCIPALS: Final = {
    Caller.OWNER: Principal(Kind.USER, "account", "account", "owner", "owner", account_owner=True),
    Caller.FULL_ACCESS: Principal(Kind.USER, "account", "account", "user", "user", policies=(SMS_FULL_ACCESS,)),
    Caller.READ_ONLY: Principal(Kind.USER, "account", "account", "user", "user", policies=(SMS_READ_ONLY_ACCESS,)),
    Caller.CUSTOM_DENY: Principal(
        Kind.USER,
        "account",
        "account",
        "user",
        "user",
        policies=(SMS_FULL_ACCESS, parse_policy("custom deny", DENYING)),
    ),
    Caller.OWN_AGENT: Principal(Kind.AGENT, "account", "account", "agent", "agent", source_id=_OWN),
    Caller.OTHER_AGENT: Principal(Kind.AGENT, "account", "account", "agent", "agent", source_id=_OWN),
}


def answer(operation: str, caller: Caller) -> Answer:
    """Return what *caller* gets from *operation*, a key of `OPERATIONS`."""
    if operation in ANONYMOUS:
        return _DONE
    if caller in _UNPROVEN:
        return _UNPROVEN[caller]
    named = names(operation)
    if caller is Caller.OTHER_ACCOUNT:
        return Answer(404, _MISSING[named]) if named else _DONE
    resource = NOTHING
    if named or operation == "RegisterServer":  # where an agent may send the id of a source
        resource = Resource("id", source_id=_OTHER if caller is Caller.OTHER_AGENT else _OWN)
    return _FORBIDDEN if why_not(_PRINCIPALS[caller], operation, resource) else _DONE


def names(operation: str) -> str:
    """Return the parameter that names what the operation is about; empty for lists, and for what it makes anew."""
    if operation in NAMED_BY_THE_BODY:
        return NAMED_BY_THE_BODY[operation]
    path = OPERATIONS[operation].path
    return next((name for name in _MISSING if f"{{{name}}}" in path), "")


def matrix() -> dict[str, dict[Caller, Answer]]:
    """Return the whole matrix, in the order of the rules."""
    return {operation: {caller: answer(operation, caller) for caller in Caller} for operation in SMS_OPERATIONS}
