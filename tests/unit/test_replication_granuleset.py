"""Sets of granules, against Python's own sets."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.disks.extents import Extent, align, total
from wherry.replication.granules import GRANULE_SIZE, granule_count
from wherry.replication.granuleset import GranuleSet

counts = st.integers(1, 70)


@st.composite
def masks(draw: st.DrawFn, number: int = 1) -> list[np.ndarray]:
    count = draw(counts)
    return [np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count))) for _ in range(number)]


def members(chosen: GranuleSet) -> set[int]:
    return {granule for first, count in chosen.runs() for granule in range(first, first + count)}


@given(masks())
def test_a_mask_comes_back_as_its_runs(given_masks: list[np.ndarray]) -> None:
    (mask,) = given_masks
    made = GranuleSet.of_mask(mask)
    assert members(made) == set(np.flatnonzero(mask).tolist())
    assert len(made) == mask.sum()
    assert bool(made) == bool(mask.any())
    assert GranuleSet.of_runs(made.runs(), len(mask)) == made
    assert GranuleSet.of_runs(made.run_array(), len(mask)) == made
    assert all(first + count < later for (first, count), (later, _) in zip(made.runs(), made.runs()[1:], strict=False))
    np.testing.assert_array_equal(made.mask(0, len(mask)), mask)


@given(masks(), st.data())
def test_single_granules_are_asked_for_and_put(given_masks: list[np.ndarray], data: st.DataObject) -> None:
    (held,) = given_masks
    made = GranuleSet.of_mask(held)
    some = np.array(sorted(data.draw(st.sets(st.integers(0, len(held) - 1)))), dtype=np.int64)
    new = np.array(data.draw(st.lists(st.booleans(), min_size=len(some), max_size=len(some))), dtype=np.bool_)
    np.testing.assert_array_equal(made.has(some), held[some])
    made.put(some, new)
    expected = held.copy()
    expected[some] = new
    assert made == GranuleSet.of_mask(expected)
    numbers = [number for each in made.numbers() for number in each.tolist()]
    assert numbers == np.flatnonzero(expected).tolist()


@given(masks(2))
def test_the_set_arithmetic(two: list[np.ndarray]) -> None:
    left, right = (GranuleSet.of_mask(mask) for mask in two)
    assert members(left | right) == members(left) | members(right)
    assert members(left & right) == members(left) & members(right)
    assert members(left ^ right) == members(left) ^ members(right)
    assert members(left - right) == members(left) - members(right)
    copy = left.copy()
    copy.clear()
    assert not copy
    assert members(left) == set(np.flatnonzero(two[0]).tolist())


@given(masks(), st.data())
def test_parts_are_read_and_replaced(given_masks: list[np.ndarray], data: st.DataObject) -> None:
    (mask,) = given_masks
    made = GranuleSet.of_mask(mask)
    first = data.draw(st.integers(0, len(mask) - 1))
    count = data.draw(st.integers(0, len(mask) - first))
    np.testing.assert_array_equal(made.mask(first, count), mask[first : first + count])
    new = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), dtype=np.bool_)
    made.assign(first, new)
    mask[first : first + count] = new
    assert made == GranuleSet.of_mask(mask)
    present = data.draw(st.booleans())
    made.set(first, count, present=present)
    mask[first : first + count] = present
    assert made == GranuleSet.of_mask(mask)


@given(
    st.integers(1, 60 * GRANULE_SIZE),
    st.lists(st.tuples(st.integers(0, 62 * GRANULE_SIZE), st.integers(0, 9 * GRANULE_SIZE)), max_size=12),
)
def test_extents_become_the_granules_that_they_touch(size: int, pairs: list[tuple[int, int]]) -> None:
    extents = [Extent(offset, length) for offset, length in pairs]
    made = GranuleSet.of_extents(extents, size)
    assert made.runs() == [
        (extent.offset // GRANULE_SIZE, -(-extent.length // GRANULE_SIZE))
        for extent in align(extents, GRANULE_SIZE, size)
    ]
    assert made.byte_count(size) == total(
        [
            Extent(first * GRANULE_SIZE, min(count * GRANULE_SIZE, size - first * GRANULE_SIZE))
            for first, count in made.runs()
        ]
    )


def test_a_full_set_has_no_granule_too_many() -> None:
    for count in range(1, 40):
        made = GranuleSet.full(count)
        assert made.runs() == [(0, count)]
        assert len(made) == count


@pytest.mark.parametrize("runs", [1, 20_000])
def test_a_large_disk_costs_milliseconds(runs: int) -> None:
    """A disk of 1 TiB: no operation may walk over granules in Python."""
    count = granule_count(1 << 40)
    chance = random.Random(1)
    places = [(chance.randrange(count - 9), 1 + chance.randrange(8)) for _ in range(runs)]
    made = GranuleSet.of_runs(places, count)
    assert GranuleSet.of_runs(made.runs(), count) == made
    assert members(made) == {granule for first, length in places for granule in range(first, first + length)}
