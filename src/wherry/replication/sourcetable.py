"""What the source has read of each disk: its own digest tables, kept in files so that they outlive the agent.

An entry says two things at once: what the receiver holds of the granule, and, when the granule is in `read`, that the
source itself read just that. What was sent in the open pass is marked as under way before it's sent: after a lost
connection, or in the next agent, the receiver says what of it arrived. The rest is as the last commit left it on both
sides, so that no table has to travel.

The files are written through the page cache and never synced: it outlives a killed process. It doesn't outlive a crash
of the machine, and neither does the tracking of changes; so a file of an earlier boot counts for nothing. While the
filesystems are frozen, nothing is written at all: `hold` before, `settle` after. docs/protocol.md says what may be
concluded when.
"""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from wherry.replication.digests import DigestTable, MemoryTable, Overlay, pick, put
from wherry.replication.errors import SourceStateFailed
from wherry.replication.granules import DIGEST_SIZE, UNKNOWN_DIGEST, Digests, as_digests, digest_of, granule_count
from wherry.replication.granuleset import GranuleSet, Mask, Numbers
from wherry.replication.messages import DiskLine

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_VERSION: Final = 1
_HEAD: Final = 512
_PAGE: Final = 4096


class _Standing(msgspec.Struct, frozen=True):
    """Where the tables stand, in the file ``standing``: one small write, which is done as a whole or not at all.

    checkpoint: of which commit the entries are that aren't under way; None when the receiver has to be asked for all.
    open_pass: the pass that the marks of being under way belong to. recorded: False while entries are held back.
    """

    version: int
    disks: str
    boot_id: str
    replica_id: str = ""
    checkpoint: int | None = None
    open_pass: int | None = None
    recorded: bool = True


class StateFile:
    """A file in the agent's state folder: positional reads and writes, its room reserved. Raises SourceStateFailed."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        with self._told():
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with self._told():
                os.ftruncate(self._descriptor, size)
                os.posix_fallocate(self._descriptor, 0, size)
        except BaseException:
            self.close()
            raise

    def read(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset* on."""
        with self._told():
            content = os.pread(self._descriptor, length, offset)
        if len(content) != length:
            raise SourceStateFailed(path=self._path, reason="it was cut")
        return content

    def write(self, content: bytes | memoryview, offset: int) -> None:
        """Write *content* at *offset*, not durably."""
        view = memoryview(content)
        with self._told():
            while view:
                count = os.pwrite(self._descriptor, view, offset)
                view, offset = view[count:], offset + count

    def close(self) -> None:
        """Release the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SourceStateFailed(path=self._path, reason=error.strerror or str(error)) from error


class _KeptDigests:
    """A digest table in a part of a state file."""

    def __init__(self, file: StateFile, offset: int, count: int) -> None:
        self._file = file
        self._offset = offset
        self.count = count

    def get(self, first: int, count: int) -> bytes:
        return self._file.read(self._offset + first * DIGEST_SIZE, count * DIGEST_SIZE)

    def set(self, first: int, digests: bytes) -> None:
        self._file.write(digests, self._offset + first * DIGEST_SIZE)


class SourceTable:
    """The table of one disk of *size* bytes, in *file* or else in memory. Safe for several threads."""

    def __init__(self, size: int, file: StateFile | None = None) -> None:
        self.size = size
        self.count = granule_count(size)
        self.used = GranuleSet(self.count)
        """What the newest pass took for used. Not kept."""
        self._file = file
        self._room = map_room(self.count)
        self._kept: DigestTable
        if file is None:
            self._kept = MemoryTable(self.count)
            self._read, self._under_way = GranuleSet(self.count), GranuleSet(self.count)
        else:
            self._kept = _KeptDigests(file, 2 * self._room, self.count)
            self._read, self._under_way = (self._load(file, place) for place in (0, self._room))
        self._overlay: Overlay | None = None
        self._lock = threading.Lock()

    def _load(self, file: StateFile, place: int) -> GranuleSet:
        return GranuleSet(self.count, np.frombuffer(bytearray(file.read(place, -(-self.count // 8))), dtype=np.uint8))

    @property
    def _digests(self) -> DigestTable:
        return self._kept if self._overlay is None else self._overlay

    @property
    def read(self) -> GranuleSet:
        """The granules whose entry is the digest of what the source itself read last; a copy."""
        with self._lock:
            return self._read.copy()

    def get(self, first: int, count: int) -> bytes:
        """Return the digests of *count* granules from *first* on, joined."""
        return self._digests.get(first, count)

    # While a pass reads and sends

    def select(self, dirty: GranuleSet | None) -> GranuleSet:
        """Return what a pass has to read of `used`: what is dirty, or was never read. None: all of it.

        What is dirty and isn't used won't be read now; should it be used later, it counts as never read.
        """
        with self._lock:
            if dirty is None:
                self._change(self._read, 0, GranuleSet(self.count))
                return self.used.copy()
            self._change(self._read, 0, self._read - (dirty - self.used))
            return (self.used & dirty) | (self.used - self._read)

    def standing(self, numbers: Numbers) -> Mask:
        """Tell for each granule whether the receiver holds it as the last commit left it, as the source read it."""
        with self._lock:
            held: Mask = self._read.has(numbers) & ~self._under_way.has(numbers)
            return held

    def compare(self, numbers: Numbers, digests: Digests) -> Mask:
        """Take the digests of the granules *numbers* that were read just now, ascending.

        Tells for each whether the receiver holds something else.
        """
        with self._lock:
            different: Mask = (pick(self._digests, numbers) != digests).any(axis=1)
            self._put(self._read, 0, numbers, ~different)
            return different

    def sending(self, numbers: Numbers) -> None:
        """Note that granules are about to be sent."""
        with self._lock:
            self._put(self._under_way, self._room, numbers, np.ones(len(numbers), dtype=np.bool_))

    def sent(self, numbers: Numbers, digests: Digests) -> None:
        """Note that granules were sent with the content that *digests* were made of."""
        with self._lock:
            put(self._digests, numbers, digests)
            self._put(self._read, 0, numbers, np.ones(len(numbers), dtype=np.bool_))

    def missed(self, granules: GranuleSet) -> None:
        """The receiver says that it doesn't hold what it was sent of *granules*."""
        with self._lock:
            self._lose(granules)

    # What the receiver says when a session begins

    def learn(self, first: int, digests: bytes, *, open_pass: bool = False) -> None:
        """Take the receiver's word for what it holds. Where it's another than the source's own, that isn't read.

        *open_pass*: it holds it by the open pass, which makes a difference under way.
        """
        with self._lock:
            known = self._digests.get(first, len(digests) // DIGEST_SIZE)
            same: Mask = (as_digests(known) == as_digests(digests)).all(axis=1)
            if not same.all():
                self._digests.set(first, digests)
                self._assign(self._read, 0, first, same & self._read.mask(first, len(same)))
                if open_pass:
                    self._assign(self._under_way, self._room, first, ~same | self._under_way.mask(first, len(same)))

    def doubt(self, told: GranuleSet) -> None:
        """Take what was under way and isn't among *told*, the receiver's words on the open pass, for lost."""
        with self._lock:
            self._lose(self._under_way - told)

    def forget(self) -> None:
        """Believe nothing: nothing was read."""
        with self._lock:
            self._change(self._read, 0, GranuleSet(self.count))

    def arrived(self) -> None:
        """Nothing is under way any more."""
        with self._lock:
            self._change(self._under_way, self._room, GranuleSet(self.count))

    # While the filesystems are frozen

    def hold(self) -> None:
        """Write nothing to the file from now on."""
        with self._lock:
            if self._file is not None and self._overlay is None:
                self._overlay = Overlay(self._kept)

    def settle(self) -> None:
        """Write down what was held back."""
        with self._lock:
            overlay, self._overlay = self._overlay, None
            if overlay is None or self._file is None:
                return
            for first, digests in overlay.changes():
                self._kept.set(first, digests)
            self._file.write(self._read.bits.tobytes(), 0)
            self._file.write(self._under_way.bits.tobytes(), self._room)

    def close(self) -> None:
        """Release the file."""
        if self._file is not None:
            self._file.close()

    def _lose(self, lost: GranuleSet) -> None:
        for first, count in lost.runs():
            self._digests.set(first, UNKNOWN_DIGEST * count)
        self._change(self._read, 0, self._read - lost)

    def _assign(self, chosen: GranuleSet, place: int, first: int, mask: Mask) -> None:
        if np.array_equal(chosen.mask(first, len(mask)), mask):
            return
        chosen.assign(first, mask)
        self._write_bits(chosen, place, first >> 3, (first + len(mask) + 7) >> 3)

    def _put(self, chosen: GranuleSet, place: int, numbers: Numbers, mask: Mask) -> None:
        if np.array_equal(chosen.has(numbers), mask):
            return
        chosen.put(numbers, mask)
        # A piece of the file for each page that they lie in.
        for page in np.unique(numbers // (8 * _PAGE)):
            some = numbers[numbers // (8 * _PAGE) == page]
            self._write_bits(chosen, place, int(some[0]) >> 3, (int(some[-1]) >> 3) + 1)

    def _change(self, chosen: GranuleSet, place: int, new: GranuleSet) -> None:
        changed = np.flatnonzero(chosen.bits != new.bits)
        if len(changed):
            chosen.bits[:] = new.bits
            self._write_bits(chosen, place, int(changed[0]), int(changed[-1]) + 1)

    def _write_bits(self, chosen: GranuleSet, place: int, start: int, end: int) -> None:
        if self._file is not None and self._overlay is None:
            self._file.write(chosen.bits[start:end].tobytes(), place + start)


def map_room(count: int) -> int:
    """Return the bytes that one bit for each of *count* granules take in a state file."""
    return -(-count // (8 * _PAGE)) * _PAGE


class SourceTables(Mapping[int, SourceTable]):
    """The tables of all disks of a task, by disk index. Keep one object a task; it outlives sessions."""

    def __init__(self, tables: Mapping[int, SourceTable], standing: _Standing, file: StateFile | None) -> None:
        self._tables = tables
        self._standing = standing
        self._file = file
        self._held = False

    @classmethod
    def in_memory(cls, lines: Sequence[DiskLine]) -> "SourceTables":
        """Return tables that are gone with the process; 16 bytes a granule."""
        return cls({line.index: SourceTable(line.size) for line in lines}, _Standing(_VERSION, "", ""), None)

    @classmethod
    def open(cls, folder: Path, task_id: str, lines: Sequence[DiskLine], boot_id: str | None = None) -> "SourceTables":
        """Open what an earlier agent kept in *folder*, or begin anew. Raises SourceStateFailed.

        Files of another boot, or of other disks, count for nothing. *boot_id*: of this boot; read when it's None.
        """
        identity = digest_of(msgspec.json.encode([task_id, [[line.index, line.size] for line in lines]])).hex()
        new = _Standing(_VERSION, identity, _boot_id() if boot_id is None else boot_id)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SourceStateFailed(path=folder, reason=error.strerror or str(error)) from error
        opened: list[StateFile] = []
        try:
            opened.append(StateFile(folder / "standing", _HEAD))
            tables = {}
            for line in lines:
                count = granule_count(line.size)
                opened.append(StateFile(folder / f"disk-{line.index}", 2 * map_room(count) + count * DIGEST_SIZE))
                tables[line.index] = SourceTable(line.size, opened[-1])
            made = cls(tables, _found(opened[0].read(0, _HEAD), new), opened[0])
            if made._standing is new:
                made._begin_anew()
        except BaseException:
            for file in opened:
                file.close()
            raise
        return made

    def __getitem__(self, index: int) -> SourceTable:
        return self._tables[index]

    def __iter__(self) -> Iterator[int]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)

    @property
    def replica_id(self) -> str:
        """The replica that the tables are about; "" when that isn't known."""
        return self._standing.replica_id

    @property
    def bases(self) -> tuple[int, ...]:
        """The checkpoints of the receiver with which the tables agree, apart from what is under way.

        Besides the commit that was noted there may be the one that was asked for: all its frames had been sent by then,
        so that what's under way agrees with it as well.
        """
        standing = self._standing
        if standing.checkpoint is None or not standing.recorded or self._held:
            return ()
        following = standing.checkpoint + 1
        return (standing.checkpoint, following) if standing.open_pass == following else (standing.checkpoint,)

    def matched(self, checkpoint: int) -> None:
        """The receiver stands at *checkpoint*, one of the `bases`; what it has of the next pass follows."""
        if checkpoint != self._standing.checkpoint:
            self.committed(checkpoint)
        self.begin(checkpoint + 1)

    def replaced(self, replica_id: str, checkpoint: int | None) -> None:
        """The receiver told all it has; *checkpoint* None when that isn't the content of a checkpoint, or may not be.

        Then its word is worth nothing for a later session: it may lose what it had not yet made durable.
        """
        for table in self._tables.values():
            table.arrived()
        self._note(replica_id=replica_id, checkpoint=checkpoint, open_pass=None)

    def distrust(self) -> None:
        """The tables are about to be replaced: until that is done they agree with nothing."""
        self._note(checkpoint=None)

    def begin(self, number: int) -> None:
        """What is sent from now on belongs to pass *number*."""
        if self._standing.open_pass != number:
            for table in self._tables.values():
                table.arrived()
            self._note(open_pass=number)

    def committed(self, number: int) -> None:
        """Pass *number* was committed: the entries stand as they are."""
        self._note(checkpoint=number)

    def hold(self) -> None:
        """Write nothing more to the state folder, which may lie on a filesystem that is going to be frozen.

        An agent that is killed before `settle` costs the transfer of the receiver's tables, nothing else.
        """
        if self._held:
            return
        self._note(recorded=False)
        self._held = True
        for table in self._tables.values():
            table.hold()

    def settle(self) -> None:
        """Write down what was held back, now that nothing is frozen any more."""
        if not self._held:
            return
        for table in self._tables.values():
            table.settle()
        self._held = False
        self._note(recorded=True)

    def close(self) -> None:
        """Release the files; they stay."""
        for table in self._tables.values():
            table.close()
        if self._file is not None:
            self._file.close()

    def _begin_anew(self) -> None:
        self._note()
        for table in self._tables.values():
            table.forget()
            table.arrived()

    def _note(self, **changes: object) -> None:
        self._standing = msgspec.structs.replace(self._standing, **changes)
        if self._file is not None and not self._held:
            self._file.write(msgspec.json.encode(self._standing).ljust(_HEAD), 0)


def _found(content: bytes, new: _Standing) -> _Standing:
    """Return what an earlier agent noted; *new* itself when that's of no use."""
    try:
        found = msgspec.json.decode(content.rstrip(b" \0"), type=_Standing)
    except msgspec.MsgspecError:
        return new
    same = (found.version, found.disks, found.boot_id) == (new.version, new.disks, new.boot_id)
    if not same or not new.boot_id:
        return new
    # Entries that were held back went with the process that held them.
    return found if found.recorded else new


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
