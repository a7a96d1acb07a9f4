"""Pictures of a machine's screen as PNG. QEMU writes PPM in every version, PNG only in some.

Sources: Netpbm's description of ppm; PNG (ISO/IEC 15948), chunks and filter 0.
"""

import re
import struct
import zlib
from typing import Final

_HEADER: Final = re.compile(rb"P6\s+(\d+)\s+(\d+)\s+255\s")
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_RGB: Final = 2
_BYTES_A_PIXEL: Final = 3


def png_from_ppm(ppm: bytes) -> bytes:
    """Return the picture, binary PPM with 8 bits a colour, as PNG. Raises ValueError for anything else."""
    header = _HEADER.match(ppm)
    if header is None:
        raise ValueError("not a binary PPM picture with 8 bits a colour")
    width, height = int(header[1]), int(header[2])
    row = width * _BYTES_A_PIXEL
    pixels = memoryview(ppm)[header.end() :]
    if not width or not height or len(pixels) != row * height:
        raise ValueError(f"a picture of {width} x {height} has {row * height} bytes of pixels, not {len(pixels)}")
    lines = b"".join(b"\0" + pixels[start : start + row] for start in range(0, len(pixels), row))
    head = struct.pack(">IIBBBBB", width, height, 8, _RGB, 0, 0, 0)
    return b"".join((_SIGNATURE, _chunk(b"IHDR", head), _chunk(b"IDAT", zlib.compress(lines)), _chunk(b"IEND", b"")))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
