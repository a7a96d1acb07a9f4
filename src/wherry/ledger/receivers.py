"""Receivers: the places where disks land."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, update

from wherry.ledger import schema

_receiver = schema.receiver
_task = schema.task


@dataclass(frozen=True, slots=True)
class ReceiverRow:
    """A receiver.

    Attributes:
        last_contact: when it last announced itself; 0 when it has joined only.
        assignments_version: counts the changes of what is assigned to it.
        servers: the servers that can land there, as it announced them.
    """

    id: str
    account_id: str
    name: str
    data_host: str
    data_port: int
    drivers: Sequence[str]
    free_bytes: int
    version: str
    created_at: int
    last_contact: int
    assignments_version: int
    servers: Sequence[Mapping[str, Any]] = ()


def find(connection: Connection, account_id: str, receiver_id: str) -> ReceiverRow | None:
    """Return the receiver, None where the account has no such one."""
    query = select(_receiver).where(_receiver.c.id == receiver_id, _receiver.c.account_id == account_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else ReceiverRow(**row)


def every(connection: Connection, account_id: str) -> Sequence[ReceiverRow]:
    """Return all receivers of the account, oldest first."""
    order = (_receiver.c.created_at, _receiver.c.id)
    query = select(_receiver).where(_receiver.c.account_id == account_id).order_by(*order)
    return [ReceiverRow(**row) for row in connection.execute(query).mappings()]


def hosting(connection: Connection, account_id: str, server_id: str) -> ReceiverRow | None:
    """Return the receiver that is this server, or that announces it as one of its own."""
    rows = every(connection, account_id)
    return next((row for row in rows if server_id in {row.id, *(server["id"] for server in row.servers)}), None)


def insert(connection: Connection, row: ReceiverRow) -> None:
    """Store a new receiver."""
    connection.execute(_receiver.insert().inline(), {name: getattr(row, name) for name in ReceiverRow.__slots__})


def change(connection: Connection, receiver_id: str, values: Mapping[str, object]) -> None:
    """Set columns of a receiver."""
    connection.execute(update(_receiver).where(_receiver.c.id == receiver_id).values(values))


def count_assignment_change(connection: Connection, receiver_id: str) -> None:
    """Note that what is assigned to the receiver has changed, so that its next question is answered at once."""
    version = _receiver.c.assignments_version + 1
    connection.execute(update(_receiver).where(_receiver.c.id == receiver_id).values(assignments_version=version))


def least_busy(connection: Connection, account_id: str, *, among: Collection[str]) -> ReceiverRow | None:
    """Return the receiver with the fewest tasks of those with these ids; the oldest of several. None: there's none."""
    tasks = select(func.count()).where(_task.c.receiver_id == _receiver.c.id).scalar_subquery()
    query = (
        select(_receiver)
        .where(_receiver.c.account_id == account_id, _receiver.c.id.in_(among))
        .order_by(tasks, _receiver.c.created_at, _receiver.c.id)
        .limit(1)
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else ReceiverRow(**row)
