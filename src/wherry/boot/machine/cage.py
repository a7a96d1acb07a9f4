"""Becomes QEMU, as a user who owns nothing: `python cage.py SETTINGS PROGRAM ARGUMENT...`, in the machine's folder.

`wherry.boot.machine.machine` starts it by its file. It imports nothing but the standard library. What QEMU may use was
opened before, by somebody with more rights, and is inherited. SETTINGS is JSON:

- ``starter``: the process with whose death QEMU is to be killed, 0 for none;
- ``user``: the user and group that QEMU runs as, null to stay; ``groups``: further groups of it;
- ``network``: whether it needs this host's network; without, a QEMU that runs as somebody else sees none of it;
- ``cwd``: the folder that QEMU works in;
- ``console``: the descriptor that the console's text is read from, that of its file, and the most bytes of it.

The console's text is kept by a process of its own that lives as long as QEMU, whatever becomes of the receiver. Of what
grows too long the end stays: QEMU's own log files have no limit.
Sources: prctl(2), PR_SET_PDEATHSIG and PR_SET_NO_NEW_PRIVS; the former is forgotten with a change of the user.
unshare(2).
"""

import ctypes
import json
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PID_FILE = "pid"
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWIPC = 0x08000000
_CLONE_NEWNET = 0x40000000
_PIECE = 1 << 16


def main(settings: "dict[str, Any]", command: "list[str]") -> None:
    """Become *command*. Raises OSError."""
    with open(PID_FILE, "w", encoding="ascii") as pid_file:  # noqa: PTH123 - pathlib is slow to import
        pid_file.write(f"{os.getpid()}\n")
    os.chdir(settings["cwd"])
    libc = ctypes.CDLL(None)
    user = settings["user"]
    if user is not None:
        hidden = _CLONE_NEWIPC if settings["network"] else _CLONE_NEWIPC | _CLONE_NEWNET
        if libc.unshare(hidden) != 0:
            print("this host's network can't be hidden from QEMU", file=sys.stderr)  # noqa: T201 - it's in the machine's log
        os.setgroups(settings["groups"])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    source, target, most = settings["console"]
    if os.fork() == 0:
        keep_end(source, target, most)
        os._exit(0)
    os.close(source)
    os.close(target)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    starter = settings["starter"]
    if starter:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != starter:
            sys.exit("the starter died before the kernel was told")
    # By its whole path: looking for it would import more, and Python's own files may be closed to this user.
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


def keep_end(source: int, target: int, most: int) -> None:
    """Copy what comes from *source* to the end of the file *target*, of which at most *most* bytes are kept."""
    # QEMU's sockets and disks are none of this process's business, and it'd never see the end of its own pipe.
    last = max(source, target)
    for descriptor in set(range(last + 1)) - {source, target}:
        _close(descriptor)
    os.closerange(last + 1, os.sysconf("SC_OPEN_MAX"))
    while piece := os.read(source, min(_PIECE, most // 2)):
        try:
            _append(target, piece, most)
        except OSError:
            continue  # a full disk costs lines, and never stops the guest


def _append(target: int, piece: bytes, most: int) -> None:
    size = os.fstat(target).st_size
    if size + len(piece) > most:
        kept = os.pread(target, most // 2, max(0, size - most // 2))
        os.pwrite(target, kept, 0)
        os.ftruncate(target, len(kept))
        size = len(kept)
    os.pwrite(target, piece, size)


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        return


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
