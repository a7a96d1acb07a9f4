"""A receiver with a replica at a checkpoint, and agents that say anything to it: for the tests of hostile ones."""

import socket
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Self

from tests.unit.replication_doubles import (
    control_frame,
    data_frame,
)
from wherry.replication.frames import Header, Opened, encode_header
from wherry.replication.granules import GRANULE_SIZE
from wherry.replication.messages import (
    AnyMessage,
    BeginPass,
    Bye,
    ByeOk,
    CommitPass,
    DiskLine,
    Error,
    Hello,
)
from wherry.replication.receiving import SessionSummary, serve_session
from wherry.replication.replica import Replica
from wherry.replication.stream import FrameStream

SIZE = 10 * GRANULE_SIZE + 1024
HELLO = Hello(task_id="task", source_id="s", disks=(DiskLine(index=0, name="d", size=SIZE),))
DATA = b"good" * (GRANULE_SIZE // 4)
TAIL = b"t" * 1024


class Victim:
    """A receiver with a replica at checkpoint 0, and raw connections to it."""

    def __init__(self, directory: Path) -> None:
        self.image = directory / "disk.img"
        self.replica = Replica.open(directory / "state", "task", self._create)
        self.pool = ThreadPoolExecutor(4)
        self.sockets: list[socket.socket] = []
        with self.attack() as agent:
            agent.say(BeginPass(number=0))
            agent.send(data_frame(0, 0, 0, DATA))
            agent.say(CommitPass(number=0, consistent=True, taken_at=1))
            agent.finish()
        self.before = self.image.read_bytes()

    def _create(self, _index: int, size: int) -> Path:
        with self.image.open("ab") as file:
            file.truncate(size)
        return self.image

    def attack(self, hello: Hello | None = HELLO) -> "Agent":
        ours, theirs = socket.socketpair()
        self.sockets += [ours, theirs]
        return Agent(ours, self.pool.submit(serve_session, FrameStream(theirs), self.replica), hello)

    def close(self) -> None:
        for each in self.sockets:
            each.close()
        self.replica.close()
        self.pool.shutdown()


class Agent:
    """An agent that can send anything; counts its frames like an honest one."""

    def __init__(self, connection: socket.socket, served: "Future[SessionSummary]", hello: Hello | None) -> None:
        self.socket = connection
        self.served = served
        self.stream = FrameStream(connection)
        self.sequence = 0
        if hello is not None:
            self.say(hello)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    def raw(self, content: bytes) -> None:
        self.socket.setblocking(True)
        self.socket.sendall(content)
        self.socket.setblocking(False)

    def say(self, message: AnyMessage) -> None:
        self.raw(b"".join(control_frame(message, self.sequence)))
        self.sequence += 1

    def send(self, opened: Opened) -> None:
        self.send_as(opened.header, bytes(opened.stored))

    def send_as(self, header: Header, payload: bytes) -> None:
        self.raw(encode_header(replace(header, sequence=self.sequence)) + payload)
        self.sequence += 1

    def finish(self) -> None:
        """End in good order; the session must have been accepted as a whole."""
        self.say(Bye())
        while not isinstance(self.hear(), ByeOk):
            pass
        assert self.served.result(10).orderly

    def hear(self) -> AnyMessage:
        header, head = self.stream.receive_header()
        return self.stream.receive_message(header, head)[0]

    def refusal(self) -> Error:
        """Return the receiver's refusal; anything else that it says before is skipped."""
        while True:
            message = self.hear()
            assert not isinstance(message, ByeOk)
            if isinstance(message, Error):
                return message


def one(header: Header | Opened, payload: bytes = b"") -> Callable[[Agent], None]:
    """Begin pass 1 and send one frame."""

    def act(agent: Agent) -> None:
        agent.say(BeginPass(number=1))
        if isinstance(header, Opened):
            agent.send(header)
        else:
            agent.send_as(header, payload)

    return act


def say(*messages: AnyMessage) -> Callable[[Agent], None]:
    def act(agent: Agent) -> None:
        for message in messages:
            agent.say(message)

    return act


COMMIT = CommitPass(number=1, consistent=True, taken_at=1)
