"""Whether the channels can have missed a write. Pure rules over what was counted.

The kernel counts the sectors that it writes to a disk, whoever watches. A channel that saw exactly as many since its
baseline missed none; one that saw fewer did. The kernel's ring buffer counts by itself what it had to drop.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum


class Reason(StrEnum):
    """Why a disk's marks can't be trusted. The value is a sentence for the operator."""

    NONE = ""
    BEGINNING = "tracking of the disk begins only now"
    REBOOTED = "the server was started anew since"
    DISK_CHANGED = "the disk was exchanged or has another size since"
    LOST_WHILE_DOWN = "changes were lost while the agent was down"
    DROPPED = "the kernel's ring buffer overflowed and dropped events"
    MISSING = "the disk's statistics show more written sectors than the tracing did"
    SURPLUS = "the tracing showed more written sectors than the disk's statistics do"
    NO_STATISTICS = "the kernel keeps no statistics of the disk (queue/iostats is 0), so that nothing can be checked"
    NO_BASELINE = "the disk was never quiet enough to compare the tracing with its statistics"
    BUSY = "the disk isn't quiet although it should be"
    BEYOND_END = "something was written behind the end of the disk as it was: it has grown"
    DISCARD_RANGES = "a discard of several ranges hides what it discarded"
    PASSTHROUGH = "a command wrote to the disk past the block layer (SG_IO)"
    UNTRACKABLE = "the disk can't be tracked"
    CHANNEL_FAILED = "the tracing can't be read any more"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one channel saw of one disk since its baseline."""

    missing: int | None
    """Sectors that the statistics have and the channel hasn't, negative the other way round; None when no moment was
    quiet enough to compare, and nothing speaks against the channel."""
    dropped: int = 0
    """Events that the kernel says it dropped."""
    scattered: int = 0
    """Discards that may have had several ranges."""
    beyond: int = 0
    """Requests behind the end of the disk."""
    passthrough: int = 0
    """Commands that carried data to the disk past the block layer."""
    failure: str = ""
    """Why the channel or the statistics couldn't be read."""
    has_baseline: bool = True

    @property
    def is_complete(self) -> bool:
        """Whether nothing says that the channel missed an event; what an event meant is another question."""
        return _fault(replace(self, scattered=0)) is Reason.NONE


@dataclass(frozen=True, slots=True)
class Trust:
    """The verdict on one disk."""

    trusted: bool
    reason: Reason
    exact: bool
    """Whether the sectors were compared and agree, or it's only that nothing speaks against it."""
    detail: str = field(default="", compare=False)
    """Figures or words that belong to the reason."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What else the verdict depends on."""

    statistics: bool
    """Whether the kernel keeps statistics of the disk."""
    restarted: bool = False
    """Whether nobody drained the ring for a part of the time, since the agent was down."""
    quiet: bool = False
    """Whether the disk should be quiet now: its filesystems are frozen."""


TRUSTED = Trust(trusted=True, reason=Reason.NONE, exact=True)


def decide(situation: Situation, ftrace: Evidence | None, ebpf: Evidence | None) -> Trust:
    """Judge the time since the channels' baselines. At least one channel has to be there.

    The drained ring decides. The marks of eBPF stand in for it where there is no ring, and for the time in which
    nobody drained it.
    """
    if not situation.statistics:
        return _distrust(Reason.NO_STATISTICS)
    main = ebpf if ftrace is None else ftrace
    if main is None:
        raise ValueError("a verdict without a channel")
    verdict = _judge(main, situation)
    if verdict.trusted and ebpf is not None and ebpf.passthrough:
        return _distrust(Reason.PASSTHROUGH)
    vouches = ebpf is not None and _judge(ebpf, situation) == TRUSTED
    if verdict.reason is Reason.DISCARD_RANGES and vouches:
        # eBPF sees whether a discard really had several ranges; the ring only that it could have.
        return _judge(replace(main, scattered=0), situation)
    if not verdict.trusted and situation.restarted and ftrace is not None:
        return TRUSTED if vouches else _distrust(Reason.LOST_WHILE_DOWN)
    return verdict


def _judge(evidence: Evidence, situation: Situation) -> Trust:
    reason = _fault(evidence)
    if reason is Reason.NONE and evidence.missing is None and situation.quiet:
        reason = Reason.BUSY
    exact = reason is Reason.NONE and evidence.missing == 0
    return Trust(trusted=reason is Reason.NONE, reason=reason, exact=exact, detail=_detail(reason, evidence))


def _fault(evidence: Evidence) -> Reason:
    missing = evidence.missing or 0
    faults = (
        (bool(evidence.failure), Reason.CHANNEL_FAILED),
        (not evidence.has_baseline, Reason.NO_BASELINE),
        (evidence.dropped > 0, Reason.DROPPED),
        (missing > 0, Reason.MISSING),
        (missing < 0, Reason.SURPLUS),
        (evidence.beyond > 0, Reason.BEYOND_END),
        (evidence.passthrough > 0, Reason.PASSTHROUGH),
        (evidence.scattered > 0, Reason.DISCARD_RANGES),
    )
    return next((reason for is_so, reason in faults if is_so), Reason.NONE)


def _detail(reason: Reason, evidence: Evidence) -> str:
    match reason:
        case Reason.MISSING | Reason.SURPLUS:
            return f"{abs(evidence.missing or 0)} sectors"
        case Reason.DROPPED:
            return f"{evidence.dropped} events"
        case Reason.CHANNEL_FAILED:
            return evidence.failure
        case _:
            return ""


def _distrust(reason: Reason) -> Trust:
    return Trust(trusted=False, reason=reason, exact=False)
