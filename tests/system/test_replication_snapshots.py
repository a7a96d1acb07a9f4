"""Snapshots of a checkpoint by reflink, on a filesystem that can."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.replication_pair import MIB, Place, noise, source
from wherry.disks.extents import Extent
from wherry.errors import WherryError
from wherry.process import run
from wherry.replication.errors import SnapshotRefused
from wherry.replication.sending import PassMemory

SIZE = 8 * MIB
WHOLE = {0: [Extent(0, SIZE)]}


@pytest.fixture(params=["xfs", "btrfs", "ext4"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a filesystem of this kind."""
    image, place = tmp_path / "fs.img", tmp_path / "fs"
    with image.open("wb") as file:
        file.truncate(400 * MIB)
    place.mkdir()
    try:
        run([f"mkfs.{request.param}", "-q", str(image)], timeout_s=60)
        run(["mount", "-o", "loop", str(image), str(place)], timeout_s=60)
    except (WherryError, OSError) as error:
        pytest.skip(f"no {request.param} here: {error}")
    yield place
    run(["umount", str(place)], timeout_s=60)


@pytest.mark.root
def test_a_snapshot_stays_while_the_replica_goes_on(folder: Path) -> None:
    place = Place(folder)
    try:
        disk = noise(SIZE, 1)
        disks = [source(disk)]
        served = place.connect(disks)
        session, memory = served.session, PassMemory()
        session.commit(True, 1, session.run_pass(0, disks, WHOLE, memory).covered)
        session.hold()
        kept = bytes(disk)
        if run(["stat", "-f", "-c", "%T", str(folder)], timeout_s=10).decode().strip() not in {"xfs", "btrfs"}:
            with pytest.raises(SnapshotRefused, match="No snapshot"):
                place.replica.snapshot(0, folder / "kept")
            assert list((folder / "kept").iterdir()) == []
            session.settle()
            served.close()
            return
        made = place.replica.snapshot(0, folder / "kept")
        assert list(made) == [0]
        disk[: 2 * MIB] = bytes(2 * MIB)
        disk[3 * MIB : 4 * MIB] = b"new " * (MIB // 4)
        session.commit(True, 2, session.run_pass(1, disks, WHOLE, memory).covered)
        session.settle()
        served.close()
        assert place.image() == disk
        assert made[0].read_bytes() == kept
    finally:
        place.close()
