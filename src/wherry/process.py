"""Programs that are run, whose failures become words, and the memory of this one."""

import ctypes
import gc
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from wherry import tether
from wherry.errors import WherryError


class ProgramMissing(WherryError):
    """A program that Wherry needs isn't installed."""

    code = "WHERRY.9001"
    template = "The program {program!r} is not installed."
    default_cause = "Its package is missing on this machine."
    default_fix = "Install the package that holds the program and try again."


class ProgramFailed(WherryError):
    """A program ended with a status other than 0."""

    code = "WHERRY.9002"
    template = "{command!r} ended with status {status}: {stderr}"
    default_cause = "The program refused; its last words are in the message."
    default_fix = "Run the command by hand to see what it needs."


class ProgramTimedOut(WherryError):
    """A program didn't end in time and was killed."""

    code = "WHERRY.9003"
    template = "{command!r} did not end within {timeout_s} s."
    default_cause = "The program hangs, or the machine is overloaded."
    default_fix = "Run the command by hand; look for a stuck device with `dmesg`."


def run(
    command: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout_s: float = 120.0,
    environment: Mapping[str, str] | None = None,
    tethered: bool = False,
) -> bytes:
    """Run *command* without a shell and return what it wrote to standard output.

    With *tethered* the kernel kills the program when this process ends, even by SIGKILL.

    Raises:
        ProgramMissing: the program doesn't exist.
        ProgramFailed: it ended with a status other than 0.
        ProgramTimedOut: it was still running after *timeout_s* seconds.
    """
    try:
        done = subprocess.run(
            [*_tether(), *command] if tethered else command,
            input=stdin,
            capture_output=True,
            timeout=timeout_s,
            env=environment,
            check=False,
        )
    except FileNotFoundError as error:
        raise ProgramMissing(program=command[0]) from error
    except subprocess.TimeoutExpired as error:
        raise ProgramTimedOut(command=" ".join(command), timeout_s=timeout_s) from error
    if tethered and done.returncode == tether.MISSING:
        raise ProgramMissing(program=command[0])
    if done.returncode != 0:
        last_words = done.stderr.decode(errors="replace").strip()[-500:]
        raise ProgramFailed(command=" ".join(command), status=done.returncode, stderr=last_words or "(no message)")
    return done.stdout


def release_memory() -> None:
    """Give what nobody uses any more back to the system, which malloc would keep. Source: malloc_trim(3)."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
    if trim is not None:
        trim(0)


def _tether() -> list[str]:
    """Return the words that tie a program to this process.

    The kernel goes by the thread that started it, not by the process: that is right here, where the thread waits for
    the program's end. Not by `preexec_fn`, which may hang where other threads run.
    """
    return [sys.executable, "-I", "-S", tether.__file__, str(os.getpid())]
