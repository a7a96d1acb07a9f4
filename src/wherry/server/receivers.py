"""Receivers: their announcements, what is assigned to them, and the way an agent takes to one."""

from collections.abc import Mapping, Sequence

from msgspec import convert, to_builtins
from sqlalchemy import Connection

from wherry.contract.errors import ApiError
from wherry.contract.wherry import (
    AnnouncedServer,
    Assignment,
    Assignments,
    AssignmentsQuery,
    Receiver,
    ReceiverAnnouncement,
    ReceiverList,
    Route,
)
from wherry.iam.certificates import task_server_name
from wherry.ledger import landings, receivers, tasks
from wherry.ledger.landings import OrderRow
from wherry.ledger.receivers import ReceiverRow
from wherry.ledger.tasks import TaskRow
from wherry.ledger.transaction import Transaction
from wherry.migration import events
from wherry.migration.events import Event
from wherry.server.access import allow, heard_of, receiver_of, task_of
from wherry.server.answers import EMPTY, Answer, json_answer
from wherry.server.call import Call
from wherry.server.certificates import channel_secrets
from wherry.server.contacts import RECEIVER_WINDOW_S
from wherry.server.landing_orders import order_to_send
from wherry.server.waiting import wait_preference

_NOTE_AFTER_MS = RECEIVER_WINDOW_S * 1000 // 4


async def update_receiver(call: Call) -> Answer:
    """Take a receiver's announcement, which is its heartbeat too."""
    announcement = call.decode(ReceiverAnnouncement)

    def unit(tx: Transaction) -> None:
        row = receiver_of(tx.connection, call, call.parameters["receiver_id"])
        values = {
            "name": announcement.name,
            "data_host": announcement.data_host,
            "data_port": announcement.data_port,
            "drivers": announcement.drivers,
            "version": announcement.version,
            "servers": to_builtins(announcement.servers),
        }
        facts = {**values, "free_bytes": announcement.free_bytes, "last_contact": call.at}
        receivers.change(tx.connection, row.id, facts)
        kind = events.of_space(row.free_bytes, announcement.free_bytes, announced=row.last_contact > 0)
        if kind is not None:
            told = {"free_bytes": announcement.free_bytes}
            tx.tell(Event(kind, receiver_id=row.id, data=told), at=call.at)
        if any(getattr(row, name) != value for name, value in values.items()):
            call.record(tx, row.id, announcement.name)  # a mere heartbeat changes nothing worth an entry

    await call.services.ledger.write(unit)
    call.services.receivers.heard_of(call.parameters["receiver_id"])
    return EMPTY


async def list_receivers(call: Call) -> Answer:
    """Return all receivers of the account."""
    allow(call)
    rows = await call.services.ledger.read(lambda connection: receivers.every(connection, call.account_id))
    shown = [_shown(row, call) for row in rows]
    return json_answer(ReceiverList(count=len(shown), receivers=shown))


async def list_assignments(call: Call) -> Answer:
    """Return the tasks that land on a receiver, with the secrets of their channels and what is ordered for them.

    With ``Prefer: wait=N`` a receiver that knows the newest version waits for N seconds at most.
    """
    query = call.query(AssignmentsQuery)
    receiver_id, ledger = call.parameters["receiver_id"], call.services.ledger
    wait_s = wait_preference(call.headers)
    with call.services.waiters.expect(f"receiver:{receiver_id}") as expectation:
        row, assigned, orders = await ledger.read(lambda connection: _assigned(connection, call, receiver_id))
        await _heard_of(call, row)
        if row.assignments_version == query.known and wait_s and await expectation.wait(wait_s):
            row, assigned, orders = await ledger.read(lambda connection: _assigned(connection, call, receiver_id))
    shown = [await _assignment(call, task, orders.get(task.id, ())) for task in assigned]
    return json_answer(Assignments(version=row.assignments_version, assignments=shown))


async def show_route(call: Call) -> Answer:
    """Return where a task's blocks go; a receiver is chosen when there's none yet."""
    task_id = call.parameters["task_id"]
    task = await call.services.ledger.read(lambda connection: task_of(connection, call, task_id))
    if task.receiver_id is None:
        task = await call.services.ledger.write(lambda tx: _assign(tx, call, task_id))
    row = await call.services.ledger.read(
        lambda connection: receivers.find(connection, call.account_id, task.receiver_id or "")
    )
    await heard_of(call, task.source_id)
    if row is None or not call.services.receivers.connected(row, call.at):
        raise ApiError("WHERRY.5501", "the receiver of the task is not connected")
    return json_answer(
        Route(
            task_id=task.id,
            receiver_id=row.id,
            host=row.data_host,
            port=row.data_port,
            server_name=task_server_name(task.id),
        )
    )


def _assign(tx: Transaction, call: Call, task_id: str) -> TaskRow:
    """Give the task to the receiver where its target is, or else to the connected one with the fewest tasks.

    Raises ApiError WHERRY.5501 when there's none.
    """
    task = task_of(tx.connection, call, task_id)
    if task.receiver_id is None:
        connected = {
            row.id
            for row in receivers.every(tx.connection, call.account_id)
            if call.services.receivers.connected(row, call.at)
        }
        chosen = receivers.hosting(tx.connection, call.account_id, task.target_vm_id) or receivers.least_busy(
            tx.connection, call.account_id, among=connected
        )
        if chosen is None:
            raise ApiError("WHERRY.5501")
        tasks.change(tx.connection, task_id, {"receiver_id": chosen.id})
        tx.assignments_changed(chosen.id)
        call.record(tx, task_id, f"receiver {chosen.id}")
        task = task_of(tx.connection, call, task_id)
    return task


def _assigned(
    connection: Connection, call: Call, receiver_id: str
) -> tuple[ReceiverRow, Sequence[TaskRow], Mapping[str, Sequence[OrderRow]]]:
    row = receiver_of(connection, call, receiver_id)
    return row, tasks.of_receiver(connection, receiver_id), landings.orders_of_receiver(connection, receiver_id)


async def _heard_of(call: Call, row: ReceiverRow) -> None:
    """A poll is a sign of life, but not worth a durable write each time."""
    if call.principal.receiver_id != row.id or not row.data_host:
        return
    call.services.receivers.heard_of(row.id)
    if abs(call.at - row.last_contact) < _NOTE_AFTER_MS:
        return

    def unit(tx: Transaction) -> None:
        receivers.change(tx.connection, row.id, {"last_contact": call.at})

    await call.services.ledger.write(unit)


async def _assignment(call: Call, task: TaskRow, orders: Sequence[OrderRow]) -> Assignment:
    secrets = await channel_secrets(call.services, task)
    return Assignment(
        task_id=task.id,
        name=task.name,
        server_name=secrets.server_name,
        state=task.state,
        certificate=secrets.target_certificate,
        private_key=secrets.target_key,
        passphrase=secrets.passphrase,
        ca=call.services.authority.certificate_pem,
        orders=[order_to_send(order) for order in orders],
    )


def _shown(row: ReceiverRow, call: Call) -> Receiver:
    return Receiver(
        id=row.id,
        name=row.name,
        data_host=row.data_host,
        data_port=row.data_port,
        drivers=list(row.drivers),
        free_bytes=row.free_bytes,
        version=row.version,
        connected=call.services.receivers.connected(row, call.at),
        last_contact=row.last_contact,
        servers=convert(row.servers, list[AnnouncedServer]),
    )
