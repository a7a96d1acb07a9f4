"""Control messages: round trip, limits, and anything else refused in words."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.replication_doubles import pack_runs
from wherry.replication.errors import ProtocolViolated
from wherry.replication.messages import (
    Ack,
    Alive,
    AnyMessage,
    BeginPass,
    Bye,
    ByeOk,
    CommitPass,
    Committed,
    Covered,
    Digests,
    DiskLine,
    Error,
    Hello,
    Welcome,
    decode,
    encode,
)

DISK = DiskLine(index=0, name="/dev/vda", size=4096)


@pytest.mark.parametrize(
    "message",
    [
        Hello(task_id="t", source_id="s", disks=(DISK,)),
        Welcome(checkpoint=None, open_pass=0),
        Digests(disk=0, first=7, digests=bytes(32)),
        BeginPass(number=3),
        Covered(disk=1, runs=pack_runs([(1, 2), (5, 9)])),
        CommitPass(number=3, consistent=True, taken_at=1_700_000_000_000),
        Committed(checkpoint=3, received_bytes=10, repeated_bytes=2),
        Ack(durable_bytes=1 << 40),
        Alive(),
        Error(code="WHERRY.2024", message="m", cause="c", fix="f"),
        Bye(),
        ByeOk(),
    ],
)
def test_messages_come_out_as_they_went_in(message: AnyMessage) -> None:
    assert decode(encode(message)) == message
    assert decode(memoryview(encode(message))) == message


def test_runs_come_out_as_they_went_in() -> None:
    assert Covered(disk=0, runs=pack_runs([(1, 2), (5, 1 << 40)])).pairs() == [(1, 2), (5, 1 << 40)]
    with pytest.raises(ProtocolViolated):
        Covered(disk=0, runs=b"12345678").pairs()


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "hello", "task_id": "t", "source_id": "s", "disks": []},
        {"type": "hello", "task_id": "t", "source_id": "s", "disks": [{"index": 0, "name": "d", "size": 0}]},
        {"type": "hello", "task_id": "t", "source_id": "s", "disks": [{"index": 0, "name": "d", "size": 1 << 60}]},
        {"type": "hello", "task_id": "t", "source_id": "s", "disks": [{"index": 256, "name": "d", "size": 1}]},
        {"type": "hello", "task_id": "t" * 300, "source_id": "s", "disks": [{"index": 0, "name": "d", "size": 1}]},
        {"type": "hello", "source_id": "s", "disks": [{"index": 0, "name": "d", "size": 1}]},
        {"type": "beginpass", "number": -1},
        {"type": "beginpass", "number": 1 << 32},
        {"type": "beginpass", "number": True},
        {"type": "ack", "durable_bytes": "many"},
        {"type": "digests", "disk": 0, "first": 0, "digests": bytes(16 * 65537)},
        {"type": "no such"},
        {},
        [],
        None,
    ],
)
def test_messages_out_of_bounds_are_refused(fields: object) -> None:
    with pytest.raises(ProtocolViolated):
        decode(msgspec.msgpack.encode(fields))


@given(st.binary(max_size=64))
def test_noise_is_refused_or_a_message(noise: bytes) -> None:
    try:
        message = decode(noise)
    except ProtocolViolated:
        return
    assert decode(encode(message)) == message


@pytest.mark.parametrize("opening", [b"\x91", b"\x81\xa1a"])
def test_deep_nesting_is_refused(opening: bytes) -> None:
    with pytest.raises(ProtocolViolated):
        decode(opening * 100_000)
