"""Doubles for the tests of replication: a storage that loses power, frames from plain bytes, disks in memory."""

import errno
import random
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from wherry.disks.direct import WritableBuffer
from wherry.replication import patches
from wherry.replication.codecs import Codec, Packer, Unpacker
from wherry.replication.errors import StorageFailed
from wherry.replication.frames import (
    FrameType,
    Header,
    Opened,
    control_header,
    data_digest,
    encode_header,
    index_of,
    open_frame,
    zero_header,
)
from wherry.replication.granules import GRANULE_SIZE, Buffer, as_digests, digest_of, granule_digests
from wherry.replication.messages import AnyMessage, encode
from wherry.replication.patches import BLOCK_SIZE, BLOCKS
from wherry.replication.stream import FrameStream

SECTOR = 512


class PowerCut(BaseException):
    """The machine died. Not an Exception, as no code may handle it."""


@dataclass
class SimulatedFile:
    """What a file holds now, what of it is durable, and the writes in between."""

    content: bytearray
    durable: bytes
    pending: list[tuple[int, bytes]] = field(default_factory=list)

    def sync(self) -> None:
        """Bring what was written since the last sync to the medium."""
        self.durable = bytes(self.after_power_cut(random.Random(0), 1.0).content)
        self.pending.clear()

    def fail_sync(self, chance: random.Random) -> None:
        """Lose some of what was written, while the cache goes on showing all of it, as Linux does."""
        self.durable = bytes(self.after_power_cut(chance, 0.5).content)
        self.pending.clear()

    def forget_cache(self) -> None:
        """Show what the medium holds, but for what is still to be written."""
        self.content[:] = self.after_power_cut(random.Random(0), 1.0).content

    def after_power_cut(self, chance: random.Random, kept: float) -> "SimulatedFile":
        """Return the file as the medium may hold it: each sector written since the last sync is there by *kept*."""
        left = bytearray(self.durable)
        for offset, data in self.pending:
            for start in range(0, len(data), SECTOR):
                if chance.random() >= kept:
                    continue
                piece = data[start : start + SECTOR]
                end = offset + start + len(piece)
                if end > len(left):
                    left.extend(bytes(end - len(left)))
                left[offset + start : end] = piece
        sizes = sorted({len(self.durable), len(self.content)})
        size = len(self.content) if kept == 1 else chance.choice(sizes) if kept else len(self.durable)
        del left[size:]
        left.extend(bytes(size - len(left)))
        return SimulatedFile(bytearray(left), bytes(left))


class SimulatedStorage:
    """Files in memory. The power goes at step *cut_at*; *refuse* may raise OSError for an operation on a path."""

    def __init__(self, files: dict[Path, SimulatedFile] | None = None, *, cut_at: int | None = None) -> None:
        self.files = {} if files is None else files
        self.steps = 0
        self.cut_at = cut_at
        self.refuse: Callable[[str, Path], int] = lambda _operation, _path: 0

    @property
    def is_dead(self) -> bool:
        return self.cut_at is not None and self.steps >= self.cut_at

    def step(self, operation: str, path: Path) -> None:
        self.steps += 1
        if self.cut_at is not None and self.steps >= self.cut_at:
            raise PowerCut
        number = self.refuse(operation, path)
        if number:
            raise StorageFailed.of(path, OSError(number, "refused"))

    def after_power_cut(self, seed: int, kept: float) -> "SimulatedStorage":
        chance = random.Random(seed)
        return SimulatedStorage({path: file.after_power_cut(chance, kept) for path, file in self.files.items()})

    def after_kill(self) -> "SimulatedStorage":
        """Return the storage as the next process finds it: what wasn't synced is there, but still not durable."""
        return SimulatedStorage(self.files)

    def make_disk(self, path: Path, size: int) -> Path:
        """Stand in for the receiver's making of an image."""
        if path not in self.files:
            self.files[path] = SimulatedFile(bytearray(size), bytes(size))
        return path

    def open(self, path: Path, *, direct: bool = False) -> "SimulatedDescriptor":  # noqa: ARG002
        if path not in self.files:
            raise StorageFailed.of(path, OSError(errno.ENOENT, "gone"))
        return SimulatedDescriptor(self, path)

    def create(self, path: Path, size: int) -> "SimulatedDescriptor":
        self.step("create", path)
        self.files[path] = SimulatedFile(bytearray(size), bytes(size))
        return SimulatedDescriptor(self, path)

    def exists(self, path: Path) -> bool:
        return path in self.files

    def read_record(self, path: Path) -> bytes | None:
        return bytes(self.files[path].content) if path in self.files else None

    def write_record(self, path: Path, content: bytes) -> None:
        self.step("record", path)
        self.files[path] = SimulatedFile(bytearray(content), content)

    def remove(self, path: Path) -> None:
        self.step("remove", path)
        self.files.pop(path, None)

    def sync_name(self, path: Path) -> None:
        self.step("name", path)


class SimulatedDescriptor:
    def __init__(self, storage: SimulatedStorage, path: Path) -> None:
        self._storage = storage
        self._path = path
        self._file = storage.files[path]

    @property
    def size(self) -> int:
        return len(self._file.content)

    def read_into(self, buffer: memoryview, offset: int) -> int:
        piece = self._file.content[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        return len(piece)

    def write(self, parts: Sequence[Buffer], offset: int) -> None:
        data = b"".join(bytes(part) for part in parts)
        # The cut comes with the write under way: it's pending, in whole or in part.
        self._put(offset, data)
        self._storage.step("write", self._path)

    def zero(self, offset: int, length: int) -> None:
        self._put(offset, bytes(length))
        self._storage.step("write", self._path)

    def _put(self, offset: int, data: bytes) -> None:
        if self._storage.is_dead:
            return
        content = self._file.content
        if offset + len(data) > len(content):
            content.extend(bytes(offset + len(data) - len(content)))
        content[offset : offset + len(data)] = data
        self._file.pending.append((offset, data))

    def sync(self) -> None:
        try:
            self._storage.step("sync", self._path)
        except StorageFailed:
            self._file.fail_sync(random.Random(self._storage.steps))
            raise
        self._file.sync()

    def truncate(self, size: int) -> None:
        self._storage.step("truncate", self._path)
        del self._file.content[size:]
        self._file.content.extend(bytes(size - len(self._file.content)))
        self._file.pending = [(offset, data) for offset, data in self._file.pending if offset < size]

    def forget_cache(self) -> None:
        self._file.forget_cache()

    def is_hole(self, start: int = 0) -> bool:
        return not any(self._file.content[start:])

    def close(self) -> None:
        return


def data_frame(disk: int, number: int, offset: int, data: bytes, *, pack: bool = True, sequence: int = 0) -> Opened:
    """Return a DATA frame as it comes out of the receiver's checks."""
    codec, payload = Packer().pack(memoryview(data)) if pack else (Codec.PLAIN, data)
    digests = granule_digests(data)
    digest = data_digest(digests, codec, payload)
    header = Header(FrameType.DATA, codec, disk, number, sequence, offset, len(data), len(payload), digest)
    return open_frame(header, encode_header(header), bytes(payload), Unpacker())


def gather_frame(disk: int, number: int, parts: Mapping[int, bytes], *, pack: bool = True, sequence: int = 0) -> Opened:
    """Return a GATHER frame of granules, by number, as it comes out of the receiver's checks."""
    header, payload = gather_as_sent(disk, number, parts, pack=pack, sequence=sequence)
    return open_frame(header, encode_header(header), payload, Unpacker())


def gather_as_sent(
    disk: int, number: int, parts: Mapping[int, bytes], *, pack: bool = True, sequence: int = 0
) -> tuple[Header, bytes]:
    """Return header and payload of a GATHER frame, whether it may be sent or not."""
    data, index = b"".join(parts.values()), index_of(np.array(list(parts), dtype=np.int64))
    content = data + index
    codec, payload = Packer().pack(memoryview(content)) if pack else (Codec.PLAIN, content)
    digest = data_digest(granule_digests(data), codec, payload, index)
    offset = next(iter(parts)) * GRANULE_SIZE
    header = Header(FrameType.GATHER, codec, disk, number, sequence, offset, len(content), len(payload), digest)
    return header, bytes(payload)


def patch_frame(
    disk: int, number: int, parts: Mapping[int, tuple[int, bytes]], *, pack: bool = True, sequence: int = 0
) -> Opened:
    """Return a PATCH frame as it comes out of the receiver's checks; see `patch_as_sent`."""
    header, payload = patch_as_sent(disk, number, parts, pack=pack, sequence=sequence)
    return open_frame(header, encode_header(header), payload, Unpacker())


def patch_as_sent(
    disk: int, number: int, parts: Mapping[int, tuple[int, bytes]], *, pack: bool = True, sequence: int = 0
) -> tuple[Header, bytes]:
    """Return header and payload of a PATCH frame, whether it may be sent or not.

    *parts*: by granule the mask of its blocks, and its content afterwards.
    """
    masks = np.array([mask for mask, _ in parts.values()], dtype=np.uint16)
    content = [bytes(data) for _, data in parts.values()]
    blocks = b"".join(
        data[block * BLOCK_SIZE : (block + 1) * BLOCK_SIZE]
        for mask, data in zip(masks.tolist(), content, strict=True)
        for block in range(BLOCKS)
        if mask >> block & 1
    )
    digests = as_digests(b"".join(granule_digests(data) for data in content))
    index = patches.index_of(np.array(list(parts), dtype=np.int64), masks, digests)
    return patch_of(disk, number, next(iter(parts)) * GRANULE_SIZE, blocks, index, pack=pack, sequence=sequence)


def patch_of(
    disk: int, number: int, offset: int, blocks: bytes, index: bytes, *, pack: bool = True, sequence: int = 0
) -> tuple[Header, bytes]:
    """Return header and payload of a PATCH frame with just this content."""
    raw = blocks + index
    codec, payload = Packer().pack(memoryview(raw)) if pack else (Codec.PLAIN, raw)
    digest = data_digest(digest_of(blocks), codec, payload, index)
    header = Header(FrameType.PATCH, codec, disk, number, sequence, offset, len(raw), len(payload), digest)
    return header, bytes(payload)


def zero_frame(disk: int, number: int, offset: int, length: int) -> Opened:
    """Return a ZERO frame."""
    header = zero_header(0, disk, number, offset, length)
    return open_frame(header, encode_header(header), b"", Unpacker())


def control_frame(message: AnyMessage, sequence: int = 0) -> tuple[bytes, bytes]:
    """Return a CONTROL frame: header and payload."""
    payload = encode(message)
    return encode_header(control_header(sequence, Codec.PLAIN, len(payload), payload)), payload


def pack_runs(runs: Sequence[tuple[int, int]]) -> bytes:
    """Return runs of granules as COVERED holds them."""
    return b"".join(struct.pack("<QQ", first, count) for first, count in runs)


class MemoryReader:
    """A disk in memory, as a BlockReader."""

    def __init__(self, content: bytearray) -> None:
        self.content = content
        self.reads: list[tuple[int, int]] = []
        self.fail_at: int | None = None

    @property
    def size(self) -> int:
        return len(self.content)

    def read_into(self, buffer: WritableBuffer, offset: int) -> int:
        if self.fail_at is not None and offset <= self.fail_at < offset + len(buffer):
            raise OSError(errno.EIO, "Input/output error")
        self.reads.append((offset, len(buffer)))
        piece = self.content[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        return


def note_frames(monkeypatch: pytest.MonkeyPatch) -> list[tuple[FrameType, int]]:
    """Have data frames noted as they are sent, and return where: type and bytes of disk of each."""
    frames: list[tuple[FrameType, int]] = []
    send = FrameStream.send_frame

    def noting(self: FrameStream, header: Header, *others: object) -> None:
        frames.append((header.type, header.disk_length))
        send(self, header, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(FrameStream, "send_frame", noting)
    return frames
