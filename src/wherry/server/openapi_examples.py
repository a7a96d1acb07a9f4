"""Examples for the OpenAPI document, one for every body and every parameter of a path.

They fit together: the task is for the source that is registered, and the ids are the same everywhere, so that who sends
one after the other from the explorer sees a migration. Tests decode each with its struct and send the chain.
"""

from collections.abc import Mapping
from typing import Any

from wherry.server import openapi_access_examples

_GIB = 1 << 30
SOURCE_ID = "3e1f6c1a-5d0b-4a53-9a0e-6a3a0f6f2c11"
TASK_ID = "8c4b2d7e-1f3a-4e6b-b1c9-0d5e7f9a2b44"
TEMPLATE_ID = "d2a9c0b6-7e58-4c1d-8f37-5b6a4c3d2e1f"
PROJECT_ID = "5f7d3b1c-9a8e-4d2f-a6b4-1c0e2d4f6a88"
ORDER_ID = "4b1e9a77-6c52-4d0f-9f8e-2a7c3d1b5e60"
RECEIVER_ID = "b7c6d5e4-3f2a-4b1c-9d8e-7f6a5b4c3d2e"

PARAMETERS: Mapping[str, Any] = {
    "source_id": SOURCE_ID,
    "server_id": SOURCE_ID,
    "task_id": TASK_ID,
    "id": TEMPLATE_ID,
    "mig_project_id": PROJECT_ID,
    "receiver_id": RECEIVER_ID,
    "order_id": ORDER_ID,
    "rehearsal_id": ORDER_ID,
    "subscription_id": "5e4f3a2b-1c0d-4e9f-8a7b-6c5d4e3f2a1b",
    "delivery_id": "6f5a4b3c-2d1e-4fa0-9b8c-7d6e5f4a3b2c",
    "version": "v3",
    "checkpoint": 3,
    "code": "SMS.0515",
    **openapi_access_examples.PARAMETERS,
}
"""Examples of the parameters of paths, by name."""

_PARTITION = {
    "name": "/dev/vda1",
    "index": 1,
    "device_use": "OS",
    "file_system": "ext4",
    "mount_point": "/",
    "size": 20 * _GIB,
    "used_size": 7 * _GIB,
    "uuid": "0f3f9f0e-6f0a-4a5c-8a7e-1f5f3f3f3f3f",
}
_DISK = {
    "name": "/dev/vda",
    "partition_style": "GPT",
    "device_use": "BOOT",
    "size": 21 * _GIB,
    "used_size": 7 * _GIB,
    "physical_volumes": [_PARTITION],
}
_TARGET_DISK = {
    "name": "disk 0",
    "device_use": "BOOT",
    "disk_id": "disk-0",
    "size": 21 * _GIB,
    "physical_volumes": [_PARTITION],
}
_NETWORK = {"name": "eth0", "ip": "192.0.2.10", "netmask": "255.255.255.0", "mac": "52:54:00:12:34:56", "mtu": 1500}
_TEMPLATE = {
    "name": "small",
    "is_template": True,
    "region": "region-1",
    "projectid": "0123456789abcdef0123456789abcdef",
    "availability_zone": "region-1a",
    "volumetype": "SSD",
    "flavor": "s3.medium.2",
    "vpc": {"id": "autoCreate", "name": "autoCreate", "cidr": "192.168.0.0/16"},
    "nics": [{"id": "autoCreate", "name": "autoCreate", "cidr": "192.168.0.0/24", "ip": ""}],
    "security_groups": [{"id": "autoCreate", "name": "autoCreate"}],
    "publicip": {"type": "5_bgp", "bandwidth_size": 5},
    "disk": [{"index": 0, "name": "system", "disktype": "SSD", "size": 40}],
}
_REHEARSAL = {
    "checks": [{"name": "shop answers", "command": "systemctl is-active shop", "timeout_s": 60}],
    "limit_s": 1800,
}
_HALF = {
    "checkpoint": 3,
    "taken_at": 1769592600000,
    "disks": [
        {
            "index": 0,
            "name": "/dev/vda",
            "size": 21 * _GIB,
            "granule_size": 65536,
            "covered": [[0, 114688]],
            "root": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        }
    ],
}

BODIES: Mapping[str, Any] = {
    "RegisterServer": {
        "name": "web-01",
        "hostname": "web-01",
        "ip": "192.0.2.10",
        "os_type": "LINUX",
        "os_version": "DEBIAN_12_64BIT",
        "agent_version": "1.0",
        "firmware": "BIOS",
        "boot_loader": "GRUB",
        "cpu_quantity": 2,
        "memory": 4096,
        "has_rsync": True,
        "has_tc": True,
        "paravirtualization": True,
        "raw_devices": "",
        "networks": [_NETWORK],
        "disks": [_DISK],
        "volume_groups": [],
        "btrfs_list": [],
    },
    "UpdateServerName": {"name": "web-01 (shop)"},
    "DeleteServers": {"ids": [SOURCE_ID]},
    "UpdateDiskInfo": {"disks": [_DISK], "volumegroups": [], "btrfs_list": []},
    "UpdateCopyState": {"copystate": "replicate", "migrationcycle": "replicating"},
    "UpdateCommandResult": {
        "command_name": "START",
        "result": "success",
        "result_detail": {"msg": "started", "task_id": TASK_ID},
    },
    "CreateTask": {
        "name": "move-web-01",
        "type": "MIGRATE_BLOCK",
        "os_type": "LINUX",
        "region_id": "region-1",
        "region_name": "region-1",
        "project_id": "0123456789abcdef0123456789abcdef",
        "project_name": "region-1",
        "source_server": {"id": SOURCE_ID},
        "target_server": {"name": "web-01-new", "vm_id": "vm-web-01-new", "disks": [_TARGET_DISK]},
        "exist_server": True,
        "migration_ip": "198.51.100.7",
        "syncing": True,
        "speed_limit": 0,
    },
    "UpdateTask": {"name": "move-web-01", "speed_limit": 400},
    "DeleteTasks": {"ids": [TASK_ID]},
    "UpdateTaskStatus": {"operation": "start"},
    "UpdateTaskSpeed": {
        "subtask_name": "MIGRATE_LINUX_BLOCK",
        "progress": 40,
        "replicatesize": 3 * _GIB,
        "totalsize": 7 * _GIB,
        "process_trace": "",
        "migrate_speed": 412.5,
        "compress_rate": 1.5,
        "remain_time": 90,
    },
    "UpdateSpeed": {"speed_limit": [{"start": "8:00", "end": "18:00", "speed": 100}]},
    "CollectLog": {"log_bucket": "logs"},
    "UploadSpecialConfigurationSetting": {"configurations": [{"config_key": "LINUX_CPU_LIMIT", "config_value": "50"}]},
    "UpdateConsistencyResult": {
        "consistency_result": [
            {
                "dir_check": "/srv",
                "num_total_files": 1200,
                "num_different_files": 0,
                "num_target_miss_files": 0,
                "num_target_more_files": 0,
            }
        ]
    },
    "ExportConsistencyResults": {"task_info": [{"task_id": TASK_ID, "source_id": SOURCE_ID, "source_name": "web-01"}]},
    "UpdateNetworkCheckInfo": {
        "domain_connectivity": True,
        "destination_connectivity": True,
        "network_delay": 1.5,
        "network_jitter": 0.2,
        "migration_speed": 950.0,
        "loss_percentage": 0.0,
        "cpu_usage": 12.5,
        "mem_usage": 30.0,
        "evaluation_result": "EXCELLENT",
    },
    "CreateTemplate": {"template": _TEMPLATE},
    "UpdateTemplate": {"template": _TEMPLATE},
    "DeleteTemplates": {"ids": [TEMPLATE_ID]},
    "CreateMigproject": {
        "name": "shop",
        "region": "region-1",
        "type": "MIGRATE_BLOCK",
        "description": "All servers of the shop",
    },
    "UpdateMigproject": {"description": "All servers of the old shop"},
    "CreateToken": {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": "user", "password": "password", "domain": {"name": "account"}}},
            },
            "scope": {"domain": {"name": "account"}},
        }
    },
    "CreateJoinToken": {"role": "agent", "expires_s": 3600},
    "Join": {"token": "the token of CreateJoinToken", "name": "web-01"},
    "UpdateReceiver": {
        "name": "hall-1",
        "data_host": "192.0.2.40",
        "data_port": 7443,
        "drivers": ["image"],
        "free_bytes": 500 * _GIB,
        "version": "0.1.0",
    },
    "UpdateReplication": {
        "phase": "syncing",
        "pass_number": 4,
        "disk_bytes": 21 * _GIB,
        "used_bytes": 7 * _GIB,
        "read_bytes": 7 * _GIB,
        "sent_bytes": 5 * _GIB,
        "checkpoint": 3,
        "rate_mbit": 412.5,
    },
    "StoreLog": {"taken_at": 1_760_000_000_000, "content": "H4sIAAAAAAAC/8tIzcnJ5wIAIDA6NgYAAAA="},
    "SubmitSourceHalf": _HALF,
    "SubmitReceiverHalf": _HALF,
    "BeginLanding": {"checkpoint": 3},
    "UpdateTargetMachine": {"vcpus": 2, "memory_mb": 4096, "disk_bus": "virtio-blk", "network": "dhcp"},
    "OrderRehearsal": _REHEARSAL,
    "UpdateRehearsalSettings": _REHEARSAL,
    "UpdateOrder": {"stage": "rehearsing", "progress": 40, "note": "the kernel has started", "checkpoint": 3},
    "CreateSubscription": {
        "name": "operations room",
        "kind": "webhook",
        "url": "https://hooks.example/wherry",
        "event_types": ["wherry.task.failed", "wherry.task.succeeded"],
    },
    "UpdateSubscription": {"event_types": ["wherry.task.failed"]},
    **openapi_access_examples.BODIES,
}
"""Examples of bodies, by operation."""
