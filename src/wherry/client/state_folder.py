"""Folders that a program keeps its data in: made for its owner alone, and held by one process at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wherry.client.errors import FolderBusy, FolderUnusable


def private_folder(path: Path) -> Path:
    """Make *path*, readable by its owner alone, unless it exists; return it. Raises FolderUnusable."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise FolderUnusable(path=path, reason=error.strerror or str(error)) from error
    return path


@contextmanager
def own_folder(path: Path) -> Iterator[Path]:
    """Lend *path*, made when it's missing, to this process alone; a killed process gives it back.

    Two agents with the same credentials would take each other's commands. Raises FolderUnusable, FolderBusy.
    """
    private_folder(path)
    try:
        descriptor = os.open(path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FolderUnusable(path=path, reason=error.strerror or str(error)) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderBusy(path=path) from error
        yield path
    finally:
        os.close(descriptor)
