"""Reports of progress on a real PostgreSQL: the prepared statements with figures, dates and documents in them."""

import asyncio

from sqlalchemy import Connection

from tests.system.postgresql_ledgers import SOURCES, NewDatabase, add_sources, opened
from wherry.contract.enumerations import TaskState
from wherry.ledger import tasks
from wherry.ledger.tasks import ReportingTask, SubtaskRow, TaskRow
from wherry.ledger.transaction import Transaction
from wherry.migration.records import SetSubtask, SubtaskRecord

SOURCE = SOURCES[0]
TASK = TaskRow(
    id="task",
    account_id="account",
    source_id=SOURCE,
    name="move",
    type="MIGRATE_BLOCK",
    os_type="LINUX",
    state=TaskState.RUNNING,
    syncing=True,
    enterprise_project_id="0",
    target_vm_id="",
    template_id="",
    receiver_id=None,
    create_date=1,
    start_date=1,
    finish_date=None,
    error_code="",
    error_params=(),
    log_collect_status="INIT",
    document={},
    figures={"remain_time": 600},
    settings={},
)


def test_a_subtask_keeps_its_dates_and_takes_speeds_and_words(new_database: NewDatabase) -> None:
    def report(tx: Transaction) -> None:
        add_sources(tx)
        tasks.insert(tx.connection, TASK, (), reason="test")
        for at, wanted in enumerate(
            (
                SetSubtask("SSL_CONFIG", 0, "start"),
                SetSubtask("SSL_CONFIG", 10, migrate_speed=412.5, process_trace="copying"),
                SetSubtask("SSL_CONFIG", 100, migrate_speed=0.25, process_trace=""),
                SetSubtask("SSL_CONFIG", 100),
                SetSubtask("MIGRATE_LINUX_BLOCK", 5, migrate_speed=1e3, process_trace="new"),
            ),
            start=1,
        ):
            tasks.set_subtask(tx.connection, "task", wanted, at=at)
        tasks.change(tx.connection, "task", {"figures": {"remain_time": 1}})

    def read(connection: Connection) -> tuple[ReportingTask | None, list[SubtaskRow]]:
        return tasks.find_reporting(connection, "account", "task"), list(tasks.subtasks_of(connection, "task"))

    async def check() -> None:
        async with opened(new_database()) as (ledger,):
            await ledger.write(report)
            found, rows = await ledger.read(read)
            steps = (SubtaskRecord("SSL_CONFIG", 100), SubtaskRecord("MIGRATE_LINUX_BLOCK", 5))
            assert found == ReportingTask("task", SOURCE, None, "0", TaskState.RUNNING, {"remain_time": 1}, steps)
            assert rows == [
                SubtaskRow("task", 0, "SSL_CONFIG", 100, 2, 3, 0.25, "start", ""),
                SubtaskRow("task", 1, "MIGRATE_LINUX_BLOCK", 5, 5, None, 1e3, "", "new"),
            ]

    asyncio.run(check())
