"""Rehearsals: ordering one, and reading what they came to."""

from collections.abc import Callable

from msgspec import convert, to_builtins
from sqlalchemy import Connection

from wherry.contract.errors import ApiError
from wherry.contract.landing import Rehearsal, RehearsalList, RehearsalRequest, RehearsalSettings, RehearsalsQuery
from wherry.contract.values import CreatedId
from wherry.iam.permissions import Resource
from wherry.ledger import landings, rehearsals, sources, tasks
from wherry.ledger.landings import OrderRow
from wherry.ledger.rehearsals import RecordSizes, RehearsalFilter, RehearsalRow
from wherry.ledger.transaction import Transaction
from wherry.migration import landing as rules
from wherry.server.access import allow, listable, task_of
from wherry.server.answers import EMPTY, Answer, json_answer, recorded_answer
from wherry.server.call import Call
from wherry.server.landings import REHEARSAL, error_of, receiver_boots, request_of, source_of

_DEFAULT_LIMIT = 50
_TEXT = "text/plain; charset=utf-8"
_PNG = "image/png"


async def order_rehearsal(call: Call) -> Answer:
    """Have a consistent checkpoint of a task booted in a machine without network; the answer is the rehearsal's id.

    Replication goes on meanwhile.
    """
    wanted = call.decode(RehearsalRequest)

    def unit(tx: Transaction) -> str:
        task = task_of(tx.connection, call, call.parameters["task_id"])
        source = source_of(tx.connection, task)
        changes = rules.rehearse(
            task.record(tasks.subtasks_of(tx.connection, task.id)),
            [order.record() for order in landings.orders_of_task(tx.connection, task.id)],
            receiver_boots=receiver_boots(tx.connection, task),
            request={**request_of(tx.connection, task, source), **to_builtins(wanted)},
        )
        tx.apply(changes, source_id=source.id, task_id=task.id, at=call.at, reason=call.route.operation)
        call.record(tx, task.id)
        return landings.orders_of_task(tx.connection, task.id)[-1].id

    return json_answer(CreatedId(id=await call.services.ledger.write(unit)))


async def show_settings(call: Call) -> Answer:
    """Return what the rehearsals of the task's cutover and drill ask."""

    def read(connection: Connection) -> RehearsalSettings:
        task = task_of(connection, call, call.parameters["task_id"])
        return convert(task.settings.get(REHEARSAL, {}), RehearsalSettings)

    return json_answer(await call.services.ledger.read(read))


async def update_settings(call: Call) -> Answer:
    """Replace what the rehearsals of the task's cutover and drill ask; it holds for what is ordered from now on."""
    settings = call.decode(RehearsalSettings)

    def unit(tx: Transaction) -> None:
        task = task_of(tx.connection, call, call.parameters["task_id"])
        tasks.change(tx.connection, task.id, {"settings": {**task.settings, REHEARSAL: to_builtins(settings)}})
        call.record(tx, task.id)

    await call.services.ledger.write(unit)
    return EMPTY


async def list_rehearsals(call: Call) -> Answer:
    """Return the rehearsals that match, the newest first, and how many there are."""
    query = call.query(RehearsalsQuery)

    def read(connection: Connection) -> RehearsalList:
        wanted = RehearsalFilter(
            query.task_id or "", query.source_id or "", query.verdict or "", listable(connection, call)
        )
        limit, offset = query.limit or _DEFAULT_LIMIT, query.offset or 0
        count, page = rehearsals.find_page(connection, call.account_id, wanted, limit=limit, offset=offset)
        sizes = rehearsals.sizes_of(connection, [order.id for order, _ in page])
        shown = [_shown(order, result, sizes.get(order.id, RecordSizes())) for order, result in page]
        return RehearsalList(count=count, rehearsals=shown)

    return json_answer(await call.services.ledger.read(read))


async def show_rehearsal(call: Call) -> Answer:
    """Return a rehearsal: how far it is, or what it came to."""

    def read(connection: Connection) -> Rehearsal:
        order = _order_of(connection, call)
        sizes = rehearsals.sizes_of(connection, [order.id])
        return _shown(order, rehearsals.find(connection, order.id), sizes.get(order.id, RecordSizes()))

    return json_answer(await call.services.ledger.read(read))


async def show_console(call: Call) -> Answer:
    """Return what the copy wrote to its console while it was rehearsed; of more than 1 MiB, the end."""
    return await _recorded(call, rehearsals.console_of, _TEXT)


async def show_screenshot(call: Call) -> Answer:
    """Return a picture of the copy's screen at the end of the rehearsal, as PNG."""
    return await _recorded(call, rehearsals.screenshot_of, _PNG)


async def _recorded(call: Call, find: Callable[[Connection, str], bytes | None], media_type: str) -> Answer:
    def read(connection: Connection) -> bytes | None:
        return find(connection, _order_of(connection, call).id)

    content = await call.services.ledger.read(read)
    if not content:
        raise ApiError("WHERRY.5608", "there is no such record of it")
    return recorded_answer(content, media_type)


def _order_of(connection: Connection, call: Call) -> OrderRow:
    order = landings.find_order(connection, call.account_id, call.parameters["rehearsal_id"])
    if order is None or order.kind not in rules.REHEARSING:
        raise ApiError("WHERRY.5608")
    source = sources.find(connection, call.account_id, order.source_id)
    label = "" if source is None else source.enterprise_project_id
    allow(call, Resource(order.id, source_id=order.source_id, enterprise_project_id=label))
    return order


def _shown(order: OrderRow, result: RehearsalRow | None, sizes: RecordSizes) -> Rehearsal:
    found = {} if result is None else {**result.document, "finished_at": result.finished_at}
    error = (None if result is None else result.document.get("error")) or order.error
    return convert(
        {
            **found,
            "id": order.id,
            "task_id": order.task_id,
            "source_id": order.source_id,
            "kind": order.kind,
            "stage": order.stage,
            "ordered_at": order.ordered_at,
            "checkpoint": order.checkpoint,
            "note": order.note,
            "error": error_of(error),
            "console_bytes": sizes.console,
            "screenshot_bytes": sizes.screenshot,
        },
        Rehearsal,
    )
