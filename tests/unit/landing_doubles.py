"""Doubles of what carries landings out: a driver over a folder, a replica, a converter, a rehearser, servers."""
# ruff: noqa: ARG002 - a double takes what the Protocol gives

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wherry.boot.errors import NoSystem
from wherry.contract.enumerations import OrderKind, OrderStage, Verdict
from wherry.contract.landing import LandingError, LandingOrder, OrderReport, Recording, RehearsalResult, TargetMachine
from wherry.errors import WherryError
from wherry.receiver.drivers.image import ImageDriver
from wherry.receiver.drivers.qemu.servers import ServerNote
from wherry.receiver.landing.carrier import Carrier
from wherry.receiver.landing.words import Stopped
from wherry.replication.errors import CheckpointGone, SnapshotRefused
from wherry.replication.record import Checkpoint, ReplicaDisk

SIZE = 1 << 20


class Killed(BaseException):
    """The receiver died. Not an Exception, as no code may handle it."""


class Replica:
    """A replica with two disks at a consistent checkpoint, on a filesystem with reflinks or without."""

    def __init__(self, folder: Path, *, number: int = 4, reflinks: bool = True) -> None:
        self.reflinks = reflinks
        self.number = number
        self.consistent = True
        folder.mkdir(parents=True, exist_ok=True)
        self.disks: Sequence[ReplicaDisk] = [
            ReplicaDisk(index, f"/dev/sd{'ab'[index]}", SIZE, folder / f"disk-{index}.raw") for index in range(2)
        ]
        for disk in self.disks:
            disk.path.write_bytes(b"r" * SIZE)

    @property
    def checkpoint(self) -> Checkpoint | None:
        return Checkpoint(self.number, self.consistent, 1, {})

    def snapshot(self, checkpoint: int, folder: Path) -> Mapping[int, Path]:
        if checkpoint != self.number:
            raise CheckpointGone(actual=self.number, wanted=checkpoint)
        if not self.reflinks:
            raise SnapshotRefused(path=folder, reason="no reflinks")
        folder.mkdir()
        for disk in self.disks:
            (folder / disk.path.name).write_bytes(disk.path.read_bytes())
        return {disk.index: folder / disk.path.name for disk in self.disks}

    def get(self, task_id: str) -> "Replica":
        return self


class Workshop:
    """Converts and rehearses as the test says, and counts."""

    def __init__(self) -> None:
        self.converted = 0
        self.rehearsed = 0
        self.no_system = False
        self.refuses: WherryError | None = None
        self.during: Callable[[str], None] = lambda _what: None
        self.verdict = Verdict.PASSED
        self.error: LandingError | None = None

    def convert(self, disks: Sequence[Path], names: Sequence[str], machine: TargetMachine, account: Path) -> list[str]:
        self.during("convert")
        if self.no_system:
            raise NoSystem(count=len(disks))
        if self.refuses is not None:
            raise self.refuses
        assert list(names) == ["/dev/sda", "/dev/sdb"]
        assert all(disk.suffix == ".qcow2" for disk in disks)
        self.converted += 1
        return ["the initramfs lacks a driver"]

    def rehearse(
        self, disks: Sequence[Path], order: LandingOrder, folder: Path, tell: Callable[[str], None], stopped: Stopped
    ) -> RehearsalResult:
        self.during("rehearse")
        tell("booting")
        self.rehearsed += 1
        return RehearsalResult(verdict=self.verdict, error=self.error, console=b"login:")


class Servers:
    """Servers that run when they're told to."""

    def __init__(self) -> None:
        self.notes: dict[str, ServerNote] = {}
        self.up: set[str] = set()
        self.rolled_back: list[str] = []
        self.refuses: WherryError | None = None
        self.unfit: WherryError | None = None
        self.during: Callable[[str], None] = lambda _what: None

    def every(self) -> Sequence[ServerNote]:
        return list(self.notes.values())

    def find(self, server_id: str) -> ServerNote | None:
        return self.notes.get(server_id)

    def check(self, machine: TargetMachine) -> None:
        if self.unfit is not None:
            raise self.unfit

    def define(self, note: ServerNote) -> None:
        self.notes[note.id] = note
        self.during("define")

    def launch(self, server_id: str) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.up.add(server_id)
        self.during("launch")

    def in_use(self, server_id: str) -> bool:
        return server_id in self.up

    def status(self, server_id: str) -> str:
        return "running" if server_id in self.up else "stopped"

    def record(self, server_id: str) -> Recording:
        return Recording(console=b"login:", screenshot=b"\x89PNG")

    def roll_back(self, server_id: str) -> None:
        self.up.discard(server_id)
        self.rolled_back.append(server_id)


def order(kind: OrderKind = OrderKind.LAND, order_id: str = "o-1", **changes: Any) -> LandingOrder:
    fields = {"checkpoint": 4, "server_id": "vm-1", "server_name": "new", "target": TargetMachine(), **changes}
    return LandingOrder(id=order_id, task_id="task", kind=kind, **fields)


def overlay(disks: Sequence[Path], folder: Path) -> list[Path]:
    """Make files that tell what they lie over."""
    folder.mkdir(parents=True)
    made = [folder / f"disk-{number}.qcow2" for number in range(len(disks))]
    for path, disk in zip(made, disks, strict=True):
        path.write_text(str(disk))
    return made


class Scene:
    """A carrier and all that it works with, in *folder*."""

    def __init__(self, folder: Path, *, reflinks: bool = True) -> None:
        self.driver = ImageDriver(folder)
        self.directory = folder / "task"
        self.replica = Replica(self.directory, reflinks=reflinks)
        self.workshop = Workshop()
        self.servers = Servers()
        self.told: list[tuple[OrderStage, int, str]] = []
        self.stopped = False
        self.carrier = Carrier(
            self.driver,
            self.replica,
            converter=self.workshop,
            rehearser=self.workshop,
            servers=self.servers,
            overlay=overlay,
        )

    def folder(self, order_id: str = "o-1") -> Path:
        return self.directory / "landing" / order_id

    def do(self, wanted: LandingOrder, state: str = "SYNCING") -> OrderReport | None:
        return self.carrier.carry_out(wanted, state, lambda *words: self.told.append(words), lambda: self.stopped)
