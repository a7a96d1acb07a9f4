"""Landed disks as block devices of this machine, for as long as one process holds them.

A raw image is a loop device; a qcow2 becomes one through QEMU's storage daemon, which shows it as a file (FUSE). Which
it is, is told by the name that Wherry gave it, never by what is in it: a source could write a qcow2's first sector into
its disk, with any file of this machine as what lies beneath.
Sources: loop(4); qemu-storage-daemon(1), export type fuse.
"""

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wherry.boot.blocks import BlockDevice
from wherry.process import ProgramFailed, run

QCOW2_ENDING: Final = ".qcow2"
_START_S: Final = 60.0


@contextlib.contextmanager
def attached(image: Path, folder: Path, number: int, *, writable: bool) -> Iterator[BlockDevice]:
    """Lend the disk in *image* as a block device with its partitions. *folder* is for files that stand for disks."""
    with contextlib.ExitStack() as stack:
        file = image
        if image.suffix == QCOW2_ENDING:
            file = stack.enter_context(_exported(image, folder / f"disk{number}", writable=writable))
        yield stack.enter_context(_looped(file, writable=writable))


@contextlib.contextmanager
def _looped(file: Path, *, writable: bool) -> Iterator[BlockDevice]:
    """Lend a loop device that the kernel takes away with the last who has it open, even if we are killed."""
    options = [] if writable else ["--read-only"]
    command = ["losetup", "--find", "--show", "--partscan", "--sector-size", "512", *options, str(file)]
    path = run(command).decode().strip()
    descriptor = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC)
    try:
        run(["losetup", "--detach", path])  # it's open: so this only tells the kernel to remember
        with contextlib.suppress(ProgramFailed):  # a disk without a table has no partitions
            run(["partx", "--update", path])
        size = os.lseek(descriptor, 0, os.SEEK_END)
        yield BlockDevice(path, size, lambda offset, length: os.pread(descriptor, length, offset))
    finally:
        with contextlib.suppress(ProgramFailed):
            run(["partx", "--delete", path])
        os.close(descriptor)


@contextlib.contextmanager
def _exported(image: Path, place: Path, *, writable: bool) -> Iterator[Path]:
    """Lend the content of a qcow2 as the file *place*."""
    place.touch()
    pid_file = place.with_suffix(".pid")
    # JSON, since in the short form a comma in a name would be the start of another option.
    layers = json.dumps(
        {
            "driver": "qcow2",
            "node-name": "disk",
            "read-only": not writable,
            "file": {"driver": "file", "filename": str(image.absolute()), "read-only": not writable},
        }
    )
    export = {"type": "fuse", "id": "disk", "node-name": "disk", "mountpoint": str(place), "writable": writable}
    daemon = ["qemu-storage-daemon", "--daemonize", "--pidfile", str(pid_file)]
    run([*daemon, "--blockdev", layers, "--export", json.dumps(export)], timeout_s=_START_S)
    process = int(pid_file.read_text())
    try:
        yield place
    finally:
        os.kill(process, signal.SIGTERM)
        with contextlib.suppress(ChildProcessError):  # it's our child where we are the first of a PID namespace
            os.waitpid(process, 0)
