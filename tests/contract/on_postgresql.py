"""Run the contract tests against a PostgreSQL server of their own: ``python -m tests.contract.on_postgresql``.

Once with one process and once with two workers on one socket; further arguments are pytest's. A server is made for
each and leaves nothing behind.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.contract import database
from tests.system.postgresql_cluster import running_cluster

_HERE = Path(__file__).parent
_WORKERS = (1, 2)


def main(arguments: Sequence[str]) -> int:
    """Return the worst of pytest's exit statuses."""
    worst = 0
    for workers in _WORKERS:
        sys.stdout.write(f"Contract tests on PostgreSQL, workers: {workers}\n")
        sys.stdout.flush()
        # A cluster for each: with --basetemp both runs would find the same folders, and by them the same databases.
        with running_cluster() as cluster:
            environment = {
                **os.environ,
                database.VARIABLE: cluster.url("postgres"),
                database.WORKERS_VARIABLE: str(workers),
            }
            command = [sys.executable, "-m", "pytest", "-q", str(_HERE), *arguments]
            worst = max(worst, subprocess.run(command, env=environment, check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
