"""The closing table of the demonstration: what was moved, how long it took, whether it's equal."""

from collections.abc import Sequence
from dataclasses import dataclass

from demo import amounts
from demo.chaos import Kill
from demo.verification import Verdict
from demo.writer import Tally
from wherry.contract.wherry import ReplicationFigures


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a finished run."""

    figures: ReplicationFigures
    verdict: Verdict
    tally: Tally
    kills: Sequence[Kill]
    frozen: bool
    """False where nothing could be frozen, since the source was an image file."""
    move_s: float
    """From the order to start to the success of the task."""
    wall_s: float
    """The whole demonstration, building the source and verifying it included."""

    @property
    def equal(self) -> bool:
        """Tell whether every comparison held."""
        return self.verdict.equal

    @property
    def judgement(self) -> str:
        """Say it in words."""
        return "equal: yes" if self.equal else "equal: NO"

    def rows(self) -> list[tuple[str, str]]:
        """Return names and values, in the order of the table."""
        figures = self.figures
        rows = [
            ("bytes on the disk", exact(figures.disk_bytes)),
            ("used", exact(figures.used_bytes)),
            ("read", exact(figures.read_bytes)),
            ("sent", exact(figures.sent_bytes)),
            ("sent twice", exact(figures.resent_bytes)),
            ("wall time of the move", amounts.duration(self.move_s)),
            ("wall time of the demo", amounts.duration(self.wall_s)),
            (
                "frozen",
                f"{figures.frozen_ms:.0f} ms" if self.frozen else "not frozen: an image file that nobody writes",
            ),
            ("passes", str(len(figures.passes))),
        ]
        if self.tally.operations:
            rows.append(("changes by the writer", f"{self.tally.operations:,} ({amounts.size(self.tally.written)})"))
        rows += [(f"kill -9 of the {kill.service}", kill_sentence(kill)) for kill in self.kills]
        rows.append(("compared by cmp", f"{exact(self.verdict.compared)} in {self.verdict.ranges} ranges"))
        return rows

    def remarks(self) -> list[str]:
        """Return what was checked, and what wasn't right, as lines."""
        right = [f"✔ {check}" for check in self.verdict.checks]
        return [*right, *(f"✘ {finding}" for finding in self.verdict.findings)]


def exact(count: int) -> str:
    """Return a number of bytes in full and as people read it."""
    return f"{count:,} ({amounts.size(count)})" if count >= 1024 else f"{count:,}"


def kill_sentence(kill: Kill) -> str:
    """Return when a service was killed."""
    return f"in pass {kill.pass_number}, {amounts.size(kill.sent_in_pass)} of it sent"
