"""Opens landed systems by loop devices, mounts and chroot. For disks that the operator declares trusted.

The kernel of this machine reads the filesystems, and programs of the system run on it as root: only the files, the
processes and the network are kept apart. A worker process does all of it (`boot.chroot.worker`), in namespaces that
end with it, so that nothing is left when it's killed.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from wherry.boot.guest import Guest
from wherry.boot.messages import Opening
from wherry.boot.served_guest import served

_NAMESPACES: Final = (
    *("unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child=KILL"),
    "--propagation=private",
)


class ChrootWorkbench:
    """A workbench for trusted disks. Raw images, or qcow2 files by their ending."""

    @contextlib.contextmanager
    def open(self, disks: Sequence[Path], *, writable: bool = False) -> Iterator[Guest]:
        """Open a system. See `Workbench.open`; needs root."""
        opening = Opening(tuple(str(disk.absolute()) for disk in disks), writable)
        with served("wherry.boot.chroot.worker", opening, _NAMESPACES) as guest:
            yield guest
