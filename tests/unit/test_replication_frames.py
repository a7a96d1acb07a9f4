"""Frames: what goes in comes out, and whatever was cut or changed on the way is refused."""

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.replication_doubles import (
    control_frame,
    data_frame,
    gather_as_sent,
    gather_frame,
    patch_frame,
    patch_of,
    zero_frame,
)
from wherry.replication import patches
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
from wherry.replication.patches import BLOCK_SIZE, MAX_PATCH, PATCHED

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
    for write, (first, digests) in zip(got.writes(), got.entries(), strict=True):
        assert write.length == len(write.raw)
        assert digests == granule_digests(write.raw)
        assert write.offset == first * GRANULE_SIZE
        for start in range(0, write.length, GRANULE_SIZE):
            came[first + start // GRANULE_SIZE] = bytes(write.raw[start : start + GRANULE_SIZE])
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


BLOCKS_OF = st.dictionaries(st.integers(0, 2**32 - 1), st.integers(1, 0xFFFF), min_size=1, max_size=6)


def granule_of(number: int) -> bytes:
    return random.Random(number).randbytes(64) * (GRANULE_SIZE // 64 - 1) + number.to_bytes(64, "little")


@given(parts=BLOCKS_OF, pack=st.booleans())
@settings(max_examples=60, deadline=None)
def test_patched_blocks_come_out_where_they_belong(parts: dict[int, int], pack: bool) -> None:
    parts = dict(sorted(parts.items()))
    contents = {number: granule_of(number) for number in parts}
    got = receive(
        wire(patch_frame(4, 2, {number: (mask, contents[number]) for number, mask in parts.items()}, pack=pack))
    )
    assert got.header.disk_length == BLOCK_SIZE * sum(mask.bit_count() for mask in parts.values())
    assert got.end == (max(parts) + 1) * GRANULE_SIZE
    assert b"".join(digests for _, digests in got.entries()) == got.digests
    assert got.digests == b"".join(granule_digests(content) for content in contents.values())
    assert [first + step for first, count in got.runs for step in range(count)] == list(parts)
    came: dict[int, int] = dict.fromkeys(parts, 0)
    for write in got.writes():
        assert write.length == len(write.raw)
        for start in range(0, write.length, BLOCK_SIZE):
            number, place = divmod(write.offset + start, GRANULE_SIZE)
            assert write.raw[start : start + BLOCK_SIZE] == contents[number][place : place + BLOCK_SIZE]
            came[number] |= 1 << place // BLOCK_SIZE
    assert came == parts
    # And laid over what was there, they make what was said.
    assert got.patch is not None
    before = bytearray(b"".join(blanked(contents[number], mask) for number, mask in parts.items()))
    got.patch.lay_over(memoryview(before), got.raw)
    assert granule_digests(before) == got.digests


def blanked(content: bytes, mask: int) -> bytes:
    blocks = [content[start : start + BLOCK_SIZE] for start in range(0, GRANULE_SIZE, BLOCK_SIZE)]
    return b"".join(b"?" * BLOCK_SIZE if mask >> number & 1 else block for number, block in enumerate(blocks))


@given(
    granules=st.lists(st.integers(0, 9), min_size=1, max_size=5),
    masks=st.lists(st.integers(0, 0xFFFF), min_size=5, max_size=5),
    blocks=st.integers(0, 20),
    offset=st.integers(0, 9),
)
@settings(max_examples=200, deadline=None)
def test_a_patch_whose_index_makes_no_sense_is_refused(
    granules: list[int], masks: list[int], blocks: int, offset: int
) -> None:
    masks = masks[: len(granules)]
    digests = np.zeros((len(granules), 2), dtype=np.uint64)
    index = patches.index_of(np.array(granules), np.array(masks, dtype=np.uint16), digests)
    header, payload = patch_of(0, 1, offset * GRANULE_SIZE, b"b" * BLOCK_SIZE * blocks, index)
    sound = (
        sorted(set(granules)) == granules
        and granules[0] == offset
        and all(masks)
        and sum(mask.bit_count() for mask in masks) == blocks
    )
    frame = encode_header(header) + payload
    if sound:
        receive(frame)
    else:
        with pytest.raises(ProtocolViolated):
            receive(frame)


def test_every_length_of_a_patch_tells_how_many_granules_and_blocks_it_has() -> None:
    possible = {
        blocks * BLOCK_SIZE + count * 22
        for count in range(1, PATCHED + 1)
        for blocks in range(count, min(16 * count, EXTENT_SIZE // BLOCK_SIZE) + 1)
    }
    assert max(possible) == MAX_PATCH
    for length in range(MAX_PATCH + 2 * BLOCK_SIZE):
        assert patches.is_possible(length) == (length in possible)


SAMPLES = {
    "patch": wire(patch_frame(3, 7, {1: (0x8001, b"ab" * (GRANULE_SIZE // 2)), 8: (4, b"cd" * (GRANULE_SIZE // 2))})),
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
PATCH = patch_frame(0, 1, {0: (3, b"x" * GRANULE_SIZE)}, pack=False).header
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
        pytest.param(replace(PATCH, raw_length=BLOCK_SIZE, stored_length=BLOCK_SIZE), id="a patch without an index"),
        pytest.param(replace(PATCH, raw_length=22, stored_length=22), id="a patch without blocks"),
        pytest.param(
            replace(PATCH, raw_length=17 * BLOCK_SIZE + 22, stored_length=17 * BLOCK_SIZE + 22), id="too many blocks"
        ),
        pytest.param(replace(PATCH, raw_length=PATCH.raw_length - 1), id="half an entry"),
        pytest.param(replace(PATCH, raw_length=MAX_PATCH + 22, stored_length=MAX_PATCH + 22), id="too many patched"),
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
