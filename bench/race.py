"""How a race is run: contestants take turns on the same work, and medians and ratios come out of it.

Machines are noisy, so a round lets everybody run once before anybody runs again, and the ratios are formed within a
round; their median is what counts.
"""

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bench.loopback import wire_bytes
from bench.processes import cpu_seconds


@dataclass(frozen=True, slots=True)
class Lap:
    """One run of one contestant: wall seconds, CPU seconds of both sides together, bytes over loopback."""

    wall_s: float
    cpu_s: float
    wire: int


class Contestant(Protocol):
    """Someone who can do the work."""

    @property
    def name(self) -> str:
        """How the results call it."""

    def empty(self) -> None:
        """Take the copy away, so that everything has to be done. Unmeasured."""

    def run(self) -> None:
        """Do the work once."""

    def verify(self) -> None:
        """Raise a WherryError unless copy and source are equal. Unmeasured."""

    def end(self) -> None:
        """Leave nothing running."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a contestant reached: medians over the rounds, and its wall time as a multiple of the reference's."""

    name: str
    wall_s: float
    cpu_s: float
    wire: float
    wall_ratio: float


def timed(work: Callable[[], None]) -> Lap:
    """Run *work* and measure it, the processes that run for it included."""
    cpu_before, wire_before = cpu_seconds(os.getpid()), wire_bytes()
    start = time.perf_counter()
    work()
    wall_s = time.perf_counter() - start
    return Lap(wall_s, cpu_seconds(os.getpid()) - cpu_before, wire_bytes() - wire_before)


def race(
    contestants: Sequence[Contestant],
    *,
    rounds: int,
    before_round: Callable[[], None] = lambda: None,
    before_run: Callable[[Contestant], None] = lambda _contestant: None,
) -> dict[str, list[Lap]]:
    """Let everybody run once a round, verified; what comes before a round and a run stays unmeasured."""
    laps: dict[str, list[Lap]] = {contestant.name: [] for contestant in contestants}
    for _ in range(rounds):
        before_round()
        for contestant in contestants:
            before_run(contestant)
            os.sync()
            laps[contestant.name].append(timed(contestant.run))
            contestant.verify()
    return laps


def standings(laps: Mapping[str, Sequence[Lap]], reference: str) -> list[Standing]:
    """Return everybody's medians, with wall ratios formed against *reference* round by round."""
    rows = []
    for name, own in laps.items():
        ratios = [lap.wall_s / other.wall_s for lap, other in zip(own, laps[reference], strict=True)]
        rows.append(
            Standing(
                name,
                statistics.median(lap.wall_s for lap in own),
                statistics.median(lap.cpu_s for lap in own),
                statistics.median(lap.wire for lap in own),
                statistics.median(ratios),
            )
        )
    return rows


def as_markdown(rows: Sequence[Standing], reference: str) -> str:
    """Return the standings as a Markdown table."""
    head = f"| contestant | wall s | CPU s, both sides | wire MiB | wall, {reference} = 1 |\n|---|---|---|---|---|\n"
    return head + "".join(
        f"| {row.name} | {row.wall_s:.2f} | {row.cpu_s:.2f} | {row.wire / (1 << 20):.0f} | {row.wall_ratio:.2f} |\n"
        for row in rows
    )
