"""When services are killed: the agent in the middle of pass 0, the receiver in the middle of a later pass.

The moments are chosen by the figures that the agent reports, never by a clock, so that they come on any machine.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from demo.migration import Snapshot
from demo.services import Service

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


@dataclass(slots=True)
class Chaos:
    """Kills the agent once and the receiver once. Call `look` with every snapshot."""

    agent: Service
    receiver: Service
    order_burst: Callable[[], None]
    kills: list[Kill] = field(default_factory=list)
    burst_ordered: bool = False

    def look(self, snapshot: Snapshot) -> Kill | None:
        """Do what is due at *snapshot*; return the kill, when it was one."""
        due = what_is_due(snapshot, kills=len(self.kills), burst_ordered=self.burst_ordered)
        if due == "burst":
            self.order_burst()
            self.burst_ordered = True
            return None
        if due == "":
            return None
        service = self.agent if due == "agent" else self.receiver
        number = snapshot.figures.pass_number if snapshot.figures else 0
        service.kill_and_restart()
        kill = Kill(service.name, number, snapshot.sent_in_pass)
        self.kills.append(kill)
        return kill

    @property
    def over(self) -> bool:
        """Tell whether all that was planned has happened."""
        return len(self.kills) == 2


def share_of_pass(snapshot: Snapshot) -> float:
    """Return the share of the running pass that is read, 0 to 1."""
    figures = snapshot.figures
    if figures is None or figures.remaining_bytes is None or figures.used_bytes == 0:
        return 0.0
    return 1 - figures.remaining_bytes / figures.used_bytes


def what_is_due(snapshot: Snapshot, *, kills: int, burst_ordered: bool) -> str:
    """Return what is due at *snapshot*: "agent", "receiver" (to be killed), "burst" or nothing ("")."""
    figures = snapshot.figures
    if figures is None or figures.phase not in {"copying", "syncing"} or snapshot.sent_in_pass < LEAST_SENT:
        return ""
    later = figures.pass_number > 0
    if kills == 0:
        return "agent" if later or share_of_pass(snapshot) >= AGENT_SHARE else ""
    if kills == 1 and not burst_ordered:
        return "burst" if later or share_of_pass(snapshot) >= BURST_SHARE else ""
    if kills == 1 and later and figures.pass_number > figures.passes[-1].number:
        return "receiver"
    return ""
