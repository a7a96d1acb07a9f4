"""Whether somebody else has a disk: a mounted filesystem, LVM, md, a loop device, a running virtual machine.

A block device can be opened for oneself alone, which the kernel refuses where it's in use. An image file can't, so
those are asked who are known to use one: loop devices, and QEMU by the locks that it keeps on its images.
Source: open(2) on O_EXCL and block devices; QEMU block/file-posix.c for RAW_LOCK_PERM_BASE and RAW_LOCK_SHARED_BASE.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wherry.disks.mounts import mounts_of_device, read_mounts
from wherry.disks.sysblock import holders, kernel_name, kernel_partitions

_BLOCK: Final = Path("/sys/block")
_QEMU_FIRST: Final = 100
_QEMU_BYTES: Final = 200


def occupant(path: Path) -> str:
    """Return in words who has the block device or image file at *path*; "" for nobody.

    Raises OSError where it can't be opened for writing.
    """
    facts = path.stat()
    if stat.S_ISBLK(facts.st_mode):
        return _of_device(path, facts.st_rdev)
    return _of_file(path)


def _of_device(path: Path, number: int) -> str:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC))
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return ", ".join(_holders(number)) or "another program holds it, or the kernel"
    return ""


def _holders(number: int) -> Iterator[str]:
    mounts = read_mounts()
    for each in (number, *(partition.device_number for partition in kernel_partitions(number))):
        name = kernel_name(each) or "it"
        yield from (f"{name} is mounted on {mount.mount_point}" for mount in mounts_of_device(mounts, each))
        yield from (f"{kernel_name(holder)} is built on {name}" for holder in holders(each))


def _of_file(path: Path) -> str:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _QEMU_BYTES, _QEMU_FIRST)
    except OSError as error:
        if error.errno not in {errno.EACCES, errno.EAGAIN}:
            raise
        return "a virtual machine has it"
    finally:
        os.close(descriptor)
    return ", ".join(f"it's attached as /dev/{name}" for name in _loops_over(path))


def _loops_over(path: Path) -> Iterator[str]:
    """Yield the names of the loop devices over the file *path*."""
    for entry in sorted(_BLOCK.glob("loop*/loop/backing_file")):
        try:
            backing = Path(entry.read_text().removesuffix("\n"))
            if backing.samefile(path):
                yield entry.parent.parent.name
        except OSError:
            continue  # it went away while it was looked at, or is in another mount namespace
