"""Which files the source is filled with."""

from pathlib import Path

from demo.content import BLOCK, choose_files, room_of, roots_for
from demo.verification import split_ranges


def test_files_are_chosen_in_order_until_the_budget_is_used(tmp_path: Path) -> None:
    for name, size in (("a", 5000), ("b", 100_000), ("c", 10)):
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / "link").symlink_to("a")
    chosen = choose_files([str(tmp_path)], room_of(5000) + room_of(10) + BLOCK)
    assert chosen == [str(tmp_path / name) for name in ("a", "c", "link")]


def test_no_two_filesystems_begin_with_the_same_files() -> None:
    assert roots_for(0)[0] != roots_for(1)[0]
    assert sorted(roots_for(0)) == sorted(roots_for(1))


def test_split_ranges_keep_every_byte_in_order() -> None:
    assert split_ranges([(0, 10), (20, 21)], 4) == [(0, 4), (4, 8), (8, 10), (20, 21)]
