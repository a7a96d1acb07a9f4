"""Landings: what the agent waits for, what a user orders beside the task's actions, and the machine that is made."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import convert, structs, to_builtins
from sqlalchemy import Connection

from wherry.contract.enumerations import LandingAction
from wherry.contract.errors import ApiError
from wherry.contract.landing import (
    Landing,
    LandingError,
    LandingQuery,
    LandingRequest,
    OrderSummary,
    RecommendationQuery,
    TargetMachine,
    TargetMachineWish,
)
from wherry.contract.sources import Registration
from wherry.ledger import landings, receivers, sources, tasks, templates
from wherry.ledger.landings import LandingRow, OrderRow
from wherry.ledger.sources import SourceRow
from wherry.ledger.tasks import TaskRow
from wherry.ledger.transaction import Transaction
from wherry.migration import landing as rules
from wherry.migration import target_machine
from wherry.server import access
from wherry.server.access import heard_of, record_of, task_of
from wherry.server.answers import EMPTY, Answer, json_answer
from wherry.server.call import Call
from wherry.server.waiting import wait_preference

REHEARSAL = "rehearsal"
"""Where a task's settings have what the rehearsals of its cutover and its drill ask."""
FAILED_UNITS = "failed_units"
"""Where they have which units of the source had failed when its agent last told."""


async def show_landing(call: Call) -> Answer:
    """Return what became of a task's landed system.

    With ``Prefer: wait=N`` a caller that knows the newest version waits for N seconds at most.
    """
    query = call.query(LandingQuery)
    task_id, ledger = call.parameters["task_id"], call.services.ledger
    wait_s = wait_preference(call.headers)
    with call.services.waiters.expect(f"landing:{task_id}") as expectation:
        shown, source_id = await ledger.read(lambda connection: _read(connection, call, task_id))
        await heard_of(call, source_id)
        if shown.version == query.known and wait_s and await expectation.wait(wait_s):
            shown, _ = await ledger.read(lambda connection: _read(connection, call, task_id))
    return json_answer(shown)


async def begin_landing(call: Call) -> Answer:
    """Take the agent's word that a consistent checkpoint is proven, have it landed or rehearsed, and tell how it goes.

    Saying it again changes nothing.
    """
    told = call.decode(LandingRequest)

    def unit(tx: Transaction) -> tuple[Landing, str]:
        task = _told_units(tx, task_of(tx.connection, call, call.parameters["task_id"]), told.failed_units)
        source = source_of(tx.connection, task)
        changes = rules.begin(
            source.record(),
            task.record(tasks.subtasks_of(tx.connection, task.id)),
            landings.of_task(tx.connection, task.id).record(),
            told.checkpoint,
            receiver_boots=receiver_boots(tx.connection, task),
            request=request_of(tx.connection, task, source),
        )
        tx.apply(changes, source_id=source.id, task_id=task.id, at=call.at, reason=call.route.operation)
        call.record(tx, task.id, f"checkpoint {told.checkpoint}")
        return _read(tx.connection, call, task.id)

    shown, source_id = await call.services.ledger.write(unit)
    await heard_of(call, source_id)
    return json_answer(shown)


async def launch(call: Call) -> Answer:
    """Have a landed system started that was rehearsed, and that wasn't started yet or was rolled back."""
    return await _act(call, LandingAction.LAUNCH)


async def roll_back(call: Call) -> Answer:
    """Stop a launched target and bring its disks back to what they were when they landed."""
    return await _act(call, LandingAction.ROLL_BACK)


async def show_target_machine(call: Call) -> Answer:
    """Return the machine that the task's system is made for: as wished, by the template, or as the source is."""

    def read(connection: Connection) -> TargetMachine:
        task = task_of(connection, call, call.parameters["task_id"])
        return machine_of(connection, task, source_of(connection, task), task.template_id)

    return json_answer(await call.services.ledger.read(read))


async def recommend_target_machine(call: Call) -> Answer:
    """Return the machine that a task of the source would be made for: by a template, or as the source is."""
    template_id = call.query(RecommendationQuery).template_id or ""

    def read(connection: Connection) -> TargetMachine:
        source = access.source_of(connection, call, call.parameters["source_id"])
        template = templates.find(connection, call.account_id, template_id) if template_id else None
        if template_id and template is None:
            raise ApiError("SMS.7101", template_id, status=404)
        flavor = "" if template is None else template.document.get("flavor") or ""
        return target_machine.recommend(convert(source.document, Registration), flavor, TargetMachineWish())

    return json_answer(await call.services.ledger.read(read))


async def update_target_machine(call: Call) -> Answer:
    """Replace what is wished of the machine; it holds for what is ordered from now on."""
    wish = call.decode(TargetMachineWish)

    def unit(tx: Transaction) -> TargetMachine:
        task = task_of(tx.connection, call, call.parameters["task_id"])
        settings = {**task.settings, target_machine.SETTING: to_builtins(wish)}
        tasks.change(tx.connection, task.id, {"settings": settings})
        call.record(tx, task.id)
        changed = task_of(tx.connection, call, task.id)
        return machine_of(tx.connection, changed, source_of(tx.connection, changed), changed.template_id)

    return json_answer(await call.services.ledger.write(unit))


def source_of(connection: Connection, task: TaskRow) -> SourceRow:
    """Return the source of a task that the call may see. Raises ApiError SMS.7602."""
    source = sources.find(connection, task.account_id, task.source_id)
    if source is None:
        raise ApiError("SMS.7602", status=404)
    return source


def receiver_boots(connection: Connection, task: TaskRow) -> bool:
    """Whether the receiver of the task boots what lands there."""
    if task.receiver_id is None:
        return False
    receiver = receivers.find(connection, task.account_id, task.receiver_id)
    return receiver is not None and rules.boots(receiver.drivers)


def machine_of(connection: Connection, task: TaskRow, source: SourceRow, template_id: str) -> TargetMachine:
    """Return the machine that the task's system is made for, of a template where one is named."""
    template = templates.find(connection, task.account_id, template_id) if template_id else None
    target = task.document.get("target_server") or {}
    flavor = (template.document.get("flavor") if template is not None else target.get("flavor")) or ""
    registration = convert(source.document, Registration)
    return target_machine.recommend(registration, flavor, target_machine.wish_of(task.settings))


def request_of(connection: Connection, task: TaskRow, source: SourceRow) -> Mapping[str, Any]:
    """Return what an order about the task's target says of it."""
    target = task.document.get("target_server") or {}
    return {
        "target": to_builtins(machine_of(connection, task, source, task.template_id)),
        "server_id": task.target_vm_id or task.id,
        "server_name": target.get("name") or source.name,
        "failed_before": task.settings.get(FAILED_UNITS),
        **task.settings.get(REHEARSAL, {}),
    }


def clone_request_of(connection: Connection, task: TaskRow, source: SourceRow, template_id: str) -> Mapping[str, Any]:
    """Return what an order of a clone says of it; without an id of a server, the order's is taken."""
    machine = target_machine.of_clone(
        machine_of(connection, task, source, template_id), target_machine.wish_of(task.settings)
    )
    return {"target": to_builtins(machine), "server_name": f"{source.name}-clone"[:255], "fresh": True}


def check_verdict(connection: Connection, task: TaskRow) -> None:
    """Raise ApiError WHERRY.5604 while the task may not be reported as done."""
    record = record_of(connection, task)
    if record is not None:
        landing = landings.of_task(connection, task.id).record()
        rules.check_finish(landing, record, receiver_boots=receiver_boots(connection, task))


def _told_units(tx: Transaction, task: TaskRow, failed: list[str] | None) -> TaskRow:
    """Note which units have failed on the source, where it's told, and return the task as it's then."""
    if failed is None or task.settings.get(FAILED_UNITS) == failed:
        return task
    settings = {**task.settings, FAILED_UNITS: failed}
    tasks.change(tx.connection, task.id, {"settings": settings})
    return structs.replace(task, settings=settings)


async def _act(call: Call, action: LandingAction) -> Answer:
    def unit(tx: Transaction) -> None:
        task = task_of(tx.connection, call, call.parameters["task_id"])
        source = source_of(tx.connection, task)
        landing = landings.of_task(tx.connection, task.id).record()
        changes = rules.act(source.record(), landing, action, request_of(tx.connection, task, source))
        tx.apply(changes, source_id=source.id, task_id=task.id, at=call.at, reason=call.route.operation)
        call.record(tx, task.id)

    await call.services.ledger.write(unit)
    return EMPTY


def _read(connection: Connection, call: Call, task_id: str) -> tuple[Landing, str]:
    task = task_of(connection, call, task_id)
    row = landings.of_task(connection, task.id)
    orders = landings.orders_of_task(connection, task.id)
    source = source_of(connection, task)
    return _shown(task, source, row, orders, boots=receiver_boots(connection, task)), task.source_id


def _shown(task: TaskRow, source: SourceRow, row: LandingRow, orders: Sequence[OrderRow], *, boots: bool) -> Landing:
    return Landing(
        task_id=task.id,
        state=row.state,
        outcome=rules.outcome(row.record(), task.record(())),
        kind=row.kind,
        checkpoint=row.checkpoint,
        order_id=row.order_id,
        server_id=row.server_id,
        progress=row.progress,
        note=row.note,
        error=error_of(row.error),
        boots=boots,
        checkpoint_wanted=rules.checkpoint_wanted([order.record() for order in orders]),
        orders=[_summary(order) for order in orders],
        actions=rules.available(source.record(), row.record()),
        version=row.version,
        changed_at=row.changed_at,
    )


def _summary(order: OrderRow) -> OrderSummary:
    return OrderSummary(
        id=order.id,
        kind=order.kind,
        stage=order.stage,
        checkpoint=order.checkpoint,
        progress=order.progress,
        note=order.note,
        error=error_of(order.error),
        ordered_at=order.ordered_at,
        changed_at=order.changed_at,
    )


def error_of(document: Mapping[str, Any] | None) -> LandingError | None:
    """Return an error as it's shown."""
    return None if document is None else convert(document, LandingError)
