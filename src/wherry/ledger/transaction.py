"""What a unit of writing works with: the connection, the changes that the rules ask for, the audit log, wake-ups."""

from collections.abc import Sequence

from sqlalchemy import Connection

from wherry.ledger import audit, commands, receivers, sources, tasks
from wherry.migration.records import (
    AnswerCommand,
    Change,
    IssueCommand,
    SetLogCollectStatus,
    SetSourceState,
    SetSubtask,
    SetTaskState,
    WithdrawCommands,
)

_WAKING = (SetSourceState, SetTaskState, IssueCommand)
"""Changes that an agent in a long poll wants to hear of; progress comes too often."""


class Transaction:
    """One unit's view of the ledger. It ends with the unit: keep no reference to it.

    Attributes:
        connection: for the queries and statements of this package's resource modules.
        topics: what changed, for those who wait: ``source:ID``, ``receiver:ID``. Published after the commit.
    """

    __slots__ = ("_chain", "connection", "topics")

    def __init__(self, connection: Connection, chain: audit.AuditChain) -> None:
        self.connection = connection
        self.topics: set[str] = set()
        self._chain = chain

    def record(self, entry: audit.Entry) -> None:
        """Append *entry* to the audit log."""
        self._chain.append(self.connection, entry)

    def assignments_changed(self, receiver_id: str) -> None:
        """Note that what is assigned to a receiver has changed, and wake it."""
        receivers.count_assignment_change(self.connection, receiver_id)
        self.topics.add(f"receiver:{receiver_id}")

    def apply(self, changes: Sequence[Change], *, source_id: str, task_id: str, at: int, reason: str) -> None:
        """Carry *changes* out on a source and its task.

        Args:
            changes: what the rules answered, in their order.
            source_id: the source they are about.
            task_id: its task; empty when there's none, and then no change may be about a task.
            at: the moment, epoch milliseconds.
            reason: what caused them, for the state changes: the operation and what it was asked.
        """
        for change in changes:
            self._apply(change, source_id, task_id, at, reason)
            if isinstance(change, _WAKING):
                self.topics.add(f"source:{source_id}")

    def _apply(self, change: Change, source_id: str, task_id: str, at: int, reason: str) -> None:
        match change:
            case SetSourceState():
                sources.set_state(self.connection, source_id, task_id or None, change, at=at, reason=reason)
            case SetTaskState():
                receiver_id = tasks.set_state(self.connection, task_id, change, at=at, reason=reason)
                if receiver_id is not None:
                    self.assignments_changed(receiver_id)
            case SetSubtask():
                tasks.set_subtask(self.connection, task_id, change, at=at)
            case SetLogCollectStatus():
                tasks.set_log_collect_status(self.connection, task_id, change.status, at=at)
            case IssueCommand():
                commands.issue(self.connection, source_id, change, at=at)
            case AnswerCommand():
                commands.answer(self.connection, change.command_id, at=at)
            case WithdrawCommands():
                commands.withdraw(self.connection, source_id, change.names, at=at)
