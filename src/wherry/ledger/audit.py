"""The audit log: who changed what, append-only, each entry sealed by the hash of all before it.

The names of resource types and events are the CTS names of the API reference.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, Row, select

from wherry.ledger import schema

GENESIS = "0" * 64
"""What the first entry follows."""

_audit = schema.audit

_NEWEST = select(_audit.c.hash).order_by(_audit.c.sequence.desc()).limit(1)
_APPEND = _audit.insert().inline()


@dataclass(frozen=True, slots=True)
class Entry:
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


@dataclass(slots=True)
class AuditChain:
    """The end of the chain as the writer knows it. `head` None: not looked up yet in this transaction."""

    head: str | None = None

    def append(self, connection: Connection, entry: Entry) -> None:
        """Add *entry* at the end."""
        if self.head is None:
            self.head = connection.execute(_NEWEST).scalar() or GENESIS
        sealed = seal(self.head, entry)
        values = {name: getattr(entry, name) for name in Entry.__slots__}
        connection.execute(_APPEND, {**values, "previous_hash": self.head, "hash": sealed})
        self.head = sealed


def seal(previous_hash: str, entry: Entry) -> str:
    """Return the hash of *entry* as it follows the one whose hash is *previous_hash*."""
    fields = [getattr(entry, name) for name in Entry.__slots__]
    return hashlib.sha256(previous_hash.encode() + msgspec.json.encode(fields)).hexdigest()


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


def _entry(row: Row[tuple[object, ...]]) -> Entry:
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    return Entry(**{name: values[name] for name in Entry.__slots__})
