"""Where a landed system is opened: by a chroot on this machine, or inside of a small virtual machine."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from wherry.boot.guest import Guest


class Workbench(Protocol):
    """Opens the disks of a landed system."""

    def open(self, disks: Sequence[Path], *, writable: bool = False) -> AbstractContextManager[Guest]:
        """Open the image files *disks*, in the order of the source's disks, until the context ends.

        Not *writable*, nothing in the files changes, and no program of the system runs.

        Raises:
            NoSystem: none of the disks holds a root filesystem.
            LayoutUnknown, VolumeLocked: it may lie in something that isn't opened here, or for which there's no key.
            WorkbenchFailed: the disks can't be opened or closed.
        """
