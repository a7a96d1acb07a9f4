"""Who notices that a filesystem is frozen: a writer that has to wait. And who ends that: the watchdogs of a process."""

import os
import threading
import time
from pathlib import Path

PLENTY_S = 20.0


class Writer:
    """Writes one file in a thread, since on a frozen filesystem it has to wait."""

    def __init__(self, mount_point: Path) -> None:
        self.finished_at = 0.0
        self._path = mount_point / "written"
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self) -> None:
        self._path.write_bytes(os.urandom(5000))
        self.finished_at = time.monotonic()

    def is_waiting(self, after_s: float = 0.2) -> bool:
        self._thread.join(after_s)
        return self._thread.is_alive()

    def finish(self) -> float:
        self._thread.join(PLENTY_S)
        assert not self._thread.is_alive(), "the writer still waits"
        return self.finished_at


def watchdogs(parent: int) -> list[int]:
    """Return the watchdog processes that the process *parent* has started and that still run."""
    children = Path(f"/proc/{parent}/task").glob("*/children")
    numbers = [int(number) for child in children for number in child.read_text().split()]
    return [number for number in numbers if b"watchdog" in Path(f"/proc/{number}/cmdline").read_bytes()]
