"""Makes small initramfs archives for tests."""

import struct
from collections.abc import Iterable

import lz4.block


def cpio(names: Iterable[str], content: bytes = b"x") -> bytes:
    """Return a cpio archive in the "newc" form."""
    return b"".join(_entry(name, content) for name in names) + _entry("TRAILER!!!", b"")


def _entry(name: str, content: bytes) -> bytes:
    raw = name.encode() + b"\0"
    fields = (1, 0o100644, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(raw), 0)
    head = b"070701" + b"".join(b"%08x" % each for each in fields) + raw
    return _padded(head) + _padded(content)


def _padded(raw: bytes) -> bytes:
    return raw + bytes(-len(raw) % 4)


def lz4_legacy(content: bytes) -> bytes:
    """Return *content* as the kernel's build packs it with lz4."""
    block = bytes(lz4.block.compress(content, store_size=False))
    return b"\x02\x21\x4c\x18" + struct.pack("<I", len(block)) + block
