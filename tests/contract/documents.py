"""Documents with every field filled, in the words of the wire, for the contract tests."""

import base64
import gzip
import os
from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]

GIB = 1 << 30

LOGICAL_VOLUME: Json = {
    "block_count": 262144,
    "block_size": 4096,
    "file_system": "xfs",
    "inode_size": 512,
    "inode_nums": 524288,
    "device_use": "NORMAL",
    "mount_point": "/srv",
    "name": "/dev/data/srv",
    "size": 8 * GIB,
    "used_size": 3 * GIB,
    "free_size": 5 * GIB,
}
VOLUME_GROUP: Json = {
    "components": "/dev/vdb2;/dev/vdc",
    "free_size": 2 * GIB,
    "logical_volumes": [LOGICAL_VOLUME],
    "name": "data",
    "size": 10 * GIB,
}
PHYSICAL_VOLUME: Json = {
    "device_use": "OS",
    "file_system": "ext4",
    "index": 1,
    "mount_point": "/",
    "name": "/dev/vda1",
    "size": 20 * GIB,
    "used_size": 7 * GIB,
    "inode_size": 256,
    "inode_nums": 1310720,
    "uuid": "0f3f9f0e-6f0a-4a5c-8a7e-1f5f3f3f3f3f",
    "size_per_cluster": 4096,
}
DISK: Json = {
    "name": "/dev/vda",
    "partition_style": "GPT",
    "device_use": "BOOT",
    "size": 21 * GIB,
    "used_size": 7 * GIB,
    "physical_volumes": [PHYSICAL_VOLUME],
    "os_disk": True,
    "relation_name": "disk 0",
    "inode_size": 256,
}
BTRFS: Json = {
    "name": "archive",
    "label": "archive",
    "uuid": "1a2b3c4d-0000-4000-8000-000000000001",
    "device": "/dev/vdd",
    "size": 4 * GIB,
    "nodesize": 16384,
    "sectorsize": 4096,
    "data_profile": "single",
    "system_profile": "DUP",
    "metadata_profile": "DUP",
    "global_reserve1": "single",
    "g_vol_used_size": GIB,
    "default_subvolid": "5",
    "default_subvol_name": "FS_TREE",
    "default_subvol_mountpath": "/archive",
    "subvolumn": [
        {
            "uuid": "1a2b3c4d-0000-4000-8000-000000000002",
            "is_snapshot": "false",
            "subvol_id": "256",
            "parent_id": "5",
            "subvol_name": "home",
            "subvol_mount_path": "/archive/home",
        }
    ],
}
NETWORK: Json = {
    "name": "eth0",
    "ip": "192.0.2.10",
    "ipv6": "2001:db8::10",
    "netmask": "255.255.255.0",
    "gateway": "192.0.2.1",
    "mtu": 1500,
    "mac": "52:54:00:12:34:56",
    "id": "net-1",
}


def registration(name: str = "Web-01 ü", **changes: Any) -> Json:
    """Return the body of RegisterServer as a Linux agent fills it, each of another machine."""
    network = NETWORK | {"mac": "52:54:" + ":".join(f"{byte:02x}" for byte in os.urandom(4))}
    document: Json = {
        "ip": "192.0.2.10",
        "ipv6": "2001:db8::10",
        "name": name,
        "hostname": "web-01",
        "os_type": "LINUX",
        "os_version": "DEBIAN_12_64",
        "linux_block_check": '{"release_type": "debian", "release_version": "12", "architecture": "x86_64"}',
        "firmware": "UEFI",
        "cpu_quantity": 4,
        "memory": 16384,
        "disks": [DISK],
        "btrfs_list": [BTRFS],
        "networks": [network],
        "domain_id": "not looked at",
        "has_rsync": True,
        "paravirtualization": True,
        "raw_devices": "",
        "driver_files": True,
        "system_services": True,
        "account_rights": True,
        "boot_loader": "GRUB",
        "system_dir": "/",
        "volume_groups": [VOLUME_GROUP],
        "agent_version": "25.2.0",
        "kernel_version": "6.1.0-18-amd64",
        "migration_cycle": "setting",
        "state": "waiting",
        "oem_system": False,
        "start_type": "MANUAL",
        "io_read_wait": 1.25,
        "has_tc": True,
        "platform": "vmware",
    }
    return document | changes


TARGET_PARTITION: Json = {
    "device_use": "OS",
    "file_system": "ext4",
    "index": 1,
    "mount_point": "/",
    "name": "/dev/vda1",
    "size": 20 * GIB,
    "inode_size": 256,
    "used_size": 7 * GIB,
    "uuid": "0f3f9f0e-6f0a-4a5c-8a7e-1f5f3f3f3f3f",
}
TARGET_DISK: Json = {
    "device_use": "BOOT",
    "disk_id": "8d9b7f52-0000-4000-8000-00000000000a",
    "name": "disk 1",
    "physical_volumes": [TARGET_PARTITION],
    "size": 21 * GIB,
    "used_size": 7 * GIB,
}


def task(source_id: str, name: str = "move-web-01", **changes: Any) -> Json:
    """Return the body of CreateTask for a source, with an existing target of its own."""
    document: Json = {
        "name": name,
        "type": "MIGRATE_BLOCK",
        "start_target_server": False,
        "auto_start": False,
        "os_type": "LINUX",
        "source_server": {"id": source_id},
        "target_server": {
            "btrfs_list": [BTRFS],
            "disks": [TARGET_DISK],
            "name": "target-web-01",
            "vm_id": f"vm-{source_id}"[:36],
            "volume_groups": [VOLUME_GROUP],
        },
        "migration_ip": "198.51.100.7",
        "region_name": "Region One",
        "region_id": "region-1",
        "project_name": "region-1",
        "project_id": "0123456789abcdef0123456789abcdef",
        "priority": 2,
        "vm_template_id": "5a6b7c8d-0000-4000-8000-000000000001",
        "clonevm_template_id": "5a6b7c8d-0000-4000-8000-000000000002",
        "use_public_ip": False,
        "use_ipv6": False,
        "syncing": True,
        "exist_server": True,
        "start_network_check": False,
        "speed_limit": 800,
        "over_speed_threshold": 50.5,
        "is_need_consistency_check": False,
        "need_migration_test": False,
    }
    return document | changes


def progress(subtask: str, percent: int, **changes: Any) -> Json:
    """Return the body of UpdateTaskSpeed with every field filled."""
    document: Json = {
        "subtask_name": subtask,
        "progress": percent,
        "replicatesize": 3 * GIB,
        "totalsize": 7 * GIB,
        "process_trace": "copying /dev/vda",
        "migrate_speed": 412.5,
        "compress_rate": 1.5,
        "remain_time": 90,
        "total_cpu_usage": 35.5,
        "agent_cpu_usage": 12.25,
        "total_mem_usage": 4096.5,
        "agent_mem_usage": 128.5,
        "total_disk_io": 250.5,
        "agent_disk_io": 200.25,
        "need_migration_test": False,
        "agent_time": "2026-01-28 09:30:00",
    }
    return document | changes


def as_registered(items: Sequence[Json]) -> list[Json]:
    """Return disks or volume groups of ShowServer as they were registered: without what the service adds to them."""
    added = {"id", "need_migration", "adjust_size"}
    return [
        {
            name: as_registered(value) if name in {"physical_volumes", "logical_volumes"} else value
            for name, value in item.items()
            if name not in added
        }
        for item in items
    ]


def agent_log(content: bytes) -> Json:
    """Return the body by which an agent hands a log in."""
    return {"taken_at": 1_760_000_000_000, "content": base64.b64encode(gzip.compress(content)).decode()}
