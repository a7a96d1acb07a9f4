"""TLS between agent and receiver over real sockets: who is let in, and what becomes of damaged bytes."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wherry.iam.certificates import Authority, TaskCertificates
from wherry.replication.errors import ConnectionLost, IdentityRefused
from wherry.replication.messages import Ack, Alive, AnyMessage
from wherry.replication.stream import FrameStream
from wherry.replication.transport import (
    Accepted,
    Clock,
    Identity,
    accept,
    client_context,
    connect,
    server_context,
    server_name_of,
)


@dataclass(frozen=True)
class Task:
    """A task's certificates, as agent and receiver get them."""

    agent: Identity
    receiver: Identity
    server_name: str


def task(authority: Authority, task_id: str, *, now: datetime | None = None) -> Task:
    made: TaskCertificates = authority.issue_task(task_id, now=now)
    ca = authority.certificate_pem
    return Task(
        Identity(made.source.certificate, made.source.private_key, made.passphrase, ca),
        Identity(made.target.certificate, made.target.private_key, made.passphrase, ca),
        made.server_name,
    )


AUTHORITY = Authority.create("test")
ONE, TWO = task(AUTHORITY, "one"), task(AUTHORITY, "two")
KNOWN = {ONE.server_name: ONE.receiver, TWO.server_name: TWO.receiver}


class Door:
    """A listening receiver that accepts one connection at a time."""

    def __init__(self, lookup: Callable[[str], Identity | None] = KNOWN.get, clock: Clock = time.time) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.pool = ThreadPoolExecutor(2)
        self.context = server_context(lookup, clock)
        self.address: tuple[str, int] = self.listener.getsockname()

    def accept(self) -> Accepted:
        connection, _address = self.listener.accept()
        return accept(connection, self.context, timeout_s=5)

    def close(self) -> None:
        self.listener.close()
        self.pool.shutdown()


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    yield made
    made.close()


def hear(stream: FrameStream) -> AnyMessage:
    header, head = stream.receive_header()
    return stream.receive_message(header, head)[0]


def enter(door: Door, identity: Identity, server_name: str) -> None:
    """Connect and say something; a refusal may come only after the agent's own handshake."""
    stream = connect(door.address, client_context(identity), server_name, 5)
    try:
        stream.send_message(Alive())
        hear(stream)
    finally:
        stream.close()


def meet(door: Door, mine: Task, clock: Clock = time.time) -> None:
    """Have both sides of a task come together and speak."""
    waiting = door.pool.submit(door.accept)
    stream = connect(door.address, client_context(mine.agent, clock), mine.server_name, 5)
    accepted = waiting.result(5)
    assert server_name_of(accepted.task_id) == accepted.server_name == mine.server_name
    stream.send_message(Ack(durable_bytes=7))
    assert hear(accepted.stream) == Ack(durable_bytes=7)
    accepted.stream.send_message(Alive())
    assert hear(stream) == Alive()
    stream.close()
    accepted.stream.close()


@pytest.mark.parametrize("mine", [ONE, TWO], ids=["one", "two"])
def test_the_receiver_picks_the_task_by_name(door: Door, mine: Task) -> None:
    meet(door, mine)


ODD_DAYS = pytest.mark.parametrize("days", [-4000, -1000, 1000], ids=["before the CA", "expired", "not yet valid"])


def made_at_another_time(days: int) -> tuple[Task, Clock]:
    """Return a task of *days* from now, and a clock that tells the time of then."""
    then = datetime.now(UTC) + timedelta(days=days)
    return task(AUTHORITY, "one", now=then), then.timestamp


@ODD_DAYS
def test_a_clock_that_is_years_off_keeps_nobody_out(days: int) -> None:
    odd, control_plane = made_at_another_time(days)
    door = Door({odd.server_name: odd.receiver}.get, control_plane)
    meet(door, odd, control_plane)
    door.close()


@ODD_DAYS
def test_a_receiver_refuses_a_certificate_that_is_not_good_by_the_control_planes_time(days: int) -> None:
    odd, _then = made_at_another_time(days)
    door = Door({odd.server_name: ONE.receiver}.get)
    waiting = door.pool.submit(door.accept)
    with pytest.raises((IdentityRefused, ConnectionLost)):
        enter(door, odd.agent, odd.server_name)
    refused = waiting.exception(5)
    assert isinstance(refused, IdentityRefused)
    assert "good from" in refused.message
    door.close()


@ODD_DAYS
def test_an_agent_refuses_a_certificate_that_is_not_good_by_the_control_planes_time(days: int) -> None:
    odd, _then = made_at_another_time(days)
    door = Door({odd.server_name: odd.receiver}.get)
    waiting = door.pool.submit(door.accept)
    with pytest.raises(IdentityRefused, match="good from"):
        connect(door.address, client_context(ONE.agent), odd.server_name, 5)
    waiting.result(5).stream.close()
    door.close()


FOREIGN = task(Authority.create("test"), "one")


@pytest.mark.parametrize(
    ("identity", "server_name"),
    [
        pytest.param(ONE.agent, TWO.server_name, id="another task's name"),
        pytest.param(ONE.agent, "task-three.wherry", id="a task that isn't here"),
        pytest.param(replace(FOREIGN.agent, ca=ONE.agent.ca), ONE.server_name, id="another authority"),
        pytest.param(replace(ONE.receiver, ca=ONE.agent.ca), ONE.server_name, id="a server's certificate"),
    ],
)
def test_who_is_not_the_task_is_not_let_in(door: Door, identity: Identity, server_name: str) -> None:
    waiting = door.pool.submit(door.accept)
    with pytest.raises((IdentityRefused, ConnectionLost)):
        enter(door, identity, server_name)
    assert isinstance(waiting.exception(5), IdentityRefused)


def test_without_a_certificate_nobody_is_let_in(door: Door) -> None:
    waiting = door.pool.submit(door.accept)
    context = ssl.create_default_context(cadata=AUTHORITY.certificate_pem)
    with pytest.raises((IdentityRefused, ConnectionLost)):  # noqa: PT012 - whichever notices it
        stream = connect(door.address, context, ONE.server_name, 5)
        try:
            hear(stream)
        finally:
            stream.close()
    assert isinstance(waiting.exception(5), IdentityRefused)


def test_older_tls_is_not_spoken(door: Door) -> None:
    waiting = door.pool.submit(door.accept)
    context = client_context(ONE.agent)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(IdentityRefused):
        connect(door.address, context, ONE.server_name, 5)
    assert isinstance(waiting.exception(5), IdentityRefused)


@pytest.mark.parametrize("impostor", [FOREIGN.receiver, TWO.receiver], ids=["other CA", "other task"])
def test_an_agent_refuses_a_receiver_that_is_not_the_tasks(impostor: Identity) -> None:
    door = Door(lambda _name: impostor)
    waiting = door.pool.submit(door.accept)
    with pytest.raises(IdentityRefused):
        connect(door.address, client_context(ONE.agent), ONE.server_name, 5)
    assert waiting.exception(5) is not None
    door.close()


@pytest.mark.parametrize(
    "identity",
    [
        replace(ONE.agent, passphrase="wrong"),
        replace(ONE.agent, passphrase=""),
        replace(ONE.agent, private_key=TWO.agent.private_key),
        replace(ONE.agent, certificate="nothing"),
        replace(ONE.agent, ca=""),
        replace(ONE.agent, ca="nothing"),
    ],
)
def test_pem_texts_that_dont_fit_are_refused_at_once(identity: Identity) -> None:
    with pytest.raises(IdentityRefused, match="its own"):
        client_context(identity)


def test_secrets_stay_out_of_files_and_of_the_text_form() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    client_context(ONE.agent)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert ONE.agent.passphrase not in repr(ONE.agent)
    assert "PRIVATE" not in repr(ONE.agent)


def test_a_peer_that_stalls_in_the_handshake_is_dropped() -> None:
    ours, theirs = socket.socketpair()
    with ours, pytest.raises(ConnectionLost, match="too long"):
        accept(theirs, server_context(KNOWN.get), timeout_s=0.3)


def test_a_peer_that_drips_in_the_handshake_is_dropped_all_the_same() -> None:
    ours, theirs = socket.socketpair()
    over = threading.Event()

    def drip() -> None:
        for byte in b"\x16\x03\x01\x02\x00" + bytes(400):
            if over.wait(0.02):
                return
            ours.send(bytes([byte]))

    dripping = threading.Thread(target=drip)
    dripping.start()
    with pytest.raises(ConnectionLost, match="too long"):
        accept(theirs, server_context(KNOWN.get), timeout_s=0.5)
    over.set()
    dripping.join()
    ours.close()


def test_nobody_listening_is_told_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    with pytest.raises(ConnectionLost, match="no connection"):
        connect(address, client_context(ONE.agent), ONE.server_name, 5)


@pytest.mark.parametrize("after", [0, 3000, 40_000])
def test_bits_flipped_after_encryption_end_the_connection(door: Door, after: int) -> None:
    """A relay between both flips one bit of what the agent sends, *after* so many bytes beyond the handshake."""
    with socket.create_server(("127.0.0.1", 0)) as middle:
        waiting = door.pool.submit(door.accept)
        flip, passed = threading.Event(), [0]

        def relay() -> None:
            agent_side, _address = middle.accept()
            with agent_side, socket.create_connection(door.address) as receiver_side:
                back = threading.Thread(target=pump, args=(receiver_side, agent_side, False))
                back.start()
                pump(agent_side, receiver_side, True)
                back.join()

        def pump(left: socket.socket, right: socket.socket, spoil: bool) -> None:
            try:
                while content := bytearray(left.recv(16_384)):
                    if spoil and flip.is_set():
                        if passed[0] <= after < passed[0] + len(content):
                            content[after - passed[0]] ^= 0x20
                        passed[0] += len(content)
                    right.sendall(content)
                right.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the other direction has ended it

        relaying = threading.Thread(target=relay)
        relaying.start()
        stream = connect(middle.getsockname(), client_context(ONE.agent), ONE.server_name, 5)
        accepted = waiting.result(5)
        # A flipped length makes the receiver wait for bytes that never come: only its patience ends that.
        accepted.stream._silence_s = 1
        stream.send_message(Alive())
        assert hear(accepted.stream) == Alive()
        flip.set()
        with pytest.raises(ConnectionLost):  # noqa: PT012 - wherever the flipped bit lies
            for number in range(600):
                stream.send_message(Ack(durable_bytes=number))
                assert hear(accepted.stream) == Ack(durable_bytes=number)
        accepted.stream.close()
        stream.close()
        relaying.join()
