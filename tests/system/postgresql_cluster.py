"""A PostgreSQL server for the length of a test, with Debian's binaries: made, stopped, killed and started again.

`initdb` and `postgres` refuse to run as root, so for root they run as the user `postgres` (or `nobody`), in a directory
of that user's own. It listens on a Unix socket in that directory, and on a loopback port with passwords.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PACKAGE = "postgresql"
OWNER = "wherry"
PASSWORD = "only-for-the-test"
_LIBRARY = Path("/usr/lib/postgresql")
_USERS = ("postgres", "nobody")
_SETTINGS = {
    "fsync": "on",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "log_min_messages": "warning",
    "log_line_prefix": "%t [%p] ",
}


def require_binaries() -> Path:
    """Return the directory of the newest installed server's binaries; skip the test where there's none."""
    found = sorted(_LIBRARY.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        pytest.skip(f"no PostgreSQL server is installed (Debian package: {PACKAGE})")
    return found[-1].parent


@dataclass
class Cluster:
    """A server that may be down at times. Its files stay until the end of the test."""

    directory: Path
    port: int
    binaries: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.directory / "log"

    def url(self, database: str) -> str:
        """Return the URL of a database, by the Unix socket, where no password is asked."""
        return f"postgresql://{OWNER}@/{database}?host={self.directory}&port={self.port}"

    def loopback_url(self, database: str, password: str = PASSWORD) -> str:
        """Return the URL of a database over TCP, where a password is asked."""
        return f"postgresql://{OWNER}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self.process = _run_as_owner([str(self.binaries / "postgres"), "-D", str(self.directory / "data")], self.log)
        ready = [str(self.binaries / "pg_isready"), "-q", "-h", str(self.directory), "-p", str(self.port)]
        for _ in range(300):
            assert self.process.poll() is None, self.log.read_text()
            if subprocess.run(ready, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End the server: SIGINT cuts its clients off, SIGQUIT ends it as a crash would."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(30)
            self.process = None

    def sql(self, database: str, statement: str) -> list[list[str]]:
        """Run *statement* with psql and return its rows as text."""
        command = [
            *(str(self.binaries / "psql"), "-X", "-q", "-A", "-t", "-F", "\x1f", "-v", "ON_ERROR_STOP=1"),
            *("-d", self.url(database), "-c", statement),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return [line.split("\x1f") for line in done.stdout.splitlines()]

    def create(self, database: str) -> str:
        """Make an empty database and return its URL."""
        self.sql("postgres", f'CREATE DATABASE "{database}"')
        return self.url(database)


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Make a cluster, run it, and leave nothing of it behind."""
    binaries = require_binaries()
    directory = Path(tempfile.mkdtemp(prefix="wherry-pg-"))
    try:
        user = _owner()
        if user is not None:
            os.chown(directory, user.pw_uid, user.pw_gid)
        cluster = Cluster(directory, _free_port(), binaries)
        _initialise(cluster)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _initialise(cluster: Cluster) -> None:
    password = cluster.directory / "password"
    password.write_text(PASSWORD)
    password.chmod(0o644)
    command = [
        *(str(cluster.binaries / "initdb"), "-D", str(cluster.directory / "data"), "-U", OWNER, "-E", "UTF8"),
        *("--locale=C.UTF-8", "--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={password}"),
    ]
    made = _run_as_owner(command, cluster.log)
    assert made.wait(120) == 0, cluster.log.read_text()
    settings = {
        **_SETTINGS,
        "listen_addresses": "127.0.0.1",
        "port": str(cluster.port),
        "unix_socket_directories": str(cluster.directory),
    }
    with (cluster.directory / "data" / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())


def _run_as_owner(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    user = _owner()
    become: dict[str, Any] = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            **become,
        )


def _owner() -> pwd.struct_passwd | None:
    """Return whom the server runs as; None: as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in _USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("PostgreSQL refuses to run as root, and there is no user to run it as")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
