"""ExportConsistencyResults: the results of many tasks in one file, for people.

The reference leaves the file's type and columns open: a spreadsheet, or CSV where `Accept` prefers that; one line for
each folder of each report; headings in English, or in Chinese where `X-Language` asks for it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

from msgspec import convert
from sqlalchemy import Connection

from wherry.contract.consistency import ConsistencyExport, ExportItem, FolderConsistency
from wherry.contract.errors import ApiError
from wherry.ledger import consistency, sources, tasks
from wherry.ledger.consistency import ConsistencyRow
from wherry.ledger.sources import SourceRow
from wherry.ledger.tasks import TaskRow
from wherry.ledger.transaction import Transaction
from wherry.server.accept import preferred
from wherry.server.access import task_of
from wherry.server.answers import Answer
from wherry.server.call import Call
from wherry.server.consistency import is_equal
from wherry.server.tables import CSV, XLSX, Cell, csv_file, xlsx_file

MAX_LINES: Final = 200_000
"""Lines of one file at most; more tell people nothing, and would hold up everybody else."""

_ENDINGS: Final = {XLSX: "xlsx", CSV: "csv"}

_ENGLISH: Final = (
    *("Source name", "Source ID", "Task name", "Task ID", "Finished (UTC)", "Result", "Folder"),
    *("Files", "Different files", "Files missing at the target", "Files at the target only"),
)
_CHINESE: Final = (
    *("源端名称", "源端ID", "任务名称", "任务ID", "完成时间 (UTC)", "校验结果", "校验目录"),
    *("文件总数", "不一致文件数", "目的端缺少文件数", "目的端多出文件数"),
)
_RESULTS: Final[Mapping[bool, Mapping[bool, str]]] = {
    False: {True: "consistent", False: "inconsistent"},
    True: {True: "一致", False: "不一致"},
}


async def export_consistency_results(call: Call) -> Answer:
    """Return the consistency results of the tasks that the request names, as a file."""
    items = call.decode(ConsistencyExport).task_info
    chinese = _wants_chinese(call.headers)
    lines: list[Sequence[Cell]] = [_CHINESE if chinese else _ENGLISH]
    for item in items:  # a task at a time, so that others are served in between
        lines += await call.services.ledger.read(partial(_lines, call=call, item=item, chinese=chinese))
        if len(lines) > MAX_LINES:
            raise ApiError("SMS.9001", f"the file would have more than {MAX_LINES} lines", params=("task_info",))
        await asyncio.sleep(0)
    await call.services.ledger.write(lambda tx: _note(tx, call, items))
    media = preferred(call.headers, (XLSX, CSV))
    if media == CSV:
        content = await asyncio.to_thread(csv_file, lines)
    else:
        content = await asyncio.to_thread(xlsx_file, "一致性校验结果" if chinese else "Consistency results", lines)
    name = f'attachment; filename="consistency-results.{_ENDINGS[media]}"'
    kind = f"{CSV}; charset=utf-8" if media == CSV else media
    return Answer(content, content_type=kind, headers={"content-disposition": name, "vary": "accept, x-language"})


def _note(tx: Transaction, call: Call, items: Sequence[ExportItem]) -> None:
    for item in items:
        call.record(tx, item.task_id or item.source_id or "")


def _lines(connection: Connection, *, call: Call, item: ExportItem, chinese: bool) -> list[Sequence[Cell]]:
    task = _task_of(connection, call, item)
    source = sources.find_many(connection, call.account_id, [task.source_id])[task.source_id]
    lines: list[Sequence[Cell]] = []
    for row in consistency.of_task(connection, task.id):
        lines += _lines_of_report(row, task, source, chinese=chinese)
    return lines


def _lines_of_report(row: ConsistencyRow, task: TaskRow, source: SourceRow, *, chinese: bool) -> list[Sequence[Cell]]:
    folders = convert(row.document, list[FolderConsistency])
    finished = datetime.fromtimestamp(row.finished_time / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    whose = (source.name, source.id, task.name, task.id, finished)
    return [
        (
            *whose,
            _RESULTS[chinese][is_equal(folder)],
            folder.dir_check,
            folder.num_total_files,
            folder.num_different_files,
            folder.num_target_miss_files,
            folder.num_target_more_files,
        )
        for folder in folders
    ]


def _task_of(connection: Connection, call: Call, item: ExportItem) -> TaskRow:
    """Return the task that *item* means: by its own id, or as the one that its source has."""
    task_id = item.task_id
    if not task_id and item.source_id:
        current = tasks.of_source(connection, item.source_id)
        if current is None:
            raise ApiError("SMS.7703", status=404)
        task_id = current.id
    if not task_id:
        raise ApiError("SMS.9001", "task_info: neither task_id nor source_id", params=("task_info",))
    task = task_of(connection, call, task_id)
    if item.source_id and item.source_id != task.source_id:
        raise ApiError("SMS.9001", f"source_id: task {task.id} is another's", params=("task_info.source_id",))
    return task


def _wants_chinese(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    return any(name == b"x-language" and value.strip().lower().startswith(b"zh") for name, value in headers)
