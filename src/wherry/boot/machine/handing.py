"""Opens what a machine is handed: its files, the sockets that it listens on, its tap devices, the pipe of its console.

All of it belongs to QEMU once that has started, and is closed here.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wherry.boot.machine.hardware import (
    CONSOLE,
    CONSOLE_TEXT,
    MONITOR,
    Access,
    Description,
    Handed,
    file_word,
    tap_word,
)
from wherry.boot.machine.monitor import listen
from wherry.boot.machine.tap import open_tap

MONITOR_SOCKET: Final = "qmp.sock"
CONSOLE_SOCKET: Final = "console.sock"
CONSOLE_LOG: Final = "console.log"

_FLAGS: Final = {
    Access.READ: os.O_RDONLY,
    Access.CHANGE: os.O_RDWR,
    Access.APPEND: os.O_WRONLY | os.O_APPEND | os.O_CREAT,
}


@dataclass(frozen=True, slots=True)
class Opened:
    """*descriptors* by the words that stand for them in the command; *text_from* and *text_to*: of the console."""

    descriptors: dict[str, int]
    text_from: int
    text_to: int

    @property
    def all(self) -> tuple[int, ...]:
        """Every descriptor that the new process inherits."""
        return (*self.descriptors.values(), self.text_from, self.text_to)


@contextlib.contextmanager
def opened(description: Description, folder: Path) -> Iterator[Opened]:
    """Lend all that the machine in *folder* is handed. Raises OSError, BridgeMissing."""
    with contextlib.ExitStack() as stack:

        def keep(descriptor: int) -> int:
            stack.callback(os.close, descriptor)
            return descriptor

        found = {
            MONITOR: stack.enter_context(listen(folder / MONITOR_SOCKET)).fileno(),
            CONSOLE: stack.enter_context(listen(folder / CONSOLE_SOCKET)).fileno(),
        }
        for number, file in enumerate(description.files):
            found[file_word(number)] = keep(_open(file, folder))
        for number, bridge in description.bridges.items():
            found[tap_word(number)] = keep(open_tap(bridge))
        source, found[CONSOLE_TEXT] = (keep(end) for end in os.pipe())
        text = keep(os.open(folder / CONSOLE_LOG, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        yield Opened(found, source, text)


def _open(file: Handed, folder: Path) -> int:
    return os.open(folder / file.path, _FLAGS[file.access] | os.O_CLOEXEC, 0o600)
