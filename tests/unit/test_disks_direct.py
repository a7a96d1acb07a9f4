"""Reading image files and refusing what is no disk. Block devices are read in the system tests."""

import ctypes
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.disks.direct import (
    DiskReader,
    DiskReadFailed,
    DiskShrank,
    ImageReader,
    NotADisk,
    aligned_buffer,
    open_reader,
)

CONTENT = bytes(range(251)) * 40


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("direct") / "disk.img"
    path.write_bytes(CONTENT)
    return path


@given(offset=st.integers(0, len(CONTENT) + 100), length=st.integers(0, len(CONTENT) + 100))
def test_an_image_reads_like_its_bytes(image: Path, offset: int, length: int) -> None:
    buffer = bytearray(length)
    with open_reader(image) as reader:
        count = reader.read_into(buffer, offset)
    assert count == len(CONTENT[offset : offset + length])
    assert bytes(buffer[:count]) == CONTENT[offset : offset + length]
    assert not any(buffer[count:])


def test_buffers_of_every_kind(image: Path) -> None:
    with ImageReader(image) as reader, aligned_buffer(4096) as memory:
        assert reader.read_into(memory, 100) == 4096
        assert memory[:] == CONTENT[100 : 100 + 4096]
        longer = bytearray(10)
        assert reader.read_into(memoryview(longer)[2:6], 7) == 4
        assert longer == bytes(2) + CONTENT[7:11] + bytes(4)


def test_aligned_buffers_start_at_a_page() -> None:
    with aligned_buffer(1 << 20) as memory:
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        assert address % os.sysconf("SC_PAGESIZE") == 0
        assert len(memory) == 1 << 20


def test_an_image_that_is_cut_while_it_is_open_is_an_error_that_names_the_offset(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(CONTENT)
    with ImageReader(path) as reader:
        os.truncate(path, 1000)
        assert reader.size == len(CONTENT)
        with pytest.raises(DiskShrank, match="ended at offset 1000"):
            reader.read_into(bytearray(500), 800)


def test_a_refusing_medium_is_an_error_that_names_offset_and_length(image: Path) -> None:
    reader = ImageReader(image)
    # A directory in the place of the file: the kernel answers every read of it with an error.
    os.dup2(os.open(image.parent, os.O_RDONLY), reader._descriptor)
    with pytest.raises(DiskReadFailed, match=r"reading 64 bytes at offset 4096 failed: Is a directory"):
        reader.read_into(bytearray(64), 4096)
    reader.close()


def test_what_is_no_disk_is_refused(tmp_path: Path) -> None:
    for path, reason in ((tmp_path, "neither"), (tmp_path / "gone", "No such file"), (Path("/dev/null"), "neither")):
        with pytest.raises(NotADisk, match=reason):
            open_reader(path)
    with pytest.raises(NotADisk):
        DiskReader(Path("/dev/null"))


def test_closing_twice_is_harmless(image: Path) -> None:
    reader = open_reader(image)
    reader.close()
    reader.close()
