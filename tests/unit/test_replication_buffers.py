"""The pool of buffers: bounded while a pass runs, small between passes."""

import threading

import pytest

from wherry.replication.buffers import BufferPool
from wherry.replication.frames import MAX_PAYLOAD


def test_no_more_buffers_are_handed_out_than_there_may_be() -> None:
    pool, abort = BufferPool(2), threading.Event()
    taken = [pool.take(abort) for _ in range(2)]
    assert [len(each) for each in taken if each is not None] == [MAX_PAYLOAD] * 2
    abort_soon = threading.Timer(0.05, abort.set)
    abort_soon.start()
    assert pool.take(abort) is None, "waits for one until it's told to end"
    abort_soon.join()


@pytest.mark.parametrize("count", [3, 20])
def test_between_passes_few_stay_and_all_can_be_had_again(count: int) -> None:
    pool, abort = BufferPool(count), threading.Event()
    for _ in range(2):
        taken = [pool.take(abort) for _ in range(count)]
        assert len({id(each) for each in taken}) == count
        for each in taken:
            assert each is not None
            pool.give(each)
        pool.shrink()
        assert pool.kept <= 8
