"""How to start this Python once more, for a program that needs a second process of its own.

The agent's bundle (`tools/agent_bundle`) runs from a folder in memory to which only an open descriptor leads, with a C
library of its own. There the interpreter is started by the loader of that library, and the descriptor has to be handed
on; elsewhere `sys.executable` is enough.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOADER: Final = "wherry-agent"
"""The dynamic loader in the bundle's folder; its name is what the process is called."""

LIBRARIES: Final = "lib"
PYTHON: Final = "bin/python3"
_DESCRIPTORS: Final = Path("/proc/self/fd")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that can be started: the words before its own arguments, and the descriptors that it must inherit."""

    command: tuple[str, ...]
    descriptors: tuple[int, ...] = ()


def this_interpreter(executable: str = sys.executable, prefix: str = sys.prefix) -> Interpreter:
    """Return how to start the Python that runs this, by its *executable* and its *prefix*."""
    folder = Path(prefix)
    if folder.parent != _DESCRIPTORS:
        return Interpreter((executable,))
    # As the bundle's first lines do it. The loader's own cache speaks of the libraries of the system around.
    loader = (str(folder / LOADER), "--inhibit-cache", "--library-path", str(folder / LIBRARIES))
    return Interpreter((*loader, str(folder / PYTHON)), (int(folder.name),))
