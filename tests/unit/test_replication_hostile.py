"""A hostile or broken agent: whatever it sends, it's refused in words, and the replica is as it was."""

import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.replication_doubles import (
    MemoryReader,
    control_frame,
    data_frame,
    gather_as_sent,
    gather_frame,
    pack_runs,
    patch_as_sent,
    patch_frame,
    zero_frame,
)
from tests.unit.replication_victim import COMMIT, DATA, HELLO, SIZE, TAIL, Agent, Victim, one, say
from wherry.disks.extents import Extent
from wherry.errors import WherryError
from wherry.replication.codecs import Codec, Packer
from wherry.replication.errors import ConnectionLost, PeerRefused, ProtocolViolated
from wherry.replication.frames import FrameType, Header
from wherry.replication.granules import EXTENT_SIZE, GRANULE_SIZE
from wherry.replication.messages import (
    Ack,
    Alive,
    AnyMessage,
    BeginPass,
    ByeOk,
    CommitPass,
    Committed,
    Covered,
    Digests,
    DiskLine,
    Error,
    Hello,
    Review,
    Reviewed,
    Welcome,
)
from wherry.replication.receiving import serve_session
from wherry.replication.replica import Replica
from wherry.replication.sending import PassMemory, SourceDisk, SourceSession, SourceTables
from wherry.replication.stream import FrameStream


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Victim]:
    with contextlib.closing(Victim(tmp_path)) as made:
        yield made


def bomb(agent: Agent) -> None:
    _codec, payload = Packer().pack(memoryview(bytes(EXTENT_SIZE)))
    agent.say(BeginPass(number=1))
    agent.send_as(Header(FrameType.DATA, Codec.ZSTD, 0, 1, 0, 0, GRANULE_SIZE, len(payload), bytes(16)), bytes(payload))


def replayed(agent: Agent) -> None:
    agent.say(BeginPass(number=1))
    frame = data_frame(0, 1, 0, b"evil" * (GRANULE_SIZE // 4), sequence=agent.sequence)
    agent.raw((frame.head + bytes(frame.stored)) * 2)


def swapped(agent: Agent) -> None:
    agent.say(BeginPass(number=1))
    frames = [data_frame(0, 1, 0, bytes([n]) * GRANULE_SIZE, sequence=agent.sequence + n) for n in (1, 0)]
    agent.raw(b"".join(frame.head + bytes(frame.stored) for frame in frames))


def left_out(agent: Agent) -> None:
    agent.say(BeginPass(number=1))
    agent.sequence += 1
    agent.send(data_frame(0, 1, 0, DATA))


def flipped(agent: Agent) -> None:
    agent.say(BeginPass(number=1))
    frame = data_frame(0, 1, 0, random.Random(1).randbytes(GRANULE_SIZE))
    payload = bytearray(frame.stored)
    payload[777] ^= 4
    agent.send_as(frame.header, bytes(payload))


GOOD = data_frame(0, 1, 0, b"evil" * (GRANULE_SIZE // 4))


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(one(data_frame(0, 1, 11 * GRANULE_SIZE, DATA)), id="beyond the disk"),
        pytest.param(one(data_frame(0, 1, 10 * GRANULE_SIZE, DATA)), id="over the end of the disk"),
        pytest.param(one(data_frame(0, 1, 3 * GRANULE_SIZE, TAIL)), id="a short granule in the middle"),
        pytest.param(one(replace(GOOD.header, offset=512), bytes(GOOD.stored)), id="unaligned"),
        pytest.param(one(zero_frame(0, 1, 0, 2 * SIZE - 1024)), id="zeros over the end"),
        pytest.param(one(gather_frame(0, 1, {0: DATA, 11: DATA})), id="gathered beyond the disk"),
        pytest.param(one(gather_frame(0, 1, {0: DATA, 10: DATA})), id="gathered over the end of the disk"),
        pytest.param(one(gather_frame(0, 1, {0: DATA, 3: TAIL})), id="a short granule gathered in the middle"),
        pytest.param(one(*gather_as_sent(0, 1, {3: DATA, 0: DATA})), id="gathered backwards"),
        pytest.param(one(*gather_as_sent(0, 1, {0: DATA, 1: DATA, 2: TAIL}, pack=False)), id="gathered short"),
        pytest.param(one(patch_frame(0, 1, {0: (1, DATA), 11: (1, DATA)})), id="patched beyond the disk"),
        pytest.param(one(patch_frame(0, 1, {10: (1, DATA)})), id="patched over the end of the disk"),
        pytest.param(one(*patch_as_sent(0, 1, {3: (1, DATA), 0: (1, DATA)})), id="patched backwards"),
        pytest.param(one(*patch_as_sent(0, 1, {0: (1, DATA), 3: (0, DATA)})), id="patched without a block"),
        pytest.param(one(patch_frame(1, 1, {0: (1, DATA)})), id="another disk's patch"),
        pytest.param(one(patch_frame(0, 2, {0: (1, DATA)})), id="a patch of a later pass"),
        pytest.param(lambda agent: agent.send(patch_frame(0, 1, {0: (1, DATA)})), id="a patch outside of a pass"),
        pytest.param(say(Review(number=1)), id="a question outside of a pass"),
        pytest.param(say(Reviewed(number=1)), id="a receiver's answer"),
        pytest.param(one(data_frame(1, 1, 0, DATA)), id="another disk"),
        pytest.param(one(data_frame(0, 0, 0, DATA)), id="an earlier pass"),
        pytest.param(one(data_frame(0, 2, 0, DATA)), id="a later pass"),
        pytest.param(lambda agent: agent.send(GOOD), id="data outside of a pass"),
        pytest.param(say(BeginPass(number=0)), id="an earlier pass begun"),
        pytest.param(say(BeginPass(number=2)), id="a later pass begun"),
        pytest.param(say(COMMIT), id="a commit of what wasn't begun"),
        pytest.param(
            say(BeginPass(number=1), CommitPass(number=2, consistent=True, taken_at=1)), id="a commit of a later pass"
        ),
        pytest.param(
            say(BeginPass(number=1), Covered(disk=0, runs=pack_runs([(0, 12)])), COMMIT), id="granules beyond the disk"
        ),
        pytest.param(
            say(BeginPass(number=1), Covered(disk=0, runs=pack_runs([(3, 2), (4, 1)])), COMMIT), id="granules twice"
        ),
        pytest.param(say(BeginPass(number=1), Covered(disk=9, runs=pack_runs([(0, 1)]))), id="granules of no disk"),
        pytest.param(say(BeginPass(number=1), Covered(disk=0, runs=pack_runs([(0, 1)] * 12))), id="too many runs"),
        pytest.param(say(BeginPass(number=1), Covered(disk=0, runs=b"")), id="no runs"),
        pytest.param(say(HELLO), id="a second hello"),
        pytest.param(say(Welcome(checkpoint=None, open_pass=None)), id="a receiver's message"),
        pytest.param(say(Ack(durable_bytes=1)), id="an acknowledgement"),
        pytest.param(bomb, id="a bomb"),
        pytest.param(replayed, id="a frame again"),
        pytest.param(swapped, id="frames swapped"),
        pytest.param(left_out, id="a frame left out"),
        pytest.param(flipped, id="a flipped bit"),
        pytest.param(lambda agent: agent.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + bytes(64)), id="another protocol"),
    ],
)
def test_what_the_protocol_forbids_is_refused_and_changes_nothing(
    victim: Victim, attack: Callable[[Agent], None]
) -> None:
    with victim.attack() as agent:
        attack(agent)
        refusal = agent.refusal()
        assert refusal.code == ProtocolViolated.code
        assert refusal.message
        assert refusal.cause
        assert refusal.fix
    assert isinstance(agent.served.exception(10), ProtocolViolated)
    assert victim.image.read_bytes() == victim.before
    assert victim.replica.checkpoint is not None
    assert victim.replica.checkpoint.number == 0
    with victim.attack() as honest:
        honest.say(BeginPass(number=1))
        honest.send(data_frame(0, 1, 10 * GRANULE_SIZE, TAIL))
        honest.say(COMMIT)
        honest.finish()
    assert victim.image.read_bytes()[-1024:] == TAIL
    assert victim.image.read_bytes()[GRANULE_SIZE:-1024] == victim.before[GRANULE_SIZE:-1024]


@pytest.mark.parametrize(
    "hello",
    [
        pytest.param(Hello(task_id="t2", source_id="s", disks=HELLO.disks), id="another task"),
        pytest.param(Hello(task_id="task", source_id="s", disks=HELLO.disks, protocol=1), id="another protocol"),
        pytest.param(Hello(task_id="task", source_id="s", disks=HELLO.disks * 2), id="a disk twice"),
        pytest.param(
            Hello(task_id="task", source_id="s", disks=(DiskLine(index=0, name="d", size=SIZE - 1),)), id="shrunk"
        ),
        pytest.param(
            Hello(task_id="task", source_id="s", disks=(DiskLine(index=1, name="d", size=SIZE),)), id="another index"
        ),
    ],
)
def test_a_hello_that_does_not_fit_is_refused(victim: Victim, hello: Hello) -> None:
    with victim.attack(hello) as agent:
        assert agent.refusal().code in {"WHERRY.2002", "WHERRY.2022"}
    assert isinstance(agent.served.exception(10), WherryError)


def test_a_session_must_begin_with_hello(victim: Victim) -> None:
    with victim.attack(None) as agent:
        agent.say(Alive())
        assert "HELLO" in agent.refusal().message


@pytest.mark.parametrize("kept", [1, 63, 64, 65, 100])
def test_a_cut_in_the_middle_of_a_frame_keeps_the_frames_before(victim: Victim, kept: int) -> None:
    with victim.attack() as agent:
        while not isinstance(agent.hear(), Digests):
            pass
        agent.say(BeginPass(number=1))
        agent.send(data_frame(0, 1, 2 * GRANULE_SIZE, b"kept" * (GRANULE_SIZE // 4)))
        lost = data_frame(0, 1, 3 * GRANULE_SIZE, random.Random(1).randbytes(GRANULE_SIZE), sequence=agent.sequence)
        agent.raw((lost.head + bytes(lost.stored))[:kept])
    assert not agent.served.result(10).orderly
    with victim.attack() as agent:
        while not isinstance(message := agent.hear(), Digests):
            assert isinstance(message, Welcome)
            assert (message.checkpoint, message.open_pass) == (0, 1)
        told = [message.digests[16 * granule : 16 * granule + 16] for granule in (2, 3)]
        assert any(told[0])
        assert not any(told[1])


def test_an_agent_that_gives_up_in_words_is_no_error_of_the_receiver(victim: Victim) -> None:
    with victim.attack() as agent:
        agent.say(Error(code="WHERRY.4000", message="m", cause="c", fix="f"))
        assert not agent.served.result(10).orderly


def test_single_bytes_arrive_as_well(victim: Victim) -> None:
    with victim.attack() as agent:
        frames = [control_frame(BeginPass(number=1), 1), control_frame(COMMIT, 3)]
        data = data_frame(0, 1, GRANULE_SIZE, b"slow" * (GRANULE_SIZE // 4), sequence=2)
        for byte in b"".join(frames[0]) + data.head + bytes(data.stored) + b"".join(frames[1]):
            agent.raw(bytes([byte]))
        agent.sequence = 4
        while not isinstance(agent.hear(), Committed):
            pass
        agent.finish()
    assert victim.image.read_bytes()[GRANULE_SIZE : 2 * GRANULE_SIZE] == b"slow" * (GRANULE_SIZE // 4)


def test_a_flood_of_empty_frames_is_held_back_by_the_store(victim: Victim) -> None:
    with victim.attack() as agent:
        agent.say(BeginPass(number=1))
        for _ in range(2000):
            agent.send(zero_frame(0, 1, 0, GRANULE_SIZE))
        agent.say(COMMIT)
        agent.finish()
    assert victim.image.read_bytes()[:GRANULE_SIZE] == bytes(GRANULE_SIZE)


# The other way round: a receiver that the agent can't trust to speak sense


class Receiver:
    """A receiver that says what it's told to, after the HELLO."""

    def __init__(self, *messages: AnyMessage | bytes) -> None:
        ours, self.theirs = socket.socketpair()
        self.stream = FrameStream(ours, silence_s=2)
        content, sequence = b"", 0
        for message in messages:
            if isinstance(message, bytes):
                content += message
            else:
                content += b"".join(control_frame(message, sequence))
                sequence += 1
        self.theirs.sendall(content)


COUNT = 11
DIGESTS = Digests(disk=0, first=0, digests=bytes(16 * COUNT))
WELCOME = Welcome(checkpoint=None, open_pass=None)
BYE_OK = ByeOk()


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param((DIGESTS,), id="digests before the welcome"),
        pytest.param((WELCOME, WELCOME), id="two welcomes"),
        pytest.param((WELCOME, Digests(disk=0, first=0, digests=bytes(16 * 12))), id="too many digests"),
        pytest.param((WELCOME, Digests(disk=0, first=1, digests=bytes(16))), id="digests out of order"),
        pytest.param((WELCOME, Digests(disk=0, first=0, digests=bytes(15))), id="half a digest"),
        pytest.param((WELCOME, Digests(disk=1, first=0, digests=bytes(16))), id="digests of another disk"),
        pytest.param((HELLO,), id="an agent's message"),
        pytest.param((bytes(64),), id="noise"),
    ],
)
def test_an_agent_refuses_a_welcome_that_makes_no_sense(messages: tuple[AnyMessage | bytes, ...]) -> None:
    receiver = Receiver(*messages)
    with receiver.theirs, pytest.raises(ProtocolViolated):
        SourceSession.over(receiver.stream, HELLO)


def test_an_agent_hands_on_what_the_receiver_refuses_it_with() -> None:
    receiver = Receiver(Error(code="WHERRY.3999", message="no", cause="because", fix="so"))
    with receiver.theirs, pytest.raises(PeerRefused) as caught:
        SourceSession.over(receiver.stream, HELLO)
    error = caught.value
    assert (error.code, error.message, error.cause, error.fix) == ("WHERRY.3999", "no", "because", "so")


def test_an_agent_notices_a_receiver_that_fell_silent() -> None:
    receiver = Receiver(WELCOME, DIGESTS)
    disk = SourceDisk(0, "d", SIZE, MemoryReader(bytearray(b"x" * SIZE)))
    with receiver.theirs:
        session = SourceSession.over(receiver.stream, HELLO)
        report = session.run_pass(0, [disk], {0: [Extent(0, SIZE)]}, PassMemory())
        failed: list[BaseException] = []

        def commit() -> None:
            try:
                session.commit(True, 1, report.covered)
            except WherryError as error:
                failed.append(error)

        waiter = threading.Thread(target=commit)
        waiter.start()
        waiter.join(10)
        assert isinstance(failed[0], ConnectionLost)
        assert "2 s" in failed[0].message
        session.close()


def test_a_receiver_that_is_alive_for_ever_does_not_hold_up_a_commit() -> None:
    receiver = Receiver(WELCOME, DIGESTS, *[Alive()] * 200)
    disk = SourceDisk(0, "d", SIZE, MemoryReader(bytearray(b"x" * SIZE)))
    with receiver.theirs:
        session = SourceSession.over(receiver.stream, HELLO)
        report = session.run_pass(0, [disk], {0: [Extent(0, SIZE)]}, PassMemory())
        began = time.monotonic()
        with pytest.raises(ConnectionLost, match="not committed within"):
            session.commit(True, 1, report.covered, timeout_s=0.3)
        assert time.monotonic() - began < 2
        receiver.theirs.close()
        session.close()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((Welcome(checkpoint=0, open_pass=None, whole=False),), id="tables that were not offered"),
        pytest.param((WELCOME, Digests(disk=0, first=0, digests=b"")), id="no digests"),
        pytest.param((WELCOME, BYE_OK), id="a farewell"),
    ],
)
def test_an_agent_refuses_digests_that_make_no_sense(answer: tuple[AnyMessage, ...]) -> None:
    receiver = Receiver(*answer)
    with receiver.theirs, pytest.raises(ProtocolViolated):
        SourceSession.over(receiver.stream, HELLO)


@pytest.mark.parametrize(
    "answer",
    [
        (Welcome(checkpoint=1, open_pass=None, whole=False, replica_id="r"),),
        (Welcome(checkpoint=0, open_pass=None, whole=False, replica_id="other"),),
        (Welcome(checkpoint=None, open_pass=None, whole=False, replica_id="r"),),
        (
            Welcome(checkpoint=0, open_pass=1, whole=False, replica_id="r", pieces=1),
            Digests(disk=0, first=5, digests=bytes(16 * 7)),
        ),
        (
            Welcome(checkpoint=0, open_pass=1, whole=False, replica_id="r", pieces=2),
            Digests(disk=0, first=5, digests=bytes(16)),
            Digests(disk=3, first=5, digests=bytes(16)),
        ),
    ],
)
def test_an_agent_whose_tables_are_taken_up_checks_what_it_is_told(answer: tuple[AnyMessage, ...]) -> None:
    tables = SourceTables.in_memory(HELLO.disks)
    tables.replaced("r", 0)
    receiver = Receiver(*answer)
    with receiver.theirs, pytest.raises(ProtocolViolated):
        SourceSession.over(receiver.stream, HELLO, tables=tables)


def test_toggles_without_a_checkpoint_before_are_refused(tmp_path: Path) -> None:
    replica = Replica.open(tmp_path / "state", "task", lambda _index, size: sparse(tmp_path / "new.img", size))
    ours, theirs = socket.socketpair()
    with ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve_session, FrameStream(theirs), replica)
        with Agent(ours, served, HELLO) as agent:
            agent.say(BeginPass(number=0))
            agent.say(CommitPass(number=0, consistent=True, taken_at=1, toggles=True))
            assert agent.refusal().code == ProtocolViolated.code
    replica.close()
    theirs.close()


def sparse(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    return path
