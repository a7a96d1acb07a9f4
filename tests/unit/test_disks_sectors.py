"""The sectors of the stress writers name what is wrong with them."""

import random

import pytest

from tests.system.disks_sectors import SECTOR, Label, differences, label, stamped

NOISE = random.Random(1).randbytes
OLD = stamped("direct", 4096, 1024, 5, NOISE)
NEW = stamped("direct", 4096, 1024, 6, NOISE)
OTHER = stamped("uring", 512, 512, 6, NOISE)


def test_a_sector_says_what_it_is() -> None:
    assert label(NEW[:SECTOR]) == Label("direct", 4096, 6)
    assert label(NEW[SECTOR:]) == Label("direct", 4608, 6)


@pytest.mark.parametrize(
    ("copy", "words"),
    [
        (OLD, "stale: direct at 4608, number 5, the source direct at 4608, number 6"),
        (NEW[:SECTOR] + OTHER, "misplaced: the copy has uring at 512, number 6"),
        (NEW[:SECTOR] + NEW[SECTOR : SECTOR + 200] + OLD[SECTOR + 200 :], "the copy has torn"),
        (NEW[:SECTOR] + bytes(SECTOR), "the copy has no stamped sector"),
    ],
)
def test_what_is_stale_misplaced_or_torn_is_told_with_its_place(copy: bytes, words: str) -> None:
    *_, last = differences(copy, NEW, 1 << 20)
    assert last.startswith(f"byte {(1 << 20) + SECTOR}: ")
    assert words in last


def test_what_is_equal_is_not_told() -> None:
    assert list(differences(NEW, NEW, 0)) == []
