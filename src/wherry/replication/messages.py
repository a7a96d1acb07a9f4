"""The control messages between agent and receiver: msgspec structs, in msgpack, tagged by `type`.

Order of a session: HELLO, WELCOME, DIGESTS..., then any number of (BEGIN_PASS, data frames, COVERED..., COMMIT,
COMMITTED, READY), at last BYE, BYE_OK. Among the data frames there may be REVIEW, which is answered by UNFIT... and
REVIEWED. Further connections of a session begin with JOIN, JOINED. ACK and ALIVE may come at any time, ERROR ends the
session. See docs/protocol.md.
"""

import struct
from typing import Annotated

import msgspec

from wherry.replication.errors import ProtocolViolated

PROTOCOL_VERSION = 3
MAX_DISKS = 256
MAX_DISK_SIZE = 1 << 48
DIGESTS_PER_MESSAGE = 65_536
RUNS_PER_MESSAGE = 65_536
MAX_CONNECTIONS = 16

Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Number = Annotated[int, msgspec.Meta(ge=0, le=(1 << 32) - 1)]
DiskIndex = Annotated[int, msgspec.Meta(ge=0, lt=MAX_DISKS)]
Name = Annotated[str, msgspec.Meta(max_length=255)]
Text = Annotated[str, msgspec.Meta(max_length=4096)]


class Message(msgspec.Struct, frozen=True, tag_field="type", tag=str.lower):
    """A control message."""


class DiskLine(msgspec.Struct, frozen=True):
    """A disk as the source announces it: *size* in bytes."""

    index: DiskIndex
    name: Name
    size: Annotated[int, msgspec.Meta(gt=0, le=MAX_DISK_SIZE)]


class Hello(Message, frozen=True):
    """Agent: who I am and which disks I bring.

    *bases*: the checkpoints of replica *replica_id* with which the agent's own tables agree.
    """

    task_id: Name
    source_id: Name
    disks: Annotated[tuple[DiskLine, ...], msgspec.Meta(min_length=1, max_length=MAX_DISKS)]
    protocol: Number = PROTOCOL_VERSION
    replica_id: Name = ""
    bases: Annotated[tuple[Number, ...], msgspec.Meta(max_length=2)] = ()


class Welcome(Message, frozen=True):
    """Receiver: the last committed pass and the one that was begun, if any. Digests follow.

    *whole*: those of every granule of every disk, else those that the open pass may have changed, in *pieces* messages.
    *session*: by which further connections join, at most *connections* in all.
    """

    checkpoint: Number | None
    open_pass: Number | None
    replica_id: Name = ""
    whole: bool = True
    pieces: Count = 0
    session: Name = ""
    connections: Annotated[int, msgspec.Meta(ge=1, le=MAX_CONNECTIONS)] = 1


class Digests(Message, frozen=True):
    """Receiver: what the granules *first* and following hold, open pass included."""

    disk: DiskIndex
    first: Count
    digests: Annotated[bytes, msgspec.Meta(max_length=16 * DIGESTS_PER_MESSAGE)]


class Join(Message, frozen=True):
    """Agent: this connection belongs to *session*, as its number *lane*, from 1 on."""

    session: Name
    lane: Annotated[int, msgspec.Meta(ge=1, lt=MAX_CONNECTIONS)]


class Joined(Message, frozen=True):
    """Receiver: the connection may carry data frames."""


class Probe(Message, frozen=True):
    """Agent: on a connection that is only measured; *payload* is of no meaning."""

    payload: Annotated[bytes, msgspec.Meta(max_length=1 << 20)] = b""


class Probed(Message, frozen=True):
    """Receiver: so many bytes of payloads have come on this connection."""

    received: Count


class Fence(Message, frozen=True):
    """Agent, on a further connection: what follows comes after fence *number* of the first one."""

    number: Number


class BeginPass(Message, frozen=True):
    """Agent: the frames that follow belong to pass *number*. On the first connection it's a fence."""

    number: Number


class Review(Message, frozen=True):
    """Agent: all patches were sent; which of them don't fit? *number* counts these questions. It's a fence."""

    number: Number


class Unfit(Message, frozen=True):
    """Receiver: granules of *disk* whose patches in the open pass don't fit, as little-endian 32-bit numbers.

    They have to be sent as a whole before the commit.
    """

    disk: DiskIndex
    granules: Annotated[bytes, msgspec.Meta(max_length=4 * DIGESTS_PER_MESSAGE)]


class Reviewed(Message, frozen=True):
    """Receiver: the answer to REVIEW *number*; the UNFIT before it, if any, name all granules in question."""

    number: Number


class Covered(Message, frozen=True):
    """Agent: runs of granules that pass and proof cover: pairs (first, count) of little-endian 64-bit numbers.

    Before a COMMIT that *toggles*: the runs in which that differs from what the checkpoint before covers.
    """

    disk: DiskIndex
    runs: Annotated[bytes, msgspec.Meta(max_length=16 * RUNS_PER_MESSAGE)]

    def pairs(self) -> list[tuple[int, int]]:
        """Return the runs as pairs (first, count). Raises ProtocolViolated when a number is cut."""
        if len(self.runs) % 16:
            raise ProtocolViolated(reason="a list of granules that was cut")
        return list(struct.iter_unpack("<QQ", self.runs))


class CommitPass(Message, frozen=True):
    """Agent: the pass is complete. *taken_at* in epoch milliseconds; *consistent*: the file systems were frozen.

    *toggles*: see COVERED. On the first connection it's a fence.
    """

    number: Number
    consistent: bool
    taken_at: Count
    toggles: bool = False


class Committed(Message, frozen=True):
    """Receiver: the pass is durable. Bytes of disk received in it over all sessions, and those it had already."""

    checkpoint: Number
    received_bytes: Count
    repeated_bytes: Count


class Ready(Message, frozen=True):
    """Receiver: the checkpoint before is on the medium, and pass *number* can be stored without delay."""

    number: Number


class Ack(Message, frozen=True):
    """Receiver: so many payload bytes of this session's data frames are durable.

    Milliseconds since the session began: *idle_ms* in which the connections waited for bytes, all of them added up,
    *storing_ms* in which frames were written and made durable.
    """

    durable_bytes: Count
    idle_ms: Count = 0
    storing_ms: Count = 0


class Alive(Message, frozen=True):
    """Either: nothing to say, but still there."""


class Error(Message, frozen=True):
    """Either: the session ends here, and why."""

    code: Annotated[str, msgspec.Meta(max_length=64)]
    message: Text
    cause: Text
    fix: Text


class Bye(Message, frozen=True):
    """Agent: nothing more will come."""


class ByeOk(Message, frozen=True):
    """Receiver: everything has been stored; the connection may be closed."""


AnyMessage = (
    Hello
    | Welcome
    | Digests
    | Join
    | Joined
    | Probe
    | Probed
    | Fence
    | BeginPass
    | Review
    | Unfit
    | Reviewed
    | Covered
    | CommitPass
    | Committed
    | Ready
    | Ack
    | Alive
    | Error
    | Bye
    | ByeOk
)


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AnyMessage] = msgspec.msgpack.Decoder(AnyMessage)


def encode(message: AnyMessage) -> bytes:
    """Return *message* in msgpack."""
    return _encoder.encode(message)


def decode(content: bytes | memoryview) -> AnyMessage:
    """Return the message that *content* holds. Raises ProtocolViolated when it holds none, or one out of bounds."""
    try:
        return _decoder.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolViolated(reason=f"unreadable control message: {error}") from error
