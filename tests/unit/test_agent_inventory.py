"""Which disks are moved."""

from pathlib import Path

import pytest

from wherry.agent.errors import NoDisk
from wherry.agent.inventory import chosen, read_inventory
from wherry.contract.disk_choice import ChosenDisk
from wherry.contract.enumerations import SourceState
from wherry.contract.sources import SourceDetail
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


def test_what_the_user_left_out_is_not_moved(tmp_path: Path) -> None:
    layouts = read_inventory([image(tmp_path, name) for name in ("one", "two", "three")])

    def record(**wanted: bool | None) -> SourceDetail:
        disks = [ChosenDisk(name=name, need_migration=needed) for name, needed in wanted.items()]
        return SourceDetail(
            id="s", name="s", add_date=0, os_type="LINUX", state=SourceState.WAITING, connected=True, disks=disks
        )

    kept = chosen(layouts, record(one=True, two=False, three=None, four=False))
    assert [layout.name for layout in kept] == ["one", "three"]
    with pytest.raises(NoDisk):
        chosen(layouts, record(one=False, two=False, three=False))
