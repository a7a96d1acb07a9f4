"""When the demonstration kills which service."""

import pytest

from demo.chaos import LEAST_SENT, what_is_due
from demo.migration import Snapshot
from wherry.contract.enumerations import ReplicationPhase
from wherry.contract.wherry import PassFigures, ReplicationFigures


def snapshot(number: int, *, share: float, sent: int = LEAST_SENT, phase: str = "copying") -> Snapshot:
    """Return figures of pass *number*, of which *share* is read and *sent* is sent; earlier passes are committed."""
    passes = [PassFigures(number=done, sent_bytes=100) for done in range(number)]
    figures = ReplicationFigures(
        phase=ReplicationPhase(phase),
        pass_number=number,
        used_bytes=1000,
        remaining_bytes=round(1000 * (1 - share)),
        sent_bytes=100 * number + sent,
        passes=passes,
    )
    return Snapshot("RUNNING", "replicate", figures)


@pytest.mark.parametrize(
    ("moment", "kills", "burst_ordered", "due"),
    [
        (snapshot(0, share=0.1), 0, False, ""),
        (snapshot(0, share=0.3), 0, False, "agent"),
        (snapshot(0, share=0.3, sent=0), 0, False, ""),
        (snapshot(0, share=0.3), 1, False, ""),
        (snapshot(0, share=0.7), 1, False, "burst"),
        (snapshot(0, share=0.9), 1, True, ""),
        (snapshot(1, share=0.1, phase="syncing"), 1, True, "receiver"),
        (snapshot(1, share=0.1, sent=0, phase="syncing"), 1, True, ""),
        (snapshot(1, share=0.9, phase="syncing"), 2, True, ""),
        (snapshot(1, share=0.9, phase="freezing"), 1, True, ""),
        # A machine that was too fast for pass 0: later is better than never, and the table tells the pass.
        (snapshot(1, share=0.1, phase="syncing"), 0, False, "agent"),
        (snapshot(1, share=0.1, phase="syncing"), 1, False, "burst"),
        (Snapshot("READY", "waiting", None), 0, False, ""),
    ],
)
def test_what_is_due(moment: Snapshot, kills: int, burst_ordered: bool, due: str) -> None:
    assert what_is_due(moment, kills=kills, burst_ordered=burst_ordered) == due


def test_nothing_is_killed_between_two_passes() -> None:
    between = ReplicationFigures(
        phase=ReplicationPhase.SYNCING,
        pass_number=1,
        used_bytes=1000,
        remaining_bytes=0,
        sent_bytes=2 * LEAST_SENT,
        passes=[PassFigures(number=0), PassFigures(number=1)],
    )
    assert what_is_due(Snapshot("SYNCING", "syncing", between), kills=1, burst_ordered=True) == ""
