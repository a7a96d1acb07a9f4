"""Source servers: listing, showing, renaming, deleting."""

from collections.abc import Sequence
from dataclasses import replace

from msgspec import to_builtins
from sqlalchemy import Connection

from wherry.contract.errors import ApiError
from wherry.contract.overview import Overview
from wherry.contract.sources import (
    ListErrorServersQuery,
    ListServersQuery,
    MigrationError,
    MigrationErrorList,
    SourceIds,
    SourceList,
    SourceUpdate,
)
from wherry.iam.permissions import Resource
from wherry.ledger import commands, credentials, migprojects, sources, tasks
from wherry.ledger.labels import DEFAULT
from wherry.ledger.sources import SourceFilter, SourceRow
from wherry.ledger.tasks import TaskFilter
from wherry.ledger.transaction import Transaction
from wherry.migration import disk_choice
from wherry.migration.deletion import check_source
from wherry.server import source_views, task_views
from wherry.server.access import allow, listable, record_of, source_of
from wherry.server.answers import EMPTY, Answer, json_answer
from wherry.server.call import Call
from wherry.server.task_deletion import remove_task

_DEFAULT_LIMIT = 200
_DEFAULT_ERRORS = 50


async def list_servers(call: Call) -> Answer:
    """Return the sources that match, and how many there are."""
    query = call.query(ListServersQuery)
    wanted = SourceFilter(
        state=query.state or "",
        name=query.name or "",
        id=query.id or "",
        ip=query.ip or "",
        ipv6=query.ipv6 or "",
        migproject_id=query.migproject or "",
        migration_cycle=query.migration_cycle or "",
        connected=query.connected,
        enterprise_project_id=query.enterprise_project_id or "",
        has_consistency_result=query.is_consistency_result_exist,
        vm_id=query.vm_id or "",
    )

    def read(connection: Connection) -> SourceList:
        narrowed = replace(wanted, labels=listable(connection, call, wanted.enterprise_project_id))
        limit, offset = query.limit or _DEFAULT_LIMIT, query.offset or 0
        count, page = sources.find_page(connection, call.account_id, narrowed, limit=limit, offset=offset)
        ids = [row.id for row in page]
        current = tasks.of_sources(connection, ids)
        steps = tasks.subtasks_of_many(connection, [task.id for task in current.values()])
        checked = sources.with_consistency_result(connection, ids)
        shown = []
        for row in page:
            task = current.get(row.id)
            subtasks = () if task is None else steps.get(task.id, ())
            shown.append(
                source_views.summary(
                    row,
                    task,
                    subtasks,
                    has_consistency_result=row.id in checked,
                    endpoint=call.services.endpoint,
                    at=call.at,
                )
            )
        return SourceList(count=count, source_servers=shown)

    return json_answer(await call.services.ledger.read(read))


async def show_server(call: Call) -> Answer:
    """Return everything that is known of a source."""

    def read(connection: Connection) -> Answer:
        row = source_of(connection, call, call.parameters["source_id"])
        task = tasks.of_source(connection, row.id)
        subtasks = () if task is None else tasks.subtasks_of(connection, task.id)
        return json_answer(source_views.detail(row, task, subtasks))

    return await call.services.ledger.read(read)


async def show_overview(call: Call) -> Answer:
    """Return how many sources are in which state."""

    def read(connection: Connection) -> Overview:
        labels = listable(connection, call)
        counts = sources.count_states(connection, call.account_id, labels=labels)
        shown = {name: counts.get(name, 0) for name in Overview.__struct_fields__ if name != "unconfigured"}
        unconfigured = sources.count_without_task(connection, call.account_id, labels=labels)
        return Overview(**shown, unconfigured=unconfigured)

    return json_answer(await call.services.ledger.read(read))


async def list_error_servers(call: Call) -> Answer:
    """Return the sources whose task has failed, with the error."""
    query = call.query(ListErrorServersQuery)
    label = query.enterprise_project_id or ""

    def read(connection: Connection) -> MigrationErrorList:
        count, failed = tasks.find_failed(
            connection,
            call.account_id,
            TaskFilter(enterprise_project_id=label, labels=listable(connection, call, label)),
            limit=query.limit or _DEFAULT_ERRORS,
            offset=query.offset or 0,
        )
        rows = sources.find_many(connection, call.account_id, [task.source_id for task in failed])
        return MigrationErrorList(
            count=count, migration_errors=[_failure(task, rows[task.source_id]) for task in failed]
        )

    return json_answer(await call.services.ledger.read(read))


async def update_server_name(call: Call) -> Answer:
    """Rename a source, move it to another project, or choose which of its disks are migrated."""
    update = call.decode(SourceUpdate)
    chosen = to_builtins(update)

    def unit(tx: Transaction) -> None:
        row = source_of(tx.connection, call, call.parameters["source_id"])
        values: dict[str, object] = {}
        if update.name:
            values["name"] = update.name
        if update.migproject_id:
            project = migprojects.find(tx.connection, call.account_id, update.migproject_id)
            if project is None:
                raise ApiError("SMS.9001", "migprojectid: there is no such project", params=("migprojectid",))
            label = project.document.get("enterprise_project") or DEFAULT
            allow(call, Resource(row.id, source_id=row.id, enterprise_project_id=label))
            values["migproject_id"] = project.id
            values["enterprise_project_id"] = label
        if (update.disks or update.volume_groups) and tasks.of_source(tx.connection, row.id) is None:
            choices = disk_choice.choose(row.id, row.document, row.choices, chosen)
            values["document"] = {**row.document, sources.CHOICES: choices}
        if values:
            sources.change(tx.connection, row.id, values)
        call.record(tx, row.id)

    await call.services.ledger.write(unit)
    return EMPTY


async def delete_server(call: Call) -> Answer:
    """Remove the record of a source with its task."""
    await _delete(call, [call.parameters["source_id"]])
    return EMPTY


async def delete_servers(call: Call) -> Answer:
    """Remove the records of several sources: all or none."""
    await _delete(call, call.decode(SourceIds).ids)
    return EMPTY


async def _delete(call: Call, source_ids: Sequence[str]) -> None:
    def unit(tx: Transaction) -> None:
        for source_id in dict.fromkeys(source_ids):
            _remove(tx, call, source_of(tx.connection, call, source_id))

    await call.services.ledger.write(unit)
    for source_id in source_ids:
        call.services.contacts.forget(source_id)


def _remove(tx: Transaction, call: Call, source: SourceRow) -> None:
    """Remove a source and its task, and free the keys that were bound to it: their agents may register again."""
    task = tasks.of_source(tx.connection, source.id)
    check_source(source.record(), record_of(tx.connection, task))
    if task is not None:
        remove_task(tx, call, task)
    for access_key in credentials.keys_bound_to(tx.connection, source.id):
        credentials.bind_key(tx.connection, access_key, None)
        tx.key_changed(access_key)
    commands.withdraw(tx.connection, source.id, None, at=call.at)
    sources.delete(tx.connection, source.id)
    tx.topics.add(f"source:{source.id}")
    call.record(tx, source.id)


def _failure(task: tasks.TaskRow, source: SourceRow) -> MigrationError:
    target = task.document.get("target_server", {})
    return MigrationError(
        error_json=task_views.error_json(task) or "",
        host_name=source.document.get("hostname", ""),
        name=source.name,
        source_id=source.id,
        source_ip=source.ip or source.ipv6,
        target_ip=task.document.get("migration_ip") or target.get("ip") or "",
    )
