"""Commands in a guest, over SSH."""

import socket
from dataclasses import dataclass
from pathlib import Path

from tests.vm.waiting import until
from wherry.process import ProgramFailed, ProgramTimedOut, run


@dataclass(frozen=True, slots=True)
class Shell:
    """Root's shell in a guest, at *host*, or whose port 22 is forwarded to *port* of 127.0.0.1."""

    port: int
    key: Path
    host: str = "127.0.0.1"

    def __call__(self, command: str, *, timeout_s: float = 300.0) -> str:
        """Run *command* and return what it wrote. Raises ProgramFailed with its last words."""
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ConnectTimeout=30", "LogLevel=ERROR")
        words = [word for option in options for word in ("-o", option)]
        ssh = ["ssh", "-i", str(self.key), "-p", str(self.port), *words, f"root@{self.host}", command]
        return run(ssh, timeout_s=timeout_s).decode()

    def wait(self, limit_s: float = 600.0) -> None:
        """Return as soon as a command can be run. Raises TimeoutError."""

        def answers() -> bool:
            try:
                return self("echo here", timeout_s=60) == "here\n"
            except (ProgramFailed, ProgramTimedOut):
                return False

        until(answers, limit_s, every_s=1)


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
