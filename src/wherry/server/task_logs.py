"""Logs of agents: CollectLog asks for one, the agent hands it in, users fetch it until it expires or is closed."""

import asyncio
from collections.abc import Callable
from functools import partial

import structlog
from sqlalchemy import Connection

from wherry.contract.errors import ApiError
from wherry.contract.task_log import LOG_VALID_S, AgentLog
from wherry.contract.tasks import LogCollection
from wherry.errors import WherryError
from wherry.ledger import task_logs, tasks
from wherry.ledger.ledger import Ledger
from wherry.ledger.transaction import Transaction
from wherry.migration import log_collection
from wherry.server.access import heard_of, task_of
from wherry.server.answers import EMPTY, Answer
from wherry.server.call import Call
from wherry.server.task_views import LOG, LOG_SHARED_UNTIL

_GZIP = "application/gzip"
_MAGIC = b"\x1f\x8b"
_SWEEP_S = 600
"""How often logs whose time is over are removed."""

log = structlog.get_logger(__name__)


async def collect_log(call: Call) -> Answer:
    """Let the agent hand its log in. Agents of other makers put it into the bucket; Wherry's give it to this service.

    How far that is `log_collect_status` of the source's current task tells, and `log_share_url` where the log is.
    """
    bucket = call.decode(LogCollection).log_bucket

    def unit(tx: Transaction) -> None:
        task = task_of(tx.connection, call, call.parameters["task_id"])
        task_logs.remove(tx.connection, task.id)
        tasks.change(tx.connection, task.id, {"settings": {**task.settings, LOG: {"log_bucket": bucket}}})
        changes = log_collection.ask(task.id, bucket)
        tx.apply(changes, source_id=task.source_id, task_id=task.id, at=call.at, reason=call.route.operation)
        call.record(tx, task.id)

    await call.services.ledger.write(unit)
    return EMPTY


async def store_log(call: Call) -> Answer:
    """Take the log of an agent that was asked for it. It can be fetched for 18 hours."""
    handed_in = call.decode(AgentLog)
    if not handed_in.content.startswith(_MAGIC):
        raise ApiError("SMS.9001", "content: it is not gzip", params=("content",))
    expires_at = call.at + LOG_VALID_S * 1000

    def unit(tx: Transaction) -> str:
        task = task_of(tx.connection, call, call.parameters["task_id"])
        log_collection.check_awaited(task.log_collect_status)
        task_logs.put(tx.connection, task.id, handed_in.content, expires_at=expires_at)
        known = {**task.settings.get(LOG, {}), LOG_SHARED_UNTIL: expires_at}
        tasks.change(tx.connection, task.id, {"settings": {**task.settings, LOG: known}})
        call.record(tx, task.id, f"{len(handed_in.content)} bytes")
        return task.source_id

    await heard_of(call, await call.services.ledger.write(unit))
    return EMPTY


async def download_log(call: Call) -> Answer:
    """Return the log of a task's agent as a gzip file, to who may read the task."""

    def read(connection: Connection) -> Answer:
        task = task_of(connection, call, call.parameters["task_id"])
        content = task_logs.find(connection, task.id, at=call.at)
        if content is None:
            raise ApiError("WHERRY.5521", f"log_collect_status is {task.log_collect_status}")
        name = f"wherry-agent-{task.id}.log.gz"
        return Answer(content, 200, _GZIP, {"content-disposition": f'attachment; filename="{name}"'})

    return await call.services.ledger.read(read)


async def close_log(call: Call) -> Answer:
    """End the sharing of a log: it is removed here, and the agent is told RSET_LOG_ACL for the bucket's sake."""

    def unit(tx: Transaction) -> None:
        task = task_of(tx.connection, call, call.parameters["task_id"])
        if LOG not in task.settings:
            raise ApiError("WHERRY.5521", f"log_collect_status is {task.log_collect_status}")
        task_logs.remove(tx.connection, task.id)
        known = {name: value for name, value in task.settings[LOG].items() if name != LOG_SHARED_UNTIL}
        tasks.change(tx.connection, task.id, {"settings": {**task.settings, LOG: known}})
        changes = log_collection.close(task.id, known.get("log_bucket", ""))
        tx.apply(changes, source_id=task.source_id, task_id=task.id, at=call.at, reason=call.route.operation)
        call.record(tx, task.id)

    await call.services.ledger.write(unit)
    return EMPTY


async def sweep(ledger: Ledger, clock: Callable[[], int]) -> None:
    """Remove the logs whose time is over, again and again, until cancelled."""
    while True:
        await sweep_once(ledger, clock())
        await asyncio.sleep(_SWEEP_S)


async def sweep_once(ledger: Ledger, at: int) -> None:
    """Remove the logs whose time is over at *at*; look before, since there seldom are any."""
    try:
        if await ledger.read(partial(task_logs.any_expired, at=at)):
            await ledger.write(lambda tx: task_logs.remove_expired(tx.connection, at=at))
    except WherryError as error:  # the next time will do
        log.warning("expired logs not removed", code=error.code, error=error.message)
