"""Which sixteenths of each granule were written: blocks of 4 KiB where a granule has 64 KiB, one bit each.

Marks of epochs say that a granule was written, these say where in it. They come from the ring's events alone, which
carry exact sectors. Nothing is cleared by a commit: the first event that finds a granule's mark committed begins its
mask anew, so that a mask holds at least what was written since the last commit, often more, never less.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from wherry.disks.tracking.marks import Bytes, Granules, dirty_values, inner_granules

BLOCKS: Final = 16
"""Of a granule."""
BLOCK_BITS: Final = 4
ALL: Final = 0xFFFF
Masks = npt.NDArray[np.uint16]
"""One value a granule; bit n stands for its block n."""
_UP_FROM: Final = np.array([ALL << first & ALL for first in range(BLOCKS)], dtype=np.uint16)
_UP_TO: Final = np.array([(2 << last) - 1 for last in range(BLOCKS)], dtype=np.uint16)


@dataclass(frozen=True, slots=True)
class BlockMarks:
    """The blocks of one disk that may have been written since the last commit.

    They grow while the disk is written to, so that they are right for whatever is read of it later.
    """

    masks: Masks
    known: Granules
    """The granules that the ring saw written; of any other one nothing is known."""

    def of(self, granules: npt.NDArray[np.int64]) -> Masks:
        """Return the masks of the granules with these numbers: all blocks where nothing is known."""
        return np.where(self.known[granules], self.masks[granules], np.uint16(ALL))


def mark_blocks(  # noqa: PLR0917 - arrays of one event each
    masks: Masks,
    marks: Bytes,
    first: npt.NDArray[np.int64],
    last: npt.NDArray[np.int64],
    floor: int,
    epoch: int,
) -> None:
    """Note the blocks from each *first* to its *last*, counted from the disk's beginning, both inside the disk.

    *marks*: those of the granules, in which these events aren't marked yet; *floor*: the newest epoch that is
    committed; *epoch*: the present one. Doing it again for the same events changes nothing.
    """
    begin, end = first >> BLOCK_BITS, last >> BLOCK_BITS
    touched = np.concatenate((begin, end))
    masks[touched[~dirty_values(floor, epoch)[marks[touched]]]] = 0
    opening, closing = _UP_FROM[first & (BLOCKS - 1)], _UP_TO[last & (BLOCKS - 1)]
    single = begin == end
    np.bitwise_or.at(masks, begin, np.where(single, opening & closing, opening))
    np.bitwise_or.at(masks, end[~single], closing[~single])
    for inner in inner_granules(begin, end):
        masks[inner] = ALL
