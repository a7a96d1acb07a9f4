"""Results of consistency checks: counts of files by folder.

ShowConsistencyResult's items are objects here. One client (the vendor's Go SDK) wants each as a text that holds JSON;
`ConsistencyTexts` is that form.
"""

from typing import Annotated

from msgspec import Meta

from wherry.contract.values import MAX_ITEMS, LongText, PathId, Text, Wire

FileCount = Annotated[int, Meta(ge=0, le=1000000)]


class FolderConsistency(Wire, frozen=True, kw_only=True):
    """How one folder compares."""

    dir_check: LongText
    num_total_files: FileCount
    num_different_files: FileCount
    num_target_miss_files: FileCount
    num_target_more_files: FileCount


class ConsistencyReport(Wire, frozen=True, kw_only=True):
    """Body of UpdateConsistencyResult; each report adds a result."""

    consistency_result: Annotated[list[FolderConsistency], Meta(max_length=MAX_ITEMS)] | None = None


class ConsistencyEntry(Wire, frozen=True, kw_only=True):
    """One report as it's read back. `check_result` is true when no folder differs."""

    finished_time: int
    check_result: bool
    consistency_result: list[FolderConsistency]


class ConsistencyResults(Wire, frozen=True, kw_only=True):
    """Answer of ShowConsistencyResult."""

    task_id: str
    result_list: list[ConsistencyEntry]


class ConsistencyTexts(Wire, frozen=True, kw_only=True):
    """Answer of ShowConsistencyResult for the client that wants texts."""

    task_id: str
    result_list: list[str]


class ExportItem(Wire, frozen=True, kw_only=True):
    """A task whose results are exported."""

    task_id: PathId | None = None
    source_id: Text | None = None
    source_name: Text | None = None


class ConsistencyExport(Wire, frozen=True, kw_only=True):
    """Body of ExportConsistencyResults."""

    task_info: Annotated[list[ExportItem], Meta(min_length=1, max_length=200)]
