"""The audit log: who changed what, append-only, each entry sealed by the hash of all before it.

The names of resource types and events are the CTS names of the API reference.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, select

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


@dataclass(frozen=True, slots=True)
class Sealed:
    """An entry as the log holds it: its number, what it follows, and its hash."""

    sequence: int
    entry: Entry
    previous_hash: str
    hash: str


@dataclass(slots=True)
class Chain:
    """Follows the log from its beginning and finds the first entry that doesn't fit.

    Attributes:
        head: the hash of the last entry that fits.
        sequence: the number of the last entry that was looked at.
        length: how many fit.
        first_broken: the number of the first one that doesn't; None while all do.
    """

    head: str = GENESIS
    sequence: int = 0
    length: int = 0
    first_broken: int | None = None

    def follow(self, link: Sealed) -> None:
        """Look at the next entry. Behind a broken one nothing is looked at any more."""
        if self.first_broken is not None:
            return
        self.sequence = link.sequence
        if link.previous_hash != self.head or seal(self.head, link.entry) != link.hash:
            self.first_broken = link.sequence
            return
        self.head = link.hash
        self.length += 1


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are meant; empty and None: all. *before* and *after* are sequence numbers."""

    resource_type: str = ""
    resource_id: str = ""
    event: str = ""
    caller: str = ""
    since: int | None = None
    until: int | None = None
    before: int | None = None
    after: int | None = None


def first_broken(connection: Connection) -> int | None:
    """Return the sequence number of the first entry that doesn't fit its chain; None when the log is whole."""
    chain = Chain()
    for row in connection.execute(select(_audit).order_by(_audit.c.sequence)):
        chain.follow(_sealed(row))
    return chain.first_broken


def newest(connection: Connection) -> int:
    """Return the sequence number of the newest entry; 0 while there is none."""
    query = select(_audit.c.sequence).order_by(_audit.c.sequence.desc()).limit(1)
    return connection.execute(query).scalar() or 0


def links(connection: Connection, *, after: int, until: int, limit: int) -> Sequence[Sealed]:
    """Return the entries of all accounts in their order, from behind *after* up to *until*, *limit* at most."""
    query = select(_audit).where(_audit.c.sequence > after, _audit.c.sequence <= until)
    return [_sealed(row) for row in connection.execute(query.order_by(_audit.c.sequence).limit(limit))]


def find(connection: Connection, account_id: str, wanted: AuditFilter, *, limit: int) -> Sequence[Sealed]:
    """Return the entries of an account that match, the newest first."""
    query = select(_audit).where(_audit.c.account_id == account_id, *_conditions(wanted))
    return [_sealed(row) for row in connection.execute(query.order_by(_audit.c.sequence.desc()).limit(limit))]


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


def _sealed(row: Row[tuple[object, ...]]) -> Sealed:
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    return Sealed(values["sequence"], _entry(row), values["previous_hash"], values["hash"])


def _conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    columns = _audit.c
    equal = {
        columns.resource_type: wanted.resource_type,
        columns.resource_id: wanted.resource_id,
        columns.event: wanted.event,
        columns.caller_name: wanted.caller,
    }
    conditions = [column == value for column, value in equal.items() if value]
    if wanted.since is not None:
        conditions.append(columns.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(columns.at <= wanted.until)
    if wanted.before is not None:
        conditions.append(columns.sequence < wanted.before)
    if wanted.after is not None:
        conditions.append(columns.sequence > wanted.after)
    return conditions
