"""Who writes most, from a made-up /proc."""

import os
from pathlib import Path

from wherry.disks.writers import Charged, Writer, busiest, sample


def add_process(proc: Path, pid: int, written: int, cancelled: int = 0, name: str = "a", started: int = 5) -> None:
    folder = proc / str(pid)
    folder.mkdir(exist_ok=True)
    (folder / "io").write_text(
        f"rchar: 1\nwchar: 2\nread_bytes: 3\nwrite_bytes: {written}\ncancelled_write_bytes: {cancelled}\n"
    )
    (folder / "stat").write_text(f"{pid} ({name}) S " + " ".join(map(str, range(4, 22))) + f" {started} 23 24\n")


def test_a_sample(tmp_path: Path) -> None:
    add_process(tmp_path, 7, 4096, name="my (odd) name")
    add_process(tmp_path, 8, 100, cancelled=300)
    (tmp_path / "9").mkdir()  # it ended just now
    (tmp_path / "10").mkdir()
    (tmp_path / "10" / "io").write_text("rubbish")
    (tmp_path / "10" / "stat").write_text("10 (a) S")
    (tmp_path / "self").mkdir()
    assert sample(tmp_path) == {7: Charged("my (odd) name", 4096, 5), 8: Charged("a", 0, 5)}


def test_the_busiest_between_two_samples() -> None:
    before = {1: Charged("a", 100, 5), 2: Charged("b", 100, 5), 3: Charged("c", 100, 5), 4: Charged("gone", 9, 5)}
    after = {1: Charged("a", 150, 5), 2: Charged("b", 100, 5), 3: Charged("new", 70, 6), 5: Charged("e", 300, 9)}
    assert busiest(before, after) == [Writer(5, "e", 300), Writer(3, "new", 70), Writer(1, "a", 50)]
    assert busiest(before, after, most=1) == [Writer(5, "e", 300)]
    assert busiest(after, after) == []


def test_this_process_is_there() -> None:
    assert sample()[os.getpid()].started > 0
