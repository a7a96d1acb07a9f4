"""Commands that wait for agents, and the results that agents sent: the results are append-only."""

from collections.abc import Sequence
from uuid import uuid4

import msgspec
from sqlalchemy import Connection, select, update

from wherry.ledger import schema
from wherry.ledger.prepared import Prepared, PreparedUpdate
from wherry.migration.records import CommandRecord, IssueCommand

_command = schema.command
_result = schema.command_result


class WaitingCommand(msgspec.Struct, frozen=True, gc=False):
    """A command that no result has answered yet; `wherry.ledger.polls` finds the oldest of a source."""

    id: str
    name: str
    task_id: str
    bucket: str

    def record(self) -> CommandRecord:
        """Return what the rules look at."""
        return CommandRecord(self.id, self.name, self.task_id, self.bucket)


class CommandResult(msgspec.Struct, frozen=True, gc=False):
    """What an agent reported. `command_id` None: nothing was waiting; `result_detail` is JSON as it was sent."""

    account_id: str
    source_id: str
    command_id: str | None
    command_name: str
    result: str
    result_detail: bytes
    received_at: int
    request_id: str


_ISSUE = Prepared(_command.insert().inline(), ("id", "source_id", "task_id", "name", "bucket", "issued_at"))
_CHANGE = PreparedUpdate(_command, "id")
_APPEND = Prepared(_result.insert().inline(), CommandResult.__struct_fields__)


def issue(connection: Connection, source_id: str, wanted: IssueCommand, *, at: int) -> str:
    """Store a command for the source's agent and return its id."""
    command_id = str(uuid4())
    _ISSUE.run(
        connection,
        id=command_id,
        source_id=source_id,
        task_id=wanted.task_id,
        name=wanted.name,
        bucket=wanted.bucket,
        issued_at=at,
    )
    return command_id


def answer(connection: Connection, command_id: str, *, at: int) -> None:
    """Note that the command is answered: it's not handed out any more."""
    _CHANGE.run(connection, (command_id,), {"answered_at": at})


def withdraw(connection: Connection, source_id: str, names: Sequence[str] | None, *, at: int) -> None:
    """Take back the unanswered commands of these names; None takes all of them back."""
    conditions = [
        _command.c.source_id == source_id,
        _command.c.answered_at.is_(None),
        _command.c.withdrawn_at.is_(None),
    ]
    if names is not None:
        conditions.append(_command.c.name.in_(list(names)))
    connection.execute(update(_command).where(*conditions).values(withdrawn_at=at))


def append_result(connection: Connection, result: CommandResult) -> None:
    """Store what an agent reported."""
    _APPEND.run(connection, **msgspec.structs.asdict(result))


def results_of(connection: Connection, source_id: str) -> Sequence[CommandResult]:
    """Return all results of a source, oldest first."""
    columns = [_result.c[name] for name in CommandResult.__struct_fields__]
    query = select(*columns).where(_result.c.source_id == source_id).order_by(_result.c.sequence)
    return [CommandResult(**row) for row in connection.execute(query).mappings()]
