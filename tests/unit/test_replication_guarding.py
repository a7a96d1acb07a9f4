"""The guard of the source's own writes: the controller against a simulated disk, and the reader of the statistics."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.replication.guarding import LatencyControl, LatencyGuard, WriteTimes, mean_ms, read_write_times


class Disk:
    """A disk whose writes take longer the more is read: *quiet_ms*, and *per_mbit* ms for each Mbit/s."""

    def __init__(self, quiet_ms: float, per_mbit: float, fastest_mbit: float) -> None:
        self.quiet_ms, self.per_mbit, self.fastest_mbit = quiet_ms, per_mbit, fastest_mbit

    def run(self, control: LatencyControl, looks: int, *, reading: bool = True) -> list[float]:
        """Read as fast as the control allows; return what writes took at each look."""
        taken = []
        for _ in range(looks):
            read = min(control.rate_mbit or self.fastest_mbit, self.fastest_mbit) if reading else 0.0
            taken.append(self.quiet_ms + self.per_mbit * read)
            control.decide(taken[-1], read)
        return taken


@given(st.floats(0.1, 20), st.floats(0.001, 0.2), st.floats(500, 20_000), st.floats(1, 50))
def test_writes_are_kept_near_the_limit_and_reading_goes_on(
    quiet_ms: float, per_mbit: float, fastest_mbit: float, limit_ms: float
) -> None:
    disk, control = Disk(quiet_ms, per_mbit, fastest_mbit), LatencyControl(limit_ms)
    disk.run(control, 4, reading=False)
    assert control.rate_mbit == 0
    disk.run(control, 40)
    taken = disk.run(control, 80)
    added = [each - quiet_ms for each in taken]
    least = 8.0 * per_mbit
    assert sorted(added)[len(added) // 2] <= max(limit_ms, least) * 1.001
    if fastest_mbit * per_mbit <= limit_ms:
        assert control.rate_mbit == 0, "a disk that bears it isn't held back"
    else:
        # Not slower than needed: the rate in the mean is worth a good part of the allowed latency.
        assert sum(added) / len(added) >= 0.4 * min(limit_ms, fastest_mbit * per_mbit)


def test_without_writes_nothing_is_held_back_for_ever() -> None:
    control = LatencyControl(5)
    control.decide(1.0, 0)
    assert control.decide(100.0, 1000) > 0
    for _ in range(40):
        control.decide(None, 1000)
    assert control.rate_mbit == 0


@given(st.lists(st.tuples(st.none() | st.floats(0, 1e5), st.floats(0, 1e5)), max_size=60), st.floats(0.1, 100))
def test_the_rate_is_never_negative_nor_a_standstill(looks: list[tuple[float | None, float]], limit_ms: float) -> None:
    control = LatencyControl(limit_ms)
    for write_ms, read_mbit in looks:
        rate = control.decide(write_ms, read_mbit)
        assert rate == 0 or rate >= 8


def stat(folder: Path, writes: int, milliseconds: int) -> None:
    (folder / "vda").mkdir(exist_ok=True)
    (folder / "vda" / "stat").write_text(f"  1 2 3 4 {writes} 6 7 {milliseconds} 0 1 2 3 4 5 6 7 8\n")


def test_the_statistics_are_read_as_the_kernel_writes_them(tmp_path: Path) -> None:
    stat(tmp_path, 500, 2500)
    assert read_write_times("vda", tmp_path) == WriteTimes(500, 2500)
    assert read_write_times("vdb", tmp_path) is None
    (tmp_path / "vda" / "stat").write_text("1 2\n")
    assert read_write_times("vda", tmp_path) is None


def test_a_mean_needs_some_writes() -> None:
    assert mean_ms(WriteTimes(10, 100), WriteTimes(20, 150)) == 5
    assert mean_ms(WriteTimes(10, 100), WriteTimes(12, 150)) is None
    assert mean_ms(None, WriteTimes(12, 150)) is None
    assert mean_ms(WriteTimes(10, 100), None) is None


def test_the_kernel_of_this_machine_has_such_statistics() -> None:
    known = [each for each in Path("/sys/block").iterdir() if read_write_times(each.name) is not None]
    if not known:
        pytest.skip("no block device here")
    assert all(read_write_times(each.name) is not None for each in known)


def test_the_guard_holds_back_when_writes_take_longer_and_lets_go_again(tmp_path: Path) -> None:
    moment = [0.0]
    stat(tmp_path, 0, 0)
    guard = LatencyGuard(["vda", "gone"], 4, sys_block=tmp_path, clock=lambda: moment[0])
    writes = milliseconds = read = 0

    def after(write_ms: float, read_bytes: int) -> None:
        nonlocal writes, milliseconds, read
        moment[0] += 0.3
        writes, milliseconds, read = writes + 100, milliseconds + round(100 * write_ms), read + read_bytes
        stat(tmp_path, writes, milliseconds)
        guard.look(read)

    after(2, 0)
    after(3, 100 << 20)
    assert guard.pace.rate_mbit == 0
    after(30, 100 << 20)
    assert guard.is_slowing
    assert 0 < guard.pace.rate_mbit < (100 << 20) * 8 / 1e6 / 0.3
    for _ in range(40):
        after(random.Random(1).uniform(2, 3), 90 << 20)
    assert guard.pace.rate_mbit == 0
