"""Sectors that say what they are, so that one which is stale, misplaced or torn names itself.

512 bytes: magic, the writer's tag, the offset in the writer's file, a sequence number, noise, and a checksum of it all.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

SECTOR = 512
_MAGIC = b"WHERRY>>"
_HEAD = struct.Struct("=8s16sQQ")
_NOISE = SECTOR - _HEAD.size - 4


@dataclass(frozen=True)
class Label:
    """What a whole sector says of itself."""

    tag: str
    offset: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.tag} at {self.offset}, number {self.sequence}"


def stamp(tag: str, offset: int, sequence: int, noise: bytes) -> bytes:
    """Return a sector; *noise* is what fills it, repeated as needed."""
    filling = (noise * (_NOISE // len(noise) + 1))[:_NOISE]
    content = _HEAD.pack(_MAGIC, tag.encode(), offset, sequence) + filling
    return content + struct.pack("=I", zlib.crc32(content))


def stamped(tag: str, offset: int, length: int, sequence: int, randbytes: Callable[[int], bytes]) -> bytes:
    """Return *length* bytes of sectors for the place *offset*."""
    noise = randbytes(64)
    return b"".join(stamp(tag, place, sequence, noise) for place in range(offset, offset + length, SECTOR))


def label(sector: bytes) -> Label | str:
    """Return what the sector is: its label, "torn", or "no stamped sector"."""
    if not sector.startswith(_MAGIC):
        return "no stamped sector"
    if struct.unpack("=I", sector[-4:])[0] != zlib.crc32(sector[:-4]):
        return "torn"
    _, tag, offset, sequence = _HEAD.unpack_from(sector)
    return Label(tag.rstrip(b"\0").decode(), offset, sequence)


def differences(copy: bytes, source: bytes, at: int) -> Iterator[str]:
    """Yield in words how the sectors of a copy differ from the source's; *at*: where they lie on the disk."""
    for place in range(0, len(source), SECTOR):
        ours, theirs = copy[place : place + SECTOR], source[place : place + SECTOR]
        if ours != theirs:
            yield f"byte {at + place}: {_verdict(label(ours), label(theirs))}"


def _verdict(ours: Label | str, theirs: Label | str) -> str:
    if isinstance(ours, Label) and isinstance(theirs, Label):
        if (ours.tag, ours.offset) != (theirs.tag, theirs.offset):
            return f"misplaced: the copy has {ours}, the source {theirs}"
        return f"{'stale' if ours.sequence < theirs.sequence else 'from the future'}: {ours}, the source {theirs}"
    return f"the copy has {ours}, the source {theirs}"
