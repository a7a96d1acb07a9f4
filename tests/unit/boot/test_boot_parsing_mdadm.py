"""mdadm's configuration: where it looks, and what it calls its arrays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.boot.guest import GuestFilesystem
from wherry.boot.naming import volume
from wherry.boot.parsing.mdadm import array_names, look_at_all, looked_at, names_of
from wherry.boot.places import Blocks, array_identity, array_partition, with_array_names

IDENTITY, OTHER = "a584d941:85724736:89ff4c50:74a811ea", "00000000:00000000:00000000:00000001"
CONFIGURATION = f"""\
# DEVICE /dev/no
DEVICE /dev/sda1
   /dev/sdb1
HOMEHOST <system>
ARRAY /dev/md0 metadata=1.2 UUID={IDENTITY} name=server:0
ARRAY /dev/md/home level=raid1
    UUID={OTHER.upper()}
ARRAY <ignore> UUID=1:2:3:4
"""


def test_a_configuration_is_read_and_changed() -> None:
    assert looked_at(CONFIGURATION) == ["/dev/sda1", "/dev/sdb1"]
    changed = look_at_all(CONFIGURATION)
    assert looked_at(changed) == ["partitions", "containers"]
    assert array_names(changed) == array_names(CONFIGURATION)
    assert array_names(CONFIGURATION) == {
        IDENTITY.replace(":", ""): "/dev/md0",
        OTHER.replace(":", ""): "/dev/md/home",
    }


@pytest.mark.parametrize(
    ("array", "names"),
    [
        ("server:0", ["/dev/md/0", "/dev/md0"]),
        ("home", ["/dev/md/home"]),
        ("a:b:c", []),
        ("", []),
        ("x/../y", []),
    ],
)
def test_what_an_array_is_called_by_its_own_superblock(array: str, names: list[str]) -> None:
    assert names_of(array) == names


def test_a_volume_is_found_by_the_name_that_the_configuration_gives_it() -> None:
    found = GuestFilesystem("/dev/md127", "ext4", "aa", "", names=(array_identity(IDENTITY), "/dev/md/0"))
    blocks = with_array_names(CONFIGURATION, Blocks((), [found]))
    for name in ("/dev/md127", "/dev/md0", "/dev/md/0", f"/dev/disk/by-id/md-uuid-{IDENTITY}"):
        assert volume(name, blocks) == blocks.filesystems[0]
    assert volume("/dev/md/home", blocks) is None


def test_a_partition_of_an_array_is_found_by_the_arrays_name() -> None:
    names = tuple(array_partition(name, 2) for name in (array_identity(OTHER), "/dev/md/0"))
    found = GuestFilesystem("/dev/md126p2", "ext4", "aa", "", names=names)
    blocks = with_array_names(CONFIGURATION, Blocks((), [found]))
    for name in ("/dev/md/home2", "/dev/md/0p2", f"/dev/disk/by-id/md-uuid-{OTHER}-part2"):
        assert volume(name, blocks) == blocks.filesystems[0]
    assert volume("/dev/md/home", blocks) is None


@given(st.text())
def test_no_configuration_is_an_obstacle(text: str) -> None:
    assert with_array_names(text, Blocks((), [])).filesystems == []
    assert looked_at(look_at_all(text)) in ([], ["partitions", "containers"] * len(looked_at(look_at_all(text))[::2]))
