"""The report of a migration: what is in it, who may read it, and that it's safe to open and to keep."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import convert, structs

from tests.unit.server_harness import Harness, run
from tests.unit.test_server_landing import half
from tests.unit.test_server_landings import ERROR, Scene, rehearsed
from wherry.contract.report import Report
from wherry.contract.wherry import Proof
from wherry.iam.certificates import Authority
from wherry.iam.proof_signatures import is_signed
from wherry.server.report.page import duration, moment, render, size

FIGURES = {
    "phase": "done",
    "disk_bytes": 2 << 30,
    "used_bytes": 1 << 30,
    "read_bytes": 1 << 30,
    "sent_bytes": 300 << 20,
    "wire_bytes": 301 << 20,
    "frozen_ms": 182.5,
    "tracking": "ftrace+ebpf",
    "passes": [
        {"number": 0, "changed_bytes": 600 << 20, "sent_bytes": 299 << 20, "seconds": 12.5},
        {"number": 1, "changed_bytes": 1 << 20, "sent_bytes": 1 << 20, "seconds": 0.2, "consistent": True},
    ],
}
FOLDER = {
    "dir_check": "/srv",
    "num_total_files": 1200,
    "num_different_files": 1,
    "num_target_miss_files": 2,
    "num_target_more_files": 3,
}
NASTY = "<script>alert('x')</script>\"'&"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def migrated(harness: Harness) -> Scene:
    """Bring a task to its end: copied, proven, rehearsed, launched."""
    scene = await Scene.set_up(harness)
    admin = scene.admin
    await scene.cut_over()
    assert (await admin.put(f"{scene.own}/replication", json=FIGURES)).status_code == 200
    for side in ("source", "receiver"):
        assert (await admin.put(f"{scene.own}/checkpoints/4/halves/{side}", json=half(4))).status_code == 200
    await scene.begin()
    await scene.report("rehearsing")
    await scene.report("done", rehearsal=rehearsed(changes=["fstab: /dev/sda1 is UUID=1 now"]))
    await scene.report("done", server_id="vm-9", server_name="web-copy")
    body = {"consistency_result": [FOLDER]}
    assert (await admin.post(f"/v3/tasks/{scene.task_id}/consistency-result", json=body)).status_code == 200
    await scene.progress("CONFIGURE_LINUX_BLOCK")
    assert (await scene.progress("DETTACH_AGENT_IMAGE")).status_code == 200
    return scene


async def report_of(scene: Scene) -> dict[str, Any]:
    answer = await scene.admin.get(f"{scene.own}/report")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    found: dict[str, Any] = answer.json()
    return found


def test_a_report_tells_the_whole_migration(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await migrated(harness)
        report = await report_of(scene)
        assert (report["task_id"], report["task_name"], report["state"]) == (scene.task_id, "move", "MIGRATE_SUCCESS")
        assert report["duration_ms"] == report["finished_at"] - report["started_at"] >= 0
        assert report["source"]["name"] == "web"
        assert report["source"]["disks"] == [{"name": "/dev/vda", "size": 2 * 10**9}]
        assert (report["target"]["server_id"], report["target"]["receiver"]) == ("vm-9", "hall")
        assert report["target"]["landing"] == "launched"
        assert report["versions"]["agent"] == "1.0"
        assert report["versions"]["receiver"] == "1"
        assert report["bytes"]["compression"] == pytest.approx(601 / 300, abs=0.01)
        assert report["bytes"]["frozen_ms"] == 182.5
        assert [each["number"] for each in report["bytes"]["passes"]] == [0, 1]
        assert report["proof"]["checkpoint"] == 4
        assert report["proof"]["signature_valid"] is True
        assert report["proof"]["disks"] == [{"name": "vda", "size": 65536, "root": "ab" * 16}]
        (rehearsal,) = report["rehearsals"]
        assert (rehearsal["verdict"], rehearsal["seconds"]) == ("passed", 41.5)
        assert rehearsal["checks"] == [{"name": "shop", "status": 0, "output": "ok"}]
        assert report["changes"] == ["fstab: /dev/sda1 is UUID=1 now"]
        assert report["consistency"] == [{"folder": "/srv", "files": 1200, "different": 1, "missing": 2, "extra": 3}]
        assert report["errors"] == []
        timeline = report["timeline"]
        assert timeline == sorted(timeline, key=lambda event: event["at"])
        told = [(event["kind"], event["what"]) for event in timeline]
        for line in (
            *(("task", "READY"), ("task", "READY → RUNNING"), ("rehearsal", "passed")),
            *(("proof", "checkpoint 4 taken"), ("proof", "checkpoint 4 proven equal")),
        ):
            assert line in told
        assert any(event["why"] == "the server stood still for 182 ms" for event in timeline)

    run(data, check)


def test_a_report_of_what_has_only_begun_says_what_there_is(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await Scene.set_up(harness)
        report = await report_of(scene)
        assert (report["state"], report["bytes"], report["proof"], report["rehearsals"]) == ("READY", None, None, [])
        page = await scene.admin.get(f"{scene.own}/report", params={"format": "html"})
        assert "none yet" in page.text

    run(data, check)


def test_errors_are_told_with_cause_and_fix(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await Scene.set_up(harness)
        await scene.cut_over()
        await scene.begin()
        await scene.report("failed", error=ERROR, rehearsal=rehearsed("failed", error=ERROR))
        errors = (await report_of(scene))["errors"]
        assert {error["of"] for error in errors} >= {"landing", "rehearsal"}
        for error in errors:
            assert error["cause"]
            assert error["fix"]
        page = (await scene.admin.get(f"{scene.own}/report", params={"format": "html"})).text
        assert "it was not copied" in page
        assert "install one" in page

    run(data, check)


class _Tags(HTMLParser):
    """Which elements a page has, and what they would load."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loaded: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in {"src", "href", "action", "srcset", "data"}:
                self.loaded.append(str(value))
            if name.startswith("on"):
                self.handlers.append(name)


def tags_of(page: str) -> _Tags:
    tags = _Tags()
    tags.feed(page)
    return tags


def test_the_page_stands_alone_and_runs_nothing(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await migrated(harness)
        answer = await scene.admin.get(f"{scene.own}/report", headers={"Accept": "text/html,*/*;q=0.5"})
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        tags = tags_of(answer.text)
        assert tags.loaded == []
        assert tags.handlers == []
        assert "script" not in tags.tags
        assert "url(" not in answer.text
        for part in ("Migration of web", "checkpoint 4 is equal on both sides", "182 ms", "600.0 MiB", "ab" * 16):
            assert part in answer.text, part

    run(data, check)


def test_hostile_words_are_text_on_the_page(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await migrated(harness)
        renamed = await scene.admin.put(f"/v3/sources/{scene.source_id}", json={"name": NASTY})
        assert renamed.status_code == 200, renamed.text
        found = convert(await report_of(scene), Report)
        rehearsal = found.rehearsals[0]
        hostile = structs.replace(
            found,
            changes=[NASTY],
            task_name=NASTY,
            state=NASTY,
            rehearsals=[
                structs.replace(
                    rehearsal,
                    failed_units=[NASTY],
                    stages=[structs.replace(rehearsal.stages[0], name=NASTY)],
                    checks=[structs.replace(rehearsal.checks[0], output=NASTY)],
                )
            ],
        )
        assert NASTY in found.source.name
        page = render(hostile)
        assert "<script" not in page
        assert page.count("&lt;script&gt;") >= 7
        assert "script" not in tags_of(page).tags

    run(data, check)


def test_the_form_is_what_the_client_wants(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await Scene.set_up(harness)
        path = f"{scene.own}/report"

        async def kind(accept: str, query: str = "") -> str:
            answer = await scene.admin.get(path + query, headers={"Accept": accept})
            return answer.headers["content-type"].partition(";")[0]

        assert await kind("*/*") == "application/json"
        assert await kind("text/html") == "text/html"
        assert await kind("text/html", "?format=json") == "application/json"
        assert await kind("application/json", "?format=html") == "text/html"
        refused = await scene.admin.get(f"{path}?format=pdf")
        assert (refused.status_code, refused.json()["error_code"]) == (400, "SMS.9001")

    run(data, check)


def test_a_report_is_for_who_may_read_the_task(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await Scene.set_up(harness)
        path = f"{scene.own}/report"
        user = (await scene.admin.post("/wherry/v1/users", json={"name": "rita", "password": "reads and reads"})).json()
        rita = await harness.user("rita")
        assert (await rita.get(path)).status_code == 403
        await scene.admin.put(f"/wherry/v1/users/{user['id']}/policies/sms-read-only-access")
        rita = await harness.user("rita")
        assert (await rita.get(path)).status_code == 200
        assert (await _stranger(harness, scene.admin, path)).status_code == 404
        assert (await harness.client().get(path)).status_code == 401

    run(data, check)


async def _stranger(harness: Harness, admin: httpx.AsyncClient, path: str) -> httpx.Response:
    await admin.post("/wherry/v1/accounts", json={"name": "other", "password": "of another account"})
    return await (await harness.user("admin", "other")).get(path)


def test_a_proof_that_was_touched_is_told_as_such(data: Path) -> None:
    async def check(harness: Harness) -> None:
        scene = await migrated(harness)
        stored = (await scene.admin.get(f"{scene.own}/proof")).content
        proof, authority = convert(json.loads(stored), Proof), harness.services.authority.certificate_pem
        assert is_signed(proof, authority)
        assert not is_signed(structs.replace(proof, checkpoint=5), authority)
        assert not is_signed(structs.replace(proof, signature=""), authority)
        assert not is_signed(structs.replace(proof, certificate="no certificate"), authority)
        assert not is_signed(proof, Authority.create("another").certificate_pem)

        page = convert(await report_of(scene), Report)
        assert page.proof is not None
        untrusted = structs.replace(page, proof=structs.replace(page.proof, signature_valid=False))
        assert "the signature is not valid" in render(untrusted)
        assert "the signature is not valid" not in render(page)

    run(data, check)


def test_figures_as_people_read_them() -> None:
    assert [size(0), size(1023), size(1536), size(5 << 40)] == ["0 B", "1023 B", "1.5 KiB", "5.0 TiB"]
    assert [duration(None), duration(0), duration(999), duration(1500)] == ["–", "0 ms", "999 ms", "1.5 s"]
    assert [duration(60_000), duration(3_725_000)] == ["1 min", "1 h 2 min 5 s"]
    assert moment(1_764_000_000_000) == "2025-11-24 16:00:00 UTC"
    assert re.fullmatch(r"\d+", moment(10**18)), "a clock may say anything"
