"""The survey of a live disk writes its own filesystems back, the ones without a map among them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.loopdisk import MIB, LoopDisk, Plan, obstacle
from wherry.agent.survey import OpenDisks
from wherry.disks.direct import aligned_buffer, open_reader
from wherry.disks.layout import read_layout

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]

MARK = b"not yet on the disk, but soon. "


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LoopDisk]:
    with LoopDisk(tmp_path, (Plan("ext4", 32 * MIB), Plan("btrfs", 128 * MIB))) as made:
        yield made


def is_on_the_medium(device: Path, words: bytes) -> bool:
    with open_reader(device) as reader, aligned_buffer(MIB) as buffer, memoryview(buffer) as view:
        for offset in range(0, reader.size, MIB):
            length = min(MIB, reader.size - offset)
            assert reader.read_into(view[:length], offset) == length
            if words in bytes(view[:length]):
                return True
    return False


@pytest.mark.parametrize("number", [0, 1])
def test_what_was_written_before_a_pass_is_read_by_it(disk: LoopDisk, number: int) -> None:
    disks = OpenDisks([read_layout(disk.device)])
    words = MARK * 1000 + str(number).encode()
    try:
        with disks.survey() as survey:
            assert sorted(survey.mount_points) == sorted(str(mount_point) for mount_point in disk.mount_points)
            (disk.mount_points[number] / "fresh").write_bytes(words)
            survey.used([0], flush=False)
            assert not is_on_the_medium(disk.device, words)
            survey.write_back()
            assert is_on_the_medium(disk.device, words)
    finally:
        disks.close()
