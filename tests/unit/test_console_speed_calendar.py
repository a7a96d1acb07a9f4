"""The picture of the day, and the forms that change a task's settings."""

from datetime import time
from pathlib import Path

import pytest

from tests.unit.console_visitor import reader, run, signed_in
from tests.unit.server_harness import Harness, created, registration, task
from wherry.console.speed_calendar import DAY_MIN, Span, clock, day_of
from wherry.contract.speed import SpeedPeriod
from wherry.replication.pacing import rate_at, schedule


def period(start: str, end: str, speed: int) -> SpeedPeriod:
    return SpeedPeriod(start=start, end=end, speed=speed)


def test_a_day_without_periods_is_one_span() -> None:
    assert day_of((), 7) == [Span(0, DAY_MIN, 7)]
    assert day_of((period("soon", "later", 5), period("8:61", "9:00", 5)), 0) == [Span(0, DAY_MIN, 0)]


@pytest.mark.parametrize(
    "periods",
    [
        [period("8:00", "18:00", 100)],
        [period("22:30", "6:15", 10)],
        [period("22:00", "0:00", 10), period("0:00", "24:00", 30)],
        [period("9:00", "12:00", 5), period("8:00", "18:00", 50), period("24:00", "1:00", 2)],
    ],
)
def test_the_picture_says_what_an_agent_does(periods: list[SpeedPeriod]) -> None:
    windows = schedule([(each.start, each.end, float(each.speed or 0)) for each in periods])
    day = day_of(periods, 40)
    assert (day[0].start, day[-1].end) == (0, DAY_MIN)
    assert sum(span.length for span in day) == DAY_MIN
    for minute in range(DAY_MIN):
        drawn = next(span.speed for span in day if span.start <= minute < span.end)
        assert drawn == rate_at(windows, time(minute // 60, minute % 60), 40), clock(minute)


def test_limits_and_checks_are_changed_by_forms(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        admin, visitor = await plane.admin(), await signed_in(plane)
        made = await created(admin, "/v3/tasks", task(await created(admin, "/v3/sources", registration("alpha"))))
        path = f"/console/tasks/{made}"
        sent = {"period_start": ["8:00", ""], "period_end": ["18:00", ""], "period_speed": ["100", ""], "go": ["save"]}
        answer = await visitor.post(f"{path}/speed", data=sent)
        assert answer.headers["location"] == f"{path}?notice=saved"
        page = (await visitor.get(path)).text
        assert "8:00–18:00 <strong>100 Mbit/s" in page
        assert 'value="8:00"' in (await visitor.get(f"{path}/speed")).text
        refused = await visitor.post(f"{path}/speed", data={**sent, "period_end": ["late", ""]})
        assert (refused.status_code, 'id="problem-period_end"' in refused.text) == (400, True)
        checks = {"limit_s": "99", "check_name": "web", "check_command": "true", "check_timeout": "", "go": "save"}
        assert (await visitor.post(f"{path}/checks", data=checks)).status_code == 303
        kept = (await admin.get(f"/wherry/v1/tasks/{made}/rehearsal-settings")).json()
        assert (kept["limit_s"], kept["checks"][0]["timeout_s"]) == (99, 60)
        limited = await reader(plane)
        assert f"{path}/speed" not in (await limited.get(path)).text
        for name in ("speed", "checks"):
            assert (await limited.get(f"{path}/{name}")).status_code == 403
            assert (await limited.post(f"{path}/{name}", data={})).status_code == 403

    run(tmp_path / "data", check)
