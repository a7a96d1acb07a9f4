"""The fleet: every source with how far its task is, for lists and dashboards."""

from collections.abc import Sequence

from sqlalchemy import Connection

from wherry.contract.enumerations import CheckResult
from wherry.contract.fleet import Fleet, FleetMember, FleetOrder, FleetQuery, FleetTask
from wherry.ledger import fleet, tasks
from wherry.ledger.fleet import FleetFilter
from wherry.ledger.sources import SourceRow
from wherry.ledger.tasks import SubtaskRow, TaskRow
from wherry.migration import actions
from wherry.server.access import listable
from wherry.server.answers import Answer, json_answer
from wherry.server.call import Call

_DEFAULT_LIMIT = 100


async def list_fleet(call: Call) -> Answer:
    """Return the sources that match with their tasks, sorted, and how many there are."""
    query = call.query(FleetQuery)

    def read(connection: Connection) -> Fleet:
        wanted = FleetFilter(
            search=query.search or "",
            id=query.id or "",
            state=query.state or "",
            stage=query.stage or "",
            connected=query.connected,
            work=query.work,
            migproject_id=query.migproject or "",
            receiver_id=query.receiver or "",
            labels=listable(connection, call),
        )
        count, page = fleet.find_page(
            connection,
            call.account_id,
            wanted,
            order=query.sort or FleetOrder.ADDED,
            descending=query.descending is True,
            limit=_DEFAULT_LIMIT if query.limit is None else query.limit,
            offset=query.offset or 0,
        )
        steps = tasks.subtasks_of_many(connection, [task.id for _, task in page if task is not None])
        return Fleet(count=count, members=[_member(source, task, steps.get(_id(task), ())) for source, task in page])

    return json_answer(await call.services.ledger.read(read))


def _id(task: TaskRow | None) -> str:
    return "" if task is None else task.id


def _member(source: SourceRow, task: TaskRow | None, subtasks: Sequence[SubtaskRow]) -> FleetMember:
    results = [check.get("result") for check in source.checks]
    return FleetMember(
        id=source.id,
        name=source.name,
        ip=source.ip or source.ipv6,
        os_type=source.os_type,
        os_version=source.document.get("os_version") or "",
        state=source.state,
        stage=source.migration_cycle,
        connected=source.connected,
        last_contact=source.last_contact,
        add_date=source.add_date,
        migproject_id=source.migproject_id,
        enterprise_project_id=source.enterprise_project_id,
        replicated_bytes=source.replicatesize,
        total_bytes=source.totalsize,
        failed_checks=results.count(CheckResult.ERROR),
        warnings=results.count(CheckResult.WARN),
        task=None if task is None else _task(source, task, subtasks),
    )


def _task(source: SourceRow, task: TaskRow, subtasks: Sequence[SubtaskRow]) -> FleetTask:
    running = next((subtask for subtask in subtasks if subtask.progress < 100), None)
    return FleetTask(
        id=task.id,
        name=task.name,
        state=task.state,
        work=fleet.work_of(task.state),
        syncing=task.syncing,
        receiver_id=task.receiver_id or "",
        target_name=task.document.get("target_server", {}).get("name") or "",
        create_date=task.create_date,
        start_date=task.start_date,
        finish_date=task.finish_date,
        progress=_progress(subtasks),
        step="" if running is None else running.name,
        step_progress=100 if running is None else running.progress,
        actions=list(actions.available(source.record(), task.record(subtasks))),
        error_code=task.error_code,
        speed=task.figures.get("migrate_speed"),
        remain_seconds=task.figures.get("remain_time"),
    )


def _progress(subtasks: Sequence[SubtaskRow]) -> int:
    """Return how far a task is in per cent: the copy counts as much as the subtasks around it together."""
    if not subtasks:
        return 0
    weights = [len(subtasks) if subtask.name.startswith("MIGRATE_") else 1 for subtask in subtasks]
    done = sum(weight * subtask.progress for weight, subtask in zip(weights, subtasks, strict=True))
    return done // sum(weights)
