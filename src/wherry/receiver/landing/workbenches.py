"""The workbenches by the words of the command line."""

from collections.abc import Callable

from wherry.boot.chroot.workbench import ChrootWorkbench
from wherry.boot.guestfs.workbench import GuestfsWorkbench
from wherry.boot.luks_keys import KeyFolder
from wherry.boot.machine.accelerator import Accelerator
from wherry.boot.workbench import Workbench
from wherry.receiver.errors import BootingUnconfigured
from wherry.receiver.settings import WorkbenchKind


def open_workbench(
    kind: WorkbenchKind | None, accelerator: Callable[[], Accelerator], keys: KeyFolder | None = None
) -> Workbench:
    """Return the workbench that the operator chose; *keys*: of encrypted volumes, which the chroot doesn't open.

    Raises BootingUnconfigured where he chose none.
    """
    match kind:
        case WorkbenchKind.GUESTFS:
            return GuestfsWorkbench(accelerator, keys)
        case WorkbenchKind.CHROOT:
            return ChrootWorkbench()
        case None:
            raise BootingUnconfigured(choices=" or ".join(WorkbenchKind))
