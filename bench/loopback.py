"""A network of the race's own: the loopback device of a fresh namespace, whose counters nobody else moves."""

import ctypes
import os
import socket
from pathlib import Path

from wherry.process import run

_CLONE_NEWNET = 0x4000_0000


def enter() -> None:
    """Move this process and what it starts into a network namespace of its own. Raises OSError without the right."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    run(["ip", "link", "set", "lo", "up"])


def wire_bytes() -> int:
    """Return the bytes that went over loopback so far, headers of TCP and IP included."""
    lines = Path("/proc/thread-self/net/dev").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.strip().startswith("lo:"))


def free_port() -> int:
    """Return a TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def connected() -> tuple[socket.socket, socket.socket]:
    """Return both ends of a TCP connection over loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    return near, far
