"""Frames: what goes in comes out, and whatever was cut or changed on the way is refused."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.replication_doubles import control_frame, data_frame, gather_as_sent, gather_frame, zero_frame
from wherry.replication.codecs import Codec, Packer, Unpacker
from wherry.replication.errors import ProtocolViolated
from wherry.replication.frames import (
    GATHERED,
    HEADER_SIZE,
    MAX_CONTROL,
    MAX_PAYLOAD,
    MAX_ZERO_RUN,
    FrameType,
    Header,
    Opened,
    data_digest,
    decode_header,
    encode_header,
    index_of,
    open_frame,
)
from wherry.replication.granules import EXTENT_SIZE, GRANULE_SIZE, granule_digests
from wherry.replication.messages import MAX_DISK_SIZE, Ack

MARKED = st.builds(
    lambda pattern, granules, tail: pattern * (GRANULE_SIZE // len(pattern)) * granules + b"z" * tail,
    st.sampled_from([b"\0" * 16, b"0123456789abcdef", bytes(range(256))]),
    st.integers(0, 3),
    st.integers(1, 200),
)


def receive(frame: bytes) -> Opened:
    """Open a frame as a receiver does that gets exactly these bytes."""
    header = decode_header(frame[:HEADER_SIZE])
    return open_frame(header, frame[:HEADER_SIZE], frame[HEADER_SIZE:], Unpacker())


def wire(opened: Opened) -> bytes:
    return opened.head + bytes(opened.stored)


@given(
    content=MARKED,
    disk=st.integers(0, 255),
    number=st.integers(0, 2**32 - 1),
    granule=st.integers(0, 2**20),
    sequence=st.integers(0, 2**64 - 1),
    pack=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_a_data_frame_comes_out_as_it_went_in(
    content: bytes, disk: int, number: int, granule: int, sequence: int, pack: bool
) -> None:
    sent = data_frame(disk, number, granule * GRANULE_SIZE, content, pack=pack, sequence=sequence)
    got = receive(wire(sent))
    assert got.header == sent.header
    assert (got.header.disk, got.header.pass_number, got.header.sequence) == (disk, number, sequence)
    assert got.header.offset == granule * GRANULE_SIZE
    assert bytes(got.raw) == content
    assert got.digests == granule_digests(content)


@given(
    granules=st.sets(st.integers(0, 2**32 - 1), min_size=1, max_size=GATHERED),
    tail=st.integers(1, GRANULE_SIZE),
    pattern=st.binary(min_size=1, max_size=40),
    pack=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_gathered_granules_come_out_where_they_belong(
    granules: set[int], tail: int, pattern: bytes, pack: bool
) -> None:
    ascending = sorted(granules)
    parts = {
        granule: (granule.to_bytes(4, "big") + pattern * GRANULE_SIZE)[: tail if granule == ascending[-1] else None][
            :GRANULE_SIZE
        ]
        for granule in ascending
    }
    sent = gather_frame(9, 2, parts, pack=pack)
    got = receive(wire(sent))
    assert got.header.disk_length == sum(map(len, parts.values()))
    assert got.end == ascending[-1] * GRANULE_SIZE + len(parts[ascending[-1]])
    came = {}
    for part in got.parts():
        assert part.length == len(part.raw)
        assert part.digests == granule_digests(part.raw)
        for start in range(0, part.length, GRANULE_SIZE):
            came[part.first + start // GRANULE_SIZE] = bytes(part.raw[start : start + GRANULE_SIZE])
    assert came == parts
    assert all(earlier[0] + earlier[1] < later[0] for earlier, later in itertools.pairwise(got.runs))


@pytest.mark.parametrize("order", [[3, 3], [5, 3], [1, 2, 9, 4]])
def test_gathered_granules_that_do_not_ascend_are_refused(order: list[int]) -> None:
    header, payload = gather_as_sent(0, 0, dict.fromkeys(sorted(set(order)), b"x" * GRANULE_SIZE), pack=False)
    content = b"x" * GRANULE_SIZE * len(order)
    index = index_of(np.array(order))
    digest = data_digest(granule_digests(content), Codec.PLAIN, content + index, index)
    payload = content + index
    header = replace(
        header, offset=order[0] * GRANULE_SIZE, raw_length=len(payload), stored_length=len(payload), digest=digest
    )
    with pytest.raises(ProtocolViolated, match="out of order"):
        open_frame(header, encode_header(header), payload, Unpacker())


SAMPLES = {
    "gathered": wire(gather_frame(3, 7, {1: b"ab" * (GRANULE_SIZE // 2), 8: b"tail"})),
    "plain": wire(data_frame(3, 7, GRANULE_SIZE, bytes(range(256)) * 2, pack=False)),
    "packed": wire(data_frame(3, 7, GRANULE_SIZE, b"abcd" * (GRANULE_SIZE // 4) + b"tail")),
    "zero": wire(zero_frame(3, 7, GRANULE_SIZE, 5 * GRANULE_SIZE)),
    "control": b"".join(control_frame(Ack(durable_bytes=77), sequence=9)),
}


@pytest.mark.parametrize("kind", SAMPLES)
def test_every_truncation_is_refused(kind: str) -> None:
    frame = SAMPLES[kind]
    receive(frame)
    for length in range(len(frame)):
        with pytest.raises(ProtocolViolated):
            receive(frame[:length])


@pytest.mark.parametrize("kind", SAMPLES)
def test_every_flipped_bit_is_refused(kind: str) -> None:
    frame = SAMPLES[kind]
    for position in range(len(frame) * 8):
        flipped = bytearray(frame)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(ProtocolViolated):
            receive(bytes(flipped))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_other_bytes_in_place_of_some_are_refused(data: st.DataObject) -> None:
    frame = bytearray(SAMPLES[data.draw(st.sampled_from(sorted(SAMPLES)))])
    start = data.draw(st.integers(0, len(frame) - 1))
    patch = data.draw(st.binary(min_size=1, max_size=40))[: len(frame) - start]
    unchanged = bytes(frame[start : start + len(patch)]) == patch
    frame[start : start + len(patch)] = patch
    if unchanged:
        receive(bytes(frame))
    else:
        with pytest.raises(ProtocolViolated):
            receive(bytes(frame))


@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(ProtocolViolated):
        receive(noise)


GOOD = data_frame(0, 0, 0, b"x" * GRANULE_SIZE, pack=False).header
PACKED = data_frame(0, 0, 0, b"x" * GRANULE_SIZE).header
GATHER = gather_frame(0, 0, {0: b"x" * GRANULE_SIZE, 2: b"y" * GRANULE_SIZE}, pack=False).header
ZERO = zero_frame(0, 0, 0, GRANULE_SIZE).header
CONTROL = decode_header(control_frame(Ack(durable_bytes=0))[0])


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(replace(GOOD, offset=1), id="unaligned"),
        pytest.param(replace(GOOD, offset=MAX_DISK_SIZE), id="beyond any disk"),
        pytest.param(replace(GOOD, raw_length=EXTENT_SIZE + 1, stored_length=EXTENT_SIZE + 1), id="oversize"),
        pytest.param(replace(GOOD, raw_length=0, stored_length=0), id="empty"),
        pytest.param(replace(GOOD, stored_length=GOOD.raw_length - 1), id="plain, of two lengths"),
        pytest.param(replace(GOOD, disk=256), id="too many disks"),
        pytest.param(replace(PACKED, stored_length=PACKED.raw_length), id="packed, but no shorter"),
        pytest.param(replace(PACKED, stored_length=0), id="packed to nothing"),
        pytest.param(
            replace(GATHER, raw_length=MAX_PAYLOAD + 5, stored_length=MAX_PAYLOAD + 5), id="too many gathered"
        ),
        pytest.param(replace(GATHER, raw_length=4, stored_length=4), id="an index without granules"),
        pytest.param(
            replace(GATHER, raw_length=GRANULE_SIZE + 8, stored_length=GRANULE_SIZE + 8), id="a gathered granule of 0"
        ),
        pytest.param(replace(ZERO, stored_length=1), id="zeros with a payload"),
        pytest.param(replace(ZERO, raw_length=MAX_ZERO_RUN + GRANULE_SIZE), id="too many zeros"),
        pytest.param(replace(ZERO, digest=b"x" * 16), id="zeros with a digest"),
        pytest.param(replace(ZERO, codec=Codec.ZSTD), id="packed zeros"),
        pytest.param(replace(CONTROL, raw_length=MAX_CONTROL + 1, stored_length=MAX_CONTROL + 1), id="huge control"),
        pytest.param(replace(CONTROL, codec=Codec.ZSTD, raw_length=MAX_CONTROL + 1), id="control bomb"),
        pytest.param(replace(CONTROL, disk=1), id="control with a disk"),
        pytest.param(replace(CONTROL, stored_length=0, raw_length=0), id="empty control"),
    ],
)
def test_headers_with_impossible_values_are_refused(header: Header) -> None:
    with pytest.raises(ProtocolViolated):
        decode_header(encode_header(header))


def test_a_payload_under_another_header_is_refused() -> None:
    one = data_frame(0, 0, 0, b"x" * GRANULE_SIZE, pack=False)
    other = data_frame(0, 0, 0, b"y" * GRANULE_SIZE, pack=False)
    with pytest.raises(ProtocolViolated):
        receive(one.head + bytes(other.stored))


def test_a_bomb_is_refused_before_it_grows() -> None:
    codec, payload = Packer().pack(memoryview(bytes(EXTENT_SIZE)))
    assert codec is Codec.ZSTD
    header = Header(FrameType.DATA, codec, 0, 0, 0, 0, GRANULE_SIZE, len(payload), bytes(16))
    with pytest.raises(ProtocolViolated, match="another length"):
        open_frame(header, b"", payload, Unpacker())
