"""What stands in the database of a server of the tests, read without Wherry."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.contract import database

Result = tuple[str, str, Any]
Move = tuple[str, str, str]


def command_results(data: Path) -> Mapping[str, Sequence[Result]]:
    """Return name, result and detail of every result that agents reported, by source, the oldest first."""
    found: dict[str, list[Result]] = defaultdict(list)
    query = "SELECT source_id, command_name, result, result_detail FROM command_result ORDER BY sequence"
    for source_id, name, result, detail in database.rows(data, query):
        found[source_id].append((name, result, json.loads(detail)))
    return found


def state_changes(data: Path) -> Mapping[str, Sequence[Move]]:
    """Return (entity, from, to) of every change of sources and of their tasks, by source, the oldest first."""
    found: dict[str, list[Move]] = defaultdict(list)
    query = "SELECT source_id, entity, from_state, to_state FROM state_change ORDER BY sequence"
    for source_id, entity, old, new in database.rows(data, query):
        found[source_id].append((entity, old, new))
    return found
