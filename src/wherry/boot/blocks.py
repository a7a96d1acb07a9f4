"""What lies on the landed disks, told from their bytes: partitions, filesystems, boot code.

Pure, over functions that read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from wherry.boot.guest import GuestDisk, GuestFilesystem, GuestPartition
from wherry.disks.partitions import Entry, PartitionTable, PartitionTableDamaged, ReadAt, read_partition_table
from wherry.disks.superblocks import Superblock, read_superblock

BIOS_BOOT: Final = "21686148-6449-6e6f-744e-656564454649"
"""GPT type of the partition that GRUB puts its core into."""

_SECTOR: Final = 512
_BOOT_CODE: Final = 440
"""How much of the first sector is code, in bytes; behind it are the disk's signature and its table."""


@dataclass(frozen=True, slots=True)
class BlockDevice:
    """A disk that can be read. Size in bytes."""

    path: str
    size: int
    read: ReadAt


def scan(devices: Sequence[BlockDevice]) -> tuple[list[GuestDisk], list[GuestFilesystem]]:
    """Return the disks, and all that can be mounted or swapped to on them, in their order."""
    disks: list[GuestDisk] = []
    filesystems: list[GuestFilesystem] = []
    for number, device in enumerate(devices):
        table = _table(device)
        entries = [entry for entry in table.entries if not entry.container] if table else []
        ids = {entry.index: _part_uuid(table, entry) for entry in entries} if table else {}
        disks.append(
            GuestDisk(
                device=device.path,
                size=device.size,
                table={"GPT": "gpt", "MBR": "dos"}.get(table.style, "") if table else "",
                partitions=tuple(
                    GuestPartition(
                        each.index,
                        each.type_id,
                        each.size,
                        partition_path(device.path, each.index),
                        ids[each.index],
                        each.offset,
                    )
                    for each in entries
                ),
                boot_code=_boot_code(device, entries) if table else "",
            )
        )
        filesystems += _filesystems(device, number, entries, ids)
    return disks, filesystems


def partition_path(disk: str, number: int) -> str:
    """Return the kernel's name of a partition: a p stands between where the disk's name ends with a digit."""
    return f"{disk}p{number}" if disk[-1:].isdigit() else f"{disk}{number}"


def _table(device: BlockDevice) -> PartitionTable | None:
    try:
        return read_partition_table(device.read, device.size, _SECTOR)
    except PartitionTableDamaged:
        return None


def _part_uuid(table: PartitionTable, entry: Entry) -> str:
    return entry.uuid if table.style == "GPT" else f"{table.disk_id}-{entry.index:02x}"


def _boot_code(device: BlockDevice, entries: Sequence[Entry]) -> str:
    code = device.read(0, _BOOT_CODE)
    if b"GRUB" not in code:
        return "other" if code.strip(b"\0") else ""
    core = next((entry for entry in entries if entry.type_id == BIOS_BOOT), None)
    if core is not None and not device.read(core.offset, _SECTOR).strip(b"\0"):
        return ""  # the first stage would load nothing
    return "grub"


def _filesystems(
    device: BlockDevice, number: int, entries: Sequence[Entry], ids: dict[int, str]
) -> Iterator[GuestFilesystem]:
    if not entries:
        whole = read_superblock(device.read, device.size)
        if whole is not None:
            yield _filesystem(whole, device.path, number)
    for entry in entries:
        found = read_superblock(_within(device, entry), entry.size)
        if found is not None:
            path = partition_path(device.path, entry.index)
            yield _filesystem(found, path, number, entry.index, ids[entry.index])


def _filesystem(
    found: Superblock, path: str, disk: int, partition: int | None = None, part_uuid: str = ""
) -> GuestFilesystem:
    return GuestFilesystem(path, found.type, found.uuid, found.label, disk, partition, part_uuid)


def _within(device: BlockDevice, entry: Entry) -> ReadAt:
    def read(offset: int, length: int) -> bytes:
        return device.read(entry.offset + offset, max(0, min(length, entry.size - offset)))

    return read
