"""Tasks from creation to deletion, as the vendor's client and plain HTTP see them."""

import time
from typing import Any

import pytest
from huaweicloudsdksms import v3
from huaweicloudsdksms.v3 import SmsClient

from tests.contract import documents
from tests.contract.acting import act, copy_state, report, states
from tests.contract.documents import progress
from tests.contract.running import Raw
from tests.contract.vendor import build

RETURNED = (
    *("name", "type", "os_type", "priority", "speed_limit", "region_id", "region_name", "project_name", "project_id"),
    *("start_target_server", "migration_ip", "vm_template_id", "need_migration_test"),
    *("use_public_ip", "syncing", "use_ipv6", "exist_server"),
)


def test_a_task_by_the_vendors_client_comes_back(sdk: SmsClient, source_id: str) -> None:
    body = build(v3.PostTask, documents.task(source_id))
    task_id = sdk.create_task(v3.CreateTaskRequest(body=body)).id
    shown = sdk.show_task(v3.ShowTaskRequest(task_id=task_id))
    assert (shown.id, shown.state) == (task_id, "READY")
    for name in RETURNED[:13]:
        assert getattr(shown, name) == getattr(body, name), name
    assert shown.source_server.id == source_id
    assert shown.source_server.os_type == "LINUX"
    assert shown.target_server.vm_id == body.target_server.vm_id
    assert shown.target_server.name == body.target_server.name
    assert shown.target_server.disks[0].name == "disk 1"
    assert shown.target_server.disks[0].size == documents.TARGET_DISK["size"]
    assert time.time() * 1000 - 60_000 < shown.create_date <= time.time() * 1000 + 1000
    assert shown.connected is True


@pytest.mark.parametrize("field", RETURNED)
def test_show_gives_back_what_was_asked_for(raw: Raw, source_id: str, field: str) -> None:
    document = documents.task(source_id)
    task_id = raw.post("/v3/tasks", document)["id"]
    assert raw.get(f"/v3/tasks/{task_id}")[field] == document[field]


def test_what_terraform_sends_is_accepted(raw: Raw, source_id: str) -> None:
    document = {
        "name": "MigrationTask",
        "type": "MIGRATE_BLOCK",
        "os_type": "LINUX",
        "region_id": "region-1",
        "region_name": "region-1",
        "project_id": "p",
        "project_name": "region-1",
        "exist_server": False,
        "use_public_ip": True,
        "start_target_server": True,
        "syncing": False,
        "auto_start": False,
        "vm_template_id": "5a6b7c8d-0000-4000-8000-000000000001",
        "source_server": {"id": source_id},
        "target_server": {
            "disks": [
                {
                    "device_use": "BOOT",
                    "disk_id": "",
                    "name": "disk 1",
                    "size": 21 * documents.GIB,
                    "physical_volumes": [{"name": "/dev/vda1", "uuid": "", "mount_point": "", "size": documents.GIB}],
                }
            ]
        },
    }
    task_id = raw.post("/v3/tasks", document)["id"]
    shown = raw.get(f"/v3/tasks/{task_id}")
    assert (shown["start_target_server"], shown["use_public_ip"], shown["syncing"]) == (True, True, False)
    disk = shown["target_server"]["disks"][0]
    assert disk["disk_id"] == ""
    assert (disk["physical_volumes"][0]["uuid"], disk["physical_volumes"][0]["mount_point"]) == ("", "")


def test_types_are_strict_in_answers(raw: Raw, task_id: str) -> None:
    act(raw, task_id, "start")
    raw.put(f"/v3/tasks/{task_id}/progress", progress("MIGRATE_LINUX_BLOCK", 10))
    shown = raw.get(f"/v3/tasks/{task_id}")
    assert type(shown["priority"]) is int
    assert type(shown["speed_limit"]) is int
    assert isinstance(shown["migrate_speed"], (int, float))
    assert type(shown["project_id"]) is str
    assert all(isinstance(name, str) for name in shown["target_server"].get("btrfs_list") or [])
    assert not shown.get("clone_server")
    (item,) = raw.signed("GET", "/v3/tasks", query=f"id={task_id}").json()["tasks"]
    assert item["syncing"] is True


def test_the_list_filters_and_pages(raw: Raw, sdk: SmsClient) -> None:
    made = []
    for number in range(3):
        source = raw.post("/v3/sources", documents.registration(f"listed-{number}"))["id"]
        made.append((source, raw.post("/v3/tasks", documents.task(source, f"listed-{number}"))["id"]))
    by_source = sdk.list_tasks(v3.ListTasksRequest(source_server_id=made[0][0]))
    assert [item.id for item in by_source.tasks] == [made[0][1]]
    by_id = sdk.list_tasks(v3.ListTasksRequest(id=made[1][1]))
    assert (by_id.count, by_id.tasks[0].name, by_id.tasks[0].state) == (1, "listed-1", "READY")
    assert sdk.list_tasks(v3.ListTasksRequest(name="listed-2", state="READY")).tasks[0].id == made[2][1]
    everything = sdk.list_tasks(v3.ListTasksRequest(limit=200))
    paged: list[Any] = []
    while page := sdk.list_tasks(v3.ListTasksRequest(limit=2, offset=len(paged))).tasks:
        paged += page
    assert len({item.id for item in paged}) == len(paged) == everything.count


def test_start_runs_a_task(raw: Raw, sdk: SmsClient, task_id: str) -> None:
    sdk.update_task_status(
        v3.UpdateTaskStatusRequest(task_id=task_id, body=v3.UpdateTaskStatusReq(operation="start", switch_hce=False))
    )
    assert states(raw, task_id) == ("RUNNING", "initialize")


def test_auto_start_needs_no_action_but_an_agent(raw: Raw, source_id: str) -> None:
    task_id = raw.post("/v3/tasks", documents.task(source_id, auto_start=True))["id"]
    assert states(raw, task_id)[0] == "READY"
    command = raw.get(f"/v3/sources/{source_id}/command")
    assert (command["command_name"], command["command_param"]["task_id"]) == ("START", task_id)
    report(raw, source_id, "START")
    assert states(raw, task_id)[0] == "RUNNING"


@pytest.mark.parametrize("operation", ["stop", "restart", "test", "cutover", "clear", "skip"])
def test_what_a_ready_task_cannot_do_is_refused(raw: Raw, task_id: str, operation: str) -> None:
    answer = raw.signed("POST", f"/v3/tasks/{task_id}/action", body={"operation": operation})
    assert answer.status_code == 400
    refusal = answer.json()
    assert refusal["error_code"] not in {"", "SMS.9001"}
    assert refusal["error_msg"]
    assert refusal["fix"]
    assert states(raw, task_id)[0] == "READY"


def test_an_unknown_operation_is_a_bad_request(raw: Raw, task_id: str) -> None:
    answer = raw.signed("POST", f"/v3/tasks/{task_id}/action", body={"operation": "explode"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "SMS.9001")


def test_progress_lands_in_subtask_task_and_source(raw: Raw, sdk: SmsClient, task_id: str, source_id: str) -> None:
    act(raw, task_id, "start")
    document = progress("MIGRATE_LINUX_BLOCK", 42)
    sdk.update_task_speed(v3.UpdateTaskSpeedRequest(task_id=task_id, body=build(v3.UpdateTaskSpeedReq, document)))
    shown = raw.get(f"/v3/tasks/{task_id}")
    subtask = next(item for item in shown["sub_tasks"] if item["name"] == "MIGRATE_LINUX_BLOCK")
    assert subtask["progress"] == 42
    assert subtask["process_trace"] == document["process_trace"]
    assert subtask["start_date"] > 0
    for field in ("migrate_speed", "compress_rate", "total_cpu_usage", "agent_cpu_usage", "total_mem_usage"):
        assert shown[field] == document[field], field
    for field in ("agent_mem_usage", "total_disk_io", "agent_disk_io"):
        assert shown[field] == document[field], field
    assert shown["remain_seconds"] == document["remain_time"]
    source = raw.get(f"/v3/sources/{source_id}")
    assert (source["replicatesize"], source["totalsize"]) == (document["replicatesize"], document["totalsize"])
    assert source["current_task"]["migrate_speed"] == document["migrate_speed"]


def test_a_subtask_that_is_done_has_an_end(raw: Raw, task_id: str) -> None:
    act(raw, task_id, "start")
    raw.put(f"/v3/tasks/{task_id}/progress", progress("SSL_CONFIG", 50))
    raw.put(f"/v3/tasks/{task_id}/progress", progress("SSL_CONFIG", 100))
    subtask = next(item for item in raw.get(f"/v3/tasks/{task_id}")["sub_tasks"] if item["name"] == "SSL_CONFIG")
    assert subtask["progress"] == 100
    assert subtask["end_date"] >= subtask["start_date"]


def test_a_whole_migration_with_synchronisation(raw: Raw, task_id: str, source_id: str) -> None:
    act(raw, task_id, "start")
    report(raw, source_id, "START")
    assert states(raw, task_id)[0] == "RUNNING"
    for subtask in ("SSL_CONFIG", "ATTACH_AGENT_IMAGE", "FORMAT_DISK_LINUX_BLOCK", "MIGRATE_LINUX_BLOCK"):
        raw.put(f"/v3/tasks/{task_id}/progress", progress(subtask, 100))
    copy_state(raw, source_id, "replicate", "replicating")
    assert states(raw, task_id) == ("RUNNING", "replicate")
    copy_state(raw, source_id, "syncing", "syncing")
    assert states(raw, task_id) == ("SYNCING", "syncing")
    act(raw, task_id, "cutover")
    assert states(raw, task_id)[1] == "cutovering"
    names = [item["name"] for item in raw.get(f"/v3/tasks/{task_id}")["sub_tasks"]]
    assert {"CONFIGURE_LINUX_BLOCK", "DETTACH_AGENT_IMAGE"} <= set(names)
    command = raw.get(f"/v3/sources/{source_id}/command")
    assert command["command_name"] == "START"
    report(raw, source_id, "START")
    for subtask in ("CONFIGURE_LINUX_BLOCK", "DETTACH_AGENT_IMAGE"):
        raw.put(f"/v3/tasks/{task_id}/progress", progress(subtask, 100))
    copy_state(raw, source_id, "cutovering", "cutovering")
    copy_state(raw, source_id, "finished", "cutovered")
    assert states(raw, task_id) == ("MIGRATE_SUCCESS", "finished")
    shown = raw.get(f"/v3/tasks/{task_id}")
    assert shown["finish_date"] >= shown["start_date"] > 0
    assert raw.get(f"/v3/sources/{source_id}/command")["command_name"] == "TASK_HAS_FINISHED"
    events = raw.get(f"/wherry/v1/tasks/{task_id}/events")
    assert events["count"] == len(events["events"])
    walk = [event["to"] for event in events["events"] if event["entity"] == "task"]
    assert walk[-1] == "MIGRATE_SUCCESS"
    assert [event["at"] for event in events["events"]] == sorted(event["at"] for event in events["events"])


def test_stop_and_start_again(raw: Raw, task_id: str, source_id: str) -> None:
    act(raw, task_id, "start")
    report(raw, source_id, "START")
    act(raw, task_id, "stop")
    assert states(raw, task_id) == ("ABORTING", "stopping")
    assert raw.get(f"/v3/sources/{source_id}/command")["command_name"] == "STOP"
    report(raw, source_id, "STOP")
    assert states(raw, task_id) == ("ABORT", "stopped")
    assert raw.get(f"/v3/sources/{source_id}/command")["command_name"] == "TASK_HAS_STOPPED"
    act(raw, task_id, "start")
    assert states(raw, task_id)[0] == "RUNNING"


def test_deleting_a_task_unlinks_its_source(raw: Raw, sdk: SmsClient, task_id: str, source_id: str) -> None:
    sdk.delete_task(v3.DeleteTaskRequest(task_id=task_id))
    answer = raw.signed("GET", f"/v3/tasks/{task_id}")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "SMS.7703")
    source = raw.get(f"/v3/sources/{source_id}")
    assert source.get("current_task") is None
    assert (source["state"], source["migration_cycle"]) == ("waiting", "setting")
    assert raw.post("/v3/tasks", documents.task(source_id))["id"]


def test_a_task_at_work_cannot_be_deleted(raw: Raw, task_id: str) -> None:
    act(raw, task_id, "start")
    answer = raw.signed("DELETE", f"/v3/tasks/{task_id}")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "SMS.7719")
    assert states(raw, task_id)[0] == "RUNNING"


def test_secrets_of_the_data_channel(raw: Raw, sdk: SmsClient, task_id: str) -> None:
    keys = sdk.show_cert_key(v3.ShowCertKeyRequest(task_id=task_id, enable_ca_cert=True))
    for text in (keys.cert, keys.ca, keys.target_data_cert, keys.target_mgmt_cert):
        assert text.startswith("-----BEGIN CERTIFICATE-----")
    for text in (keys.private_key, keys.target_data_private_key, keys.target_mgmt_private_key):
        assert text.startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    secret = sdk.show_passphrase(v3.ShowPassphraseRequest(task_id=task_id))
    assert secret.task_id == task_id
    assert len(secret.passphrase) >= 20
    again = sdk.show_cert_key(v3.ShowCertKeyRequest(task_id=task_id))
    assert again.cert == keys.cert
    assert raw.get(f"/v3/tasks/{task_id}/passphrase")["passphrase"] == secret.passphrase


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"source_server": {"id": "00000000-0000-4000-8000-000000000000"}}, "SMS.7602"),
        ({"migration_ip": "not an address"}, "SMS.6602"),
        ({"migration_ip": "2001:db8::1"}, "SMS.6602"),
        ({"name": "no blanks allowed"}, None),
        ({"name": ""}, None),
        ({"name": "x" * 65}, None),
        ({"type": "MIGRATE_TAPE"}, None),
        ({"speed_limit": 1001}, "SMS.9001"),
        ({"over_speed_threshold": 5}, "SMS.9001"),
        ({"priority": 70000}, "SMS.9001"),
        ({"syncing": "perhaps"}, "SMS.9001"),
    ],
)
def test_a_task_with_a_fault_is_refused(raw: Raw, source_id: str, change: dict[str, Any], code: str | None) -> None:
    answer = raw.signed("POST", "/v3/tasks", body=documents.task(source_id) | change)
    assert answer.status_code in {400, 404}, answer.text
    assert code is None or answer.json()["error_code"] == code
    assert raw.get(f"/v3/sources/{source_id}").get("current_task") is None


@pytest.mark.parametrize("field", ["name", "type", "region_name", "region_id", "project_name", "project_id"])
def test_a_task_without_a_required_field_is_refused(raw: Raw, source_id: str, field: str) -> None:
    document = documents.task(source_id)
    del document[field]
    answer = raw.signed("POST", "/v3/tasks", body=document)
    assert answer.status_code == 400
    assert field in answer.json()["error_msg"]


def test_a_source_has_one_task_at_a_time(raw: Raw, task_id: str, source_id: str) -> None:
    answer = raw.signed("POST", "/v3/tasks", body=documents.task(source_id, "second"))
    assert (answer.status_code, answer.json()["error_code"]) == (400, "SMS.7605")


def test_a_source_that_failed_its_checks_gets_no_task(raw: Raw) -> None:
    source_id = raw.post("/v3/sources", documents.registration("lilo", boot_loader="LILO", state=None))["id"]
    answer = raw.signed("POST", "/v3/tasks", body=documents.task(source_id))
    assert (answer.status_code, answer.json()["error_code"]) == (400, "SMS.6520")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"subtask_name": "DANCE"}, "subtask_name"),
        ({"progress": 101}, "progress"),
        ({"progress": -1}, "progress"),
        ({"process_trace": "x" * 2049}, "process_trace"),
        ({"replicatesize": -1}, "replicatesize"),
        ({"agent_time": "x" * 31}, "agent_time"),
        ({"progress": None}, "progress"),
    ],
)
def test_progress_with_a_fault_is_refused(raw: Raw, task_id: str, change: dict[str, Any], field: str) -> None:
    answer = raw.signed("PUT", f"/v3/tasks/{task_id}/progress", body=progress("SSL_CONFIG", 1) | change)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "SMS.9001")
    assert field in answer.json()["error_msg"]
