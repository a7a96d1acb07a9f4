"""Migration tasks: creating, listing, showing, changing, acting on them."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

from msgspec import convert, structs, to_builtins
from sqlalchemy import Connection

from wherry.contract.enumerations import Action, LogCollectStatus, TaskState, TaskType
from wherry.contract.errors import ApiError
from wherry.contract.notifications import EventType
from wherry.contract.sources import Registration
from wherry.contract.tasks import ListTasksQuery, TaskAction, TaskCreation, TaskList, TaskUpdate
from wherry.contract.values import CreatedId
from wherry.iam.permissions import Resource
from wherry.ledger import landings as stored_landings
from wherry.ledger import sources, tasks
from wherry.ledger.sources import SourceRow
from wherry.ledger.tasks import TaskFilter, TaskRow
from wherry.ledger.transaction import Transaction, source_scope
from wherry.migration import actions, commands, creation
from wherry.migration import landing as landing_rules
from wherry.migration.events import Event
from wherry.server import landings, task_views
from wherry.server.access import allow, listable, record_of, task_of
from wherry.server.answers import EMPTY, Answer, json_answer
from wherry.server.call import Call

_DEFAULT_LIMIT = 100


async def create_task(call: Call) -> Answer:
    """Store a task for a source and return its id."""
    wanted = call.decode(TaskCreation)

    def unit(tx: Transaction) -> str:
        source_id = (wanted.source_server.id if wanted.source_server is not None else None) or ""
        source = sources.find(tx.connection, call.account_id, source_id)
        if source is None:
            allow(call)
        else:
            allow(call, Resource(source.id, source.id, "", source.enterprise_project_id))
        _validate(tx, call, wanted, source)
        if source is None:  # refused above; this tells the type checker
            raise ApiError("SMS.7602", status=404)
        task = _row(call, wanted, source)
        tasks.insert(tx.connection, task, (), reason=call.route.operation)
        tx.tell(Event(EventType.TASK_CREATED, source.id, task.id), at=call.at)
        if wanted.auto_start:
            changes = commands.auto_start(task.record(()))
            tx.apply(changes, source_id=source.id, task_id=task.id, at=call.at, reason="auto_start")
        call.record(tx, task.id)
        return task.id

    return json_answer(CreatedId(id=await call.services.ledger.write(unit)))


async def list_tasks(call: Call) -> Answer:
    """Return the tasks that match, and how many there are."""
    query = call.query(ListTasksQuery)
    wanted = TaskFilter(
        state=query.state or "",
        name=query.name or "",
        id=query.id or "",
        source_id=query.source_server_id or "",
        enterprise_project_id=query.enterprise_project_id or "",
    )

    def read(connection: Connection) -> TaskList:
        narrowed = replace(wanted, labels=listable(connection, call, wanted.enterprise_project_id))
        limit, offset = query.limit or _DEFAULT_LIMIT, query.offset or 0
        count, page = tasks.find_page(connection, call.account_id, narrowed, limit=limit, offset=offset)
        steps = tasks.subtasks_of_many(connection, [row.id for row in page])
        owners = sources.find_many(connection, call.account_id, [row.source_id for row in page])
        shown = [task_views.summary(row, owners[row.source_id], steps.get(row.id, ())) for row in page]
        return TaskList(count=count, tasks=shown)

    return json_answer(await call.services.ledger.read(read))


async def show_task(call: Call) -> Answer:
    """Return everything that is known of a task."""

    def read(connection: Connection) -> Answer:
        row = task_of(connection, call, call.parameters["task_id"])
        source = sources.find_many(connection, call.account_id, [row.source_id])[row.source_id]
        return json_answer(task_views.detail(row, source, tasks.subtasks_of(connection, row.id)))

    return await call.services.ledger.read(read)


async def update_task(call: Call) -> Answer:
    """Change what a task was created with, and return its id."""
    update = call.decode(TaskUpdate)
    if update.type and update.type not in set(TaskType):
        raise ApiError("SMS.7712", params=("type",))
    changed = to_builtins(update)

    def unit(tx: Transaction) -> str:
        row = task_of(tx.connection, call, call.parameters["task_id"])
        values: dict[str, Any] = {}
        clone = changed.get("clone_server")
        if clone is not None:
            values["settings"] = {**row.settings, "clone_server": clone}
        document = {**row.document, **{name: value for name, value in changed.items() if name != "clone_server"}}
        if "target_server" in changed:
            document["target_server"] = {**row.document.get("target_server", {}), **changed["target_server"]}
            values["target_vm_id"] = document["target_server"].get("vm_id", "")
        if update.name:
            values["name"] = update.name
        if update.type:
            values["type"] = update.type
        if update.vm_template_id is not None:
            values["template_id"] = update.vm_template_id
        if update.enterprise_project:
            label = update.enterprise_project
            allow(call, Resource(row.id, row.source_id, row.receiver_id or "", label))
            values["enterprise_project_id"] = update.enterprise_project
        tasks.change(tx.connection, row.id, {**values, "document": document})
        tx.topics.add(source_scope(row.source_id))  # its agent looks at the speed limit
        call.record(tx, row.id)
        return row.id

    return json_answer(CreatedId(id=await call.services.ledger.write(unit)))


async def update_task_status(call: Call) -> Answer:
    """Carry out an action on a task: start, stop, cutover, ..."""
    action = call.decode(TaskAction)

    def unit(tx: Transaction) -> None:
        row = task_of(tx.connection, call, call.parameters["task_id"])
        source = sources.find(tx.connection, call.account_id, row.source_id)
        record = record_of(tx.connection, row)
        if source is None or record is None:
            raise ApiError("SMS.7602", status=404)
        boots = landings.receiver_boots(tx.connection, row)
        landing = stored_landings.of_task(tx.connection, row.id).record()
        landed = boots and landing_rules.kept(landing)
        changes = actions.apply(source.record(), structs.replace(record, landed=landed), action)
        changes += landing_rules.on_action(
            action.operation,
            landing,
            receiver_boots=boots,
            request=landings.clone_request_of(tx.connection, row, source, action.template_id or "")
            if action.operation is Action.CLONE_TEST
            else landings.request_of(tx.connection, row, source),
        )
        tx.apply(changes, source_id=source.id, task_id=row.id, at=call.at, reason=f"action {action.operation}")
        call.record(tx, row.id, action.operation)

    await call.services.ledger.write(unit)
    return EMPTY


def _validate(tx: Transaction, call: Call, wanted: TaskCreation, source: SourceRow | None) -> None:
    target = creation.target_of(wanted)
    taken = bool(target) and tasks.using_target(tx.connection, call.account_id, target) is not None
    current = None if source is None else record_of(tx.connection, tasks.of_source(tx.connection, source.id))
    creation.validate(
        wanted,
        None if source is None else source.record(),
        registration=None if source is None else convert(source.document, Registration),
        choices={} if source is None else source.choices,
        current_task=current,
        target_taken=taken,
    )


def _row(call: Call, wanted: TaskCreation, source: SourceRow) -> TaskRow:
    return TaskRow(
        id=str(uuid4()),
        account_id=call.account_id,
        source_id=source.id,
        name=wanted.name,
        type=wanted.type,
        os_type=wanted.os_type or source.os_type,
        state=TaskState.READY,
        syncing=wanted.syncing is True,
        enterprise_project_id=source.enterprise_project_id,
        target_vm_id=creation.target_of(wanted),
        template_id=wanted.vm_template_id or "",
        receiver_id=None,
        create_date=call.at,
        start_date=None,
        finish_date=None,
        error_code="",
        error_params=(),
        log_collect_status=LogCollectStatus.INIT,
        document=to_builtins(wanted),
        figures={},
        settings={},
    )
