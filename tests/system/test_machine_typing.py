"""A line typed at a serial console: it arrives as a whole, at a guest that reads slowly and says much meanwhile."""

import socket
import threading
from pathlib import Path

import pytest

from wherry.boot.machine.monitor import listen
from wherry.boot.machine.typing_line import type_line

LINE = "open sesame"


class Guest:
    """Reads the line by single bytes, and floods the console before each; then it waits for the end."""

    def __init__(self, listener: socket.socket) -> None:
        self.heard = b""
        self._listener = listener
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            while not self.heard.endswith(b"\r"):
                connection.sendall(b"A start job is running\r\n" * 10_000)
                self.heard += connection.recv(1)


def test_a_line_is_taken_by_a_guest_that_floods_its_console(tmp_path: Path) -> None:
    with listen(tmp_path / "console.sock") as listener:
        guest = Guest(listener)
        type_line(tmp_path / "console.sock", LINE)
        guest.thread.join(60)
    assert guest.heard == LINE.encode() + b"\r"


def test_a_machine_that_is_gone_takes_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        type_line(tmp_path / "console.sock", LINE)
    with listen(tmp_path / "console.sock") as listener:

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.close()

        hung_up = threading.Thread(target=hang_up)
        hung_up.start()
        with pytest.raises(OSError, match=r"hung up|Broken pipe|reset"):
            type_line(tmp_path / "console.sock", LINE * 100_000)
        hung_up.join(60)
