"""Folders that a program keeps its data in."""

from pathlib import Path

from wherry.cli.errors import FolderUnusable


def private_folder(path: Path) -> Path:
    """Make *path*, readable by its owner alone, unless it exists; return it. Raises FolderUnusable."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise FolderUnusable(path=path, reason=error.strerror or str(error)) from error
    return path
