"""The programs under demonstration as processes of their own: start, watch, kill, restart, end."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from demo.errors import ServiceEnded
from demo.scale import Scale
from demo.source import Source
from wherry.contract.installation import AdminFile

TAIL_LINES = 20
END_TIMEOUT_S = 20.0
MAX_FREEZE_S = 30
SYNC_INTERVAL_S = 1
STATUS_FILE = "writer.json"
ROOT = Path(__file__).resolve().parent.parent
WHERRY = str(Path(sys.executable).with_name("wherry"))
# The children must not outlive a demonstration that was killed itself.
DIE_WITH_US = ("setpriv", "--pdeathsig", "TERM", "--")


@dataclass(slots=True)
class Service:
    """A program that runs until it's told to end. Use it as a context manager. Not for several threads."""

    name: str
    command: Sequence[str]
    log: Path
    kills: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def start(self) -> None:
        """Start it; its standard output and error are appended to the log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            # In a session of its own it doesn't get the terminal's Ctrl-C: the demonstration ends it in good order.
            self._process = subprocess.Popen(
                [*DIE_WITH_US, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=ROOT,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )

    def require_alive(self) -> None:
        """Raise ServiceEnded when it isn't running any more."""
        if self._process is not None and (status := self._process.poll()) is not None:
            raise ServiceEnded(name=self.name, status=status)

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when it has ended."""
        if self._process is not None:
            self._process.send_signal(number)

    def kill_and_restart(self) -> None:
        """Kill it as a crash would (SIGKILL) and start it again at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self.kills += 1
        self.start()

    def end(self) -> None:
        """Ask it to end, and kill it when it doesn't."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_TIMEOUT_S)
        self._process = None

    def tail(self, lines: int = TAIL_LINES) -> str:
        """Return the last *lines* lines of its log; "" while it has said nothing."""
        with contextlib.suppress(FileNotFoundError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""


def free_port() -> int:
    """Return a TCP port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def serve(work: Path, port: int) -> Service:
    """Return the control plane; its data lie in `work/server`."""
    command = [WHERRY, "serve", "--data", str(work / "server"), "--listen", f"127.0.0.1:{port}"]
    return Service("server", command, work / "logs" / "server.log")


def receiver(work: Path, admin: AdminFile, token_file: Path, images: Path) -> Service:
    """Return the receiver; copies land in *images*."""
    # A fixed port, so that a receiver that was killed comes back where it was.
    listen = f"127.0.0.1:{free_port()}"
    command = [*_joining("receiver", work, admin, token_file), "--images", str(images), "--listen", listen]
    return Service("receiver", command, work / "logs" / "receiver.log")


def agent(work: Path, admin: AdminFile, token_file: Path, source: Source) -> Service:
    """Return the agent, limited to the disk of *source*."""
    command = [*_joining("agent", work, admin, token_file), "--disk", str(source.device)]
    command += ["--max-freeze", str(MAX_FREEZE_S), "--sync-interval", str(SYNC_INTERVAL_S)]
    if source.hook:
        command += ["--frozen-hook", source.hook]
    return Service("agent", command, work / "logs" / "agent.log")


def writer(work: Path, scale: Scale, source: Source) -> Service:
    """Return the writer on the filesystems of *source*."""
    arguments = [work / STATUS_FILE, scale.writer_rate, scale.writer_room, scale.burst, *source.mount_points]
    command = [sys.executable, "-m", "demo.writer", *map(str, arguments)]
    return Service("writer", command, work / "logs" / "writer.log")


def _joining(program: str, work: Path, admin: AdminFile, token_file: Path) -> list[str]:
    trust = ["--server", admin.endpoint, "--ca-file", admin.ca_file, "--token-file", str(token_file)]
    return [WHERRY, program, *trust, "--state", str(work / program), "--name", f"demo-{program}"]
