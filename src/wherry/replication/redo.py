"""The redo log of a pass: the very frames that came over the wire, one after the other, the COMMIT message last.

A log whose COMMIT is durable is applied, again and again if need be, since its frames say what to write where. A log
without it is an open pass: its frames count as received, and a tail that was torn by a crash is cut when it's opened.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wherry.disks.direct import aligned_buffer
from wherry.replication.codecs import Codec, Unpacker
from wherry.replication.errors import ProtocolViolated, StorageFailed
from wherry.replication.frames import (
    HEADER_SIZE,
    MAX_CONTROL,
    FrameType,
    Opened,
    control_header,
    decode_header,
    encode_header,
    open_frame,
)
from wherry.replication.granules import Buffer
from wherry.replication.messages import AnyMessage, BeginPass, CommitPass, Covered, decode, encode
from wherry.replication.storage import Storage, StoredFile


def log_path(directory: Path, number: int) -> Path:
    """Return where the log of pass *number* lies in a replica's *directory*."""
    return directory / f"pass-{number:08}.redo"


@dataclass(frozen=True, slots=True)
class Record:
    """A whole record of a log: its frame, the message when it's a control frame, and the offset where it ends."""

    opened: Opened
    message: AnyMessage | None
    end: int


class RedoLog:
    """The log of pass *number*. Every method raises StorageFailed when the medium refuses."""

    def __init__(self, file: StoredFile, number: int, *, end: int, committed: bool) -> None:
        self._file = file
        self.number = number
        self.committed = committed
        self._end = end
        self._durable_end = end
        self._begun_end = _begin_size(number)

    @classmethod
    def create(cls, storage: Storage, path: Path, number: int) -> "RedoLog":
        """Make a log without data; replaces what *path* held. Its beginning becomes durable with what follows."""
        log = cls(storage.create(path, 0), number, end=0, committed=False)
        log.append(*_begin_frame(number))
        return log

    @classmethod
    def open(cls, storage: Storage, path: Path, number: int) -> "RedoLog | None":
        """Open the log of pass *number* and cut what isn't whole. None when *path* holds no log of that pass."""
        file = storage.open(path)
        end, committed, begun = 0, False, False
        for record in records(file, number):
            begun = begun or isinstance(record.message, BeginPass)
            end = record.end
            committed = isinstance(record.message, CommitPass)
        if not begun:
            file.close()
            return None
        if end < file.size:
            file.truncate(end)
        try:
            # What the scan saw may have been in memory only when the program was killed, or when it ran out of room.
            file.sync()
        except StorageFailed:
            # The kernel takes the lost pages for clean now: the next scan must not find them.
            file.forget_cache()
            file.close()
            raise
        return cls(file, number, end=end, committed=committed)

    @property
    def size(self) -> int:
        """The bytes that the log holds."""
        return self._end

    @property
    def is_empty(self) -> bool:
        """True when nothing has been stored in it yet."""
        return self._end <= self._begun_end

    def append(self, head: bytes, stored: Buffer) -> None:
        """Add a frame, durable by the next `sync`."""
        try:
            self._file.write([head, stored], self._end)
        except StorageFailed:
            self._cut(self._end)  # only the frame itself is torn
            raise
        self._end += len(head) + len(stored)

    def sync(self) -> None:
        """Return when everything appended is durable."""
        try:
            self._file.sync()
        except StorageFailed:
            # The kernel takes the lost pages for clean now: reading them back would show what the medium never got.
            # The next session would do so where cutting fails as well.
            self._file.forget_cache()
            self._cut(self._durable_end)
            raise
        self._durable_end = self._end

    def records(self) -> Iterator[Record]:
        """Yield the records from the first one on; a payload is valid until the next is asked for."""
        return records(self._file, self.number)

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def _cut(self, end: int) -> None:
        try:
            self._file.truncate(end)
        except StorageFailed:
            return  # the medium refuses everything; the tail is cut when the log is opened again
        self._end = end


def _begin_frame(number: int) -> tuple[bytes, bytes]:
    payload = encode(BeginPass(number=number))
    return encode_header(control_header(0, Codec.PLAIN, len(payload), payload)), payload


def _begin_size(number: int) -> int:
    return sum(len(part) for part in _begin_frame(number))


def records(file: StoredFile, number: int) -> Iterator[Record]:
    """Yield the whole records of a log of pass *number*, until the first that isn't, or the COMMIT."""
    unpacker = Unpacker()
    head = memoryview(bytearray(HEADER_SIZE))
    # One for all payloads, aligned, so that what comes out of it can be written to a medium directly.
    payload = memoryview(aligned_buffer(MAX_CONTROL))
    position = 0
    while True:
        record = _read(file, position, head, payload, unpacker)
        if record is None or not _belongs(record, number, first=position == 0):
            return
        yield record
        if isinstance(record.message, CommitPass):
            return
        position = record.end


def _read(file: StoredFile, position: int, head: memoryview, payload: memoryview, unpacker: Unpacker) -> Record | None:
    if file.read_into(head, position) < HEADER_SIZE:
        return None
    try:
        header = decode_header(head)
        stored = payload[: header.stored_length]
        if file.read_into(stored, position + HEADER_SIZE) < header.stored_length:
            return None
        opened = open_frame(header, bytes(head), stored, unpacker)
        message = decode(memoryview(opened.raw)) if header.type is FrameType.CONTROL else None
    except ProtocolViolated:
        return None
    return Record(opened, message, position + HEADER_SIZE + header.stored_length)


def _belongs(record: Record, number: int, *, first: bool) -> bool:
    """Tell whether the record is of this very pass: a log begins with BEGIN_PASS, and data frames name their pass."""
    if isinstance(record.message, BeginPass | CommitPass) and record.message.number != number:
        return False
    if first:
        return isinstance(record.message, BeginPass)
    return record.message is not None or record.opened.header.pass_number == number


def told_by(log: RedoLog) -> tuple[CommitPass, dict[int, list[tuple[int, int]]]]:
    """Return the COMMIT of a committed log, and what its COVERED messages say."""
    covered: dict[int, list[tuple[int, int]]] = {}
    for record in log.records():
        if isinstance(record.message, Covered):
            covered.setdefault(record.message.disk, []).extend(record.message.pairs())
        elif isinstance(record.message, CommitPass):
            return record.message, covered
    raise AssertionError("a committed log ends with its COMMIT")
