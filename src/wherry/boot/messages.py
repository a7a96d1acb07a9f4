"""What a workbench and its worker process say to each other: msgpack, each message behind its length."""

import struct
from collections.abc import Mapping, Sequence
from typing import IO, Final, TypeVar

import msgspec

from wherry.boot.errors import (
    ApplianceFailed,
    LayoutUnknown,
    LibguestfsMissing,
    LuksKeyRefused,
    LuksKeyUnusable,
    NoSystem,
    VolumeLocked,
)
from wherry.boot.guest import GuestDisk, GuestFilesystem
from wherry.errors import WherryError
from wherry.process import ProgramMissing


class Opening(msgspec.Struct, frozen=True):
    """The first message: which disks to open."""

    disks: tuple[str, ...]
    writable: bool
    emulate: bool = False
    """Whether a virtual machine is to do without the processor's help."""
    keys: str = ""
    """The folder of the keys of what is encrypted, "" for none; the keys themselves are in no message."""
    scratch: str = ""
    """A folder for the worker's own files, which is removed after it; "" where it has none."""


class Facts(msgspec.Struct, frozen=True):
    """The answer to it: what is on them."""

    disks: Sequence[GuestDisk]
    filesystems: Sequence[GuestFilesystem]


class Order(msgspec.Struct, frozen=True):
    """An operation and its arguments."""

    name: str
    arguments: tuple[object, ...]


class Answer(msgspec.Struct, frozen=True):
    """What came of an order, or why nothing did."""

    result: object
    refused: str = ""
    error: str = ""
    """Name of the error's class, where it's a known one."""
    details: dict[str, str] = {}


PASSED_ON: Final[Mapping[str, type[WherryError]]] = {
    each.__name__: each
    for each in (
        NoSystem,
        LayoutUnknown,
        VolumeLocked,
        LuksKeyRefused,
        LuksKeyUnusable,
        LibguestfsMissing,
        ApplianceFailed,
        ProgramMissing,
    )
}
"""Errors of a worker that stay what they are at the other end; every other one is a WorkbenchFailed with its reason."""

Message = TypeVar("Message")


def send(stream: IO[bytes], message: object) -> None:
    """Write one message."""
    content = msgspec.msgpack.encode(message)
    stream.write(struct.pack(">Q", len(content)) + content)
    stream.flush()


def receive(stream: IO[bytes], kind: type[Message]) -> Message | None:
    """Read one message; None at the end of the stream."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    (size,) = struct.unpack(">Q", head)
    content = stream.read(size)
    return msgspec.msgpack.decode(content, type=kind) if len(content) == size else None
