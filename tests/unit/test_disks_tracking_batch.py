"""Pages that outlive whoever was killed while he took them in."""

import contextlib
from pathlib import Path

from wherry.disks.tracking.batch import Batch

PAGE = b"\1" * 8 + b"\2" * 8 + b"content"


def fill(batch: Batch, numbers: range) -> None:
    for number in numbers:
        batch.pages[number][: len(PAGE)] = PAGE
    batch.note_used(len(numbers))


def die_with(batch: Batch, numbers: range) -> None:
    with contextlib.suppress(KeyboardInterrupt), batch.under_way():
        fill(batch, numbers)
        raise KeyboardInterrupt


def test_pages_that_were_dealt_with_are_not_left_over(tmp_path: Path) -> None:
    batch = Batch(tmp_path / "batch", 4096, 8)
    assert batch.left_over() == []
    with batch.under_way():
        fill(batch, range(3))
        assert len(batch.left_over()) == 3
    assert batch.left_over() == []
    batch.close()


def test_pages_of_a_killed_process_are_found_until_the_next_batch(tmp_path: Path) -> None:
    batch = Batch(tmp_path / "batch", 4096, 8)
    with batch.under_way():
        fill(batch, range(5))
    die_with(batch, range(2))
    again = Batch(tmp_path / "batch", 4096, 8)
    assert [bytes(page[: len(PAGE)]) for page in again.left_over()] == [PAGE] * 2
    assert len(Batch(tmp_path / "batch", 4096, 8).left_over()) == 2
    with again.under_way():
        assert again.left_over() == []
    assert Batch(tmp_path / "batch", 4096, 8).left_over() == []


def test_pages_of_another_size_are_of_no_use(tmp_path: Path) -> None:
    batch = Batch(tmp_path / "batch", 4096, 8)
    die_with(batch, range(2))
    assert Batch(tmp_path / "batch", 65536, 8).left_over() == []


def test_a_batch_without_a_file() -> None:
    batch = Batch(None, 4096, 2)
    with batch.under_way():
        fill(batch, range(2))
    assert batch.left_over() == []
    batch.close()
    batch.close()
