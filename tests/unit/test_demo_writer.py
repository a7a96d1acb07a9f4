"""The writer that never stops."""

import random
from pathlib import Path

import pytest

from demo.writer import GROWING, LARGEST_FILE, OPERATIONS, Scribbler, Tally, choose, read_tally

ROOM = 4 * LARGEST_FILE


def test_an_empty_directory_gets_a_file() -> None:
    assert choose(random.Random(0), files=0, held=0, room=ROOM) == "create"


def test_a_directory_that_is_over_its_room_shrinks() -> None:
    assert choose(random.Random(0), files=3, held=ROOM + 1, room=ROOM) == "delete"


def test_nothing_grows_when_little_room_is_left() -> None:
    chance = random.Random(0)
    chosen = {choose(chance, files=9, held=ROOM - 1, room=ROOM) for _ in range(500)}
    assert chosen == set(OPERATIONS) - set(GROWING)


@pytest.mark.parametrize("seed", range(5))
def test_what_it_remembers_is_what_lies_in_the_directory(tmp_path: Path, seed: int) -> None:
    tally = Tally()
    scribbler = Scribbler(tmp_path, ROOM, random.Random(seed), tally)
    written = sum(scribbler.step() for _ in range(400))
    assert {path.name: path.stat().st_size for path in tmp_path.iterdir()} == scribbler.sizes
    assert tally == Tally(operations=400, written=written)
    assert written > 0


def test_it_stays_near_its_room(tmp_path: Path) -> None:
    scribbler = Scribbler(tmp_path, ROOM, random.Random(7), Tally())
    for _ in range(600):
        scribbler.step()
        assert sum(scribbler.sizes.values()) <= ROOM + LARGEST_FILE


def test_a_burst_adds_incompressible_bytes(tmp_path: Path) -> None:
    tally = Tally()
    scribbler = Scribbler(tmp_path, ROOM, random.Random(0), tally)
    scribbler.burst(3_000_000)
    scribbler.burst(1000)
    assert sorted(path.stat().st_size for path in tmp_path.iterdir()) == [1000, 3_000_000]
    assert len(set((tmp_path / "burst-0").read_bytes()[:4096])) > 200
    assert (tally.bursts, tally.written) == (2, 3_001_000)


def test_a_writer_that_has_not_begun_has_done_nothing(tmp_path: Path) -> None:
    assert read_tally(tmp_path / "missing.json") == Tally()
