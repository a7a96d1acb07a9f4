"""Looks at the task while it's worked on: its speed limits may change, or it may be gone.

The poll for commands comes back at once when something happens to the source or its task, and then asks for a look. So
a changed limit holds within a moment, also in the middle of a pass; looking now and then is for a notice that got lost.
"""

import threading
from collections.abc import Callable

import structlog

from wherry.client.patience import passing
from wherry.errors import WherryError

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 5.0
"""The most time between two looks, in seconds."""


class TaskWatch:
    """A thread that looks when it's asked to, and now and then."""

    def __init__(self, look: Callable[[], None], asked: threading.Event, *, every_s: float = LOOK_EVERY_S) -> None:
        """*look* reads the task anew; it may raise what a control plane raises. *asked* is set to have it look now."""
        self._look = look
        self._asked = asked
        self._every_s = every_s
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="task-watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; it's not waited for long, as a look may hang."""
        self._ending.set()
        self._asked.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        while True:
            self._asked.wait(self._every_s)
            self._asked.clear()
            if self._ending.is_set():
                return
            try:
                self._look()
            except WherryError as error:
                # The calls of the work itself tell of a control plane that is away.
                if not passing(error):
                    log.warning("task_not_looked_at", **error.facts)
            except Exception:
                # The outermost loop of this thread: a look that fails never ends the work.
                log.exception("task_not_looked_at")
