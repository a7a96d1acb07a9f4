"""The pages of sources: the list, actions on many, the file, and one source."""

import csv
import io
import re
from pathlib import Path

import httpx

from tests.unit.console_visitor import reader, run, signed_in
from tests.unit.server_harness import Harness, created, registration, task

HOSTILE = "=<script>alert('x')</script>\" onload=\"y"
BUTTON = re.compile(r"<button[^>]*>([^<]*)</button>")
OWN_BUTTONS = {"Sign out", "Choose", "Search"}


async def sources(plane: Harness) -> list[str]:
    """Register a source whose task can be started, one without a task, and one with a name that means harm."""
    admin = await plane.admin()
    ids = [
        await created(admin, "/v3/sources", registration(name, ip=f"192.0.2.{number}"))
        for number, name in enumerate(("alpha", "beta", "gamma"), start=1)
    ]
    await created(admin, "/v3/tasks", task(ids[0]))
    assert (await admin.put(f"/v3/sources/{ids[2]}", json={"name": HOSTILE})).status_code == 200
    return ids


def buttons(page: str) -> set[str]:
    return {text.strip() for text in BUTTON.findall(page)} - OWN_BUTTONS


async def state_of(plane: Harness, source_id: str) -> str:
    answer = await (await plane.admin()).get(f"/v3/sources/{source_id}")
    return str(answer.json()["current_task"]["state"])


def test_every_page_answers_for_admin_and_reader(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        ids = await sources(plane)
        paths = ["/console/sources", "/console/sources?search=a&sort=progress&descending=true&page=2"]
        paths += [f"/console/sources/{ids[0]}{tab}" for tab in ("", "/disks", "/checks", "/network")]
        for visitor in (await signed_in(plane), await reader(plane)):
            for path in paths:
                for language in ("en", "zh-CN"):
                    answer = await visitor.get(path, headers={"accept-language": language})
                    assert answer.status_code == 200, f"{path}: {answer.text[-500:]}"
                    assert "<main" in answer.text

    run(tmp_path / "data", check)


def test_names_that_mean_harm_are_shown_as_they_are(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        ids = await sources(plane)
        visitor = await signed_in(plane)
        for path in ("/", "/console/sources", f"/console/sources/{ids[2]}"):
            page = (await visitor.get(path)).text
            assert "<script>alert" not in page
            assert 'onload="y' not in page.replace("&#34;", "'")
        assert "&lt;script&gt;alert" in (await visitor.get("/console/sources")).text
        assert "<script>alert" not in (await visitor.get("/console/sources?search=<script>alert(1)</script>")).text

    run(tmp_path / "data", check)


def test_who_may_only_read_sees_no_buttons_and_is_refused(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        ids = await sources(plane)
        admin, visitor = await signed_in(plane), await reader(plane)
        assert buttons((await admin.get("/console/sources")).text) >= {"Start", "Pause", "Delete"}
        assert buttons((await admin.get(f"/console/sources/{ids[0]}")).text) >= {"Rename", "Delete"}
        for path in ("/", "/console/sources", f"/console/sources/{ids[0]}"):
            page = (await visitor.get(path)).text
            assert buttons(page) == set(), path
            assert "data-choose" not in page
        for path, form in (
            ("/console/sources/batch", {"action": "start", "id": ids[0]}),
            ("/console/sources/batch", {"action": "delete", "id": ids[0]}),
            (f"/console/sources/{ids[0]}/rename", {"name": "mine"}),
            (f"/console/sources/{ids[0]}/delete", {}),
        ):
            refused = await visitor.post(path, data=form)
            assert refused.status_code == 403, path
            assert "SMS.9004" in refused.text
            forged = await admin.post(path, data=form, headers={"sec-fetch-site": "cross-site"})
            assert forged.status_code == 403, path
            assert "WHERRY.5513" in forged.text
        assert await state_of(plane, ids[0]) == "READY"

    run(tmp_path / "data", check)


def test_many_are_acted_on_each_by_itself(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        ids = await sources(plane)
        visitor = await signed_in(plane)
        answer = await visitor.post("/console/sources/batch", data={"action": "start", "id": [*ids, "unknown"]})
        assert answer.status_code == 200
        assert await state_of(plane, ids[0]) == "RUNNING"
        assert answer.text.count("SMS.7703") >= 2, "two have no task"
        assert "SMS.7602" in answer.text, "one doesn't exist"
        answer = await visitor.post("/console/sources/batch", data={"action": "delete", "id": ids[1:]})
        assert answer.text.count('class="dot good"') == 2
        assert (await (await plane.admin()).get("/wherry/v1/fleet")).json()["count"] == 1
        events = [entry.event for entry in await plane.audit_entries()]
        assert events.count("removeSource") == 2
        for form in ({"action": "explode", "id": ids[0]}, {"action": "start"}):
            assert (await visitor.post("/console/sources/batch", data=form)).status_code == 400

    run(tmp_path / "data", check)


def test_the_file_holds_what_the_filters_let_through(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        await sources(plane)
        visitor = await signed_in(plane)

        def rows(answer: httpx.Response) -> list[dict[str, str]]:
            assert answer.headers["content-disposition"] == 'attachment; filename="sources.csv"'
            return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))

        everything = rows(await visitor.get("/console/sources/export"))
        assert [row["name"] for row in everything] == ["alpha", "beta", f"'{HOSTILE}"], "no formula for a spreadsheet"
        assert everything[0]["task_state"] == "READY"
        found = rows(await visitor.get("/console/sources/export?search=alp&page=7"))
        assert [row["name"] for row in found] == ["alpha"], "whatever page was looked at"

    run(tmp_path / "data", check)


def test_a_long_list_has_pages(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        admin = await plane.admin()
        for number in range(51):
            await created(admin, "/v3/sources", registration(f"s{number:02}", ip=f"10.0.0.{number}"))
        visitor = await signed_in(plane)
        first = (await visitor.get("/console/sources?sort=name")).text
        assert "Page 1 of 2" in first
        assert 'rel="next" href="/console/sources?sort=name&amp;descending=false&amp;page=2"' in first
        second = (await visitor.get("/console/sources?sort=name&page=2")).text
        assert second.count('<tr id="source-') == 1
        assert "s50" in second
        assert 'rel="next"' not in second
        everything = (await visitor.get("/console/sources?size=200&search=s")).text
        assert everything.count('<tr id="source-') == 51
        assert "Page 1" not in everything

    run(tmp_path / "data", check)


def test_what_the_address_says_wrongly_is_told_or_left_out(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        ids = await sources(plane)
        visitor = await signed_in(plane)
        assert (await visitor.get("/console/sources?sort=colour&page=-1&size=7")).status_code == 200
        assert (await visitor.get("/console/sources?state=odd")).status_code == 400
        for path in (f"/console/sources/{ids[0]}/wings", "/console/sources/4711", "/console/a/b/c"):
            answer = await visitor.get(path)
            assert answer.status_code == 404, path
            assert "What to do" in answer.text

    run(tmp_path / "data", check)


def test_a_source_is_renamed_and_deleted(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        ids = await sources(plane)
        visitor = await signed_in(plane)
        answer = await visitor.post(f"/console/sources/{ids[1]}/rename", data={"name": " beta two "})
        assert answer.headers["location"] == f"/console/sources/{ids[1]}?notice=saved"
        page = (await visitor.get(answer.headers["location"])).text
        assert "<h1>beta two</h1>" in page
        assert "Saved." in page
        answer = await visitor.post(f"/console/sources/{ids[1]}/delete")
        assert answer.headers["location"] == "/console/sources?notice=deleted"
        assert (await visitor.get(f"/console/sources/{ids[1]}")).status_code == 404

    run(tmp_path / "data", check)


def test_checks_come_with_cause_and_fix_the_failed_ones_first(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        admin = await plane.admin()
        made = await created(admin, "/v3/sources", registration("old", boot_loader="LILO"))
        page = (await (await signed_in(plane)).get(f"/console/sources/{made}/checks")).text
        assert "SMS.6564" in page
        assert page.index("SMS.6564") < page.index(">Passed<")
        assert "What to do" in page

    run(tmp_path / "data", check)
