"""Reading block devices: past the page cache, at any offset, up to the last byte, and with words when they fail."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.loopdisk import MIB, LoopDisk, Plan, obstacle
from wherry.disks.direct import DiskReader, DiskReadFailed, aligned_buffer, open_reader
from wherry.process import ProgramFailed, run

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]


def attach(image: Path, *options: str) -> Path:
    return Path(run(["losetup", "--find", "--show", *options, str(image)]).decode().strip())


@pytest.fixture(params=[(512, 3 * MIB), (512, 3 * MIB + 512), (4096, 3 * MIB), (4096, 3 * MIB + 512)])
def device(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, bytes]]:
    """A loop device with the given sector size, and what it holds: whole sectors only."""
    sector_size, size = request.param
    content = os.urandom(size)
    image = tmp_path / "disk.img"
    image.write_bytes(content)
    try:
        node = attach(image, "--sector-size", str(sector_size))
    except ProgramFailed:
        pytest.skip(f"the kernel makes no loop device with sectors of {sector_size} bytes over {size} bytes")
    try:
        yield node, content[: size - size % sector_size]
    finally:
        run(["losetup", "--detach", str(node)])


def test_a_device_reads_like_its_bytes_wherever_one_asks(device: tuple[Path, bytes]) -> None:
    node, content = device
    with open_reader(node) as reader:
        assert isinstance(reader, DiskReader)
        assert reader.size == len(content)
        for offset in (
            0,
            1,
            511,
            4096,
            65536,
            MIB + 5,
            reader.size - 512,
            reader.size - 3,
            reader.size,
            reader.size + 9,
        ):
            for length in (0, 1, 512, 4096, 65536, MIB):
                expected = content[offset : offset + length]
                buffer = bytearray(length)
                assert reader.read_into(buffer, offset) == len(expected)
                assert bytes(buffer) == expected.ljust(length, b"\0")


def test_aligned_requests_up_to_the_end(device: tuple[Path, bytes]) -> None:
    node, content = device
    with open_reader(node) as reader, aligned_buffer(MIB) as buffer:
        whole = b""
        while len(whole) < reader.size:
            count = reader.read_into(buffer, len(whole))
            assert count == min(MIB, reader.size - len(whole))
            whole += buffer[:count]
    assert whole == content


def test_direct_reads_see_what_the_page_cache_of_the_device_hides(tmp_path: Path) -> None:
    """The reason for O_DIRECT: a filesystem writes past the device's cache, so that the latter grows stale."""
    with LoopDisk(tmp_path, (Plan("ext4", 32 * MIB),)) as disk:
        (partition,) = disk.partitions
        file = disk.mount_points[0] / "file"
        file.write_bytes(b"old" + bytes(MIB))
        run(["sync", "--file-system", str(file)])
        listing = run(["filefrag", "-v", "-b512", str(file)]).decode()
        place = partition.offset + 512 * int(listing.splitlines()[3].split(":")[2].split("..")[0])
        with disk.device.open("rb", buffering=0) as buffered, open_reader(disk.device) as direct:
            assert os.pread(buffered.fileno(), 3, place) == b"old"
            with file.open("r+b", buffering=0) as opened:
                opened.write(b"new")
                os.fsync(opened.fileno())
            assert os.pread(buffered.fileno(), 3, place) == b"old", "this kernel keeps the cache up to date"
            buffer = bytearray(3)
            direct.read_into(buffer, place)
            assert buffer == b"new"


def test_a_bad_sector_is_an_error_that_names_device_and_offset(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(os.urandom(2 * MIB))
    node = attach(image)
    try:
        with open_reader(node) as reader, aligned_buffer(65536) as buffer:
            os.truncate(image, MIB)  # the device keeps its size, but has nothing to read there any more
            assert reader.read_into(buffer, MIB - 65536) == 65536
            with pytest.raises(
                DiskReadFailed, match=f"{node}: reading 65536 bytes at offset {MIB} failed: Input/output"
            ):
                reader.read_into(buffer, MIB)
    finally:
        run(["losetup", "--detach", str(node)])
