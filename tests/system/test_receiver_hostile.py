"""An agent that holds the keys of its own task and sends anything at all: a real listener, over TLS.

Whatever comes, the receiver has no fault of its own, nobody else's replica is touched, and the same task still ends
equal in an honest session.
"""

import contextlib
import os
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.system.soaking import COUNT
from tests.unit.replication_doubles import control_frame, data_frame, pack_runs, patch_frame, patch_of, zero_frame
from tests.unit.replication_pair import noise, source
from wherry.client.patience import Patience, Steadfast
from wherry.disks.extents import Extent
from wherry.iam.certificates import Authority, TaskCertificates
from wherry.receiver.admission import Admission
from wherry.receiver.checkpoints import CheckpointKeeper
from wherry.receiver.drivers.image import ImageDriver
from wherry.receiver.listener import Listener
from wherry.receiver.proofs import Proofs
from wherry.receiver.reconciliation import Served
from wherry.receiver.replicas import Replicas
from wherry.receiver.sessions import NoLandings, Sessions
from wherry.replication.codecs import Codec, Packer
from wherry.replication.errors import ConnectionLost, PeerRefused, ProtocolViolated
from wherry.replication.frames import MAX_CONTROL, FrameType, Header, encode_header
from wherry.replication.granules import EXTENT_SIZE, GRANULE_SIZE
from wherry.replication.messages import (
    Alive,
    AnyMessage,
    BeginPass,
    Bye,
    CommitPass,
    Covered,
    DiskLine,
    Fence,
    Hello,
    Join,
    Review,
)
from wherry.replication.patches import BLOCK_SIZE
from wherry.replication.sending import PassFigures, PassMemory, SendOptions, SourceSession
from wherry.replication.transport import Accepted, Identity, client_context

SIZE = 12 * GRANULE_SIZE + 512
EXAMPLES = 40 * COUNT
MOST_GROWTH = 256 << 20
MOST_ROOM = 64 << 20
Frame = Callable[[int], bytes]
"""Makes the bytes of a frame for a sequence number."""


class Stage:
    """A receiver with two tasks, in this process; what its handlers raise by mistake is kept."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority.create("test CA")
        self.admission = Admission()
        self.images = folder / "images"
        self.images.mkdir()
        driver = ImageDriver(self.images)
        self.replicas = Replicas(driver)
        steadfast = Steadfast(threading.Event(), Patience())
        proofs = Proofs(driver, self.replicas, lambda _task, _half: None, steadfast)
        self._sessions = Sessions(
            self.replicas,
            proofs,
            CheckpointKeeper(driver, self.replicas, 0),
            self.admission.serves,
            most=4,
            landing=NoLandings(),
        )
        self.faults: list[BaseException] = []
        self.listener = Listener(("127.0.0.1", 0), self.admission, self._attend, 16)
        self.listener.start()
        self.keys = {task: self._serve(task) for task in ("hostile", "other")}

    def _attend(self, accepted: Accepted) -> None:
        try:
            self._sessions(accepted)
        except BaseException as error:
            self.faults.append(error)
            raise

    def _serve(self, task_id: str) -> TaskCertificates:
        keys = self.authority.issue_task(task_id)
        ca = self.authority.certificate_pem
        identity = Identity(keys.target.certificate, keys.target.private_key, keys.passphrase, ca)
        self.admission.admit(Served(task_id, keys.target.certificate, keys.server_name), identity)
        return keys

    def context(self, task_id: str) -> ssl.SSLContext:
        keys = self.keys[task_id]
        ca = self.authority.certificate_pem
        return client_context(Identity(keys.source.certificate, keys.source.private_key, keys.passphrase, ca))

    def send(self, frames: list[Frame], task_id: str = "hostile", *, server_name: str = "") -> bytes:
        """Connect, send the frames, wait for the end of the session, and return what the receiver said."""
        address, heard = ("127.0.0.1", self.listener.port), bytearray()
        name = server_name or self.keys[task_id].server_name
        with (
            socket.create_connection(address, 10) as plain,
            self.context(task_id).wrap_socket(plain, server_hostname=name) as secured,
            contextlib.suppress(OSError),
        ):
            for sequence, frame in enumerate(frames):
                secured.sendall(frame(sequence))
            # No frame, so that the session ends; unless it's taken for a payload that was announced before.
            secured.sendall(bytes(64))
            secured.settimeout(0.25)
            while content := secured.recv(65_536):
                heard += content
        return bytes(heard)

    def migrate(self, task_id: str, content: bytearray) -> None:
        """Run an honest pass; the image must be equal to *content* afterwards."""
        disks = [source(content)]
        session = self._honest(task_id, len(content))
        try:
            report = session.run_pass(session.next_pass, disks, {0: [Extent(0, len(content))]}, PassMemory())
            session.commit(True, 1, report.covered)
            session.hold()
        finally:
            session.close()
        assert (self.images / task_id / "disk-0.raw").read_bytes() == content

    def _honest(self, task_id: str, size: int, connections: int = 1) -> SourceSession:
        hello = Hello(task_id=task_id, source_id="s", disks=(DiskLine(index=0, name="/dev/vd0", size=size),))
        address = ("127.0.0.1", self.listener.port)
        for _ in range(20):
            try:
                return SourceSession.connect(
                    address,
                    self.context(task_id),
                    self.keys[task_id].server_name,
                    hello,
                    options=SendOptions(connections=connections),
                    timeout_s=10,
                )
            except (ConnectionLost, PeerRefused):
                time.sleep(0.1)  # the hostile sessions are still being ended
        raise AssertionError("an honest agent isn't let in any more")

    def close(self) -> None:
        self.listener.stop()
        self.replicas.close()
        assert self.listener.join(20)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("hostile"))
    made.migrate("other", noise(SIZE, 1))
    made.migrate("hostile", noise(SIZE, 2))
    yield made
    made.close()


def message(content: AnyMessage) -> Frame:
    return lambda sequence: b"".join(control_frame(content, sequence))


def frame(header: Header, payload: bytes) -> Frame:
    return lambda sequence: encode_header(replace(header, sequence=sequence)) + payload


def bomb(_sequence: int) -> bytes:
    """A payload that unpacks to more than it says."""
    _, payload = Packer().pack(memoryview(bytes(EXTENT_SIZE)))
    header = Header(FrameType.DATA, Codec.ZSTD, 0, 1, _sequence, 0, GRANULE_SIZE, len(payload), bytes(16))
    return encode_header(header) + bytes(payload)


HELLO = Hello(task_id="hostile", source_id="s", disks=(DiskLine(index=0, name="d", size=SIZE),))
EDGES = st.sampled_from(
    [0, 1, 511, GRANULE_SIZE, SIZE, EXTENT_SIZE, EXTENT_SIZE + 1, MAX_CONTROL, (1 << 31) - 1, 1 << 31, (1 << 32) - 1]
)
LARGE = EDGES | st.sampled_from([1 << 40, 1 << 48, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
PAYLOADS = st.binary(max_size=600)
NAMES = st.sampled_from(["hostile", "other", "../other", "", "\0", "x" * 255])
NUMBERS = st.integers(0, 6)
COUNTS = st.integers(1, 14)
CONTENTS = st.sampled_from([bytes(GRANULE_SIZE), b"word" * (GRANULE_SIZE // 4)])
PAIRS = st.lists(st.tuples(st.integers(0, 1 << 40), st.integers(0, 1 << 40)), min_size=1, max_size=4)
LINES = st.builds(DiskLine, index=st.integers(0, 255), name=NAMES, size=st.sampled_from([1, SIZE, 1 << 40, 1 << 48]))
MESSAGES: st.SearchStrategy[AnyMessage] = st.one_of(
    st.builds(BeginPass, number=NUMBERS),
    st.builds(CommitPass, number=NUMBERS, consistent=st.booleans(), taken_at=st.just(1), toggles=st.booleans()),
    st.builds(Covered, disk=st.integers(0, 2), runs=PAIRS.map(pack_runs) | PAYLOADS),
    st.builds(Fence, number=NUMBERS),
    st.builds(Review, number=NUMBERS),
    st.builds(Join, session=NAMES, lane=st.integers(1, 15)),
    st.builds(
        Hello,
        task_id=NAMES,
        source_id=NAMES,
        disks=st.lists(LINES, min_size=1, max_size=3).map(tuple),
        protocol=NUMBERS,
        replica_id=NAMES,
        bases=st.lists(NUMBERS, max_size=2).map(tuple),
    ),
    st.sampled_from([HELLO, Alive(), Bye()]),
)


@st.composite
def odd_frames(draw: st.DrawFn) -> Frame:
    """A frame whose header is whole, and whose fields are anything."""
    payload = draw(PAYLOADS)
    stored = draw(st.just(len(payload)) | EDGES)
    header = Header(
        draw(st.sampled_from(FrameType)),
        draw(st.sampled_from(Codec)),
        draw(EDGES),
        draw(NUMBERS | EDGES),
        0,
        draw(LARGE),
        draw(LARGE),
        stored,
        draw(st.binary(min_size=16, max_size=16)),
    )
    return frame(header, payload)


@st.composite
def good_frames(draw: st.DrawFn) -> Frame:
    """A frame that an honest agent might send, for a pass that may be the wrong one."""
    number, granule = draw(NUMBERS), draw(st.integers(0, 14))
    if draw(st.booleans()):
        parts = {
            granule + step: (draw(st.integers(1, 0xFFFF)), draw(CONTENTS)) for step in range(draw(st.integers(1, 3)))
        }
        patch = patch_frame(0, number, parts)
        return frame(patch.header, bytes(patch.stored))
    if draw(st.booleans()):
        return frame(zero_frame(0, number, granule * GRANULE_SIZE, draw(COUNTS) * GRANULE_SIZE).header, b"")
    content = random.Random(granule).randbytes(GRANULE_SIZE)
    made = data_frame(0, number, granule * GRANULE_SIZE, content)
    return frame(made.header, bytes(made.stored))


@st.composite
def odd_patches(draw: st.DrawFn) -> Frame:
    """A patch whose frame is whole, and whose index is anything."""
    blocks, entries = draw(st.integers(0, 20)), draw(st.integers(0, 4))
    index = draw(st.binary(min_size=22 * entries, max_size=22 * entries))
    header, payload = patch_of(0, draw(NUMBERS), draw(COUNTS) * GRANULE_SIZE, b"b" * BLOCK_SIZE * blocks, index)
    return frame(header, payload)


RAW = PAYLOADS.map(lambda content: lambda _sequence: content)
MOVES = st.lists(
    st.one_of(MESSAGES.map(message), odd_frames(), good_frames(), odd_patches(), RAW, st.just(bomb)), max_size=8
)


def memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def room(folder: Path) -> int:
    """Return how many bytes the files below *folder* take."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*"))


def test_whatever_an_agent_sends_it_spoils_at_most_its_own_replica(stage: Stage) -> None:
    heard: list[bytes] = []
    before = memory()
    others = (stage.images / "other" / "disk-0.raw").read_bytes()

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(MOVES, st.booleans())
    def attack(moves: list[Frame], greets: bool) -> None:
        heard.append(stage.send([message(HELLO), *moves] if greets else moves))
        assert stage.faults == []

    attack()
    assert any(heard), "nobody answered"
    assert memory() - before < MOST_GROWTH
    assert room(stage.images) < MOST_ROOM
    stage.migrate("hostile", noise(SIZE, 3))
    stage.migrate("other", noise(SIZE, 1))
    assert (stage.images / "other" / "disk-0.raw").read_bytes() == others


def test_nobody_joins_the_session_of_another(stage: Stage) -> None:
    content = noise(SIZE, 4)
    disks = [source(content)]
    session = stage._honest("other", SIZE, connections=3)
    assert session.connections == 3
    (name,) = stage.replicas.get("other").lobby._sessions
    heard: list[bytes] = []

    def intrude(_figures: PassFigures) -> None:
        for task_id, wanted in (("hostile", name), ("other", "0" * 32), ("other", name)):
            for lane in (1, 2, 3):
                # What follows the refusal is never taken for frames of the session that was to be joined.
                data = data_frame(0, session.next_pass, 0, bytes(range(256)) * 256)
                moves = [message(Join(session=wanted, lane=lane)), frame(data.header, bytes(data.stored))]
                heard.append(stage.send(moves, task_id))
        # By the right name with the wrong certificate nobody gets as far as that.
        assert not stage.send([message(Join(session=name, lane=3))], server_name=stage.keys["other"].server_name)

    try:
        report = session.run_pass(session.next_pass, disks, {0: [Extent(0, SIZE)]}, PassMemory(), intrude)
        session.commit(True, 1, report.covered)
        session.hold()
    finally:
        session.close()
    assert len(heard) >= 9
    assert all(ProtocolViolated.code.encode() in words for words in heard)
    assert (stage.images / "other" / "disk-0.raw").read_bytes() == content
    assert stage.faults == []
    stage.migrate("other", noise(SIZE, 1))


def test_one_agent_cannot_take_all_the_connections(stage: Stage) -> None:
    name = stage.keys["hostile"].server_name
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            plain = stack.enter_context(socket.create_connection(("127.0.0.1", stage.listener.port), 5))
            secured = stack.enter_context(stage.context("hostile").wrap_socket(plain, server_hostname=name))
            with contextlib.suppress(TimeoutError):
                secured.settimeout(0.1)
                assert b"WHERRY.3006" in secured.recv(1000)
        stage.migrate("other", noise(SIZE, 1))
    stage.migrate("hostile", noise(SIZE, 3))
    assert stage.faults == []


def test_a_disk_as_large_as_the_protocol_knows_takes_no_room(stage: Stage) -> None:
    stage.keys["greedy"] = stage._serve("greedy")
    lines = tuple(DiskLine(index=index, name="d", size=1 << 48) for index in range(256))
    said = stage.send([message(Hello(task_id="greedy", source_id="s", disks=lines))], "greedy")
    assert b"WHERRY.2024" in said
    assert room(stage.images) < MOST_ROOM
    stage.migrate("other", noise(SIZE, 1))
