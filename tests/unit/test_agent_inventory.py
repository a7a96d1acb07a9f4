"""Which disks are moved."""

from pathlib import Path

import pytest

from wherry.agent.errors import NoDisk
from wherry.agent.inventory import read_inventory
from wherry.disks.direct import NotADisk


def image(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(bytes(65536))
    return path


def test_named_disks_are_read_once_each_and_in_their_order(tmp_path: Path) -> None:
    one, two = image(tmp_path, "one"), image(tmp_path, "two")
    found = read_inventory([two, one, two], find=lambda: pytest.fail("nobody asked"))
    assert [layout.path for layout in found] == [two, one]


def test_a_link_leads_to_its_disk(tmp_path: Path) -> None:
    link = tmp_path / "by-id"
    link.symlink_to(image(tmp_path, "one"))
    found = read_inventory([link, tmp_path / "one", tmp_path / "." / "one"])
    assert [layout.path for layout in found] == [tmp_path / "one"]


def test_a_named_disk_must_be_there_and_a_found_one_may_fail(tmp_path: Path) -> None:
    good, bad = image(tmp_path, "good"), tmp_path / "bad"
    with pytest.raises(NotADisk):
        read_inventory([good, bad])
    assert [layout.path for layout in read_inventory([], find=lambda: [bad, good])] == [good]
    with pytest.raises(NoDisk):
        read_inventory([], find=lambda: [bad])
