"""What killed tests leave in the kernel, cleared away by the next session: the tracking of agents and of trackers."""

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from demo.mounting import unmount
from wherry.disks.tracking.kernel_folders import find_bpffs
from wherry.disks.tracking.ownership import sweep
from wherry.disks.tracking.remains import Remains, memory_folder, trace_folder

MEMORY = Path("/dev/shm")
"""Where trackers of tests have their memories, in folders of their own that `memory_of_ours` names."""
_ALIVE = "alive"
_TRACKER = re.compile(r"wherry-([a-z]+-(\d+))(?:-\d+-\d+-\d+-(?:map|link))?")
_MEMORY = re.compile(r"wherry-test-(\d+)-.*")


def memory_prefix() -> str:
    """Return how the name of a folder of this process begins in MEMORY."""
    return f"wherry-test-{os.getpid()}-"


@contextlib.contextmanager
def cleared_away(base: Path) -> Iterator[None]:
    """Clear away what killed sessions left, and at the end what agents with a state below *base* do.

    Sessions that run at the same time leave each other alone.
    """
    with (base / _ALIVE).open("w") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        if os.geteuid() == 0:
            sweep(lambda _task_id, state: _is_of_killed_session(state, base.parent))
            _remove_trackers()
        yield
        if os.geteuid() == 0:
            sweep(lambda _task_id, state: state.is_relative_to(base))


def _is_of_killed_session(state: Path, sessions: Path) -> bool:
    if not state.is_relative_to(sessions):
        return False
    try:
        with (sessions / state.relative_to(sessions).parts[0] / _ALIVE).open("rb") as mark:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return not state.exists()  # it runs; or pytest has removed it
    return True


def _remove_trackers() -> None:
    """Remove what trackers with a process's number in their names left, once there's no such process."""
    with trace_folder() as tracefs:
        names = [path.name for path in (tracefs / "instances").iterdir()]
    pins = find_bpffs(memory_folder("bpf"))
    if pins is not None:
        names += [path.name for path in pins.iterdir()]
    for name, number in {found.groups() for found in map(_TRACKER.fullmatch, names) if found}:
        if not _runs(number):
            Remains(name, memory_folder(name)).remove()
    for folder in MEMORY.iterdir():
        found = _MEMORY.fullmatch(folder.name)
        if found and not _runs(found[1]):
            unmount(folder / "bpf")
            shutil.rmtree(folder)


def _runs(number: str) -> bool:
    return Path("/proc", number).exists()
