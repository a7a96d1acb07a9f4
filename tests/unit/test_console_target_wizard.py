"""The wizard of a source's target: a form whose hidden fields carry everything, judged step by step."""

import re
from html import unescape
from pathlib import Path

import httpx
import pytest

from tests.unit.console_visitor import reader, run, signed_in
from tests.unit.server_harness import Harness, created, registration
from wherry.console import target_wish
from wherry.console.forms import Answers
from wherry.contract.errors import ApiError

FIELD = re.compile(r"<(input|textarea|select)\b([^>]*)>(.*?)(?=<input|<textarea|<select|<button|</form)", re.DOTALL)
HOSTILE = '"><script>alert(1)</script>'


def fields(page: str) -> dict[str, list[str]]:
    """Return what a browser would send of the wizard's form, without its buttons."""
    form = page.partition('<form class="panel wizard"')[2].partition("</form>")[0] + "</form"
    found: dict[str, list[str]] = {}
    for kind, attributes, inside in FIELD.findall(form):
        name = re.search(r'name="([^"]*)"', attributes)
        value = re.search(r'value="([^"]*)"', attributes)
        if name is None:
            continue
        if kind == "select":
            options = re.findall(r'<option value="([^"]*)"( selected)?', inside)
            chosen = next((option for option, selected in options if selected), options[0][0] if options else "")
        elif kind == "textarea":
            chosen = inside.partition("</textarea>")[0]
        elif re.search(r'type="(radio|checkbox)"', attributes) and " checked" not in attributes:
            continue
        else:
            chosen = value[1] if value else ""
        found.setdefault(name[1], []).append(unescape(chosen))
    return found


async def send(visitor: httpx.AsyncClient, source: str, page: str, go: str, **changes: str) -> httpx.Response:
    """Fill a step in and press one of its buttons."""
    sent = {**fields(page), **{name: [value] for name, value in changes.items()}, "go": [go]}
    return await visitor.post(f"/console/sources/{source}/target", data=sent)


async def some_source(plane: Harness) -> str:
    return await created(await plane.admin(), "/v3/sources", registration("web 1", cpu_quantity=4, memory=2048))


def test_it_goes_through_all_steps_to_a_task_that_runs(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        source, admin, visitor = await some_source(plane), await plane.admin(), await signed_in(plane)
        page = (await visitor.get(f"/console/sources/{source}/target")).text
        assert fields(page)["name"] == ["move-web-1"]
        page = (await send(visitor, source, page, "next", target_name=HOSTILE)).text
        assert HOSTILE not in page
        assert fields(page)["vcpus"] == ["4"], "recommended as the source is"
        page = (await send(visitor, source, page, "next", vcpus="3", network="keep")).text
        page = (await send(visitor, source, page, "row", check_name="web", check_command="true")).text
        assert fields(page)["check_name"] == ["web", "", ""]
        page = (await visitor.post(f"/console/sources/{source}/target", data={**fields(page), "go": "next"})).text
        page = (
            await send(visitor, source, page, "next", speed_limit="50", period_start="8:00", period_end="18:00")
        ).text
        assert "8:00–18:00" in page
        answer = await send(visitor, source, page, "finish", start="yes")
        assert answer.status_code == 303, answer.text
        task_id = answer.headers["location"].removeprefix("/console/tasks/").partition("?")[0]
        shown = (await admin.get(f"/v3/tasks/{task_id}")).json()
        assert (shown["state"], shown["name"], shown["speed_limit"]) == ("RUNNING", "move-web-1", 50)
        assert shown["target_server"]["name"] == HOSTILE
        assert (shown["syncing"], shown["start_target_server"], shown["need_migration_test"]) == (True, True, False)
        machine = (await admin.get(f"/wherry/v1/tasks/{task_id}/target-machine")).json()
        assert (machine["vcpus"], machine["memory_mb"], machine["network"]) == (3, 2048, "keep")
        rehearsal = (await admin.get(f"/wherry/v1/tasks/{task_id}/rehearsal-settings")).json()
        assert [(each["name"], each["command"]) for each in rehearsal["checks"]] == [("web", "true")]
        limits = (await admin.get(f"/v3/tasks/{task_id}/speed-limit")).json()["speed_limit"]
        assert limits == [{"start": "8:00", "end": "18:00", "speed": 0}]
        again = await visitor.get(f"/console/sources/{source}/target")
        assert again.headers["location"] == f"/console/tasks/{task_id}"

    run(tmp_path / "data", check)


def test_a_fault_is_told_at_its_field_and_nothing_entered_is_lost(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        source, visitor = await some_source(plane), await signed_in(plane)
        first = (await visitor.get(f"/console/sources/{source}/target")).text
        refused = await send(visitor, source, first, "next", name="not a name!", target_name="kept")
        assert (refused.status_code, fields(refused.text)["target_name"]) == (400, ["kept"])
        assert 'id="problem-name"' in refused.text
        assert "SMS.7711" in refused.text
        second = (await send(visitor, source, first, "next")).text
        for name, value in (("vcpus", "many"), ("memory_mb", "1"), ("macs", "xx")):
            refused = await send(visitor, source, second, "next", **{name: value})
            assert refused.status_code == 400, name
            assert f'id="problem-{name}"' in refused.text
            assert fields(refused.text)[name] == [value]
        back = await send(visitor, source, second, "back", vcpus="many")
        assert 'value="target"' in back.text, "going back isn't refused"

    run(tmp_path / "data", check)


def test_a_source_that_isnt_there_any_more_is_told_at_the_end(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        source, admin, visitor = await some_source(plane), await plane.admin(), await signed_in(plane)
        page = (await visitor.get(f"/console/sources/{source}/target")).text
        assert (await admin.put(f"/v3/sources/{source}/changestate", json={
            "copystate": "unavailable", "migrationcycle": "checking"})).status_code == 200  # fmt: skip
        refused = await send(visitor, source, page, "finish")
        assert refused.status_code == 400
        assert "SMS.6520" in refused.text

    run(tmp_path / "data", check)


def test_a_reader_is_refused(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        source, visitor = await some_source(plane), await reader(plane)
        path = f"/console/sources/{source}/target"
        assert (await visitor.get(path)).status_code == 403
        assert (await visitor.post(path, data={"go": "finish"})).status_code == 403
        assert "Choose the target" not in (await visitor.get(f"/console/sources/{source}")).text
        assert "Choose the target" in (await (await signed_in(plane)).get(f"/console/sources/{source}")).text

    run(tmp_path / "data", check)


@pytest.mark.parametrize(
    ("start", "end", "speed", "field"),
    [
        ("8", "18:00", "1", "period_start"),
        ("8:00", "25:00", "1", "period_end"),
        ("8:00", "8:00", "1", "period_end"),
        ("8:00", "18:00", "1001", "period_speed"),
        ("8:00", "18:00", "fast", "period_speed"),
    ],
)
def test_periods_are_judged(start: str, end: str, speed: str, field: str) -> None:
    answers = Answers({"period_start": [start], "period_end": [end], "period_speed": [speed]})
    with pytest.raises(ApiError) as refused:
        target_wish.periods_of(answers)
    assert target_wish.field_of(refused.value) == field


def test_an_agent_takes_five_periods() -> None:
    def entered(count: int) -> Answers:
        return Answers({"period_start": ["8:00"] * count, "period_end": ["9:00"] * count, "period_speed": []})

    assert len(target_wish.periods_of(entered(5)).speed_limit) == 5
    with pytest.raises(ApiError):
        target_wish.periods_of(entered(6))
