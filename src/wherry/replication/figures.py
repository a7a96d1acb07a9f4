"""The figures of a pass, as observers and reports see them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class PassFigures:
    """How far a pass is. Bytes of disk unless said otherwise.

    used_bytes: what the pass looks at. read_bytes: what it has read of that. changed_bytes: what differed.
    sent_bytes: payload after compression. wire_bytes: payload and headers, without what TLS adds.
    resent_bytes: of the data sent, what had been sent in this pass before, by an earlier session.
    durable_bytes: payload that the receiver has confirmed. remaining_bytes: not yet read.
    rate_mbit: wire rate since the figures before, in Mbit/s; of the whole pass in its last figures.
    seconds: since this run of the pass began.
    bottleneck: what held it up last, see `wherry.replication.stages.Bottleneck`; "" while that isn't known.
    patched_bytes: of the changed ones, those of blocks that were sent without the rest of their granules.
    unfit_bytes: of granules that were patched in vain, and sent as a whole after that.
    """

    number: int
    used_bytes: int
    read_bytes: int
    changed_bytes: int
    sent_bytes: int
    wire_bytes: int
    resent_bytes: int
    durable_bytes: int
    remaining_bytes: int
    rate_mbit: float
    seconds: float
    bottleneck: str = ""
    patched_bytes: int = 0
    unfit_bytes: int = 0

    def followed_by(self, other: "PassFigures") -> "PassFigures":
        """Return the figures of this run and *other* together, which sent once more what had been sent in vain."""
        return replace(
            self,
            changed_bytes=self.changed_bytes + other.changed_bytes,
            sent_bytes=self.sent_bytes + other.sent_bytes,
            wire_bytes=self.wire_bytes + other.wire_bytes,
            resent_bytes=self.resent_bytes + other.resent_bytes,
            durable_bytes=self.durable_bytes + other.durable_bytes,
            seconds=self.seconds + other.seconds,
            unfit_bytes=self.unfit_bytes + other.used_bytes,
        )


Observer = Callable[[PassFigures], None]


@dataclass(frozen=True, slots=True)
class PassReport:
    """How a pass ended. *complete* is False when the stop event ended it; then it can't be committed.

    covered: for each disk the runs (first granule, count) that the pass looked at.
    """

    complete: bool
    figures: PassFigures
    covered: Mapping[int, Sequence[tuple[int, int]]]
