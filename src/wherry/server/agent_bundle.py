"""The file that agents are installed from, as `tools/agent_bundle` makes it."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from wherry.server.errors import AgentBundleUnusable

_PIECE: Final = 256 << 10


class AgentBundle:
    """A bundle, held open: what is handed out stays what it was at the start, also when the file is replaced.

    Attributes:
        size: in bytes.
        digest: its SHA-256 in hexadecimal digits.
    """

    def __init__(self, descriptor: int, digest: str) -> None:
        self._descriptor = descriptor
        self.size: Final = os.fstat(descriptor).st_size
        self.digest: Final = digest

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Lend the bundle in the file *path*. Raises AgentBundleUnusable."""
        try:
            file = path.open("rb")
        except OSError as error:
            raise AgentBundleUnusable(path=path, reason=error.strerror or str(error)) from error
        with file:
            try:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                begin = os.pread(file.fileno(), 2, 0)
            except OSError as error:
                raise AgentBundleUnusable(path=path, reason=error.strerror or str(error)) from error
            if begin != b"#!":
                raise AgentBundleUnusable(path=path, reason="it doesn't begin as a bundle does")
            yield cls(file.fileno(), digest)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the file in pieces; nobody else waits while one is read from a disk."""
        for offset in range(0, self.size, _PIECE):
            yield await asyncio.to_thread(os.pread, self._descriptor, min(_PIECE, self.size - offset), offset)
