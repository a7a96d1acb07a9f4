"""The smaller resources: what is written is read back, and the rules of each."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import json

from tests.unit.server_harness import Harness, created, registration, run, task

FOLDER = {
    "dir_check": "/etc",
    "num_total_files": 10,
    "num_different_files": 0,
    "num_target_miss_files": 0,
    "num_target_more_files": 0,
}
CHECK = {
    "network_delay": 1.5,
    "network_jitter": 0.25,
    "migration_speed": 100.0,
    "loss_percentage": 0.0,
    "cpu_usage": 5.0,
    "mem_usage": 6.0,
    "evaluation_result": "normal",
    "domain_connectivity": True,
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def get(client: httpx.AsyncClient, path: str, **arguments: Any) -> Any:
    answer = await client.get(path, **arguments)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def moving(admin: httpx.AsyncClient, name: str = "web") -> tuple[str, str]:
    source = await created(admin, "/v3/sources", registration(name))
    return source, await created(admin, "/v3/tasks", task(source))


def test_speed_limits_are_replaced(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        _, moved = await moving(admin)
        path = f"/v3/tasks/{moved}/speed-limit"
        assert await get(admin, path) == {"speed_limit": []}
        for limits in (
            [{"start": "0:00", "end": "12:30", "speed": 10}, {"start": "12:30", "end": "24:00", "speed": 0}],
            [{"start": "8:00", "end": "9:00", "speed": 1000, "over_speed_threshold": 50.0}],
            [],
        ):
            assert (await admin.post(path, json={"speed_limit": limits})).json() == {}
            assert await get(admin, path) == {"speed_limit": limits}
        assert (
            await admin.post(path, json={"speed_limit": [{"start": "0:00", "end": "1:00", "speed": 1001}]})
        ).status_code == 400

    run(data, check)


def test_settings_are_kept_by_their_key(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        _, moved = await moving(admin)
        path = f"/v3/tasks/{moved}/configuration-setting"
        one = {"config_key": "LINUX_CPU_LIMIT", "config_value": "50", "config_status": "1"}
        two = {"config_key": "SYNC_EXCLUDE_DIR", "config_value": "/tmp"}
        assert (await admin.post(path, json={"configurations": [one, two]})).json() == {}
        changed = {**two, "config_value": "/var"}
        await admin.post(path, json={"configurations": [changed]})
        read = await get(admin, path)
        assert read == {"task_id": moved, "migrate_type": "LINUX_MIGRATE_BLOCK", "configurations": [one, changed]}
        assert (await get(admin, path, params={"config_key": "LINUX_CPU_LIMIT"}))["configurations"] == [one]
        assert (await get(admin, path, params={"config_key": "NOTHING"}))["configurations"] == []
        listed = (await get(admin, "/v3/tasks"))["tasks"][0]
        assert listed["special_config"] == [one, changed]

    run(data, check)


def test_consistency_results_are_objects_but_for_one_client(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        source, moved = await moving(admin)
        path = f"/v3/tasks/{moved}/consistency-result"
        assert await get(admin, path) == {"task_id": moved, "result_list": []}
        assert (await get(admin, "/v3/sources"))["source_servers"][0]["is_consistency_result_exist"] is False
        bad = {**FOLDER, "num_different_files": 1}
        for folders in ([FOLDER], [FOLDER, bad]):
            assert (await admin.post(path, json={"consistency_result": folders})).json() == {}
        objects = (await get(admin, path))["result_list"]
        assert [(item["check_result"], len(item["consistency_result"])) for item in objects] == [(True, 1), (False, 2)]
        texts = (await get(admin, path, headers={"User-Agent": "huaweicloud-usdk-go/3.0"}))["result_list"]
        assert [json.decode(text) for text in texts] == objects
        found = await get(admin, "/v3/sources", params={"is_consistency_result_exist": "true"})
        assert [item["id"] for item in found["source_servers"]] == [source]

    run(data, check)


def test_the_network_check_stands_in_the_task(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        _, moved = await moving(admin)
        assert "network_check_info" not in await get(admin, f"/v3/tasks/{moved}")
        answer = await admin.post(f"/v3/{moved}/update-network-check-info", json=CHECK)
        assert answer.json() == {"task_id": moved}
        assert (await get(admin, f"/v3/tasks/{moved}"))["network_check_info"] == CHECK

    run(data, check)


def test_collecting_the_log_sends_the_agent(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        source, moved = await moving(admin)
        for bucket in ("first", "second"):
            assert (await admin.post(f"/v3/tasks/{moved}/log", json={"log_bucket": bucket})).json() == {}
        told = await get(admin, f"/v3/sources/{source}/command")
        assert told == {"command_name": "UPLOAD_LOG", "command_param": {"task_id": moved, "bucket": "second"}}
        shown = (await get(admin, "/v3/sources"))["source_servers"][0]["current_task"]
        assert (shown["log_collect_status"], shown["log_bucket"]) == ("UPLOADING", "second")
        body = {"command_name": "UPLOAD_LOG", "result": "success", "result_detail": {}}
        await admin.post(f"/v3/sources/{source}/command_result", json=body)
        assert (await get(admin, f"/v3/tasks/{moved}"))["log_collect_status"] == "UPLOADED"

    run(data, check)


def test_templates_come_back_as_written_with_a_text_for_is_template(data: Path) -> None:
    template = {
        "name": "small",
        "is_template": True,
        "region": "region-1",
        "projectid": "p",
        "availability_zone": "az-1",
        "volumetype": "SSD",
        "flavor": "s6.small.1",
        "vpc": {"id": "autoCreate", "name": "vpc", "cidr": "192.168.0.0/16"},
        "nics": [{"id": "autoCreate", "name": "n", "cidr": "192.168.0.0/16", "ip": ""}],
        "security_groups": [{"id": "autoCreate", "name": "sg"}],
        "publicip": {"type": "5_bgp", "bandwidth_size": 10},
        "disk": [{"index": 0, "name": "system", "disktype": "SSD", "size": 40}],
    }

    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        first = await created(admin, "/v3/vm/templates", {"template": template})
        shown = (await get(admin, f"/v3/vm/templates/{first}"))["template"]
        assert shown == {**template, "id": first, "is_template": "true"}
        listed = await get(admin, "/v3/vm/templates", params={"name": "mal", "region": "region-1"})
        assert listed == {"count": 1, "templates": [shown]}
        assert (await get(admin, "/v3/vm/templates", params={"availability_zone": "az-2"}))["count"] == 0
        assert await get(admin, f"/v3/vm/templates/{first}/target-password") == {
            "template_id": first,
            "target_password": "",
        }
        changed = {"name": "large", "is_template": False}
        assert (await admin.put(f"/v3/vm/templates/{first}", json={"template": changed})).json() == {}
        assert (await get(admin, f"/v3/vm/templates/{first}"))["template"] == {
            "id": first,
            "name": "large",
            "is_template": "false",
        }

    run(data, check)


@pytest.mark.parametrize("change", [{"nics": [{"id": "a"}]}, {"nics": [{}]}, {"security_groups": [{"name": "sg"}]}])
def test_templates_with_incomplete_networks_are_refused(data: Path, change: Any) -> None:
    async def check(harness: Harness) -> None:
        answer = await (await harness.admin()).post("/v3/vm/templates", json={"template": {"name": "small", **change}})
        assert (answer.status_code, answer.json()["error_code"]) == (400, "SMS.6102")

    run(data, check)


def test_a_template_that_a_task_uses_stays_and_a_private_one_goes_with_its_task(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        source = await created(admin, "/v3/sources", registration())
        private = await created(admin, "/v3/vm/templates", {"template": {"name": "own", "is_template": False}})
        moved = await created(admin, "/v3/tasks", task(source, vm_template_id=private))
        refused = await admin.delete(f"/v3/vm/templates/{private}")
        assert (refused.status_code, refused.json()["error_code"]) == (400, "SMS.7111")
        assert (await admin.delete(f"/v3/tasks/{moved}")).json() == {}
        assert (await admin.get(f"/v3/vm/templates/{private}")).status_code == 404

    run(data, check)


def test_the_system_project_is_there_and_the_default(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        (system,) = (await get(admin, "/v3/migprojects"))["migprojects"]
        assert (system["name"], system["isdefault"]) == ("SystemProject", True)
        refused = await admin.delete(f"/v3/migprojects/{system['id']}")
        assert refused.status_code == 400

    run(data, check)


def test_projects_come_back_as_written(data: Path) -> None:
    body = {"name": "Mixed-Case_1", "region": "r", "type": "MIGRATE_FILE", "description": "", "speed_limit": 0}

    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        first = await created(admin, "/v3/migprojects", body)
        assert await get(admin, f"/v3/migprojects/{first}") == {**body, "isdefault": False}
        again = await admin.post("/v3/migprojects", json=body)
        assert again.status_code == 400
        await admin.put(f"/v3/migprojects/{first}", json={"syncing": True, "isdefault": True})
        assert await get(admin, f"/v3/migprojects/{first}") == {**body, "isdefault": True, "syncing": True}
        defaults = [item["name"] for item in (await get(admin, "/v3/migprojects"))["migprojects"] if item["isdefault"]]
        assert defaults == ["Mixed-Case_1"]
        source = await created(admin, "/v3/sources", registration())
        assert (await get(admin, f"/v3/sources/{source}"))["migprojectid"] == first
        assert (await get(admin, "/v3/sources", params={"migproject": first}))["count"] == 1

    run(data, check)


def test_there_are_fifty_projects_at_most(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        for number in range(49):
            await created(admin, "/v3/migprojects", {"name": f"p{number}", "region": "r", "type": "MIGRATE_BLOCK"})
        answer = await admin.post("/v3/migprojects", json={"name": "one-more", "region": "r", "type": "MIGRATE_BLOCK"})
        assert (answer.status_code, answer.json()["error_code"]) == (400, "SMS.8115")

    run(data, check)


def test_a_project_with_sources_stays(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        project = await created(admin, "/v3/migprojects", {"name": "p", "region": "r", "type": "MIGRATE_BLOCK"})
        source = await created(admin, "/v3/sources", registration())
        assert (await admin.put(f"/v3/sources/{source}", json={"migprojectid": project})).json() == {}
        assert (await admin.delete(f"/v3/migprojects/{project}")).status_code == 400
        assert (await admin.put(f"/v3/sources/{source}", json={"migprojectid": "nothing"})).status_code == 400
        await admin.delete(f"/v3/sources/{source}")
        assert (await admin.delete(f"/v3/migprojects/{project}")).json() == {}
        assert (await admin.get(f"/v3/migprojects/{project}")).status_code == 404

    run(data, check)


def test_the_overview_counts_states(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        _, moved = await moving(admin, "one")
        await created(admin, "/v3/sources", registration("two"))
        await admin.post(f"/v3/tasks/{moved}/action", json={"operation": "start"})
        counts = await get(admin, "/v3/sources/overview")
        assert len(counts) == 14
        assert {name: count for name, count in counts.items() if count} == {
            "waiting": 1,
            "initialize": 1,
            "unconfigured": 1,
        }

    run(data, check)


def test_failures_are_listed_with_text_inside_text(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        source, moved = await moving(admin)
        await moving(admin, "fine")
        await admin.post(f"/v3/tasks/{moved}/action", json={"operation": "start"})
        detail = {"error_code": "SMS.0515", "error_param": ["disk 1"]}
        body = {"command_name": "START", "result": "fail", "result_detail": detail}
        await admin.post(f"/v3/sources/{source}/command_result", json=body)
        listed = await get(admin, "/v3/errors", params={"offset": 0})
        assert listed["count"] == 1
        (failure,) = listed["migration_errors"]
        assert (failure["source_id"], failure["source_ip"], failure["target_ip"]) == (
            source,
            "192.0.2.10",
            "192.0.2.20",
        )
        inside = json.decode(failure["error_json"])
        assert inside["error_code"] == "SMS.0515"
        assert json.decode(inside["error_param"]) == ["disk 1"]
        assert await get(admin, "/v3/errors", params={"offset": 1}) == {"count": 1, "migration_errors": []}

    run(data, check)


def test_a_task_is_changed_in_what_is_named_alone(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        _, moved = await moving(admin)
        before = await get(admin, f"/v3/tasks/{moved}")
        body = {"name": "renamed", "speed_limit": 7, "target_server": {"ip": "198.51.100.1"}, "state": "SYNCING"}
        assert (await admin.put(f"/v3/tasks/{moved}", json=body)).json() == {"id": moved}
        after = await get(admin, f"/v3/tasks/{moved}")
        assert (after["name"], after["speed_limit"], after["state"]) == ("renamed", 7, "READY")
        assert after["target_server"] == {**before["target_server"], "ip": "198.51.100.1"}
        same = set(before) - {"name", "target_server"}
        assert {name: after[name] for name in same} == {name: before[name] for name in same}
        for bad in ({"type": "MIGRATE_NOTHING"}, {"speed_limit": 1001}):
            assert (await admin.put(f"/v3/tasks/{moved}", json=bad)).status_code == 400

    run(data, check)


def test_the_service_tells_texts_only_and_the_agreement_is_remembered(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        config = await get(admin, "/v3/config")
        for values in (config["config"], *config["regions"]):
            assert values
            assert all(isinstance(value, str) and value for value in values.values())
        assert await get(admin, "/v3/privacy-agreements") == {"flag": False}
        assert (await admin.post("/v3/privacy-agreements")).json() == {}
        assert await get(admin, "/v3/privacy-agreements") == {"flag": True}

    run(data, check)


def test_limit_0_is_the_default_and_an_offset_beyond_the_end_is_empty(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        await moving(admin)
        for path, items in (
            ("/v3/sources", "source_servers"),
            ("/v3/tasks", "tasks"),
            ("/v3/migprojects", "migprojects"),
        ):
            assert len((await get(admin, path, params={"limit": 0}))[items]) == 1
            beyond = await get(admin, path, params={"offset": 65535})
            assert (beyond["count"], beyond[items]) == (1, [])
            assert (await admin.get(path, params={"offset": 65536})).status_code == 400
            assert (await admin.get(path, params={"limit": 201})).status_code == 400

    run(data, check)
