"""A task: how far it is, what holds it up, what landed, what is proven, and what can be done about it."""

from collections.abc import Mapping
from typing import Any, TypeVar

from msgspec import json

from wherry.console import speed_calendar, task_words
from wherry.console.live import Fragments
from wherry.console.visit import Page, Visit
from wherry.contract.catalogue import EVERY_ENTRY
from wherry.contract.configuration import ConfigSettingsAnswer
from wherry.contract.consistency import ConsistencyResults
from wherry.contract.enumerations import OrderKind
from wherry.contract.errors import ApiError
from wherry.contract.fleet import Fleet
from wherry.contract.landing import Landing, LandingError, RehearsalList, RehearsalSettings, TargetMachine
from wherry.contract.speed import SpeedLimits
from wherry.contract.tasks import TaskDetail
from wherry.contract.templates import TemplateList
from wherry.contract.wherry import Proof, ReplicationFigures, StateEvents
from wherry.server.answers import Answer

PATH = "/console/tasks/{task_id}"

_MOST_EVENTS = 30
_MOST_REHEARSALS = 10
_NOT_THERE = frozenset({403, 404, 409})

T = TypeVar("T")


async def show_task(visit: Visit) -> Answer:
    """Show it."""
    facts = await _facts(visit)
    templates = await known(visit, TemplateList, "ListTemplates", {}) if visit.may("UpdateTaskStatus") else None
    parameters = {"task_id": visit.call.parameters["task_id"]}
    speed = await known(visit, SpeedLimits, "ShowsSpeedLimits", parameters)
    return visit.page(
        "task.html",
        **facts,
        day=() if speed is None else speed_calendar.day_of(speed.speed_limit, facts["task"].speed_limit or 0),
        clock=speed_calendar.clock,
        templates=[] if templates is None else templates.templates,
        machine=await known(visit, TargetMachine, "ShowTargetMachine", parameters),
        rehearsal_settings=await known(visit, RehearsalSettings, "ShowRehearsalSettings", parameters),
        settings=await known(visit, ConfigSettingsAnswer, "ShowConfigSetting", parameters),
        speed=speed,
    )


async def watch_task(visit: Visit) -> Fragments:
    """Return its live parts."""
    facts = await _facts(visit)
    names = ("head", "steps", "figures", "passes", "landing", "proof", "consistency", "events", "network", "log")
    return {f"task-{name}": visit.fragment(f"_parts/task_{name}.html", **facts) for name in names}


LIVE = {"tasks/{task_id}": watch_task}
PAGES = (Page("ConsoleTask", "GET", PATH, show_task),)


async def known(
    visit: Visit, type_: type[T], operation: str, parameters: Mapping[str, str], **query: object
) -> T | None:
    """Return what an operation answers; None where there's nothing yet, or the visitor may not see it."""
    if not visit.may(operation):
        return None
    try:
        return await visit.ask(type_, operation, parameters, **query)
    except ApiError as error:
        if error.status in _NOT_THERE:
            return None
        raise


def explain(code: str, message: str = "") -> LandingError | None:
    """Return what the catalogue says of *code*; None without one."""
    if not code:
        return None
    entry = EVERY_ENTRY.get(code)
    if entry is None:
        return LandingError(code=code, message=message or code)
    return LandingError(code=code, message=message or entry.message, cause=entry.cause, fix=entry.fix)


async def _facts(visit: Visit) -> dict[str, Any]:
    task_id = visit.call.parameters["task_id"]
    parameters = {"task_id": task_id}
    task = await visit.ask(TaskDetail, "ShowTask", parameters)
    source_id = "" if task.source_server is None else task.source_server.id
    fleet = await known(visit, Fleet, "ListFleet", {}, id=source_id)
    member = fleet.members[0] if fleet is not None and fleet.members else None
    work = member.task if member is not None and member.task is not None and member.task.id == task_id else None
    landing = await known(visit, Landing, "ShowLanding", parameters)
    events = await known(visit, StateEvents, "ListEvents", parameters)
    all_events = [] if events is None else events.events[::-1]
    return {
        "more": task_words,
        "task": task,
        "member": member,
        "work": work,
        "error": explain(_code(task.error_json)),
        "figures": await known(visit, ReplicationFigures, "ShowReplication", parameters),
        "landing": landing,
        "rehearsing": landing is not None and any(order.kind is OrderKind.REHEARSE for order in landing.orders),
        "rehearsals": await known(visit, RehearsalList, "ListRehearsals", {}, task_id=task_id, limit=_MOST_REHEARSALS),
        "proof": await known(visit, Proof, "ShowProof", parameters),
        "consistency": await known(visit, ConsistencyResults, "ShowConsistencyResult", parameters),
        "events": all_events if visit.query.get("events") == "all" else all_events[:_MOST_EVENTS],
        "event_count": len(all_events),
        "can": {
            action: visit.may("UpdateTaskStatus") and work is not None and action in work.actions
            for action in task_words.BUTTONS
        },
    }


def _code(error_json: str | None) -> str:
    document: Mapping[str, str] = json.decode(error_json) if error_json else {}
    return document.get("error_code", "")
