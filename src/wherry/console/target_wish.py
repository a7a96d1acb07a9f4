"""What is wished for a source's target, as it stands in a form: its steps, its defaults, and what the contract says.

No state is kept between the steps: the form carries all of it, and every step is read and judged anew.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from msgspec import structs

from wherry.console.forms import YES, Answers, Problem
from wherry.console.languages import N_
from wherry.contract.decoding import decode, encode
from wherry.contract.errors import ApiError
from wherry.contract.iam import Project
from wherry.contract.landing import DEFAULT_LIMIT_S, RehearsalSettings, TargetMachine, TargetMachineWish
from wherry.contract.sources import SourceDetail
from wherry.contract.speed import SpeedLimits, SpeedPeriod
from wherry.contract.tasks import TaskCreation
from wherry.migration import creation
from wherry.migration.wanted_task import TaskWish, usual_name, wanted_task

MOST_PERIODS = 5
"""Periods of the day with a limit of their own that an agent takes."""

MAKE, TEMPLATE, SERVER = "make", "template", "server"
"""Where the target comes from: the receiver makes it, a template describes it, or it's a server that was announced."""

_TIME = re.compile(r"([01]?\d|2[0-3]):[0-5]\d|24:00")
_PLACE = re.compile(r"\w+")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the wizard. *fields*: those that it asks for; the other steps' are hidden in its form."""

    name: str
    text: str
    fields: tuple[str, ...]


MACHINE = ("firmware", "disk_bus", "nic_model", "vcpus", "memory_mb", "network", "macs", "networks")
REHEARSAL = ("limit_s", "check_name", "check_command", "check_timeout")
PERIODS = ("period_start", "period_end", "period_speed")

_LISTS = ("macs", "networks")
"""Of the machine's fields those that have a value a line."""

STEPS = (
    Step("target", N_("Target"), ("name", "kind", "template_id", "server_id", "target_name")),
    Step("machine", N_("Machine"), MACHINE),
    Step("rehearsal", N_("Rehearsal"), REHEARSAL),
    Step("options", N_("Sync and cutover"), ("sync", "launch", "drill", "consistency", "speed_limit", *PERIODS)),
    Step("summary", N_("Summary"), ("start",)),
)


def defaults(source: SourceDetail) -> Answers:
    """Return what the form says at first."""
    return Answers(
        {
            "name": [usual_name(source.name)],
            "kind": [MAKE],
            "target_name": [source.name],
            "limit_s": [str(DEFAULT_LIMIT_S)],
            "sync": [YES],
            "launch": [YES],
        }
    )


def with_machine(answers: Answers, machine: TargetMachine) -> Answers:
    """Return *answers* with the fields of *machine*."""
    values = {name: getattr(machine, name) for name in MACHINE}
    return answers.replaced(
        **{name: "\n".join(value) if name in _LISTS else str(value) for name, value in values.items()}
    )


def with_rehearsal(settings: RehearsalSettings) -> Answers:
    """Return the answers that mean *settings*."""
    return Answers(
        {
            "limit_s": [str(settings.limit_s)],
            "check_name": [check.name for check in settings.checks],
            "check_command": [check.command for check in settings.checks],
            "check_timeout": [str(check.timeout_s) for check in settings.checks],
        }
    )


def with_periods(limits: SpeedLimits) -> Answers:
    """Return the answers that mean *limits*."""
    periods = limits.speed_limit
    return Answers(
        {
            "period_start": [period.start for period in periods],
            "period_end": [period.end for period in periods],
            "period_speed": [str(period.speed or 0) for period in periods],
        }
    )


def task_of(answers: Answers, source: SourceDetail, project: Project) -> TaskCreation:
    """Return the body of CreateTask. Raises ApiError SMS.9001 for a speed limit that's none."""
    kind = answers.text("kind")
    limit = decode(encode({"start": "", "end": "", "speed": answers.text("speed_limit") or "0"}), SpeedPeriod)
    return wanted_task(
        source,
        project,
        TaskWish(
            name=answers.text("name") or usual_name(source.name),
            target=answers.text("server_id") if kind == SERVER else "",
            target_name=answers.text("target_name"),
            template_id=answers.text("template_id") if kind == TEMPLATE else "",
            sync=answers.on("sync"),
            launch=answers.on("launch"),
            drill=answers.on("drill"),
            check_consistency=answers.on("consistency"),
            speed_limit=limit.speed or 0,
        ),
    )


def machine_of(answers: Answers) -> TargetMachineWish:
    """Return the machine that was entered. Raises ApiError SMS.9001 that names the field."""
    values: dict[str, Any] = {name: answers.text(name) for name in MACHINE if name not in _LISTS and answers.text(name)}
    return decode(encode({**values, **{name: answers.lines(name) for name in _LISTS}}), TargetMachineWish)


def differing(wish: TargetMachineWish, recommended: TargetMachine) -> TargetMachineWish:
    """Return what *wish* has otherwise than it's recommended: the rest may follow source and template."""
    wished = {name: value for name, value in structs.asdict(wish).items() if value is not None}
    changed = {name: value for name, value in wished.items() if value != getattr(recommended, name, None)}
    return TargetMachineWish(**changed)


def rehearsal_of(answers: Answers) -> RehearsalSettings:
    """Return what rehearsals are to ask. Raises ApiError SMS.9001 that names the field."""
    checks = [
        {"name": name, "command": command, **({"timeout_s": timeout} if timeout else {})}
        for name, command, timeout in answers.rows("check_name", "check_command", "check_timeout")
    ]
    return decode(encode({"limit_s": answers.text("limit_s"), "checks": checks}), RehearsalSettings)


def periods_of(answers: Answers) -> SpeedLimits:
    """Return the speed limits by time of day. Raises ApiError SMS.9001 that names the field."""
    rows = answers.rows(*PERIODS)
    if len(rows) > MOST_PERIODS:
        raise ApiError("SMS.9001", f"there may be {MOST_PERIODS} periods at most", params=("period_start",))
    for start, end, _ in rows:
        for name, time in (("period_start", start), ("period_end", end)):
            if not _TIME.fullmatch(time):
                raise ApiError("SMS.9001", f"{time or '–'}: a time is written as 8:00", params=(name,))
        if start == end:
            raise ApiError("SMS.9001", f"{start}: a period has to have a length", params=("period_end",))
    periods = [{"start": start, "end": end, "speed": speed or "0"} for start, end, speed in rows]
    return decode(encode({"speed_limit": periods}), SpeedLimits)


def check(step: Step, answers: Answers, source: SourceDetail, project: Project) -> Problem | None:
    """Return what the contract has against the answers of a step; None: nothing."""
    judges: Mapping[str, Callable[[], object]] = {
        "target": lambda: _check_target(answers, source, project),
        "machine": lambda: machine_of(answers),
        "rehearsal": lambda: rehearsal_of(answers),
        "options": lambda: (task_of(answers, source, project), periods_of(answers)),
        "summary": lambda: None,
    }
    return problem_in(judges[step.name])


def problem_in(judge: Callable[[], object]) -> Problem | None:
    """Return why *judge* refuses; None: it doesn't."""
    try:
        judge()
    except ApiError as error:
        return Problem(field_of(error), error)
    return None


def field_of(error: ApiError) -> str:
    """Return the field of the form that a refusal is about; empty where it's about none."""
    place = error.params[0] if error.params else ""
    known = {"target_server.vm_id": "server_id", "speed": "speed_limit"}
    if place in known:
        return known[place]
    *_, last = _PLACE.findall(re.sub(r"\[\d+\]", "", place)) or [""]
    if place.startswith("checks"):
        return f"check_{'timeout' if last == 'timeout_s' else last}"
    if place.startswith("speed_limit["):
        return f"period_{last}"
    return last if any(last in step.fields for step in STEPS) else ""


def step_of(field: str) -> Step:
    """Return the step that asks for *field*; the last one for none."""
    return next((step for step in STEPS if field in step.fields), STEPS[-1])


def _check_target(answers: Answers, source: SourceDetail, project: Project) -> None:
    kind = answers.text("kind")
    if kind == TEMPLATE and not answers.text("template_id"):
        raise ApiError("SMS.7101", "choose a template", status=400, params=("template_id",))
    if kind == SERVER and not answers.text("server_id"):
        raise ApiError("SMS.6032", params=("server_id",))
    if not answers.text("name"):
        raise ApiError("SMS.7711", params=("name",))
    body = task_of(answers.replaced(speed_limit="0"), source, project)
    try:
        # Words and target are judged before the source, which the ledger alone knows.
        creation.validate(body, None, registration=None, current_task=None)
    except ApiError as error:
        if error.code != "SMS.7602":
            raise
