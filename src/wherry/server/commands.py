"""ShowCommand and UpdateCommandResult: what agents are told, and what they report."""

from functools import partial

from sqlalchemy import Connection

from wherry.contract.commands import Command, CommandParam, CommandReport
from wherry.contract.errors import ApiError
from wherry.iam.permissions import Resource
from wherry.ledger import commands, polls, tasks
from wherry.ledger.polls import Poll
from wherry.ledger.transaction import Transaction, source_scope
from wherry.migration.commands import apply_result, next_command
from wherry.server.access import allow, heard_of, record_of
from wherry.server.answers import EMPTY, Answer, json_answer
from wherry.server.call import Call
from wherry.server.told import Told
from wherry.server.waiting import wait_preference


async def show_command(call: Call) -> Answer:
    """Return the oldest command that the source's agent hasn't answered, or an idle name.

    With ``Prefer: wait=N`` an idle answer waits for N seconds at most, until something happens to the source.
    """
    source_id = call.parameters["server_id"]
    wait_s = wait_preference(call.headers)
    if not wait_s:
        told = await _told(call, source_id)
        await heard_of(call, source_id)
        return told.answer
    with call.services.waiters.expect(f"source:{source_id}") as expectation:
        told = await _told(call, source_id)
        await heard_of(call, source_id)
        if not told.waiting and await expectation.wait(wait_s):
            told = await _told(call, source_id)
        return told.answer


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


async def _told(call: Call, source_id: str) -> Told:
    """Return what to tell the agent, from memory where it holds. Raises ApiError SMS.7602 or PermissionMissing."""
    memory, scope = call.services.told, source_scope(source_id)
    told = memory.get(scope)
    if told is None:
        told = await call.services.ledger.read(partial(_next, call.account_id, source_id))
        if told is not None:
            memory.put(scope, told)
    if told is None or told.account_id != call.account_id:
        raise ApiError("SMS.7602", status=404)
    allow(call, told.resource)
    return told


def _next(account_id: str, source_id: str, connection: Connection) -> Told | None:
    """Return what to tell the agent; None where the account has no such source."""
    poll = polls.look(connection, account_id, source_id)
    if poll is None:
        return None
    pending = poll.pending
    command = next_command(poll.source, poll.task, None if pending is None else pending.record())
    param = CommandParam(task_id=command.task_id or None, bucket=command.bucket or None)
    answer = json_answer(Command(command_name=command.name, command_param=param))
    return Told(account_id, _resource(poll), pending is not None, answer)


def _poll_of(connection: Connection, call: Call, source_id: str) -> Poll:
    """Return the source as a poll sees it. Raises ApiError SMS.7602 or PermissionMissing."""
    poll = polls.look(connection, call.account_id, source_id)
    if poll is None:
        raise ApiError("SMS.7602", status=404)
    allow(call, _resource(poll))
    return poll


def _resource(poll: Poll) -> Resource:
    return Resource(poll.source.id, poll.source.id, "", poll.enterprise_project_id)
