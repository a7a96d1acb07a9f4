"""The form of a migration project, for a new one and to change one."""

from typing import Any

from wherry.console.forms import YES, Answers, Problem, problem_of
from wherry.console.pages.migproject_list import PATH
from wherry.console.visit import Page, Visit
from wherry.contract.enumerations import TaskType
from wherry.contract.errors import ApiError
from wherry.contract.iam import ProjectList
from wherry.contract.projects import MigprojectDetail
from wherry.iam.permissions import Resource, require
from wherry.server.answers import Answer

_NEW = f"{PATH}/new"
_ONE = f"{PATH}/{{mig_project_id}}"

_TEXTS = ("name", "description", "region", "type", "enterprise_project")
_BOXES = ("syncing", "start_target_server", "start_network_check", "use_public_ip", "exist_server")
_FIELDS = (*_TEXTS, "speed_limit", *_BOXES)


async def show_new(visit: Visit) -> Answer:
    """Show the form of a new project."""
    require(visit.principal, "CreateMigproject")
    region = (await visit.ask(ProjectList, "ListProjects")).projects[0].name
    usual = {"region": region, "type": TaskType.MIGRATE_BLOCK, "syncing": YES, "start_target_server": YES}
    return _form(visit, Answers({name: [value] for name, value in usual.items()}))


async def create(visit: Visit) -> Answer:
    """Make the project that was entered."""
    answers = Answers(visit.form)
    try:
        await visit.perform("CreateMigproject", body=body_of(answers))
    except ApiError as error:
        return _form(visit, answers, problem_of(error, _FIELDS))
    return visit.go(PATH, notice="saved")


async def show_one(visit: Visit) -> Answer:
    """Show the form of a project that there is."""
    require(visit.principal, "UpdateMigproject", Resource(visit.call.parameters["mig_project_id"]))
    return _form(visit, answers_of(await visit.ask(MigprojectDetail, "ShowMigproject", visit.call.parameters)))


async def change(visit: Visit) -> Answer:
    """Change the project to what was entered."""
    answers = Answers(visit.form)
    try:
        await visit.perform("UpdateMigproject", visit.call.parameters, body=body_of(answers))
    except ApiError as error:
        return _form(visit, answers, problem_of(error, _FIELDS))
    return visit.go(PATH, notice="saved")


PAGES = (
    Page("ConsoleProjectNew", "GET", _NEW, show_new),
    Page("ConsoleProjectNew", "POST", _NEW, create),
    Page("ConsoleProject", "GET", _ONE, show_one),
    Page("ConsoleProject", "POST", _ONE, change),
)


def answers_of(project: MigprojectDetail) -> Answers:
    """Return the form's fields as they are kept."""
    texts = {name: [getattr(project, name) or ""] for name in _TEXTS}
    boxes = {name: [YES] for name in _BOXES if getattr(project, name)}
    return Answers({**texts, **boxes, "speed_limit": [str(project.speed_limit or "")]})


def body_of(answers: Answers) -> dict[str, Any]:
    """Return the body for the API, in which every field of the form stands: an empty one is emptied."""
    texts = {name: answers.text(name) for name in _TEXTS}
    boxes = {name: answers.on(name) for name in _BOXES}
    return {**texts, **boxes, "speed_limit": answers.text("speed_limit") or 0}


def _form(visit: Visit, answers: Answers, problem: Problem | None = None) -> Answer:
    return visit.page(
        "migproject_form.html",
        status=200 if problem is None else problem.error.status,
        answers=answers,
        problem=problem,
        new="mig_project_id" not in visit.call.parameters,
        path=PATH,
    )
