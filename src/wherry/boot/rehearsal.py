"""Rehearses a launch: boots an overlay in a machine that reaches nobody, watches it, and says whether it comes up.

The probe has to be in the overlay before (`boot.probe.install`). A rehearsal ends as soon as its verdict is clear.
"""

import codecs
import contextlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

import structlog

from wherry.boot.console import Console, Stage
from wherry.boot.machine.errors import MachineGone, MonitorRefused
from wherry.boot.machine.hardware import MachineSpec, Nic, UserNetwork
from wherry.boot.machine.machine import Machine
from wherry.boot.probe import MARK, PORT, CheckResult, Listener, Report
from wherry.boot.troubles import RehearsalStopped
from wherry.boot.unlocking import Unlocker
from wherry.boot.verdicts import Conclusion, Observation, Question, conclude
from wherry.contract.enumerations import Verdict

log = structlog.get_logger(__name__)

SCREENSHOT: Final = "screen.png"
LOOK_S: Final = 0.3
"""How long the rehearsal waits between two looks, in seconds."""
_ASK_S: Final = 2.0  # how often QEMU is asked
_PIECE: Final = 1 << 20
MOST_FILE: Final = 64 << 20
"""How large a console's log or a port's file may become, in bytes."""
_MOST_REPORT: Final = 8 << 20  # more isn't believed to be a report
_SHUT_OFF: Final = frozenset({"shutdown", "guest-panicked", "internal-error", "io-error"})


class Rehearsed(Protocol):
    """What a rehearsal needs of a running machine."""

    @property
    def folder(self) -> Path:
        """The machine's folder."""

    def console(self) -> Path:
        """Return where the text of the serial console is written."""

    def port(self, name: str) -> Path:
        """Return where what the guest writes to a port is written."""

    def ended(self, wait_s: float = 0.0) -> bool:
        """Whether QEMU ended, after waiting for that."""

    def status(self) -> str:
        """Return QEMU's word for the machine's state. Raises MachineGone."""

    def read_operations(self) -> int:
        """Return how often the disks were read. Raises MachineGone."""

    def type(self, line: str) -> None:
        """Type a line at the serial console. Raises MachineGone."""

    def screenshot(self, picture: Path) -> None:
        """Write what the screen shows as PNG. Raises MachineGone, MonitorRefused, OSError."""


@dataclass(frozen=True, slots=True)
class StageReached:
    """A stage by its name, and when it was reached: in seconds since the start."""

    stage: str
    after_s: float


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How a rehearsal went. Code, message, cause and fix are empty when it's passed."""

    verdict: Verdict
    code: str
    message: str
    cause: str
    fix: str
    took_s: float
    stages: tuple[StageReached, ...]
    hostname: str
    failed_units: tuple[str, ...]
    mounts: tuple[str, ...]
    checks: tuple[CheckResult, ...]
    """Those of the checks that were run."""
    console: str
    screenshot: Path | None


def rehearse(
    spec: MachineSpec, question: Question, folder: Path, stop: Callable[[], bool] = lambda: False
) -> Rehearsal:
    """Boot *spec* in *folder*, isolated, until *question* is answered or *stop* says so.

    The machine's disks are written to: they're an overlay. Its cards stay, with nobody at the other end. The machine
    is gone on return, and with the calling thread. Raises MachineNotStarted, ProgramMissing, OSError.
    """
    if folder.exists():
        shutil.rmtree(folder)  # of a rehearsal that was killed
    with Machine.start(isolated(spec), folder, with_owner=True) as machine:
        rehearsal = watch(machine, question, stop)
    log.info("rehearsed", machine=spec.name, verdict=rehearsal.verdict, code=rehearsal.code, took_s=rehearsal.took_s)
    return rehearsal


def isolated(spec: MachineSpec) -> MachineSpec:
    """Return *spec* as it's rehearsed: reaching nobody, its disks never flushed, standing still at the end."""
    nics = tuple(Nic(nic.mac, UserNetwork(isolated=True), nic.model) for nic in spec.nics)
    return replace(spec, nics=nics, ports=tuple(dict.fromkeys((*spec.ports, PORT))), disposable=True, once=True)


def watch(
    machine: Rehearsed,
    question: Question,
    stop: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> Rehearsal:
    """Watch a started machine until *question* is answered; take the picture. The machine still runs on return."""
    watcher = _Watcher(machine, clock, Unlocker(question.passphrases))
    while (conclusion := conclude(question, watcher.look())) is None:
        if stop():
            reason = RehearsalStopped(stage=watcher.console.stage.word)
            conclusion = Conclusion(Verdict.INCONCLUSIVE, reason)
            break
    return watcher.account(question, conclusion)


class _Watcher:
    """Looks at a machine again and again."""

    def __init__(self, machine: Rehearsed, clock: Callable[[], float], unlocker: Unlocker) -> None:
        self.console = Console()
        self._unlocker = unlocker
        self._heard_prompts = 0
        self._asked_since: float | None = None
        self._report = Report()
        self._machine = machine
        self._clock = clock
        self._started = clock()
        self._console_file = _Growing(machine.console())
        self._port_file = _Growing(machine.port(PORT))
        self._from_port = Listener(self._report)
        self._from_console = Listener(self._report, MARK)
        self._stages: list[StageReached] = []
        self._stage_at = self._moved_at = self._started
        self._trouble_at: float | None = None
        self._asked_at = self._started - _ASK_S
        self._reads = 0
        self._standing = ""

    def look(self) -> Observation:
        """Wait for a moment and return what is seen then."""
        ended = self._machine.ended(LOOK_S)
        now = self._clock()
        self._hear(now)
        self._listen()
        self._answer(now)
        if ended:
            self._standing = "gone"
        elif now - self._asked_at >= _ASK_S:
            self._asked_at = now
            self._ask(now)
        if self._trouble_at is None and (self.console.signs or self._report.began == "emergency"):
            self._trouble_at = now
        return Observation(
            self.console,
            self._report,
            elapsed_s=now - self._started,
            since_trouble_s=0.0 if self._trouble_at is None else now - self._trouble_at,
            since_stage_s=now - self._stage_at,
            silent_s=now - self._moved_at,
            standing=self._standing,
            asked=self._unlocker.asked,
            refused=self._unlocker.refused,
            since_asked_s=0.0 if self._asked_since is None else now - self._asked_since,
        )

    def account(self, question: Question, conclusion: Conclusion) -> Rehearsal:
        """Return all that was seen, with a picture of the screen."""
        reason, report = conclusion.reason, self._report
        results = [
            CheckResult(check.name, *report.results[number])
            for number, check in enumerate(question.checks)
            if number in report.results
        ]
        return Rehearsal(
            conclusion.verdict,
            *(("", "", "", "") if reason is None else (reason.code, reason.message, reason.cause, reason.fix)),
            took_s=round(self._clock() - self._started, 1),
            stages=tuple(self._stages),
            hostname=report.hostname,
            failed_units=report.failed_units,
            mounts=report.mounts,
            checks=tuple(results),
            console=self._unlocker.hide(self.console.text),
            screenshot=self._picture(),
        )

    def _hear(self, now: float) -> None:
        fresh = self._console_file.read()
        if not fresh:
            return
        self._moved_at = now
        before = self.console.stage
        self.console.feed(fresh)
        self._from_console.feed(fresh)
        for stage in Stage:
            if before < stage <= self.console.stage:
                self._stage_at = now
                self._stages.append(StageReached(stage.word, round(now - self._started, 1)))

    def _listen(self) -> None:
        told = self._port_file.read()
        if self._port_file.taken <= _MOST_REPORT:
            self._from_port.feed(told)

    def _answer(self, now: float) -> None:
        """Type what is asked for where it's known; of several questions at once the last counts."""
        if len(self.console.prompts) == self._heard_prompts:
            return
        self._heard_prompts = len(self.console.prompts)
        passphrase = self._unlocker.answer(self.console.prompts[-1])
        if passphrase is None:
            self._asked_since = now
            return
        self._asked_since = None
        try:
            self._machine.type(passphrase)
        except MachineGone as error:
            log.warning("machine_silent", **error.facts)

    def _ask(self, now: float) -> None:
        try:
            status, reads = self._machine.status(), self._machine.read_operations()
        except (MachineGone, MonitorRefused) as error:
            log.warning("machine_silent", **error.facts)
            return
        if reads != self._reads:
            self._reads = reads
            self._moved_at = now
        if status in _SHUT_OFF:
            self._standing = status

    def _picture(self) -> Path | None:
        picture = self._machine.folder / SCREENSHOT
        with contextlib.suppress(MachineGone, MonitorRefused, OSError):
            self._machine.screenshot(picture)
            return picture
        return None


class _Growing:
    """A file to which somebody else appends text. What grows too large is cut, so that a guest can't fill the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self.taken = 0
        """How many bytes were read in all."""
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def read(self) -> str:
        """Return what has come since the last time, "" while the file isn't there; a bounded piece in one go."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return ""
        try:
            size = os.fstat(descriptor).st_size
            self._position = min(self._position, size)  # who keeps it has cut it meanwhile
            if size > MOST_FILE:
                self._position = max(self._position, size - _PIECE)
            piece = os.pread(descriptor, _PIECE, self._position)
            self._position += len(piece)
            if size > MOST_FILE:
                os.ftruncate(descriptor, 0)  # QEMU appends: it goes on at the new end
                self._position = 0
        finally:
            os.close(descriptor)
        self.taken += len(piece)
        return self._decoder.decode(piece)
