"""Tasks that one thread looks at, one after the other, as others tell it to; what failed comes again after a while."""

import queue
import time
from collections.abc import Iterator


class Agenda:
    """Ids of tasks, in the order in which they were added. Iterating waits for the next one, until the end."""

    def __init__(self, retry_s: float) -> None:
        """*retry_s*: pause before what failed is looked at again, in seconds."""
        self._retry_s = retry_s
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._failed: set[str] = set()
        self._due = 0.0

    def add(self, task_id: str) -> None:
        """Have a task looked at. For any thread; it doesn't wait."""
        self._waiting.put(task_id)

    def add_again(self, task_id: str) -> None:
        """Have a task that failed looked at again after the pause. For the thread that iterates."""
        if not self._failed:
            self._due = time.monotonic() + self._retry_s
        self._failed.add(task_id)

    def end(self) -> None:
        """End the iteration after what was added before."""
        self._waiting.put(None)

    def __iter__(self) -> Iterator[str]:
        while True:
            pause_s = max(0.0, self._due - time.monotonic()) if self._failed else None
            try:
                task_id = self._waiting.get(timeout=pause_s)
            except queue.Empty:
                for failed in sorted(self._failed):
                    self._waiting.put(failed)
                self._failed.clear()
                continue
            if task_id is None:
                return
            yield task_id
