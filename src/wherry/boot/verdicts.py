"""What is concluded from what a rehearsed server shows. Pure: rules over an observation.

A rule concludes as soon as the matter is clear, so that nobody waits for a limit once the words stand on the console.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from wherry.boot.console import Console, Sign, Stage, Trouble, reasons_in
from wherry.boot.probe import Check, Report
from wherry.boot.target import Firmware
from wherry.boot.troubles import (
    BootLoaderMissing,
    BootLoaderStuck,
    ChecksFailed,
    EmergencyEntered,
    InitramfsStuck,
    KernelPanicked,
    PassphraseAwaited,
    PassphraseRefused,
    ProbeSilent,
    RehearsalTimeUp,
    RootNotFound,
    ServerWentDown,
    UnitsFailed,
)
from wherry.contract.enumerations import DiskBus, Verdict
from wherry.errors import WherryError

SETTLE_S: Final = 3.0
"""How long words may follow a sign of trouble, in seconds: the next line often says more."""
EMERGENCY_S: Final = 60.0
"""How long the probe may take to tell what emergency mode looks like from inside, in seconds."""
SILENCE_S: Final = 60.0
"""How long a boot loader may neither read a disk nor say anything, in seconds."""
PROBE_S: Final = 180.0
"""How long the probe may take to begin after the login prompt, in seconds."""


ASKED_S: Final = 15.0
"""How long a question for a passphrase may stand while nothing else has started, in seconds."""
ASKED_BESIDE_S: Final = 120.0
"""The same where the server's own init asks: it may come up without the volume."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a rehearsal."""

    firmware: Firmware
    bus: DiskBus
    checks: Sequence[Check] = ()
    failing_before: frozenset[str] | None = None
    """Units that had failed on the source too. None: units aren't judged, only told."""
    limit_s: float = 1800.0
    passphrases: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What may be typed where the server asks for a passphrase, by the name or the UUID of the volume."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What is seen of the server at one moment. Times in seconds."""

    console: Console
    report: Report
    elapsed_s: float
    since_trouble_s: float
    """Since the console showed the first sign of trouble; 0 without one."""
    since_stage_s: float
    """Since the server came to the stage where it is."""
    silent_s: float
    """For how long it has neither said anything nor read from a disk."""
    standing: str
    """QEMU's word for the machine where it runs no more; "" while it runs."""
    asked: str = ""
    """The question for a passphrase that nobody could answer."""
    refused: bool = False
    """Whether an answer was typed before, and didn't do."""
    since_asked_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Conclusion:
    """A verdict and, unless it's passed, why."""

    verdict: Verdict
    reason: WherryError | None = None


def conclude(question: Question, seen: Observation) -> Conclusion | None:
    """Return what *seen* allows to conclude, None while it's too early."""
    concluded = (rule(question, seen) for rule in (_inside, _emergency, _sign, _standing, _locked, _silence, _time))
    return next((conclusion for conclusion in concluded if conclusion is not None), None)


def _failed(reason: WherryError) -> Conclusion:
    return Conclusion(Verdict.FAILED, reason)


def _inside(question: Question, seen: Observation) -> Conclusion | None:
    report = seen.report
    if not report.ended or report.began != "multi-user":
        return None
    wrong = [
        words for number, check in enumerate(question.checks) if (words := _wrong(check, report.results.get(number)))
    ]
    if wrong:
        return _failed(ChecksFailed(words=", ".join(wrong)))
    if question.failing_before is not None:
        fresh = [unit for unit in report.failed_units if unit not in question.failing_before]
        if fresh:
            return _failed(UnitsFailed(words=", ".join(fresh)))
    return Conclusion(Verdict.PASSED)


def _wrong(check: Check, result: tuple[int, str] | None) -> str:
    """Return what is wrong with a check's result, "" for nothing."""
    if result is None:
        return f"{check.name} wasn't run"
    return f"{check.name} ended with status {result[0]}" if result[0] else ""


def _emergency(_question: Question, seen: Observation) -> Conclusion | None:
    sign = seen.console.trouble
    shown = sign is not None and sign.trouble is Trouble.EMERGENCY_MODE
    told = seen.report.began == "emergency"
    complete = told and seen.report.ended
    if complete or ((shown or told) and (seen.since_trouble_s >= EMERGENCY_S or seen.standing)):
        return _failed(EmergencyEntered(words=_emergency_words(seen)))
    return None


def _emergency_words(seen: Observation) -> str:
    """Return what systemd gave as reasons: from its journal, where lines are whole, or from the console."""
    reasons = reasons_in(seen.report.errors) or seen.console.reasons
    told = [line.strip() for line in seen.report.errors.splitlines() if line.strip()]
    return "; ".join(reasons[-4:] or told[-4:]) or "no unit gave a reason"


def _sign(question: Question, seen: Observation) -> Conclusion | None:
    sign = seen.console.trouble
    if sign is None or sign.trouble is Trouble.EMERGENCY_MODE:
        return None
    # Who stands still says nothing more.
    return (
        _failed(_reason(question, sign, seen.console.reasons))
        if seen.since_trouble_s >= SETTLE_S or seen.standing
        else None
    )


def _reason(question: Question, sign: Sign, reasons: Sequence[str]) -> WherryError:
    words = "; ".join(reasons[-2:]) or sign.words
    match sign.trouble:
        case Trouble.NO_BOOTABLE_DISK:
            return BootLoaderMissing(firmware=question.firmware, words=sign.words)
        case Trouble.BOOT_LOADER_FAILED:
            return BootLoaderStuck(words=words)
        case Trouble.ROOT_NOT_FOUND:
            return RootNotFound(bus=question.bus, words=sign.words)
        case Trouble.INITRAMFS_FAILED:
            return InitramfsStuck(words=words)
        case _:
            return KernelPanicked(words=sign.words)


def _standing(_question: Question, seen: Observation) -> Conclusion | None:
    if not seen.standing:
        return None
    return _failed(ServerWentDown(stage=seen.console.stage.word, words=f"the machine is {seen.standing}"))


def _locked(_question: Question, seen: Observation) -> Conclusion | None:
    patience_s = ASKED_S if seen.console.stage < Stage.INIT else ASKED_BESIDE_S
    if not seen.asked or seen.since_asked_s < patience_s:
        return None
    reason = PassphraseRefused(words=seen.asked) if seen.refused else PassphraseAwaited(words=seen.asked)
    return Conclusion(Verdict.INCONCLUSIVE, reason)


def _silence(question: Question, seen: Observation) -> Conclusion | None:
    if seen.console.stage is not Stage.FIRMWARE or seen.silent_s < SILENCE_S:
        return None
    words = f"the disk's boot code was started and has done nothing for {seen.silent_s:.0f} s"
    return _failed(BootLoaderMissing(firmware=question.firmware, words=words))


def _time(question: Question, seen: Observation) -> Conclusion | None:
    if seen.console.stage is Stage.LOGIN and not seen.report.began and seen.since_stage_s >= PROBE_S:
        return Conclusion(Verdict.INCONCLUSIVE, ProbeSilent())
    if seen.elapsed_s < question.limit_s:
        return None
    reason = RehearsalTimeUp(limit_s=question.limit_s, stage=seen.console.stage.word)
    return Conclusion(Verdict.INCONCLUSIVE, reason)
