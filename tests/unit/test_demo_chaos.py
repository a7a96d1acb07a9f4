"""When the demonstration kills which service."""

import pytest

from demo.chaos import LEAST_SENT, Kill, what_is_due
from demo.migration import Snapshot
from wherry.contract.enumerations import ReplicationPhase
from wherry.contract.wherry import PassFigures, ReplicationFigures

AGENT_KILLED = [Kill("agent", 0, 5 << 20, read=300)]
BOTH_KILLED = [*AGENT_KILLED, Kill("receiver", 1, 5 << 20, read=900)]


def snapshot(
    number: int, *, share: float, sent: int = LEAST_SENT, phase: str = "copying", read: int = 1000
) -> Snapshot:
    """Return figures of pass *number*, of which *share* is read and *sent* is sent; earlier passes are committed."""
    passes = [PassFigures(number=done, sent_bytes=100) for done in range(number)]
    figures = ReplicationFigures(
        phase=ReplicationPhase(phase),
        pass_number=number,
        used_bytes=1000,
        read_bytes=read,
        remaining_bytes=round(1000 * (1 - share)),
        sent_bytes=100 * number + sent,
        passes=passes,
    )
    return Snapshot("RUNNING", "replicate", figures)


@pytest.mark.parametrize(
    ("moment", "kills", "burst_pass", "due"),
    [
        (snapshot(0, share=0.1), [], None, ""),
        (snapshot(0, share=0.3), [], None, "agent"),
        (snapshot(0, share=0.3, sent=0), [], None, ""),
        (snapshot(0, share=0.3), AGENT_KILLED, None, ""),
        (snapshot(0, share=0.7), AGENT_KILLED, None, "burst"),
        # What the dead agent reported last doesn't count: a burst now would land in pass 0.
        (snapshot(0, share=0.7, read=300), AGENT_KILLED, None, ""),
        (snapshot(0, share=0.9), AGENT_KILLED, 0, ""),
        (snapshot(1, share=0.1, phase="syncing"), AGENT_KILLED, 0, "receiver"),
        (snapshot(1, share=0.1, sent=0, phase="syncing"), AGENT_KILLED, 0, ""),
        (snapshot(2, share=0.1, sent=0, phase="syncing"), AGENT_KILLED, 0, "burst"),
        (snapshot(3, share=0.1, phase="syncing"), AGENT_KILLED, 2, "receiver"),
        (snapshot(1, share=0.9, phase="syncing"), BOTH_KILLED, 0, ""),
        (snapshot(1, share=0.9, phase="freezing"), AGENT_KILLED, 0, ""),
        # A machine that was too fast for pass 0: later is better than never, and the table tells the pass.
        (snapshot(1, share=0.1, phase="syncing"), [], None, "agent"),
        (snapshot(1, share=0.1, phase="syncing"), AGENT_KILLED, None, "burst"),
        (Snapshot("READY", "waiting", None), [], None, ""),
    ],
)
def test_what_is_due(moment: Snapshot, kills: list[Kill], burst_pass: int | None, due: str) -> None:
    assert what_is_due(moment, kills, burst_pass) == due


def test_nothing_is_killed_between_two_passes() -> None:
    between = ReplicationFigures(
        phase=ReplicationPhase.SYNCING,
        pass_number=1,
        used_bytes=1000,
        read_bytes=1000,
        remaining_bytes=0,
        sent_bytes=2 * LEAST_SENT,
        passes=[PassFigures(number=0), PassFigures(number=1)],
    )
    assert what_is_due(Snapshot("SYNCING", "syncing", between), AGENT_KILLED, 0) == ""
