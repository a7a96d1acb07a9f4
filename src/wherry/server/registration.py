"""RegisterServer and UpdateDiskInfo: what agents say of their machines."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

from msgspec import convert, structs, to_builtins
from sqlalchemy import Connection

from wherry.contract.errors import ApiError
from wherry.contract.notifications import EventType
from wherry.contract.sources import Registration
from wherry.contract.storage import DiskInfo
from wherry.contract.values import CreatedId
from wherry.iam.permissions import Resource, require
from wherry.iam.principals import Kind
from wherry.ledger import credentials, migprojects, sources, tasks
from wherry.ledger.labels import DEFAULT
from wherry.ledger.sources import SourceRow
from wherry.ledger.transaction import Transaction, source_scope
from wherry.migration import disk_choice
from wherry.migration.events import Event
from wherry.migration.records import SetSourceState
from wherry.migration.registration import Admission, admit
from wherry.server.access import heard_of, source_of
from wherry.server.answers import EMPTY, Answer, json_answer
from wherry.server.call import Call
from wherry.server.contacts import note_connected

_KEPT_IN_COLUMNS = ("id", "state", "migration_cycle", "domain_id")


async def register_server(call: Call) -> Answer:
    """Store a source, or bring the record of one that is known up to date, and return its id."""
    registration = call.decode(Registration)

    def unit(tx: Transaction) -> str:
        known = _find_known(tx.connection, call, registration)
        source_id = _insert(tx, call, registration) if known is None else _renew(tx, call, registration, known)
        if call.principal.kind is Kind.AGENT:
            credentials.bind_key(tx.connection, call.principal.access_key, source_id)
            tx.key_changed(call.principal.access_key)
        call.record(tx, source_id, "registered" if known is None else "registered again")
        return source_id

    source_id = await call.services.ledger.write(unit)
    call.services.contacts.registered(source_id)
    return json_answer(CreatedId(id=source_id))


async def update_disk_info(call: Call) -> Answer:
    """Replace the disk facts of a source that waits for its target; ignored once it has a task."""
    info = call.decode(DiskInfo)
    source_id = call.parameters["source_id"]

    def unit(tx: Transaction) -> None:
        source = source_of(tx.connection, call, source_id)
        call.record(tx, source_id)
        if tasks.of_source(tx.connection, source_id) is not None:
            return
        facts = {"disks": info.disks, "volume_groups": info.volume_groups, "btrfs_list": info.btrfs_list}
        document = {name: value for name, value in source.document.items() if name not in facts}
        document |= {name: to_builtins(value) for name, value in facts.items() if value is not None}
        document[sources.CHOICES] = disk_choice.remaining(source_id, document, source.choices)
        admission = admit(convert(document, Registration), source.record())
        checks = to_builtins(admission.checks)
        sources.change(tx.connection, source_id, {"document": document, "checks": checks})
        _set_state(tx, call, source, admission)

    await call.services.ledger.write(unit, source_scope(source_id))
    await heard_of(call, source_id)
    return EMPTY


def _find_known(connection: Connection, call: Call, registration: Registration) -> SourceRow | None:
    """Return the record of the machine that registers, None when it's new.

    It's known by the id that it sends, or else by its key, or else by its first MAC and its address. Raises
    PermissionMissing when an agent sends another's id, ApiError WHERRY.5511 when it looks like another agent's machine.
    """
    # The key may have been bound since the caller was authenticated, by a registration that ran beside this one.
    principal = replace(call.principal, source_id=_bound_source(connection, call))
    named = sources.find(connection, call.account_id, registration.id) if registration.id else None
    if named is not None:
        resource = Resource(named.id, named.id, "", named.enterprise_project_id)
        require(principal, call.route.operation, resource)
        return named
    if principal.kind is not Kind.USER:
        require(principal, call.route.operation, Resource(source_id=principal.source_id))
        own = sources.find(connection, call.account_id, principal.source_id) if principal.source_id else None
        if own is not None:
            return own
    mac = _first_mac(registration)
    twin = sources.find_by_identity(connection, call.account_id, mac, _address(registration)) if mac else None
    if principal.kind is Kind.USER:
        require(principal, call.route.operation, Resource(enterprise_project_id=_label(connection, call, twin)))
    elif twin is not None and credentials.keys_bound_to(connection, twin.id):
        raise ApiError("WHERRY.5511", f"source {twin.id}")
    return twin


def _label(connection: Connection, call: Call, twin: SourceRow | None) -> str:
    """Return the enterprise project that the source is in, or will be in when it's new."""
    if twin is not None:
        return twin.enterprise_project_id
    return _label_of(migprojects.default_of(connection, call.account_id))


def _label_of(project: migprojects.MigprojectRow) -> str:
    return project.document.get("enterprise_project") or DEFAULT


def _insert(tx: Transaction, call: Call, registration: Registration) -> str:
    admission = admit(registration, None)
    project = migprojects.default_of(tx.connection, call.account_id)
    row = SourceRow(
        id=str(uuid4()),
        account_id=call.account_id,
        state=admission.state,
        migration_cycle=admission.migration_cycle,
        migproject_id=project.id,
        enterprise_project_id=_label_of(project),
        connected=True,
        last_contact=call.at,
        last_visit_time=call.at,
        add_date=call.at,
        state_action_time=call.at,
        stage_action_time=call.at,
        replicatesize=0,
        totalsize=0,
        **_columns(registration, admission),
    )
    sources.insert(tx.connection, row, reason=call.route.operation)
    tx.tell(Event(EventType.SOURCE_REGISTERED, row.id), at=call.at)
    return row.id


def _renew(tx: Transaction, call: Call, registration: Registration, known: SourceRow) -> str:
    if tasks.of_source(tx.connection, known.id) is not None:
        # What a task has made of the source, an agent that merely starts again doesn't undo.
        registration = structs.replace(registration, state=None, migration_cycle=None)
    admission = admit(registration, known.record())
    columns = _columns(registration, admission)
    # The user's choice outlives a restart of the agent, as far as the disks are still there.
    columns["document"][sources.CHOICES] = disk_choice.remaining(known.id, columns["document"], known.choices)
    sources.change(tx.connection, known.id, {**columns, "last_contact": call.at})
    note_connected(tx, known.id, connected=True, at=call.at)
    _set_state(tx, call, known, admission)
    return known.id


def _set_state(tx: Transaction, call: Call, source: SourceRow, admission: Admission) -> None:
    change = SetSourceState(admission.state, admission.migration_cycle)
    tx.apply([change], source_id=source.id, task_id="", at=call.at, reason=call.route.operation)


def _columns(registration: Registration, admission: Admission) -> dict[str, Any]:
    document = to_builtins(registration)
    return {
        "name": registration.name,
        "ip": registration.ip or "",
        "ipv6": registration.ipv6 or "",
        "mac": _first_mac(registration),
        "os_type": registration.os_type,
        "document": {name: value for name, value in document.items() if name not in _KEPT_IN_COLUMNS},
        "checks": to_builtins(admission.checks),
    }


def _bound_source(connection: Connection, call: Call) -> str:
    """Return the source that the caller's key is bound to, as it stands now; empty for none."""
    if call.principal.kind is not Kind.AGENT:
        return ""
    key = credentials.find_key(connection, call.principal.access_key)
    return "" if key is None or key.source_id is None else key.source_id


def _first_mac(registration: Registration) -> str:
    return (registration.networks[0].mac or "").lower() if registration.networks else ""


def _address(registration: Registration) -> str:
    return registration.ip or registration.ipv6 or ""
