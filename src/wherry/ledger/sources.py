"""Source servers as the ledger keeps them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, select, update

from wherry.contract.enumerations import SourceState
from wherry.ledger import schema, state_changes
from wherry.ledger.prepared import Prepared, PreparedUpdate
from wherry.migration.disk_choice import Choices
from wherry.migration.records import SetSourceState, SourceRecord

_source = schema.source
_task = schema.task
_result = schema.consistency_result

_FIND = Prepared(
    select(_source).where(_source.c.id == bindparam("source"), _source.c.account_id == bindparam("account"))
)
_STATE = Prepared(select(_source.c.state, _source.c.migration_cycle).where(_source.c.id == bindparam("source")))
_CHANGE = PreparedUpdate(_source, "id")
_CONNECTED = Prepared(select(_source.c.id).where(_source.c.connected == bindparam("connected")))
_SILENT = Prepared(
    select(_source.c.id)
    .where(
        _source.c.connected.is_(True),
        (_source.c.last_contact < bindparam("earliest")) | (_source.c.last_contact > bindparam("latest")),
    )
    .order_by(_source.c.id)
)
_NOTE_CONTACT = Prepared(
    update(_source)
    .where(
        _source.c.id == bindparam("source"),
        (_source.c.last_contact < bindparam("at")) | (_source.c.last_contact > bindparam("now")),
    )
    .values(last_contact=bindparam("at"))
)

CHOICES: Final = "choices"
"""Where a source's document has what users chose for its disks; all else in it was registered."""

_NAMES = tuple(column.name for column in _source.c)


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source server.

    Attributes:
        mac: the first MAC address, by which a machine is known again.
        last_contact: when its agent was last heard of; behind the truth by up to the flush interval of contacts.
        last_visit_time: when `connected` last changed.
        document: the registration as the agent sent it, and what users chose for the disks.
        checks: the environment checks made from it.
    """

    id: str
    account_id: str
    name: str
    ip: str
    ipv6: str
    mac: str
    os_type: str
    state: SourceState
    migration_cycle: str
    migproject_id: str
    enterprise_project_id: str
    connected: bool
    last_contact: int
    last_visit_time: int
    add_date: int
    state_action_time: int
    stage_action_time: int
    replicatesize: int
    totalsize: int
    document: Mapping[str, Any]
    checks: Sequence[Mapping[str, Any]]

    @property
    def choices(self) -> Choices:
        """What users chose for the disks."""
        found: Choices = self.document.get(CHOICES, {})
        return found

    def record(self) -> SourceRecord:
        """Return what the rules look at."""
        return SourceRecord(self.id, self.state, self.migration_cycle, self.connected)


@dataclass(frozen=True, slots=True)
class SourceFilter:
    """What a list of sources is narrowed by; empty and None mean: not at all. Names match by substring.

    `vm_id` is the server that the source's task migrates to, or the clone of that server. `labels`: the enterprise
    projects of which anything may be listed.
    """

    state: str = ""
    name: str = ""
    id: str = ""
    ip: str = ""
    ipv6: str = ""
    migproject_id: str = ""
    migration_cycle: str = ""
    connected: bool | None = None
    enterprise_project_id: str = ""
    has_consistency_result: bool | None = None
    vm_id: str = ""
    labels: frozenset[str] | None = None


def find(connection: Connection, account_id: str, source_id: str) -> SourceRow | None:
    """Return the source, None where the account has no such one."""
    row = _FIND.first(connection, source=source_id, account=account_id)
    return None if row is None else _row(dict(zip(_NAMES, row, strict=True)))


def find_by_identity(connection: Connection, account_id: str, mac: str, address: str) -> SourceRow | None:
    """Return the account's source with this first MAC and this address: the same machine, without an id to tell.

    The address is the IPv4 address, or the IPv6 address of a source that has no other.
    """
    same_address = (_source.c.ip == address) | ((_source.c.ip == "") & (_source.c.ipv6 == address))
    query = select(_source).where(_source.c.account_id == account_id, _source.c.mac == mac, same_address)
    return _first(connection, query.order_by(_source.c.add_date))


def find_page(
    connection: Connection, account_id: str, wanted: SourceFilter, *, limit: int, offset: int
) -> tuple[int, Sequence[SourceRow]]:
    """Return how many sources match, and one page of them, the oldest first."""
    conditions = [*_within(account_id, wanted.labels), *_conditions(wanted)]
    if wanted.vm_id:
        conditions.append(_source.c.id.in_(_migrating_to(connection, account_id, wanted.vm_id)))
    count = connection.execute(select(func.count()).select_from(_source).where(*conditions)).scalar_one()
    order = (_source.c.add_date, _source.c.id)
    query = select(_source).where(*conditions).order_by(*order).limit(limit).offset(offset)
    return count, [_row(row) for row in connection.execute(query).mappings()]


def find_many(connection: Connection, account_id: str, source_ids: Sequence[str]) -> Mapping[str, SourceRow]:
    """Return the sources of these ids, by id."""
    query = select(_source).where(_source.c.id.in_(source_ids), _source.c.account_id == account_id)
    return {row["id"]: _row(row) for row in connection.execute(query).mappings()}


def count_states(connection: Connection, account_id: str, *, labels: frozenset[str] | None = None) -> Mapping[str, int]:
    """Return how many sources of the account, or of these enterprise projects in it, are in each state."""
    counted = select(_source.c.state, func.count().label("sources")).where(*_within(account_id, labels))
    query = counted.group_by(_source.c.state)
    return {row.state: row.sources for row in connection.execute(query)}


def count_without_task(connection: Connection, account_id: str, *, labels: frozenset[str] | None = None) -> int:
    """Return how many sources of the account, or of these enterprise projects in it, have no target configuration."""
    has_task = exists().where(_task.c.source_id == _source.c.id)
    query = select(func.count()).select_from(_source).where(*_within(account_id, labels), ~has_task)
    return connection.execute(query).scalar_one()


def count_in_migproject(connection: Connection, migproject_id: str) -> int:
    """Return how many sources belong to a migration project."""
    query = select(func.count()).select_from(_source).where(_source.c.migproject_id == migproject_id)
    return connection.execute(query).scalar_one()


def with_consistency_result(connection: Connection, source_ids: Sequence[str]) -> frozenset[str]:
    """Return those of *source_ids* that have at least one consistency result."""
    query = select(_result.c.source_id).where(_result.c.source_id.in_(source_ids)).distinct()
    return frozenset(connection.execute(query).scalars())


def insert(connection: Connection, row: SourceRow, *, reason: str) -> None:
    """Store a new source."""
    connection.execute(_source.insert().inline(), {name: getattr(row, name) for name in SourceRow.__slots__})
    state_changes.append(
        connection, state_changes.StateChange(row.add_date, row.id, None, "source", "", row.state, reason)
    )


def change(connection: Connection, source_id: str, values: Mapping[str, object]) -> None:
    """Set columns of a source, other than its state, which `set_state` does."""
    _CHANGE.run(connection, (source_id,), values)


def set_state(
    connection: Connection, source_id: str, task_id: str | None, wanted: SetSourceState, *, at: int, reason: str
) -> None:
    """Bring the source to a state and a cycle; what is so already leaves no trace."""
    found = _STATE.first(connection, source=source_id)
    if found is None:
        raise LookupError(source_id)
    state, cycle = found
    values: dict[str, object] = {}
    if wanted.state != state:
        values |= {"state": wanted.state, "state_action_time": at}
        moved = state_changes.StateChange(at, source_id, task_id, "source", state, wanted.state, reason)
        state_changes.append(connection, moved)
    if wanted.migration_cycle is not None and wanted.migration_cycle != cycle:
        values |= {"migration_cycle": wanted.migration_cycle, "stage_action_time": at}
    if values:
        change(connection, source_id, values)


def note_contacts(connection: Connection, contacts: Mapping[str, int], *, now: int) -> None:
    """Store when agents were last heard of: source id to epoch milliseconds.

    What's newer already stays, unless it's later than *now*: then the clock has been set back since.
    """
    if contacts:
        _NOTE_CONTACT.run_many(
            connection, [{"source": source, "at": at, "now": now} for source, at in contacts.items()]
        )


def set_connected(connection: Connection, source_id: str, *, connected: bool, at: int) -> bool:
    """Note that an agent is connected now, or isn't any more; return whether that is news."""
    values: dict[str, object] = {"connected": connected, "last_visit_time": at}
    if connected:
        values["last_contact"] = at
    turned = (_source.c.id == source_id, _source.c.connected != connected)
    return connection.execute(update(_source).where(*turned).values(values)).rowcount > 0


def all_connected(connection: Connection, *, connected: bool) -> frozenset[str]:
    """Return the sources, of all accounts, whose agents are connected, or aren't."""
    return frozenset(row[0] for row in _CONNECTED.all(connection, connected=connected))


def silent(connection: Connection, *, earliest: int, latest: int) -> Sequence[str]:
    """Return the sources, of all accounts, that count as connected and weren't heard of from *earliest* to *latest*."""
    return [row[0] for row in _SILENT.all(connection, earliest=earliest, latest=latest)]


def delete(connection: Connection, source_id: str) -> None:
    """Remove the record. Its task must be gone already."""
    connection.execute(_source.delete().where(_source.c.id == source_id))


def _within(account_id: str, labels: frozenset[str] | None) -> list[ColumnElement[bool]]:
    mine = [_source.c.account_id == account_id]
    return mine if labels is None else [*mine, _source.c.enterprise_project_id.in_(sorted(labels))]


def _conditions(wanted: SourceFilter) -> list[ColumnElement[bool]]:
    equal = {
        _source.c.state: wanted.state,
        _source.c.id: wanted.id,
        _source.c.migproject_id: wanted.migproject_id,
        _source.c.migration_cycle: wanted.migration_cycle,
        _source.c.enterprise_project_id: wanted.enterprise_project_id,
        _source.c.ip: wanted.ip,
    }
    if not wanted.ip:
        equal[_source.c.ipv6] = wanted.ipv6
    conditions: list[ColumnElement[bool]] = [column == value for column, value in equal.items() if value]
    if wanted.name:
        conditions.append(_source.c.name.icontains(wanted.name, autoescape=True))
    if wanted.connected is not None:
        conditions.append(_source.c.connected == wanted.connected)
    if wanted.has_consistency_result is not None:
        has = exists().where(_result.c.source_id == _source.c.id)
        conditions.append(has if wanted.has_consistency_result else ~has)
    return conditions


def _migrating_to(connection: Connection, account_id: str, vm_id: str) -> list[str]:
    """Return the sources whose target, or its clone, is this server. Clones are rare and hence no column."""
    query = select(_task.c.source_id, _task.c.target_vm_id, _task.c.settings).where(_task.c.account_id == account_id)
    return [
        row.source_id
        for row in connection.execute(query)
        if vm_id in {row.target_vm_id, row.settings.get("clone_server", {}).get("vm_id")}
    ]


def _first(connection: Connection, query: Any) -> SourceRow | None:
    row = connection.execute(query.limit(1)).mappings().first()
    return None if row is None else _row(row)


def _row(row: Mapping[Any, Any]) -> SourceRow:
    values = dict(row)
    values["state"] = SourceState(values["state"])
    return SourceRow(**values)
