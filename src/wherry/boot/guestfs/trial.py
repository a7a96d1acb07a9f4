"""Finds out whether libguestfs's virtual machine starts on this host, before a server is waiting for it.

It's tried by starting one, as landings do; what was found is remembered for as long as the host runs with the same
settings, since a trial takes seconds, and many times that without KVM.
"""

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import structlog

from wherry.boot.errors import NoSystem
from wherry.boot.workbench import Workbench
from wherry.disks.tracking.diskstats import boot_id
from wherry.durable import write_file

log = structlog.get_logger(__name__)

_SETTINGS: Final = ("LIBGUESTFS_", "SUPERMIN_")
"""What the names of the environment's variables begin with that libguestfs goes by."""
_BLANK: Final = 1 << 20


class _Tried(msgspec.Struct, frozen=True):
    """The file's content: with what it started, and during which run of the host."""

    boot_id: str
    settings: Mapping[str, str]


def require_appliance(workbench: Workbench, memory: Path, environment: Mapping[str, str] = os.environ) -> None:
    """Return when *workbench* opens an empty disk, or did so before; *memory* is the file that remembers it.

    Raises LibguestfsMissing, ApplianceFailed, WorkbenchFailed, ProgramMissing, OSError.
    """
    settings = {name: value for name, value in environment.items() if name.startswith(_SETTINGS)}
    trial = _Tried(boot_id(), settings)
    if _recall(memory) == trial:
        return
    with tempfile.TemporaryDirectory(prefix="wherry-trial-") as folder:
        blank = Path(folder) / "blank.raw"
        blank.write_bytes(bytes(_BLANK))
        with contextlib.suppress(NoSystem), workbench.open([blank]):
            pass  # it was looked at, and there's nothing on it
    log.info("appliance_starts")
    write_file(memory, msgspec.json.encode(trial))


def _recall(memory: Path) -> _Tried | None:
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode(memory.read_bytes(), type=_Tried)
    return None
