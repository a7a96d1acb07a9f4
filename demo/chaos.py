"""When services are killed: the agent in the middle of pass 0, the receiver in the middle of a later pass.

The moments are chosen by the figures that the agent reports, never by a clock, so that they come on any machine.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from demo.migration import Snapshot
from demo.services import Service
from wherry.contract.wherry import ReplicationFigures

AGENT_SHARE = 0.2
"""The share of pass 0 that is sent before the agent is killed."""
BURST_SHARE = 0.5
"""The share of pass 0 after which the writer is made to write much at once: it gives pass 1 its length."""
LEAST_SENT = 1 << 20
"""Payload bytes that a pass must have sent before anything happens to it."""


@dataclass(frozen=True, slots=True)
class Kill:
    """A service that was killed, and when."""

    service: str
    pass_number: int
    sent_in_pass: int
    """Payload bytes that the pass had sent by then."""
    read: int
    """Bytes of disk that the task had read by then."""


@dataclass(slots=True)
class Chaos:
    """Kills the agent once and the receiver once. Call `look` with every snapshot."""

    agent: Service
    receiver: Service
    order_burst: Callable[[], None]
    kills: list[Kill] = field(default_factory=list)
    burst_pass: int | None = None
    """The pass in which the newest burst was ordered."""

    def look(self, snapshot: Snapshot) -> Kill | None:
        """Do what is due at *snapshot*; return the kill, when it was one."""
        figures = snapshot.figures
        due = what_is_due(snapshot, self.kills, self.burst_pass)
        if figures is None or due == "":
            return None
        if due == "burst":
            self.order_burst()
            self.burst_pass = figures.pass_number
            return None
        service = self.agent if due == "agent" else self.receiver
        service.kill_and_restart()
        kill = Kill(service.name, figures.pass_number, snapshot.sent_in_pass, figures.read_bytes)
        self.kills.append(kill)
        return kill

    @property
    def over(self) -> bool:
        """Tell whether all that was planned has happened."""
        return len(self.kills) == 2


def share_of_pass(figures: ReplicationFigures) -> float:
    """Return the share of the running pass that is read, 0 to 1."""
    if figures.remaining_bytes is None or figures.used_bytes == 0:
        return 0.0
    return 1 - figures.remaining_bytes / figures.used_bytes


def what_is_due(snapshot: Snapshot, kills: Sequence[Kill], burst_pass: int | None) -> str:
    """Return what is due at *snapshot*: "agent", "receiver" (to be killed), "burst" or nothing ("")."""
    figures = snapshot.figures
    if figures is None or figures.phase not in {"copying", "syncing"} or len(kills) == 2:
        return ""
    strikeable = snapshot.sent_in_pass >= LEAST_SENT
    later = figures.pass_number > 0
    if not kills:
        return "agent" if strikeable and (later or share_of_pass(figures) >= AGENT_SHARE) else ""
    if figures.read_bytes <= kills[0].read:
        return ""  # these are still the figures of the agent that was killed
    if burst_pass is None:
        return "burst" if later or share_of_pass(figures) >= BURST_SHARE else ""
    if figures.pass_number > burst_pass + 1:
        return "burst"  # the pass that should have been struck went by too fast; once more
    running = figures.pass_number > snapshot.newest_pass
    return "receiver" if strikeable and later and running else ""
