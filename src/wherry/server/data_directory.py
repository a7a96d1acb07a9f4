"""The data directory of a control plane: one at a time works on it.

admin.json      the first administrator's credentials (mode 0600)
ledger.sqlite3  the ledger
master.key      what secrets at rest are sealed with
ca.pem ca.key   the private authority; proof.pem: the key that signs proofs; server.pem server.key: HTTPS
lock            held by the running control plane
"""

import fcntl
import os
from pathlib import Path
from typing import Self

from wherry.server.errors import DataDirectoryBusy, DataDirectoryRefused


class DataDirectory:
    """An exclusively held data directory; a context manager that lets go of it at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ledger = path / "ledger.sqlite3"
        self.admin_file = path / "admin.json"
        self.master_key = path / "master.key"
        self.ca_certificate = path / "ca.pem"
        self.server_certificate = path / "server.pem"
        self.server_key = path / "server.key"
        self._lock = -1

    def __enter__(self) -> Self:
        """Make the directory if need be and take it.

        Raises DataDirectoryRefused, and DataDirectoryBusy when another process holds it.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataDirectoryRefused(path=self.path, reason=error.strerror or str(error)) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            process = os.pread(self._lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._lock)
            raise DataDirectoryBusy(path=self.path, process=process) from error
        self._note_process()
        return self

    def __exit__(self, *_exception: object) -> None:
        os.close(self._lock)

    def _note_process(self) -> None:
        try:
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(self._lock)
            raise DataDirectoryRefused(path=self.path, reason=error.strerror or str(error)) from error
