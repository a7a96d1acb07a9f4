"""What stands in the database of a server of the tests, read without Wherry."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any


def command_results(data: Path, source_id: str) -> list[tuple[str, str, Any]]:
    """Return name, result and detail of every result that a source's agent reported, the oldest first."""
    (path,) = data.glob("*.sqlite3")
    query = "SELECT command_name, result, result_detail FROM command_result WHERE source_id = ? ORDER BY sequence"
    with closing(sqlite3.connect(path)) as database:
        return [(name, result, json.loads(detail)) for name, result, detail in database.execute(query, (source_id,))]
