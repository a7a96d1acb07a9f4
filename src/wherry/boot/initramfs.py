"""What an initramfs carries, read from its bytes: nothing of the system runs for it.

An initramfs is one or more cpio archives in a row, plain (the early part, with microcode) or compressed as a whole.
Sources: Linux Documentation/driver-api/early-userspace/buffer-format.rst; lib/decompress*.c for the formats and their
first bytes; the legacy frame of LZ4's lz4_Frame_format.md.
"""

import bz2
import lzma
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Final

import lz4.block
import zstandard

from wherry.boot.errors import InitramfsUnreadable

LARGEST: Final = 1 << 30
"""What an initramfs may become when it's decompressed, in bytes."""

_CPIO_MAGICS: Final = (b"070701", b"070702")
_HEADER_SIZE: Final = 110
_TRAILER: Final = "TRAILER!!!"
_MODULE: Final = re.compile(r"(?:^|/)([^/]+)\.ko(?:\.(?:xz|gz|zst|bz2))?$")
_LZ4_MAGIC: Final = b"\x02\x21\x4c\x18"
_LZ4_BLOCK: Final = 8 << 20

Decompress = Callable[[bytes], tuple[bytes, bytes]]
"""Returns what was compressed, and what stands behind it."""


def module_name(path: str) -> str:
    """Return the name of the kernel module in the file *path*, as lsmod shows it; "" for another file."""
    match = _MODULE.search(path)
    return match[1].replace("-", "_") if match else ""


def modules_in(content: bytes) -> frozenset[str]:
    """Return the names of the kernel modules that an initramfs carries.

    Raises InitramfsUnreadable for a format that isn't known, or for damaged content.
    """
    return frozenset(filter(None, map(module_name, names_in(content))))


def names_in(content: bytes) -> Iterator[str]:
    """Yield the names of all files in an initramfs. Raises InitramfsUnreadable."""
    yield from _names(content, packed=False)


def _names(content: bytes, *, packed: bool) -> Iterator[str]:
    while content := content.lstrip(b"\0"):
        if content.startswith(_CPIO_MAGICS):
            end = 0
            for name, end in _entries(content):  # noqa: B007 (the last end is where the archive ends)
                yield name
            content = content[end:]
        elif packed:
            raise InitramfsUnreadable(reason="what is compressed in it is compressed again")
        else:
            plain, content = _decompress(content)
            yield from _names(plain, packed=True)


def _entries(archive: bytes) -> Iterator[tuple[str, int]]:
    """Yield each name of a cpio archive in the "newc" form, and where what follows it begins."""
    place = 0
    while archive[place : place + 6] in _CPIO_MAGICS:
        header = archive[place : place + _HEADER_SIZE]
        try:
            size, name_size = int(header[54:62], 16), int(header[94:102], 16)
        except ValueError as error:
            raise InitramfsUnreadable(reason=f"the header at byte {place} holds no numbers") from error
        name = archive[place + _HEADER_SIZE : place + _HEADER_SIZE + name_size].rstrip(b"\0").decode(errors="replace")
        body = _aligned(place + _HEADER_SIZE + name_size)
        place = _aligned(body + size)
        if place > len(archive) + 3:
            raise InitramfsUnreadable(reason=f"it ends within {name!r}")
        yield name, place
        if name == _TRAILER:
            return
    if archive[place:].strip(b"\0"):
        raise InitramfsUnreadable(reason=f"there's no header at byte {place}")


def _aligned(place: int) -> int:
    return (place + 3) & ~3


def _decompress(content: bytes) -> tuple[bytes, bytes]:
    for magic, decompress in _FORMATS.items():
        if content.startswith(magic):
            try:
                return decompress(content)
            except (zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError, EOFError, ValueError) as error:
                raise InitramfsUnreadable(reason=str(error)) from error
    raise InitramfsUnreadable(reason=f"it begins with {content[:6].hex()}, which is no known format")


def _checked(plain: bytes, *, whole: bool) -> bytes:
    if not whole:
        raise InitramfsUnreadable(reason=f"it's cut short, or holds more than {LARGEST} bytes")
    return plain


def _gzip(content: bytes) -> tuple[bytes, bytes]:
    stream = zlib.decompressobj(wbits=31)
    plain = stream.decompress(content, LARGEST)
    return _checked(plain, whole=stream.eof), stream.unused_data


def _xz(content: bytes) -> tuple[bytes, bytes]:
    stream = lzma.LZMADecompressor(memlimit=LARGEST)
    plain = stream.decompress(content, LARGEST)
    return _checked(plain, whole=stream.eof), stream.unused_data


def _bzip2(content: bytes) -> tuple[bytes, bytes]:
    stream = bz2.BZ2Decompressor()
    plain = stream.decompress(content, LARGEST)
    return _checked(plain, whole=stream.eof), stream.unused_data


def _zstd(content: bytes) -> tuple[bytes, bytes]:
    stream = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
    pieces, size = [], 0
    view = memoryview(content)
    step = 1 << 20
    for place in range(0, len(content), step):
        piece = stream.decompress(view[place : place + step])
        pieces.append(piece)
        size += len(piece)
        if stream.eof or size > LARGEST:
            behind = stream.unused_data + bytes(view[place + step :])
            return _checked(b"".join(pieces), whole=size <= LARGEST), behind
    return _checked(b"", whole=False), b""


def _lz4(content: bytes) -> tuple[bytes, bytes]:
    """Undo LZ4's legacy frame: blocks of at most 8 MiB, each after its compressed size, and no end mark."""
    pieces: list[bytes] = []
    place = len(_LZ4_MAGIC)
    while len(pieces) * _LZ4_BLOCK < LARGEST and place + 4 <= len(content):
        (size,) = struct.unpack_from("<I", content, place)
        if content[place : place + 4] == _LZ4_MAGIC or not 0 < size <= len(content) - place - 4:
            break
        block = content[place + 4 : place + 4 + size]
        try:
            pieces.append(bytes(lz4.block.decompress(block, uncompressed_size=_LZ4_BLOCK)))
        except lz4.block.LZ4BlockError as error:
            raise InitramfsUnreadable(reason=str(error)) from error
        place += 4 + size
    return _checked(b"".join(pieces), whole=bool(pieces)), content[place:]


_FORMATS: Final[dict[bytes, Decompress]] = {
    b"\x1f\x8b": _gzip,
    b"\xfd7zXZ\0": _xz,
    b"\x5d\0\0": _xz,
    b"BZh": _bzip2,
    b"\x28\xb5\x2f\xfd": _zstd,
    _LZ4_MAGIC: _lz4,
}
