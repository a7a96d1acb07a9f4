"""Which disks are moved, and when they are looked at again."""

from pathlib import Path

import pytest

from wherry.agent.errors import NoDisk
from wherry.agent.inventory import Rota, read_inventory
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
    assert read_inventory([link])[0].path == tmp_path / "one"


def test_a_named_disk_must_be_there_and_a_found_one_may_fail(tmp_path: Path) -> None:
    good, bad = image(tmp_path, "good"), tmp_path / "bad"
    with pytest.raises(NotADisk):
        read_inventory([good, bad])
    assert [layout.path for layout in read_inventory([], find=lambda: [bad, good])] == [good]
    with pytest.raises(NoDisk):
        read_inventory([], find=lambda: [bad])


def test_a_rota_comes_round_and_can_be_put_off() -> None:
    now = [0.0]
    rota = Rota(100.0, lambda: now[0], lambda low, _high: low)
    assert not rota.due()
    now[0] = 90.0
    assert rota.due()
    assert not rota.due()
    now[0] = 179.0
    assert not rota.due()
    now[0] = 180.0
    assert rota.due()
    rota.postpone(10.0)
    now[0] = 189.0
    assert rota.due()


def test_no_two_agents_keep_the_same_rota() -> None:
    rotas = [Rota(1000.0, lambda: 0.0) for _ in range(5)]
    assert len({rota.next_at for rota in rotas}) > 1
