"""Patches at the receiver: whether a granule becomes what the source has when its blocks are laid over what is there.

What is there is the medium, which stands at the checkpoint while a pass is open. A patch fits where the open pass has
changed nothing yet and the granule's digest comes out as the source says. What doesn't fit is held to be unknown: the
source is told, and sends it as a whole. It may have been written while it was read, or a mark of it may be missing, or
the medium doesn't hold any more what was written to it.
"""

import threading
from typing import Final

import numpy as np

from wherry.disks.direct import aligned_buffer
from wherry.replication.digests import Overlay, pick, put, same_granules
from wherry.replication.frames import Opened
from wherry.replication.granules import (
    EXTENT_SIZE,
    GRANULE_SIZE,
    UNKNOWN_DIGEST,
    as_digests,
    granule_digests,
    runs_among,
)
from wherry.replication.granuleset import Mask, Numbers
from wherry.replication.patches import BLOCK_SIZE, Patch
from wherry.replication.replicadisk import OpenDisk
from wherry.replication.storage import StoredFile

_AT_ONCE: Final = EXTENT_SIZE // GRANULE_SIZE
_UNKNOWN: Final = as_digests(UNKNOWN_DIGEST)[0]


class Fitter:
    """Tries patches on a medium. For several threads at once, each of which gets a buffer of its own."""

    def __init__(self) -> None:
        self._own = threading.local()

    def fits(self, disk: OpenDisk, opened: Opened) -> Mask:
        """Tell for each granule of a PATCH whether it becomes what it should. Raises StorageFailed."""
        patch = opened.patch
        assert patch is not None  # noqa: S101 - nobody asks for other frames
        buffer: memoryview | None = getattr(self._own, "buffer", None)
        if buffer is None:
            buffer = self._own.buffer = memoryview(aligned_buffer(EXTENT_SIZE))
        lengths = np.bitwise_count(patch.masks).astype(np.int64) * BLOCK_SIZE
        became, rest = [], memoryview(opened.raw)
        for start in range(0, len(patch.numbers), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            length = int(lengths[some].sum())
            content = _read(disk.file, patch.numbers[some], buffer)
            Patch(patch.numbers[some], patch.masks[some], b"").lay_over(content, rest[:length])
            became.append(granule_digests(content))
            rest = rest[length:]
        return same_granules(b"".join(became), patch.digests)


def _read(file: StoredFile, numbers: Numbers, buffer: memoryview) -> memoryview:
    position = 0
    for first, count in runs_among(numbers):
        file.read_into(buffer[position : position + count * GRANULE_SIZE], first * GRANULE_SIZE)
        position += count * GRANULE_SIZE
    return buffer[:position]


def note(disk: OpenDisk, opened: Opened, fitting: Mask | None) -> None:
    """Note in the disk's view what a frame that was logged brings; *fitting*: what `Fitter.fits` says of a PATCH."""
    view = disk.view
    assert isinstance(view, Overlay)  # noqa: S101 - a log exists after pass 0 only
    if opened.patch is None or fitting is None:
        for first, digests in opened.entries():
            view.set(first, digests)
        if disk.unfit:
            disk.unfit.difference_update(*(range(first, first + count) for first, count in opened.runs))
        return
    numbers = opened.patch.numbers
    untouched = (pick(view, numbers) == pick(disk.table, numbers)).all(axis=1)
    unfit = ~(fitting & untouched)
    became = as_digests(opened.digests)
    if unfit.any():
        became = np.where(unfit[:, None], _UNKNOWN, became)
        disk.unfit.update(numbers[unfit].tolist())
    put(view, numbers, became)
