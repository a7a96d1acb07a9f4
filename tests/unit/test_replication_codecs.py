"""Packing: what isn't worth it goes plain; unpacking: nothing grows beyond what was announced."""

import random

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from wherry.replication.codecs import Codec, Packer, Unpacker
from wherry.replication.errors import ProtocolViolated
from wherry.replication.granules import EXTENT_SIZE

NOISE = random.Random(1).randbytes(EXTENT_SIZE)


@given(st.binary(min_size=1, max_size=70_000))
def test_what_was_packed_unpacks_to_the_same(content: bytes) -> None:
    codec, payload = Packer().pack(memoryview(content))
    assert bytes(Unpacker().unpack(codec, payload, len(content))) == content
    if codec is Codec.ZSTD:
        assert len(payload) < len(content)


def test_noise_goes_plain_without_a_copy() -> None:
    view = memoryview(NOISE)
    codec, payload = Packer().pack(view)
    assert codec is Codec.PLAIN
    assert payload is view


def test_text_is_packed() -> None:
    text = b"the quick brown fox jumps over the lazy dog. " * 20_000
    codec, payload = Packer().pack(memoryview(text))
    assert codec is Codec.ZSTD
    assert len(payload) < len(text) // 10


def test_text_in_the_middle_of_noise_is_found_but_not_packed_when_it_isnt_worth_it() -> None:
    content = bytearray(NOISE)
    content[EXTENT_SIZE // 2 : EXTENT_SIZE // 2 + 4096] = b"a" * 4096
    assert Packer().pack(memoryview(content))[0] is Codec.PLAIN


@pytest.mark.parametrize("declared", [0, 1, 999, 1001, EXTENT_SIZE])
def test_another_length_than_announced_is_refused(declared: int) -> None:
    payload = zstandard.ZstdCompressor(level=1).compress(b"a" * 1000)
    assert Unpacker().unpack(Codec.ZSTD, payload, 1000) == b"a" * 1000
    with pytest.raises(ProtocolViolated):
        Unpacker().unpack(Codec.ZSTD, payload, declared)


def test_a_frame_that_hides_its_length_is_refused() -> None:
    packer = zstandard.ZstdCompressor(level=1, write_content_size=False).compressobj()
    payload = packer.compress(bytes(EXTENT_SIZE)) + packer.flush()
    with pytest.raises(ProtocolViolated):
        Unpacker().unpack(Codec.ZSTD, payload, EXTENT_SIZE)


def test_a_frame_that_understates_its_length_is_refused() -> None:
    payload = bytearray(zstandard.ZstdCompressor(level=1).compress(bytes(100_000)))
    # A header whose declared size was made to fit, over content that unpacks to much more (RFC 8878, 3.1.1).
    short = zstandard.ZstdCompressor(level=1).compress(bytes(1000))
    size = zstandard.frame_header_size(bytes(payload))
    forged = short[: zstandard.frame_header_size(short)] + bytes(payload[size:])
    with pytest.raises(ProtocolViolated):
        Unpacker().unpack(Codec.ZSTD, forged, 1000)


@pytest.mark.parametrize("extra", [b"x", zstandard.ZstdCompressor().compress(b"more")])
def test_bytes_after_the_frame_are_refused(extra: bytes) -> None:
    payload = zstandard.ZstdCompressor(level=1).compress(b"a" * 1000)
    with pytest.raises(ProtocolViolated):
        Unpacker().unpack(Codec.ZSTD, payload + extra, 1000)


@given(st.binary(max_size=300))
def test_noise_in_place_of_a_frame_is_refused(noise: bytes) -> None:
    with pytest.raises(ProtocolViolated):
        Unpacker().unpack(Codec.ZSTD, noise, 1000)
