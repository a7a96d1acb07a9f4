"""What is opened on an appliance's disks: LUKS where there's a key, by the names of the system, in all layers."""

from pathlib import Path

import pytest

from tests.unit.boot.fake_appliance import FakeAppliance, ext4, luks, physical_volume
from wherry.boot.errors import LuksKeyRefused, LuksKeyUnusable
from wherry.boot.guestfs.volumes import Volumes
from wherry.boot.luks_keys import KeyFolder
from wherry.boot.places import Blocks

LOCKED, ROOT, DATA = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "abc")
ARRAY = b"a584d941:85724736:89ff4c50:74a811ea"


@pytest.fixture
def keys(tmp_path: Path) -> KeyFolder:
    (tmp_path / LOCKED).write_bytes(b"sesame\n")
    (tmp_path / LOCKED).chmod(0o600)
    return KeyFolder(tmp_path)


def found(blocks: Blocks) -> dict[str, str]:
    return {each.device: each.type for each in blocks.filesystems}


def lvm_in_luks() -> FakeAppliance:
    group = {b"/dev/vg/root": ext4(ROOT)}
    return FakeAppliance(
        {b"/dev/sda": luks(LOCKED), b"/dev/sdb": ext4(DATA)},
        groups={b"/dev/mapper/pv": group, f"/dev/mapper/luks-{LOCKED}".encode(): group},
        locked={b"/dev/sda": (b"sesame", physical_volume())},
    )


def test_without_keys_it_stays_locked() -> None:
    appliance = lvm_in_luks()
    blocks = Volumes(appliance, [b"/dev/sda", b"/dev/sdb"], None).open({})
    assert found(blocks) == {"/dev/sda": "crypto_LUKS", "/dev/sdb": "ext4"}
    assert [each.opened_as for each in blocks.filesystems] == ["", ""]
    assert appliance.tried == []


def test_what_has_a_key_is_opened_and_what_is_in_it_too(keys: KeyFolder) -> None:
    appliance = lvm_in_luks()
    volumes = Volumes(appliance, [b"/dev/sda", b"/dev/sdb"], keys)
    blocks = volumes.open({})
    named = f"/dev/mapper/luks-{LOCKED}"
    assert found(blocks) == {
        "/dev/sda": "crypto_LUKS",
        "/dev/sdb": "ext4",
        "/dev/vg/root": "ext4",
        named: "LVM2_member",
    }
    assert blocks.filesystems[0].opened_as == named
    assert not volumes.called_otherwise(blocks, {})
    assert volumes.called_otherwise(blocks, {LOCKED: "pv"})
    volumes.close()
    blocks = volumes.open({LOCKED: "pv"})
    assert blocks.filesystems[0].opened_as == "/dev/mapper/pv"
    assert found(blocks)["/dev/vg/root"] == "ext4"
    assert not volumes.called_otherwise(blocks, {LOCKED: "pv"})


@pytest.mark.parametrize("name", ["", "../sda", "-x", "a b", "x" * 200])
def test_a_name_that_is_none_is_not_taken(keys: KeyFolder, name: str) -> None:
    blocks = Volumes(lvm_in_luks(), [b"/dev/sda"], keys).open({LOCKED: name})
    assert blocks.filesystems[0].opened_as == f"/dev/mapper/luks-{LOCKED}"


def test_luks_in_lvm_is_closed_from_the_inside(keys: KeyFolder) -> None:
    appliance = FakeAppliance(
        {b"/dev/sda": physical_volume()},
        groups={b"/dev/sda": {b"/dev/vg/root": luks(LOCKED)}},
        locked={b"/dev/vg/root": (b"sesame", ext4(ROOT))},
    )
    volumes = Volumes(appliance, [b"/dev/sda"], keys)
    assert found(volumes.open({}))[f"/dev/mapper/luks-{LOCKED}"] == "ext4"
    volumes.close()
    assert found(volumes.open({LOCKED: "root"}))["/dev/mapper/root"] == "ext4"


def test_a_key_that_does_not_open_is_refused_with_the_volumes_place(tmp_path: Path, keys: KeyFolder) -> None:
    (tmp_path / LOCKED).write_bytes(b"other\n")
    appliance = lvm_in_luks()
    with pytest.raises(LuksKeyRefused, match=rf"{LOCKED} \(disk 0\)"):
        Volumes(appliance, [b"/dev/sda"], keys).open({})
    assert appliance.tried == [b"other", b"other\n"]


def test_a_key_that_others_can_read_is_not_tried(tmp_path: Path, keys: KeyFolder) -> None:
    (tmp_path / LOCKED).chmod(0o644)
    appliance = lvm_in_luks()
    with pytest.raises(LuksKeyUnusable):
        Volumes(appliance, [b"/dev/sda"], keys).open({})
    assert appliance.tried == []


def test_another_failure_than_a_wrong_key_is_told_as_it_is(keys: KeyFolder) -> None:
    class Small(FakeAppliance):
        def open_encrypted(self, device: bytes, key: bytes, name: bytes) -> None:
            raise OSError(f"{device!r} {len(key)} {name!r}: not enough memory")

    with pytest.raises(OSError, match="not enough memory"):
        Volumes(Small({b"/dev/sda": luks(LOCKED)}), [b"/dev/sda"], keys).open({})


def test_an_array_has_the_names_of_udev_and_is_read_once() -> None:
    appliance = FakeAppliance({b"/dev/sda": ext4(DATA)}, arrays={b"/dev/md127": (ARRAY, ext4(ROOT))})
    volumes = Volumes(appliance, [b"/dev/sda"], None)
    array = volumes.open({}).filesystems[1]
    assert (array.device, array.names) == ("/dev/md127", (f"/dev/disk/by-id/md-uuid-{ARRAY.decode()}",))
    before = appliance.reads
    volumes.open({})
    assert appliance.reads == before


def test_two_disks_that_are_the_same_are_not_opened_by_one_name(keys: KeyFolder) -> None:
    content = (b"sesame", ext4(ROOT))
    appliance = FakeAppliance(
        {b"/dev/sda": luks(LOCKED), b"/dev/sdb": luks(LOCKED)}, locked={b"/dev/sda": content, b"/dev/sdb": content}
    )
    blocks = Volumes(appliance, [b"/dev/sda", b"/dev/sdb"], keys).open({})
    assert [bool(each.opened_as) for each in blocks.filesystems] == [True, False, False]
