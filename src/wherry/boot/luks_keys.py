"""Keys of encrypted volumes: a folder of the operator's with a file for each volume, named by its LUKS UUID.

A key stands in no command, log or report. It's read when its volume is opened, or typed where a rehearsed server asks
for it. What a disk says is its UUID names a file in the folder or none: it may be a hostile disk.
"""

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wherry.boot.errors import LuksKeyUnusable

MOST_KEY: Final = 64 << 10
"""How large a key may be, in bytes."""

_IDENTITY: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LONGEST_PASSPHRASE: Final = 512
_FOR_OTHERS: Final = 0o077


@dataclass(frozen=True, slots=True)
class KeyFolder:
    """The folder at *path*."""

    path: Path

    def require_private(self) -> None:
        """Raise LuksKeyUnusable where there's no such folder, or others may look into it."""
        try:
            status = self.path.stat()
        except OSError as error:
            raise LuksKeyUnusable(path=self.path, reason=error.strerror or str(error)) from error
        if not stat.S_ISDIR(status.st_mode):
            raise LuksKeyUnusable(path=self.path, reason="it's no folder")
        self._require_own(self.path, status)

    def keys(self, identity: str) -> Sequence[bytes]:
        """Return what may open the volume with the LUKS UUID *identity*, the likeliest first; nothing without a file.

        That's the content of its file, and before it the content without the line's end that editors leave. Raises
        LuksKeyUnusable.
        """
        content = self._content(identity.lower())
        if content is None:
            return ()
        if b"\0" in content:
            raise LuksKeyUnusable(path=self.path / identity, reason="it holds bytes that are zero, which can't be told")
        line = content.removesuffix(b"\n").removesuffix(b"\r")
        return [key for key in dict.fromkeys((line, content)) if key]

    def passphrase(self, identity: str) -> str | None:
        """Return the key of a volume where it can be typed, None where it can't or there's none.

        Raises LuksKeyUnusable.
        """
        for key in self.keys(identity)[:1]:
            text = key.decode("ascii", errors="replace")
            if text.isascii() and text.isprintable() and len(text) <= _LONGEST_PASSPHRASE:
                return text
        return None

    def _content(self, identity: str) -> bytes | None:
        if not _IDENTITY.fullmatch(identity):
            return None
        path = self.path / identity
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LuksKeyUnusable(path=path, reason=error.strerror or str(error)) from error
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise LuksKeyUnusable(path=path, reason="it's no file")
            self._require_own(path, status)
            content = file.read(MOST_KEY + 1)
        if not 0 < len(content) <= MOST_KEY:
            raise LuksKeyUnusable(path=path, reason=f"it's empty or larger than {MOST_KEY:,} bytes")
        return content

    @staticmethod
    def _require_own(path: Path, status: os.stat_result) -> None:
        if status.st_uid not in {0, os.geteuid()}:
            raise LuksKeyUnusable(path=path, reason="it belongs to another user")
        if status.st_mode & _FOR_OTHERS:
            raise LuksKeyUnusable(path=path, reason="other users may look into it")
