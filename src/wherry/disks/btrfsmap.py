"""Which bytes of a device of a mounted btrfs are free, by walking its trees with BTRFS_IOC_TREE_SEARCH_V2.

The device tree tells which parts of the device are given to which chunk of the filesystem's own address space, the
extent tree which addresses are in use. Chunks whose addresses don't run straight over the device (striped RAID
profiles) are used whole. So are the first MiB, the copies of the super block, and all of a filesystem with a feature
that isn't known here.

What was allocated before the last commit is in the trees, so flush the filesystem before; log trees aren't, which are
written anew after each commit.
Sources: Linux include/uapi/linux/btrfs.h and btrfs_tree.h, fs/btrfs/volumes.c.
"""

import errno
import fcntl
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wherry.disks.extents import Extent, complement
from wherry.disks.fsmap import MapUnsupported

_SEARCH = 0xC0709411
_FS_INFO, _FS_INFO_SIZE = 0x8400941F, 1024
_DEVICE_INFO, _DEVICE_INFO_SIZE = 0xD000941E, 4096
_FEATURES, _FEATURES_SIZE = 0x80189439, 24

_KEY = struct.Struct("=7Q4I32x")
_KEY_HEAD = struct.Struct("=Q")
_ITEM = struct.Struct("=QQQII")  # transaction, object, offset, type, length
_BUFFER_SIZE = 1 << 20
_ANY = 2**64 - 1

_EXTENT_TREE, _CHUNK_TREE, _DEVICE_TREE = 2, 3, 4
_CHUNKS = 256
"""The object that all chunk items belong to."""
_EXTENT_ITEM, _METADATA_ITEM, _DEVICE_EXTENT, _CHUNK_ITEM = 168, 169, 204, 228
_DEVICE_EXTENT_ITEM = struct.Struct("=QQQQ")  # tree, object, chunk's address, length
_CHUNK_FLAGS_AT = 24
_STRIPED = 0x08 | 0x40 | 0x80 | 0x100
"""RAID 0, 10, 5 and 6; what remains are single, DUP and the forms of RAID 1."""

_KNOWN_FEATURES = 0x10FFF
"""All but zoned, extent tree v2, RAID stripe tree, and what came later."""
_KNOWN_WRITE_FEATURES = 0x0F

_RESERVED = 1 << 20
_SUPER_BLOCKS = (64 << 10, 64 << 20, 256 << 30)
_SUPER_BLOCK_SIZE = 4096


@dataclass(frozen=True, slots=True)
class _Device:
    """A device of the filesystem."""

    id: int
    size: int
    """As the filesystem uses it, in bytes."""


@dataclass(frozen=True, slots=True)
class _DevicePart:
    """A part of the device that belongs to a chunk. All in bytes."""

    offset: int
    length: int
    address: int
    """The filesystem's address of the chunk."""


def free_extents(descriptor: int, device_number: int) -> list[Extent]:
    """Return the free extents of one device of the btrfs that *descriptor* is open on, as offsets within the device.

    *device_number* is the device as in `st_rdev`. Works on a frozen filesystem too. Raises MapUnsupported when it
    isn't one of the filesystem's devices, or when the filesystem has features that aren't known.
    """
    try:
        node_size, device = _inspect(descriptor, device_number)
        parts = list(_device_parts(descriptor, device.id))
        striped = _striped_chunks(descriptor)
        addresses = _used_addresses(descriptor, node_size) if any(part.address not in striped for part in parts) else []
    except OSError as error:
        raise MapUnsupported(reason=os.strerror(error.errno or errno.EIO)) from error
    used = [Extent(0, _RESERVED), *(Extent(place, _SUPER_BLOCK_SIZE) for place in _SUPER_BLOCKS)]
    used += _used_of_parts(parts, striped, addresses)
    return complement(used, device.size)


def _inspect(descriptor: int, device_number: int) -> tuple[int, _Device]:
    """Return the size of a tree node, and the device."""
    features = _ask(descriptor, _FEATURES, bytes(_FEATURES_SIZE))
    _, write_features, known = struct.unpack_from("=QQQ", features)
    if known & ~_KNOWN_FEATURES or write_features & ~_KNOWN_WRITE_FEATURES:
        raise MapUnsupported(reason=f"its features {known:#x}, {write_features:#x} aren't all known")
    facts = _ask(descriptor, _FS_INFO, bytes(_FS_INFO_SIZE))
    highest, _, _, node_size = struct.unpack_from("=QQ16sI", facts)
    for number in range(1, highest + 1):
        try:
            answer = _ask(descriptor, _DEVICE_INFO, struct.pack("=Q", number).ljust(_DEVICE_INFO_SIZE, b"\0"))
        except OSError as error:
            if error.errno == errno.ENODEV:
                continue  # the device with this number was removed
            raise
        _, _, _, size = struct.unpack_from("=Q16sQQ", answer)
        path = os.fsdecode(answer[_DEVICE_INFO_SIZE - 1024 :].partition(b"\0")[0])
        if _number_of(path) == device_number:
            return node_size, _Device(number, size)
    raise MapUnsupported(reason="the device isn't one of the filesystem's")


def _number_of(path: str) -> int:
    try:
        return Path(path).stat().st_rdev
    except OSError:
        return 0


def _ask(descriptor: int, request: int, argument: bytes) -> bytes:
    buffer = bytearray(argument)
    fcntl.ioctl(descriptor, request, buffer, True)  # noqa: FBT003 - the kernel writes into the buffer
    return bytes(buffer)


def _device_parts(descriptor: int, device: int) -> Iterator[_DevicePart]:
    for _, offset, kind, data in _items(descriptor, _DEVICE_TREE, device, device):
        if kind == _DEVICE_EXTENT:
            _, _, address, length = _DEVICE_EXTENT_ITEM.unpack_from(data)
            yield _DevicePart(offset, length, address)


def _striped_chunks(descriptor: int) -> set[int]:
    """Return the addresses of the chunks that don't run straight over their devices."""
    found = set()
    for _, address, kind, data in _items(descriptor, _CHUNK_TREE, _CHUNKS, _CHUNKS):
        if kind == _CHUNK_ITEM and struct.unpack_from("=Q", data, _CHUNK_FLAGS_AT)[0] & _STRIPED:
            found.add(address)
    return found


def _used_addresses(descriptor: int, node_size: int) -> list[Extent]:
    """Return the runs of used addresses of the filesystem, ascending."""
    used: list[Extent] = []
    start = end = 0
    for address, offset, kind, _ in _items(descriptor, _EXTENT_TREE, 0, _ANY):
        if kind == _EXTENT_ITEM:
            length = offset
        elif kind == _METADATA_ITEM:
            length = node_size
        else:
            continue
        if address > end:
            if end > start:
                used.append(Extent(start, end - start))
            start, end = address, address
        end = max(end, address + length)
    if end > start:
        used.append(Extent(start, end - start))
    return used


def _used_of_parts(parts: Iterable[_DevicePart], striped: set[int], addresses: list[Extent]) -> Iterator[Extent]:
    """Yield what is used of the device. Both *parts*, sorted by address, and *addresses* are walked once."""
    place = 0
    for part in sorted(parts, key=lambda part: part.address):
        if part.address in striped:
            yield Extent(part.offset, part.length)
            continue
        end = part.address + part.length
        while place < len(addresses) and addresses[place].end <= part.address:
            place += 1
        for extent in _from(addresses, place):
            if extent.offset >= end:
                break
            first, last = max(extent.offset, part.address), min(extent.end, end)
            yield Extent(part.offset + first - part.address, last - first)


def _from(extents: list[Extent], place: int) -> Iterator[Extent]:
    while place < len(extents):
        yield extents[place]
        place += 1


def _items(descriptor: int, tree: int, first: int, last: int) -> Iterator[tuple[int, int, int, memoryview]]:
    """Yield object, offset, type and data of the items of the objects *first* to *last*; the data only for the moment.

    The kernel's keys are ordered by object, type, offset.
    """
    buffer = bytearray(_KEY.size + _KEY_HEAD.size + _BUFFER_SIZE)
    place, kind, offset = first, 0, 0
    while True:
        _KEY.pack_into(buffer, 0, tree, place, last, offset, _ANY, 0, _ANY, kind, 0xFFFFFFFF, 0xFFFFFFFF, 0)
        _KEY_HEAD.pack_into(buffer, _KEY.size, _BUFFER_SIZE)
        fcntl.ioctl(descriptor, _SEARCH, buffer, True)  # noqa: FBT003 - the kernel writes into the buffer
        count = _KEY.unpack_from(buffer)[9]
        if not count:
            return
        with memoryview(buffer) as view:
            position = _KEY.size + _KEY_HEAD.size
            for _ in range(count):
                _, place, offset, kind, length = _ITEM.unpack_from(view, position)
                position += _ITEM.size
                with view[position : position + length] as data:
                    yield place, offset, kind, data
                position += length
        # The key after the last one: the three parts are digits of one number.
        number = (place << 72 | kind << 64 | offset) + 1
        place, kind, offset = number >> 72, number >> 64 & 0xFF, number & _ANY
        if place > last:
            return
