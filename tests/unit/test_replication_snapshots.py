"""Snapshots of a checkpoint where the filesystem can't share blocks; those where it can are a system test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.replication_pair import MIB, Place, noise, source
from wherry.disks.extents import Extent
from wherry.replication.errors import CheckpointGone, SnapshotRefused, StorageFailed
from wherry.replication.sending import PassMemory
from wherry.replication.snapshots import reflink


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.close()


def test_only_the_newest_checkpoint_can_be_kept(place: Place) -> None:
    with pytest.raises(CheckpointGone):
        place.replica.snapshot(0, place.directory / "kept")
    disks = [source(noise(MIB, 1))]
    served = place.connect(disks)
    report = served.session.run_pass(0, disks, {0: [Extent(0, MIB)]}, PassMemory())
    served.session.commit(False, 1, report.covered)
    served.close()
    with pytest.raises(CheckpointGone):
        place.replica.snapshot(1, place.directory / "kept")
    assert not (place.directory / "kept").exists()


def test_where_it_cannot_be_done_nothing_is_left_and_the_fix_is_named(tmp_path: Path) -> None:
    image = tmp_path / "disk0.img"
    image.write_bytes(b"x" * 4096)
    # A folder shares no blocks with anything, on whatever filesystem the tests run.
    with pytest.raises((SnapshotRefused, StorageFailed)) as caught:
        reflink({0: image, 1: tmp_path}, tmp_path / "kept")
    assert caught.value.fix
    assert list((tmp_path / "kept").iterdir()) == []
