"""UpdateCopyState and UpdateTaskSpeed: what agents report besides the results of commands."""

from msgspec import to_builtins

from wherry.contract.errors import ApiError
from wherry.contract.sources import CopyStateUpdate
from wherry.contract.tasks import TaskProgress
from wherry.iam.permissions import Resource
from wherry.ledger import sources, tasks
from wherry.ledger.transaction import Transaction, source_scope
from wherry.migration import copystate, progress
from wherry.migration.records import SetSubtask
from wherry.server.access import allow, heard_of, own_scope, record_of, source_of
from wherry.server.answers import EMPTY, Answer
from wherry.server.call import Call
from wherry.server.landings import check_verdict


async def update_copy_state(call: Call) -> Answer:
    """Let an agent's word on the state of its source take effect."""
    update = call.decode(CopyStateUpdate)
    source_id = call.parameters["source_id"]

    def unit(tx: Transaction) -> None:
        source = source_of(tx.connection, call, source_id)
        task = tasks.of_source(tx.connection, source_id)
        record = record_of(tx.connection, task)
        changes = copystate.apply(source.record(), record, update.copy_state, update.migration_cycle)
        if task is not None and progress.succeeds(changes):
            check_verdict(tx.connection, task)
        tx.apply(
            changes,
            source_id=source_id,
            task_id="" if task is None else task.id,
            at=call.at,
            reason=f"{call.route.operation}: {update.copy_state[:64]}/{update.migration_cycle[:64]}",
        )
        call.record(tx, source_id, f"{update.copy_state}/{update.migration_cycle}")

    await call.services.ledger.write(unit, source_scope(source_id))
    await heard_of(call, source_id)
    return EMPTY


async def update_task_speed(call: Call) -> Answer:
    """Store how far an agent is with a subtask, and let it take effect."""
    report = call.decode(TaskProgress)
    task_id = call.parameters["task_id"]
    figures = to_builtins(report)

    wanted = SetSubtask(
        report.subtask_name,
        report.progress,
        migrate_speed=report.migrate_speed,
        process_trace=report.process_trace,
    )
    reason = f"{call.route.operation}: {report.subtask_name} at {report.progress} %"
    sizes = {"replicatesize": report.replicate_size, "totalsize": report.total_size}

    def unit(tx: Transaction) -> str:
        task = tasks.find_reporting(tx.connection, call.account_id, task_id)
        if task is None:
            raise ApiError("SMS.7703", status=404)
        allow(call, Resource(task.id, task.source_id, task.receiver_id or "", task.enterprise_project_id))
        changes = progress.apply(task.state, task.subtasks, wanted)
        if progress.succeeds(changes) and (whole := tasks.find(tx.connection, call.account_id, task_id)) is not None:
            check_verdict(tx.connection, whole)
        tx.apply(changes, source_id=task.source_id, task_id=task_id, at=call.at, reason=reason)
        tasks.change(tx.connection, task_id, {"figures": {**task.figures, **figures, "at": call.at}})
        sources.change(tx.connection, task.source_id, sizes)
        call.record(tx, task_id, f"{report.subtask_name} {report.progress}")
        return task.source_id

    await heard_of(call, await call.services.ledger.write(unit, own_scope(call)))
    return EMPTY
