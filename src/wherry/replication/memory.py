"""What was sent in the pass under way, across sessions: so that bytes that go over twice are known and can be shown."""

import numpy as np
import numpy.typing as npt

from wherry.replication.granules import GRANULE_SIZE, Digests, granule_count
from wherry.replication.granuleset import Numbers


class PassMemory:
    """Remembers, for the pass under way, which content of each granule was sent. Keep one object a task.

    It holds 32 bits a granule, 64 MiB for a disk of 1 TiB; a wrong count by chance has odds of 1 to 4 * 10^9 a granule.
    Not for several threads at once.
    """

    def __init__(self) -> None:
        self._number = -1
        self._sent: dict[int, npt.NDArray[np.uint32]] = {}
        self.resent_bytes = 0
        """Bytes of disk sent more than once within their pass, over the task's whole life."""

    def begin(self, number: int) -> None:
        """Pass *number* begins, or goes on in a new session."""
        if number != self._number:
            self._number = number
            self._sent = {}

    def note(self, disk: int, size: int, numbers: Numbers, digests: Digests) -> int:
        """Note that the granules *numbers* of a disk of *size* bytes are sent.

        Returns how many of their bytes were sent before.
        """
        sent = self._sent.get(disk)
        if sent is None:
            sent = self._sent[disk] = np.zeros(granule_count(size), dtype=np.uint32)
        # The lowest bit is always set, so that 0 stays free for "not sent".
        marks = (digests[:, 0] & np.uint64(0xFFFF_FFFF)).astype(np.uint32) | np.uint32(1)
        again = numbers[sent[numbers] == marks]
        repeated = len(again) * GRANULE_SIZE
        if len(again) and (int(again.max()) + 1) * GRANULE_SIZE > size:
            repeated -= (int(again.max()) + 1) * GRANULE_SIZE - size
        sent[numbers] = marks
        self.resent_bytes += repeated
        return repeated
