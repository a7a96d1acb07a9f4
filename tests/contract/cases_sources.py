"""Each operation on sources: what is written is read back."""

import itertools
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from tests.contract import documents
from tests.contract.documents import GIB, as_registered
from tests.contract.exercise import ID, RECENT, Exercise, Like
from tests.contract.filling import Filling, Json, fill, without
from tests.contract.migrations import (
    act,
    create,
    register,
    registration,
    report,
    shown_source,
    shown_source_at_work,
    task_body,
    under_way,
)

COUNTED = (
    *("waiting", "replicate", "syncing", "stopped", "deleting", "cutovering", "unavailable", "stopping"),
    *("skipping", "finished", "initialize", "error", "cloning"),
)


def register_server(exercise: Exercise, filling: Filling) -> None:
    body = registration(filling)
    answer = exercise.call("RegisterServer", {"id": ID}, body=body)
    assert answer["id"] != body["id"], "an id that nobody knows makes no record of that id"
    exercise.call("ShowServer", shown_source(body, answer["id"]), source_id=answer["id"])
    other = {Filling.USUAL: Filling.OTHER, Filling.OTHER: Filling.LARGEST}.get(filling, Filling.USUAL)
    again = registration(other, id=answer["id"])
    exercise.call("RegisterServer", {"id": answer["id"]}, body=again)
    exercise.call("ShowServer", shown_source(again, answer["id"]), source_id=answer["id"])


def show_server(exercise: Exercise, filling: Filling) -> None:
    migration = under_way(exercise, filling)
    exercise.call("ShowServer", shown_source_at_work(migration), source_id=migration.source_id)


def list_servers(exercise: Exercise, filling: Filling) -> None:
    migration = under_way(exercise, filling)
    project_id = _move_to_project(exercise, filling, migration.source_id)
    exercise.call("CollectLog", body={"log_bucket": "a-bucket"}, task_id=migration.task_id)
    exercise.raw.put(f"/wherry/v1/tasks/{migration.task_id}/log", documents.agent_log(b"a line"))
    for command in ("START", "UPLOAD_LOG"):
        report(exercise, migration.source_id, command, "success", {})
    result = fill("SetConsistencyResultRequestBody", Filling.USUAL)
    exercise.call("UpdateConsistencyResult", body=result, task_id=migration.task_id)
    expected = shown_source_at_work(migration)
    expected["is_consistency_result_exist"] = True
    expected["enterprise_project_id"] = "of the project"
    expected["current_task"] |= {
        "log_bucket": "a-bucket",
        "log_collect_status": "UPLOADED",
        "log_upload_time": RECENT,
        "log_expire": 64800,
        "log_share_url": Like(
            "a link to the log", lambda url: url.endswith(f"/wherry/v1/tasks/{migration.task_id}/log")
        ),
    }
    filters: dict[str, tuple[Any, Any]] = {
        "state": ("initialize", "error"),
        "name": (migration.source["name"], "no server is called that"),
        "migproject": (project_id, str(uuid4())),
        "migration_cycle": ("replicating", "cutovered"),
        "connected": (True, False),
        "enterprise_project_id": ("of the project", "of another"),
        "is_consistency_result_exist": (True, False),
        "vm_id": (migration.update["clone_server"]["vm_id"], "no-such-clone"),
        "ip": (migration.source["ip"], "192.0.2.255"),
    }
    filters = {name: values for name, values in filters.items() if values[0] != ""}  # empty is no filter
    own: Json = {"id": migration.source_id, "limit": 200, "offset": 0}
    found = {"count": 1, "source_servers": [expected]}
    fitting = {name: fits for name, (fits, _) in filters.items()}
    if "ip" in fitting:
        exercise.call("ListServers", found, ipv6="ip wins over ipv6", **fitting, **own)
    exercise.call("ListServers", found, ipv6=migration.source["ipv6"], **without(fitting, "ip"), **own)
    for name, (fits, fails) in filters.items():
        exercise.call("ListServers", found, **{name: fits}, **own)
        exercise.call("ListServers", {"count": 0, "source_servers": []}, **{name: fails}, **own)
    exercise.call("ListServers", {"count": 0, "source_servers": []}, ipv6="2001:db8::ffff", **own)
    beyond = {"count": 1, "source_servers": []}
    exercise.call("ListServers", beyond, id=migration.source_id, offset=1)


def show_overview(exercise: Exercise, filling: Filling) -> None:
    before = exercise.call("ShowOverview")
    for state in COUNTED:
        given = {"boot_loader": "LILO", "state": "waiting"} if state == "unavailable" else {"state": state}
        register(exercise, registration(filling, **given))
    create(exercise, filling)
    expected = {state: before[state] + 1 for state in COUNTED}
    expected["waiting"] += 1
    exercise.call("ShowOverview", {**expected, "unconfigured": before["unconfigured"] + len(COUNTED)})


def update_server_name(exercise: Exercise, filling: Filling) -> None:
    body = registration(filling)
    source_id = register(exercise, body)
    project_id = str(exercise.call("CreateMigproject", body=_project(filling))["id"])
    before = exercise.call("ShowServer", source_id=source_id)
    name = fill("PutSourceServerBody", filling)["name"]
    # Values of their own for each: nothing may be mixed up.
    chosen = _chosen(before, itertools.count(1), flag=filling is Filling.OTHER)
    update = {"name": name, "migprojectid": project_id, **chosen}
    exercise.call("UpdateServerName", body=update, source_id=source_id)
    # An empty name is none: the record keeps the one that it has.
    expected = shown_source(body, source_id) | {"name": update["name"] or body["name"]}
    expected["enterprise_project_id"] = "of the project"
    after = exercise.call("ShowServer", expected, source_id=source_id)
    # Outside of the definition, hence not compared by `call`.
    assert _chosen(after, None, flag=None) == {name: update[name] for name in ("disks", "volume_groups")}
    found = exercise.call("ListServers", migproject=project_id)
    assert [server["id"] for server in found["source_servers"]] == [source_id]


def update_disk_info(exercise: Exercise, filling: Filling) -> None:
    body = registration(Filling.USUAL)
    source_id = register(exercise, body)
    info = fill("PutDiskInfoReq", filling, {"disks.size": 5 * GIB, "disks.physical_volumes.size": GIB})
    exercise.call("UpdateDiskInfo", body=info, source_id=source_id)
    facts = {"disks": info["disks"], "volume_groups": info["volumegroups"], "btrfs_list": info["btrfs_list"]}
    exercise.call("ShowServer", shown_source({**body, **facts}, source_id), source_id=source_id)
    exercise.call("CreateTask", body=task_body(filling, source_id))
    later = fill("PutDiskInfoReq", Filling.USUAL)
    exercise.call("UpdateDiskInfo", body=later, source_id=source_id)
    shown = exercise.call("ShowServer", source_id=source_id)
    assert as_registered(shown["disks"]) == info["disks"], "it has a target by now"


def update_copy_state(exercise: Exercise, filling: Filling) -> None:
    source_id, _, task_id, _ = create(exercise, filling, syncing=True)
    act(exercise, task_id, "start")
    for copystate, cycle, state, task in (
        ("init", "replicating", "initialize", "RUNNING"),
        ("replicate", "replicating", "replicate", "RUNNING"),
        ("syncing", "syncing", "syncing", "SYNCING"),
        ("cutovering", "cutovering", "cutovering", "SYNCING"),
        ("finished", "cutovered", "finished", "MIGRATE_SUCCESS"),
        ("error", "replicating", "finished", "MIGRATE_SUCCESS"),  # the guard: accepted, nothing is changed
    ):
        body = {"copystate": copystate, "migrationcycle": cycle}
        exercise.call("UpdateCopyState", body=body, source_id=source_id)
        shown = exercise.call("ShowServer", source_id=source_id)
        assert (shown["state"], shown["current_task"]["state"]) == (state, task)
        assert shown["migration_cycle"] == ("cutovered" if state == "finished" else cycle)


def delete_server(exercise: Exercise, filling: Filling) -> None:
    source_id, _, task_id, _ = create(exercise, filling)
    exercise.call("DeleteServer", source_id=source_id)
    assert _is_gone(exercise, "sources", source_id, "SMS.7602")
    assert _is_gone(exercise, "tasks", task_id, "SMS.7703")


def delete_servers(exercise: Exercise, filling: Filling) -> None:
    ids = [register(exercise, registration(filling)) for _ in range(3)]
    exercise.call("DeleteServers", body={"ids": ids[:2]})
    assert [_is_gone(exercise, "sources", source_id, "SMS.7602") for source_id in ids] == [True, True, False]
    refused = exercise.raw.signed("POST", "/v3/sources/delete", body={"ids": [ids[2], ids[0]]})
    assert refused.status_code == 404
    assert not _is_gone(exercise, "sources", ids[2], "SMS.7602"), "all or none"


def list_error_servers(exercise: Exercise, filling: Filling) -> None:
    source_id, source, task_id, _ = create(exercise, filling)
    act(exercise, task_id, "start")
    detail = {"error_code": "SMS.0515", "error_param": '["/dev/vda"]', "msg": "a disk has changed"}
    report(exercise, source_id, "START", "fail", detail)
    update = fill("PutTaskReq", filling, {"enterprise_project": "errors-of-this-test", "migration_ip": "192.0.2.9"})
    exercise.call("UpdateTask", body=update, task_id=task_id)

    def is_error(text: str) -> bool:
        error = json.loads(text)
        return (error["error_code"], json.loads(error["error_param"])) == ("SMS.0515", ["/dev/vda"])

    expected = {
        "error_json": Like("text that holds the code and, as text again, its parameters", is_error),
        "host_name": source["hostname"],
        "name": source["name"],
        "source_id": source_id,
        "source_ip": source["ip"] or source["ipv6"],
        "target_ip": "192.0.2.9",
    }
    own: Json = {"enterprise_project_id": "errors-of-this-test"}
    exercise.call("ListErrorServers", {"count": 1, "migration_errors": [expected]}, limit=100, offset=0, **own)
    exercise.call("ListErrorServers", {"count": 1, "migration_errors": []}, offset=1, **own)
    exercise.call("ListErrorServers", {"count": 0, "migration_errors": []}, offset=0, enterprise_project_id="others")
    act(exercise, task_id, "start")
    exercise.call("ListErrorServers", {"count": 0, "migration_errors": []}, offset=0, **own)


def show_command(exercise: Exercise, filling: Filling) -> None:
    source_id = register(exercise, registration(filling))
    told = exercise.call("ShowCommand", server_id=source_id)
    assert told["command_name"] == "TASK_NOT_STARTED"
    task_id = str(exercise.call("CreateTask", body=task_body(filling, source_id))["id"])
    act(exercise, task_id, "start")
    start = {"command_name": "START", "command_param": {"task_id": task_id, "bucket": None}}
    exercise.call("ShowCommand", start, server_id=source_id)
    exercise.call("CollectLog", body={"log_bucket": "a-bucket"}, task_id=task_id)
    exercise.call("ShowCommand", start, server_id=source_id)  # the oldest first, until it's answered
    report(exercise, source_id, "START", "success", {})
    log = {"command_name": "UPLOAD_LOG", "command_param": {"task_id": task_id, "bucket": "a-bucket"}}
    exercise.call("ShowCommand", log, server_id=source_id)


def update_command_result(exercise: Exercise, filling: Filling) -> None:
    source_id, _, task_id, _ = create(exercise, filling)
    body = fill("CommandBody", filling)
    exercise.call("UpdateCommandResult", body=body, server_id=source_id)
    act(exercise, task_id, "start")
    started = fill("CommandBody", filling, {"command_name": "START", "result": "success"})
    exercise.call("UpdateCommandResult", body=started, server_id=source_id)
    assert exercise.call("ShowCommand", server_id=source_id)["command_name"] != "START"
    stored = exercise.stored_results(source_id)
    assert stored == [(sent["command_name"], sent["result"], sent["result_detail"]) for sent in (body, started)]


def _chosen(shown: Json, sizes: Iterator[int] | None, *, flag: bool | None) -> Json:
    """Return a choice for all that ShowServer shows: the one that it has, or a new one with these sizes."""

    def choice(item: Json) -> Json:
        size = item.get("adjust_size") if sizes is None else next(sizes)
        return {
            "id": str(item["id"]),
            "need_migration": item.get("need_migration") if sizes is None else flag,
            "adjust_size": size,
        }

    return {
        kind: [{**choice(item), parts: [choice(part) for part in item[parts]]} for item in shown[kind]]
        for kind, parts in (("disks", "physical_volumes"), ("volume_groups", "logical_volumes"))
    }


def _move_to_project(exercise: Exercise, filling: Filling, source_id: str) -> str:
    project_id = str(exercise.call("CreateMigproject", body=_project(filling))["id"])
    exercise.raw.put(f"/v3/sources/{source_id}", {"migprojectid": project_id})
    return project_id


def _project(filling: Filling) -> dict[str, Any]:
    given = {"name": f"p-{uuid4()}", "isdefault": False, "enterprise_project": "of the project"}
    return fill("PostMigProjectBody", filling, given)


def _is_gone(exercise: Exercise, kind: str, some_id: str, code: str) -> bool:
    answer = exercise.raw.signed("GET", f"/v3/{kind}/{some_id}")
    return answer.status_code == 404 and answer.json()["error_code"] == code
