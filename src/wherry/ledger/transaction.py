"""What a unit of the writer works with: a connection, and the verbs that touch more than one table at once."""

from collections.abc import Sequence

from sqlalchemy import Connection

from wherry.ledger import audit, commands, landings, outbox, receivers, sources, tasks
from wherry.migration import events, failures
from wherry.migration.records import (
    AnswerCommand,
    Change,
    IssueCommand,
    LandingChange,
    OrderLanding,
    SetClone,
    SetLanding,
    SetLogCollectStatus,
    SetOrder,
    SetSourceState,
    SetSubtask,
    SetTarget,
    SetTaskState,
    WithdrawCommands,
    WithdrawOrders,
)

EVERYTHING = "*"
"""The topic of everything: something may have changed, nobody knows what."""

_WAKING = (IssueCommand, WithdrawCommands, SetSourceState, SetTaskState)
"""Changes that may give a poll another answer. Progress is none: it comes every second and would wake everybody."""


class Transaction:
    """One unit's view of the ledger. It ends with the unit: keep no reference to it.

    Attributes:
        connection: for the queries and statements of this package's resource modules.
        scope: what the unit may change, as given to `Ledger.write`; empty: everything.
        topics: what changed, for those who wait or remember: ``source:ID``, ``receiver:ID``, ``landing:TASK_ID``,
            ``key:ID``, ``user:ID``, and that of the outbox. Published after the commit, to all processes.
    """

    __slots__ = ("_entries", "connection", "scope", "topics")

    def __init__(self, connection: Connection, entries: audit.AuditEntries, scope: str = "") -> None:
        self.connection = connection
        self.scope = scope
        self.topics: set[str] = set()
        self._entries = entries

    def record(self, entry: audit.Entry) -> None:
        """Append *entry* to the audit log."""
        self._entries.add(entry)

    def assignments_changed(self, receiver_id: str) -> None:
        """Note that what is assigned to a receiver has changed, and wake it."""
        receivers.count_assignment_change(self.connection, receiver_id)
        self.topics.add(f"receiver:{receiver_id}")

    def key_changed(self, access_key: str) -> None:
        """Note that an access key was changed, bound or deleted: no process goes by what it remembers of it."""
        self.topics.add(f"key:{access_key}")

    def user_changed(self, user_id: str) -> None:
        """Note that a user was changed or deleted: no process goes by what it remembers of its keys and tokens."""
        self.topics.add(f"user:{user_id}")

    def tell(self, event: events.Event, *, at: int) -> None:
        """Write *event* for the subscriptions that want it: it's told when, and only when, this unit is committed."""
        if outbox.put(self.connection, event, at=at):
            self.topics.add(outbox.TOPIC)

    def apply(self, changes: Sequence[Change], *, source_id: str, task_id: str, at: int, reason: str) -> None:
        """Carry *changes* out on a source and its task.

        Args:
            changes: what the rules answered, in their order.
            source_id: the source they are about.
            task_id: its task; empty when there's none, and then no change may be about a task.
            at: the moment, epoch milliseconds.
            reason: what caused them, for the state changes: the operation and what it was asked.
        """
        if changes and self.scope not in {"", source_scope(source_id)}:
            message = f"a unit of the scope {self.scope} changes source {source_id}"
            raise RuntimeError(message)
        for change in changes:
            self._apply(change, source_id, task_id, at, reason)
            if isinstance(change, _WAKING):
                self.topics.add(f"source:{source_id}")

    def _apply(self, change: Change, source_id: str, task_id: str, at: int, reason: str) -> None:
        match change:
            case SetSourceState():
                sources.set_state(self.connection, source_id, task_id or None, change, at=at, reason=reason)
            case SetTaskState():
                before, receiver_id = tasks.set_state(self.connection, task_id, change, at=at, reason=reason)
                if receiver_id is not None:
                    self.assignments_changed(receiver_id)
                self._tell_of_task(source_id, task_id, before, change, at)
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
            case _:
                self._apply_to_landing(change, source_id, task_id, at, reason)

    def _apply_to_landing(self, change: LandingChange, source_id: str, task_id: str, at: int, reason: str) -> None:
        self.topics.add(f"landing:{task_id}")
        match change:
            case SetLanding():
                before = landings.set_landing(self.connection, task_id, change, at=at, reason=reason)
                self._tell_of_landing(source_id, task_id, before, change, at)
            case OrderLanding():
                landings.order(self.connection, task_id, change, at=at)
                self._orders_changed(task_id)
            case WithdrawOrders():
                landings.withdraw(self.connection, task_id, change.kinds, at=at)
                self._orders_changed(task_id)
            case SetOrder():
                landings.set_order(self.connection, task_id, change, at=at)
            case SetTarget():
                landings.set_target(self.connection, task_id, change)
            case SetClone():
                landings.set_clone(self.connection, task_id, change)

    def _tell_of_task(self, source_id: str, task_id: str, before: str, change: SetTaskState, at: int) -> None:
        kind = events.of_task(before, change.state)
        if kind is not None:
            error = failures.explain(change.error_code, change.error_params) if change.error_code else None
            data = {"from_state": before} | ({} if error is None else {"error": error._asdict()})
            self.tell(events.Event(kind, source_id, task_id, data=data), at=at)

    def _tell_of_landing(self, source_id: str, task_id: str, before: str, change: SetLanding, at: int) -> None:
        kind = events.of_landing(before, change.state)
        if kind is not None:
            error = {} if change.error is None else {"error": change.error}
            self.tell(events.Event(kind, source_id, task_id, data={"landing": change.state, **error}), at=at)

    def _orders_changed(self, task_id: str) -> None:
        receiver_id = tasks.receiver_of(self.connection, task_id)
        if receiver_id is not None:
            self.assignments_changed(receiver_id)


def source_scope(source_id: str) -> str:
    """Return the scope of units that change one source, its task, and what is written about them."""
    return f"source:{source_id}"
