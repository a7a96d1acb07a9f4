"""The replicas that are open: one object a task, shared by its sessions and by the proof.

A replica is opened at its first use and stays open, because its folder may be held by one process only.
"""

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path

import structlog

from wherry.receiver.drivers import Driver
from wherry.receiver.errors import ReceiverEnding
from wherry.replication.errors import ReplicaBusy
from wherry.replication.replica import Replica

log = structlog.get_logger(__name__)


class Replicas:
    """The open replicas of this receiver. Safe for many threads."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._lock = threading.Lock()
        self._opening: dict[str, threading.Lock] = {}
        self._open: dict[str, Replica] = {}
        self._closed = False

    def get(self, task_id: str) -> Replica:
        """Return the replica of *task_id*, opened or made when it's the first time.

        Opening applies what was committed before a crash, which may take a while; it holds up nobody but this task.
        Raises ReceiverEnding, what `Replica.open` raises, and OSError where the driver's place refuses the folder.
        """
        with self._lock:
            gate = self._opening.setdefault(task_id, threading.Lock())
        with gate:
            known = self._open.get(task_id)
            if known is not None:
                return known
            directory = self._driver.replica_directory(task_id)
            replica = Replica.open(
                directory, task_id, lambda index, size: self._driver.create_disk(task_id, index, size)
            )
            _sweep(directory)
            with self._lock:
                if not self._closed:
                    self._open[task_id] = replica
                    return replica
            replica.close()
            raise ReceiverEnding

    def present(self) -> Sequence[str]:
        """Return the ids of the tasks that have a replica on the medium, open or not."""
        return self._driver.replicas()

    def release(self, task_id: str) -> None:
        """Close the replica of a task that is served no more, and shut its session; the data stay."""
        with self._lock:
            replica = self._open.pop(task_id, None)
        if replica is not None:
            self._close(replica)
            log.info("replica_released", task_id=task_id)

    @staticmethod
    def _close(replica: Replica) -> None:
        try:
            replica.close()
        except ReplicaBusy as error:
            log.warning("replica_not_closed", task_id=replica.task_id, **error.facts)

    def close(self) -> None:
        """Close all of them; later calls of `get` fail."""
        with self._lock:
            self._closed = True
            replicas = list(self._open.values())
            self._open.clear()
        for replica in replicas:
            self._close(replica)


def _sweep(directory: Path) -> None:
    """Remove what a killed receiver had half written: files that were to be renamed. The replica's lock is held."""
    for path in directory.glob(".*"):
        if path.is_file():
            with contextlib.suppress(OSError):
                path.unlink()
