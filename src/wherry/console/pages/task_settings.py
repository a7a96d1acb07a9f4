"""Forms that change a task's speed limits by time of day and what its rehearsals ask."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wherry.console import target_wish
from wherry.console.forms import Answers, Problem
from wherry.console.languages import N_
from wherry.console.pages.task import PATH as TASK
from wherry.console.visit import Handler, Page, Visit
from wherry.contract.landing import RehearsalSettings
from wherry.contract.speed import SpeedLimits
from wherry.contract.tasks import TaskDetail
from wherry.iam.permissions import require
from wherry.server.answers import Answer

_ROW = "row"


@dataclass(frozen=True, slots=True)
class Setting:
    """A part of a task's settings with a form of its own.

    Attributes:
        name: of the page below the task's.
        fields: the template of its fields.
        show: the operation that reads it, whose answer is a *type_*; *update*: the one that writes it.
        entered: turns what is kept into the form's fields; *read*: these into what is kept, and raises ApiError.
    """

    name: str
    text: str
    fields: str
    type_: type[Any]
    show: str
    update: str
    entered: Callable[..., Answers]
    read: Callable[[Answers], object]


SETTINGS = (
    Setting(
        "speed",
        N_("Limits by the time of day"),
        "_parts/speed_fields.html",
        SpeedLimits,
        "ShowsSpeedLimits",
        "UpdateSpeed",
        target_wish.with_periods,
        target_wish.periods_of,
    ),
    Setting(
        "checks",
        N_("Rehearsal"),
        "_parts/rehearsal_fields.html",
        RehearsalSettings,
        "ShowRehearsalSettings",
        "UpdateRehearsalSettings",
        target_wish.with_rehearsal,
        target_wish.rehearsal_of,
    ),
)


def _showing(setting: Setting) -> Handler:
    async def show(visit: Visit) -> Answer:
        require(visit.principal, setting.update)
        kept: Any = await visit.ask(setting.type_, setting.show, visit.call.parameters)
        return await _form(visit, setting, setting.entered(kept))

    return show


def _changing(setting: Setting) -> Handler:
    async def change(visit: Visit) -> Answer:
        require(visit.principal, setting.update)
        answers = Answers(visit.form)
        if visit.value("go") == _ROW:
            return await _form(visit, setting, answers, blank_rows=2)
        problem = target_wish.problem_in(lambda: setting.read(answers))
        if problem is not None:
            return await _form(visit, setting, answers, problem)
        await visit.perform(setting.update, visit.call.parameters, body=setting.read(answers))
        return visit.go(TASK.format(**visit.call.parameters), notice="saved")

    return change


PAGES = tuple(
    page
    for setting in SETTINGS
    for page in (
        Page("ConsoleTaskSetting", "GET", f"{TASK}/{setting.name}", _showing(setting)),
        Page("ConsoleTaskSetting", "POST", f"{TASK}/{setting.name}", _changing(setting)),
    )
)


async def _form(
    visit: Visit, setting: Setting, answers: Answers, problem: Problem | None = None, *, blank_rows: int = 1
) -> Answer:
    return visit.page(
        "task_setting.html",
        status=200 if problem is None else problem.error.status,
        task=await visit.ask(TaskDetail, "ShowTask", visit.call.parameters),
        wish=target_wish,
        setting=setting,
        answers=answers,
        problem=problem,
        blank_rows=blank_rows,
    )
