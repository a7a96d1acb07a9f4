"""The arithmetic of extents against plain sets of bytes."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.disks import extents
from wherry.disks.extents import Extent

runs = st.lists(st.builds(Extent, st.integers(0, 200), st.integers(0, 40)), max_size=12)


def as_set(several: list[Extent]) -> set[int]:
    return {byte for extent in several for byte in range(extent.offset, extent.end)}


def assert_normal(several: list[Extent]) -> None:
    assert all(extent.length > 0 for extent in several)
    assert all(left.end < right.offset for left, right in itertools.pairwise(several))


@given(runs)
def test_merge_keeps_every_byte_and_normalises(several: list[Extent]) -> None:
    merged = extents.merge(several)
    assert as_set(merged) == as_set(several)
    assert extents.total(merged) == len(as_set(several))
    assert_normal(merged)


@given(runs, st.integers(0, 300))
def test_complement_is_everything_else(several: list[Extent], size: int) -> None:
    free = extents.complement(several, size)
    assert as_set(free) == set(range(size)) - as_set(several)
    assert_normal(free)


@given(runs, runs)
def test_intersect_and_subtract_are_those_of_sets(left: list[Extent], right: list[Extent]) -> None:
    shared, remaining = extents.intersect(left, right), extents.subtract(left, right)
    assert as_set(shared) == as_set(left) & as_set(right)
    assert as_set(remaining) == as_set(left) - as_set(right)
    assert_normal(shared)
    assert_normal(remaining)


@given(runs, st.integers(1, 17), st.integers(0, 260))
def test_align_widens_to_granules_and_stays_on_the_disk(several: list[Extent], granule: int, size: int) -> None:
    aligned = extents.align(several, granule, size)
    touched = {byte // granule for byte in as_set(several) if byte < size}
    assert as_set(aligned) == {byte for byte in range(size) if byte // granule in touched}
    assert_normal(aligned)


@given(runs, st.integers(1, 17))
def test_split_cuts_at_multiples_and_loses_nothing(several: list[Extent], longest: int) -> None:
    pieces = extents.split(several, longest)
    assert as_set(pieces) == as_set(several)
    assert sum(piece.length for piece in pieces) == len(as_set(several))
    assert all(piece.offset // longest == (piece.end - 1) // longest for piece in pieces)


@given(runs, st.integers(0, 1000))
def test_shift_moves_every_byte(several: list[Extent], distance: int) -> None:
    assert as_set(extents.shift(several, distance)) == {byte + distance for byte in as_set(several)}


@pytest.mark.parametrize(("offset", "length"), [(-1, 5), (5, -1)])
def test_negative_extents_are_refused(offset: int, length: int) -> None:
    with pytest.raises(ValueError, match="can't have"):
        Extent(offset, length)
