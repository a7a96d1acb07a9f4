"""Patches of a hostile or broken agent: those that don't fit are told, and never become part of a checkpoint."""

import contextlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.unit.replication_doubles import (
    data_frame,
    patch_frame,
    zero_frame,
)
from tests.unit.replication_victim import COMMIT, DATA, HELLO, SIZE, Agent, Victim
from wherry.replication.errors import PatchesUnfit, ProtocolViolated
from wherry.replication.frames import Opened
from wherry.replication.granules import GRANULE_SIZE
from wherry.replication.messages import (
    BeginPass,
    Review,
    Reviewed,
    Unfit,
)
from wherry.replication.patches import BLOCK_SIZE
from wherry.replication.receiving import serve_session
from wherry.replication.replica import Replica
from wherry.replication.stream import FrameStream


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Victim]:
    with contextlib.closing(Victim(tmp_path)) as made:
        yield made


def patched(granule: int, mask: int, after: bytes) -> Opened:
    return patch_frame(0, 1, {granule: (mask, after)})


BEFORE = {0: DATA, 4: bytes(GRANULE_SIZE)}
"""What the victim holds."""


def over(granule: int, block: int, words: bytes = b"good") -> bytes:
    """Return what a granule of the victim becomes when a block of it is written."""
    content = bytearray(BEFORE[granule])
    content[block * BLOCK_SIZE : (block + 1) * BLOCK_SIZE] = (words * BLOCK_SIZE)[:BLOCK_SIZE]
    return bytes(content)


def wrong(granule: int, block: int) -> bytes:
    """Return a granule that no patch of just one block can make of the victim's."""
    return b"evil" + over(granule, block)[4:]


@pytest.mark.parametrize(
    ("frames", "unfit"),
    [
        pytest.param([patched(4, 2, over(4, 1))], [], id="what fits"),
        pytest.param([patched(4, 2, wrong(4, 1))], [4], id="a digest that doesn't come out"),
        pytest.param([patch_frame(0, 1, {0: (2, wrong(0, 1)), 4: (2, over(4, 1))})], [0], id="one of two granules"),
        pytest.param([patched(4, 2, over(4, 1))] * 2, [4], id="a patch twice"),
        pytest.param([data_frame(0, 1, 4 * GRANULE_SIZE, DATA), patched(4, 2, over(4, 1))], [4], id="after a granule"),
        pytest.param([patched(4, 2, wrong(4, 1)), zero_frame(0, 1, 4 * GRANULE_SIZE, GRANULE_SIZE)], [], id="healed"),
        pytest.param(
            [patched(4, 2, wrong(4, 1)), data_frame(0, 1, 4 * GRANULE_SIZE, DATA), patched(4, 2, wrong(4, 1))],
            [4],
            id="healed and spoilt again",
        ),
    ],
)
def test_patches_that_do_not_fit_are_told_and_keep_the_pass_from_being_committed(
    victim: Victim, frames: list[Opened], unfit: list[int]
) -> None:
    for _ in range(2):  # the second session finds what the first one left
        with victim.attack() as agent:
            agent.say(BeginPass(number=1))
            if not victim.replica.open_pass:
                for frame in frames:
                    agent.send(frame)
            agent.say(Review(number=7))
            told: list[int] = []
            while not isinstance(message := agent.hear(), Reviewed):
                if isinstance(message, Unfit):
                    told += np.frombuffer(message.granules, dtype="<u4").tolist()
            assert message.number == 7
            assert told == unfit
            if unfit:
                agent.say(COMMIT)
                assert agent.refusal().code == PatchesUnfit.code
    assert victim.image.read_bytes() == victim.before
    with victim.attack() as honest:
        honest.say(BeginPass(number=1))
        for granule in unfit:
            honest.send(data_frame(0, 1, granule * GRANULE_SIZE, b"mend" * (GRANULE_SIZE // 4)))
        honest.say(COMMIT)
        honest.finish()
    after = victim.image.read_bytes()
    for granule in unfit:
        assert after[granule * GRANULE_SIZE : (granule + 1) * GRANULE_SIZE] == b"mend" * (GRANULE_SIZE // 4)
    if [frame.patch is None for frame in frames] == [False] and not unfit:
        assert after[4 * GRANULE_SIZE : 5 * GRANULE_SIZE] == over(4, 1)


def test_nothing_can_be_patched_before_there_is_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(SIZE))
    replica = Replica.open(tmp_path / "state", "task", lambda _index, _size: path)
    ours, theirs = socket.socketpair()
    with ThreadPoolExecutor(1) as pool, ours, theirs:
        with Agent(ours, pool.submit(serve_session, FrameStream(theirs), replica), HELLO) as agent:
            agent.say(BeginPass(number=0))
            agent.send(patch_frame(0, 0, {4: (2, over(4, 1))}))
            assert agent.refusal().code == ProtocolViolated.code
        assert isinstance(agent.served.exception(10), ProtocolViolated)
    replica.close()
    assert path.read_bytes() == bytes(SIZE)
