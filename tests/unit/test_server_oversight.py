"""What happened, over HTTP: join tokens, the audit log and its chain, the events of an account."""

import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.server_harness import Harness, created, registration, run, task

OWN = "/wherry/v1"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def get(client: httpx.AsyncClient, path: str, **query: Any) -> Any:
    answer = await client.get(f"{OWN}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def make_sources(admin: httpx.AsyncClient, count: int) -> list[str]:
    return [await created(admin, "/v3/sources", registration(f"web-{number}")) for number in range(count)]


def test_join_tokens_are_listed_and_withdrawn(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        first, second = [
            (await admin.post(f"{OWN}/join-tokens", json={"role": role})).json() for role in ("agent", "receiver")
        ]
        joining = {"token": first["token"], "name": "web-01"}
        joined = (await harness.client().post(f"{OWN}/join", json=joining)).json()
        listed = await get(admin, "join-tokens")
        by_id = {each["id"]: each for each in listed["join_tokens"]}
        assert listed["count"] == len(by_id) == 2
        assert by_id[first["id"]]["used_by"] == "web-01"
        assert by_id[first["id"]]["access_key"] == joined["access_key"]
        assert by_id[second["id"]].keys() == {"id", "role", "created_at", "expires_at"}
        assert first["token"] not in str(listed)
        usable = await get(admin, "join-tokens", usable="true")
        assert [each["id"] for each in usable["join_tokens"]] == [second["id"]]
        assert (await get(admin, "join-tokens", limit=1, offset=1))["count"] == 2

        for token_id, status, code in (
            (first["id"], 409, "WHERRY.5516"),
            ("nothing", 404, "WHERRY.5515"),
            (second["id"], 200, None),
            (second["id"], 404, "WHERRY.5515"),
        ):
            answer = await admin.delete(f"{OWN}/join-tokens/{token_id}")
            assert (answer.status_code, answer.json().get("error_code")) == (status, code)
        late = {"token": second["token"], "name": "late"}
        assert (await harness.client().post(f"{OWN}/join", json=late)).status_code == 401

    run(data, check)


def test_tokens_and_entries_of_another_account_do_not_exist(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        body = {"name": "other", "administrator": "boss", "password": "only reads, never writes"}
        await admin.post(f"{OWN}/accounts", json=body)
        boss = await harness.user("boss", "other")
        made = (await admin.post(f"{OWN}/join-tokens", json={"role": "agent"})).json()
        await make_sources(admin, 1)
        assert (await get(boss, "join-tokens"))["count"] == 0
        assert (await boss.delete(f"{OWN}/join-tokens/{made['id']}")).status_code == 404
        assert (await get(boss, "audit"))["entries"] == []
        assert (await get(boss, "events"))["events"] == []
        # The chain goes through all accounts.
        assert (await boss.get(f"{OWN}/audit/verification")).status_code == 403
        assert (await get(admin, "audit/verification"))["whole"] is True

    run(data, check)


def test_the_audit_log_by_filters_and_pages(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        ids = await make_sources(admin, 5)
        await admin.delete(f"/v3/sources/{ids[0]}")
        everything = (await get(admin, "audit"))["entries"]
        assert [each["event"] for each in everything[:2]] == ["removeSource", "RegisterSourceServer"]
        numbers = [each["sequence"] for each in everything]
        assert numbers == sorted(numbers, reverse=True)
        assert everything[0]["caller_name"] == "admin"
        registered = await get(admin, "audit", event="RegisterSourceServer", limit=2)
        assert [each["resource_id"] for each in registered["entries"]] == [ids[4], ids[3]]
        assert registered["more"] is True
        rest = await get(admin, "audit", event="RegisterSourceServer", before=registered["entries"][-1]["sequence"])
        assert [each["resource_id"] for each in rest["entries"]] == [ids[2], ids[1], ids[0]]
        assert rest["more"] is False
        assert len((await get(admin, "audit", resource_id=ids[0]))["entries"]) == 2
        assert len((await get(admin, "audit", resource_type="SourceServer", caller="admin"))["entries"]) == 6
        assert (await get(admin, "audit", caller="nobody"))["entries"] == []
        assert [each["sequence"] for each in (await get(admin, "audit", after=numbers[1]))["entries"]] == numbers[:1]
        at = everything[0]["at"]
        assert (await get(admin, "audit", since=at + 1))["entries"] == []
        assert len((await get(admin, "audit", until=at))["entries"]) == len(numbers)
        assert (await admin.get(f"{OWN}/audit", params={"limit": 201})).status_code == 400

    run(data, check)


def test_a_log_that_was_changed_is_found_out(data: Path) -> None:
    async def fill(harness: Harness) -> None:
        admin = await harness.admin()
        await make_sources(admin, 10)
        told = await get(admin, "audit/verification")
        newest = (await get(admin, "audit", limit=1))["entries"][0]
        assert (told["whole"], told["first_broken"], told["head"]) == (True, None, newest["hash"])
        assert told["entries"] == newest["sequence"]

    async def find_out(harness: Harness) -> None:
        told = await get(await harness.admin(), "audit/verification")
        assert (told["whole"], told["first_broken"], told["entries"]) == (False, 4, 3)

    run(data, fill)
    ledger = next(path for path in data.iterdir() if path.read_bytes()[:15] == b"SQLite format 3")
    connection = sqlite3.connect(ledger)
    connection.execute("DROP TRIGGER audit_no_update")
    connection.execute("UPDATE audit SET resource_id = 'another' WHERE sequence = 4")
    connection.commit()
    connection.close()
    run(data, find_out)


def test_more_entries_than_are_looked_at_in_one_go(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wherry.server.oversight._LINKS_AT_A_TIME", 3)

    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        await make_sources(admin, 10)
        told = await get(admin, "audit/verification")
        assert told["whole"] is True
        assert told["entries"] >= 10

    run(data, check)


def test_events_of_an_account(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        one, two = await make_sources(admin, 2)
        moving = await created(admin, "/v3/tasks", task(two))
        await admin.post(f"/v3/tasks/{moving}/action", json={"operation": "start"})
        told = await get(admin, "events")
        newest = told["events"][0]
        assert {each["source_id"] for each in told["events"]} == {one, two}
        assert (newest["source_name"], newest["task_id"]) == ("web-1", moving)
        of_task = [each for each in told["events"] if each["entity"] == "task"]
        assert [(each["from"], each["to"]) for each in of_task] == [("READY", "RUNNING"), ("", "READY")]
        assert told["more"] is False
        page = await get(admin, "events", limit=1)
        assert (page["events"], page["more"]) == ([newest], True)
        older = await get(admin, "events", before=newest["sequence"])
        assert older["events"] == told["events"][1:]
        assert (await get(admin, "events", after=newest["sequence"]))["events"] == []
        assert {each["source_id"] for each in (await get(admin, "events", source_id=one))["events"]} == {one}

    run(data, check)
