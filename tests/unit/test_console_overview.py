"""The overview, and the fleet that it's made of."""

from pathlib import Path

from tests.unit.console_visitor import reader, run, signed_in
from tests.unit.server_harness import Harness, created, registration, task

HOSTILE = "<script>alert('x')</script>\" onload=\"y"


async def fleet_of_three(plane: Harness) -> list[str]:
    """Register three sources: one runs, one has no task, one has a name that means harm."""
    admin = await plane.admin()
    ids = [
        await created(admin, "/v3/sources", registration(name, ip=f"192.0.2.{number}"))
        for number, name in enumerate(("alpha", "beta", "gamma"), start=1)
    ]
    made = await created(admin, "/v3/tasks", task(ids[0]))
    assert (await admin.post(f"/v3/tasks/{made}/action", json={"operation": "start"})).status_code == 200
    assert (await admin.put(f"/v3/sources/{ids[2]}", json={"name": HOSTILE})).status_code == 200
    return ids


def test_the_overview_shows_what_runs_and_counts_the_rest(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        ids = await fleet_of_three(plane)
        page = (await (await signed_in(plane)).get("/")).text
        assert f'id="running-{ids[0]}"' in page
        assert f'id="running-{ids[1]}"' not in page
        assert "<strong>3</strong><span>Sources</span>" in page
        assert "<strong>2</strong><span>Without a target</span>" in page
        assert "No receiver has joined yet." in page

    run(tmp_path / "data", check)


def test_a_reader_sees_it_too(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        await fleet_of_three(plane)
        page = await (await reader(plane, **{"accept-language": "zh"})).get("/")
        assert page.status_code == 200
        assert "<h1>总览</h1>" in page.text

    run(tmp_path / "data", check)


def test_the_fleet_is_searched_sorted_and_paged(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        ids = await fleet_of_three(plane)
        admin = await plane.admin()

        async def listed(query: str) -> tuple[int, list[str]]:
            answer = await admin.get(f"/wherry/v1/fleet?{query}")
            assert answer.status_code == 200, answer.text
            return answer.json()["count"], [member["id"] for member in answer.json()["members"]]

        assert await listed("") == (3, ids)
        assert await listed("limit=0") == (3, [])
        assert await listed("limit=1&offset=1") == (3, [ids[1]])
        assert await listed("sort=ip&descending=true") == (3, [ids[2], ids[1], ids[0]])
        assert await listed("search=LPH") == (1, [ids[0]])
        assert await listed("search=0.2.2") == (1, [ids[1]])
        assert await listed("search=%25") == (0, []), "no wildcard of the database"
        assert await listed(f"search={ids[2]}") == (1, [ids[2]])
        assert await listed("work=none&sort=name&descending=true") == (2, [ids[1], ids[2]])
        assert await listed("work=running") == (1, [ids[0]])
        assert await listed("state=unavailable") == (0, [])
        assert (await admin.get("/wherry/v1/fleet?sort=colour")).json()["error_code"] == "SMS.9001"

    run(tmp_path / "data", check)


def test_a_member_of_the_fleet_says_what_can_be_done(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        ids = await fleet_of_three(plane)
        admin = await plane.admin()
        (member,) = (await admin.get(f"/wherry/v1/fleet?id={ids[0]}")).json()["members"]
        running = member["task"]
        assert (running["state"], running["work"], running["progress"]) == ("RUNNING", "running", 0)
        assert "stop" in running["actions"]
        assert "start" not in running["actions"]

    run(tmp_path / "data", check)
