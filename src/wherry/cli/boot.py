"""`wherry boot`: makes a copy boot on another machine, by a change set that can be read first and undone later."""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import App, Parameter

from wherry import logs
from wherry.boot.applying import apply as apply_changes
from wherry.boot.applying import undo as undo_changes
from wherry.boot.changeset import ChangeSet, render
from wherry.boot.chroot.workbench import ChrootWorkbench
from wherry.boot.guest import Guest
from wherry.boot.guestfs.workbench import GuestfsWorkbench
from wherry.boot.inspection import inspect as inspect_guest
from wherry.boot.luks_keys import KeyFolder
from wherry.boot.machine.hardware import DiskFormat
from wherry.boot.overlay import make_overlay, remove_overlay
from wherry.boot.parsing.interfaces import read_mac
from wherry.boot.planning import plan as plan_changes
from wherry.boot.system import System
from wherry.boot.target import Firmware, Nic, TargetMachine
from wherry.boot.undo import Undo
from wherry.boot.workbench import Workbench
from wherry.cli.boot_texts import as_json, describe
from wherry.cli.errors import FileUnreadable, FileUnwritable, MacUnreadable
from wherry.contract.enumerations import DiskBus, NetworkWish
from wherry.durable import write_file

UNDO_FILE: Final = "undo"
"""In an overlay's folder: what was before."""
CHANGES_FILE: Final = "changes.txt"
"""There too: what was changed, for people."""

app = App(name="boot")

Disks = Annotated[tuple[Path, ...], Parameter(negative="")]


@Parameter(name="*")
@dataclass(frozen=True)
class Target:
    """The machine that the copy is to boot on."""

    firmware: Annotated[Firmware | None, Parameter(show_default=False)] = None
    """What starts the boot loader there; by default what the copy boots by now."""

    bus: DiskBus = DiskBus.VIRTIO_BLK
    """How the disks are attached there."""

    network: NetworkWish = NetworkWish.KEEP
    """Whether addresses stay as they're configured, or come by DHCP."""

    mac: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = ()
    """MAC address of a network card there, or NAME=MAC for the interface whose place it takes; may be given many times,
    in the order of the names."""

    source_disk: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = ()
    """What the disks were called on the source, in their order: /dev/sda, ..."""

    def machine(self, system: System) -> TargetMachine:
        """Return the target of a plan for *system*. Raises MacUnreadable."""
        firmware = self.firmware or next(iter(system.boots_by), Firmware.BIOS)
        nics = tuple(_nic(word) for word in self.mac)
        return TargetMachine(firmware, self.bus, self.network, nics, self.source_disk)


ANY_TARGET: Final = Target()


@Parameter(name="*")
@dataclass(frozen=True)
class Bench:
    """What opens the landed system."""

    trusted: bool = False
    """Let this machine's own kernel read the disks, and run programs of the system where something is changed: quick,
    and only for disks of people you trust. Needs root. Without it a small virtual machine does (libguestfs)."""

    luks_keys: Annotated[Path | None, Parameter(show_default=False)] = None
    """Folder with the keys of encrypted volumes, a file for each, called by its LUKS UUID. Nobody else may read it."""

    @contextmanager
    def opened(self, disks: Sequence[Path], *, writable: bool = False) -> Iterator[Guest]:
        """Lend the system on *disks*. Raises FileUnreadable, LuksKeyUnusable, and what `Workbench.open` does."""
        for disk in disks:
            if not disk.is_file() and not disk.is_block_device():
                raise FileUnreadable(path=disk, what="a disk image", reason="there's no such file or block device")
        logs.configure(level=logging.WARNING)  # on standard error: standard output is for what was asked
        with self._workbench().open(disks, writable=writable) as guest:
            yield guest

    def _workbench(self) -> Workbench:
        if self.trusted:
            return ChrootWorkbench()
        keys = None if self.luks_keys is None else KeyFolder(self.luks_keys)
        if keys is not None:
            keys.require_private()
        return GuestfsWorkbench(keys=keys)


BY_GUESTFS: Final = Bench()


@app.command
def inspect(disks: Disks, /, *, bench: Bench = BY_GUESTFS, json: bool = False) -> None:
    """Tell what a landed system is. Nothing is changed.

    Parameters
    ----------
    disks:
        Images of the system's disks, in the order of the source's: raw, or qcow2 where the name ends with .qcow2.
    json:
        Print JSON.
    """
    with bench.opened(disks) as guest:
        system = inspect_guest(guest)
    sys.stdout.write(as_json(system) if json else describe(system))


@app.command
def plan(
    disks: Disks,
    /,
    *,
    target: Target = ANY_TARGET,
    bench: Bench = BY_GUESTFS,
    json: bool = False,
    output: Path | None = None,
) -> int:
    """Show what has to be changed so that a landed system boots on a target machine, and why. Nothing is changed.

    Exit status 1: it can't boot there, whatever is changed.

    Parameters
    ----------
    disks:
        Images of the system's disks, in the order of the source's: raw, or qcow2 where the name ends with .qcow2.
    json:
        Write JSON.
    output:
        File to write to instead of standard output.
    """
    with bench.opened(disks) as guest:
        changes = _planned(guest, target)
    _write(as_json(changes) if json else render(changes), output)
    return 1 if changes.blockers else 0


@app.command
def apply(disks: Disks, /, *, output: Path, target: Target = ANY_TARGET, bench: Bench = BY_GUESTFS) -> None:
    """Make a copy of a landed system boot on a target machine, in an overlay: the disks themselves stay as they are.

    Parameters
    ----------
    disks:
        Images of the system's disks, in the order of the source's: raw, or qcow2 where the name ends with .qcow2. They
        have to stand still for as long as the overlay is used.
    output:
        Folder to make: disk-0.qcow2, ... to start the target from, changes.txt, and what `wherry boot undo` needs.
    """
    formats = {_format(disk) for disk in disks}
    if len(formats) != 1:
        raise FileUnreadable(
            path=", ".join(map(str, disks)), what="disks of one system", reason="name disks of one format"
        )
    try:
        overlay = make_overlay(disks, output, formats.pop())
    except OSError as error:
        raise FileUnwritable(path=output, reason=str(error)) from error
    try:
        with bench.opened(overlay, writable=True) as guest:
            changes = _planned(guest, target)
            record = apply_changes(guest, changes)
        write_file(output / UNDO_FILE, msgspec.msgpack.encode(record), mode=0o600)
        write_file(output / CHANGES_FILE, render(changes).encode(), mode=0o600)
    except BaseException:
        remove_overlay(output)
        raise
    sys.stdout.write(f"{len(changes.changes)} change(s) applied in {output}; read {output / CHANGES_FILE}\n")


@app.command
def undo(overlay: Path, /, *, bench: Bench = BY_GUESTFS) -> None:
    """Put the files in an overlay back to what they were before `wherry boot apply`.

    Parameters
    ----------
    overlay:
        The folder that was made.
    """
    path = overlay / UNDO_FILE
    try:
        record = msgspec.msgpack.decode(path.read_bytes(), type=Undo)
    except (OSError, msgspec.MsgspecError) as error:
        raise FileUnreadable(path=path, what="what was before", reason=str(error)) from error
    disks = sorted(overlay.glob("disk-*.qcow2"), key=lambda disk: int(disk.stem.removeprefix("disk-")))
    with bench.opened(disks, writable=True) as guest:
        undo_changes(guest, record)
    path.unlink()
    sys.stdout.write(f"{len(record.saved)} place(s) put back in {overlay}\n")


def _planned(guest: Guest, target: Target) -> ChangeSet:
    system = inspect_guest(guest)
    return plan_changes(system, target.machine(system))


def _nic(word: str) -> Nic:
    name, equals, mac = word.rpartition("=")
    if not read_mac(mac) or (equals and not name):
        raise MacUnreadable(text=word)
    return Nic(read_mac(mac), name)


def _format(disk: Path) -> DiskFormat:
    return DiskFormat.QCOW2 if disk.suffix == ".qcow2" else DiskFormat.RAW


def _write(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    try:
        write_file(output, text.encode())
    except OSError as error:
        raise FileUnwritable(path=output, reason=str(error)) from error
