"""The agent's side of the beginning: HELLO and what the receiver answers, and the JOIN of further connections."""

from wherry.replication.errors import PeerRefused, ProtocolViolated
from wherry.replication.granules import DIGEST_SIZE
from wherry.replication.granuleset import GranuleSet
from wherry.replication.messages import Alive, AnyMessage, Digests, Error, Hello, Join, Joined, Welcome
from wherry.replication.sourcetable import SourceTables
from wherry.replication.stream import FrameStream


def greet(stream: FrameStream, hello: Hello, tables: SourceTables) -> Welcome:
    """Say HELLO and bring *tables* to what the receiver holds.

    Raises PeerRefused, ConnectionLost, IdentityRefused, ProtocolViolated, SourceStateFailed.
    """
    bases = tables.bases
    # The struct of the caller is left alone: it says HELLO again, with other tables, after a lost connection.
    stream.send_message(
        Hello(hello.task_id, hello.source_id, hello.disks, hello.protocol, tables.replica_id if bases else "", bases)
    )
    welcome = _hear(stream)
    if not isinstance(welcome, Welcome):
        raise ProtocolViolated(reason="a session that doesn't begin with WELCOME")
    if welcome.whole:
        _learn_all(stream, tables, welcome)
    elif welcome.checkpoint not in bases or welcome.replica_id != tables.replica_id:
        raise ProtocolViolated(reason="a welcome that takes up tables which don't fit")
    else:
        _learn_changes(stream, tables, welcome.checkpoint, welcome.pieces)
    return welcome


def join(stream: FrameStream, session: str, lane: int) -> None:
    """Let a further connection be number *lane* of *session*. Raises as `greet`."""
    stream.send_message(Join(session=session, lane=lane))
    if not isinstance(_hear(stream), Joined):
        raise ProtocolViolated(reason="a connection that isn't let in by JOINED")


def _learn_all(stream: FrameStream, tables: SourceTables, welcome: Welcome) -> None:
    tables.distrust()
    missing = {index: table.count for index, table in tables.items()}
    while any(missing.values()):
        message = _digests(stream, tables)
        count = len(message.digests) // DIGEST_SIZE
        if message.first != tables[message.disk].count - missing[message.disk] or count > missing[message.disk]:
            raise ProtocolViolated(reason="digests out of order, or too many")
        tables[message.disk].learn(message.first, message.digests)
        missing[message.disk] -= count
    tables.replaced(welcome.replica_id, welcome.checkpoint if welcome.open_pass is None else None)


def _learn_changes(stream: FrameStream, tables: SourceTables, checkpoint: int, pieces: int) -> None:
    tables.matched(checkpoint)
    told = {index: GranuleSet(table.count) for index, table in tables.items()}
    for _ in range(pieces):
        message = _digests(stream, tables)
        count = len(message.digests) // DIGEST_SIZE
        if message.first + count > tables[message.disk].count:
            raise ProtocolViolated(reason="digests beyond the end of the disk")
        told[message.disk].set(message.first, count, present=True)
        tables[message.disk].learn(message.first, message.digests, open_pass=True)
    for index, table in tables.items():
        table.doubt(told[index])


def _digests(stream: FrameStream, tables: SourceTables) -> Digests:
    message = _hear(stream)
    if not isinstance(message, Digests) or message.disk not in tables:
        raise ProtocolViolated(reason="something else where digests of the disks were due")
    if not message.digests or len(message.digests) % DIGEST_SIZE:
        raise ProtocolViolated(reason="digests that were cut")
    return message


def _hear(stream: FrameStream) -> AnyMessage:
    """Return the next message that isn't ALIVE. Raises PeerRefused for an ERROR."""
    while True:
        header, head = stream.receive_header()
        match stream.receive_message(header, head)[0]:
            case Alive():
                continue
            case Error(code=code, message=text, cause=cause, fix=fix):
                raise PeerRefused(code, text, cause, fix)
            case message:
                return message
