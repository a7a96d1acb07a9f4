"""The process in which a landed system is opened: alone with its mounts, its processes and no network.

``python -m wherry.boot.chroot.worker``, started by `boot.chroot.workbench` in namespaces of its own. It's told which
disks to open on its standard input, then what to do, one order after the other, and answers on its standard output.
When it ends, however that is, the kernel takes mounts, programs and loop devices away.
"""

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wherry.boot.blocks import scan
from wherry.boot.chroot import files
from wherry.boot.chroot.devices import attached
from wherry.boot.chroot.mounts import Jail, mounted
from wherry.boot.messages import Facts, Opening
from wherry.boot.places import Blocks
from wherry.boot.serving import Operations, serve
from wherry.process import run

FOLDER: Final = Path("/run/wherry-workbench")
"""Where the system is mounted. Nobody else sees it: the mounts are this process's own."""

_NEW_MOUNT_NAMESPACE: Final = 0x00020000
"""CLONE_NEWNS of linux/sched.h."""


def main() -> None:
    """Open, serve until the input ends, close."""
    serve(_opened)


@contextlib.contextmanager
def _opened(opening: Opening) -> Iterator[tuple[Facts, Operations]]:
    FOLDER.mkdir(exist_ok=True)
    run(["mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", str(FOLDER)])
    with contextlib.ExitStack() as stack:
        devices = [
            stack.enter_context(attached(Path(disk), FOLDER, number, writable=opening.writable))
            for number, disk in enumerate(opening.disks)
        ]
        disks, filesystems = scan(devices)
        _leave_the_daemons()
        found = stack.enter_context(mounted(Blocks(disks, filesystems), FOLDER, writable=opening.writable))
        descriptors = [
            os.open(each.path, (os.O_RDWR if opening.writable else os.O_RDONLY) | os.O_CLOEXEC) for each in devices
        ]
        for descriptor in descriptors:
            stack.callback(os.close, descriptor)
        on_disks: Operations = {
            "read_disk": lambda disk, offset, size: os.pread(descriptors[disk], size, offset),
            "write_disk": lambda disk, offset, content: os.pwrite(descriptors[disk], content, offset),
        }
        with Jail(FOLDER / "root"):
            try:
                yield Facts(disks, found), {**_ON_FILES, **on_disks}
            finally:
                _end_programs()


def _leave_the_daemons() -> None:
    """Take a mount namespace of our own, in which QEMU's storage daemon isn't.

    Were all of us killed, the last one in a namespace unmounts what is mounted in it. If that were the daemon, it would
    wait for itself for ever: a filesystem's last words go to the disk that it serves.
    """
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_MOUNT_NAMESPACE):
        raise OSError(ctypes.get_errno(), "unshare")


def _end_programs() -> None:
    """Kill what programs of the system left running: it would keep the filesystems busy."""
    ours = {1, *_daemons()}
    for name in os.listdir("/proc") if Path("/proc/1").exists() else []:  # noqa: PTH208 (names are what is needed)
        if name.isdecimal() and int(name) not in ours:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(name), signal.SIGKILL)


def _daemons() -> Iterator[int]:
    """Yield the processes outside of the jail's reach that lend us the disks."""
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdecimal():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{name}/comm").read_text().startswith("qemu-storage-da"):
                    yield int(name)


_ON_FILES: Final[Operations] = {
    "read_bytes": files.read_bytes,
    "write": files.write,
    "make_directory": files.make_directory,
    "make_link": files.make_link,
    "remove": files.remove,
    "set_mode": files.set_mode,
    "set_owner": files.set_owner,
    "status": files.status,
    "names": files.names,
    "readlink": files.readlink,
    "exists": files.exists,
    "is_dir": files.is_dir,
    "run": files.run,
}


if __name__ == "__main__":
    main()
