"""Orders to a running QEMU over its QMP socket.

QEMU serves one connection at a time. So each order has its own, and whoever knows the socket gets a turn.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from qemu.qmp import QMPClient
from qemu.qmp.error import QMPError
from qemu.qmp.protocol import StateError
from qemu.qmp.qmp_client import ExecuteError

from wherry.boot.machine.errors import MachineGone, MonitorRefused

ANSWER_S: Final = 60.0
"""How long QEMU may take for an order, in seconds: with TCG on a busy host its main loop waits long."""


def order(name: str, socket_path: Path, command: str, arguments: Mapping[str, object]) -> object:
    """Have the QEMU of the machine *name* do *command* and return its answer. For threads without an event loop.

    Raises MonitorRefused where it refuses; MachineGone where nobody listens, or doesn't answer within `ANSWER_S`.
    """
    try:
        return asyncio.run(asyncio.wait_for(_order(name, socket_path, command, arguments), ANSWER_S))
    except ExecuteError as error:
        raise MonitorRefused(command=command, reason=str(error).rstrip(".")) from error
    except TimeoutError as error:
        raise MachineGone(name=name, reason=f"no answer within {ANSWER_S:.0f} s") from error
    except (QMPError, StateError, OSError, EOFError) as error:
        raise MachineGone(name=name, reason=f"its monitor can't be reached ({type(error).__name__})") from error


async def _order(name: str, socket_path: Path, command: str, arguments: Mapping[str, object]) -> object:
    client = QMPClient(name)
    with connect(socket_path) as connection:
        await client.connect(connection)
        try:
            return await client.execute(command, dict(arguments) or None)
        finally:
            # What breaks off while hanging up has no bearing on the answer.
            with contextlib.suppress(QMPError, OSError, EOFError):
                await client.disconnect()


def connect(path: Path) -> socket.socket:
    """Return a connection to the Unix socket at *path*, however long the path is. Raises OSError."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        with _short(path) as name:
            connection.connect(name)
    except BaseException:
        connection.close()
        raise
    return connection


def listen(path: Path) -> socket.socket:
    """Return a listening Unix socket with the name *path*, however long, in place of an old one. Raises OSError."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    try:
        with _short(path) as name:
            listener.bind(name)
        path.chmod(0o600)
        listener.listen(1)
    except BaseException:
        listener.close()
        raise
    return listener


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """Lend a short name for *path*: the kernel takes no more than 107 bytes."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
