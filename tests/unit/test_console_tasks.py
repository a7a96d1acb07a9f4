"""The pages of a task: what they show, who may press which button, and that nothing hostile gets through."""

import re
from pathlib import Path
from typing import Any

import httpx

from tests.unit.console_visitor import reader, run, signed_in
from tests.unit.server_harness import Harness, created, registration, task

HOSTILE = '<script>alert("x")</script>'
FIGURES: dict[str, Any] = {
    "phase": "syncing",
    "pass_number": 3,
    "disk_bytes": 2 * 10**9,
    "used_bytes": 10**8,
    "read_bytes": 3 * 10**8,
    "changed_bytes": 2 * 10**8,
    "sent_bytes": 10**8,
    "wire_bytes": 10**8,
    "rate_mbit": 123.4,
    "checkpoint": 3,
    "frozen_ms": 88.0,
    "tracking": "ftrace+ebpf",
    "bottleneck": "wire",
    "passes": [
        {"number": 0, "read_bytes": 10**8, "changed_bytes": 10**8, "sent_bytes": 5 * 10**7, "seconds": 12.5},
        {"number": 1, "scan": True, "scan_reason": HOSTILE, "seconds": 1.0},
        {"number": 2, "consistent": True, "seconds": 0.25},
    ],
    "forecast": {"converges": False, "needed_mbit": 400.0, "writers": [
        {"pid": 7, "name": HOSTILE, "bytes_per_s": 10**6},
    ]},
}  # fmt: skip


async def started_task(plane: Harness) -> tuple[httpx.AsyncClient, str]:
    """Return a client of the administrator, and the id of a task that runs."""
    admin = await plane.admin()
    source = await created(admin, "/v3/sources", registration("alpha"))
    made = await created(admin, "/v3/tasks", task(source))
    assert (await admin.post(f"/v3/tasks/{made}/action", json={"operation": "start"})).status_code == 200
    return admin, made


def buttons(page: str) -> set[str]:
    """Return what the buttons of a page open."""
    return set(re.findall(r'data-opens="do-(\w+)"', page))


def test_a_task_shows_its_figures_passes_and_history(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        admin, made = await started_task(plane)
        visitor = await signed_in(plane)
        bare = await visitor.get(f"/console/tasks/{made}")
        assert bare.status_code == 200
        assert "The agent hasn't sent any figures yet." in bare.text
        sent = await admin.put(f"/wherry/v1/tasks/{made}/replication", json=FIGURES)
        assert sent.status_code == 200, sent.text
        page = (await visitor.get(f"/console/tasks/{made}")).text
        for text in ("123 Mbit/s", "88 ms", "The network between source and receiver.", "ftrace, ebpf", "400 Mbit/s"):
            assert text in page
        assert page.count("Digest scan") == 1
        assert "12 s" in page or "12.50 s" in page
        assert "action start" in page
        assert HOSTILE not in page
        assert f'data-live="/console/live/tasks/{made}"' in page
        assert f'data-samples="/console/tasks/{made}/samples"' in page
        (kept,) = (await visitor.get(f"/console/tasks/{made}/samples")).json()["samples"]
        assert kept["wire_bytes"] == FIGURES["wire_bytes"]
        report = await visitor.get(f"/console/tasks/{made}/report")
        assert (report.status_code, report.headers["content-type"].startswith("text/html")) == (200, True)
        assert HOSTILE not in report.text
        assert f'href="/console/tasks/{made}/report"' in page
        file = await visitor.get(f"/console/tasks/{made}/report.json")
        assert file.headers["content-disposition"] == f'attachment; filename="wherry-report-{made}.json"'
        told = (await admin.get(f"/wherry/v1/tasks/{made}/report", params={"format": "json"})).json()
        assert {**file.json(), "generated_at": 0} == {**told, "generated_at": 0}

    run(tmp_path / "data", check)


def test_buttons_are_those_of_the_state_table(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        _, made = await started_task(plane)
        visitor = await signed_in(plane)
        assert buttons((await visitor.get(f"/console/tasks/{made}")).text) == {"stop", "network_check", "delete"}
        answer = await visitor.post(f"/console/tasks/{made}/action", data={"operation": "stop"})
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/console/tasks/{made}?notice=ordered"
        page = (await visitor.get(answer.headers["location"])).text
        assert "Ordered. The page shows how it goes on." in page
        assert ">Pausing<" in page
        again = await visitor.post(f"/console/tasks/{made}/action", data={"operation": "stop"})
        assert again.status_code >= 400
        assert "SMS.1038" in again.text

    run(tmp_path / "data", check)


def test_a_reader_sees_no_button_and_is_refused(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        _, made = await started_task(plane)
        visitor = await reader(plane)
        page = (await visitor.get(f"/console/tasks/{made}")).text
        assert buttons(page) == set()
        assert "<form" not in page.partition("<main")[2]
        sent = {
            "action": {"operation": "stop"},
            "landing": {"operation": "launch"},
            "rehearse": {},
            "delete": {},
            "log": {},
            "log/close": {},
        }
        for path, fields in sent.items():
            answer = await visitor.post(f"/console/tasks/{made}/{path}", data=fields)
            assert answer.status_code == 403, path
        assert ">Copying<" in (await visitor.get(f"/console/tasks/{made}")).text

    run(tmp_path / "data", check)


def test_an_action_from_another_site_is_refused(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        _, made = await started_task(plane)
        visitor = await signed_in(plane)
        visitor.headers["sec-fetch-site"] = "cross-site"
        answer = await visitor.post(f"/console/tasks/{made}/action", data={"operation": "stop"})
        assert answer.status_code == 403

    run(tmp_path / "data", check)


def test_deleting_goes_back_to_the_list(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        admin = await plane.admin()
        source = await created(admin, "/v3/sources", registration("alpha"))
        made = await created(admin, "/v3/tasks", task(source))
        visitor = await signed_in(plane)
        assert f'id="task-{made}"' in (await visitor.get("/console/tasks")).text
        answer = await visitor.post(f"/console/tasks/{made}/delete", data={})
        assert answer.headers["location"] == "/console/tasks?notice=deleted"
        assert (await visitor.get(f"/console/tasks/{made}")).status_code == 404
        assert f'id="task-{made}"' not in (await visitor.get("/console/tasks")).text

    run(tmp_path / "data", check)


def test_the_list_is_filtered(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        admin, made = await started_task(plane)
        bare = await created(admin, "/v3/sources", registration("beta", ip="192.0.2.2"))
        visitor = await signed_in(plane)
        for query, shown in (("", True), ("?work=running", True), ("?work=done", False), ("?search=beta", False)):
            page = (await visitor.get(f"/console/tasks{query}")).text
            assert (f'id="task-{made}"' in page) is shown, query
            assert bare not in page
        assert (await visitor.get("/console/tasks?work=bogus&page=x")).status_code == 200

    run(tmp_path / "data", check)


def test_many_tasks_are_chosen_by_who_may_act(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        _, made = await started_task(plane)
        page = (await (await signed_in(plane)).get("/console/tasks")).text
        assert f'id="choose-{made}"' in page
        assert 'id="batch-stop"' in page
        limited = (await (await reader(plane)).get("/console/tasks")).text
        assert f'id="task-{made}"' in limited
        assert "choose-" not in limited
        assert "<dialog" not in limited

    run(tmp_path / "data", check)


def test_a_task_that_isnt_there_is_a_page_with_its_code(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor = await signed_in(plane)
        answer = await visitor.get("/console/tasks/11111111-1111-1111-1111-111111111111")
        assert answer.status_code == 404
        assert "SMS." in answer.text
        none = await visitor.get("/console/rehearsals/11111111-1111-1111-1111-111111111111")
        assert none.status_code == 404
        assert "WHERRY.5608" in none.text

    run(tmp_path / "data", check)
