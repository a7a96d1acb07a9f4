"""What clients other than the SDKs demand of the answers, over plain HTTP (the reference's "clients")."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.contract import documents
from tests.contract.acting import act, copy_state, report
from tests.contract.definitions import OPERATIONS, Operation
from tests.contract.filling import Filling, Json, fill
from tests.contract.running import Raw

UNKNOWN = "00000000-0000-4000-8000-000000000000"

NOT_FOUND = {"task_id": "SMS.7703", "source_id": "SMS.7602", "server_id": "SMS.7602", "id": "SMS.7101"}
"""The code of a missing object by the name of its id; the reference has none for migration projects."""

FOLDER: Json = {
    "dir_check": "/srv",
    "num_total_files": 3,
    "num_different_files": 0,
    "num_target_miss_files": 1,
    "num_target_more_files": 0,
}

LISTS = {
    "/v3/sources": "source_servers",
    "/v3/tasks": "tasks",
    "/v3/vm/templates": "templates",
    "/v3/migprojects": "migprojects",
    "/v3/errors": "migration_errors",
}
DEFAULT_LIMITS = {"/v3/sources": 200, "/v3/tasks": 100, "/v3/vm/templates": 50, "/v3/migprojects": 50, "/v3/errors": 50}

OF_ONE_OBJECT = sorted(
    operation.id for operation in OPERATIONS.values() if operation.path_parameters and operation.id != "ShowApiVersion"
)


def body_of(operation: Operation) -> Json | None:
    """Return a body that is right for an operation, but for what it's about."""
    return None if operation.body is None else fill(operation.body, Filling.USUAL)


@pytest.mark.parametrize("operation_id", OF_ONE_OBJECT)
def test_an_unknown_id_is_a_404_in_the_envelope(raw: Raw, operation_id: str) -> None:
    operation = OPERATIONS[operation_id]
    (name,) = operation.path_parameters
    answer = raw.signed(operation.method, operation.path.replace(f"{{{name}}}", UNKNOWN), body=body_of(operation))
    assert answer.status_code == 404, answer.text
    refusal = answer.json()
    assert refusal["error_code"] == NOT_FOUND.get(name, refusal["error_code"])
    assert 0 < len(refusal["error_msg"]) <= 1024
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize("operation_id", OF_ONE_OBJECT)
def test_an_id_that_is_none_is_a_bad_request(raw: Raw, operation_id: str) -> None:
    operation = OPERATIONS[operation_id]
    (name,) = operation.path_parameters
    answer = raw.signed(operation.method, operation.path.replace(f"{{{name}}}", "x" * 37), body=body_of(operation))
    assert (answer.status_code, answer.json()["error_code"]) == (400, "SMS.9001")


@pytest.fixture(scope="module")
def filled(raw: Raw) -> Iterator[None]:
    """At least three items in every list; one of the tasks has failed."""
    projects = []
    for number in range(3):
        source_id = raw.post("/v3/sources", documents.registration(f"listed-{number}"))["id"]
        task_id = raw.post("/v3/tasks", documents.task(source_id, f"listed-{number}"))["id"]
        act(raw, task_id, "start")
        report(raw, source_id, "START", "fail")
        raw.post("/v3/vm/templates", {"template": {"name": f"listed-{number}"}})
        project = {"name": f"listed-{uuid4()}", "region": "r", "type": "MIGRATE_BLOCK"}
        projects.append(raw.post("/v3/migprojects", project)["id"])
    yield
    for project_id in projects:
        raw.signed("DELETE", f"/v3/migprojects/{project_id}")


def page(raw: Raw, path: str, query: str) -> tuple[int, list[Any]]:
    """Return count and items of a list, which must be the only array at the top."""
    answer = raw.signed("GET", path, query=query)
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert [name for name, value in shown.items() if isinstance(value, list)] == [LISTS[path]]
    return shown["count"], shown[LISTS[path]]


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("path", LISTS)
class TestLists:
    """How clients page."""

    def test_beyond_the_end_there_is_an_empty_page(self, raw: Raw, path: str) -> None:
        for offset in (page(raw, path, "offset=0")[0], 65535):
            count, items = page(raw, path, f"limit=10&offset={offset}")
            assert items == []
            assert count > 0

    def test_paging_by_limit_and_offset_meets_everything_once(self, raw: Raw, path: str) -> None:
        found: list[str] = []
        while items := page(raw, path, f"limit=2&offset={len(found)}")[1]:
            assert len(items) <= 2
            found += [json.dumps(item) for item in items]
        assert len(found) == len(set(found)) == page(raw, path, "offset=0")[0]

    def test_paging_by_offset_alone_ends(self, raw: Raw, path: str) -> None:
        found = 0
        while items := page(raw, path, f"offset={found}")[1]:
            found += len(items)
        assert found == page(raw, path, "limit=1&offset=0")[0]

    def test_limit_0_is_the_default(self, raw: Raw, path: str) -> None:
        count, items = page(raw, path, "limit=0&offset=0")
        assert len(items) == min(count, DEFAULT_LIMITS[path])
        assert items == page(raw, path, "offset=0")[1]

    def test_the_greatest_limit_is_taken_and_no_greater_one(self, raw: Raw, path: str) -> None:
        greatest = 200 if path in {"/v3/sources", "/v3/tasks"} else 100
        count, items = page(raw, path, f"limit={greatest}&offset=0")
        assert len(items) == min(count, greatest)
        answer = raw.signed("GET", path, query=f"limit={greatest + 1}&offset=0")
        assert (answer.status_code, answer.json()["error_code"]) == (400, "SMS.9001")

    def test_parameters_without_a_value_count_as_absent(self, raw: Raw, path: str) -> None:
        assert page(raw, path, "id&limit=10") == page(raw, path, "limit=10")
        assert page(raw, path, "id=&name=&limit=&offset=") == page(raw, path, "")

    def test_a_body_on_a_get_is_let_be(self, raw: Raw, path: str) -> None:
        assert raw.signed("GET", path, content=b"{}", query="limit=1").status_code == 200
        assert raw.signed_in_chunks("GET", path).status_code == 200


@pytest.mark.parametrize("body", [b"{}", b'{"ids": []}', b"null", b"not JSON"])
def test_a_delete_may_carry_a_body(raw: Raw, task_id: str, source_id: str, body: bytes) -> None:
    assert raw.signed("DELETE", f"/v3/tasks/{task_id}", content=body).status_code == 200
    assert raw.signed("DELETE", f"/v3/sources/{source_id}", content=body).status_code == 200


def test_a_delete_may_come_in_chunks(raw: Raw, task_id: str, source_id: str) -> None:
    assert raw.signed_in_chunks("DELETE", f"/v3/tasks/{task_id}").status_code == 200
    assert raw.signed_in_chunks("DELETE", f"/v3/sources/{source_id}").status_code == 200


def test_making_a_project_the_default_takes_an_empty_object(raw: Raw) -> None:
    projects = raw.get("/v3/migprojects")["migprojects"]
    (system,) = [project for project in projects if project["name"] == "SystemProject"]
    assert system["isdefault"] is True
    assert raw.put(f"/v3/migprojects/{system['id']}/default", {}) == {}
    assert raw.signed("PUT", f"/v3/migprojects/{system['id']}/default").status_code == 200


def test_show_command_without_work_has_a_name(raw: Raw, source_id: str) -> None:
    answer = raw.signed("GET", f"/v3/sources/{source_id}/command")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["command_name"]


class TestExactReads:
    """Reads give back what was written; nothing is filled in where the client sent nothing."""

    def test_of_a_template(self, raw: Raw) -> None:
        template_id = raw.post("/v3/vm/templates", {"template": {"name": "bare"}})["id"]
        shown = raw.get(f"/v3/vm/templates/{template_id}")["template"]
        assert {name: value for name, value in shown.items() if value is not None} == {
            "id": template_id,
            "name": "bare",
        }

    @pytest.mark.parametrize(
        "ip", [{"type": "5_bgp"}, {"type": "5_sbgp", "bandwidth_size": 5}, {"bandwidth_size": 300}]
    )
    def test_of_a_public_address(self, raw: Raw, ip: Json) -> None:
        body = {"template": {"name": "with-ip", "publicip": ip, "is_template": True, "vpc": {"id": "autoCreate"}}}
        template_id = raw.post("/v3/vm/templates", body)["id"]
        shown = raw.get(f"/v3/vm/templates/{template_id}")["template"]
        assert (shown["publicip"], shown["is_template"], shown["vpc"]) == (ip, "true", {"id": "autoCreate"})

    def test_of_a_project(self, raw: Raw) -> None:
        sent = {"name": f"bare-{uuid4()}", "region": "", "type": "MIGRATE_FILE"}
        project_id = raw.post("/v3/migprojects", sent)["id"]
        assert raw.get(f"/v3/migprojects/{project_id}") == {**sent, "isdefault": False}
        raw.put(f"/v3/migprojects/{project_id}", {"description": "", "speed_limit": 0, "use_public_ip": False})
        written = {**sent, "isdefault": False, "description": "", "speed_limit": 0, "use_public_ip": False}
        assert raw.get(f"/v3/migprojects/{project_id}") == written
        assert raw.signed("DELETE", f"/v3/migprojects/{project_id}").status_code == 200

    def test_of_a_task(self, raw: Raw) -> None:
        sent = {"name": "bare", "os_type": "LINUX", "os_version": "X", "agent_version": "1", "ip": "192.0.2.1"}
        source_id = raw.post("/v3/sources", sent)["id"]
        document = {
            "name": "bare",
            "type": "MIGRATE_BLOCK",
            "source_server": {"id": source_id},
            "target_server": {"name": "t", "vm_id": str(uuid4())},
            **dict.fromkeys(("region_name", "region_id", "project_name", "project_id"), "r"),
        }
        shown = raw.get(f"/v3/tasks/{raw.post('/v3/tasks', document)['id']}")
        for field in ("speed_limit", "priority", "start_target_server", "syncing", "use_public_ip", "migration_ip"):
            assert shown.get(field) is None, field
        assert shown["target_server"].get("volume_groups") is None
        assert shown["target_server"]["disks"] == []

    def test_of_settings_and_limits(self, raw: Raw, task_id: str) -> None:
        settings = [{"config_key": "EXCLUDE_MIGRATE_PATH", "config_value": "/tmp"}]
        assert raw.post(f"/v3/tasks/{task_id}/configuration-setting", {"configurations": settings}) == {}
        assert raw.get(f"/v3/tasks/{task_id}/configuration-setting")["configurations"] == settings
        limits = {"speed_limit": [{"start": "0:00", "end": "24:00", "speed": 100}]}
        assert raw.post(f"/v3/tasks/{task_id}/speed-limit", limits) == {}
        assert raw.get(f"/v3/tasks/{task_id}/speed-limit") == limits

    def test_of_an_extra_disk_and_of_a_changed_one(self, raw: Raw, source_id: str) -> None:
        document = documents.task(source_id)
        extra = {"device_use": "NORMAL", "disk_id": "", "name": "disk 2", "size": 5 << 30, "physical_volumes": []}
        document["target_server"]["disks"] = [documents.TARGET_DISK, extra]
        shown = raw.get(f"/v3/tasks/{raw.post('/v3/tasks', document)['id']}")
        assert shown["target_server"]["disks"] == [documents.TARGET_DISK, extra]


class TestConsistencyResults:
    """Objects for all clients, texts for one."""

    def test_are_objects_with_a_number_for_the_time(self, raw: Raw, task_id: str) -> None:
        raw.post(f"/v3/tasks/{task_id}/consistency-result", {"consistency_result": [FOLDER]})
        (result,) = raw.get(f"/v3/tasks/{task_id}/consistency-result")["result_list"]
        assert type(result["finished_time"]) is int
        assert result["check_result"] is False
        assert result["consistency_result"] == [FOLDER]

    def test_are_texts_for_the_vendors_sdk_in_go(self, raw: Raw, task_id: str) -> None:
        raw.post(f"/v3/tasks/{task_id}/consistency-result", {"consistency_result": [FOLDER]})
        path = f"/v3/tasks/{task_id}/consistency-result"
        answer = raw.signed("GET", path, headers={"user-agent": "huaweicloud-usdk-go/3.0"})
        (text,) = answer.json()["result_list"]
        assert isinstance(text, str)
        assert json.loads(text) == raw.get(path)["result_list"][0]


class TestClones:
    """An object where there is none, or a list, breaks clients."""

    def test_there_is_none_at_first(self, raw: Raw, task_id: str, source_id: str) -> None:
        assert raw.get(f"/v3/sources/{source_id}")["current_task"].get("clone_server") is None
        (item,) = raw.signed("GET", "/v3/sources", query=f"id={source_id}").json()["source_servers"]
        assert item["current_task"].get("clone_server") is None
        assert raw.get(f"/v3/tasks/{task_id}").get("clone_server") is None

    def test_a_clone_is_an_object_in_lists(self, raw: Raw, task_id: str, source_id: str) -> None:
        raw.put(f"/v3/tasks/{task_id}", {"clone_server": {"vm_id": "clone-1", "clone_state": "FINISHED"}})
        (item,) = raw.signed("GET", "/v3/sources", query=f"id={source_id}").json()["source_servers"]
        assert item["current_task"]["clone_server"] == {"vm_id": "clone-1", "clone_state": "FINISHED"}
        (item,) = raw.signed("GET", "/v3/sources", query="vm_id=clone-1").json()["source_servers"]
        assert item["id"] == source_id


class TestTemplatesOfTasks:
    """A task that is gone has let its template go."""

    @pytest.mark.parametrize(("reusable", "status"), [(True, 200), (False, 404), (None, 200)])
    def test_a_private_template_goes_with_its_task(
        self, raw: Raw, source_id: str, reusable: bool | None, status: int
    ) -> None:
        template = {"name": "of-a-task"} | ({} if reusable is None else {"is_template": reusable})
        template_id = raw.post("/v3/vm/templates", {"template": template})["id"]
        task_id = raw.post("/v3/tasks", documents.task(source_id, vm_template_id=template_id))["id"]
        assert raw.signed("DELETE", f"/v3/vm/templates/{template_id}").json()["error_code"] == "SMS.7111"
        assert raw.signed("DELETE", f"/v3/tasks/{task_id}").status_code == 200
        assert raw.signed("GET", f"/v3/vm/templates/{template_id}").status_code == status
        assert raw.signed("DELETE", f"/v3/vm/templates/{template_id}").status_code == status


def test_right_after_start_a_task_runs_and_a_finished_one_says_so(raw: Raw, task_id: str, source_id: str) -> None:
    act(raw, task_id, "start")
    assert raw.get(f"/v3/tasks/{task_id}")["state"] == "RUNNING"
    copy_state(raw, source_id, "syncing", "syncing")
    assert raw.get(f"/v3/tasks/{task_id}")["state"] == "SYNCING"


def test_null_is_the_same_as_absent(raw: Raw) -> None:
    sent = {"name": "nulls", "os_type": "LINUX", "ip": "192.0.2.1"}
    nulls = dict.fromkeys(set(documents.registration()) - sent.keys())
    source_id = raw.post("/v3/sources", {**sent, **nulls})["id"]
    shown = raw.get(f"/v3/sources/{source_id}")
    assert not {field for field in nulls if shown.get(field) is not None} - {"state", "migration_cycle"}
    assert raw.put(f"/v3/sources/{source_id}", {"name": None, "migprojectid": None, "disks": None}) == {}
    assert raw.get(f"/v3/sources/{source_id}")["name"] == "nulls"
