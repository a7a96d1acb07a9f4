"""Deleting tasks: a task is gone and unlinked from everything when the caller is answered."""

from collections.abc import Sequence

from wherry.contract.enumerations import OrderKind
from wherry.contract.tasks import TaskIds
from wherry.ledger import landings, sources, tasks, templates
from wherry.ledger.tasks import TaskRow
from wherry.ledger.transaction import Transaction
from wherry.migration.deletion import delete_task as decide_deletion
from wherry.server.access import task_of
from wherry.server.answers import EMPTY, Answer
from wherry.server.call import Call


async def delete_task(call: Call) -> Answer:
    """Delete a task; its source waits for a new one."""
    await _delete(call, [call.parameters["task_id"]])
    return EMPTY


async def delete_tasks(call: Call) -> Answer:
    """Delete several tasks: all or none."""
    await _delete(call, call.decode(TaskIds).ids)
    return EMPTY


async def _delete(call: Call, task_ids: Sequence[str]) -> None:
    def unit(tx: Transaction) -> None:
        for task_id in dict.fromkeys(task_ids):
            remove_task(tx, call, task_of(tx.connection, call, task_id))
            call.record(tx, task_id)

    await call.services.ledger.write(unit)


def remove_task(tx: Transaction, call: Call, task: TaskRow) -> None:
    """Delete *task* and what belongs to it alone. Raises ApiError where the rules keep it."""
    source = sources.find(tx.connection, call.account_id, task.source_id)
    record = task.record(tasks.subtasks_of(tx.connection, task.id))
    changes = decide_deletion(None if source is None else source.record(), record)
    tx.apply(changes, source_id=task.source_id, task_id=task.id, at=call.at, reason=call.route.operation)
    if task.receiver_id is not None:
        tx.assignments_changed(task.receiver_id)
    template = templates.find(tx.connection, call.account_id, task.template_id) if task.template_id else None
    landings.withdraw(tx.connection, task.id, tuple(OrderKind), at=call.at)
    tasks.delete(tx.connection, task.id)
    if template is not None and template.document.get("is_template") is False:
        templates.delete(tx.connection, template.id)  # a private template goes with its task
    sources.change(tx.connection, task.source_id, {"replicatesize": 0, "totalsize": 0})
    tx.topics.add(f"source:{task.source_id}")
