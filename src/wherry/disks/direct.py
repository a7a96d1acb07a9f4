"""Reading disks without going through the page cache.

A buffered read of a block device under a mounted filesystem may return what the disk held some time ago, since the
filesystem keeps its metadata in caches of its own; O_DIRECT sees the medium. Image files have no such second cache and
are read normally, with advice to the kernel not to keep the pages.
Source: open(2) on O_DIRECT, Linux include/uapi/linux/fs.h for the ioctl numbers.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import stat
import struct
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from wherry.errors import WherryError

BLKSSZGET = 0x1268
BLKPBSZGET = 0x127B
BLKGETSIZE64 = 0x80081272

WritableBuffer = bytearray | memoryview | mmap.mmap


class NotADisk(WherryError):
    """A path that should name a disk names something else, or nothing."""

    code = "WHERRY.1001"
    template = "{path} is no disk: {reason}."
    default_cause = "The path names neither a block device nor a regular file that can be opened."
    default_fix = "Name a disk such as /dev/sda, or a raw image file; reading a device needs root."


class DiskReadFailed(WherryError):
    """The medium refused a read."""

    code = "WHERRY.1002"
    template = "{path}: reading {length} bytes at offset {offset} failed: {reason}."
    default_cause = "The disk has a bad sector, its controller failed, or it was removed."
    default_fix = "Look at `dmesg` and the disk's SMART values; repair or replace the disk, then start the task again."


class DiskShrank(WherryError):
    """A disk ended before the size that it had when it was opened."""

    code = "WHERRY.1003"
    template = "{path} ended at offset {offset}, before its size of {size} bytes."
    default_cause = "The device was detached or the image was truncated while it was read."
    default_fix = "Leave the disk's size alone during a migration; start the task again."


class BlockReader(Protocol):
    """Something that is read like a disk. Reading is positional, so that threads may share one reader."""

    @property
    def size(self) -> int:
        """The size in bytes."""

    def read_into(self, buffer: WritableBuffer, offset: int) -> int:
        """Fill *buffer* from byte *offset* on and return how many bytes were read.

        That is fewer than the buffer holds only where the disk ends. Raises a WherryError naming the offset otherwise.
        """

    def close(self) -> None:
        """Release the disk; further reads are errors."""


def aligned_buffer(size: int) -> mmap.mmap:
    """Return *size* zero bytes of memory that start at a page, as direct reads need it."""
    return mmap.mmap(-1, size)


def open_reader(path: Path) -> "DiskReader | ImageReader":
    """Open the block device or image file at *path*. Raises NotADisk for anything else."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise NotADisk(path=path, reason=error.strerror) from error
    if stat.S_ISBLK(mode):
        return DiskReader(path)
    if stat.S_ISREG(mode):
        return ImageReader(path)
    raise NotADisk(path=path, reason="it is neither a block device nor a regular file")


class _Reader:
    """What both readers share: one descriptor, a size, positional reads that are repeated until complete."""

    def __init__(self, path: Path, flags: int) -> None:
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
        except OSError as error:
            raise NotADisk(path=path, reason=error.strerror) from error
        self._size = 0

    @property
    def size(self) -> int:
        """The size in bytes when the disk was opened."""
        return self._size

    def close(self) -> None:
        """Release the disk."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _fill(self, view: memoryview, offset: int, wanted: int) -> None:
        """Read until *wanted* bytes of *view* are there; *view* may be longer, so that the request stays aligned."""
        done = 0
        while done < wanted:
            try:
                with view[done:] as rest:
                    count = os.preadv(self._descriptor, [rest], offset + done)
            except OSError as error:
                reason = os.strerror(error.errno or errno.EIO)
                raise DiskReadFailed(
                    path=self.path, length=len(view) - done, offset=offset + done, reason=reason
                ) from error
            if count == 0:
                raise DiskShrank(path=self.path, offset=offset + done, size=self._size)
            done += count


class DiskReader(_Reader):
    """A block device, read with O_DIRECT.

    Buffers from `aligned_buffer` at offsets that are multiples of the sector size are filled in place; any other
    request goes through a buffer of its own, at the cost of a copy.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, os.O_DIRECT)
        try:
            self.sector_size = sector_size(self._descriptor)
            # The kernel refuses to read part of a sector, so half a one at the end (it happens) doesn't count.
            size = device_size(self._descriptor)
            self._size = size - size % self.sector_size
        except OSError as error:
            self.close()
            raise NotADisk(path=path, reason=error.strerror) from error

    def read_into(self, buffer: WritableBuffer, offset: int) -> int:
        """Fill *buffer* from byte *offset* on; see `BlockReader.read_into`."""
        with memoryview(buffer) as whole, whole.cast("B") as view:
            wanted = max(0, min(len(view), self._size - offset))
            if wanted == 0:
                return 0
            if self._is_aligned(view, offset):
                self._fill(view, offset, wanted)
            else:
                self._fill_by_copy(view, offset, wanted)
            return wanted

    def _is_aligned(self, view: memoryview, offset: int) -> bool:
        if offset % self.sector_size or len(view) % self.sector_size:
            return False
        return ctypes.addressof(ctypes.c_char.from_buffer(view)) % self.sector_size == 0

    def _fill_by_copy(self, view: memoryview, offset: int, wanted: int) -> None:
        start = offset - offset % self.sector_size
        end = -(-(offset + wanted) // self.sector_size) * self.sector_size
        with aligned_buffer(end - start) as buffer, memoryview(buffer) as copy:
            self._fill(copy, start, end - start)
            view[:wanted] = copy[offset - start : offset - start + wanted]


class ImageReader(_Reader):
    """A raw image file."""

    sector_size = 512

    def __init__(self, path: Path) -> None:
        super().__init__(path, 0)
        self._size = os.fstat(self._descriptor).st_size
        os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)

    def read_into(self, buffer: WritableBuffer, offset: int) -> int:
        """Fill *buffer* from byte *offset* on; see `BlockReader.read_into`."""
        with memoryview(buffer) as whole, whole.cast("B") as view:
            wanted = max(0, min(len(view), self._size - offset))
            if wanted == 0:
                return 0
            self._fill(view, offset, wanted)
        # A migration reads everything once and would push the server's own pages out of memory.
        os.posix_fadvise(self._descriptor, offset, wanted, os.POSIX_FADV_DONTNEED)
        return wanted


def device_size(descriptor: int) -> int:
    """Return the size in bytes of the open block device. Raises OSError when it isn't one."""
    (size,) = struct.unpack("=Q", fcntl.ioctl(descriptor, BLKGETSIZE64, bytes(8)))
    return int(size)


def sector_size(descriptor: int) -> int:
    """Return the logical sector size in bytes of the open block device. Raises OSError when it isn't one."""
    (size,) = struct.unpack("=i", fcntl.ioctl(descriptor, BLKSSZGET, bytes(4)))
    return int(size)
