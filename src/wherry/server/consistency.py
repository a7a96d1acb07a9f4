"""Results of consistency checks: agents report them, users read them."""

from msgspec import convert, json, to_builtins
from sqlalchemy import Connection

from wherry.contract.consistency import (
    ConsistencyEntry,
    ConsistencyReport,
    ConsistencyResults,
    ConsistencyTexts,
    FolderConsistency,
)
from wherry.ledger import consistency
from wherry.ledger.consistency import ConsistencyRow
from wherry.ledger.transaction import Transaction
from wherry.server.access import heard_of, task_of
from wherry.server.answers import EMPTY, Answer, json_answer
from wherry.server.call import Call

_TEXT_CLIENT = b"huaweicloud-usdk-go"
"""The vendor's SDK for Go reads each result as a text that holds JSON; all others read objects."""


async def update_consistency_result(call: Call) -> Answer:
    """Add a report."""
    folders = call.decode(ConsistencyReport).consistency_result or []

    def unit(tx: Transaction) -> str:
        task = task_of(tx.connection, call, call.parameters["task_id"])
        row = ConsistencyRow(task.id, task.source_id, call.at, to_builtins(folders))
        consistency.append(tx.connection, row)
        call.record(tx, task.id)
        return task.source_id

    await heard_of(call, await call.services.ledger.write(unit))
    return EMPTY


async def show_consistency_result(call: Call) -> Answer:
    """Return the reports of a task, oldest first."""

    def read(connection: Connection) -> tuple[str, list[ConsistencyEntry]]:
        task = task_of(connection, call, call.parameters["task_id"])
        return task.id, [_entry(row) for row in consistency.of_task(connection, task.id)]

    task_id, entries = await call.services.ledger.read(read)
    if any(name == b"user-agent" and _TEXT_CLIENT in value for name, value in call.headers):
        return json_answer(
            ConsistencyTexts(task_id=task_id, result_list=[json.encode(entry).decode() for entry in entries])
        )
    return json_answer(ConsistencyResults(task_id=task_id, result_list=entries))


def _entry(row: ConsistencyRow) -> ConsistencyEntry:
    folders = convert(row.document, list[FolderConsistency])
    return ConsistencyEntry(
        finished_time=row.finished_time,
        check_result=all(is_equal(folder) for folder in folders),
        consistency_result=folders,
    )


def is_equal(folder: FolderConsistency) -> bool:
    """Tell whether a folder holds the same files on both sides."""
    return not (folder.num_different_files or folder.num_target_miss_files or folder.num_target_more_files)
