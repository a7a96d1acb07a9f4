"""A virtual machine that runs: a QEMU with a folder of its own, told what to do over QMP.

The folder holds the monitor's socket, the console's text, what came out of each port, QEMU's own words and its
process id, so that whoever knows the folder can find the machine again. QEMU works in a folder below it, the only place
where it can write by itself.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import weakref
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from wherry.boot.machine import cage
from wherry.boot.machine.accelerator import QEMU
from wherry.boot.machine.errors import MachineGone, MachineNotStarted, MonitorRefused
from wherry.boot.machine.handing import CONSOLE_LOG, CONSOLE_SOCKET, MONITOR_SOCKET, Opened, opened
from wherry.boot.machine.hardware import UEFI_VARIABLES, MachineSpec, describe, filled_in, port_file, reaches_out
from wherry.boot.machine.monitor import order
from wherry.boot.machine.picture import png_from_ppm
from wherry.boot.machine.scope import limits
from wherry.boot.machine.typing_line import type_line
from wherry.boot.machine.users import groups_for
from wherry.process import ProgramMissing

log = structlog.get_logger(__name__)

QEMU_LOG: Final = "qemu.log"
QUIT_S: Final = 20.0
"""How long QEMU may take to end when it's told to, in seconds; it's killed then."""

MOST_TEXT: Final = 16 << 20
"""How much of a console's text is kept, in bytes; of more, the last half stays."""

MOST_WORDS: Final = 1 << 20
"""How much of QEMU's own words is kept, in bytes."""
_WORKPLACE: Final = "run"
_SCREEN: Final = "screen.ppm"
_MOST_SCREEN: Final = 256 << 20

_STARTED: Final[set["subprocess.Popen[bytes]"]] = set()
"""QEMUs that were started by this process and not yet waited for, so that none stays a zombie for long."""


class _Process:
    """A QEMU by its descriptor, which stands for no other process even when the number is given out again."""

    def __init__(self, pid: int) -> None:
        """Raises ProcessLookupError (an OSError) where there's no such process."""
        self._descriptor = os.pidfd_open(pid)
        self._release = weakref.finalize(self, os.close, self._descriptor)

    def ended(self, wait_s: float) -> bool:
        """Whether it ended, after waiting for that up to *wait_s* seconds."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(round(wait_s * 1000)))

    def kill(self) -> None:
        """End it at once; it may have ended already."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)


class Machine:
    """A running virtual machine. As a context manager it's killed at the end."""

    def __init__(self, name: str, folder: Path, process: _Process) -> None:
        """For `start` and `find`."""
        self.name = name
        self.folder = folder
        self._process = process

    @classmethod
    def start(cls, spec: MachineSpec, folder: Path, *, with_owner: bool) -> Self:
        """Start a machine in *folder*, which is made; after an earlier machine's there, its console's text goes on.

        *with_owner*: the machine is killed when the thread that calls this ends, even by SIGKILL to the whole
        process. Without, it goes on, to be found by `find`. Raises MachineNotStarted, BridgeMissing, ProgramMissing,
        OSError.
        """
        program = shutil.which(QEMU)
        if program is None:
            raise ProgramMissing(program=QEMU)
        _furnish(spec, folder)
        description = describe(spec)
        try:
            (folder / QEMU_LOG).unlink(missing_ok=True)
            # Appended to, so that it can be emptied meanwhile.
            with opened(description, folder) as handed, (folder / QEMU_LOG).open("ab") as words:
                arguments = filled_in(description.arguments, handed.descriptors)
                process = _launch(
                    _caged(spec, [program, *arguments], handed, with_owner=with_owner), folder, handed, words.fileno()
                )
        except FileNotFoundError as error:
            raise MachineNotStarted(name=spec.name, reason=f"{error.strerror}: {error.filename}") from error
        machine = cls(spec.name, folder, process)
        log.info("machine_started", machine=spec.name)
        try:
            machine.order("query-status")
        except MachineGone as error:
            machine.kill()
            raise MachineNotStarted(name=spec.name, reason=_last_words(folder) or error.message) from error
        except BaseException:
            machine.kill()
            raise
        return machine

    @classmethod
    def find(cls, name: str, folder: Path) -> Self | None:
        """Return the machine that runs in *folder*, None where none does."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((folder / cage.PID_FILE).read_text())
            process = _Process(pid)
            # Asked after the descriptor was opened: so it's this process that works in the folder.
            if Path(f"/proc/{pid}/cwd").samefile(folder / _WORKPLACE) and not process.ended(0):
                return cls(name, folder, process)
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    def order(self, what: str, **arguments: object) -> object:
        """Give QEMU an order of QMP and return its answer. Raises MachineGone, MonitorRefused."""
        return order(self.name, self.folder / MONITOR_SOCKET, what, arguments)

    def status(self) -> str:
        """Return QEMU's word for the machine's state, such as running, paused, shutdown, guest-panicked.

        Raises MachineGone.
        """
        answer = self.order("query-status")
        return str(answer["status"]) if isinstance(answer, dict) else ""

    def read_operations(self) -> int:
        """Return how often the guest and its firmware have read from the disks. Raises MachineGone."""
        answer = self.order("query-blockstats")
        return sum(int(each["stats"]["rd_operations"]) for each in answer) if isinstance(answer, list) else 0

    def screenshot(self, picture: Path) -> None:
        """Write what the machine's screen shows to *picture*, as PNG. Raises MachineGone, MonitorRefused, OSError."""
        ppm = self.folder / _WORKPLACE / _SCREEN
        self.order("screendump", filename=_SCREEN)
        try:
            picture.write_bytes(png_from_ppm(_read_plain(ppm)))
        except ValueError as error:
            raise MonitorRefused(command="screendump", reason=str(error)) from error
        finally:
            ppm.unlink(missing_ok=True)

    def console(self) -> Path:
        """Return where the text of the serial console is written."""
        return self.folder / CONSOLE_LOG

    def port(self, name: str) -> Path:
        """Return where what the guest writes to the port *name* is written."""
        return self.folder / port_file(name)

    def type(self, line: str) -> None:
        """Type *line* and Return at the serial console, for whoever reads there. Raises MachineGone."""
        try:
            type_line(self.folder / CONSOLE_SOCKET, line)
        except OSError as error:
            raise MachineGone(name=self.name, reason=f"its console takes nothing ({type(error).__name__})") from error

    def ended(self, wait_s: float = 0.0) -> bool:
        """Whether QEMU ended, after waiting for that up to *wait_s* seconds."""
        return self._process.ended(wait_s)

    def stop(self) -> None:
        """Have QEMU write what it holds and end, without asking the guest; kill it when it doesn't."""
        with contextlib.suppress(MachineGone, MonitorRefused):
            self.order("quit")
            self.ended(QUIT_S)
        self.kill()

    def kill(self) -> None:
        """End the machine at once, as if its power failed. It may have ended already."""
        self._process.kill()
        self.ended(QUIT_S)
        _reap()


def trim_words(folder: Path) -> None:
    """Empty what QEMU has said in *folder* once that is long: a guest can have it complain for ever."""
    with contextlib.suppress(FileNotFoundError):
        if (folder / QEMU_LOG).stat().st_size > MOST_WORDS:
            os.truncate(folder / QEMU_LOG, 0)


def _reap() -> None:
    """Take note of the ends of QEMUs that this process has started."""
    for child in list(_STARTED):
        if child.poll() is not None:
            _STARTED.discard(child)


def _furnish(spec: MachineSpec, folder: Path) -> None:
    """Make the machine's folder, and the one that is its QEMU's own."""
    workplace = folder / _WORKPLACE
    workplace.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    if spec.user is not None:
        os.chown(workplace, spec.user, spec.user)
    if spec.uefi is not None and not (folder / UEFI_VARIABLES).exists():
        shutil.copyfile(spec.uefi.variables, folder / UEFI_VARIABLES)


def _caged(spec: MachineSpec, command: Sequence[str], handed: Opened, *, with_owner: bool) -> list[str]:
    """Return the command that starts QEMU's *command* as its user, within its limits, tied to its owner or not."""
    settings = {
        "starter": os.getpid() if with_owner else 0,
        "user": spec.user,
        "network": reaches_out(spec),
        "groups": groups_for(spec.accelerator),
        "cwd": _WORKPLACE,
        "console": (handed.text_from, handed.text_to, MOST_TEXT),
    }
    python = (sys.executable, "-I", "-S", cage.__file__)
    return [*limits(spec.name, spec.memory_mib, spec.vcpus), *python, json.dumps(settings), *command]


def _launch(arguments: Sequence[str], folder: Path, handed: Opened, words: int) -> _Process:
    _reap()
    child = subprocess.Popen(
        arguments,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=words,
        stderr=words,
        pass_fds=handed.all,
        start_new_session=True,
    )
    # Before anybody can wait for it: until then its number is its own.
    process = _Process(child.pid)
    _STARTED.add(child)
    return process


def _last_words(folder: Path) -> str:
    return (folder / QEMU_LOG).read_text(errors="replace").strip()[-500:]


def _read_plain(path: Path) -> bytes:
    """Return the content of a file in a folder that isn't ours. Raises ValueError for what is no plain file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_SCREEN:
            raise ValueError("the screen's picture is no plain file, or too large")
        return file.read(_MOST_SCREEN)
