"""The data port against real TLS: who may come in, and how many."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from wherry.iam.certificates import Authority, TaskCertificates
from wherry.receiver.admission import Admission
from wherry.receiver.errors import ListenFailed
from wherry.receiver.listener import Listener
from wherry.receiver.reconciliation import Served
from wherry.replication.errors import ConnectionLost, IdentityRefused
from wherry.replication.transport import Accepted, FrameStream, Identity, client_context, connect

LIMIT = 3


class Lobby:
    """Keeps connections open until the test ends, and knows who came."""

    def __init__(self) -> None:
        self.came: list[str] = []
        self.close = threading.Event()

    def __call__(self, accepted: Accepted) -> None:
        self.came.append(accepted.task_id)
        self.close.wait(20)
        accepted.stream.close()


class Stage:
    def __init__(self) -> None:
        self.authority = Authority.create("test CA")
        self.admission = Admission()
        self.lobby = Lobby()
        self.listener = Listener(("127.0.0.1", 0), self.admission, self.lobby, LIMIT)
        self.listener.start()
        self.streams: list[FrameStream] = []

    def serve(self, task_id: str) -> TaskCertificates:
        keys = self.authority.issue_task(task_id)
        identity = Identity(keys.target.certificate, keys.target.private_key, keys.passphrase, self.ca)
        self.admission.admit(Served(task_id, keys.target.certificate, keys.server_name), identity)
        return keys

    @property
    def ca(self) -> str:
        return self.authority.certificate_pem

    def knock(self, keys: TaskCertificates, server_name: str = "") -> None:
        """Connect as an agent does, and wait for the receiver's judgement."""
        identity = Identity(keys.source.certificate, keys.source.private_key, keys.passphrase, self.ca)
        context = client_context(identity)
        stream = connect(("127.0.0.1", self.listener.port), context, server_name or keys.server_name, 5.0)
        self.streams.append(stream)
        # The receiver judges the client's certificate after the client thinks that it's done.
        if stream.readable(0.3):
            stream.receive_header()


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    for stream in stage.streams:
        stream.close()
    stage.lobby.close.set()
    stage.listener.stop()
    assert stage.listener.join(10)


def until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_agent_with_its_task_s_certificate_comes_in(stage: Stage) -> None:
    keys = stage.serve("task-1")
    stage.knock(keys)
    until(lambda: stage.lobby.came == ["task-1"])


def test_a_task_that_is_not_served_is_refused(stage: Stage) -> None:
    stage.serve("task-1")
    stranger = stage.authority.issue_task("task-2")
    with pytest.raises((IdentityRefused, ConnectionLost)):
        stage.knock(stranger)
    stage.admission.withdraw("task-1")
    assert stage.lobby.came == []


def test_an_agent_may_not_ask_for_another_one_s_task(stage: Stage) -> None:
    stage.serve("task-1")
    other = stage.serve("task-2")
    with pytest.raises((IdentityRefused, ConnectionLost)):
        stage.knock(other, "task-task-1.wherry")
    assert stage.lobby.came == []


def test_a_certificate_of_another_authority_is_refused(stage: Stage) -> None:
    own = stage.serve("task-1")
    foreign = Authority.create("somebody else").issue_task("task-1")
    with pytest.raises((IdentityRefused, ConnectionLost)):
        stage.knock(foreign)
    stage.knock(own)
    until(lambda: stage.lobby.came == ["task-1"])


def test_a_withdrawn_task_is_refused_from_then_on(stage: Stage) -> None:
    keys = stage.serve("task-1")
    stage.admission.withdraw("task-1")
    with pytest.raises((IdentityRefused, ConnectionLost)):
        stage.knock(keys)


def test_noise_and_silence_end_nothing_but_themselves(stage: Stage) -> None:
    keys = stage.serve("task-1")
    with socket.create_connection(("127.0.0.1", stage.listener.port)) as noise:
        noise.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100)
        stage.knock(keys)
    until(lambda: stage.lobby.came == ["task-1"])


def test_connections_beyond_the_limit_are_closed_at_once(stage: Stage) -> None:
    keys = stage.serve("task-1")
    for _ in range(LIMIT):
        stage.knock(keys)
    until(lambda: len(stage.lobby.came) == LIMIT)
    with pytest.raises((ConnectionLost, IdentityRefused)):
        stage.knock(keys)
    stage.lobby.close.set()
    until(lambda: stage.listener.join(0.01))
    stage.lobby.close.clear()
    stage.knock(keys)
    until(lambda: len(stage.lobby.came) == LIMIT + 1)


def test_a_port_that_is_taken_is_named(stage: Stage) -> None:
    with pytest.raises(ListenFailed, match=str(stage.listener.port)):
        Listener(("127.0.0.1", stage.listener.port), Admission(), stage.lobby, 1)
