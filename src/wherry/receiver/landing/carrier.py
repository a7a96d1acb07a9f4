"""Carries orders out, each in a folder of its own: ``<replica>/landing/<order>``.

Every step leaves a file behind when it's done, by a rename, so an order that is taken up again after a kill goes on
where it was:

- ``base.json``: the disks that stand still, see `standing`;
- ``landed/``: overlays over these, in which the system was made to boot; ``account/`` tells what was changed;
- ``result.json``: what the rehearsal came to;
- ``order.json``: that it has landed, as which one of its task: a target can be made of it.

The replica itself is never changed.
"""

import re
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec
import structlog

from wherry.boot.errors import NoSystem
from wherry.boot.overlay import make_overlay
from wherry.contract.enumerations import OrderKind, OrderStage, Verdict
from wherry.contract.landing import LandingOrder, OrderReport, RehearsalResult, TargetMachine
from wherry.durable import sync_directory, write_file
from wherry.errors import WherryError
from wherry.receiver.drivers import Driver
from wherry.receiver.drivers.qemu.servers import ServerNote
from wherry.receiver.errors import NothingLanded
from wherry.receiver.landing import standing
from wherry.receiver.landing.standing import ReplicaView
from wherry.receiver.landing.words import (
    Converter,
    OrderStopped,
    Rehearser,
    Servers,
    StandingDisks,
    Stopped,
    Tell,
    told,
)
from wherry.replication.errors import CheckpointGone

log = structlog.get_logger(__name__)

LANDING: Final = "landing"
_ORDER_ID: Final = re.compile(r"[0-9A-Za-z-]{1,36}")


MakeOverlay = Callable[[Sequence[Path], Path], Sequence[Path]]


class _Landed(msgspec.Struct, frozen=True):
    """What has landed by which order. `number`: later ones of a task have higher ones, whatever the clock said."""

    number: int
    order: LandingOrder


class Shelf(Protocol):
    """Where replicas are found."""

    def get(self, task_id: str) -> ReplicaView:
        """Return the replica of a task, opened."""


class Carrier:
    """Carries orders out, one call an order, from several threads."""

    def __init__(
        self,
        driver: Driver,
        replicas: Shelf,
        *,
        converter: Converter,
        rehearser: Rehearser,
        servers: Servers,
        overlay: MakeOverlay = make_overlay,
    ) -> None:
        """*overlay* makes empty overlays over disks, in a new folder."""
        self._overlay = overlay
        self._driver = driver
        self._replicas = replicas
        self._converter = converter
        self._rehearser = rehearser
        self._servers = servers
        self._ways: Mapping[OrderKind, Callable[[LandingOrder, str, Tell, Stopped], OrderReport | None]] = {
            OrderKind.LAND: self._land,
            OrderKind.DRILL: self._rehearse,
            OrderKind.REHEARSE: self._rehearse,
            OrderKind.CLONE: self._clone,
            OrderKind.LAUNCH: self._launch,
            OrderKind.ROLL_BACK: self._roll_back,
            OrderKind.CLEAR: self._clear,
            OrderKind.RECORD: self._record,
        }

    def carry_out(self, order: LandingOrder, task_state: str, tell: Tell, stopped: Stopped) -> OrderReport | None:
        """Do what is ordered, or the rest of it, and return the last report; None while there's no checkpoint for it.

        *task_state*: the task's as the control plane last told it. Raises OrderStopped.
        """
        try:
            return self._ways[order.kind](order, task_state, tell, stopped)
        except NoSystem as error:
            return OrderReport(stage=OrderStage.NOTHING_TO_BOOT, progress=100, note=error.message)
        except WherryError as error:
            log.warning("order_failed", order_id=order.id, task_id=order.task_id, kind=order.kind.value, **error.facts)
            found = standing.recall(self._folder(order))
            checkpoint = None if found is None else found.checkpoint
            return OrderReport(stage=OrderStage.FAILED, error=told(error), checkpoint=checkpoint)

    def drop(self, order: LandingOrder) -> None:
        """Remove what an order left behind that nobody needs: of one that was taken back, or was a mere rehearsal."""
        folder = self._folder(order)
        if any(note.landed == order.id for note in self._servers.every()):
            return
        if folder.exists():
            shutil.rmtree(folder)

    def sweep(self, wanted: Collection[str]) -> None:
        """Remove what is left of orders that aren't *wanted* any more, by their ids; what has landed stays."""
        needed = {note.landed for note in self._servers.every()} | set(wanted)
        for task_id in self._driver.replicas():
            for folder in self._landing_folder(task_id).glob("*"):
                if folder.name not in needed and not (folder / "order.json").exists():
                    shutil.rmtree(folder)

    def holds(self, task_id: str) -> bool:
        """Whether a target runs, or is to run, on the replica's own disks, so that nothing may change them."""
        for note in self._servers.every():
            if note.task_id != task_id or not self._servers.in_use(note.id):
                continue
            base = standing.recall(self._landing_folder(task_id) / note.landed)
            if base is not None and not base.own:
                return True
        return False

    def _land(self, order: LandingOrder, task_state: str, tell: Tell, stopped: Stopped) -> OrderReport | None:
        base = self._standing(order, task_state)
        if base is None:
            return None
        why = self._convert(order, base, tell, stopped)
        result = self._rehearsed(order, why, tell, stopped)
        if result.verdict is not Verdict.PASSED:
            return _ended(base, result)
        self._note_landed(order)
        return _ended(base, result, server_id=order.server_id, server_name=order.server_name)

    def _rehearse(self, order: LandingOrder, task_state: str, tell: Tell, stopped: Stopped) -> OrderReport | None:
        base = self._standing(order, task_state)
        if base is None:
            return None
        why = self._convert(order, base, tell, stopped)
        return _ended(base, self._rehearsed(order, why, tell, stopped))

    def _clone(self, order: LandingOrder, task_state: str, tell: Tell, stopped: Stopped) -> OrderReport | None:
        base = self._standing(order, task_state)
        if base is None:
            return None
        self._convert(order, base, tell, stopped)
        tell(OrderStage.LAUNCHING, 80, "the clone is started")
        self._servers.define(self._note(order, order.id, order.target))
        self._servers.launch(order.server_id)
        return OrderReport(
            stage=OrderStage.DONE,
            progress=100,
            checkpoint=base.checkpoint,
            server_id=order.server_id,
            server_name=order.server_name,
        )

    def _launch(self, order: LandingOrder, _task_state: str, tell: Tell, _stopped: Stopped) -> OrderReport:
        landed = self._landed(order, "launched")
        tell(OrderStage.LAUNCHING, 50, "the target is started")
        if not _own(landed):
            self._check_stands(order)
        # On the machine that it was made for and rehearsed on, whatever was wished since.
        machine = _read_landed(landed).order.target
        self._servers.define(self._note(order, landed.name, machine))
        self._servers.launch(order.server_id)
        self._tidy(order.task_id)
        return OrderReport(
            stage=OrderStage.DONE, progress=100, server_id=order.server_id, server_name=order.server_name
        )

    def _roll_back(self, order: LandingOrder, _task_state: str, tell: Tell, _stopped: Stopped) -> OrderReport:
        if self._servers.find(order.server_id) is None:
            raise NothingLanded(task_id=order.task_id, deed="rolled back")
        tell(OrderStage.PREPARING, 50, "the target is stopped")
        self._servers.roll_back(order.server_id)
        return OrderReport(stage=OrderStage.DONE, progress=100, server_id=order.server_id)

    def _clear(self, order: LandingOrder, _task_state: str, _tell: Tell, _stopped: Stopped) -> OrderReport:
        """Remove all that servers don't stand on: earlier landings, and the kept checkpoints of the replica."""
        needed = {note.landed for note in self._servers.every() if note.task_id == order.task_id}
        directory = self._driver.replica_directory(order.task_id)
        if not needed and (landed := self._newest_landed(order)) is not None:
            needed = {landed.name}  # it wasn't launched yet
        # Not what a rehearsal or a clone is made of at this moment: that removes itself.
        removed = [path for path in self._all_landed(order.task_id) if path.name not in needed]
        removed += directory.glob("checkpoint-*")
        for path in removed:
            shutil.rmtree(path)
        return OrderReport(stage=OrderStage.DONE, progress=100, note=f"{len(removed)} kept states were removed")

    def _record(self, order: LandingOrder, _task_state: str, _tell: Tell, _stopped: Stopped) -> OrderReport:
        if self._servers.find(order.server_id) is None:
            raise NothingLanded(task_id=order.task_id, deed="recorded")
        note = f"the target is {self._servers.status(order.server_id)}"
        recording = self._servers.record(order.server_id)
        return OrderReport(stage=OrderStage.DONE, progress=100, note=note, recording=recording)

    def _standing(self, order: LandingOrder, task_state: str) -> StandingDisks | None:
        self._servers.check(order.target)  # before anything is made
        folder = self._folder(order)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory = self._driver.replica_directory(order.task_id)
        return standing.find_standing(order, task_state, self._replicas.get(order.task_id), directory, folder)

    def _convert(self, order: LandingOrder, base: StandingDisks, tell: Tell, stopped: Stopped) -> list[str]:
        """Make overlays in which the system boots, unless they're there; return why what was changed."""
        folder = self._folder(order)
        if not (folder / "landed").exists():
            _unless_stopped(stopped)
            tell(OrderStage.PREPARING, 10, "the copy is made to boot on its target")
            fresh = folder / ".landed.new"
            for part in (fresh, folder / "account"):
                if part.exists():
                    shutil.rmtree(part)  # of a receiver that was killed
            disks = self._overlay(base.disks, fresh)
            (folder / "account").mkdir(mode=0o700)
            why = self._converter.convert(disks, base.names, order.target, folder / "account")
            _note(folder / "why.json", why)
            fresh.rename(folder / "landed")
            sync_directory(folder)
        return msgspec.json.decode((folder / "why.json").read_bytes(), type=list[str])

    def _rehearsed(self, order: LandingOrder, why: list[str], tell: Tell, stopped: Stopped) -> RehearsalResult:
        """Rehearse what was converted, unless that was done before, and return what it came to."""
        folder = self._folder(order)
        noted = folder / "result.json"
        if not noted.exists():
            _unless_stopped(stopped)
            tell(OrderStage.REHEARSING, 40, "the copy is started")
            disks = landed_disks(folder)
            result = self._rehearser.rehearse(
                disks, order, folder / "rehearsal", lambda words: tell(OrderStage.REHEARSING, 60, words), stopped
            )
            _unless_stopped(stopped)  # what was stopped has no verdict
            _note(noted, msgspec.structs.replace(result, changes=why[:500]))
        return msgspec.json.decode(noted.read_bytes(), type=RehearsalResult)

    def _note(self, order: LandingOrder, landed: str, machine: TargetMachine) -> ServerNote:
        disks = landed_disks(self._landing_folder(order.task_id) / landed)
        base = standing.recall(self._landing_folder(order.task_id) / landed)
        return ServerNote(
            id=order.server_id,
            name=order.server_name or order.server_id,
            task_id=order.task_id,
            landed=landed,
            machine=machine,
            beneath=tuple(str(disk) for disk in disks),
            sizes=() if base is None else tuple(disk.stat().st_size for disk in base.disks),
        )

    def _tidy(self, task_id: str) -> None:
        """Remove what landed before the target that was just launched, once no server stands on it."""
        needed = {note.landed for note in self._servers.every()}
        for landed in self._all_landed(task_id):
            if landed.name not in needed:
                shutil.rmtree(landed)

    def _landed(self, order: LandingOrder, deed: str) -> Path:
        """Return the folder of what has landed of the order's checkpoint. Raises NothingLanded."""
        found = self._newest_landed(order)
        if found is None:
            raise NothingLanded(task_id=order.task_id, deed=deed)
        return found

    def _newest_landed(self, order: LandingOrder) -> Path | None:
        fitting = [path for path in self._all_landed(order.task_id) if _checkpoint(path) == order.checkpoint]
        return max(fitting, key=lambda path: _read_landed(path).number, default=None)

    def _all_landed(self, task_id: str) -> Sequence[Path]:
        """Return the folders of all that has landed of the task."""
        return [path.parent for path in self._landing_folder(task_id).glob("*/order.json")]

    def _note_landed(self, order: LandingOrder) -> None:
        noted = self._folder(order) / "order.json"
        if not noted.exists():
            last = max((_read_landed(path).number for path in self._all_landed(order.task_id)), default=0)
            _note(noted, _Landed(last + 1, order))

    def _check_stands(self, order: LandingOrder) -> None:
        """Raise CheckpointGone when the replica, on whose own disks the landing is, went on since."""
        current = self._replicas.get(order.task_id).checkpoint
        if current is None or current.number != order.checkpoint:
            raise CheckpointGone(actual="none" if current is None else current.number, wanted=order.checkpoint)

    def _folder(self, order: LandingOrder) -> Path:
        if not _ORDER_ID.fullmatch(order.id):
            raise ValueError(f"not an order's id: {order.id!r}")
        return self._landing_folder(order.task_id) / order.id

    def _landing_folder(self, task_id: str) -> Path:
        return self._driver.replica_directory(task_id) / LANDING


def landed_disks(folder: Path) -> list[Path]:
    """Return the disks that were made to boot, in order, of the order in *folder*."""
    found = list((folder / "landed").glob("disk-*.qcow2"))
    return sorted(found, key=lambda disk: int(disk.stem.partition("-")[2]))


def _ended(base: StandingDisks, result: RehearsalResult, *, server_id: str = "", server_name: str = "") -> OrderReport:
    passed = result.verdict is Verdict.PASSED
    return OrderReport(
        stage=OrderStage.DONE if passed else OrderStage.FAILED,
        progress=100,
        checkpoint=base.checkpoint,
        error=None if passed else result.error,
        rehearsal=result,
        server_id=server_id,
        server_name=server_name,
    )


def _read_landed(landed: Path) -> _Landed:
    return msgspec.json.decode((landed / "order.json").read_bytes(), type=_Landed)


def _own(landed: Path) -> bool:
    base = standing.recall(landed)
    return base is None or base.own


def _checkpoint(landed: Path) -> int | None:
    base = standing.recall(landed)
    return None if base is None else base.checkpoint


def _note(path: Path, value: object) -> None:
    write_file(path, msgspec.json.encode(value), mode=0o600)


def _unless_stopped(stopped: Stopped) -> None:
    if stopped():
        raise OrderStopped
