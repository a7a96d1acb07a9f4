"""Which record a machine gets when it registers, again and again, with whatever key."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer

from tests.unit.server_harness import Harness, created, registration, run, task


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def join(harness: Harness, admin: httpx.AsyncClient, name: str = "agent") -> tuple[str, str]:
    """Join an agent and return the two halves of its key."""
    token = (await admin.post("/wherry/v1/join-tokens", json={"role": "agent"})).json()["token"]
    answer = (await harness.client().post("/wherry/v1/join", json={"token": token, "name": name})).json()
    return answer["access_key"], answer["secret_key"]


async def as_agent(harness: Harness, key: tuple[str, str], method: str, path: str, body: Any = None) -> httpx.Response:
    """Send one request signed with an agent's key."""
    content = b"" if body is None else json.dumps(body).encode()
    request = SdkRequest(method, "http", "wherry.test", path, "", [], {"Content-Type": "application/json"}, content)
    signed = Signer(BasicCredentials(*key, "")).sign(request)
    headers = {**signed.header_params, "Host": "wherry.test"}
    return await harness.client().request(method, path, content=content, headers=headers)


def test_the_same_machine_gets_the_same_record(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        first = await created(admin, "/v3/sources", registration("web"))
        assert await created(admin, "/v3/sources", registration("web", hostname="renamed")) == first
        shown = (await admin.get(f"/v3/sources/{first}")).json()
        assert shown["hostname"] == "renamed"
        assert (await admin.get("/v3/sources")).json()["count"] == 1

    run(data, check)


def test_another_mac_or_another_address_is_another_machine(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        networks = [{"name": "eth0", "mac": "52:54:00:ff"}]
        ids = {
            await created(admin, "/v3/sources", registration("web")),
            await created(admin, "/v3/sources", registration("web", ip="192.0.2.11")),
            await created(admin, "/v3/sources", registration("web", networks=networks)),
        }
        assert len(ids) == 3

    run(data, check)


def test_machines_without_a_mac_are_never_taken_for_one_another(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        for networks in (None, [], [{"name": "eth0"}], [{"mac": ""}]):
            body = registration("bare", networks=networks)
            assert await created(admin, "/v3/sources", body) != await created(admin, "/v3/sources", body)

    run(data, check)


def test_the_id_in_the_body_wins_when_the_account_knows_it(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        first = await created(admin, "/v3/sources", registration("web"))
        moved = registration("web", id=first, ip="198.51.100.7", networks=[{"mac": "new"}])
        assert await created(admin, "/v3/sources", moved) == first
        assert (await admin.get("/v3/sources", params={"ip": "198.51.100.7"})).json()["count"] == 1
        stranger = registration("other", id="00000000-0000-4000-8000-000000000000", networks=[{"mac": "other"}])
        assert await created(admin, "/v3/sources", stranger) not in {first, stranger["id"]}

    run(data, check)


def test_an_agents_key_keeps_its_record_whatever_changes_on_the_machine(data: Path) -> None:
    async def check(harness: Harness) -> None:
        key = await join(harness, await harness.admin())
        first = (await as_agent(harness, key, "POST", "/v3/sources", registration("web"))).json()["id"]
        moved = registration("web", ip="198.51.100.7", networks=[{"mac": "new"}])
        assert (await as_agent(harness, key, "POST", "/v3/sources", moved)).json()["id"] == first

    run(data, check)


def test_an_agent_cannot_take_over_the_record_of_another_by_its_address(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        owner, thief = await join(harness, admin), await join(harness, admin, "thief")
        first = (await as_agent(harness, owner, "POST", "/v3/sources", registration("web"))).json()["id"]
        refused = await as_agent(harness, thief, "POST", "/v3/sources", registration("web"))
        assert (refused.status_code, refused.json()["error_code"]) == (409, "WHERRY.5511")
        by_id = registration("thief", id=first, networks=[{"mac": "thief"}])
        refused = await as_agent(harness, thief, "POST", "/v3/sources", by_id)
        assert (refused.status_code, refused.json()["error_code"]) == (403, "SMS.9004")
        assert (await admin.get(f"/v3/sources/{first}")).json()["name"] == "web"

    run(data, check)


def test_an_agent_may_take_over_a_record_that_no_agent_holds(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        first = await created(admin, "/v3/sources", registration("web"))
        key = await join(harness, admin)
        assert (await as_agent(harness, key, "POST", "/v3/sources", registration("web"))).json()["id"] == first

    run(data, check)


def test_a_deleted_source_comes_back_as_a_new_record_of_the_same_agent(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        key = await join(harness, admin)
        first = (await as_agent(harness, key, "POST", "/v3/sources", registration("web"))).json()["id"]
        assert (await admin.delete(f"/v3/sources/{first}")).status_code == 200
        assert (await as_agent(harness, key, "GET", f"/v3/sources/{first}/command")).status_code == 404
        again = (await as_agent(harness, key, "POST", "/v3/sources", registration("web"))).json()["id"]
        assert again != first
        assert (await as_agent(harness, key, "GET", f"/v3/sources/{again}/command")).status_code == 200

    run(data, check)


def test_registering_again_does_not_undo_what_a_task_made_of_the_source(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        source = await created(admin, "/v3/sources", registration("web"))
        task_id = await created(admin, "/v3/tasks", task(source))
        assert (await admin.post(f"/v3/tasks/{task_id}/action", json={"operation": "start"})).status_code == 200
        for changes in ({}, {"state": "waiting", "migration_cycle": "checking"}, {"state": "finished"}):
            assert await created(admin, "/v3/sources", registration("web", **changes)) == source
            shown = (await admin.get(f"/v3/sources/{source}")).json()
            assert (shown["state"], shown["migration_cycle"]) == ("initialize", "replicating")

    run(data, check)


def test_disk_facts_are_replaced_until_there_is_a_task(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        source = await created(admin, "/v3/sources", registration("web"))
        disks = [{"name": "/dev/vdb", "size": 5, "partition_style": "GPT"}]
        assert (await admin.put(f"/v3/sources/{source}/diskinfo", json={"disks": disks})).json() == {}
        shown = (await admin.get(f"/v3/sources/{source}")).json()
        assert [{**disk, "id": shown["disks"][0]["id"]} for disk in disks] == shown["disks"]
        # All stored disk information is replaced, so what isn't sent is gone.
        assert "volume_groups" not in shown
        body = task(source)
        body["target_server"]["disks"][0]["size"] = 5
        await created(admin, "/v3/tasks", body)
        assert (await admin.put(f"/v3/sources/{source}/diskinfo", json={"disks": []})).json() == {}
        assert (await admin.get(f"/v3/sources/{source}")).json()["disks"] == shown["disks"]

    run(data, check)
