"""How many bytes of disk a pass has brought to the receiver, and how many of them it had already."""

from dataclasses import dataclass

from wherry.replication.digests import same_granules
from wherry.replication.frames import FrameType, Opened
from wherry.replication.granules import GRANULE_SIZE
from wherry.replication.replicadisk import OpenDisk


@dataclass(slots=True)
class Tally:
    """Bytes of disk received in the pass under way, and how many of them were there already."""

    received: int = 0
    repeated: int = 0

    def count(self, disk: OpenDisk, opened: Opened) -> bool:
        """Count a data frame; tell whether the disk holds all of it already."""
        held = b"".join([disk.view.get(first, count) for first, count in opened.runs])
        same = same_granules(held, opened.digests)
        kind, length = opened.header.type, opened.header.disk_length
        if kind is not FrameType.ZERO:
            self.received += length
        if kind in {FrameType.DATA, FrameType.GATHER}:
            self.repeated += min(int(same.sum()) * GRANULE_SIZE, length)
        return bool(same.all())
