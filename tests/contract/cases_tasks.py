"""Each operation on tasks and what belongs to them: what is written is read back."""

import json
from typing import Any
from uuid import uuid4

from tests.contract.definitions import MODELS
from tests.contract.exercise import ID, RECENT, Exercise, Like
from tests.contract.filling import Filling, Json, fill
from tests.contract.migrations import (
    act,
    configure,
    create,
    register,
    registration,
    report,
    shown_task,
    task_body,
    under_way,
)
from tests.contract.sheets import sheet_of

CERTIFICATE = Like("a certificate in PEM", lambda text: text.startswith("-----BEGIN CERTIFICATE-----"))
KEY = Like("an encrypted key in PEM", lambda text: text.startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----"))


def create_task(exercise: Exercise, filling: Filling) -> None:
    source = registration(filling)
    source_id = register(exercise, source)
    body = task_body(filling, source_id)
    task_id = exercise.call("CreateTask", {"id": ID}, body=body)["id"]
    shown = exercise.call("ShowTask", task_id=task_id)
    _check_ready(shown, body)
    for outside in ("use_public_ip", "syncing", "use_ipv6"):  # of the published definition, and yet read by clients
        assert shown[outside] == body[outside], outside
    assert exercise.call("ShowServer", source_id=source_id)["current_task"]["id"] == task_id
    (item,) = exercise.call("ListTasks", source_server_id=source_id)["tasks"]
    assert item["syncing"] == body["syncing"]


def create_task_that_starts(exercise: Exercise, filling: Filling) -> None:
    source_id = register(exercise, registration(filling))
    task_id = exercise.call("CreateTask", body=task_body(filling, source_id, auto_start=True))["id"]
    command = exercise.call("ShowCommand", server_id=source_id)
    assert command == {"command_name": "START", "command_param": {"task_id": task_id}}


def show_task(exercise: Exercise, filling: Filling) -> None:
    migration = under_way(exercise, filling)
    expected = shown_task(migration)
    exercise.call("ShowTask", expected, task_id=migration.task_id)
    report(exercise, migration.source_id, "START", "fail", {"error_code": "SMS.5102", "error_param": []})
    failed = {"state": "MIGRATE_FAIL", "error_json": _error("SMS.5102"), "finish_date": RECENT, "total_time": _SHORT}
    source = {**expected["source_server"], "state": "error"}
    exercise.call("ShowTask", {**expected, **failed, "source_server": source}, task_id=migration.task_id)


def list_tasks(exercise: Exercise, filling: Filling) -> None:
    migration = under_way(exercise, filling)
    expected = shown_task(migration)
    found = {"count": 1, "tasks": [expected]}
    filters: dict[str, tuple[Any, Any]] = {
        "state": ("RUNNING", "READY"),
        "name": (expected["name"], "no-task-is-called-that"),
        "source_server_id": (migration.source_id, str(uuid4())),
        "enterprise_project_id": (migration.enterprise_project, "of another"),
    }
    own: Json = {"id": migration.task_id, "limit": 200, "offset": 0}
    exercise.call("ListTasks", found, **{name: fits for name, (fits, _) in filters.items()}, **own)
    for name, (fits, fails) in filters.items():
        exercise.call("ListTasks", found, **{name: fits}, **own)
        exercise.call("ListTasks", {"count": 0, "tasks": []}, **{name: fails}, **own)
    exercise.call("ListTasks", {"count": 1, "tasks": []}, id=migration.task_id, offset=1)
    report(exercise, migration.source_id, "START", "fail", {"error_code": "SMS.5102", "error_param": []})
    failed = {"state": "MIGRATE_FAIL", "error_json": _error("SMS.5102"), "total_time": _SHORT}
    source = {**expected["source_server"], "state": "error"}
    exercise.call("ListTasks", {"count": 1, "tasks": [{**expected, **failed, "source_server": source}]}, **own)


def update_task(exercise: Exercise, filling: Filling) -> None:
    source_id, _, task_id, task = create(exercise, filling)
    changes = fill("PutTaskReq", filling, {"target_server.vm_id": str(uuid4()), "target_server.os_type": "LINUX"})
    answer = exercise.call("UpdateTask", {"id": task_id}, body=changes, task_id=task_id)
    assert answer == {"id": task_id}
    shown = exercise.call("ShowTask", task_id=task_id)
    names = {field.name for field in MODELS["PutTaskReq"]} & {field.name for field in MODELS["ShowTaskResponse"]}
    for name in names - {"target_server"}:
        assert shown[name] == changes[name], name
    for outside in ("use_public_ip", "use_ipv6", "exist_server"):
        assert shown[outside] == changes[outside], outside
    target = {
        **changes["target_server"],
        "btrfs_list": [each["name"] for each in changes["target_server"]["btrfs_list"]],
    }
    for field in MODELS["TaskTargetServer"]:
        assert shown["target_server"][field.name] == target[field.name], field.name
    untouched = {field.name for field in MODELS["ShowTaskResponse"]} & task.keys() - names - {"source_server"}
    for name in untouched:
        assert shown[name] == task[name], name
    assert exercise.call("ShowServer", source_id=source_id)["current_task"]["clone_server"] == changes["clone_server"]


def delete_task(exercise: Exercise, filling: Filling) -> None:
    source_id, _, task_id, _ = create(exercise, filling)
    exercise.call("DeleteTask", task_id=task_id)
    assert exercise.raw.signed("GET", f"/v3/tasks/{task_id}").status_code == 404
    shown = exercise.call("ShowServer", source_id=source_id)
    assert (shown.get("current_task"), shown["state"], shown["migration_cycle"]) == (None, "waiting", "setting")
    exercise.call("CreateTask", body=task_body(filling, source_id))


def delete_tasks(exercise: Exercise, filling: Filling) -> None:
    ids = [create(exercise, filling)[2] for _ in range(3)]
    exercise.call("DeleteTasks", body={"ids": ids[:2]})
    statuses = [exercise.raw.signed("GET", f"/v3/tasks/{task_id}").status_code for task_id in ids]
    assert statuses == [404, 404, 200]
    refused = exercise.raw.signed("POST", "/v3/tasks/delete", body={"ids": [ids[2], ids[0]]})
    assert (refused.status_code, refused.json()["error_code"]) == (404, "SMS.7703")
    assert exercise.raw.get(f"/v3/tasks/{ids[2]}")["id"] == ids[2], "all or none"


def update_task_status(exercise: Exercise, filling: Filling) -> None:
    source_id, _, task_id, _ = create(exercise, filling)
    body = fill("UpdateTaskStatusReq", filling, {"operation": "start"})
    exercise.call("UpdateTaskStatus", body=body, task_id=task_id)
    assert exercise.call("ShowTask", task_id=task_id)["state"] == "RUNNING"
    assert exercise.call("ShowCommand", server_id=source_id)["command_name"] == "START"
    exercise.call("UpdateTaskStatus", body={**body, "operation": "stop"}, task_id=task_id)
    shown = exercise.call("ShowTask", task_id=task_id)
    assert (shown["state"], shown["source_server"]["state"]) == ("ABORTING", "stopping")
    report(exercise, source_id, "STOP", "success", {})
    assert exercise.call("ShowTask", task_id=task_id)["state"] == "ABORT"


def update_task_speed(exercise: Exercise, filling: Filling) -> None:
    source_id, _, task_id, task = create(exercise, filling)
    act(exercise, task_id, "start")
    body = fill("UpdateTaskSpeedReq", filling, {"subtask_name": "MIGRATE_LINUX_BLOCK"})
    exercise.call("UpdateTaskSpeed", body=body, task_id=task_id)
    shown = exercise.call("ShowTask", task_id=task_id)
    subtask = next(each for each in shown["sub_tasks"] if each["name"] == "MIGRATE_LINUX_BLOCK")
    assert (subtask["progress"], subtask["process_trace"]) == (body["progress"], body["process_trace"])
    figures = [name for name in body if name.startswith(("total_", "agent_")) and name != "agent_time"]
    for name in (*figures, "migrate_speed", "compress_rate"):
        assert shown[name] == body[name], name
    assert shown["remain_seconds"] == body["remain_time"]
    source = exercise.call("ShowServer", source_id=source_id)
    assert (source["replicatesize"], source["totalsize"]) == (body["replicatesize"], body["totalsize"])
    assert shown["need_migration_test"] == task["need_migration_test"]


def speed_limits(exercise: Exercise, filling: Filling) -> None:
    task_id = create(exercise, filling)[2]
    exercise.call("ShowsSpeedLimits", {"speed_limit": []}, task_id=task_id)
    for times in (("0:00", "12:30"), ("12:30", "24:00")):  # the second list replaces the first
        given = {"speed_limit.start": times[0], "speed_limit.end": times[1]}
        body = fill("SpeedLimit", filling, given)
        exercise.call("UpdateSpeed", body=body, task_id=task_id)
        exercise.call("ShowsSpeedLimits", body, task_id=task_id)


def configuration_settings(exercise: Exercise, filling: Filling) -> None:
    task_id = create(exercise, filling)[2]
    nothing = {"task_id": task_id, "migrate_type": "LINUX_MIGRATE_BLOCK", "configurations": []}
    exercise.call("ShowConfigSetting", nothing, task_id=task_id)
    settings = configure(exercise, filling, task_id)
    exercise.call("ShowConfigSetting", {**nothing, "configurations": settings}, task_id=task_id)
    for setting in settings:
        one = {**nothing, "configurations": [setting]}
        exercise.call("ShowConfigSetting", one, task_id=task_id, config_key=setting["config_key"])
    exercise.call("ShowConfigSetting", nothing, task_id=task_id, config_key="DYNAMIC_PORT")


def collect_log(exercise: Exercise, filling: Filling) -> None:
    source_id, _, task_id, _ = create(exercise, filling)
    body = fill("UploadLogRequestBody", filling)
    exercise.call("CollectLog", body=body, task_id=task_id)
    (item,) = exercise.call("ListServers", id=source_id)["source_servers"]
    log = item["current_task"]
    assert (log["log_bucket"], log["log_collect_status"]) == (body["log_bucket"], "UPLOADING")
    command = exercise.call("ShowCommand", server_id=source_id)
    assert command["command_name"] == "UPLOAD_LOG"
    assert command["command_param"].get("bucket", "") == body["log_bucket"]
    report(exercise, source_id, "UPLOAD_LOG", "success", {"object": "log.tar.gz"})
    (item,) = exercise.call("ListServers", id=source_id)["source_servers"]
    assert item["current_task"]["log_collect_status"] == "UPLOADED"
    assert RECENT.fits(item["current_task"]["log_upload_time"])


def update_network_check_info(exercise: Exercise, filling: Filling) -> None:
    task_id = create(exercise, filling)[2]
    body = fill("NetworkCheckInfoRequestBody", filling)
    exercise.call("UpdateNetworkCheckInfo", {"task_id": task_id}, body=body, task_id=task_id)
    assert exercise.call("ShowTask", task_id=task_id)["network_check_info"] == body
    (item,) = exercise.call("ListTasks", id=task_id)["tasks"]
    assert item["network_check_info"] == body


def consistency_results(exercise: Exercise, filling: Filling) -> None:
    task_id = create(exercise, filling)[2]
    exercise.call("ShowConsistencyResult", {"task_id": task_id, "result_list": []}, task_id=task_id)
    reports = [fill("SetConsistencyResultRequestBody", filling), fill("SetConsistencyResultRequestBody", Filling.OTHER)]
    for sent in reports:
        exercise.call("UpdateConsistencyResult", body=sent, task_id=task_id)
    results = exercise.call("ShowConsistencyResult", task_id=task_id)["result_list"]
    assert [result["consistency_result"] for result in results] == [sent["consistency_result"] for sent in reports]
    assert all(RECENT.fits(result["finished_time"]) for result in results)
    counts = ("num_different_files", "num_target_miss_files", "num_target_more_files")
    for result in results:
        equal = not any(folder[count] for folder in result["consistency_result"] for count in counts)
        assert result["check_result"] is equal


def show_cert_key(exercise: Exercise, filling: Filling) -> None:
    task_id = create(exercise, filling)[2]
    certificates = ("cert", "target_mgmt_cert", "target_data_cert", "ca")
    keys = ("private_key", "target_mgmt_private_key", "target_data_private_key")
    expected = dict.fromkeys(certificates, CERTIFICATE) | dict.fromkeys(keys, KEY)
    exercise.call("ShowCertKey", expected, task_id=task_id, enable_ca_cert=True)
    exercise.call("ShowCertKey", {**expected, "ca": None}, task_id=task_id, enable_ca_cert=False)


def show_passphrase(exercise: Exercise, filling: Filling) -> None:
    task_id = create(exercise, filling)[2]
    secret = Like("a long secret", lambda text: len(text) >= 20)
    first = exercise.call("ShowPassphrase", {"task_id": task_id, "passphrase": secret}, task_id=task_id)
    assert exercise.call("ShowPassphrase", task_id=task_id) == first


_SHORT = Like("less than a minute", lambda value: 0 <= value < 60_000)


def _error(code: str) -> Like:
    return Like(f"text that holds {code}", lambda text: json.loads(text)["error_code"] == code)


def _check_ready(shown: Json, body: Json) -> None:
    """Assert that a new task shows what it was created with, and nothing that nobody wrote."""
    expected = {"state": "READY", "connected": True, "enterprise_project_id": "default"}
    for name, value in expected.items():
        assert shown[name] == value, name
    written = {field.name for field in MODELS["ShowTaskResponse"]} & body.keys() - {"source_server", "target_server"}
    for name in written:
        assert shown[name] == body[name], name
    target = body["target_server"]
    for name in ("vm_id", "name", "disks", "volume_groups"):
        assert shown["target_server"][name] == target[name], name
    assert shown["target_server"]["btrfs_list"] == [each["name"] for each in target["btrfs_list"]]
    made = {*expected, *written, "source_server", "target_server", "id", "create_date", "sub_tasks"}
    for name in {field.name for field in MODELS["ShowTaskResponse"]} - made:
        assert shown.get(name) is None, f"{name} is {shown[name]!r} although nobody wrote it"


def export_consistency_results(exercise: Exercise, filling: Filling) -> None:
    (source_id, source, task_id, task), (other_source, _, other, _) = (create(exercise, filling) for _ in range(2))
    report = fill("SetConsistencyResultRequestBody", filling)
    exercise.call("UpdateConsistencyResult", body=report, task_id=task_id)
    whose = {"task_id": task_id, "source_id": source_id, "source_name": source["name"]}
    body = {"task_info": [whose, {"task_id": other, "source_id": other_source, "source_name": "has no results"}]}
    for language, first in (("en-us", "Source name"), ("zh-cn", "源端名称")):
        heading, *lines = sheet_of(exercise.download("ExportConsistencyResults", body=body, x_language=language))
        assert (heading[0], len(heading)) == (first, 11)
        for line, folder in zip(lines, report["consistency_result"], strict=True):
            assert line[:4] == [source["name"], source_id, task["name"], task_id]
            assert line[6] == folder["dir_check"]
            assert line[7:] == [
                *(folder["num_total_files"], folder["num_different_files"]),
                *(folder["num_target_miss_files"], folder["num_target_more_files"]),
            ]
