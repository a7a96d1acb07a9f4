"""What is known of a disk's changes, in a file that lives in memory: it outlives the process, but not a reboot.

The file is mapped, so that a process that is killed loses nothing it had written there. It must not lie on a disk: to
write to a disk that is tracked would make new changes, and on a frozen filesystem it would wait for the thaw.
"""

import contextlib
import mmap
import os
from enum import IntEnum, auto
from pathlib import Path

import msgspec
import numpy as np

from wherry.disks.tracking.blocks import Masks
from wherry.disks.tracking.kernel_folders import is_memory
from wherry.disks.tracking.marks import Bytes
from wherry.disks.tracking.trust import Reason

VERSION = 2
"""Of the format of the file."""
_HEAD = 4096
_IDENTITY_AT, _IDENTITY_SIZE = 1024, 1024
_REASON_AT, _REASON_SIZE = 3072, 64


class Number(IntEnum):
    """The numbers at the head of the file, 64 bits each."""

    EPOCH = 0
    """The epoch that is written now."""
    FLOOR = auto()
    """The newest epoch that is committed."""
    SUSPECT_EPOCH = auto()
    """The epoch in which trust was lost; what is committed at or after it has mended that."""
    SEEN = auto()
    """Sectors that were seen in the ring."""
    SEEN_BEFORE = auto()
    """The same before the batch of events that is being taken in."""
    DISCARDS = auto()
    """Discards that may have had several ranges."""
    BEYOND = auto()
    """Requests behind the end of the disk."""
    RING_HAS_BASELINE = auto()
    RING_BASELINE = auto()
    """Sectors that the statistics have more than were seen in the ring, when that was compared last."""
    RING_DROPPED = auto()
    """Events that the ring had dropped by then."""
    MAP_HAS_BASELINE = auto()
    MAP_BASELINE = auto()
    """The same as RING_BASELINE for the eBPF program."""
    MAP_SCATTERED = auto()
    MAP_BEYOND = auto()
    MAP_PASSTHROUGH = auto()
    """Counts of the program by then."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be the same for a file's content to be of use."""

    version: int = VERSION
    boot_id: str
    device: tuple[int, int]
    disk_sequence: int
    size: int
    granule_size: int


class DiskMemory:
    """The memory of one disk."""

    def __init__(self, path: Path, identity: Identity) -> None:
        """Open the file, or make it. Raises OSError, and ValueError when it wouldn't live in memory only."""
        if not is_memory(path.parent):
            raise ValueError(f"{path.parent} lies on a disk, not in memory")
        self.path = path
        count = -(-identity.size // identity.granule_size)
        masks_at = _HEAD + -(-count // 8) * 8
        size = masks_at + 2 * count
        self.obstacle = self._usable(path, identity, size)
        """Why nothing is known from before; Reason.NONE when the file was taken over."""
        if self.obstacle is not Reason.NONE:
            path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, size)
            self._map = mmap.mmap(descriptor, size)
        finally:
            os.close(descriptor)
        self._numbers = np.frombuffer(self._map, np.int64, len(Number))
        self.marks: Bytes = np.frombuffer(self._map, np.uint8, count, _HEAD)
        """One byte a granule, see `marks`."""
        self.masks: Masks = np.frombuffer(self._map, np.uint16, count, masks_at)
        """Two bytes a granule, see `blocks`."""
        if self.obstacle is not Reason.NONE:
            self._begin(identity)

    def get(self, number: Number) -> int:
        """Return one of the numbers."""
        return int(self._numbers[number])

    def put(self, number: Number, value: int) -> None:
        """Write one of the numbers."""
        self._numbers[number] = value

    @property
    def suspicion(self) -> Reason:
        """Why the marks since the last commit can't be trusted."""
        text = self._map[_REASON_AT : _REASON_AT + _REASON_SIZE].rstrip(b"\0").decode()
        return Reason[text] if text else Reason.NONE

    def suspect(self, reason: Reason, epoch: int) -> None:
        """Note that trust was lost in *epoch*. A suspicion that is there already keeps its reason."""
        self.put(Number.SUSPECT_EPOCH, epoch)
        if self.suspicion is Reason.NONE:
            self._write_suspicion(reason)

    def commit(self, epoch: int) -> None:
        """Note that everything that was written up to the end of *epoch* has been copied."""
        self.put(Number.FLOOR, max(epoch, self.get(Number.FLOOR)))
        if self.suspicion is not Reason.NONE and self.get(Number.SUSPECT_EPOCH) <= epoch:
            self._write_suspicion(Reason.NONE)

    def close(self) -> None:
        """Let go of the file, which stays."""
        self._numbers = np.empty(0, np.int64)
        self.marks, self.masks = np.empty(0, np.uint8), np.empty(0, np.uint16)
        # Somebody may still hold an array over it; the memory is let go with the last of them.
        with contextlib.suppress(BufferError):
            self._map.close()

    def remove(self) -> None:
        """Close and delete it."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _write_suspicion(self, reason: Reason) -> None:
        text = b"" if reason is Reason.NONE else reason.name.encode()
        self._map[_REASON_AT : _REASON_AT + _REASON_SIZE] = text.ljust(_REASON_SIZE, b"\0")

    def _begin(self, identity: Identity) -> None:
        self.put(Number.EPOCH, 1)
        self.suspect(self.obstacle, 1)
        # The identity is written last: without it the file counts for nothing.
        encoded = msgspec.json.encode(identity)
        self._map[_IDENTITY_AT : _IDENTITY_AT + _IDENTITY_SIZE] = encoded.ljust(_IDENTITY_SIZE, b"\0")

    @staticmethod
    def _usable(path: Path, identity: Identity, size: int) -> Reason:
        try:
            with path.open("rb") as file:
                head = file.read(_HEAD)
            raw = head[_IDENTITY_AT : _IDENTITY_AT + _IDENTITY_SIZE].rstrip(b"\0")
            found = msgspec.json.decode(raw, type=Identity)
            length = path.stat().st_size
        except (OSError, msgspec.DecodeError):
            return Reason.BEGINNING
        if found == identity and length == size:
            return Reason.NONE
        if found.version != identity.version:
            return Reason.BEGINNING
        return Reason.REBOOTED if found.boot_id != identity.boot_id else Reason.DISK_CHANGED
