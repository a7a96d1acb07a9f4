"""The wizard that gives a source its target: a form of several steps, whose hidden fields carry the other steps."""

from collections.abc import Sequence
from dataclasses import dataclass

from wherry.console import target_wish, task_words
from wherry.console.forms import Answers, Problem
from wherry.console.operations import answer_as
from wherry.console.pages.task import known
from wherry.console.target_wish import STEPS, Step
from wherry.console.visit import Page, Visit
from wherry.contract.disk_choice import RecommendedDisk
from wherry.contract.enumerations import Action
from wherry.contract.errors import ApiError
from wherry.contract.iam import Project, ProjectList
from wherry.contract.landing import RehearsalSettings, TargetMachine, TargetMachineWish
from wherry.contract.sources import SourceDetail
from wherry.contract.tasks import TaskAction
from wherry.contract.templates import TemplateDetail, TemplateList
from wherry.contract.values import CreatedId
from wherry.contract.wherry import Receiver, ReceiverList
from wherry.iam.permissions import require
from wherry.server.answers import Answer

PATH = "/console/sources/{source_id}/target"

BACK, ROW, FINISH = "back", "row", "finish"
_MOST_TEMPLATES = 100


@dataclass(frozen=True, slots=True)
class Place:
    """What the wizard knows besides the answers."""

    source: SourceDetail
    project: Project
    recommended: TargetMachine
    templates: Sequence[TemplateDetail]
    receivers: Sequence[Receiver]


async def show_wizard(visit: Visit) -> Answer:
    """Show its first step; where the source has a task already, that."""
    place = await _place(visit)
    if place.source.current_task is not None:
        return visit.go(f"/console/tasks/{place.source.current_task.id}")
    return _page(
        visit, place, STEPS[0], target_wish.with_machine(target_wish.defaults(place.source), place.recommended)
    )


async def go_on(visit: Visit) -> Answer:
    """Judge the step that was sent and show the next one; create the task after the last."""
    answers, wanted = Answers(visit.form), visit.value("go")
    step = next((each for each in STEPS if each.name == visit.value("step")), STEPS[0])
    template_id = answers.text("template_id") if answers.text("kind") == target_wish.TEMPLATE else ""
    place = await _place(visit, template_id)
    at = STEPS.index(step)
    if wanted == BACK:
        return _page(visit, place, STEPS[max(0, at - 1)], answers)
    if wanted == ROW:
        return _page(visit, place, step, answers, blank_rows=2)
    judged = STEPS if wanted == FINISH else (step,)
    for each in judged:
        problem = target_wish.check(each, answers, place.source, place.project)
        if problem is not None:
            return _page(visit, place, each, answers, problem)
    if wanted == FINISH:
        try:
            return visit.go(f"/console/tasks/{await _create(visit, place, answers)}", notice="saved")
        except ApiError as error:
            if error.status == 403 or error.status >= 500:
                raise
            problem = Problem(target_wish.field_of(error), error)
            return _page(visit, place, target_wish.step_of(problem.field), answers, problem)
    if step.name == "target" and answers.text("machine_for") != template_id:
        # Another template was chosen than the one that the machine was recommended for.
        answers = target_wish.with_machine(answers, place.recommended).replaced(machine_for=template_id)
    return _page(visit, place, STEPS[min(at + 1, len(STEPS) - 1)], answers)


PAGES = (
    Page("ConsoleTarget", "GET", PATH, show_wizard),
    Page("ConsoleTarget", "POST", PATH, go_on),
)


async def _place(visit: Visit, template_id: str = "") -> Place:
    require(visit.principal, "CreateTask")
    parameters = {"source_id": visit.call.parameters["source_id"]}
    source = await visit.ask(SourceDetail, "ShowServer", parameters)
    templates = await known(visit, TemplateList, "ListTemplates", {}, limit=_MOST_TEMPLATES)
    receivers = await known(visit, ReceiverList, "ListReceivers", {})
    return Place(
        source=source,
        project=(await visit.ask(ProjectList, "ListProjects")).projects[0],
        recommended=await visit.ask(TargetMachine, "RecommendTargetMachine", parameters, template_id=template_id),
        templates=() if templates is None else templates.templates,
        receivers=() if receivers is None else receivers.receivers,
    )


async def _create(visit: Visit, place: Place, answers: Answers) -> str:
    """Create the task as it was wished, and start it where that was wished too. Return its id."""
    body = target_wish.task_of(answers, place.source, place.project)
    machine = target_wish.differing(target_wish.machine_of(answers), place.recommended)
    rehearsal, periods = target_wish.rehearsal_of(answers), target_wish.periods_of(answers)
    task_id = answer_as(await visit.perform("CreateTask", body=body), CreatedId).id
    parameters = {"task_id": task_id}
    if machine != TargetMachineWish():
        await visit.perform("UpdateTargetMachine", parameters, body=machine)
    if rehearsal != RehearsalSettings():
        await visit.perform("UpdateRehearsalSettings", parameters, body=rehearsal)
    if periods.speed_limit:
        await visit.perform("UpdateSpeed", parameters, body=periods)
    if answers.on("start"):
        await visit.perform("UpdateTaskStatus", parameters, body=TaskAction(operation=Action.START))
    return task_id


def _page(
    visit: Visit, place: Place, step: Step, answers: Answers, problem: Problem | None = None, *, blank_rows: int = 1
) -> Answer:
    at_summary = step.name == "summary"
    return visit.page(
        "target_wizard.html",
        status=200 if problem is None else problem.error.status,
        more=task_words,
        wish=target_wish,
        place=place,
        step=step,
        steps=STEPS,
        at=STEPS.index(step),
        answers=answers,
        problem=problem,
        blank_rows=blank_rows,
        body=target_wish.task_of(answers, place.source, place.project) if at_summary else None,
        disks=[disk for disk in _recommended_disks(place.source) if disk.need_migration is not False],
        path=PATH.format(source_id=place.source.id),
    )


def _recommended_disks(source: SourceDetail) -> Sequence[RecommendedDisk]:
    return () if source.init_target_server is None else source.init_target_server.disks
