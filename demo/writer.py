"""The writer: a process that never stops changing files on the filesystems of the source.

Run as `python -m demo.writer STATUS_FILE RATE ROOM BURST DIRECTORY...`. It creates, overwrites, appends to, truncates,
stretches, reserves, renames, deletes and fsyncs files until SIGTERM tells it to stop. SIGUSR1 makes it add a burst of
incompressible bytes at one stroke. What it did so far stands in STATUS_FILE as JSON, renewed every half second.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

BLOCK = 4096
LARGEST_FILE = 512 * 1024
MOST_FILES = 400
STATUS_EVERY_S = 0.5
TEXT = b"The quick brown fox moves a live disk to its new home. "

GROWING = ("create", "append", "reserve")
OPERATIONS = {
    "create": 6,
    "overwrite": 8,
    "append": 5,
    "truncate": 2,
    "stretch": 1,
    "reserve": 1,
    "rename": 2,
    "delete": 3,
    "fsync": 3,
}


@dataclass(slots=True)
class Tally:
    """What a writer has done."""

    operations: int = 0
    written: int = 0
    """Bytes handed to the kernel."""
    bursts: int = 0


def choose(chance: random.Random, *, files: int, held: int, room: int) -> str:
    """Return the next operation for a directory with *files* files that hold *held* of at most *room* bytes."""
    if files == 0:
        return "create"
    if held > room or files > MOST_FILES:
        return "delete"
    weights = {
        name: weight for name, weight in OPERATIONS.items() if held + LARGEST_FILE <= room or name not in GROWING
    }
    return chance.choices(list(weights), list(weights.values()))[0]


@dataclass(slots=True)
class Scribbler:
    """Changes files in one directory."""

    directory: Path
    room: int
    chance: random.Random
    tally: Tally
    sizes: dict[str, int] = field(default_factory=dict)
    serial: int = 0

    def step(self) -> int:
        """Do one operation and return the bytes that it wrote."""
        name = choose(self.chance, files=len(self.sizes), held=sum(self.sizes.values()), room=self.room)
        written: int = getattr(self, f"_{name}")()
        self.tally.operations += 1
        self.tally.written += written
        return written

    def burst(self, length: int) -> None:
        """Add *length* incompressible bytes and make them durable. They stay."""
        path = self.directory / f"burst-{self.tally.bursts}"
        with path.open("wb") as file:
            for start in range(0, length, 1 << 20):
                file.write(os.urandom(min(1 << 20, length - start)))
            file.flush()
            os.fsync(file.fileno())
        self.tally.bursts += 1
        self.tally.written += length

    def _content(self) -> bytes:
        length = (
            self.chance.randint(1, LARGEST_FILE) if self.chance.random() < 0.3 else self.chance.randint(1, 8 * BLOCK)
        )
        return os.urandom(length) if self.chance.random() < 0.5 else (TEXT * (length // len(TEXT) + 1))[:length]

    def _pick(self) -> str:
        return self.chance.choice(list(self.sizes))

    def _create(self) -> int:
        self.serial += 1
        name = f"file-{self.serial}"
        content = self._content()
        (self.directory / name).write_bytes(content)
        self.sizes[name] = len(content)
        return len(content)

    def _put(self, name: str, offset: int, content: bytes) -> int:
        with (self.directory / name).open("r+b") as file:
            file.seek(offset)
            file.write(content)
        self.sizes[name] = max(self.sizes[name], offset + len(content))
        return len(content)

    def _overwrite(self) -> int:
        name = self._pick()
        offset = self.chance.randint(0, max(0, self.sizes[name] - 1))
        return self._put(name, offset, self._content()[: max(1, self.sizes[name] - offset)])

    def _append(self) -> int:
        name = self._pick()
        return self._put(name, self.sizes[name], self._content())

    def _truncate(self) -> int:
        name = self._pick()
        self.sizes[name] = self.chance.randint(0, self.sizes[name])
        os.truncate(self.directory / name, self.sizes[name])
        return 0

    def _stretch(self) -> int:
        """Write past the end, which leaves a hole."""
        name = self._pick()
        return self._put(name, self.sizes[name] + self.chance.randint(1, 8 * BLOCK), self._content()[:BLOCK])

    def _reserve(self) -> int:
        """Take blocks without writing to them: allocated, unwritten."""
        name = self._pick()
        length = self.chance.randint(1, 16 * BLOCK)
        with (self.directory / name).open("r+b") as file:
            os.posix_fallocate(file.fileno(), self.sizes[name], length)
        self.sizes[name] += length
        return 0

    def _rename(self) -> int:
        name = self._pick()
        self.serial += 1
        renamed = f"file-{self.serial}"
        (self.directory / name).rename(self.directory / renamed)
        self.sizes[renamed] = self.sizes.pop(name)
        return 0

    def _delete(self) -> int:
        name = self._pick()
        (self.directory / name).unlink()
        del self.sizes[name]
        return 0

    def _fsync(self) -> int:
        with (self.directory / self._pick()).open("rb") as file:
            os.fsync(file.fileno())
        return 0


def write_until_stopped(
    directories: Sequence[Path], *, status: Path, rate: float, room: int, burst: int, seed: int = 1
) -> None:
    """Change files in *directories* at about *rate* bytes a second until SIGTERM comes."""
    tally = Tally()
    scribblers = [
        Scribbler(directory, room, random.Random(seed + index), tally) for index, directory in enumerate(directories)
    ]
    wanted_bursts = 0
    stopped = False

    def order_burst(_signal: int, _frame: FrameType | None) -> None:
        nonlocal wanted_bursts
        wanted_bursts += 1

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGUSR1, order_burst)
    signal.signal(signal.SIGTERM, stop)
    done_bursts = 0
    due = next_status = time.monotonic()
    while not stopped:
        for scribbler in scribblers:
            due += max(scribbler.step() / rate, 0.002)
        if done_bursts < wanted_bursts:
            done_bursts += 1
            for scribbler in scribblers:
                scribbler.burst(burst)
            due = time.monotonic()
        now = time.monotonic()
        if now >= next_status:
            _show(status, tally)
            next_status = now + STATUS_EVERY_S
        time.sleep(max(0.0, due - now))
        # A freeze stops the writer for a while; it doesn't catch up what it missed.
        due = max(due, time.monotonic() - 0.5)
    _show(status, tally)


def _show(status: Path, tally: Tally) -> None:
    """Replace the status file; it tells, it needn't survive a crash."""
    fresh = status.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(tally)))
    fresh.replace(status)


def read_tally(status: Path) -> Tally:
    """Return what the writer of *status* has done so far, nothing while it hasn't begun."""
    try:
        return Tally(**json.loads(status.read_bytes()))
    except FileNotFoundError:
        return Tally()


if __name__ == "__main__":
    write_until_stopped(
        [Path(name) for name in sys.argv[5:]],
        status=Path(sys.argv[1]),
        rate=float(sys.argv[2]),
        room=int(sys.argv[3]),
        burst=int(sys.argv[4]),
    )
