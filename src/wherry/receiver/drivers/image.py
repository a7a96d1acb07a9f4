"""The image driver: each disk is a raw sparse file in the folder of its task."""

import errno
import os
import re
from collections.abc import Sequence
from pathlib import Path

from wherry.contract.wherry import AnnouncedServer
from wherry.durable import sync_directory

_TASK_ID = re.compile(r"[0-9A-Za-z-]{1,36}")
"""What a task id may look like as a folder's name; the control plane's ids are UUIDs."""


class ImageDriver:
    """Raw sparse files under *folder*: ``<folder>/<task id>/disk-<index>.raw``."""

    names: Sequence[str] = ("image",)

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def servers(self) -> Sequence[AnnouncedServer]:
        """Return none: images are disks without a machine. The receiver's own machine is known by the receiver's id."""
        return ()

    def free_bytes(self) -> int:
        """Return what the filesystem under the folder has left for this user."""
        figures = os.statvfs(self._folder)
        return figures.f_bavail * figures.f_frsize

    def replica_directory(self, task_id: str) -> Path:
        """Return the task's folder, made durable when it's new. Raises ValueError for an id that can't be a name."""
        if not _TASK_ID.fullmatch(task_id):
            raise ValueError(f"not a task id: {task_id!r}")
        directory = self._folder / task_id
        if not directory.is_dir():
            directory.mkdir(mode=0o700, exist_ok=True)
            sync_directory(self._folder)
        return directory

    def replicas(self) -> list[str]:
        """Return the names of the folders that could be replicas, in ascending order."""
        return sorted(path.name for path in self._folder.iterdir() if path.is_dir() and _TASK_ID.fullmatch(path.name))

    def create_disk(self, task_id: str, index: int, size: int) -> Path:
        """Make the sparse file, or find it, or let it grow; its size and its name are durable on return.

        Raises OSError (EFBIG, ENOSPC, ...) when the filesystem can't hold it, or EEXIST when it's larger.
        """
        path = self.replica_directory(task_id) / f"disk-{index}.raw"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            present = os.fstat(descriptor).st_size
            if present > size:
                raise FileExistsError(errno.EEXIST, f"the file holds {present} bytes, {size} are wanted", str(path))
            os.ftruncate(descriptor, size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_directory(path.parent)
        return path
