"""What is concluded, when, and what isn't concluded too early."""

from dataclasses import replace

import pytest

from wherry.boot.console import Console
from wherry.boot.probe import Check, Report
from wherry.boot.target import Firmware
from wherry.boot.verdicts import (
    ASKED_BESIDE_S,
    ASKED_S,
    EMERGENCY_S,
    PROBE_S,
    SETTLE_S,
    SILENCE_S,
    Observation,
    Question,
    conclude,
)
from wherry.contract.enumerations import DiskBus, Verdict

QUESTION = Question(Firmware.BIOS, DiskBus.NVME, limit_s=1000)
CHECKED = replace(QUESTION, checks=(Check("web", "true"), Check("database", "true")))

FIRMWARE = "Booting from Hard Disk...\n"
PANIC = "Kernel panic - not syncing: Attempted to kill init!\n"
NO_ROOT = "ALERT!  UUID=3f2a does not exist.  Dropping to a shell!\n"
EMERGENCY = "Timed out waiting for device /dev/disk/by-uuid/3f2a.\nYou are in emergency mode\n"
LOGIN = "\nsource login: "
KERNEL, SYSTEMD = "Linux version 6.1\n", "Linux version 6.1\nsystemd[1]: systemd 252 running\n"
ASKED = "Please unlock disk cryptroot:"


def seen(
    console: str = "",
    report: Report | None = None,
    *,
    elapsed_s: float = 100,
    since_trouble_s: float = 0,
    since_stage_s: float = 0,
    silent_s: float = 0,
    standing: str = "",
    asked: str = "",
    refused: bool = False,
    since_asked_s: float = 0,
) -> Observation:
    read = Console()
    read.feed(console)
    return Observation(
        read,
        report or Report(),
        elapsed_s,
        since_trouble_s,
        since_stage_s,
        silent_s,
        standing,
        asked=asked,
        refused=refused,
        since_asked_s=since_asked_s,
    )


def up(*failed: str, results: dict[int, tuple[int, str]] | None = None) -> Report:
    return Report("multi-user", failed_units=failed, results=results or {}, ended=True)


def code(question: Question, observation: Observation) -> str | None:
    """The code of the reason, "" for a pass, None while nothing is concluded."""
    conclusion = conclude(question, observation)
    if conclusion is None:
        return None
    assert (conclusion.reason is None) == (conclusion.verdict is Verdict.PASSED)
    return "" if conclusion.reason is None else conclusion.reason.code


@pytest.mark.parametrize(
    ("observation", "expected"),
    [
        (seen(), None),
        (seen(FIRMWARE, silent_s=SILENCE_S - 1), None),
        (seen(FIRMWARE, silent_s=SILENCE_S), "WHERRY.6210"),
        (seen(FIRMWARE + "Welcome to GRUB!\n", silent_s=SILENCE_S), None),
        (seen(PANIC, since_trouble_s=SETTLE_S - 1), None),
        (seen(PANIC, since_trouble_s=SETTLE_S), "WHERRY.6214"),
        (seen(PANIC, standing="shutdown"), "WHERRY.6214"),
        (seen(NO_ROOT + "(initramfs) ", since_trouble_s=SETTLE_S), "WHERRY.6212"),
        (seen("(initramfs) ", since_trouble_s=SETTLE_S), "WHERRY.6213"),
        (seen("grub rescue> ", since_trouble_s=SETTLE_S), "WHERRY.6211"),
        (seen("No bootable device.\n", since_trouble_s=SETTLE_S), "WHERRY.6210"),
        (seen(EMERGENCY, since_trouble_s=EMERGENCY_S - 1), None),
        (seen(EMERGENCY, since_trouble_s=EMERGENCY_S), "WHERRY.6215"),
        (seen(EMERGENCY, Report("emergency", ended=True)), "WHERRY.6215"),
        (seen("", Report("emergency", errors="mount: no such device", ended=True)), "WHERRY.6215"),
        (seen(FIRMWARE, standing="gone"), "WHERRY.6216"),
        (seen(LOGIN, since_stage_s=PROBE_S - 1), None),
        (seen(LOGIN, since_stage_s=PROBE_S), "WHERRY.6220"),
        (seen(LOGIN, Report("multi-user"), since_stage_s=PROBE_S), None),
        (seen(elapsed_s=999), None),
        (seen(elapsed_s=1000), "WHERRY.6217"),
        (seen(LOGIN, up("a.service")), ""),
        (seen(KERNEL, asked=ASKED, since_asked_s=ASKED_S - 1), None),
        (seen(KERNEL, asked=ASKED, since_asked_s=ASKED_S), "WHERRY.6222"),
        (seen(KERNEL, asked=ASKED, since_asked_s=ASKED_S, refused=True), "WHERRY.6223"),
        (seen(KERNEL, asked="", since_asked_s=ASKED_S), None),
        (seen(SYSTEMD, asked=ASKED, since_asked_s=ASKED_BESIDE_S - 1), None),
        (seen(SYSTEMD, asked=ASKED, since_asked_s=ASKED_BESIDE_S), "WHERRY.6222"),
        (seen(SYSTEMD, up(), asked=ASKED, since_asked_s=ASKED_BESIDE_S), ""),
    ],
)
def test_each_observation_has_its_conclusion(observation: Observation, expected: str | None) -> None:
    assert code(QUESTION, observation) == expected


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ({0: (0, ""), 1: (0, "")}, ""),
        ({0: (0, ""), 1: (2, "down")}, "WHERRY.6218"),
        ({0: (0, "")}, "WHERRY.6218"),
    ],
)
def test_every_check_has_to_pass(results: dict[int, tuple[int, str]], expected: str) -> None:
    assert code(CHECKED, seen(report=up(results=results))) == expected


def test_the_checks_that_failed_are_named() -> None:
    conclusion = conclude(CHECKED, seen(report=up(results={1: (2, "down")})))
    assert conclusion is not None
    assert "web wasn't run, database ended with status 2" in str(conclusion.reason)


@pytest.mark.parametrize(("before", "expected"), [({"a.service"}, ""), (set(), "WHERRY.6219"), (None, "")])
def test_only_units_that_had_not_failed_before_count(before: set[str] | None, expected: str) -> None:
    question = replace(QUESTION, failing_before=None if before is None else frozenset(before))
    assert code(question, seen(report=up("a.service"))) == expected


def test_nothing_seen_in_time_is_no_failure() -> None:
    for observation in (seen(elapsed_s=1000), seen(LOGIN, since_stage_s=PROBE_S)):
        conclusion = conclude(QUESTION, observation)
        assert conclusion is not None
        assert conclusion.verdict is Verdict.INCONCLUSIVE


def test_emergency_names_what_was_missing() -> None:
    conclusion = conclude(QUESTION, seen(EMERGENCY, since_trouble_s=EMERGENCY_S))
    assert conclusion is not None
    assert "/dev/disk/by-uuid/3f2a" in str(conclusion.reason)


def test_a_stuck_boot_loader_gives_its_own_reason() -> None:
    words = "error: file `/boot/grub/i386-pc/normal.mod' not found.\nEntering rescue mode...\ngrub rescue> "
    conclusion = conclude(QUESTION, seen(words, since_trouble_s=SETTLE_S))
    assert conclusion is not None
    assert "normal.mod" in str(conclusion.reason)
