"""Snapshots of images by reflink: files that share their blocks with the image, made in milliseconds.

Source: ioctl_ficlone(2), Linux include/uapi/linux/fs.h.
"""

import errno
import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from wherry import durable
from wherry.replication.errors import SnapshotRefused, StorageFailed

_FICLONE: Final = 0x40049409
_UNABLE: Final = frozenset({errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EISDIR})


def reflink(images: Mapping[int, Path], folder: Path) -> Mapping[int, Path]:
    """Clone *images*, by disk index, into new files ``disk-<index>.raw`` in *folder*; all of them or none.

    Durable on return. Raises SnapshotRefused where the filesystem can't, StorageFailed.
    """
    made: dict[int, Path] = {}
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for index, image in images.items():
            target = folder / f"disk-{index}.raw"
            _clone(image, target, made, index)
        durable.sync_directory(folder)
    except OSError as error:
        _remove(made)
        if error.errno in _UNABLE:
            raise SnapshotRefused(path=error.filename or folder, reason=os.strerror(error.errno or 0)) from error
        raise StorageFailed.of(folder, error) from error
    return made


def _clone(image: Path, target: Path, made: dict[int, Path], index: int) -> None:
    source = os.open(image, os.O_RDONLY | os.O_CLOEXEC)
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        made[index] = target
        try:
            fcntl.ioctl(descriptor, _FICLONE, source)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    finally:
        os.close(source)


def _remove(made: Mapping[int, Path]) -> None:
    for path in made.values():
        path.unlink(missing_ok=True)
