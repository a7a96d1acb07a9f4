"""The list of failures: each with code, cause and fix, and started again from there by who may."""

from pathlib import Path

from tests.unit.console_visitor import reader, run, signed_in
from tests.unit.server_harness import Harness, created, registration, task
from wherry.console.pages.failure_list import failure_of
from wherry.contract.catalogue import CATALOGUE
from wherry.contract.sources import MigrationError

HOSTILE = "<script>alert('x')</script>"


async def failed(plane: Harness) -> str:
    """Let the task of a source fail whose name means harm; return the source's id."""
    admin = await plane.admin()
    source_id = await created(admin, "/v3/sources", registration("web", ip="192.0.2.7"))
    task_id = await created(admin, "/v3/tasks", task(source_id))
    assert (await admin.put(f"/v3/sources/{source_id}", json={"name": HOSTILE})).status_code == 200
    assert (await admin.post(f"/v3/tasks/{task_id}/action", json={"operation": "start"})).status_code == 200
    assert (await admin.get(f"/v3/sources/{source_id}/command")).json()["command_name"] == "START"
    detail = {"error_code": "SMS.5102", "error_param": [HOSTILE]}
    body = {"command_name": "START", "result": "fail", "result_detail": detail}
    answer = await admin.post(f"/v3/sources/{source_id}/command_result", json=body)
    assert answer.status_code == 200, answer.text
    return source_id


def test_a_failure_comes_with_cause_and_fix(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor = await signed_in(plane)
        assert "Nothing has failed." in (await visitor.get("/console/errors")).text
        source_id = await failed(plane)
        page = (await visitor.get("/console/errors")).text
        assert f'id="failure-{source_id}"' in page
        assert f'href="/console/sources/{source_id}"' in page
        assert 'href="/errors/SMS.5102"' in page
        assert CATALOGUE["SMS.5102"].cause[:20] in page
        assert "192.0.2.7" in page
        assert "Failures in all: 1" in page
        assert HOSTILE not in page
        beyond = await visitor.get("/console/errors?page=99")
        assert (beyond.status_code, f'id="failure-{source_id}"' in beyond.text) == (200, False)

    run(tmp_path / "data", check)


def test_it_is_started_again_by_who_may(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        source_id = await failed(plane)
        limited = await reader(plane)
        page = (await limited.get("/console/errors")).text
        assert 'href="/errors/SMS.5102"' in page
        assert "data-opens" not in page
        assert "data-choose" not in page
        visitor = await signed_in(plane)
        assert 'data-opens="batch-start"' in (await visitor.get("/console/errors")).text
        answer = await visitor.post("/console/sources/batch", data={"action": "start", "id": source_id})
        assert 'class="dot good"' in answer.text
        assert "Nothing has failed." in (await visitor.get("/console/errors")).text

    run(tmp_path / "data", check)


def test_a_failure_that_tells_nothing_is_listed_all_the_same() -> None:
    source = MigrationError(
        error_json="", host_name="web", name="web", source_id="s", source_ip="192.0.2.1", target_ip=""
    )
    failure = failure_of(source)
    assert (failure.error, failure.params) == (None, "")
