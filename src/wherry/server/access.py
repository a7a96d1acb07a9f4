"""What a call is about: found in the caller's account, and allowed to the caller.

What belongs to another account doesn't exist for the caller (404); what exists and isn't allowed is a 403.
"""

from sqlalchemy import Connection

from wherry.contract.errors import ApiError
from wherry.iam.permissions import NOTHING, Resource, require, why_not
from wherry.iam.policies import depends_on_context
from wherry.iam.principals import Kind
from wherry.ledger import labels, receivers, sources, tasks
from wherry.ledger.receivers import ReceiverRow
from wherry.ledger.sources import SourceRow
from wherry.ledger.tasks import TaskRow
from wherry.ledger.transaction import source_scope
from wherry.migration.records import TaskRecord
from wherry.server.call import Call


def allow(call: Call, resource: Resource = NOTHING) -> None:
    """Return when the caller may do what it asks for to *resource*. Raises PermissionMissing."""
    require(call.principal, call.route.operation, resource)


def listable(connection: Connection, call: Call, wanted: str = "") -> frozenset[str] | None:
    """Return the enterprise projects of which the caller may list anything; None: of all.

    *wanted* is the one that the caller asks for. Raises PermissionMissing where he may list nothing at all.
    """
    who, operation = call.principal, call.route.operation
    if who.account_owner or not depends_on_context(who.policies):
        allow(call)
        return None
    if wanted:
        allow(call, Resource(enterprise_project_id=wanted))
        return frozenset({wanted})
    borne = labels.of_account(connection, call.account_id)
    allowed = frozenset(label for label in borne if not why_not(who, operation, Resource(enterprise_project_id=label)))
    if not allowed:
        allow(call)
    return allowed


def source_of(connection: Connection, call: Call, source_id: str) -> SourceRow:
    """Return the source that the call is about. Raises ApiError SMS.7602 or PermissionMissing."""
    row = sources.find(connection, call.account_id, source_id)
    if row is None:
        raise ApiError("SMS.7602", status=404)
    allow(call, Resource(row.id, source_id=row.id, enterprise_project_id=row.enterprise_project_id))
    return row


def task_of(connection: Connection, call: Call, task_id: str) -> TaskRow:
    """Return the task that the call is about. Raises ApiError SMS.7703 or PermissionMissing."""
    row = tasks.find(connection, call.account_id, task_id)
    if row is None:
        raise ApiError("SMS.7703", status=404)
    allow(call, Resource(row.id, row.source_id, row.receiver_id or "", row.enterprise_project_id))
    return row


def receiver_of(connection: Connection, call: Call, receiver_id: str) -> ReceiverRow:
    """Return the receiver that the call is about. Raises ApiError WHERRY.5505 or PermissionMissing."""
    row = receivers.find(connection, call.account_id, receiver_id)
    if row is None:
        raise ApiError("WHERRY.5505")
    allow(call, Resource(row.id, receiver_id=row.id))
    return row


def record_of(connection: Connection, row: TaskRow | None) -> TaskRecord | None:
    """Return what the rules look at of a task, its subtasks included."""
    return None if row is None else row.record(tasks.subtasks_of(connection, row.id))


def own_scope(call: Call) -> str:
    """Return the scope of a unit that changes a task of the caller's own source; empty where it isn't an agent's key.

    An agent's key opens no other source's task, so the unit of a foreign one ends before it changes anything.
    """
    who = call.principal
    return source_scope(who.source_id) if who.kind is Kind.AGENT and who.source_id else ""


async def heard_of(call: Call, source_id: str) -> None:
    """Note a sign of life of a source's agent that works with a user's key, as the vendor's agents do."""
    if call.principal.kind is Kind.USER:
        await call.services.contacts.touch(source_id)
