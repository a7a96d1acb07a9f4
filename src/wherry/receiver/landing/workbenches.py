"""The workbenches by the words of the command line."""

from collections.abc import Callable, Mapping
from typing import Final

from wherry.boot.chroot.workbench import ChrootWorkbench
from wherry.boot.workbench import Workbench
from wherry.receiver.errors import BootingUnconfigured
from wherry.receiver.settings import WorkbenchKind

_WORKBENCHES: Final[Mapping[WorkbenchKind, Callable[[], Workbench]]] = {WorkbenchKind.CHROOT: ChrootWorkbench}


def open_workbench(kind: WorkbenchKind | None) -> Workbench:
    """Return the workbench that the operator chose. Raises BootingUnconfigured where he chose none that there is."""
    make = None if kind is None else _WORKBENCHES.get(kind)
    if make is None:
        raise BootingUnconfigured(choices=" or ".join(_WORKBENCHES))
    return make()
