"""The workbenches by the words of the command line."""

from wherry.boot.workbench import Workbench
from wherry.receiver.settings import WorkbenchKind


def open_workbench(kind: WorkbenchKind) -> Workbench:
    """Return the workbench that the operator chose."""
    raise NotImplementedError(kind)
