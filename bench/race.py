"""How a race is run: contestants take turns on the same work, and medians and ratios come out of it.

Machines are noisy, so a round lets everybody run once before anybody runs again, and the ratios are formed within a
round; their median is what counts.
"""

import os
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Lap:
    """One run of one contestant: wall seconds, and CPU seconds of both sides together."""

    wall_s: float
    cpu_s: float


class Contestant(Protocol):
    """Someone who can do the work. `run` does it once, ends both sides and has verified nothing; the race verifies."""

    @property
    def name(self) -> str:
        """How the results call it."""

    def run(self) -> None:
        """Do the work once."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a contestant reached: medians over the rounds, and its wall time as a multiple of the reference's."""

    name: str
    wall_s: float
    cpu_s: float
    wall_ratio: float


def timed(work: Callable[[], None]) -> Lap:
    """Run *work* and measure it, the processes that it started and waited for included."""
    cpu_before = _cpu_seconds()
    start = time.perf_counter()
    work()
    return Lap(time.perf_counter() - start, _cpu_seconds() - cpu_before)


def race(
    contestants: Sequence[Contestant],
    *,
    rounds: int,
    verify: Callable[[str], None],
    before_round: Callable[[], None] = lambda: None,
    before_run: Callable[[str], None] = lambda _name: None,
) -> dict[str, list[Lap]]:
    """Let everybody run once a round; *before_run* and *verify* are given the name and stay unmeasured."""
    laps: dict[str, list[Lap]] = {contestant.name: [] for contestant in contestants}
    for _ in range(rounds):
        before_round()
        for contestant in contestants:
            before_run(contestant.name)
            os.sync()
            laps[contestant.name].append(timed(contestant.run))
            verify(contestant.name)
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
                statistics.median(ratios),
            )
        )
    return rows


def as_markdown(rows: Sequence[Standing], reference: str) -> str:
    """Return the standings as a Markdown table."""
    head = f"| contestant | wall s | CPU s, both sides | wall, {reference} = 1 |\n|---|---|---|---|\n"
    return head + "".join(
        f"| {row.name} | {row.wall_s:.2f} | {row.cpu_s:.2f} | {row.wall_ratio:.2f} |\n" for row in rows
    )


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)
