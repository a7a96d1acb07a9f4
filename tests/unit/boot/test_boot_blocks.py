"""What lies on disks, told from their bytes; where it belongs, told by fstab."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.boot.blocks import BlockDevice, partition_path, scan
from wherry.boot.errors import LayoutUnknown, NoSystem, VolumeLocked
from wherry.boot.guest import GuestDisk, GuestFilesystem
from wherry.boot.naming import is_known, volume
from wherry.boot.places import CONTAINERS, Place, find_root, places, volume_names, why_no_root
from wherry.disks.partitions import ReadAt

MIB = 1 << 20


def device(content: bytes, path: str = "/dev/loop0") -> BlockDevice:
    read: ReadAt = lambda offset, length: content[offset : offset + length]  # noqa: E731
    return BlockDevice(path, len(content), read)


def mbr(code: bytes = b"") -> bytearray:
    """Return a disk of 4 MiB with a swap on its second partition."""
    disk = bytearray(4 * MIB)
    disk[: len(code)] = code
    struct.pack_into("<I", disk, 440, 0xCAFE)
    struct.pack_into("<B3xB3xII", disk, 446, 0, 0x83, 2048, 2048)
    struct.pack_into("<B3xB3xII", disk, 462, 0, 0x82, 4096, 2048)
    disk[510:512] = b"\x55\xaa"
    swap = 2 * MIB
    disk[swap + 4086 : swap + 4096] = b"SWAPSPACE2"
    disk[swap + 1036 : swap + 1052] = bytes(range(16))
    return disk


def test_partitions_and_what_is_on_them() -> None:
    disks, filesystems = scan([device(bytes(mbr(b"\xebGRUB")))])
    assert (disks[0].table, disks[0].boot_code) == ("dos", "grub")
    assert [(each.number, each.device, each.part_uuid) for each in disks[0].partitions] == [
        (1, "/dev/loop0p1", "0000cafe-01"),
        (2, "/dev/loop0p2", "0000cafe-02"),
    ]
    (swap,) = filesystems
    assert (swap.type, swap.disk, swap.partition, swap.part_uuid) == ("swap", 0, 2, "0000cafe-02")
    assert swap.uuid == "00010203-0405-0607-0809-0a0b0c0d0e0f"


def test_whose_boot_code_a_disk_has() -> None:
    assert scan([device(bytes(mbr()))])[0][0].boot_code == ""
    assert scan([device(bytes(mbr(b"\xfa\x33")))])[0][0].boot_code == "other"
    assert scan([device(b"XFSB" + bytes(MIB))])[0][0].boot_code == ""


@given(st.lists(st.tuples(st.integers(0, 4 * MIB - 1), st.binary(min_size=1, max_size=20)), max_size=30))
def test_no_bytes_are_an_obstacle(changes: list[tuple[int, bytes]]) -> None:
    disk = mbr(b"\xebGRUB")
    for offset, content in changes:
        disk[offset : offset + len(content)] = content
    disks, filesystems = scan([device(bytes(disk))])
    assert len(disks) == 1
    assert all(each.disk == 0 for each in filesystems)


def test_names_of_partitions() -> None:
    assert partition_path("/dev/sda", 1) == "/dev/sda1"
    assert partition_path("/dev/nvme0n1", 1) == "/dev/nvme0n1p1"


class Landed:
    """A disk with a root, a home and a pool of two devices."""

    disks = (GuestDisk("/dev/loop0", 4 * MIB, "gpt"),)
    filesystems = (
        GuestFilesystem("/dev/loop0p1", "ext4", "aa", "ROOT", 0, 1, "p1"),
        GuestFilesystem("/dev/loop0p2", "xfs", "bb", "", 0, 2, "p2"),
        GuestFilesystem("/dev/loop0p3", "btrfs", "cc", "", 0, 3, "p3"),
        GuestFilesystem("/dev/loop0p4", "btrfs", "cc", "", 0, 4, "p4"),
        GuestFilesystem("/dev/loop0p5", "swap", "dd", "", 0, 5, "p5"),
        GuestFilesystem("/dev/the-group/var", "ext4", "ee", ""),
    )


def test_filesystems_are_mounted_after_what_they_are_mounted_on() -> None:
    landed = Landed()
    root = Place(landed.filesystems[0], "/")
    fstab = (
        "LABEL=ROOT / ext4 rw 0 1\nUUID=cc /srv/deep/er btrfs subvol=/@data,rw 0 0\nPARTUUID=P2 /srv xfs rw 0 2\n"
        "UUID=dd none swap sw\nUUID=ff /gone ext4 rw\ntmpfs /tmp tmpfs rw\n/dev/sda2 /srv/again xfs rw\n"
        "UUID=bb /../out xfs rw\n/srv /bound none bind\n/dev/mapper/the--group-var /var ext4 rw\n"
    )
    assert places(fstab, landed, root) == [
        root,
        Place(landed.filesystems[1], "/srv"),
        Place(landed.filesystems[5], "/var"),
        Place(landed.filesystems[1], "/srv/again"),
        Place(landed.filesystems[2], "/srv/deep/er", "@data"),
    ]
    assert is_known("UUID=CC", landed)
    assert not is_known("/dev/disk/by-uuid/ff", landed)


@pytest.mark.parametrize("name", ["/dev/the-group/var", "/dev/mapper/the--group-var"])
def test_a_volume_is_known_by_both_of_its_names(name: str) -> None:
    found = volume(name, Landed())
    assert found is not None
    assert found.uuid == "ee"
    assert volume("/dev/mapper/the-group-var", Landed()) is None


class Encrypted:
    """Two disks: a boot partition, an encrypted one that is open, and one that is locked."""

    disks = (GuestDisk("/dev/sda", 4 * MIB, "gpt"), GuestDisk("/dev/sdb", 4 * MIB, "gpt"))
    filesystems = (
        GuestFilesystem("/dev/sda1", "ext4", "aa", "", 0, 1, "p1"),
        GuestFilesystem("/dev/sda2", "crypto_LUKS", "bb", "", 0, 2, "p2", opened_as="/dev/mapper/root"),
        GuestFilesystem("/dev/sdb1", "crypto_LUKS", "cc", "", 1, 1, "p3"),
        GuestFilesystem("/dev/mapper/root", "LVM2_member", "dd", ""),
    )


def test_crypttab_tells_what_encrypted_volumes_are_called() -> None:
    crypttab = (
        "root UUID=bb none luks\nroot2 PARTUUID=p2 none\ndata /dev/sdb1 /key luks\n"
        "# a UUID=cc\nboot UUID=aa none\nswap /dev/sdz9 /dev/urandom swap\n"
    )
    assert volume_names(crypttab, Encrypted()) == {"bb": "root", "cc": "data"}


def test_why_there_is_no_root() -> None:
    assert find_root(Encrypted(), lambda _place: False) is None
    by_chroot = why_no_root(Encrypted(), CONTAINERS)
    assert isinstance(by_chroot, LayoutUnknown)
    assert "LUKS and LVM" in str(by_chroot)
    locked = why_no_root(Encrypted(), ())
    assert isinstance(locked, VolumeLocked)
    assert "cc (disk 1, partition 1)" in str(locked)
    assert "bb" not in str(locked)
    assert isinstance(why_no_root(Landed(), ()), NoSystem)


@given(st.text())
def test_no_crypttab_is_an_obstacle(text: str) -> None:
    assert volume_names(text, Encrypted()).keys() <= {"bb", "cc"}


@given(st.text())
def test_no_fstab_is_an_obstacle(text: str) -> None:
    landed = Landed()
    found = places(text, landed, Place(landed.filesystems[0], "/"))
    assert found[0].mount_point == "/"
