"""One line of the route table: what is called how, who may call it, and what it leaves in the audit log."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from wherry.iam.permissions import OPERATIONS
from wherry.iam.principals import Kind
from wherry.server.answers import Answer
from wherry.server.bodies import MAX_BODY

if TYPE_CHECKING:
    from wherry.server.call import Call

Handler = Callable[["Call"], Awaitable[Answer]]


class ErrorShape(Enum):
    """How the refusals of an operation look."""

    SMS = "sms"
    KEYSTONE = "keystone"


@dataclass(frozen=True, slots=True)
class AuditName:
    """What an operation is called in the audit log: the CTS names of the reference."""

    resource_type: str
    event: str


@dataclass(frozen=True, slots=True)
class Route:
    """An operation.

    Attributes:
        operation: its id, as in the reference.
        method: the HTTP method.
        path: with parameters in braces.
        handler: does the work.
        audit: its names in the audit log; None for operations that change nothing.
        anonymous: answered without authentication.
        max_body: bytes of its body at most.
        errors: the shape of its refusals.
        parameter_names: the names in braces, in their order.
        ids: those of them that are ids.
        callers: the kinds of principals that may call it at all; empty where it's anonymous.
    """

    operation: str
    method: str
    path: str
    handler: Handler
    audit: AuditName | None = None
    anonymous: bool = False
    max_body: int = MAX_BODY
    errors: ErrorShape = ErrorShape.SMS
    parameter_names: tuple[str, ...] = field(init=False)
    ids: tuple[str, ...] = field(init=False)
    callers: frozenset[Kind] = field(init=False)

    def __post_init__(self) -> None:
        names = tuple(re.findall(r"{(\w+)}", self.path))
        object.__setattr__(self, "parameter_names", names)
        object.__setattr__(self, "ids", tuple(name for name in names if name.endswith("_id") or name == "id"))
        object.__setattr__(self, "callers", frozenset() if self.anonymous else _callers(self.operation))

    @property
    def action(self) -> str:
        """The IAM action that it needs; empty where none is needed."""
        rule = OPERATIONS.get(self.operation)
        return "" if rule is None else rule.action


def _callers(operation: str) -> frozenset[Kind]:
    rule = OPERATIONS.get(operation)
    if rule is None:  # about the caller himself, such as what his token says
        return frozenset(Kind)
    kinds = ((Kind.USER, True), (Kind.AGENT, rule.agent), (Kind.RECEIVER, rule.receiver))
    return frozenset(kind for kind, may in kinds if may)
