"""One byte a granule that says in which epoch it was written last; nothing is cleared while it's still needed.

An epoch is the time between two cuts. A mark holds the epoch's value, 1 to 255, which comes again after 255 epochs.
What is written in an epoch after `floor`, up to some other one, is dirty. A mark from long ago whose value has come
again reads as dirty: that costs a look at the granule and loses nothing.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

VALUES = 255
WIDEST = 250
"""How many epochs may be open (not committed) before they have to be joined."""
_LONGEST_SPREAD = 1024
"""Granules up to which a long request is spread over an index array; longer ones are filled one by one."""

_MOST_COMPARISONS = 8
"""Comparing all bytes with one value takes a tenth of the time of looking them up in a table."""

Bytes = npt.NDArray[np.uint8]
Granules = npt.NDArray[np.bool_]


def value_of(epoch: int) -> int:
    """Return the mark of an epoch, 1 to 255."""
    return 1 + epoch % VALUES


def dirty_values(floor: int, last: int) -> Granules:
    """Return for each value of a byte whether it's a mark of the epochs after *floor* up to *last*."""
    values = np.zeros(VALUES + 1, dtype=np.bool_)
    if last - floor >= VALUES:
        values[1:] = True
    else:
        for epoch in range(floor + 1, last + 1):
            values[value_of(epoch)] = True
    return values


def dirty(marks: Bytes, floor: int, last: int) -> Granules:
    """Return which granules have a mark of the epochs after *floor* up to *last*."""
    if last - floor > _MOST_COMPARISONS:
        looked_up: Granules = dirty_values(floor, last)[marks]
        return looked_up
    if last <= floor:
        return no_granules(len(marks))
    found: Granules = marks == value_of(last)
    for epoch in range(floor + 1, last):
        found |= marks == value_of(epoch)
    return found


def mark(marks: Bytes, first: npt.NDArray[np.int64], last: npt.NDArray[np.int64], epoch: int) -> None:
    """Mark the granules from each *first* to its *last*, both inside the disk, as written in *epoch*."""
    value = value_of(epoch)
    marks[first] = value
    marks[last] = value
    for inner in inner_granules(first, last):
        marks[inner] = value


def inner_granules(
    first: npt.NDArray[np.int64], last: npt.NDArray[np.int64]
) -> Iterator[slice | npt.NDArray[np.int64]]:
    """Yield what lies between each *first* and its *last*, as slices or numbers of granules."""
    inner = last - first - 1
    long = inner > _LONGEST_SPREAD
    for start, end in zip(first[long].tolist(), last[long].tolist(), strict=True):
        yield slice(start + 1, end)
    spread = (inner > 0) & ~long
    if spread.any():
        counts = inner[spread]
        ends = np.cumsum(counts)
        steps = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
        yield np.repeat(first[spread] + 1, counts) + steps


def make_room(marks: Bytes, epoch: int) -> None:
    """Take the value of *epoch* from marks of 255 epochs ago, before the first mark of *epoch* is made."""
    marks[np.flatnonzero(marks == value_of(epoch))] = 0


def no_granules(count: int) -> Granules:
    """Return what says of a disk with *count* granules that nothing was written."""
    return np.zeros(count, dtype=np.bool_)


def granule_extents(granules: Granules, granule_size: int, size: int) -> list[tuple[int, int]]:
    """Return the runs of *granules* as (offset, length) in bytes, clipped to a disk of *size* bytes."""
    bounded = np.concatenate(([False], granules, [False]))
    edges = np.flatnonzero(bounded[1:] != bounded[:-1])
    starts, ends = edges[::2] * granule_size, np.minimum(edges[1::2] * granule_size, size)
    return [(start, end - start) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
