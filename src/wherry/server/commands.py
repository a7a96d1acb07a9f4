"""ShowCommand and UpdateCommandResult: what agents are told, and what they report."""

from sqlalchemy import Connection

from wherry.contract.commands import Command, CommandParam, CommandReport
from wherry.contract.errors import ApiError
from wherry.iam.permissions import Resource
from wherry.ledger import commands, polls, tasks
from wherry.ledger.polls import Poll
from wherry.ledger.transaction import Transaction, source_scope
from wherry.migration.commands import NextCommand, apply_result, next_command
from wherry.server.access import allow, heard_of, record_of
from wherry.server.answers import EMPTY, Answer, json_answer
from wherry.server.call import Call
from wherry.server.waiting import wait_preference


async def show_command(call: Call) -> Answer:
    """Return the oldest command that the source's agent hasn't answered, or an idle name.

    With ``Prefer: wait=N`` an idle answer waits for N seconds at most, until something happens to the source.
    """
    source_id, ledger = call.parameters["server_id"], call.services.ledger
    wait_s = wait_preference(call.headers)
    if not wait_s:
        _, told = await ledger.read(lambda connection: _next(connection, call, source_id))
        await heard_of(call, source_id)
        return _told(told)
    with call.services.waiters.expect(f"source:{source_id}") as expectation:
        waiting, told = await ledger.read(lambda connection: _next(connection, call, source_id))
        await heard_of(call, source_id)
        if not waiting and await expectation.wait(wait_s):
            _, told = await ledger.read(lambda connection: _next(connection, call, source_id))
        return _told(told)


async def update_command_result(call: Call) -> Answer:
    """Store what an agent reports, and let it take effect where it answers the command that waits."""
    report = call.decode(CommandReport)
    # The detail is a view of the whole body: copied, since it outlives the request.
    detail = bytes(report.result_detail)
    source_id = call.parameters["server_id"]

    def unit(tx: Transaction) -> None:
        poll = _poll_of(tx.connection, call, source_id)
        pending = poll.pending
        answers = pending is not None and pending.name == report.command_name
        commands.append_result(
            tx.connection,
            commands.CommandResult(
                account_id=call.account_id,
                source_id=source_id,
                command_id=pending.id if pending is not None and answers else None,
                command_name=report.command_name,
                result=report.result,
                result_detail=detail,
                received_at=call.at,
                request_id=call.request_id,
            ),
        )
        call.record(tx, source_id, f"{report.command_name} {report.result}")
        if pending is None:
            return
        task = tasks.of_source(tx.connection, source_id)
        changes = apply_result(poll.source, record_of(tx.connection, task), pending.record(), report)
        tx.apply(
            changes,
            source_id=source_id,
            task_id="" if task is None else task.id,
            at=call.at,
            reason=f"result of {report.command_name}: {report.result}",
        )

    await call.services.ledger.write(unit, source_scope(source_id))
    await heard_of(call, source_id)
    return EMPTY


def _next(connection: Connection, call: Call, source_id: str) -> tuple[bool, NextCommand]:
    """Return whether a command waits, and what to tell the agent."""
    poll = _poll_of(connection, call, source_id)
    pending = poll.pending
    told = next_command(poll.source, poll.task, None if pending is None else pending.record())
    return pending is not None, told


def _poll_of(connection: Connection, call: Call, source_id: str) -> Poll:
    """Return the source as a poll sees it. Raises ApiError SMS.7602 or PermissionMissing."""
    poll = polls.look(connection, call.account_id, source_id)
    if poll is None:
        raise ApiError("SMS.7602", status=404)
    allow(call, Resource(source_id, source_id, "", poll.enterprise_project_id))
    return poll


def _told(told: NextCommand) -> Answer:
    param = CommandParam(task_id=told.task_id or None, bucket=told.bucket or None)
    return json_answer(Command(command_name=told.name, command_param=param))
