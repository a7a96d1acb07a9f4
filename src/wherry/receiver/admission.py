"""Who may connect: the tasks that are served, found by the TLS server name that an agent asks for.

One port serves all tasks. A name that isn't here is refused in the handshake, so that a stranger learns nothing else.
"""

import threading
from collections.abc import Mapping

from wherry.receiver.reconciliation import Served
from wherry.replication.transport import Identity


class Admission:
    """The table of served tasks. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, tuple[Served, Identity]] = {}

    def admit(self, served: Served, identity: Identity) -> None:
        """Serve a task from now on, or with another certificate than before."""
        with self._lock:
            self._entries[served.task_id] = (served, identity)

    def withdraw(self, task_id: str) -> None:
        """Refuse further connections for *task_id*."""
        with self._lock:
            self._entries.pop(task_id, None)

    def served(self) -> Mapping[str, Served]:
        """Return what is served now, by task id."""
        with self._lock:
            return {task_id: served for task_id, (served, _) in self._entries.items()}

    def serves(self, task_id: str) -> bool:
        """Tell whether connections for *task_id* are admitted."""
        with self._lock:
            return task_id in self._entries

    def lookup(self, server_name: str) -> Identity | None:
        """Return the identity to show to somebody who asks for *server_name*, None to refuse him."""
        with self._lock:
            found = (identity for served, identity in self._entries.values() if served.server_name == server_name)
            return next(found, None)
