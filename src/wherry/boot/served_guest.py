"""A landed system that another process has opened: each method of a Guest is an order to that worker.

So whatever the worker does with a hostile disk, and whatever namespaces it lives in, this process stays what it is. The
worker dies with the thread that started it.
"""

import contextlib
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final

import msgspec

from wherry.boot.errors import WorkbenchFailed
from wherry.boot.guest import FileStatus, Guest, GuestDisk, GuestFilesystem, Output
from wherry.boot.messages import PASSED_ON, Answer, Facts, Opening, Order, receive, send
from wherry.errors import WherryError
from wherry.process import ProgramMissing

_DIE_WITH_US: Final = ("setpriv", "--pdeathsig", "KILL", "--")
_PATIENCE_S: Final = 60.0
ANSWER_S: Final = 1800.0
"""How long a worker may take for an order, in seconds: a damaged disk can keep the kernel that reads it for ever."""


@contextlib.contextmanager
def served(module: str, opening: Opening, within: Sequence[str] = ()) -> Iterator[Guest]:
    """Lend a guest that the worker in *module* opens, started by the words *within* if it needs surroundings.

    Raises what `Workbench.open` does, and ProgramMissing.
    """
    with _started([*_DIE_WITH_US, *within, sys.executable, "-m", module]) as worker:
        guest = _ServedGuest(worker, opening)
        try:
            yield guest
        except WherryError:
            with contextlib.suppress(WherryError):  # the first error tells more
                guest.close()
            raise
        guest.close()


@dataclass(frozen=True, slots=True)
class _Worker:
    process: "subprocess.Popen[bytes]"
    orders: IO[bytes]
    answers: IO[bytes]
    words: IO[bytes]
    """What it says besides: why it broke down."""


@contextlib.contextmanager
def _started(command: Sequence[str]) -> Iterator[_Worker]:
    with tempfile.TemporaryFile() as words:
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words)
        except FileNotFoundError as error:
            raise ProgramMissing(program=command[0]) from error
        with process:
            if process.stdin is None or process.stdout is None:
                raise RuntimeError("pipes were asked for")
            try:
                yield _Worker(process, process.stdin, process.stdout, words)
            finally:
                process.kill()


class _ServedGuest(Guest):
    def __init__(self, worker: _Worker, opening: Opening) -> None:
        self._worker = worker
        self._writable = opening.writable
        self._tell(opening)
        self._facts = msgspec.convert(self._answer(), Facts)

    def close(self) -> None:
        """Write everything to the disks and let go of them. Raises WorkbenchFailed."""
        self._worker.orders.close()
        self._answer()
        with contextlib.suppress(subprocess.TimeoutExpired):  # it's killed then; all is on the disks
            self._worker.process.wait(_PATIENCE_S)

    @property
    def disks(self) -> Sequence[GuestDisk]:
        return self._facts.disks

    @property
    def filesystems(self) -> Sequence[GuestFilesystem]:
        return self._facts.filesystems

    @property
    def writable(self) -> bool:
        return self._writable

    def read_bytes(self, path: str) -> bytes | None:
        content: bytes | None = self._ask(bytes | None, "read_bytes", os.fsencode(path))
        return content

    def write(self, path: str, content: bytes, mode: int | None = None) -> None:
        self._change("write", os.fsencode(path), content, mode)

    def make_directory(self, path: str, mode: int = 0o755) -> None:
        self._change("make_directory", os.fsencode(path), mode)

    def make_link(self, path: str, target: str) -> None:
        self._change("make_link", os.fsencode(path), os.fsencode(target))

    def remove(self, path: str) -> None:
        self._change("remove", os.fsencode(path))

    def set_mode(self, path: str, mode: int) -> None:
        self._change("set_mode", os.fsencode(path), mode)

    def set_owner(self, path: str, owner: int, group: int) -> None:
        self._change("set_owner", os.fsencode(path), owner, group)

    def status(self, path: str) -> FileStatus | None:
        status: FileStatus | None = self._ask(FileStatus | None, "status", os.fsencode(path))
        return status

    def list(self, path: str) -> list[str]:
        names: Sequence[bytes] = self._ask(Sequence[bytes], "names", os.fsencode(path))
        return [os.fsdecode(name) for name in names]

    def readlink(self, path: str) -> str | None:
        target: bytes | None = self._ask(bytes | None, "readlink", os.fsencode(path))
        return None if target is None else os.fsdecode(target)

    def run(self, argv: Sequence[str], *, stdin: str = "", timeout_s: float = 300.0) -> Output:
        self._need_writable()
        command = [os.fsencode(word) for word in argv]
        kind = tuple[int, bytes, bytes]
        self._tell(Order("run", (command, stdin.encode(errors="surrogateescape"), timeout_s)))
        status, out, words = msgspec.convert(self._answer(timeout_s + ANSWER_S), kind)
        return Output(status, out.decode(errors="replace"), words.decode(errors="replace"))

    def read_disk(self, disk: int, offset: int, size: int) -> bytes:
        content: bytes = self._ask(bytes, "read_disk", disk, offset, size)
        return content

    def write_disk(self, disk: int, offset: int, content: bytes) -> None:
        self._change("write_disk", disk, offset, content)

    def exists(self, path: str) -> bool:
        return bool(self._ask(bool, "exists", os.fsencode(path)))

    def is_dir(self, path: str) -> bool:
        return bool(self._ask(bool, "is_dir", os.fsencode(path)))

    def _change(self, name: str, *arguments: object) -> None:
        self._need_writable()
        self._ask(object, name, *arguments)

    def _need_writable(self) -> None:
        if not self._writable:
            raise WorkbenchFailed(reason="it was opened to be read only")

    def _ask(self, kind: Any, name: str, *arguments: object) -> Any:
        """Have the worker do something, and return what it answers, as a *kind*."""
        self._tell(Order(name, arguments))
        return msgspec.convert(self._answer(), kind)

    def _tell(self, message: object) -> None:
        with contextlib.suppress(BrokenPipeError):  # the missing answer tells why
            send(self._worker.orders, message)

    def _answer(self, limit_s: float | None = None) -> object:
        """Return the next answer. Raises what the worker has told, and WorkbenchFailed where it tells nothing."""
        limit_s = ANSWER_S if limit_s is None else limit_s
        readable, _, _ = select.select([self._worker.answers], [], [], limit_s)
        if not readable:
            self._worker.process.kill()
            raise WorkbenchFailed(reason=f"it hadn't answered after {limit_s:g} s and was given up")
        answer = receive(self._worker.answers, Answer)
        if answer is None:
            self._worker.words.seek(0)
            words = self._worker.words.read().decode(errors="replace").strip()[-500:]
            raise WorkbenchFailed(reason=f"its process ended: {words or '(no message)'}")
        if answer.error:
            raise PASSED_ON[answer.error](**answer.details)
        if answer.refused:
            raise WorkbenchFailed(reason=answer.refused)
        return answer.result
