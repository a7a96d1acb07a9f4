"""Which disks and volumes of a source are migrated, and to what size: as it's written, and as reads give it back.

Source: the protocol reference, "api" 4.3 and 4.5. The published definition has the ids as texts where they are written
and doesn't have them where they are read; there the service gives numbers, and typed clients read numbers. Sizes in
bytes; `adjust_size` 0 leaves the size as it is.
"""

from typing import Annotated

from msgspec import Meta

from wherry.contract.storage import (
    Disk,
    LogicalVolume,
    PhysicalVolume,
    VolumeGroup,
    WantedDisk,
    WantedPartition,
)
from wherry.contract.values import MAX_ITEMS, Int64, Text, Wire

ObjectId = Text | Int64
"""An id as clients write it: the published text, or the number that they have read."""


class PartitionChoice(Wire, frozen=True, kw_only=True):
    """Whether a partition or logical volume is migrated, and its new size."""

    id: ObjectId | None = None
    need_migration: bool | None = None
    adjust_size: Int64 | None = None


class DiskChoice(Wire, frozen=True, kw_only=True):
    """Whether a disk is migrated, and its new size."""

    id: ObjectId | None = None
    need_migration: bool | None = None
    adjust_size: Int64 | None = None
    physical_volumes: Annotated[list[PartitionChoice], Meta(max_length=MAX_ITEMS)] | None = None


class VolumeGroupChoice(Wire, frozen=True, kw_only=True):
    """Whether a volume group is migrated, and its new size."""

    id: ObjectId | None = None
    need_migration: bool | None = None
    adjust_size: Int64 | None = None
    logical_volumes: Annotated[list[PartitionChoice], Meta(max_length=MAX_ITEMS)] | None = None


class ChosenPartition(PhysicalVolume, frozen=True, kw_only=True):
    """A partition of a source's disk with its id and what was chosen for it."""

    id: int | None = None
    need_migration: bool | None = None
    adjust_size: int | None = None


class ChosenDisk(Disk, frozen=True, kw_only=True):
    """A disk of a source with its id and what was chosen for it."""

    id: int | None = None
    need_migration: bool | None = None
    adjust_size: int | None = None
    physical_volumes: list[ChosenPartition] | None = None  # type: ignore[assignment]  # it's only read


class ChosenLogicalVolume(LogicalVolume, frozen=True, kw_only=True):
    """A logical volume with its id and what was chosen for it."""

    id: int | None = None
    need_migration: bool | None = None
    adjust_size: int | None = None


class ChosenVolumeGroup(VolumeGroup, frozen=True, kw_only=True):
    """A volume group with its id and what was chosen for it."""

    id: int | None = None
    need_migration: bool | None = None
    adjust_size: int | None = None
    logical_volumes: list[ChosenLogicalVolume] | None = None  # type: ignore[assignment]  # it's only read


class RecommendedPartition(WantedPartition, frozen=True, kw_only=True):
    """A partition of a recommended target disk: the source's, with what was chosen for it."""

    id: int | None = None
    need_migration: bool | None = None
    adjust_size: int | None = None


class RecommendedDisk(WantedDisk, frozen=True, kw_only=True):
    """A recommended target disk: the source's, with what was chosen for it."""

    id: int | None = None
    need_migration: bool | None = None
    adjust_size: int | None = None
    physical_volumes: list[RecommendedPartition] | None = None  # type: ignore[assignment]  # it's only read


class InitTargetServer(Wire, frozen=True, kw_only=True):
    """The target that a source's inventory recommends."""

    disks: list[RecommendedDisk]
    volume_groups: list[ChosenVolumeGroup] | None = None
