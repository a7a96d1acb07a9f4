"""The queries of the ledger's resources: states and their history, subtasks, polls, receivers, filters."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from wherry.contract.enumerations import SourceState, TaskState
from wherry.ledger import accounts, commands, credentials, migprojects, polls, receivers, sources, state_changes, tasks
from wherry.ledger.ledger import open_ledger
from wherry.ledger.receivers import ReceiverRow
from wherry.ledger.sources import SourceFilter, SourceRow
from wherry.ledger.tasks import TaskFilter, TaskRow
from wherry.ledger.transaction import Transaction
from wherry.migration.records import Change, IssueCommand, SetSourceState, SetSubtask, SetTaskState, WithdrawCommands

T = TypeVar("T")


def source_row(source_id: str = "source", name: str = "web", **changes: object) -> SourceRow:
    values: dict[str, object] = {
        "id": source_id,
        "account_id": "account",
        "name": name,
        "ip": "192.0.2.1",
        "ipv6": "",
        "mac": "52:54:00:00:00:01",
        "os_type": "LINUX",
        "state": SourceState.WAITING,
        "migration_cycle": "setting",
        "migproject_id": "project",
        "enterprise_project_id": "default",
        "connected": True,
        "last_contact": 1,
        "last_visit_time": 1,
        "add_date": 1,
        "state_action_time": 1,
        "stage_action_time": 1,
        "replicatesize": 0,
        "totalsize": 0,
        "document": {"hostname": "web"},
        "checks": [],
        **changes,
    }
    return SourceRow(**values)  # type: ignore[arg-type]


def task_row(task_id: str = "task", source_id: str = "source", **changes: object) -> TaskRow:
    values: dict[str, object] = {
        "id": task_id,
        "account_id": "account",
        "source_id": source_id,
        "name": "move",
        "type": "MIGRATE_BLOCK",
        "os_type": "LINUX",
        "state": TaskState.READY,
        "syncing": True,
        "enterprise_project_id": "default",
        "target_vm_id": "vm",
        "template_id": "",
        "receiver_id": None,
        "create_date": 1,
        "start_date": None,
        "finish_date": None,
        "error_code": "",
        "error_params": [],
        "log_collect_status": "INIT",
        "document": {},
        "figures": {},
        "settings": {},
        **changes,
    }
    return TaskRow(**values)  # type: ignore[arg-type]


def receiver_row(receiver_id: str, *, last_contact: int = 100, created_at: int = 1) -> ReceiverRow:
    return ReceiverRow(
        receiver_id, "account", receiver_id, "192.0.2.9", 9000, ["image"], 1, "1", created_at, last_contact, 1
    )


@pytest.fixture
def within(tmp_path: Path) -> Callable[[Callable[[Transaction], T]], T]:
    """Run a unit in a ledger that holds one account with its project, and return its result."""

    def run(unit: Callable[[Transaction], T]) -> T:
        async def inside() -> T:
            ledger = open_ledger(tmp_path / "ledger")
            try:
                await ledger.write(prepare)
                return await ledger.write(unit)
            finally:
                await ledger.close()

        return asyncio.run(inside())

    return run


def prepare(tx: Transaction) -> None:
    for name in ("account", "other"):
        accounts.insert(tx.connection, accounts.AccountRow(name, name, f"project-of-{name}", 1))
    project = migprojects.MigprojectRow(
        "project", "account", "SystemProject", is_default=True, created_at=1, document={}
    )
    migprojects.insert(tx.connection, project)


Within = Callable[[Callable[[Transaction], object]], object]


def add(tx: Transaction, **changes: object) -> Connection:
    sources.insert(tx.connection, source_row(**changes), reason="test")  # type: ignore[arg-type]
    return tx.connection


def test_a_change_of_state_is_kept_with_its_reason(within: Within) -> None:
    def unit(tx: Transaction) -> None:
        connection = add(tx)
        tasks.insert(connection, task_row(), (), reason="CreateTask")
        changes: list[Change] = [
            SetTaskState(TaskState.RUNNING),
            SetSourceState(SourceState.INITIALIZE, "replicating"),
            SetSourceState(SourceState.INITIALIZE, "replicating"),
            SetTaskState(TaskState.RUNNING),
        ]
        tx.apply(changes, source_id="source", task_id="task", at=5, reason="action start")
        tx.apply(
            [SetTaskState(TaskState.MIGRATE_FAIL, "SMS.0515", ("a", "b"))],
            source_id="source",
            task_id="task",
            at=9,
            reason="r",
        )
        kept = [(c.at, c.entity, c.from_state, c.to_state, c.reason) for c in state_changes.of_task(connection, "task")]
        assert kept == [
            (1, "task", "", "READY", "CreateTask"),
            (5, "task", "READY", "RUNNING", "action start"),
            (5, "source", "waiting", "initialize", "action start"),
            (9, "task", "RUNNING", "MIGRATE_FAIL", "r"),
        ]
        source, task = sources.find(connection, "account", "source"), tasks.find(connection, "account", "task")
        assert source is not None
        assert task is not None
        assert (source.state_action_time, source.stage_action_time) == (5, 5)
        assert (task.start_date, task.finish_date) == (5, 9)
        assert (task.error_code, task.error_params) == ("SMS.0515", ["a", "b"])
        tx.apply([SetTaskState(TaskState.RUNNING)], source_id="source", task_id="task", at=12, reason="again")
        again = tasks.find(connection, "account", "task")
        assert again is not None
        assert (again.start_date, again.finish_date, again.error_code) == (5, None, "")

    within(unit)


def test_waking_topics_come_from_states_and_commands_not_from_progress(within: Within) -> None:
    def unit(tx: Transaction) -> None:
        add(tx)
        tasks.insert(tx.connection, task_row(), (), reason="test")
        arguments = {"source_id": "source", "task_id": "task", "at": 1, "reason": "test"}
        tx.apply([SetSubtask("SSL_CONFIG", 10)], **arguments)  # type: ignore[arg-type]
        assert tx.topics == set()
        tx.apply([IssueCommand("START", "task")], **arguments)  # type: ignore[arg-type]
        assert tx.topics == {"source:source"}

    within(unit)


def test_a_receiver_hears_of_the_states_of_its_tasks(within: Within) -> None:
    def unit(tx: Transaction) -> None:
        add(tx)
        receivers.insert(tx.connection, receiver_row("receiver"))
        tasks.insert(tx.connection, task_row(receiver_id="receiver"), (), reason="test")
        tx.apply([SetTaskState(TaskState.RUNNING)], source_id="source", task_id="task", at=1, reason="test")
        assert "receiver:receiver" in tx.topics
        row = receivers.find(tx.connection, "account", "receiver")
        assert row is not None
        assert row.assignments_version == 2

    within(unit)


def test_subtasks_keep_their_order_and_their_dates(within: Within) -> None:
    def unit(tx: Transaction) -> None:
        connection = add(tx)
        tasks.insert(connection, task_row(), (), reason="test")
        for name in ("SSL_CONFIG", "MIGRATE_LINUX_BLOCK"):
            tasks.set_subtask(connection, "task", SetSubtask(name, 0, "start"), at=1)
        for at, progress in ((2, 10), (3, 100), (4, 100)):
            tasks.set_subtask(connection, "task", SetSubtask("SSL_CONFIG", progress), at=at)
        first, second = tasks.subtasks_of(connection, "task")
        assert (first.name, first.progress, first.start_date, first.end_date, first.user_op) == (
            "SSL_CONFIG",
            100,
            2,
            3,
            "start",
        )
        assert (second.position, second.progress, second.start_date, second.end_date) == (1, 0, None, None)

    within(unit)


def test_deleting_a_task_takes_what_hangs_on_it_and_leaves_its_history(within: Within) -> None:
    def unit(tx: Transaction) -> None:
        connection = add(tx)
        tasks.insert(connection, task_row(), (), reason="test")
        tasks.set_subtask(connection, "task", SetSubtask("SSL_CONFIG", 1), at=1)
        tasks.delete(connection, "task")
        assert tasks.subtasks_of(connection, "task") == []
        assert len(state_changes.of_task(connection, "task")) == 1
        tasks.insert(connection, task_row("again"), (), reason="test")

    within(unit)


def test_a_poll_sees_the_oldest_command_that_waits(within: Within) -> None:
    def unit(tx: Transaction) -> None:
        connection = add(tx)
        assert polls.look(connection, "account", "nothing") is None
        assert polls.look(connection, "other", "source") is None
        empty = polls.look(connection, "account", "source")
        assert empty is not None
        assert (empty.task, empty.pending) == (None, None)
        tasks.insert(connection, task_row(), (), reason="test")
        ids = [
            commands.issue(connection, "source", IssueCommand(name, "task", "b"), at=1)
            for name in ("START", "STOP", "SKIP")
        ]
        commands.issue(connection, "another", IssueCommand("DELETE", "task"), at=1)
        looked = polls.look(connection, "account", "source")
        assert looked is not None
        assert looked.pending is not None
        assert (looked.pending.name, looked.pending.bucket) == ("START", "b")
        commands.answer(connection, ids[0], at=2)
        tx.apply([WithdrawCommands(("STOP",))], source_id="source", task_id="task", at=3, reason="test")
        looked = polls.look(connection, "account", "source")
        assert looked is not None
        assert looked.pending is not None
        assert looked.pending.name == "SKIP"
        assert looked.task is not None
        assert (looked.task.id, looked.task.state) == ("task", TaskState.READY)

    within(unit)


def test_a_poll_does_not_read_the_commands_of_the_past(within: Within) -> None:
    def unit(tx: Transaction) -> None:
        connection = add(tx)
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT min(sequence) FROM command"
            " WHERE source_id = 'source' AND answered_at IS NULL AND withdrawn_at IS NULL"
        )
        assert any("ix_command_waiting" in row[3] for row in plan)

    within(unit)


def test_the_least_busy_receiver_is_one_of_those_that_are_there(within: Within) -> None:
    def unit(tx: Transaction) -> None:
        connection = add(tx)
        assert receivers.least_busy(connection, "account", among=()) is None
        for number in range(3):
            receivers.insert(connection, receiver_row(f"r{number}", created_at=number))
        chosen = receivers.least_busy(connection, "account", among={"r1", "r2"})
        assert chosen is not None
        assert chosen.id == "r1"
        tasks.insert(connection, task_row(receiver_id="r1"), (), reason="test")
        chosen = receivers.least_busy(connection, "account", among={"r1", "r2"})
        assert chosen is not None
        assert chosen.id == "r2"
        assert receivers.least_busy(connection, "other", among={"r1", "r2"}) is None

    within(unit)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (SourceFilter(), {"a", "b"}),
        (SourceFilter(name="web"), {"a", "b"}),
        (SourceFilter(name="100%"), {"b"}),
        (SourceFilter(name="_"), set()),
        (SourceFilter(ip="192.0.2.2", ipv6="ignored"), {"b"}),
        (SourceFilter(ipv6="2001:db8::1"), {"a"}),
        (SourceFilter(connected=False), {"b"}),
        (SourceFilter(state="stopped"), {"b"}),
        (SourceFilter(vm_id="vm-a"), {"a"}),
        (SourceFilter(vm_id="clone-a"), {"a"}),
        (SourceFilter(vm_id="vm-b"), set()),
        (SourceFilter(migproject_id="elsewhere"), set()),
        (SourceFilter(id="a", name="nothing"), set()),
        (SourceFilter(has_consistency_result=False), {"a", "b"}),
        (SourceFilter(has_consistency_result=True), set()),
    ],
)
def test_filters_of_sources(within: Within, wanted: SourceFilter, found: set[str]) -> None:
    def unit(tx: Transaction) -> None:
        add(tx, source_id="a", name="web", ipv6="2001:db8::1")
        add(tx, source_id="b", name="web 100%", ip="192.0.2.2", connected=False, state=SourceState.STOPPED)
        cloned = {"clone_server": {"vm_id": "clone-a"}}
        tasks.insert(tx.connection, task_row("task-a", "a", target_vm_id="vm-a", settings=cloned), (), reason="test")
        count, page = sources.find_page(tx.connection, "account", wanted, limit=10, offset=0)
        assert ({row.id for row in page}, count) == (found, len(found))
        assert sources.find_page(tx.connection, "other", wanted, limit=10, offset=0) == (0, [])

    within(unit)


def test_pages_follow_one_another_and_end_empty(within: Within) -> None:
    def unit(tx: Transaction) -> None:
        for number in range(5):
            add(tx, source_id=f"source-{number}", add_date=number // 2)
            tasks.insert(tx.connection, task_row(f"task-{number}", f"source-{number}"), (), reason="test")
        seen = []
        for offset in range(0, 8, 2):
            count, page = tasks.find_page(tx.connection, "account", TaskFilter(), limit=2, offset=offset)
            assert count == 5
            seen += [row.id for row in page]
        assert seen == [f"task-{number}" for number in range(5)]

    within(unit)


def test_a_revoked_token_is_forgotten_long_after_it_had_expired_anyway(within: Within) -> None:
    def unit(tx: Transaction) -> None:
        month = 30 * 24 * 3600 * 1000
        credentials.revoke(tx.connection, "old", at=1, expires_at=10)
        credentials.revoke(tx.connection, "old", at=2, expires_at=10)
        assert credentials.is_revoked(tx.connection, "old")
        credentials.revoke(tx.connection, "other", at=10 + month, expires_at=10 + month)
        assert credentials.is_revoked(tx.connection, "old")
        credentials.revoke(tx.connection, "new", at=11 + month, expires_at=20 + month)
        assert not credentials.is_revoked(tx.connection, "old")
        assert credentials.is_revoked(tx.connection, "new")

    within(unit)


def test_one_project_is_the_default(within: Within) -> None:
    def unit(tx: Transaction) -> None:
        second = migprojects.MigprojectRow("second", "account", "second", is_default=False, created_at=2, document={})
        migprojects.insert(tx.connection, second)
        assert migprojects.default_of(tx.connection, "account").id == "project"
        migprojects.make_default(tx.connection, "account", "second")
        assert migprojects.default_of(tx.connection, "account").id == "second"
        _, page = migprojects.find_page(tx.connection, "account", limit=10, offset=0)
        assert [row.is_default for row in page] == [False, True]

    within(unit)
