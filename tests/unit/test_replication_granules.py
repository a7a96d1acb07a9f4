"""Granule digests: zero is canonical, tails are short, joined digests equal those of the parts."""

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from wherry.replication.granules import (
    GRANULE_SIZE,
    UNKNOWN_DIGEST,
    ZERO_DIGEST,
    digest_of,
    granule_count,
    granule_digests,
)


@pytest.mark.parametrize(("size", "count"), [(1, 1), (GRANULE_SIZE, 1), (GRANULE_SIZE + 1, 2), (10 * GRANULE_SIZE, 10)])
def test_the_last_granule_may_be_short(size: int, count: int) -> None:
    assert granule_count(size) == count
    assert len(granule_digests(b"x" * size)) == 16 * count


@pytest.mark.parametrize("length", [1, 7, 512, GRANULE_SIZE, GRANULE_SIZE + 3, 3 * GRANULE_SIZE])
def test_zeros_have_the_zero_digest(length: int) -> None:
    assert granule_digests(bytes(length)) == ZERO_DIGEST * granule_count(length)


@pytest.mark.parametrize("position", [0, 1, 8, GRANULE_SIZE // 2, GRANULE_SIZE - 1])
def test_a_single_bit_makes_a_granule_non_zero(position: int) -> None:
    content = bytearray(2 * GRANULE_SIZE)
    content[GRANULE_SIZE + position] = 0x80
    digests = granule_digests(content)
    assert digests[:16] == ZERO_DIGEST
    assert digests[16:] == blake3(content[GRANULE_SIZE:]).digest()[:16]
    assert digests[16:] not in {ZERO_DIGEST, UNKNOWN_DIGEST}


@given(st.lists(st.sampled_from([b"\0", b"a", b"b"]), min_size=1, max_size=5), st.integers(1, 9))
def test_joined_digests_are_those_of_the_parts(patterns: list[bytes], tail: int) -> None:
    parts = [pattern * GRANULE_SIZE for pattern in patterns]
    parts.append(b"t" * tail)
    expected = b"".join(digest_of(part) if any(part) else ZERO_DIGEST for part in parts)
    assert granule_digests(b"".join(parts)) == expected
    assert granule_digests(memoryview(bytearray(b"".join(parts)))) == expected
