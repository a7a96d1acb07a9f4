"""What the kernel says about its block devices, from /sys.

Source: Linux Documentation/ABI/stable/sysfs-block.
"""

import os
from dataclasses import dataclass
from pathlib import Path

_DEVICES = Path("/sys/dev/block")
_SECTOR = 512
"""Sysfs counts in units of 512 bytes, whatever the sector size of the disk."""


@dataclass(frozen=True, slots=True)
class KernelPartition:
    """A partition that the kernel has made a device of. Offset and size in bytes."""

    index: int
    offset: int
    size: int
    device: str
    """Path of its node in /dev."""
    device_number: int
    """Number of the device as in `st_rdev`."""


def kernel_name(device_number: int) -> str:
    """Return the name in /dev of a block device, such as sda1 or cciss/c0d0; "" when the kernel has no such device."""
    return _device_name(_directory(device_number))


def serial_of(device_number: int) -> str:
    """Return what tells a disk from all others, whatever it's called after the next boot; "" when it has no such thing.

    World-wide names of SCSI, NVMe and the like come first, then serial numbers, as of virtio.
    """
    directory = _directory(device_number)
    names = (_read(directory / name) for name in ("device/wwid", "wwid", "device/serial", "serial"))
    return next((" ".join(name.split()) for name in names if name), "")


def size_of(device_number: int) -> int:
    """Return the size of a block device in bytes; 0 when the kernel has no such device."""
    text = _read(_directory(device_number) / "size")
    return int(text) * _SECTOR if text.isdigit() else 0


def is_read_only(device_number: int) -> bool:
    """Tell whether the kernel refuses writes to a block device. It may be opened for writing all the same."""
    return _read(_directory(device_number) / "ro") == "1"


def kernel_partitions(device_number: int) -> list[KernelPartition]:
    """Return the partitions that the kernel knows of a disk, in the order of their offsets."""
    directory = _directory(device_number)
    found = (_partition(entry.parent) for entry in directory.glob("*/partition"))
    return sorted((partition for partition in found if partition is not None), key=lambda found: found.offset)


def holders(device_number: int) -> list[int]:
    """Return the numbers of the device-mapper, md or bcache devices that are built directly on a device."""
    numbers = (_number(entry) for entry in sorted(_directory(device_number).glob("holders/*")))
    return [number for number in numbers if number]


def all_holders(device_number: int) -> list[int]:
    """Return the devices that are built on a device, their partitions, what is built on those, and so on, each once."""
    found: list[int] = []
    waiting = [device_number]
    while waiting:
        for holder in holders(waiting.pop(0)):
            numbers = (holder, *(partition.device_number for partition in kernel_partitions(holder)))
            fresh = [number for number in numbers if number not in found]
            found += fresh
            waiting += fresh
    return found


def disks_beneath(device_number: int) -> list[int]:
    """Return the whole disks that a device is made of in the end; a disk is made of itself, a partition of its disk."""
    directory = _directory(device_number)
    if (directory / "partition").exists():
        below = [_number(directory.resolve().parent)]
    else:
        below = [_number(entry) for entry in sorted(directory.glob("slaves/*"))]
        if not below:
            return [device_number] if directory.exists() else []
    return list(dict.fromkeys(disk for number in below if number for disk in disks_beneath(number)))


def _directory(device_number: int) -> Path:
    return _DEVICES / f"{os.major(device_number)}:{os.minor(device_number)}"


def _device_name(directory: Path) -> str:
    prefix = "DEVNAME="
    lines = _read(directory / "uevent").splitlines()
    return next((line.removeprefix(prefix) for line in lines if line.startswith(prefix)), "")


def _number(directory: Path) -> int:
    major, _, minor = _read(directory / "dev").partition(":")
    return os.makedev(int(major), int(minor)) if major.isdigit() and minor.isdigit() else 0


def _partition(directory: Path) -> KernelPartition | None:
    values = [_read(directory / name) for name in ("partition", "start", "size")]
    if not all(value.isdigit() for value in values):
        return None  # it went away while it was looked at
    index, start, size = (int(value) for value in values)
    device = f"/dev/{_device_name(directory)}"
    return KernelPartition(index, start * _SECTOR, size * _SECTOR, device, _number(directory))


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
