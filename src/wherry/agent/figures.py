"""The figures of a task's replication, kept on disk so that a restarted agent goes on counting.

``<state>/tasks/<task id>.json`` is written durably at the end of each pass. It also holds the source's half of a proof
from the frozen pass's commit until the control plane has signed it: an agent that dies in between hands the same half
in again instead of freezing the server anew. ``<task id>.running.json`` follows a pass while it runs, without waiting
for the disk, which would slow the server down: it outlives a killed agent, and may be lost with the machine.
"""

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from wherry.client.errors import StateUnreadable
from wherry.contract.enumerations import ReplicationPhase
from wherry.contract.wherry import ForecastFigures, PassFigures, ProofHalf, ReplicationFigures
from wherry.durable import write_file
from wherry.replication.sending import Commit, PassReport
from wherry.replication.sending import PassFigures as Running

log = structlog.get_logger(__name__)

KEPT_PASSES = 100
"""How many passes are listed one by one: the first and the newest ones. The totals hold them all."""

_LONGEST = 1024
"""Of a text of the figures, in characters."""

_replace = msgspec.structs.replace


class Notes(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent remembers of a task.

    *open_pass*: what was done for the pass that isn't committed yet. *disks*: by which keys the task knows its disks,
    in the order of their indexes; what was given a place keeps it.
    """

    figures: ReplicationFigures
    disks: tuple[str, ...] = ()
    open_pass: PassFigures | None = None
    half: ProofHalf | None = None


class FiguresBook:
    """The figures of one task. Safe for many threads."""

    def __init__(self, state: Path, task_id: str) -> None:
        """Read what an earlier agent noted. Raises StateUnreadable."""
        self._path, self._running_path = _paths(state, task_id)
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        self._lock = threading.Lock()
        self._notes = self._load()
        self._before = self._notes

    def _load(self) -> Notes:
        try:
            notes = msgspec.json.decode(self._path.read_bytes(), type=Notes)
        except FileNotFoundError:
            notes = Notes(figures=ReplicationFigures(phase=ReplicationPhase.CONNECTING))
        except (OSError, msgspec.MsgspecError) as error:
            raise StateUnreadable(path=self._path, reason=str(error)) from error
        try:
            running = msgspec.json.decode(self._running_path.read_bytes(), type=Notes)
        except (OSError, msgspec.MsgspecError):  # there's none, or the machine crashed while it was written
            return notes
        newer = running.figures.read_bytes > notes.figures.read_bytes
        return _replace(running, half=notes.half, disks=notes.disks) if newer else notes

    def save(self) -> None:
        """Keep the notes durably.

        A disk that refuses is told to the log only: it's no reason to stop moving the server.
        """
        with self._lock:
            notes = self._notes
        try:
            write_file(self._path, msgspec.json.encode(notes), mode=0o600)
            self._running_path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("figures_not_kept", path=str(self._path), reason=str(error))

    def jot(self) -> None:
        """Keep the notes so that they outlive this process, without waiting for the disk."""
        with self._lock:
            notes = self._notes
        temporary = self._running_path.with_suffix(".new")
        with contextlib.suppress(OSError):  # see `save`
            temporary.write_bytes(msgspec.json.encode(notes))
            temporary.replace(self._running_path)

    @property
    def figures(self) -> ReplicationFigures:
        """The figures as of now."""
        return self._notes.figures

    @property
    def half(self) -> ProofHalf | None:
        """The half that waits to be signed."""
        return self._notes.half

    @property
    def disks(self) -> Sequence[str]:
        """By which keys the task knows its disks, in the order of their indexes."""
        return self._notes.disks

    def note_disks(self, keys: Sequence[str]) -> None:
        """Give the disks their places, for good; durable on return."""
        if tuple(keys) == self._notes.disks:
            return
        with self._lock:
            self._notes = self._before = _replace(self._notes, disks=tuple(keys))
        self.save()

    def enter(self, phase: ReplicationPhase) -> None:
        """Go over to *phase*."""
        with self._lock:
            self._note(_replace(self._notes.figures, phase=phase))

    def measure(self, disk_bytes: int, used_bytes: int) -> None:
        """Note how large the disks are and how much of them is in use."""
        with self._lock:
            self._note(_replace(self._notes.figures, disk_bytes=disk_bytes, used_bytes=used_bytes))

    def track(self, words: str) -> None:
        """Note by which channels changes are tracked, or why they aren't."""
        with self._lock:
            self._note(_replace(self._notes.figures, tracking=words[:_LONGEST]))

    def foresee(self, forecast: ForecastFigures | None) -> None:
        """Note what is expected of the passes to come."""
        with self._lock:
            self._note(_replace(self._notes.figures, forecast=forecast))

    def begin_pass(self, number: int, scan_reason: str = "") -> None:
        """Count what follows for pass *number*, in addition to what an interrupted try has done for it already.

        *scan_reason*: why a disk is read as a whole; "" when none is. It's said of a pass of which any try was such.
        """
        with self._lock:
            open_pass = self._notes.open_pass
            if open_pass is None or open_pass.number != number:
                open_pass = PassFigures(number=number)
            if scan_reason:
                open_pass = _replace(open_pass, scan=True, scan_reason=scan_reason[:_LONGEST])
            self._notes = _replace(
                self._notes, figures=_replace(self._notes.figures, pass_number=number), open_pass=open_pass
            )
            self._before = self._notes

    def count(self, running: Running) -> None:
        """Add what the running try of the pass has done so far to what stood before it began."""
        with self._lock:
            before, was = self._before.figures, self._before.open_pass or PassFigures(number=running.number)
            figures = _replace(
                self._notes.figures,
                read_bytes=before.read_bytes + running.read_bytes,
                changed_bytes=before.changed_bytes + running.changed_bytes,
                sent_bytes=before.sent_bytes + running.sent_bytes,
                wire_bytes=before.wire_bytes + running.wire_bytes,
                resent_bytes=before.resent_bytes + running.resent_bytes,
                remaining_bytes=running.remaining_bytes,
                rate_mbit=round(running.rate_mbit, 3),
                bottleneck=running.bottleneck,
            )
            open_pass = _replace(
                was,
                read_bytes=was.read_bytes + running.read_bytes,
                changed_bytes=was.changed_bytes + running.changed_bytes,
                sent_bytes=was.sent_bytes + running.sent_bytes,
                resent_bytes=was.resent_bytes + running.resent_bytes,
                patched_bytes=was.patched_bytes + running.patched_bytes,
                unfit_bytes=was.unfit_bytes + running.unfit_bytes,
                seconds=round(was.seconds + running.seconds, 3),
            )
            self._notes = _replace(self._notes, figures=figures, open_pass=open_pass)

    def end_pass(self, report: PassReport, commit: Commit, *, consistent: bool) -> None:
        """Close the books of a committed pass and keep them durably."""
        self.count(report.figures)
        with self._lock:
            counted = self._notes.open_pass or PassFigures(number=commit.checkpoint)
            # What the agent forgot that it sent, since it was restarted, the receiver knows.
            forgotten = max(0, commit.repeated_bytes - counted.resent_bytes)
            done = _replace(counted, resent_bytes=counted.resent_bytes + forgotten, consistent=consistent)
            figures = _replace(
                self._notes.figures,
                resent_bytes=self._notes.figures.resent_bytes + forgotten,
                passes=_bounded([*self._notes.figures.passes, done]),
                checkpoint=commit.checkpoint,
                remaining_bytes=0,
            )
            self._notes = self._before = _replace(self._notes, figures=figures, open_pass=None)
        self.save()

    def thawed(self, frozen_ms: float, *, expired: bool) -> None:
        """Note how long the server was frozen; the longest freeze counts."""
        with self._lock:
            figures = self._notes.figures
            self._note(
                _replace(
                    figures,
                    frozen_ms=max(figures.frozen_ms, round(frozen_ms, 3)),
                    watchdog_fired=figures.watchdog_fired or expired,
                )
            )

    def hold(self, half: ProofHalf | None) -> None:
        """Keep the source's *half* until it's signed, or drop it (None); durable on return."""
        with self._lock:
            self._notes = _replace(self._notes, half=half)
        self.save()

    def give_up(self) -> None:
        """Drop the half that is held, if there's one: its task was stopped, and its server goes on."""
        if self.half is not None:
            self.hold(None)

    def _note(self, figures: ReplicationFigures) -> None:
        self._notes = _replace(self._notes, figures=figures)


def forget_figures(state: Path, task_id: str) -> None:
    """Remove what is noted of a task that is gone, readable or not; a disk that refuses is told to the log only."""
    for path in (*_paths(state, task_id), *sorted(tables_folder(state, task_id).glob("*"))):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("figures_not_removed", path=str(path), reason=str(error))
    with contextlib.suppress(OSError):
        tables_folder(state, task_id).rmdir()


def tables_folder(state: Path, task_id: str) -> Path:
    """Return where the digests of what was read of a task's disks are kept."""
    return state / "tasks" / f"{task_id}.digests"


def _paths(state: Path, task_id: str) -> tuple[Path, Path]:
    """Return the file of the notes and the one that follows a running pass."""
    folder = state / "tasks"
    return folder / f"{task_id}.json", folder / f"{task_id}.running.json"


def _bounded(passes: list[PassFigures]) -> list[PassFigures]:
    """Leave out passes after the first, so that weeks of synchronising don't let the document grow."""
    return passes if len(passes) <= KEPT_PASSES else [passes[0], *passes[1 - KEPT_PASSES :]]
