"""Who has a replica: one process by a lock on its directory, and in it one session at a time, the latest one."""

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from wherry.replication.errors import ReplicaBusy, StorageFailed

_TAKEOVER_S: Final = 60.0


class DirectoryLock:
    """The lock on a replica's directory, which is made where it's missing. The kernel frees it when the process dies.

    Raises ReplicaBusy when another process has it, StorageFailed when the directory can't be made.
    """

    def __init__(self, directory: Path) -> None:
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageFailed.of(directory, error) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.release()
            raise ReplicaBusy(directory=directory, reason="another receiver holds it") from error

    def release(self) -> None:
        """Let the directory go; may be called again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Turn:
    """The turn of sessions on a replica: whoever comes asks the one before to leave, and waits until it has."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._changed = threading.Condition()
        self._holder: Callable[[], None] | None = None
        self._closed = False

    @contextlib.contextmanager
    def taken(self, shut: Callable[[], None]) -> Iterator[None]:
        """Have the turn. *shut* is called by another thread when somebody else wants it; then leave soon.

        Raises ReplicaBusy when the one before doesn't leave, or nobody is wanted any more.
        """
        with self._changed:
            self._oust()
            if self._closed:
                raise ReplicaBusy(directory=self._directory, reason="the receiver is closing it")
            self._holder = shut
        try:
            yield
        finally:
            self._free()

    @contextlib.contextmanager
    def taken_if_idle(self) -> Iterator[bool]:
        """Have the turn if nobody has it; yield whether that is so. Whoever comes meanwhile waits."""
        with self._changed:
            idle = self._holder is None and not self._closed
            if idle:
                self._holder = _leave_be
        try:
            yield idle
        finally:
            if idle:
                self._free()

    def _free(self) -> None:
        with self._changed:
            self._holder = None
            self._changed.notify_all()

    def close(self) -> None:
        """Let nobody in any more, and wait until the one who is there has left. Raises ReplicaBusy when it doesn't."""
        with self._changed:
            self._closed = True
            self._oust()

    @property
    def is_taken(self) -> bool:
        """True while somebody has the turn."""
        return self._holder is not None

    def _oust(self) -> None:
        deadline = time.monotonic() + _TAKEOVER_S
        while self._holder is not None:
            self._holder()
            if time.monotonic() > deadline:
                raise ReplicaBusy(directory=self._directory, reason="an earlier session doesn't end")
            self._changed.wait(0.5)


def _leave_be() -> None:
    """Shut nothing: who has the turn without a session leaves by himself."""
