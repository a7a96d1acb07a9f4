"""When marks can be trusted: the rules, the comparison with the statistics, and what is read of the kernel's counts."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.disks.tracking.balance import Balance
from wherry.disks.tracking.disk import TrackedDisk
from wherry.disks.tracking.diskstats import DiskCounters, DiskStatistics, parse_inflight, parse_stat, queue_facts
from wherry.disks.tracking.ftrace import change_filter, parse_cpus, ring_size
from wherry.disks.tracking.trust import TRUSTED, Evidence, Reason, Situation, Trust, decide

NORMAL = Situation(statistics=True)
FROZEN = Situation(statistics=True, quiet=True)
RESTARTED = Situation(statistics=True, restarted=True)
GOOD = Evidence(missing=0)
UNSURE = Evidence(missing=None)
SHORT = Evidence(missing=8)


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (Evidence(missing=8), Reason.MISSING),
        (Evidence(missing=-8), Reason.SURPLUS),
        (Evidence(missing=0, dropped=1), Reason.DROPPED),
        (Evidence(missing=8, dropped=1), Reason.DROPPED),
        (Evidence(missing=None, dropped=1), Reason.DROPPED),
        (Evidence(missing=0, beyond=1), Reason.BEYOND_END),
        (Evidence(missing=0, scattered=1), Reason.DISCARD_RANGES),
        (Evidence(missing=0, passthrough=1), Reason.PASSTHROUGH),
        (Evidence(missing=0, failure="gone"), Reason.CHANNEL_FAILED),
        (Evidence(missing=None, has_baseline=False), Reason.NO_BASELINE),
    ],
)
@pytest.mark.parametrize("situation", [NORMAL, FROZEN])
def test_each_fault_has_its_reason_on_either_channel(evidence: Evidence, reason: Reason, situation: Situation) -> None:
    expected = Trust(trusted=False, reason=reason, exact=False)
    assert decide(situation, evidence, None) == expected
    assert decide(situation, None, evidence) == expected
    assert reason.value


def test_figures_belong_to_the_reason() -> None:
    assert decide(NORMAL, Evidence(missing=-8), None).detail == "8 sectors"
    assert decide(NORMAL, Evidence(missing=None, dropped=5), None).detail == "5 events"
    assert decide(NORMAL, Evidence(missing=None, failure="no such device"), None).detail == "no such device"
    assert decide(NORMAL, GOOD, None).detail == ""


def test_agreement_is_trusted_exactly() -> None:
    assert decide(NORMAL, GOOD, None) == decide(FROZEN, GOOD, None) == decide(NORMAL, None, GOOD) == TRUSTED


def test_a_busy_disk_is_trusted_but_not_exactly_and_not_when_frozen() -> None:
    assert decide(NORMAL, UNSURE, None) == Trust(trusted=True, reason=Reason.NONE, exact=False)
    assert decide(FROZEN, UNSURE, None).reason is Reason.BUSY


def test_the_ring_decides_while_it_is_drained() -> None:
    assert decide(NORMAL, GOOD, SHORT) == TRUSTED
    assert decide(NORMAL, SHORT, GOOD).reason is Reason.MISSING


def test_the_program_stands_in_for_a_time_without_draining_only() -> None:
    overflowed = Evidence(missing=8, dropped=3)
    assert decide(RESTARTED, overflowed, GOOD) == TRUSTED
    for weak in (None, SHORT, UNSURE, Evidence(missing=0, scattered=1), Evidence(missing=0, has_baseline=False)):
        assert decide(RESTARTED, overflowed, weak).reason is Reason.LOST_WHILE_DOWN
    assert decide(RESTARTED, GOOD, SHORT) == TRUSTED


def test_the_program_knows_whether_a_discard_had_several_ranges() -> None:
    perhaps = Evidence(missing=0, scattered=2)
    assert decide(NORMAL, perhaps, GOOD) == TRUSTED
    for weak in (None, SHORT, UNSURE, Evidence(missing=0, scattered=1)):
        assert decide(NORMAL, perhaps, weak).reason is Reason.DISCARD_RANGES
    assert decide(NORMAL, Evidence(missing=8, scattered=2), GOOD).reason is Reason.MISSING


def test_a_write_past_the_block_layer_is_known_to_the_program_only() -> None:
    assert decide(NORMAL, GOOD, Evidence(missing=8, passthrough=1)).reason is Reason.PASSTHROUGH


def test_without_statistics_nothing_is_trusted() -> None:
    assert decide(Situation(statistics=False), GOOD, GOOD).reason is Reason.NO_STATISTICS


def test_a_verdict_needs_a_channel() -> None:
    with pytest.raises(ValueError, match="without a channel"):
        decide(NORMAL, None, None)


evidences = st.builds(
    Evidence,
    missing=st.sampled_from([None, 0, 8, -8]),
    dropped=st.integers(0, 1),
    scattered=st.integers(0, 1),
    beyond=st.integers(0, 1),
    failure=st.sampled_from(["", "gone"]),
    has_baseline=st.booleans(),
)


@given(evidences, st.none() | evidences, st.booleans(), st.booleans())
def test_nothing_is_called_exact_that_no_channel_saw_whole(
    ring: Evidence, program: Evidence | None, restarted: bool, quiet: bool
) -> None:
    verdict = decide(Situation(statistics=True, restarted=restarted, quiet=quiet), ring, program)
    assert verdict.trusted == (verdict.reason is Reason.NONE)
    if verdict.exact:
        assert verdict.trusted
        assert ring.missing == 0 or (restarted and program is not None and program.missing == 0)
    if quiet and verdict.trusted:
        assert verdict.exact


# --- balance ---------------------------------------------------------------------------------------------------------


def test_one_look_at_the_right_offset_settles() -> None:
    balance = Balance(100)
    balance.look(100, 1.0)
    assert balance.settled
    assert balance.missing == 0


def test_an_exact_difference_counts_when_it_is_seen_again() -> None:
    balance = Balance(100)
    balance.look(108, 1.0, exact=True)
    balance.look(116, 1.0, exact=False)
    assert not balance.settled
    balance.look(108, 1.0, exact=True)
    assert (balance.missing, balance.is_rough) == (8, False)


def test_an_exact_look_is_a_baseline() -> None:
    balance = Balance(None)
    balance.look(92, 1.0)
    balance.look(100, 1.0, exact=True)
    assert (balance.offset, balance.likely) == (100, 100)


def test_what_is_likely_as_long_as_it_is_open() -> None:
    balance = Balance(100)
    assert balance.likely is None
    balance.look(92, 1.0)
    balance.look(84, 1.0)
    assert balance.likely == 92


def test_a_difference_has_to_last() -> None:
    balance = Balance(100)
    for at in (1.0, 1.001, 1.002):
        balance.look(108, at)
    assert not balance.settled, "a request may be on its way into the statistics"
    balance.look(108, 1.03)
    assert (balance.missing, balance.offset) == (8, 108)


def test_a_difference_that_passes_is_none() -> None:
    balance = Balance(100)
    for at, offset in enumerate([92, 84, 92, 100]):
        balance.look(offset, float(at))
    assert balance.missing == 0


def test_differing_differences_settle_nothing() -> None:
    balance = Balance(100)
    for at, offset in enumerate(range(101, 120)):
        balance.look(offset, float(at))
    assert not balance.settled


def test_a_baseline_is_the_highest_of_a_few() -> None:
    balance = Balance(None)
    for at, offset in enumerate([92, 100, 92, 84]):
        assert not balance.settled
        balance.look(offset, float(at))
    assert balance.offset == 100
    assert balance.missing is None, "there was nothing to compare it with"


def test_bounds_that_are_too_high_are_a_loss_even_without_a_quiet_moment() -> None:
    balance = Balance(100)
    for at, offset in enumerate([90, 100, 20]):
        balance.bound(offset, float(at))
    assert not balance.settled
    for at, offset in enumerate([130, 120, 125]):
        balance.bound(offset, 5.0 + at / 50)
    assert (balance.missing, balance.offset) == (20, 120)
    assert balance.is_rough, "it may be more"
    unknown = Balance(None)
    unknown.bound(10, 1.0)
    assert not unknown.settled


# --- the kernel's counts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" 1 2 3 4 5 6 700 8 9 10 11\n", DiskCounters(700, 0)),
        ("1 2 3 4 5 6 700 8 9 10 11 12 13 1400 15", DiskCounters(700, 1400)),
        ("1 2 3 4 5 6 700 8 9 10 11 12 13 1400 15 16 17", DiskCounters(700, 1400)),
    ],
)
def test_statistics_of_old_and_new_kernels(text: str, expected: DiskCounters) -> None:
    assert parse_stat(text) == expected
    assert parse_stat(text).changed == expected.written + expected.discarded


def test_statistics_in_another_form_are_refused() -> None:
    for text in ("", "1 2 3", "a b c d e f g h"):
        with pytest.raises(ValueError, match=r"statistics|invalid literal"):
            parse_stat(text)
    for text in ("", "1", "1 2 3", "a 2"):
        with pytest.raises(ValueError, match=r"values|unpack|invalid literal"):
            parse_inflight(text)
    assert parse_inflight("       7        3\n") == 3


def made_up_disk(sys: Path, **files: str) -> int:
    folder = sys / "dev/block/8:16"
    (folder / "queue").mkdir(parents=True)
    for name, content in files.items():
        (folder / name.replace("__", "/")).write_text(content + "\n")
    return 8 << 8 | 16


def test_the_statistics_of_a_disk_are_read_again_and_again(tmp_path: Path) -> None:
    number = made_up_disk(tmp_path, stat="1 2 3 4 5 6 700", inflight="0 2", queue__iostats="0")
    statistics = DiskStatistics(number, tmp_path)
    assert (statistics.counters().changed, statistics.writes_in_flight()) == (700, 2)
    assert not statistics.are_kept()
    (tmp_path / "dev/block/8:16/stat").write_text("1 2 3 4 5 6 708")
    assert statistics.counters().changed == 708
    statistics.close()
    with pytest.raises(FileNotFoundError):
        DiskStatistics(99, tmp_path)


def test_facts_of_a_queue(tmp_path: Path) -> None:
    number = made_up_disk(tmp_path, queue__iostats="1", queue__max_discard_segments="256", queue__zoned="none")
    facts = queue_facts(number, tmp_path)
    assert (facts.statistics, facts.discard_ranges, facts.zoned, facts.requests) == (True, 256, False, False)
    assert "no block requests" in facts.obstacle
    (tmp_path / "dev/block/8:16/mq").mkdir()
    assert queue_facts(number, tmp_path).obstacle == ""
    (tmp_path / "dev/block/8:16/queue/zoned").write_text("host-managed\n")
    assert "zoned" in queue_facts(number, tmp_path).obstacle


def test_facts_of_a_queue_of_the_old_kind(tmp_path: Path) -> None:
    number = made_up_disk(tmp_path, queue__iostats="0", queue__scheduler="noop deadline [cfq]")
    facts = queue_facts(number, tmp_path)
    assert (facts.statistics, facts.discard_ranges, facts.obstacle) == (False, 1, "")


def test_the_filter_names_the_disks_as_the_kernel_does() -> None:
    disks = [TrackedDisk(0, (259 << 8) | 3, 1), TrackedDisk(1, (8 << 8), 1)]
    assert change_filter(disks) == f'(dev == {8 << 20} || dev == {259 << 20 | 3}) && nr_sector > 0 && !(rwbs ~ "R*")'
    assert change_filter([]).startswith("(dev == 0)")


def test_rings_leave_most_of_the_memory_alone() -> None:
    for cpus, gib in itertools.product((1, 2, 16, 256), (1, 8, 512)):
        size = ring_size(cpus, gib << 30)
        assert 1 << 20 <= size <= 32 << 20
        assert size == 1 << 20 or size * cpus <= (gib << 30) // 32


def test_lists_of_cpus() -> None:
    assert parse_cpus("0\n") == [0]
    assert parse_cpus("0-3,8,10-11\n") == [0, 1, 2, 3, 8, 10, 11]
    assert parse_cpus("\n") == []
    with pytest.raises(ValueError, match="invalid literal"):
        parse_cpus("all")
