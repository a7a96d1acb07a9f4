"""Becomes another program that the kernel kills when its starter dies: `python tether.py PID PROGRAM ARGUMENT...`.

`wherry.process` starts it by its file. It imports nothing but the standard library.
Source: PR_SET_PDEATHSIG(2const). The signal outlives an exec of a program without privileges of its own.
"""

import ctypes
import os
import signal
import sys

MISSING = 127
"""Exit status when there is no such program, as a shell's."""

_PR_SET_PDEATHSIG = 1


def main(starter: int, command: list[str]) -> int:
    """Become *command*; return an exit status where that fails."""
    if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        return 1
    if os.getppid() != starter:
        return 1  # the starter died before the kernel was told
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except FileNotFoundError:
        return MISSING


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
