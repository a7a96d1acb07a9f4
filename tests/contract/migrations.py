"""A migration under way, with every field filled, and what reads must show of it.

What is expected comes from what was written and from the reference, never from the server's code.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tests.contract.definitions import MODELS
from tests.contract.documents import GIB
from tests.contract.exercise import RECENT, Exercise, Like
from tests.contract.filling import Filling, Json, fill

DEFAULT_ENTERPRISE_PROJECT = "default"

CHECKS = Like(
    "14 environment checks, each once",
    lambda value: len(value) == len({each["id"] for each in value}) == len({each["name"] for each in value}) == 14,
)


def _is_subtask_info(value: str) -> bool:
    info = json.loads(value)
    return isinstance(info["name"], str) and 0 <= info["progress"] < 100


SUBTASK_INFO = Like("text that holds the current subtask and its progress", _is_subtask_info)


@dataclass
class Migration:
    """A task at work and everything that was written to it. `told` is what the agent reported last."""

    filling: Filling
    source: Json
    source_id: str
    template_id: str
    task: Json
    task_id: str
    update: Json
    told: Json
    network: Json
    settings: Sequence[Json]

    @property
    def task_now(self) -> Json:
        """The task as it was created, with what was changed since."""
        target = {**self.task["target_server"], **self.update["target_server"]}
        return {**self.task, **self.update, "target_server": target}

    @property
    def enterprise_project(self) -> str:
        return str(self.update["enterprise_project"] or DEFAULT_ENTERPRISE_PROJECT)


def registration(filling: Filling, **given: Any) -> Json:
    """Return a body of RegisterServer of another machine, fit for a migration."""
    fixed = {
        "id": str(uuid4()),
        "os_type": "LINUX",
        "boot_loader": "GRUB",
        "state": "waiting",
        "migration_cycle": "setting",
        "networks.mac": f"52:54:{uuid4().hex[:8]}",
        "disks.size": 8 * GIB,
        "disks.physical_volumes.size": GIB,
    }
    return fill("PostSourceServerBody", filling, fixed | given)


def register(exercise: Exercise, body: Json) -> str:
    """Register and return the source's id."""
    return str(exercise.call("RegisterServer", body=body)["id"])


def task_body(filling: Filling, source_id: str, **given: Any) -> Json:
    """Return a body of CreateTask that the source allows. Fields of the target are given with ``__`` for a dot."""
    fixed = {
        "source_server.id": source_id,
        "type": "MIGRATE_BLOCK",
        "os_type": "LINUX",
        "auto_start": False,
        "use_ipv6": filling is Filling.OTHER,
        "migration_ip": "2001:db8::7" if filling is Filling.OTHER else "192.0.2.7",
        "target_server.vm_id": str(uuid4()),
        "target_server.disks.size": 9 * GIB,
        "target_server.disks.physical_volumes.size": GIB,
    }
    return fill("PostTask", filling, fixed | {name.replace("__", "."): value for name, value in given.items()})


def create(exercise: Exercise, filling: Filling, **given: Any) -> tuple[str, Json, str, Json]:
    """Register a source and give it a task; return both ids with their documents."""
    source = registration(filling)
    source_id = register(exercise, source)
    task = task_body(filling, source_id, **given)
    task_id = str(exercise.call("CreateTask", body=task)["id"])
    return source_id, source, task_id, task


def template_body(filling: Filling, **given: Any) -> Json:
    """Return a body of CreateTemplate whose network is complete."""
    usual = {"template.name": f"template-{uuid4()}"} | {f"template.{name}": value for name, value in given.items()}
    return fill("CreateTemplateReq", filling, usual)


def configure(exercise: Exercise, filling: Filling, task_id: str) -> Sequence[Json]:
    """Give a task configuration settings and return them."""
    body = fill("ConfigurationRequestBody", filling)
    keys = next(field for field in MODELS["ConfigBody"] if field.name == "config_key").limits["enum"]
    for index, setting in enumerate(body["configurations"]):
        setting["config_key"] = keys[index]
    exercise.call("UploadSpecialConfigurationSetting", body=body, task_id=task_id)
    settings: Sequence[Json] = body["configurations"]
    return settings


def under_way(exercise: Exercise, filling: Filling) -> Migration:
    """Return a running task about which everything was written that can be."""
    template = template_body(filling)
    template_id = str(exercise.call("CreateTemplate", body=template)["id"])
    source_id, source, task_id, task = create(exercise, filling, vm_template_id=template_id, exist_server=False)
    act(exercise, task_id, "start")
    update = fill(
        "PutTaskReq",
        filling,
        {"vm_template_id": template_id, "target_server.vm_id": str(uuid4()), "target_server.os_type": "LINUX"},
    )
    exercise.call("UpdateTask", body=update, task_id=task_id)
    network = fill("NetworkCheckInfoRequestBody", filling)
    exercise.call("UpdateNetworkCheckInfo", body=network, task_id=task_id)
    settings = configure(exercise, filling, task_id)
    drill = task["need_migration_test"]
    done = fill(
        "UpdateTaskSpeedReq",
        filling,
        {"subtask_name": "SSL_CONFIG", "progress": 100, "need_migration_test": drill},
    )
    exercise.call("UpdateTaskSpeed", body=done, task_id=task_id)
    told = fill("UpdateTaskSpeedReq", filling, {"subtask_name": "ATTACH_AGENT_IMAGE", "need_migration_test": drill})
    exercise.call("UpdateTaskSpeed", body=told, task_id=task_id)
    return Migration(filling, source, source_id, template_id, task, task_id, update, told, network, settings)


def act(exercise: Exercise, task_id: str, operation: str, **given: Any) -> None:
    """Act on a task with every field of the body filled."""
    body = fill(
        "UpdateTaskStatusReq",
        Filling.SMALLEST,
        {"operation": operation, "template_id": "a template"} | given,
    )
    exercise.call("UpdateTaskStatus", body=body, task_id=task_id)


def report(exercise: Exercise, source_id: str, name: str, result: str, detail: Any) -> None:
    """Report the result of a command."""
    body = {"command_name": name, "result": result, "result_detail": detail}
    exercise.call("UpdateCommandResult", body=body, server_id=source_id)


def shown_source(body: Json, source_id: str) -> Json:
    """Return what reads must show of a source that was just registered."""
    return {
        **body,
        "id": source_id,
        "add_date": RECENT,
        "checks": CHECKS,
        "connected": True,
        "current_task": None,
        "enterprise_project_id": DEFAULT_ENTERPRISE_PROJECT,
        "init_target_server": {
            "disks": [_target_of(disk) for disk in body["disks"]],
            "volume_groups": body["volume_groups"],
        },
        "last_visit_time": RECENT,
        "replicatesize": 0,
        "totalsize": 0,
        "stage_action_time": RECENT,
        "state_action_time": RECENT,
        "is_consistency_result_exist": False,
    }


def shown_source_at_work(migration: Migration) -> Json:
    """Return what reads must show of the source of a running task."""
    now, told = migration.task_now, migration.told
    current = {
        **now,
        "id": migration.task_id,
        "state": "RUNNING",
        "start_date": RECENT,
        "migrate_speed": told["migrate_speed"],
        "compress_rate": told["compress_rate"],
        "remain_seconds": told["remain_time"],
        "estimate_complete_time": _ends_in(told["remain_time"]),
        "log_collect_status": "INIT",
        "log_bucket": None,
        "log_expire": None,
        "log_upload_time": None,
        "log_share_url": None,
        "subtask_info": SUBTASK_INFO,
    }
    return {
        **shown_source(migration.source, migration.source_id),
        "state": "initialize",
        "migration_cycle": "replicating",
        "replicatesize": told["replicatesize"],
        "totalsize": told["totalsize"],
        "current_task": current,
    }


def shown_task(migration: Migration) -> Json:
    """Return what reads must show of a running task about which everything was written."""
    now, told = migration.task_now, migration.told
    target = {**now["target_server"], "btrfs_list": [each["name"] for each in now["target_server"]["btrfs_list"]]}
    return {
        **told,
        **now,
        "id": migration.task_id,
        "state": "RUNNING",
        "create_date": RECENT,
        "start_date": RECENT,
        "finish_date": None,
        "total_time": None,
        "connected": True,
        "enterprise_project_id": migration.enterprise_project,
        "error_json": None,
        "float_ip": None,
        "target_snapshot_id": None,
        "remain_seconds": told["remain_time"],
        "estimate_complete_time": _ends_in(told["remain_time"]),
        "network_check_info": migration.network,
        "special_config": migration.settings,
        "log_collect_status": "INIT",
        "subtask_info": SUBTASK_INFO,
        "target_server": target,
        "source_server": {
            **migration.source,
            "id": migration.source_id,
            "state": "initialize",
            "migration_cycle": "replicating",
        },
        "sub_tasks": shown_subtasks(migration),
    }


def shown_subtasks(migration: Migration) -> list[Json]:
    """Return the subtasks of a running block migration of Linux, in the reference's order."""
    names = ["SSL_CONFIG", "ATTACH_AGENT_IMAGE", "FORMAT_DISK_LINUX_BLOCK", "MIGRATE_LINUX_BLOCK"]
    if not migration.task["exist_server"]:
        names.insert(0, "CREATE_CLOUD_SERVER")
    if migration.task["is_need_consistency_check"]:
        names.append("CHECK_CONSISTENCY")
    if not migration.task["syncing"]:
        names += ["CONFIGURE_LINUX_BLOCK", "DETTACH_AGENT_IMAGE"]
    return [_shown_subtask(name, migration) for name in names]


def _shown_subtask(name: str, migration: Migration) -> Json:
    told = migration.told
    progress = {"SSL_CONFIG": 100, told["subtask_name"]: told["progress"]}.get(name, 0)
    reported = name in {"SSL_CONFIG", told["subtask_name"]}
    return {
        "id": Like("a number", lambda value: isinstance(value, int)),
        "name": name,
        "progress": progress,
        "start_date": RECENT if progress else None,
        "end_date": RECENT if progress == 100 else None,
        "migrate_speed": told["migrate_speed"] if reported else None,
        "user_op": "start",
        "process_trace": told["process_trace"] if reported else "",
    }


def _ends_in(remaining_s: int) -> Like:
    return Like(f"a moment in {remaining_s} s", lambda value: RECENT.fits(value - remaining_s * 1000))


def _target_of(disk: Json) -> Json:
    use = disk["device_use"]
    return {**disk, "device_use": use if use in {"BOOT", "OS", "NORMAL"} else "NORMAL"}
