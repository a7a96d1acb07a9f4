"""How payloads are packed: plain, or zstd when that is worth it.

A quick probe on samples decides; data that doesn't shrink is sent plain, so that the receiver has nothing to unpack.
Which level is used follows the bottleneck, see `levels`.
Source: RFC 8878 for the frame format of zstd, whose declared content size bounds what is unpacked.
"""

from enum import IntEnum

import zstandard

from wherry.replication.errors import ProtocolViolated
from wherry.replication.granules import Buffer

DEFAULT_LEVEL = -3
_PROBE_LEVEL = 1
_SAMPLE = 4096
_WORTH = 0.9
"""A packed form larger than this share of the plain one isn't worth the receiver's time."""


class Codec(IntEnum):
    """The form of a payload on the wire."""

    PLAIN = 0
    ZSTD = 1


class Packer:
    """Packs payloads. One object a thread."""

    def __init__(self) -> None:
        self._probe = zstandard.ZstdCompressor(level=_PROBE_LEVEL)
        self._zstd = {_PROBE_LEVEL: self._probe}

    def pack(self, content: memoryview, level: int | None = DEFAULT_LEVEL) -> tuple[Codec, Buffer]:
        """Return codec and packed form of *content*; the very same memory when it's sent plain.

        *level*: zstd's, negative ones are faster; None sends everything plain.
        """
        if level is None or not self._looks_compressible(content):
            return Codec.PLAIN, content
        packer = self._zstd.get(level)
        if packer is None:
            packer = self._zstd[level] = zstandard.ZstdCompressor(level=level)
        packed = packer.compress(content)
        if len(packed) > len(content) * _WORTH:
            return Codec.PLAIN, content
        return Codec.ZSTD, packed

    def _looks_compressible(self, content: memoryview) -> bool:
        """Try three samples: first, middle, last. One of them that shrinks is enough."""
        length = len(content)
        if length <= 4 * _SAMPLE:
            return True
        for start in (0, length // 2, length - _SAMPLE):
            if len(self._probe.compress(content[start : start + _SAMPLE])) < _SAMPLE * _WORTH:
                return True
        return False


class Unpacker:
    """Unpacks payloads of a peer that isn't trusted. One object a thread."""

    def __init__(self) -> None:
        self._zstd = zstandard.ZstdDecompressor()

    def unpack(self, codec: Codec, stored: Buffer, raw_length: int) -> Buffer:
        """Return the content of *stored*, exactly *raw_length* bytes.

        Raises ProtocolViolated when it's damaged or would become longer or shorter; never makes more than
        *raw_length* bytes of it.
        """
        if codec is Codec.PLAIN:
            if len(stored) != raw_length:
                raise ProtocolViolated(reason="a plain payload of another length than announced")
            return stored
        try:
            # The library reserves what the frame itself declares, so the declaration is checked first.
            if zstandard.get_frame_parameters(stored).content_size != raw_length:
                raise ProtocolViolated(reason="a packed payload of another length than announced")
            content = self._zstd.decompress(stored, max_output_size=raw_length, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise ProtocolViolated(reason=f"a payload that can't be unpacked: {error}") from error
        if len(content) != raw_length:
            raise ProtocolViolated(reason="a packed payload of another length than announced")
        return content
