"""The disk of a source server: its partition table, its ESP, its root filesystem. For root.

The kernel of the machine that tests may lack vfat, so the ESP is written by mtools.
"""

import contextlib
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from demo.mounting import attached, mounted, partitioned
from tests.vm.recipe import MIB, Recipe, RootFilesystem
from wherry.process import run

BIOS_BOOT_SIZE: Final = MIB
_ESP_SIZE: Final = 64 * MIB
BIOS_BOOT_AT: Final = MIB
_ESP_AT: Final = BIOS_BOOT_AT + BIOS_BOOT_SIZE
_ROOT_AT: Final = _ESP_AT + _ESP_SIZE
ROOT_PARTITION: Final = 3

_MAKERS: Final = {
    RootFilesystem.EXT4: ("mkfs.ext4", "-q", "-U"),
    RootFilesystem.XFS: ("mkfs.xfs", "-q", "-m", "bigtime=0,inobtcount=0,uuid={uuid}"),
    RootFilesystem.BTRFS: ("mkfs.btrfs", "-q", "-U"),
}


@dataclass(frozen=True, slots=True)
class ServerDisk:
    """A disk with a BIOS-boot partition, an ESP and a root partition."""

    image: Path
    root_uuid: str
    esp_uuid: str
    """The FAT volume's serial number as blkid writes it: XXXX-XXXX."""


def make_disk(image: Path, recipe: Recipe) -> ServerDisk:
    """Make the partition table on *image*, which is made, with an ESP and an empty root filesystem."""
    with image.open("wb") as file:
        file.truncate(recipe.disk_size)
    lines = (
        "label: gpt",
        f"start={BIOS_BOOT_AT // 512}, size={BIOS_BOOT_SIZE // 512}, type=21686148-6449-6E6F-744E-656564454649",
        f"start={_ESP_AT // 512}, size={_ESP_SIZE // 512}, type=uefi",
        f"start={_ROOT_AT // 512}, type=linux",
    )
    run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(image)], stdin="\n".join(lines).encode())
    serial = os.urandom(4).hex().upper()
    run(["mformat", "-i", _esp(image), "-F", "-T", str(_ESP_SIZE // 512), "-h", "64", "-s", "32", "-N", serial, "::"])
    disk = ServerDisk(image, str(uuid.uuid4()), f"{serial[:4]}-{serial[4:]}")
    with attached(image) as device, partitioned(device) as partitions:
        run([*_maker(recipe.root, disk.root_uuid), str(partitions[ROOT_PARTITION - 1])])
    return disk


@contextlib.contextmanager
def mounted_root(image: Path, place: Path) -> Iterator[Path]:
    """Lend the root filesystem of the disk *image*, mounted at *place*; return the disk's device."""
    with (
        attached(image) as device,
        partitioned(device) as partitions,
        mounted(partitions[ROOT_PARTITION - 1], place),
    ):
        yield device


def fill_esp(image: Path, files: Mapping[str, Path]) -> None:
    """Copy files into the empty ESP under the names that are given, and make the folders above them."""
    folders = {str(folder) for name in files for folder in PurePosixPath(name).parents} - {"."}
    run(["mmd", "-i", _esp(image), *(f"::{folder}" for folder in sorted(folders))])
    for name, source in files.items():
        run(["mcopy", "-i", _esp(image), str(source), f"::{name}"])


def _esp(image: Path) -> str:
    return f"{image}@@{_ESP_AT}"


def _maker(kind: RootFilesystem, identity: str) -> list[str]:
    words = [word.format(uuid=identity) for word in _MAKERS[kind]]
    return words if kind is RootFilesystem.XFS else [*words, identity]
