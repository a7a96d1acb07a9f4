"""Real files of a replica: aligned or not, holes, reserved room, durable replacement."""

import errno
import os
import random
from pathlib import Path

import pytest

from wherry.disks.direct import aligned_buffer
from wherry.replication.errors import StorageFailed, StorageFull
from wherry.replication.storage import FileStorage

MIB = 1024 * 1024


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize(
    ("offset", "length"),
    [(0, MIB), (65_536, 65_536), (MIB, 3 * MIB + 4096), (65_536, 1536), (512, 4096), (8192, 4096 + 7), (100, 1)],
)
def test_what_is_written_is_read_back(tmp_path: Path, direct: bool, offset: int, length: int) -> None:
    path = tmp_path / "disk"
    expected = bytearray(random.Random(1).randbytes(6 * MIB + 777))
    path.write_bytes(expected)
    file = FileStorage().open(path, direct=direct)
    content = random.Random(2).randbytes(length)
    with aligned_buffer(4 * MIB) as buffer, memoryview(buffer) as view, view[:length] as aligned:
        aligned[:] = content
        file.write([aligned], offset)
    expected[offset : offset + length] = content
    file.sync()
    assert path.read_bytes() == expected
    again = random.Random(3).randbytes(length)
    file.write([memoryview(b"?" + again)[1:]], offset)
    expected[offset : offset + length] = again
    file.sync()
    file.forget_cache()
    assert path.read_bytes() == expected
    back = memoryview(bytearray(length))
    assert file.read_into(back, offset) == length
    assert back == again
    file.close()


def test_parts_are_written_one_after_the_other(tmp_path: Path) -> None:
    file = FileStorage().create(tmp_path / "log", 0)
    file.write([b"head", b"", bytearray(b"payload"), memoryview(b"tail")], 3)
    assert (tmp_path / "log").read_bytes() == b"\0\0\0headpayloadtail"
    file.close()


def test_zeroing_frees_the_room_and_keeps_the_size(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(b"x" * 4 * MIB)
    file = FileStorage().open(path, direct=True)
    file.sync()
    before = path.stat().st_blocks
    file.zero(MIB, 2 * MIB)
    file.zero(4 * MIB - 65_536, 65_536)
    assert path.read_bytes() == b"x" * MIB + bytes(2 * MIB) + b"x" * (MIB - 65_536) + bytes(65_536)
    assert path.stat().st_blocks < before
    file.close()


def test_where_holes_cant_be_made_zeros_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "disk"
    path.write_bytes(b"x" * 3 * MIB)
    file = FileStorage().open(path)

    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "no holes here")

    monkeypatch.setattr("wherry.replication.storage._punch", refuse)
    file.zero(4096, 2 * MIB + 1)
    assert path.read_bytes() == b"x" * 4096 + bytes(2 * MIB + 1) + b"x" * (MIB - 4097)
    file.close()


def test_where_direct_writes_turn_out_not_to_work_the_cache_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "disk"
    path.write_bytes(bytes(MIB))
    file = FileStorage().open(path, direct=True)
    write, direct = os.pwritev, file._direct

    def refuse(descriptor: int, parts: list[memoryview], offset: int) -> int:
        if descriptor == direct:
            raise OSError(errno.EINVAL, "Invalid argument")
        return write(descriptor, parts, offset)

    monkeypatch.setattr("os.pwritev", refuse)
    for start in (0, MIB // 4):
        file.write([b"x" * (MIB // 4)], start)
    assert path.read_bytes() == b"x" * (MIB // 2) + bytes(MIB // 2)
    file.close()


@pytest.mark.parametrize("refused", [False, True])
def test_aligned_reads_of_a_medium_go_past_the_cache_and_see_what_is_only_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    path = tmp_path / "disk"
    expected = bytearray(random.Random(1).randbytes(MIB + 777))
    path.write_bytes(expected)
    file = FileStorage().open(path, direct=True)
    read, direct, descriptors = os.preadv, file._direct, []

    def noting(descriptor: int, parts: list[memoryview], offset: int) -> int:
        descriptors.append(descriptor)
        if refused and descriptor == direct:
            raise OSError(errno.EINVAL, "Invalid argument")
        return read(descriptor, parts, offset)

    monkeypatch.setattr("os.preadv", noting)
    file.write([b"x" * 4096], 8192)
    expected[8192:12_288] = b"x" * 4096
    with aligned_buffer(MIB) as buffer, memoryview(buffer) as view:
        assert file.read_into(view[:65_536], 0) == 65_536
        assert view[:65_536] == expected[:65_536]
        assert file.read_into(view[:65_536], MIB - 4096) == 4096 + 777, "the file ends there"
        assert view[: 4096 + 777] == expected[MIB - 4096 :]
        assert file.read_into(view[:4096], 2 * MIB) == 0
    if direct >= 0:  # not on tmpfs
        assert descriptors.count(direct) == (1 if refused else 3)
    file.close()


def test_a_fresh_sparse_file_is_a_hole_and_a_written_one_isnt(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    with path.open("wb") as sparse:
        sparse.truncate(MIB)
    file = FileStorage().open(path)
    assert file.is_hole()
    file.write([b"x"], MIB // 2)
    assert not file.is_hole()
    file.close()


def test_a_created_file_has_its_room_reserved(tmp_path: Path) -> None:
    file = FileStorage().create(tmp_path / "table", MIB)
    assert file.size == MIB
    assert (tmp_path / "table").stat().st_blocks * 512 >= MIB
    assert [each.name for each in tmp_path.iterdir()] == ["table"]
    file.truncate(10)
    assert file.size == 10
    file.close()
    file.close()


def test_records_are_replaced_as_a_whole(tmp_path: Path) -> None:
    storage, path = FileStorage(), tmp_path / "record"
    assert storage.read_record(path) is None
    storage.write_record(path, b"one")
    storage.write_record(path, b"two")
    assert storage.read_record(path) == b"two"
    storage.remove(path)
    storage.remove(path)
    assert not storage.exists(path)


def test_failures_name_the_path(tmp_path: Path) -> None:
    storage = FileStorage()
    with pytest.raises(StorageFailed, match="nowhere"):
        storage.open(tmp_path / "nowhere")
    with pytest.raises(StorageFailed, match="table"):
        storage.create(tmp_path / "no" / "table", 10)
    with pytest.raises(StorageFailed):
        storage.read_record(tmp_path)
    (tmp_path / "file").write_bytes(b"x")
    read_only = os.open(tmp_path / "file", os.O_RDONLY)
    file = storage.open(tmp_path / "file")
    os.dup2(read_only, file._descriptor)
    os.close(read_only)
    with pytest.raises(StorageFailed):
        file.write([b"x"], 0)
    with pytest.raises(StorageFailed):
        file.truncate(0)
    file.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_room_is_told_apart_from_a_broken_medium(number: int) -> None:
    error = StorageFailed.of(Path("/images/a"), OSError(number, "x"))
    assert isinstance(error, StorageFull)
    assert error.code == "WHERRY.2024"
    broken = StorageFailed.of(Path("/images/a"), OSError(errno.EIO, "x"))
    assert broken.code == "WHERRY.2023"
    assert "Input/output error" in broken.message


def test_a_file_that_cannot_fit_is_refused_before_it_takes_room(tmp_path: Path) -> None:
    figures = os.statvfs(tmp_path)
    with pytest.raises(StorageFull):
        FileStorage().create(tmp_path / "table", figures.f_bavail * figures.f_frsize + (1 << 30))
    assert list(tmp_path.iterdir()) == []
