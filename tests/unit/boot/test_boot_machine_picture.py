"""PNG of QEMU's PPM, read back by the rules of both formats."""

import struct
import zlib

import pytest

from wherry.boot.machine.picture import png_from_ppm

PIXELS = bytes(range(18))


def test_the_pixels_are_the_same() -> None:
    png = png_from_ppm(b"P6\n3 2\n255\n" + PIXELS)
    chunks: dict[bytes, bytes] = {}
    position = 8
    while position < len(png):
        (length,) = struct.unpack_from(">I", png, position)
        kind, content = png[position + 4 : position + 8], png[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", png, position + 8 + length)
        assert checksum == zlib.crc32(kind + content)
        chunks[kind] = content
        position += 12 + length
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (3, 2, 8, 2, 0, 0, 0)
    assert zlib.decompress(chunks[b"IDAT"]) == b"\0" + PIXELS[:9] + b"\0" + PIXELS[9:]


@pytest.mark.parametrize("ppm", [b"", b"P5\n3 2\n255\n" + PIXELS, b"P6\n3 3\n255\n" + PIXELS, b"P6\n0 0\n255\n"])
def test_what_is_no_such_picture_is_refused(ppm: bytes) -> None:
    with pytest.raises(ValueError, match="picture"):
        png_from_ppm(ppm)
