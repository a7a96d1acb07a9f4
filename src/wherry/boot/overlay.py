"""Overlays: what is changed in a landed system is written beside it, in qcow2 files over its disks.

The disks beneath have to stand still for as long as the overlay is used.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from wherry.boot.machine.hardware import Disk, DiskFormat, Layer
from wherry.process import run

_MAKING_S: Final = 300.0


def make_overlay(disks: Sequence[Path], folder: Path, beneath: DiskFormat = DiskFormat.RAW) -> list[Path]:
    """Make an empty overlay over each of *disks* in *folder*, which is made, and return them in the same order.

    Raises FileExistsError where the folder is there already, ProgramFailed, ProgramMissing.
    """
    folder.mkdir(mode=0o700, parents=True)
    try:
        return [_make(disk, folder / f"disk-{number}.qcow2", beneath) for number, disk in enumerate(disks)]
    except BaseException:
        remove_overlay(folder)
        raise


def machine_disks(overlays: Sequence[Path], beneath: Sequence[Path]) -> tuple[Disk, ...]:
    """Return *overlays*, each over one of *beneath*, as disks of a machine.

    What a machine has written to isn't asked what it lies over; what is beneath was written by this program alone.
    Raises ProgramFailed, ProgramMissing.
    """
    pairs = zip(overlays, beneath, strict=True)
    return tuple(Disk(overlay, DiskFormat.QCOW2, beneath=_layers(disk)) for overlay, disk in pairs)


class _Link(msgspec.Struct, frozen=True):
    """One image of a chain, as qemu-img tells it."""

    filename: str
    format: DiskFormat


def _layers(disk: Path) -> tuple[Layer, ...]:
    """Return *disk* and what it lies over. What is raw is told by its name: any content could look like a qcow2."""
    if disk.suffix != ".qcow2":
        return (_layer(disk, DiskFormat.RAW),)
    command = ["qemu-img", "info", "-U", "--backing-chain", "--output=json", "-f", DiskFormat.QCOW2, str(disk)]
    chain = msgspec.json.decode(run(command, timeout_s=_MAKING_S), type=list[_Link])
    return tuple(_layer(Path(link.filename), link.format) for link in chain)


def _layer(path: Path, form: DiskFormat) -> Layer:
    return Layer(path, form, is_device=path.is_block_device())


def remove_overlay(folder: Path) -> None:
    """Remove an overlay with all that was written to it. It may be gone already."""
    if folder.exists():
        shutil.rmtree(folder)


def _make(disk: Path, overlay: Path, beneath: DiskFormat) -> Path:
    # An absolute path can't be taken for the name of a protocol.
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", beneath, "-b", str(disk.absolute()), str(overlay)]
    run(command, timeout_s=_MAKING_S)
    return overlay
