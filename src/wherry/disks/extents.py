"""Runs of bytes on a disk, and the set arithmetic on them.

Every function takes extents in any order, overlapping or not, and returns them normalised: ascending, disjoint, not
touching each other, none empty.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Extent:
    """A run of bytes on a disk: *offset* and *length* in bytes. Raises ValueError when one of them is negative."""

    offset: int
    length: int

    def __post_init__(self) -> None:
        if self.offset < 0 or self.length < 0:
            raise ValueError(f"an extent can't have offset {self.offset} and length {self.length}")

    @property
    def end(self) -> int:
        """The first byte after the extent."""
        return self.offset + self.length


def merge(extents: Iterable[Extent]) -> list[Extent]:
    """Return the union of *extents*."""
    merged: list[Extent] = []
    offset = end = -1
    for extent in sorted(extents):
        if not extent.length:
            continue
        if extent.offset <= end:
            end = max(end, extent.end)
            continue
        if end > offset:
            merged.append(Extent(offset, end - offset))
        offset, end = extent.offset, extent.end
    if end > offset:
        merged.append(Extent(offset, end - offset))
    return merged


def complement(extents: Iterable[Extent], size: int) -> list[Extent]:
    """Return what *extents* leave free of the bytes 0 to *size*; what lies beyond *size* is ignored."""
    free: list[Extent] = []
    position = 0
    for extent in merge(extents):
        if extent.offset >= size:
            break
        if extent.offset > position:
            free.append(Extent(position, extent.offset - position))
        position = extent.end
    if position < size:
        free.append(Extent(position, size - position))
    return free


def intersect(left: Iterable[Extent], right: Iterable[Extent]) -> list[Extent]:
    """Return the bytes that lie in both."""
    ours, theirs = merge(left), merge(right)
    shared: list[Extent] = []
    i = j = 0
    while i < len(ours) and j < len(theirs):
        start = max(ours[i].offset, theirs[j].offset)
        end = min(ours[i].end, theirs[j].end)
        if start < end:
            shared.append(Extent(start, end - start))
        if ours[i].end <= theirs[j].end:
            i += 1
        else:
            j += 1
    return shared


def subtract(left: Iterable[Extent], right: Iterable[Extent]) -> list[Extent]:
    """Return the bytes of *left* that don't lie in *right*."""
    ours = merge(left)
    if not ours:
        return []
    return intersect(ours, complement(right, ours[-1].end))


def shift(extents: Iterable[Extent], distance: int) -> list[Extent]:
    """Return *extents* moved by *distance* bytes, as from a partition's own offsets to those of its disk."""
    return merge(Extent(extent.offset + distance, extent.length) for extent in extents)


def align(extents: Iterable[Extent], granule_size: int, disk_size: int) -> list[Extent]:
    """Widen *extents* to whole granules of *granule_size* bytes, clipped to a disk of *disk_size* bytes."""
    widened = []
    for extent in merge(extents):
        if extent.offset >= disk_size:
            break
        start = extent.offset - extent.offset % granule_size
        end = min(-(-extent.end // granule_size) * granule_size, disk_size)
        widened.append(Extent(start, end - start))
    return merge(widened)


def split(extents: Iterable[Extent], longest: int) -> list[Extent]:
    """Cut *extents* into pieces of at most *longest* bytes, cut at multiples of *longest*."""
    pieces: list[Extent] = []
    for extent in merge(extents):
        position = extent.offset
        while position < extent.end:
            cut = min(position - position % longest + longest, extent.end)
            pieces.append(Extent(position, cut - position))
            position = cut
    return pieces


def total(extents: Sequence[Extent]) -> int:
    """Return the bytes that normalised *extents* hold."""
    return sum(extent.length for extent in extents)
