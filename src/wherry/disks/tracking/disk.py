"""What a disk is to its tracker."""

import os
from dataclasses import dataclass

GRANULE_SIZE = 64 * 1024
"""Bytes; the same as that of the passes."""


@dataclass(frozen=True, slots=True)
class TrackedDisk:
    """A disk to be tracked."""

    index: int
    """The number that passes name it by."""
    device_number: int
    """As in `st_rdev`; the whole disk's, not a partition's."""
    size: int
    """In bytes."""
    granule_size: int = GRANULE_SIZE
    """In bytes, a power of 2."""

    @property
    def device(self) -> tuple[int, int]:
        """Its numbers, major and minor."""
        return os.major(self.device_number), os.minor(self.device_number)

    @property
    def kernel_number(self) -> int:
        """Its number in the form that the kernel's events carry."""
        major, minor = self.device
        return major << 20 | minor

    @property
    def granules(self) -> int:
        """How many granules it has; the last one may be short."""
        return -(-self.size // self.granule_size)

    @property
    def block_shift(self) -> int:
        """The sectors of a sixteenth of a granule, as a power of 2."""
        return self.granule_shift - 4

    @property
    def granule_shift(self) -> int:
        """The sectors of a granule, as a power of 2."""
        return (self.granule_size // 512).bit_length() - 1

    def __str__(self) -> str:
        major, minor = self.device
        return f"{major}:{minor}"
