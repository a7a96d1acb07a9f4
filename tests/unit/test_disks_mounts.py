"""Reading mountinfo: the forms that the kernel writes, and anything else without an exception."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.disks import mounts as mounts_module
from wherry.disks.mounts import Mount, mounts_of_device, parse_mountinfo, read_mounts, unescape

_ESCAPED = {b" ": b"\\040", b"\t": b"\\011", b"\n": b"\\012", b"\\": b"\\134"}


def escape(name: bytes) -> bytes:
    """Write a name as the kernel's mangle() does."""
    return b"".join(_ESCAPED.get(bytes([byte]), bytes([byte])) for byte in name)


def mount(**changes: object) -> Mount:
    fields: dict[str, object] = {
        "mount_id": 1,
        "parent_id": 0,
        "major": 8,
        "minor": 1,
        "root": "/",
        "mount_point": "/",
        "options": "rw",
        "filesystem": "ext4",
        "source": "/dev/sda1",
    }
    return Mount(**(fields | changes))  # type: ignore[arg-type]


def test_a_line_with_optional_fields() -> None:
    line = b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 propagate_from:2 - ext3 /dev/root rw,errors=continue\n"
    assert parse_mountinfo(line) == [
        mount(
            mount_id=36,
            parent_id=35,
            major=98,
            minor=0,
            root="/mnt1",
            mount_point="/mnt2",
            options="rw,noatime",
            filesystem="ext3",
            source="/dev/root",
        )
    ]


def test_octal_escapes_in_names() -> None:
    line = rb"36 35 8:1 / /a\040b\011c\012d\134040 rw - ext4 /dev/disk\040one rw"
    (found,) = parse_mountinfo(line)
    assert found.mount_point == "/a b\tc\nd\\040"
    assert found.source == "/dev/disk one"


@given(st.binary(max_size=60).filter(lambda name: b"\0" not in name))
def test_every_name_survives_the_kernels_escaping(name: bytes) -> None:
    assert os.fsencode(unescape(escape(name))) == name


@given(st.binary(max_size=300))
def test_nonsense_is_left_out(content: bytes) -> None:
    assert all(isinstance(found, Mount) for found in parse_mountinfo(content))


@given(st.lists(st.sampled_from([b" ", b"-", b" - ", b"36", b"8:1", b":", b"/", b"\\040", b"\\9", b"\n", b"x"])))
def test_nearly_right_lines_raise_nothing(pieces: list[bytes]) -> None:
    parse_mountinfo(b"".join(pieces))


def test_a_name_with_digits_that_only_look_like_digits_is_left_out() -> None:
    assert parse_mountinfo("³ 35 8:1 / / rw - ext4 /dev/sda1 rw".encode()) == []


def test_this_process_has_a_root() -> None:
    assert any(found.mount_point == "/" for found in read_mounts())


def test_the_whole_filesystem_goes_before_bind_mounts_and_unreachable_ones(tmp_path: Path) -> None:
    here = tmp_path.stat().st_dev
    numbers = {"major": os.major(here), "minor": os.minor(here)}
    if not numbers["major"]:
        pytest.skip("the temporary directory lies on a filesystem without a device")
    file = tmp_path / "file"
    file.touch()
    gone = mount(mount_point=str(tmp_path / "gone"), **numbers)
    bind = mount(mount_point=str(tmp_path), root="/tmp", **numbers)
    bound_file = mount(mount_point=str(file), root="/etc/hosts", **numbers)
    whole = mount(mount_point=str(tmp_path.parent), **numbers)
    hidden = mount(mount_point="/proc", **numbers)
    other = mount(mount_point=str(tmp_path), major=numbers["major"], minor=numbers["minor"] + 1)
    found = mounts_of_device([gone, hidden, bound_file, bind, whole, other], here)
    assert found[:3] == [whole, bind, bound_file]
    assert set(found[3:]) == {gone, hidden}


def test_a_btrfs_is_known_by_the_path_that_it_was_mounted_from() -> None:
    # /dev/null has a number as block devices have; it stands in for one without root.
    number = Path("/dev/null").stat().st_rdev
    btrfs = mount(major=0, minor=47, filesystem="btrfs", source="/dev/null")
    lost = mount(major=0, minor=47, filesystem="btrfs", source="/dev/gone")
    proc = mount(major=0, minor=47, filesystem="proc", source="/dev/null")
    assert mounts_of_device([btrfs, lost, proc], number) == [btrfs]


def test_a_btrfs_on_several_devices_is_on_each_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    number, second, stranger = Path("/dev/null").stat().st_rdev, os.makedev(8, 33), os.makedev(8, 49)
    for fsid, members in (("a", {"sda": number, "sdb": second}), ("b", {"sdc": stranger}), ("features", {})):
        for name, device in members.items():
            (tmp_path / fsid / "devices" / name).mkdir(parents=True)
            (tmp_path / fsid / "devices" / name / "dev").write_text(f"{os.major(device)}:{os.minor(device)}\n")
    (tmp_path / "a" / "devices" / "gone").mkdir()
    monkeypatch.setattr(mounts_module, "_BTRFS", tmp_path)
    btrfs = mount(major=0, minor=47, filesystem="btrfs", source="/dev/null")
    assert mounts_of_device([btrfs], second) == [btrfs]
    assert mounts_of_device([btrfs], stranger) == []
