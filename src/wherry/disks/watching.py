"""The near end of the watchdog: starting it, telling it what is frozen, hearing whether it had to thaw."""

import contextlib
import os
import select
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from wherry.disks import watchdog
from wherry.disks.watchdog import MESSAGE
from wherry.errors import WherryError
from wherry.interpreter import this_interpreter

_START_TIMEOUT_S = 20.0
_END_TIMEOUT_S = 10.0


class WatchdogFailed(WherryError):
    """The watchdog isn't there, so nothing stays frozen."""

    code = "WHERRY.1031"
    template = "The watchdog of the freeze failed: {reason}."
    default_cause = "The machine is overloaded, or somebody ended the process."
    default_fix = "Look at the memory and load of the server; the freeze is tried again."


class Watch:
    """A running watchdog process. Raises WatchdogFailed when it can't be started."""

    def __init__(self, descriptors: Sequence[int], note: Path | None = None) -> None:
        """*note*: the file that it removes when it had to thaw and nobody else is left."""
        self.fired = False
        """Whether it has thawed, or was about to when last heard."""
        self.thawed_at: float | None = None
        """When it had thawed the last one, as a time of CLOCK_MONOTONIC."""
        self.lost = False
        """Whether it ended before it was told to."""
        self._heard: set[bytes] = set()
        their_input, self._to = os.pipe2(os.O_CLOEXEC)
        self._from, their_output = os.pipe2(os.O_CLOEXEC)
        try:
            self._process = _start(descriptors, their_input, their_output, note)
        except OSError as error:
            self._close()
            raise WatchdogFailed(reason=error.strerror) from error
        finally:
            os.close(their_input)
            os.close(their_output)
        try:
            self._expect(watchdog.READY, _START_TIMEOUT_S)
        except WatchdogFailed:
            self.end()
            raise

    def arm(self, deadline: float) -> None:
        """Let it thaw at *deadline*, a time of CLOCK_MONOTONIC. When this returns, it will."""
        self._tell(watchdog.ARM, deadline)
        self._expect(watchdog.ARMED, deadline - time.monotonic())

    def freezing(self, descriptor: int) -> None:
        """Tell it that the filesystem is about to be frozen."""
        self._tell(watchdog.FREEZING, descriptor)

    def frozen(self) -> None:
        """Tell it that all filesystems are frozen."""
        self._tell(watchdog.FROZEN, 0.0)

    def refused(self, descriptor: int) -> None:
        """Tell it that the filesystem wasn't frozen."""
        self._tell(watchdog.REFUSED, descriptor)

    def is_quiet(self) -> bool:
        """Return whether it has neither thawed nor ended until now."""
        self._hear(0.0)
        return not self.fired and not self.lost

    def end(self) -> None:
        """Tell it that all is thawed, hear its last words and wait for its end."""
        if self._process.returncode is not None:
            return
        with contextlib.suppress(OSError):
            os.write(self._to, MESSAGE.pack(watchdog.DONE, 0.0))
        was_lost = self.lost
        until = time.monotonic() + _END_TIMEOUT_S
        while not self.lost and time.monotonic() < until:
            self._hear(until - time.monotonic())
        if not self.lost:
            self._process.kill()
        self.lost = was_lost
        self._process.wait()
        self._close()

    def _close(self) -> None:
        os.close(self._to)
        os.close(self._from)

    def _tell(self, kind: bytes, number: float) -> None:
        try:
            os.write(self._to, MESSAGE.pack(kind, number))
        except OSError as error:
            self.lost = True
            raise WatchdogFailed(reason="it ended") from error

    def _expect(self, kind: bytes, timeout_s: float) -> None:
        """Wait until it says *kind*. Raises WatchdogFailed when it doesn't in time."""
        until = time.monotonic() + timeout_s
        while kind not in self._heard:
            left_s = until - time.monotonic()
            if self.lost or left_s <= 0:
                raise WatchdogFailed(reason="it ended" if self.lost else f"no answer within {timeout_s:.3f} s")
            self._hear(left_s)

    def _hear(self, timeout_s: float) -> None:
        """Take in what it has said, and when that's nothing, what it says first within *timeout_s*."""
        waiting = select.poll()
        waiting.register(self._from, select.POLLIN)
        while not self.lost and waiting.poll(timeout_s * 1000):
            message = os.read(self._from, MESSAGE.size)
            if len(message) < MESSAGE.size:
                self.lost = True
                return
            kind, number = MESSAGE.unpack(message)
            self._heard.add(kind)
            self.fired |= kind == watchdog.FIRED
            if kind == watchdog.THAWED:
                self.thawed_at = max(number, self.thawed_at or 0.0)
            timeout_s = 0.0


def _start(
    descriptors: Sequence[int], standard_input: int, standard_output: int, note: Path | None
) -> "subprocess.Popen[bytes]":
    # By its file and without site packages, so that little is loaded. Not through wherry.process, which runs programs
    # to their end. Its standard error must not lead to a log on a filesystem that is going to be frozen.
    python = this_interpreter()
    return subprocess.Popen(
        [*python.command, "-I", "-S", watchdog.__file__, *([] if note is None else [note])],
        stdin=standard_input,
        stdout=standard_output,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
        pass_fds=(*descriptors, *python.descriptors),
    )
