"""The process that thaws the filesystems when nobody else does: `python -m wherry.disks.watchdog`.

It's started by `wherry.disks.freezing` and inherits the open mount points. It thaws when the limit passes, when the
process that froze them ends (its end of the pipe closes), and when it's told to end itself. It imports nothing but the
standard library, locks itself into memory and writes to pipes only: while it works the root filesystem may be frozen.

A freeze waits for three of the kernel's RCU grace periods, some 10 ms each, with the writers waiting already. From ARM
to FROZEN, or to its own end, it has the kernel hurry with them, which takes a tenth of that.

It's told on standard input, in messages of nine bytes (a letter and a number), and answers on standard output in the
same form. Sources: ioctl numbers from Linux include/uapi/linux/fs.h; freeze_super in fs/super.c; mlockall(2), sched(7);
rcu_expedited in Documentation/admin-guide/kernel-parameters.txt.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import select
import signal
import struct
import sys
import threading
import time
from pathlib import Path

FIFREEZE = 0xC0045877
FITHAW = 0xC0045878

MESSAGE = struct.Struct("=cd")

# What it's told:
ARM = b"A"
"""Number: the limit, as a time of CLOCK_MONOTONIC."""
FREEZING = b"F"
"""Number: the descriptor that is frozen from now on, or may be."""
FROZEN = b"Z"
"""All that will be frozen are."""
REFUSED = b"R"
"""Number: the descriptor that wasn't frozen after all, but perhaps by somebody else."""
DONE = b"D"
"""Everything is thawed."""

# What it answers:
READY = b"r"
ARMED = b"a"
FIRED = b"f"
"""Written before the first thaw, so that whoever finds no FIRED knows that all he did before was done frozen."""
THAWED = b"t"
"""Number: when it had thawed one of the filesystems, as a time of CLOCK_MONOTONIC."""

_HURRY = Path("/sys/kernel/rcu_expedited")
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
_PRIORITY = 50
_STACK_SIZE = 256 << 10
"""Of each thread, in bytes: all of it is locked into memory."""
_AGAIN_S = 0.02
"""Once it has fired it thaws over and over until it's told DONE, since a freeze may still be on its way."""


def lock_memory(*, whole: bool = True) -> bool:
    """Keep the memory of this process, now and later, from being paged out. Returns whether the kernel allowed it.

    With *whole* all that is mapped is brought in at once; otherwise a page is kept from its first use on. Frozen
    filesystems can still be read, so such a first use waits for no thaw.
    """
    return bool(ctypes.CDLL(None).mlockall(_MCL_CURRENT | _MCL_FUTURE | (0 if whole else _MCL_ONFAULT)) == 0)


def unlock_memory() -> None:
    """Undo `lock_memory`."""
    ctypes.CDLL(None).munlockall()


def thaw(descriptor: int) -> bool:
    """Thaw a filesystem and return whether it was frozen. Raises OSError where the kernel can't."""
    try:
        fcntl.ioctl(descriptor, FITHAW, 0)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return False
        raise
    return True


class Hurry:
    """Whether the kernel hurries with its grace periods. Where it can't be told, it's left as it is."""

    def __init__(self) -> None:
        self._before = b""

    def begin(self) -> None:
        """Have it hurry."""
        with contextlib.suppress(OSError):
            before = _HURRY.read_bytes()
            _HURRY.write_bytes(b"1")
            self._before = self._before or before

    def end(self) -> None:
        """Leave it as it was found."""
        if self._before:
            with contextlib.suppress(OSError):
                _HURRY.write_bytes(self._before)
            self._before = b""


class Watchdog:
    """The state of the process: until when it waits, and what is frozen."""

    def __init__(self, note: str = "") -> None:
        """*note*: the file that says what is frozen, see `wherry.disks.freezenote`; "" for none."""
        self._note = note
        self.deadline: float | None = None
        self.frozen: list[int] = []
        self.fired = False
        self.done = False
        self._hurry = Hurry()
        self._thawing: dict[int, threading.Thread] = {}
        # Every signal writes a byte here: it has to end the waiting, and may come just before it begins.
        self._signalled, signal_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(signal_end)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda _number, _frame: None)

    def run(self) -> None:
        """Wait for the end of the freeze; thaw when it doesn't come."""
        os.set_blocking(0, False)
        waiting = select.poll()
        waiting.register(0, select.POLLIN)
        waiting.register(self._signalled, select.POLLIN)
        _say(READY, 0.0)
        while not self.done:
            ready = dict(waiting.poll(self._timeout_ms()))
            if self._signalled in ready:
                # Who ends us ends the whole service, most likely: nothing may stay frozen.
                os.read(self._signalled, 64)
                self.deadline = time.monotonic()
            self._listen()
            if self.deadline is not None and time.monotonic() >= self.deadline:
                self.fire()
        if self.frozen:
            self._thaw_alone()
        self._hurry.end()

    def _timeout_ms(self) -> float | None:
        if self.deadline is None:
            return None
        left_s = _AGAIN_S if self.fired else max(0.0, self.deadline - time.monotonic())
        return left_s * 1000

    def _listen(self) -> None:
        """Take in all messages that wait. The end of the input means that the other process is gone."""
        while not self.done:
            try:
                message = os.read(0, MESSAGE.size)
            except BlockingIOError:
                return
            if len(message) < MESSAGE.size:
                self.done = True
                return
            kind, number = MESSAGE.unpack(message)
            self._take(kind, number)

    def _take(self, kind: bytes, number: float) -> None:
        if kind == ARM:
            self.deadline = number
            self._hurry.begin()
            _say(ARMED, number)
        elif kind == FREEZING:
            self.frozen.append(int(number))
        elif kind == FROZEN:
            self._hurry.end()
        elif kind == REFUSED:
            self.frozen.remove(int(number))
        elif kind == DONE:
            self.frozen.clear()
            self.done = True

    def _thaw_alone(self) -> None:
        """Nobody else is left to thaw, nor to remove the note of what was frozen."""
        self.fire()
        for thread in self._thawing.values():
            thread.join()
        if self._note:
            with contextlib.suppress(OSError):
                os.unlink(self._note)  # noqa: PTH108 - nothing is made anew here

    def fire(self) -> None:
        """Thaw all that may be frozen; say so before the first time.

        All at once, each in a thread of its own: a filesystem may hang in the middle of being frozen because it waits
        for another one to be thawed, and one that lies in a file on another can be thawed only after that one.
        """
        if not self.fired:
            self.fired = True
            _say(FIRED, time.monotonic())
        self._thawing = {number: thread for number, thread in self._thawing.items() if thread.is_alive()}
        for descriptor in self.frozen:
            if descriptor not in self._thawing:
                self._thawing[descriptor] = threading.Thread(target=_thaw_and_say, args=(descriptor,))
                self._thawing[descriptor].start()


def _thaw_and_say(descriptor: int) -> None:
    # A device may have gone away; the others still need us.
    with contextlib.suppress(OSError):
        if thaw(descriptor):
            _say(THAWED, time.monotonic())


def _say(kind: bytes, number: float) -> None:
    # Nobody may be left who reads; that's no reason not to thaw.
    with contextlib.suppress(OSError):
        os.write(1, MESSAGE.pack(kind, number))


def _harden() -> None:
    """Make this process one that runs when others can't. What the kernel doesn't allow is done without."""
    threading.stack_size(_STACK_SIZE)
    lock_memory()
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("-1000")
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))


def main() -> int:
    """Run the watchdog. The descriptors are inherited and named by messages; an argument names the note."""
    watchdog = Watchdog(*sys.argv[1:])
    _harden()
    watchdog.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
