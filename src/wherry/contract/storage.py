"""Disks, partitions, volume groups and btrfs filesystems, as sources register them and tasks mirror them.

Sizes in bytes. `VolumeGroup.components` is one text, the physical volumes separated by ``;``.
"""

from typing import Annotated

from msgspec import Meta, field

from wherry.contract.enumerations import PartitionStyleText, TargetDeviceUseText
from wherry.contract.values import MAX_ITEMS, Int32, Int64, LongText, Text, Wire


class BtrfsSubvolume(Wire, frozen=True, kw_only=True):
    """A subvolume of a btrfs filesystem."""

    uuid: Text | None = None
    is_snapshot: Text | None = None
    subvol_id: Text | None = None
    parent_id: Text | None = None
    subvol_name: Text | None = None
    subvol_mount_path: Text | None = None


class BtrfsFileSystem(Wire, frozen=True, kw_only=True):
    """A btrfs filesystem, which may span several devices."""

    name: Text | None = None
    label: Text | None = None
    uuid: Text | None = None
    device: Text | None = None
    size: Int64 | None = None
    nodesize: Int64 | None = None
    sectorsize: Int32 | None = None
    data_profile: Text | None = None
    system_profile: Text | None = None
    metadata_profile: Text | None = None
    global_reserve1: Text | None = None
    g_vol_used_size: Int64 | None = None
    default_subvolid: Text | None = None
    default_subvol_name: Text | None = None
    default_subvol_mountpath: Text | None = None
    subvolumes: Annotated[list[BtrfsSubvolume], Meta(max_length=MAX_ITEMS)] | None = field(
        name="subvolumn", default=None
    )


class LogicalVolume(Wire, frozen=True, kw_only=True):
    """A logical volume of a volume group."""

    block_count: Int32 | None = None
    block_size: Annotated[int, Meta(ge=0, le=1048576)] | None = None
    file_system: Text | None = None
    inode_size: Int32 | None = None
    inode_nums: Int64 | None = None
    device_use: Text | None = None
    mount_point: Annotated[str, Meta(max_length=256)] | None = None
    name: LongText | None = None
    size: Int64 | None = None
    used_size: Int64 | None = None
    free_size: Int64 | None = None


class VolumeGroup(Wire, frozen=True, kw_only=True):
    """An LVM volume group."""

    components: Text | None = None
    free_size: Int64 | None = None
    logical_volumes: Annotated[list[LogicalVolume], Meta(max_length=MAX_ITEMS)] | None = None
    name: Text | None = None
    size: Int64 | None = None


class PhysicalVolume(Wire, frozen=True, kw_only=True):
    """A partition of a source's disk. On Windows its uuid is a volume path with backslashes."""

    device_use: Text | None = None
    file_system: Text | None = None
    index: Int32 | None = None
    mount_point: Text | None = None
    name: Text | None = None
    size: Int64 | None = None
    used_size: Int64 | None = None
    inode_size: Int32 | None = None
    inode_nums: Int64 | None = None
    uuid: Text | None = None
    size_per_cluster: Int32 | None = None


class Disk(Wire, frozen=True, kw_only=True):
    """A disk of a source server."""

    name: Text | None = None
    partition_style: Text | None = None
    device_use: Text | None = None
    size: Int64 | None = None
    used_size: Int64 | None = None
    physical_volumes: Annotated[list[PhysicalVolume], Meta(max_length=MAX_ITEMS)] | None = None
    os_disk: bool | None = None
    relation_name: Text | None = None
    inode_size: Int32 | None = None


class WantedPartition(Wire, frozen=True, kw_only=True):
    """A partition of a target disk, as CreateTask asks for it."""

    device_use: Text | None = None
    file_system: Text | None = None
    index: Int32 | None = None
    mount_point: Text | None = None
    name: Text | None = None
    size: Int64 | None = None
    inode_size: Int64 | None = None
    used_size: Int64 | None = None
    uuid: Text | None = None


class WantedDisk(Wire, frozen=True, kw_only=True):
    """A target disk, as CreateTask asks for it; also the recommended target disk of a source."""

    device_use: TargetDeviceUseText | None = None
    disk_id: Text | None = None
    name: Text | None = None
    physical_volumes: Annotated[list[WantedPartition], Meta(max_length=MAX_ITEMS)] | None = None
    size: Int64 | None = None
    used_size: Int64 | None = None


class TargetPartition(Wire, frozen=True, kw_only=True):
    """A partition of a task's target disk."""

    id: Int64 | None = None
    device_use: Text | None = None
    file_system: Text | None = None
    index: Int32 | None = None
    mount_point: Text | None = None
    name: Text | None = None
    size: Int64 | None = None
    inode_size: Int64 | None = None
    used_size: Int64 | None = None
    uuid: Text | None = None
    relation_name: Text | None = None
    free_size: Int64 | None = None


class TargetDisk(Wire, frozen=True, kw_only=True):
    """A disk of a task's target."""

    id: Int64 | None = None
    device_use: TargetDeviceUseText | None = None
    disk_id: Text | None = None
    name: Text | None = None
    physical_volumes: Annotated[list[TargetPartition], Meta(max_length=MAX_ITEMS)] | None = None
    size: Int64 | None = None
    used_size: Int64 | None = None
    disk_index: Text | None = None
    os_disk: bool | None = None
    partition_style: PartitionStyleText | None = None
    relation_name: Text | None = None


class DiskInfo(Wire, frozen=True, kw_only=True):
    """Body of UpdateDiskInfo: replaces all stored disk facts of a source."""

    disks: Annotated[list[Disk], Meta(max_length=MAX_ITEMS)] | None = None
    volume_groups: Annotated[list[VolumeGroup], Meta(max_length=MAX_ITEMS)] | None = field(
        name="volumegroups", default=None
    )
    btrfs_list: Annotated[list[BtrfsFileSystem], Meta(max_length=MAX_ITEMS)] | None = None


class Network(Wire, frozen=True, kw_only=True):
    """A network interface. The reference requires `mac`; what lacks it shows as a failed environment check."""

    name: Text | None = None
    ip: Text | None = None
    ipv6: Text | None = None
    netmask: Text | None = None
    gateway: Text | None = None
    mtu: Int32 | None = None
    mac: Text | None = None
    id: Text | None = None
