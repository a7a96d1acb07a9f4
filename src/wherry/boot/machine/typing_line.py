"""A line typed at a machine's serial console, by the socket on which its QEMU listens for who types.

What the guest writes meanwhile comes here too, and is thrown away: the console's text has a file of its own. It has to
be read, since a guest whose console nobody empties waits. Source: unix(7), SIOCOUTQ.
"""

import fcntl
import select
import socket
import struct
import termios
import time
from pathlib import Path
from typing import Final

from wherry.boot.machine.monitor import connect

TAKEN_S: Final = 30.0
"""How long the guest may take to read the line, in seconds: a serial port hands it over by a few bytes."""
_LOOK_S: Final = 0.05
_PIECE: Final = 1 << 16


def type_line(path: Path, line: str) -> None:
    """Type *line* and Return by the socket at *path*; back as soon as all of it was taken. Raises OSError."""
    with connect(path) as console:
        console.sendall(line.encode() + b"\r")
        end = time.monotonic() + TAKEN_S
        while _untaken(console) and time.monotonic() < end:
            readable, _, _ = select.select([console], [], [], _LOOK_S)
            if readable and not console.recv(_PIECE):
                raise ConnectionResetError("the machine hung up")


def _untaken(console: socket.socket) -> int:
    """Return how much of what was sent the other end hasn't read, in bytes as the kernel counts them."""
    (untaken,) = struct.unpack("i", fcntl.ioctl(console, termios.TIOCOUTQ, bytes(4)))
    return int(untaken)
