"""admin.json, which `wherry serve` leaves in its data folder for those who are to reach it. Its layout is stable."""

from pathlib import Path

import msgspec


class AdminFile(msgspec.Struct, frozen=True):
    """How the first administrator reaches the control plane. *ca_file* is a path, empty without TLS."""

    endpoint: str
    ca_file: str
    domain_id: str
    domain_name: str
    project_id: str
    user_name: str
    password: str
    access_key: str
    secret_key: str

    def __repr__(self) -> str:
        """Leave password and secret key out, so that no log can hold them by mistake."""
        return f"AdminFile(endpoint={self.endpoint!r}, user_name={self.user_name!r}, access_key={self.access_key!r})"


def read_admin_file(path: Path) -> AdminFile:
    """Return what *path* says. Raises OSError, and ValueError when it holds something else."""
    return msgspec.json.decode(path.read_bytes(), type=AdminFile)
