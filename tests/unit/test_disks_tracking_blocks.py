"""Marks of blocks: whatever is written and committed in whatever order, none that was written since is missing."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from wherry.disks.tracking import marks as granule_marks
from wherry.disks.tracking.blocks import ALL, BLOCKS, BlockMarks, Masks, mark_blocks
from wherry.disks.tracking.marks import Bytes

COUNT = 1200
runs = st.lists(
    st.tuples(st.integers(0, COUNT * BLOCKS - 1), st.sampled_from([1, 1, 2, 16, 17, 40, 1100 * BLOCKS])), max_size=8
)
steps = st.tuples(st.sampled_from(["write", "write", "kill", "cut", "commit"]), runs)


@dataclass
class Model:
    """A disk's marks, and in which epoch each block was really written last."""

    marks: Bytes = field(default_factory=lambda: np.zeros(COUNT, np.uint8))
    masks: Masks = field(default_factory=lambda: np.full(COUNT, 0x5555, np.uint16))
    written: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(COUNT * BLOCKS, np.int64))
    floor: int = 0
    epoch: int = 1

    def write(self, pieces: list[tuple[int, int]], *, killed: bool = False) -> None:
        """Take events in; *killed*: the process ends before the granules are marked, and the next one begins anew."""
        first = np.array([start for start, _ in pieces], dtype=np.int64)
        last = np.minimum(first + np.array([length - 1 for _, length in pieces], dtype=np.int64), COUNT * BLOCKS - 1)
        for _ in range(1 + killed):
            mark_blocks(self.masks, self.marks, first, last, self.floor, self.epoch)
        granule_marks.mark(self.marks, first // BLOCKS, last // BLOCKS, self.epoch)
        for start, end in zip(first.tolist(), last.tolist(), strict=True):
            self.written[start : end + 1] = self.epoch

    def cut(self) -> None:
        self.epoch += 1
        granule_marks.make_room(self.marks, self.epoch)

    def check(self) -> None:
        known = granule_marks.dirty(self.marks, self.floor, self.epoch)
        told = BlockMarks(self.masks, known).of(np.arange(COUNT))
        really = (self.written > self.floor).reshape(COUNT, BLOCKS)
        missing = really & ~((told[:, None] >> np.arange(BLOCKS)) & 1).astype(np.bool_)
        assert not missing.any()
        assert (told[~known] == ALL).all()
        # Marks aren't just full: a granule that was written in one piece since the commit has no more than its blocks.
        once = known & (really.sum(axis=1) == 1) & (self.written.reshape(COUNT, BLOCKS).max(axis=1) == self.epoch)
        before = (self.written.reshape(COUNT, BLOCKS) > 0).sum(axis=1)
        assert (np.bitwise_count(told[once & (before == 1)]) == 1).all()


@settings(max_examples=200, deadline=None)
@given(st.lists(steps, max_size=14))
def test_no_block_that_was_written_since_the_commit_is_missing(order: list[tuple[str, list[tuple[int, int]]]]) -> None:
    model = Model()
    for step, pieces in order:
        match step:
            case "cut":
                model.cut()
            case "commit":
                model.floor = model.epoch - 1
            case _:
                model.write(pieces, killed=step == "kill")
        model.check()


def test_what_was_committed_is_forgotten_with_the_next_write() -> None:
    model = Model()
    model.write([(5 * BLOCKS + 3, 1)])
    model.cut()
    model.write([(5 * BLOCKS + 4, 1)])
    assert model.masks[5] == 0b11000, "the first one isn't committed"
    model.floor = 1
    model.write([(5 * BLOCKS + 5, 1)])
    assert model.masks[5] == 0b111000, "the granule's mark isn't committed, so that its mask only grows"
    model.cut()
    model.floor = 2
    model.write([(5 * BLOCKS + 9, 1)])
    assert model.masks[5] == 1 << 9
