"""The disks that the agent moves: those that --disk names, or every disk of the server; and when to look again."""

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from wherry.agent.errors import NoDisk
from wherry.disks.inventory import local_disks
from wherry.disks.layout import DiskLayout, read_layout
from wherry.errors import WherryError

log = structlog.get_logger(__name__)


def read_inventory(named: Sequence[Path], find: Callable[[], Sequence[Path]] = local_disks) -> list[DiskLayout]:
    """Return the layouts of the disks *named*, or of those that *find* finds when none is.

    A disk that was named must be readable; one that was found is left out, with a word in the log, when it isn't.
    Raises NoDisk when nothing is left, and what `read_layout` raises for a named disk.
    """
    if named:
        return [read_layout(path.resolve()) for path in dict.fromkeys(named)]
    layouts = []
    for path in find():
        try:
            layouts.append(read_layout(path))
        except WherryError as error:
            log.warning("disk_left_out", disk=str(path), **error.facts)
    if not layouts:
        raise NoDisk(reason="no whole disk of this server can be read")
    return layouts


class Rota:
    """Tells when something is due again: every *every_s* seconds, give or take a tenth, so that agents don't meet."""

    def __init__(
        self,
        every_s: float,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._every_s = every_s
        self._clock = clock
        self._uniform = uniform
        self.postpone(every_s)

    def due(self) -> bool:
        """Tell whether it's due; the next time is counted from now when it is."""
        if self._clock() < self.next_at:
            return False
        self.postpone(self._every_s)
        return True

    def postpone(self, seconds: float) -> None:
        """Have it due in *seconds*, give or take a tenth."""
        self.next_at = self._clock() + self._uniform(0.9 * seconds, 1.1 * seconds)
