"""Where the machines of servers come from: real ones by QEMU, and what the servers need of any."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from wherry.boot.machine.hardware import Disk, DiskFormat, MachineSpec
from wherry.boot.machine.machine import Machine
from wherry.boot.overlay import machine_disks, make_overlay
from wherry.durable import sync_directory


class RunningMachine(Protocol):
    """A machine that runs."""

    def status(self) -> str:
        """Return QEMU's word for the machine's state. Raises MachineGone."""

    def screenshot(self, picture: Path) -> None:
        """Write what its screen shows to *picture*, as PNG. Raises MachineGone, MonitorRefused, OSError."""

    def ended(self, wait_s: float = 0.0) -> bool:
        """Whether QEMU ended, after waiting for that."""

    def stop(self) -> None:
        """End it once what it wrote is in its disks."""

    def kill(self) -> None:
        """End it at once."""


class Machines(Protocol):
    """Where machines are started and found."""

    def disks(self, place: Path, beneath: Sequence[Path]) -> tuple[Disk, ...]:
        """Return a server's own disks over *beneath*, from the folder *place*; they're made where they aren't there."""

    def start(self, spec: MachineSpec, folder: Path) -> RunningMachine:
        """Start a machine that outlives this process. Raises MachineNotStarted and others of `Machine.start`."""

    def find(self, name: str, folder: Path) -> RunningMachine | None:
        """Return the machine that runs in *folder*."""


class QemuMachines:
    """Machines by QEMU, on overlays."""

    def disks(self, place: Path, beneath: Sequence[Path]) -> tuple[Disk, ...]:
        """See `Machines`. Raises ProgramFailed, ProgramMissing, OSError."""
        folder = place / "disks"
        if not folder.exists():
            fresh = place / "disks.new"
            if fresh.exists():
                shutil.rmtree(fresh)  # of a receiver that was killed
            make_overlay(beneath, fresh, DiskFormat.QCOW2)
            fresh.rename(folder)
            sync_directory(place)
        return machine_disks([folder / f"disk-{number}.qcow2" for number in range(len(beneath))], beneath)

    def start(self, spec: MachineSpec, folder: Path) -> RunningMachine:
        """See `Machine.start`."""
        return Machine.start(spec, folder, with_owner=False)

    def find(self, name: str, folder: Path) -> RunningMachine | None:
        """See `Machine.find`."""
        return Machine.find(name, folder)
