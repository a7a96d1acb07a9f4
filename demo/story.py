"""What has happened so far in the demonstration, for the screen to show."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from demo.migration import Snapshot
from demo.writer import Tally


class Mark(StrEnum):
    """How a step stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True)
class Step:
    """One step of the demonstration."""

    title: str
    detail: str = ""
    mark: Mark = Mark.RUNNING
    seconds: float = 0.0
    began: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        """Return how long it has taken, in seconds."""
        return time.monotonic() - self.began if self.mark is Mark.RUNNING else self.seconds


@dataclass(slots=True)
class Story:
    """Steps, events and the newest figures. `changed` is called after every change."""

    steps: list[Step] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    """Unusual things, such as kills, in order."""
    snapshot: Snapshot | None = None
    tally: Tally = field(default_factory=Tally)
    changed: Callable[["Story"], None] = lambda _story: None

    def begin(self, title: str, detail: str = "") -> None:
        """End the running step well and begin the next one."""
        self._close(Mark.DONE)
        self.steps.append(Step(title, detail))
        self.changed(self)

    def tell(self, detail: str) -> None:
        """Say more about the running step."""
        self.steps[-1].detail = detail
        self.changed(self)

    def happen(self, event: str) -> None:
        """Enter something unusual."""
        self.events.append(event)
        self.changed(self)

    def observe(self, snapshot: Snapshot, tally: Tally) -> None:
        """Take in the newest figures."""
        self.snapshot, self.tally = snapshot, tally
        self.changed(self)

    def end(self, *, well: bool) -> None:
        """End the running step."""
        self._close(Mark.DONE if well else Mark.FAILED)
        self.changed(self)

    def _close(self, mark: Mark) -> None:
        if self.steps and self.steps[-1].mark is Mark.RUNNING:
            step = self.steps[-1]
            step.seconds, step.mark = step.elapsed, mark
