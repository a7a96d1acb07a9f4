"""What the agent tells the control plane about its server: the bodies of RegisterServer and UpdateDiskInfo.

Pure: built from host facts and disk layouts. Texts are cut to the lengths of the reference, sizes are in bytes, the
memory is in MB.
"""

from collections.abc import Sequence

from wherry.agent.host import HostFacts, Interface
from wherry.contract.enumerations import BootLoader, DeviceUse, OsType, StartType
from wherry.contract.sources import Registration
from wherry.contract.storage import BtrfsFileSystem, Disk, DiskInfo, Network, PhysicalVolume
from wherry.disks.layout import DiskLayout, Partition

_LVM = "LVM2_member"
_BOOT_TYPES = frozenset(
    {
        "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",  # EFI system partition
        "21686148-6449-6e6f-744e-656564454649",  # BIOS boot partition
        "ef",
    }
)


def registration(
    host: HostFacts, layouts: Sequence[DiskLayout], *, name: str, agent_version: str, source_id: str = ""
) -> Registration:
    """Return the body of RegisterServer. *name* empty means the host's name; *source_id* that of a known record."""
    first = host.interfaces[0] if host.interfaces else None
    return Registration(
        id=source_id or None,
        name=_text(name or host.hostname, 64),
        hostname=_text(host.hostname, 64),
        ip=(first.ip if first else "") or None,
        ipv6=(first.ipv6 if first else "") or None,
        os_type=OsType.LINUX,
        os_version=_text(host.os_version),
        kernel_version=_text(host.kernel_version),
        linux_block_check=host.linux_block_check,
        firmware="UEFI" if host.firmware == "UEFI" else "BIOS",
        cpu_quantity=min(host.cpu_quantity, 65535),
        memory=host.memory_mb,
        disks=[_disk(layout) for layout in layouts],
        btrfs_list=_btrfs_list(layouts),
        volume_groups=[],
        networks=[_network(interface) for interface in host.interfaces],
        has_rsync=host.has_rsync,
        has_tc=host.has_tc,
        paravirtualization=host.paravirtualization,
        raw_devices=_text(";".join(host.raw_devices)),
        boot_loader=BootLoader.GRUB if host.boot_loader == "GRUB" else "",
        agent_version=_text(agent_version),
        start_type=StartType.MANUAL,
        platform=host.platform,
    )


def disk_info(layouts: Sequence[DiskLayout]) -> DiskInfo:
    """Return the body of UpdateDiskInfo."""
    return DiskInfo(disks=[_disk(layout) for layout in layouts], volume_groups=[], btrfs_list=_btrfs_list(layouts))


def device_name(layout: DiskLayout) -> str:
    """Return what the disk is called towards people and the control plane: its path in /dev, or the image's name."""
    return f"/dev/{layout.name}" if layout.device_number else layout.name


def _disk(layout: DiskLayout) -> Disk:
    uses = [_use(partition) for partition in layout.partitions]
    holds_root = any(partition.mount_point == "/" for partition in layout.partitions)
    return Disk(
        name=_text(device_name(layout)),
        partition_style=layout.partition_style,
        device_use=DeviceUse.OS if holds_root else _summary(uses),
        size=layout.size,
        used_size=min(layout.size, sum(_used(partition) for partition in layout.partitions)),
        physical_volumes=[_physical_volume(partition, layout) for partition in layout.partitions],
        os_disk=holds_root,
        relation_name="",
    )


def _summary(uses: Sequence[DeviceUse]) -> DeviceUse:
    """Return the use of a disk without the root filesystem: that of its partitions where it's a special one."""
    special = (use for use in (DeviceUse.VOLUME_GROUP, DeviceUse.BTRFS) if use in uses)
    return next(special, DeviceUse.NORMAL)


def _use(partition: Partition) -> DeviceUse:
    if partition.mount_point == "/":
        return DeviceUse.OS
    if partition.filesystem == _LVM:
        return DeviceUse.VOLUME_GROUP
    if partition.filesystem == "btrfs":
        return DeviceUse.BTRFS
    is_boot = partition.mount_point in {"/boot", "/boot/efi", "/efi"} or partition.type_id in _BOOT_TYPES
    return DeviceUse.BOOT if is_boot else DeviceUse.NORMAL


def _used(partition: Partition) -> int:
    """Return what is in use as far as it's known; a partition that isn't mounted is copied whole."""
    return partition.size if partition.used_bytes is None else partition.used_bytes


def _physical_volume(partition: Partition, layout: DiskLayout) -> PhysicalVolume:
    return PhysicalVolume(
        device_use=_use(partition),
        file_system=_text(partition.filesystem),
        index=partition.index,
        mount_point=_text(partition.mount_point or ""),
        name=_text(partition.device or f"{device_name(layout)}#{partition.index}"),
        size=partition.size,
        used_size=min(partition.size, _used(partition)),
        uuid=_text(partition.uuid),
    )


def _btrfs_list(layouts: Sequence[DiskLayout]) -> list[BtrfsFileSystem]:
    """Return each btrfs filesystem once, with all the devices that it was found on."""
    found: dict[str, list[Partition]] = {}
    for partition in (partition for layout in layouts for partition in layout.partitions):
        if partition.filesystem == "btrfs":
            found.setdefault(partition.uuid or partition.device, []).append(partition)
    return [
        BtrfsFileSystem(
            name=_text(members[0].label or members[0].uuid),
            label=_text(members[0].label),
            uuid=_text(members[0].uuid),
            device=_text(";".join(member.device for member in members)),
            size=sum(_used(member) for member in members),
            default_subvol_mountpath=_text(members[0].mount_point or ""),
            subvolumes=[],
        )
        for members in found.values()
    ]


def _network(interface: Interface) -> Network:
    return Network(
        name=_text(interface.name),
        ip=interface.ip,
        ipv6=interface.ipv6,
        netmask=interface.netmask,
        gateway=interface.gateway,
        mtu=interface.mtu,
        mac=interface.mac,
    )


def _text(value: str, longest: int = 255) -> str:
    """Cut *value* to the field's length; a surrogate of a name that is no UTF-8 becomes a question mark."""
    return value.encode("utf-8", "replace").decode()[:longest]
