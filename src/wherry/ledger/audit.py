"""The audit log: who changed what, append-only, each entry sealed by the hash of all before it.

The names of resource types and events are the CTS names of the API reference.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from wherry.ledger import schema
from wherry.ledger.prepared import Prepared

GENESIS = "0" * 64
"""What the first entry follows."""

_audit = schema.audit


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One change. `at` in epoch milliseconds; `detail` holds no secrets."""

    at: int
    account_id: str
    caller_kind: str
    caller_id: str
    caller_name: str
    access_key: str
    resource_type: str
    event: str
    resource_id: str
    request_id: str
    detail: str = ""


_FIELDS = Entry.__struct_fields__
_ENCODER = msgspec.json.Encoder()
_NEWEST = Prepared(select(_audit.c.hash).order_by(_audit.c.sequence.desc()).limit(1))
_APPEND = Prepared(_audit.insert().inline(), (*_FIELDS, "previous_hash", "hash"))


class AuditEntries:
    """The entries of a transaction. They are sealed together at its end, where the chain's end is known."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: list[tuple[Any, ...]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry) -> None:
        """Note *entry*."""
        values: tuple[Any, ...] = msgspec.structs.astuple(entry)
        if "\0" in entry.detail:
            # A client's words, which PostgreSQL can't store as they are.
            values = (*values[:-1], entry.detail.replace("\0", "\ufffd"))
        self._entries.append(values)

    def cut(self, length: int) -> None:
        """Forget the entries behind the first *length*: the unit that made them was undone."""
        del self._entries[length:]

    def append(self, connection: Connection) -> None:
        """Add the entries at the end of the log. Nobody else may do so until the transaction ends."""
        newest = _NEWEST.first(connection)
        head: str = GENESIS if newest is None else newest[0]
        rows = []
        for values in self._entries:
            sealed = _seal(head, values)
            rows.append({**dict(zip(_FIELDS, values, strict=True)), "previous_hash": head, "hash": sealed})
            head = sealed
        _APPEND.run_many(connection, rows)


def seal(previous_hash: str, entry: Entry) -> str:
    """Return the hash of *entry* as it follows the one whose hash is *previous_hash*."""
    return _seal(previous_hash, msgspec.structs.astuple(entry))


def first_broken(connection: Connection) -> int | None:
    """Return the sequence number of the first entry that doesn't fit its chain; None when the log is whole."""
    previous = GENESIS
    for row in connection.execute(select(_audit).order_by(_audit.c.sequence)):
        if row.previous_hash != previous or seal(previous, _entry(row)) != row.hash:
            return int(row.sequence)
        previous = row.hash
    return None


def of_account(connection: Connection, account_id: str, *, after: int = 0, limit: int = 100) -> Iterator[Entry]:
    """Yield the entries of an account in their order, from behind the sequence number *after*."""
    query = (
        select(_audit)
        .where(_audit.c.account_id == account_id, _audit.c.sequence > after)
        .order_by(_audit.c.sequence)
        .limit(limit)
    )
    for row in connection.execute(query).all():
        yield _entry(row)


def _seal(previous_hash: str, values: tuple[Any, ...]) -> str:
    # A tuple becomes the same JSON array as a list.
    return hashlib.sha256(previous_hash.encode() + _ENCODER.encode(values)).hexdigest()


def _entry(row: Row[tuple[object, ...]]) -> Entry:
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    return Entry(**{name: values[name] for name in Entry.__struct_fields__})
