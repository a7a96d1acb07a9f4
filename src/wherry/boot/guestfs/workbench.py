"""Opens landed systems by libguestfs: for disks that nobody vouches for.

The disks are seen by the kernel of a small virtual machine only. A launch takes some seconds with KVM, half a minute
without. On a machine without a kernel in /boot, name one for it: SUPERMIN_KERNEL, SUPERMIN_MODULES.
"""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from wherry.boot.guest import Guest
from wherry.boot.luks_keys import KeyFolder
from wherry.boot.machine.accelerator import Accelerator, accelerator_of_this_process
from wherry.boot.messages import Opening
from wherry.boot.served_guest import served


class GuestfsWorkbench:
    """A workbench for any disks. Raw images, or qcow2 files by their ending."""

    def __init__(
        self, accelerator: Callable[[], Accelerator] = accelerator_of_this_process, keys: KeyFolder | None = None
    ) -> None:
        """*keys*: of what is encrypted on the disks."""
        self._accelerator = accelerator
        self._keys = keys

    @contextlib.contextmanager
    def open(self, disks: Sequence[Path], *, writable: bool = False) -> Iterator[Guest]:
        """Open a system. See `Workbench.open`; raises LuksKeyRefused and LuksKeyUnusable, too."""
        # A worker that is killed leaves its files behind.
        with tempfile.TemporaryDirectory(prefix="wherry-guestfs-") as scratch:
            opening = Opening(
                tuple(str(disk.absolute()) for disk in disks),
                writable,
                emulate=self._accelerator() is Accelerator.TCG,
                keys="" if self._keys is None else str(self._keys.path.absolute()),
                scratch=scratch,
            )
            with served("wherry.boot.guestfs.worker", opening) as guest:
                yield guest
