"""What belongs to a task besides: speed limits, configuration settings, network check."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import convert, to_builtins

from wherry.contract.configuration import ConfigSetting, ConfigSettings, ConfigSettingsAnswer, ConfigSettingsQuery
from wherry.contract.enumerations import MigrateType, OsType, TaskType
from wherry.contract.network_check import NetworkCheck, NetworkCheckAnswer
from wherry.contract.speed import SpeedLimits
from wherry.ledger import tasks
from wherry.ledger.tasks import TaskRow
from wherry.ledger.transaction import Transaction, source_scope
from wherry.server.access import heard_of, task_of
from wherry.server.answers import EMPTY, Answer, json_answer
from wherry.server.call import Call


async def show_speed_limits(call: Call) -> Answer:
    """Return the speed limits of a task by time of day."""
    task = await _task(call)
    return json_answer(convert({"speed_limit": task.settings.get("speed_limit", [])}, SpeedLimits))


async def update_speed(call: Call) -> Answer:
    """Replace the speed limits of a task."""
    limits = to_builtins(call.decode(SpeedLimits))["speed_limit"]
    await _change(call, lambda settings: {**settings, "speed_limit": limits}, wakes=True)
    return EMPTY


async def show_config_setting(call: Call) -> Answer:
    """Return the configuration settings of a task, or the one that the query names."""
    key = call.query(ConfigSettingsQuery).config_key
    task = await _task(call)
    settings = convert(task.settings.get("configurations", []), list[ConfigSetting])
    answer = ConfigSettingsAnswer(
        task_id=task.id,
        migrate_type=_migrate_type(task),
        configurations=[setting for setting in settings if key in {None, setting.config_key}],
    )
    return json_answer(answer)


async def upload_config_settings(call: Call) -> Answer:
    """Store configuration settings: a key that is known gets the new value, a new one is added."""
    sent = to_builtins(call.decode(ConfigSettings))["configurations"]

    def merged(settings: Mapping[str, Any]) -> dict[str, Any]:
        known = {setting["config_key"]: setting for setting in settings.get("configurations", [])}
        known.update({setting["config_key"]: setting for setting in sent})
        return {**settings, "configurations": list(known.values())}

    await _change(call, merged)
    return EMPTY


async def update_network_check_info(call: Call) -> Answer:
    """Store what an agent measured of the network between its source and the target."""
    check = to_builtins(call.decode(NetworkCheck))
    task = await _change(call, lambda settings: {**settings, "network_check_info": check})
    await heard_of(call, task.source_id)
    return json_answer(NetworkCheckAnswer(task_id=task.id))


async def _task(call: Call) -> TaskRow:
    return await call.services.ledger.read(lambda connection: task_of(connection, call, call.parameters["task_id"]))


async def _change(
    call: Call, change: Callable[[Mapping[str, Any]], Mapping[str, Any]], *, wakes: bool = False
) -> TaskRow:
    """Change the settings of a task; *wakes* has the agent's poll come back, so that it looks at them."""

    def unit(tx: Transaction) -> TaskRow:
        task = task_of(tx.connection, call, call.parameters["task_id"])
        tasks.change(tx.connection, task.id, {"settings": change(task.settings)})
        if wakes:
            tx.topics.add(source_scope(task.source_id))
        call.record(tx, task.id)
        return task

    return await call.services.ledger.write(unit)


def _migrate_type(task: TaskRow) -> MigrateType:
    if task.os_type == OsType.WINDOWS:
        return MigrateType.WINDOWS_BLOCK
    return MigrateType.LINUX_FILE if task.type == TaskType.MIGRATE_FILE else MigrateType.LINUX_BLOCK
