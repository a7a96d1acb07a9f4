"""A real filesystem that fails on command: a FUSE mirror of a folder, in a process of its own.

`faulty_folder.py FOLDER MOUNT_POINT` serves it; a rule comes as a line of JSON on standard input, and "fired" goes out
when it strikes. The errors are what read(2), write(2) and fsync(2) of the program under test really return.
"""

import contextlib
import ctypes
import ctypes.util
import errno
import fnmatch
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

PATIENCE_S = 60.0


def obstacle() -> str:
    """Return why no folder can be made here, "" when it can."""
    if os.geteuid() != 0:
        return "needs root to mount"
    if not Path("/dev/fuse").exists():
        return "this kernel has no FUSE"
    return "" if ctypes.util.find_library("fuse3") else "libfuse3 is missing"


@dataclass(frozen=True)
class Rule:
    """From the *after*-th call of *call* (read, write, fsync) on a file called like *name* on: fail, or hold.

    *failure*: the name of an errno, such as "EIO"; "HOLD" keeps the caller waiting until the rule is taken back.
    *before*: a write is carried out all the same, so that nobody knows whether it was.
    """

    call: str
    name: str
    failure: str
    after: int = 0
    before: bool = False


class FaultyFolder:
    """The mirror for a test; a context manager. *path* is where it's mounted."""

    def __init__(self, folder: Path) -> None:
        self.backing, self.path = folder / "backing", folder / "faulty"
        self._fired, self._armed = threading.Event(), threading.Event()
        self._rule: Rule | None = None

    def __enter__(self) -> Self:
        self.backing.mkdir(mode=0o700)
        self.path.mkdir()
        # libfuse has things to say that nobody needs to know.
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(self.backing), str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "mounted\n"
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.heal()
        left = subprocess.run(["umount", str(self.path)], capture_output=True, text=True, check=False)
        try:
            assert left.returncode == 0, left.stderr  # somebody still uses it
            # It ends by itself, unless a mount namespace that somebody made meanwhile has the mount as well.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
        finally:
            self._process.kill()
            self._process.wait(10)
            subprocess.run(["umount", "-l", str(self.path)], check=False, stderr=subprocess.DEVNULL)
            self._listening.join(10)
            for stream in (self._process.stdin, self._process.stdout):
                assert stream is not None
                stream.close()

    def strike(self, rule: Rule) -> None:
        """Let *rule* be in force, in place of the one before."""
        self._fired.clear()
        self._rule = rule
        self._order(asdict(rule))

    def heal(self) -> None:
        """Let everything work again; who was held goes on."""
        self._rule = None
        self._order({})

    @property
    def has_fired(self) -> bool:
        """True once the rule has struck."""
        return self._fired.is_set()

    @property
    def is_holding(self) -> bool:
        """True while somebody is held, whom not even a signal stops."""
        return self._rule is not None and self._rule.failure == "HOLD" and self.has_fired

    def _order(self, rule: Mapping[str, object]) -> None:
        assert self._process.stdin is not None
        self._armed.clear()
        self._process.stdin.write(json.dumps(rule) + "\n")
        self._process.stdin.flush()
        assert self._armed.wait(PATIENCE_S)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            {"fired\n": self._fired, "armed\n": self._armed}[line].set()


# The process


class _Judge:
    """Holds the rule in force against each call."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rule: Rule | None = None
        self._calls = 0

    def obey(self) -> None:
        """Take rules from standard input until it ends."""
        for line in sys.stdin:
            told = json.loads(line)
            with self._changed:
                self._rule, self._calls = (Rule(**told) if told else None), 0
                self._changed.notify_all()
            say("armed")

    @contextlib.contextmanager
    def judged(self, call: str, path: str) -> Iterator[None]:
        rule = self._struck(call, path)
        if rule is None:
            yield
            return
        say("fired")
        if rule.failure == "HOLD":
            with self._changed:
                while self._rule is rule:
                    self._changed.wait()
            yield
            return
        if rule.before:
            yield
        raise OSError(getattr(errno, rule.failure), rule.failure)

    def _struck(self, call: str, path: str) -> Rule | None:
        with self._changed:
            rule = self._rule
            if rule is None or rule.call != call or not fnmatch.fnmatch(os.path.basename(path), rule.name):  # noqa: PTH119
                return None
            self._calls += 1
            return rule if self._calls > rule.after else None


class _Mirror:
    """The operations as mfusepy calls them; paths begin with a slash, *fh* is the descriptor of the mirrored file."""

    use_ns = True

    def __init__(self, folder: str, judge: _Judge) -> None:
        self._folder = folder
        self._judge = judge
        self._libc = ctypes.CDLL(None, use_errno=True)

    def _at(self, path: str) -> Path:
        return Path(self._folder + path)

    def getattr(self, path: str, _fh: int | None = None) -> dict[str, int]:
        found = self._at(path).lstat()
        names = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_blocks", "st_ino")
        times = {f"st_{name}time": getattr(found, f"st_{name}time_ns") for name in "amc"}
        return {name: getattr(found, name) for name in names} | times

    def readdir(self, path: str, _fh: int) -> list[str]:
        return [".", "..", *(found.name for found in self._at(path).iterdir())]

    def mkdir(self, path: str, mode: int) -> None:
        self._at(path).mkdir(mode)

    def unlink(self, path: str) -> None:
        self._at(path).unlink()

    def rmdir(self, path: str) -> None:
        self._at(path).rmdir()

    def rename(self, old: str, new: str) -> None:
        self._at(old).rename(self._at(new))

    def chmod(self, path: str, mode: int) -> None:
        self._at(path).chmod(mode)

    def create(self, path: str, mode: int, _info: object = None) -> int:
        return os.open(self._at(path), os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode)

    def open(self, path: str, flags: int) -> int:
        return os.open(self._at(path), flags & ~(os.O_DIRECT | os.O_APPEND))

    def release(self, _path: str, fh: int) -> None:
        os.close(fh)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        with self._judge.judged("read", path):
            return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        with self._judge.judged("write", path):
            return os.pwrite(fh, data, offset)

    def fsync(self, path: str, _datasync: int, fh: int) -> None:
        with self._judge.judged("fsync", path):
            os.fdatasync(fh)

    def truncate(self, path: str, length: int, _fh: int | None = None) -> None:
        os.truncate(self._at(path), length)

    def fallocate(self, path: str, mode: int, offset: int, length: int, fh: int) -> int:
        with self._judge.judged("write", path):
            if self._libc.fallocate(fh, mode, ctypes.c_int64(offset), ctypes.c_int64(length)):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(self._at(path))
        names = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_frsize", "f_files", "f_ffree", "f_namemax")
        return {name: getattr(found, name) for name in names}

    def init(self, _path: str) -> None:
        say("mounted")


def say(word: str) -> None:
    os.write(1, f"{word}\n".encode())


def main() -> None:
    import mfusepy  # noqa: PLC0415 - loads libfuse, which the test's own process does without

    folder, mount_point = sys.argv[1:]
    judge = _Judge()
    threading.Thread(target=judge.obey, daemon=True).start()
    kind = type("Mirror", (_Mirror, mfusepy.Operations), {})
    mfusepy.FUSE(kind(folder, judge), mount_point, foreground=True, fsname="faulty")


if __name__ == "__main__":
    main()
