"""The files of a replica: positional reads and writes, holes, durability; every failure becomes a StorageFailed.

A Protocol, since tests bring a storage of their own that crashes, fills up and loses what wasn't synced.
Source: open(2) on O_EXCL and block devices, fallocate(2), fdatasync(2), posix_fadvise(2), Linux
include/uapi/linux/fs.h for BLKZEROOUT.
"""

import ctypes
import errno
import fcntl
import os
import stat
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from wherry import durable
from wherry.disks.direct import aligned_buffer
from wherry.replication.errors import StorageFailed
from wherry.replication.granules import EXTENT_SIZE, Buffer

_FALLOC_FL_KEEP_SIZE: Final = 1
_FALLOC_FL_PUNCH_HOLE: Final = 2
_BLKZEROOUT: Final = 0x127F
_BLKGETSIZE64: Final = 0x80081272
_ZEROS: Final = bytes(1024 * 1024)
_ALIGNMENT: Final = 4096
_LEAST_DIRECT: Final = 256 * 1024


class StoredFile(Protocol):
    """An open file or block device of the replica. Every method raises StorageFailed when the medium refuses."""

    @property
    def size(self) -> int:
        """The size in bytes."""

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill *buffer* from *offset* on; return the bytes read, fewer only where the file ends."""

    def write(self, parts: Sequence[Buffer], offset: int) -> None:
        """Write *parts* one after the other from *offset* on, as a whole."""

    def zero(self, offset: int, length: int) -> None:
        """Make *length* bytes read as zero, freeing their room where the file system can."""

    def sync(self) -> None:
        """Return when everything written is durable."""

    def truncate(self, size: int) -> None:
        """Cut the file to *size* bytes."""

    def forget_cache(self) -> None:
        """Make later reads come from the medium rather than from memory, as far as the kernel lets one."""

    def is_hole(self, start: int = 0) -> bool:
        """Tell whether the file has no data from *start* on, so that it reads as zeros there."""

    def close(self) -> None:
        """Release the file."""


class Storage(Protocol):
    """Where the files of a replica live. Every method raises StorageFailed when the medium refuses."""

    def open(self, path: Path, *, direct: bool = False) -> StoredFile:
        """Open an existing file or device for reading and writing; a device for this program alone.

        *direct*: read and write past the page cache where possible, as is right for much data that nobody reads soon.
        """

    def create(self, path: Path, size: int) -> StoredFile:
        """Make a file of *size* zero bytes, all of its room reserved, name and size durable; replaces an old one."""

    def exists(self, path: Path) -> bool:
        """Tell whether *path* is there."""

    def read_record(self, path: Path) -> bytes | None:
        """Return the content of the small file *path*; None when there is none."""

    def write_record(self, path: Path, content: bytes) -> None:
        """Replace the small file *path* durably: afterwards it's the old or the new one, never a mixture."""

    def remove(self, path: Path) -> None:
        """Remove *path* durably, if it's there."""

    def sync_name(self, path: Path) -> None:
        """Make the name of the file *path*, which somebody else made, durable."""


class FileStorage:
    """Real files."""

    def open(self, path: Path, *, direct: bool = False) -> "DescriptorFile":
        """Open an existing file or device for reading and writing; see `Storage.open`."""
        try:
            # The kernel refuses a device that is mounted or held, and from then on to mount it.
            alone = os.O_EXCL if stat.S_ISBLK(path.stat().st_mode) else 0
            return DescriptorFile(path, os.open(path, os.O_RDWR | os.O_CLOEXEC | alone), direct=direct)
        except OSError as error:
            raise StorageFailed.of(path, error) from error

    def create(self, path: Path, size: int) -> "DescriptorFile":
        """Make a file of *size* zero bytes, all of its room reserved, name and size durable; replaces an old one."""
        temporary = path.with_name(f".{path.name}.new")
        try:
            descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                if size:
                    _check_room(descriptor, size)
                    os.posix_fallocate(descriptor, 0, size)
                os.fsync(descriptor)
                temporary.replace(path)
                durable.sync_directory(path.parent)
            except BaseException:
                os.close(descriptor)
                temporary.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise StorageFailed.of(path, error) from error
        return DescriptorFile(path, descriptor)

    def exists(self, path: Path) -> bool:
        """Tell whether *path* is there."""
        return path.exists()

    def read_record(self, path: Path) -> bytes | None:
        """Return the content of the small file *path*; None when there is none."""
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageFailed.of(path, error) from error

    def write_record(self, path: Path, content: bytes) -> None:
        """Replace the small file *path* durably."""
        try:
            durable.write_file(path, content, mode=0o600)
        except OSError as error:
            raise StorageFailed.of(path, error) from error

    def remove(self, path: Path) -> None:
        """Remove *path* durably, if it's there."""
        try:
            path.unlink(missing_ok=True)
            durable.sync_directory(path.parent)
        except OSError as error:
            raise StorageFailed.of(path, error) from error

    def sync_name(self, path: Path) -> None:
        """Make the name of the file *path*, which somebody else made, durable."""
        try:
            durable.sync_directory(path.parent)
        except OSError as error:
            raise StorageFailed.of(path, error) from error


class DescriptorFile:
    """A file or block device behind a descriptor, which it owns. One thread at a time may write.

    Direct writes cost a tenth of the CPU time of buffered ones and don't push the host's own pages out of memory. Short
    ones are buffered all the same: one by one they'd wait for the device, while a sync hands over many at a time.
    Memory that isn't aligned for direct writes is copied first, which is still far cheaper. Reads are direct where
    place, length and memory are aligned; the kernel writes back before what of it is only in the cache.
    """

    def __init__(self, path: Path, descriptor: int, *, direct: bool = False) -> None:
        self.path = path
        self._descriptor = descriptor
        self._is_device = stat.S_ISBLK(os.fstat(descriptor).st_mode)
        self._direct = _open_direct(path) if direct else -1
        self._reads_direct = self._direct >= 0
        self._scratch = memoryview(aligned_buffer(EXTENT_SIZE)) if self._direct >= 0 else None

    @property
    def size(self) -> int:
        """The size in bytes."""
        if self._is_device:
            return int(struct.unpack("=Q", fcntl.ioctl(self._descriptor, _BLKGETSIZE64, bytes(8)))[0])
        return os.fstat(self._descriptor).st_size

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill *buffer* from *offset* on; return the bytes read, fewer only where the file ends."""
        done = 0
        try:
            if self._reads_direct and _is_aligned(buffer, offset):
                done = self._read_direct(buffer, offset)
            while done < len(buffer):
                count = os.preadv(self._descriptor, [buffer[done:]], offset + done)
                if not count:
                    break
                done += count
        except OSError as error:
            raise StorageFailed.of(self.path, error) from error
        return done

    def _read_direct(self, buffer: memoryview, offset: int) -> int:
        """Read past the page cache as much as comes at once; the rest may be less than a sector."""
        try:
            return os.preadv(self._direct, [buffer], offset)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self._reads_direct = False
            return 0

    def write(self, parts: Sequence[Buffer], offset: int) -> None:
        """Write *parts* one after the other from *offset* on, as a whole."""
        rest = [memoryview(part) for part in parts if len(part)]
        try:
            if self._scratch is not None and len(rest) == 1 and len(rest[0]) >= _LEAST_DIRECT:
                aligned = len(rest[0]) - len(rest[0]) % _ALIGNMENT if offset % _ALIGNMENT == 0 else 0
                if self._write_direct(rest[0][:aligned], offset, self._scratch):
                    offset += aligned
                    rest = [rest[0][aligned:]] if aligned < len(rest[0]) else []
            _write_all(self._descriptor, rest, offset)
        except OSError as error:
            raise StorageFailed.of(self.path, error) from error

    def _write_direct(self, view: memoryview, offset: int, scratch: memoryview) -> bool:
        """Write past the page cache; False when the file system turns out not to know how, and nothing may be there."""
        try:
            self._write_aligned(view, offset, scratch)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self._scratch = None
            return False
        return True

    def _write_aligned(self, view: memoryview, offset: int, scratch: memoryview) -> None:
        address = np.frombuffer(view, dtype=np.uint8).ctypes.data if view else 0
        while view:
            piece = view[: len(scratch)]
            if address % _ALIGNMENT:
                scratch[: len(piece)] = piece
                _write_all(self._direct, [scratch[: len(piece)]], offset)
            else:
                _write_all(self._direct, [piece], offset)
            view = view[len(piece) :]
            offset += len(piece)

    def zero(self, offset: int, length: int) -> None:
        """Make *length* bytes read as zero, freeing their room where the file system can."""
        try:
            if self._is_device:
                fcntl.ioctl(self._descriptor, _BLKZEROOUT, struct.pack("=QQ", offset, length))
            else:
                _punch(self._descriptor, offset, length)
        except OSError as error:
            if error.errno not in {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENOTTY}:
                raise StorageFailed.of(self.path, error) from error
            for start in range(offset, offset + length, len(_ZEROS)):
                self.write([memoryview(_ZEROS)[: min(len(_ZEROS), offset + length - start)]], start)

    def sync(self) -> None:
        """Return when everything written is durable."""
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            raise StorageFailed.of(self.path, error) from error

    def truncate(self, size: int) -> None:
        """Cut the file to *size* bytes."""
        try:
            os.ftruncate(self._descriptor, size)
        except OSError as error:
            raise StorageFailed.of(self.path, error) from error

    def forget_cache(self) -> None:
        """Make later reads come from the medium rather than from memory, as far as the kernel lets one."""
        os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def is_hole(self, start: int = 0) -> bool:
        """Tell whether the file has no data from *start* on, so that it reads as zeros there."""
        if self._is_device:
            return False
        try:
            os.lseek(self._descriptor, start, os.SEEK_DATA)
        except OSError as error:
            return error.errno == errno.ENXIO
        return False

    def close(self) -> None:
        """Release the file."""
        for descriptor in (self._descriptor, self._direct):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._direct = -1


def _check_room(descriptor: int, size: int) -> None:
    """Refuse at once what can't fit: trying would fill the filesystem, for others too, before it's found out."""
    figures = os.fstatvfs(descriptor)
    if size > figures.f_bavail * figures.f_frsize:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _is_aligned(buffer: memoryview, offset: int) -> bool:
    if not buffer or offset % _ALIGNMENT or len(buffer) % _ALIGNMENT:
        return False
    return np.frombuffer(buffer, dtype=np.uint8).ctypes.data % _ALIGNMENT == 0


def _open_direct(path: Path) -> int:
    """Return a descriptor for direct reads and writes; -1 where the file system has none (tmpfs)."""
    try:
        return os.open(path, os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return -1
        raise


def _write_all(descriptor: int, rest: list[memoryview], offset: int) -> None:
    while rest:
        count = os.pwritev(descriptor, rest, offset)
        offset += count
        while rest and count >= len(rest[0]):
            count -= len(rest.pop(0))
        if rest:
            rest[0] = rest[0][count:]


def _punch(descriptor: int, offset: int, length: int) -> None:
    result = _libc.fallocate(
        descriptor,
        _FALLOC_FL_PUNCH_HOLE | _FALLOC_FL_KEEP_SIZE,
        ctypes.c_int64(offset),
        ctypes.c_int64(length),
    )
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


_libc: Final = ctypes.CDLL(None, use_errno=True)
