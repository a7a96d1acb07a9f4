"""Loop devices, partitions and mounts that go away with their `with` block, whatever happens in it."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from wherry.process import ProgramFailed, run

BUSY_TRIES = 20


@contextlib.contextmanager
def attached(
    image: Path, *, offset: int = 0, size: int = 0, read_only: bool = False, direct: bool = False
) -> Iterator[Path]:
    """Lend a loop device over *image*, from byte *offset* on and *size* bytes long (0: to the end).

    *direct* goes round the page cache where the filesystem beneath can do that. It isn't for reflinked files: the
    kernel would show sectors of 4096 bytes, in which no filesystem with smaller ones can be mounted.
    """
    command = ["losetup", "--find", "--show", "--sector-size", "512", "--offset", str(offset)]
    if size:
        command += ["--sizelimit", str(size)]
    if read_only:
        command.append("--read-only")
    device = _losetup(command, image, direct=direct)
    _reset(device)
    try:
        yield device
    finally:
        # A device that is still busy goes as soon as it isn't any more: the kernel remembers.
        with contextlib.suppress(ProgramFailed):
            run(["losetup", "--detach", str(device)])


def _reset(device: Path) -> None:
    """Take back what an earlier user of the device has set: the kernel keeps it when a device is detached."""
    statistics = Path(f"/sys/block/{device.name}/queue/iostats")
    with contextlib.suppress(OSError):
        statistics.write_text("1")


def _losetup(command: Sequence[str], image: Path, *, direct: bool) -> Path:
    if direct:
        with contextlib.suppress(ProgramFailed):
            return Path(run([*command, "--direct-io=on", str(image)]).decode().strip())
    return Path(run([*command, str(image)]).decode().strip())


@contextlib.contextmanager
def partitioned(device: Path) -> Iterator[list[Path]]:
    """Lend the partitions of *device* (by partx: not every kernel reads partition tables of loop devices)."""
    with contextlib.suppress(ProgramFailed):
        run(["partx", "--delete", str(device)])
    run(["partx", "--add", str(device)])
    try:
        yield sorted(device.parent.glob(f"{device.name}p*"))
    finally:
        with contextlib.suppress(ProgramFailed):
            run(["partx", "--delete", str(device)])


@contextlib.contextmanager
def mounted(device: Path, mount_point: Path, options: Sequence[str] = ()) -> Iterator[Path]:
    """Lend the filesystem on *device*, mounted at *mount_point*, which is made."""
    mount_point.mkdir(parents=True)
    run(["mount", *(["-o", ",".join(options)] if options else []), str(device), str(mount_point)])
    try:
        yield mount_point
    finally:
        unmount(mount_point)


def unmount(mount_point: Path) -> None:
    """Unmount, thawing first if somebody left it frozen; a mount that stays busy is at least hidden (lazily).

    Nothing happens where nothing is mounted any more.
    """
    if mount_point.is_mount():
        with contextlib.suppress(ProgramFailed):
            run(["fsfreeze", "--unfreeze", str(mount_point)])
    for _ in range(BUSY_TRIES):
        if not mount_point.is_mount():
            return
        with contextlib.suppress(ProgramFailed):
            run(["umount", str(mount_point)])
            return
        time.sleep(0.1)
    run(["umount", "--lazy", str(mount_point)])
