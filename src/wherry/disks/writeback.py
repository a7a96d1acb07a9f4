"""Writing back what a filesystem holds in memory, one filesystem at a time.

Never sync(2): it waits for every filesystem of the machine, and so for ever on a network one whose server is gone.
Source: syncfs(2).
"""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

_syncfs = ctypes.CDLL(None, use_errno=True).syncfs


def write_back(descriptor: int) -> None:
    """Write back the filesystem that *descriptor* is open on. Raises OSError when its device refuses."""
    if _syncfs(descriptor) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def write_back_all(mount_points: Iterable[str | Path]) -> None:
    """Write back the filesystems mounted there.

    One that can't be is passed over: it was unmounted meanwhile, or its device fails, which a freeze and the reading
    of the disk tell better.
    """
    for mount_point in mount_points:
        try:
            descriptor = os.open(mount_point, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            write_back(descriptor)
        except OSError:
            continue
        finally:
            os.close(descriptor)
