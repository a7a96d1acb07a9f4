"""What each command loads: nothing that only others need."""

import subprocess
import sys

import pytest

SERVER = ("wherry.server", "wherry.iam", "wherry.ledger", "sqlalchemy", "uvicorn", "alembic")
DATA_PATH = ("wherry.disks", "wherry.replication", "numpy")
PROGRAM = """
import sys
from wherry.cli.main import run
try:
    run(sys.argv[1:])
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""


def loaded_by(*words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=False, timeout=60
    )
    return set(done.stderr.split())


@pytest.mark.parametrize(
    ("words", "strangers"),
    [
        (["--help"], (*SERVER, *DATA_PATH, "httpx", "wherry.client", "wherry.agent", "wherry.receiver")),
        (["agent", "--help"], (*SERVER, "wherry.receiver", "wherry.boot")),
        (["source", "--help"], (*SERVER, *DATA_PATH, "wherry.agent", "wherry.receiver")),
        (["task", "--help"], (*SERVER, *DATA_PATH, "wherry.agent", "wherry.receiver")),
        (["profile", "list"], (*SERVER, *DATA_PATH, "wherry.agent", "wherry.receiver")),
        (["receiver", "--help"], SERVER),
    ],
)
def test_a_command_loads_nothing_of_the_others(words: list[str], strangers: tuple[str, ...]) -> None:
    loaded = loaded_by(*words)
    assert "wherry.cli.main" in loaded
    assert {name for name in loaded if name in strangers} == set()
