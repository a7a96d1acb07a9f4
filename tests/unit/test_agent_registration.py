"""The registration's body from made-up facts."""

from dataclasses import replace
from pathlib import Path

import msgspec

from wherry.agent.host import HostFacts, Interface
from wherry.agent.registration import disk_info, registration
from wherry.contract.enumerations import DeviceUse
from wherry.contract.sources import Registration
from wherry.disks.layout import DiskLayout, Partition

NIC = Interface("eth0", "02:00:00:00:00:01", "10.0.0.5", "255.255.255.0", "fd00::5", "10.0.0.1", 1500)
HOST = HostFacts(
    hostname="web-1",
    os_version="DEBIAN_12_64BIT",
    kernel_version="6.1.0",
    architecture="x86_64",
    release_type="debian",
    release_version="12",
    firmware="UEFI",
    cpu_quantity=4,
    memory_mb=2048,
    boot_loader="GRUB",
    paravirtualization=False,
    has_rsync=True,
    has_tc=False,
    platform="other",
    interfaces=(NIC,),
)
GIB = 1 << 30


def partition(
    index: int, *, filesystem: str = "ext4", mount_point: str | None = None, used: int | None = None
) -> Partition:
    return Partition(
        index=index,
        start=index << 20,
        size=GIB,
        type_id="0fc63daf-8483-4772-8e79-3d69d8477de4",
        filesystem=filesystem,
        uuid=f"uuid-{index}",
        label="",
        mount_point=mount_point,
        used_bytes=used,
        device=f"/dev/vda{index}",
    )


def disk(*partitions: Partition) -> DiskLayout:
    return DiskLayout(Path("/dev/vda"), "vda", 8 * GIB, 512, "GPT", partitions, device_number=0xFE00)


def test_the_body_names_server_network_and_system() -> None:
    body = registration(HOST, [disk()], name="", agent_version="1.2")
    assert (body.name, body.hostname, body.ip, body.ipv6) == ("web-1", "web-1", "10.0.0.5", "fd00::5")
    assert (body.os_type, body.os_version, body.firmware, body.memory) == ("LINUX", "DEBIAN_12_64BIT", "UEFI", 2048)
    assert body.networks is not None
    assert body.networks[0].mac == "02:00:00:00:00:01"
    assert registration(HOST, [disk()], name="other", agent_version="1.2").name == "other"


def test_what_the_reference_wants_of_a_linux_is_always_there() -> None:
    document = msgspec.to_builtins(registration(HOST, [disk()], name="", agent_version="1.2"))
    for field in (
        "btrfs_list", "volume_groups", "has_rsync", "has_tc", "paravirtualization", "raw_devices", "boot_loader",
        "linux_block_check", "disks", "networks", "agent_version",
    ):  # fmt: skip
        assert field in document, field


def test_the_body_obeys_its_own_limits_however_long_the_texts_are() -> None:
    host = replace(
        HOST, hostname="h" * 300, os_version="o" * 300, kernel_version="k" * 300, release_type="\udcff" * 300
    )
    wild = replace(partition(1, mount_point="/" + "m" * 400, used=5), uuid="u" * 300, device="/dev/" + "d" * 300)
    raw = msgspec.json.encode(registration(host, [disk(wild)], name="n" * 300, agent_version="1" * 300))
    assert len(msgspec.json.decode(raw, type=Registration).name) == 64


def test_the_root_partition_makes_its_disk_the_system_disk() -> None:
    body = disk_info([disk(partition(1, mount_point="/boot"), partition(2, mount_point="/", used=1000))])
    assert body.disks is not None
    found = body.disks[0]
    assert (found.name, found.os_disk, found.device_use, found.partition_style) == (
        "/dev/vda",
        True,
        DeviceUse.OS,
        "GPT",
    )
    assert found.physical_volumes is not None
    assert [volume.device_use for volume in found.physical_volumes] == [DeviceUse.BOOT, DeviceUse.OS]
    assert found.physical_volumes[1].mount_point == "/"


def test_a_partition_that_is_not_mounted_counts_as_full() -> None:
    body = disk_info([disk(partition(1, used=100, mount_point="/srv"), partition(2))])
    assert body.disks is not None
    assert body.disks[0].used_size == 100 + GIB


def test_a_btrfs_over_two_disks_is_listed_once_with_both() -> None:
    one = replace(partition(1, filesystem="btrfs"), uuid="same", device="/dev/vda1")
    two = replace(partition(1, filesystem="btrfs"), uuid="same", device="/dev/vdb1")
    body = disk_info([disk(one), disk(two)])
    assert body.btrfs_list is not None
    assert [found.device for found in body.btrfs_list] == ["/dev/vda1;/dev/vdb1"]


def test_an_image_file_is_called_by_its_own_name() -> None:
    image = DiskLayout(Path("/srv/images/disk.img"), "disk.img", GIB, 512, "", ())
    body = disk_info([image])
    assert body.disks is not None
    assert (body.disks[0].name, body.disks[0].size, body.disks[0].physical_volumes) == ("disk.img", GIB, [])
