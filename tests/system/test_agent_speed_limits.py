"""Limits of a task that are changed while a pass runs hold within a second; and who writes too much is named."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from demo.loopdisk import MIB, LoopDisk, Plan, obstacle
from tests.system.migration_rig import Rig
from wherry.contract.speed import SpeedLimits, SpeedPeriod
from wherry.contract.wherry import ForecastFigures

PROMISED_S = 1.0
WRITER = """
import os, sys, time
with open(sys.argv[1], "r+b", buffering=0) as file:
    while True:
        for place in range(0, 24 << 20, 1 << 20):
            os.pwrite(file.fileno(), os.urandom(1 << 20), place)
            os.fsync(file.fileno())
            time.sleep(0.05)
"""


def windows(*speeds: int) -> SpeedLimits:
    """Return so many windows of the same length that cover the whole day."""
    starts = [24 * place // len(speeds) for place in range(len(speeds))]
    ends = [*starts[1:], 24]
    return SpeedLimits(
        speed_limit=[
            SpeedPeriod(start=f"{start}:00", end=f"{end}:00", speed=speed)
            for start, end, speed in zip(starts, ends, speeds, strict=True)
        ]
    )


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    image = tmp_path / "disk.img"
    image.write_bytes(os.urandom(48 * MIB))
    rig = Rig(tmp_path, image)
    try:
        rig.start()
        yield rig
    finally:
        rig.end()


def followed_at(rig: Rig, count: int) -> float:
    """Return when the agent followed new windows for the *count*-th time, in seconds since 1970."""

    def look() -> float | None:
        lines = [line for line in rig.programs["agent"].words().splitlines() if '"speed_windows"' in line]
        if len(lines) < count:
            return None
        return datetime.fromisoformat(json.loads(lines[count - 1])["timestamp"]).timestamp()

    return rig.until("the new windows", look)


def sent(rig: Rig, task_id: str) -> int:
    figures = rig.figures(task_id)
    return 0 if figures is None else figures.sent_bytes


def test_windows_that_are_set_in_the_middle_of_a_pass_hold_within_a_second(rig: Rig) -> None:
    task_id = rig.create_task(syncing=True, speed_limit=400)
    rig.plane.update_speed(task_id, windows(8, 8, 8, 8, 8))
    rig.plane.update_task_status(task_id, "start")
    # At 8 Mbit/s the pass takes most of a minute.
    rig.until("the first bytes", lambda: sent(rig, task_id) > MIB)
    figures = rig.figures(task_id)
    assert figures is not None
    assert figures.bottleneck == "limit"
    for count, speed in enumerate((16, 1000), 2):
        before = time.time()
        rig.plane.update_speed(task_id, windows(speed, speed))
        assert followed_at(rig, count) - before < PROMISED_S
    rig.until("the synchronisation", lambda: rig.state(task_id) == "SYNCING", 20)
    assert rig.plane.show_replication(task_id).passes[0].sent_bytes > 48 * MIB * 0.9


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LoopDisk]:
    with LoopDisk(tmp_path / "disk", (Plan("ext4", 96 * MIB),)) as made:
        (made.mount_points[0] / "database").write_bytes(bytes(24 * MIB))
        yield made


@pytest.fixture
def busy_rig(disk: LoopDisk, tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path, disk.device)
    try:
        rig.start()
        yield rig
    finally:
        rig.end()


def forecast(rig: Rig, task_id: str) -> ForecastFigures | None:
    figures = rig.figures(task_id)
    return None if figures is None else figures.forecast


@pytest.mark.root
@pytest.mark.skipif(bool(obstacle()), reason=obstacle())
def test_passes_that_never_get_small_are_foreseen_and_their_writer_is_named(busy_rig: Rig, disk: LoopDisk) -> None:
    task_id = busy_rig.create_task(syncing=True)
    busy_rig.plane.update_task_status(task_id, "start")
    busy_rig.until("the synchronisation", lambda: busy_rig.state(task_id) == "SYNCING")
    command = [sys.executable, "-c", WRITER, str(disk.mount_points[0] / "database")]
    with subprocess.Popen(command) as writer:
        try:
            busy_rig.plane.update_speed(task_id, windows(16))

            def hopeless() -> ForecastFigures | None:
                found = forecast(busy_rig, task_id)
                return found if found is not None and not found.converges and found.writers else None

            found = busy_rig.until("the forecast", hopeless)
            # The figures are of the whole machine: others may be at work there.
            assert writer.pid in {each.pid for each in found.writers}
            assert found.needed_mbit > 16
            assert "will_not_converge" in busy_rig.programs["agent"].words()
            busy_rig.plane.update_speed(task_id, SpeedLimits(speed_limit=[]))

            def hopeful() -> ForecastFigures | None:
                found = forecast(busy_rig, task_id)
                return found if found is not None and found.converges else None

            hope = busy_rig.until("hope", hopeful)
            assert hope.frozen_ms is not None
            assert hope.writers == []
        finally:
            writer.kill()
