"""The form of a server template, for a new one and to change one."""

from wherry.console import template_wish
from wherry.console.forms import Answers, Problem, problem_of
from wherry.console.pages.template_list import PATH
from wherry.console.visit import Page, Visit
from wherry.contract.errors import ApiError
from wherry.contract.iam import ProjectList
from wherry.contract.templates import TemplateAnswer
from wherry.iam.permissions import Resource, require
from wherry.server.answers import Answer

_NEW = f"{PATH}/new"
_ONE = f"{PATH}/{{id}}"
_ROW = "row"


async def show_new(visit: Visit) -> Answer:
    """Show the form of a new template."""
    require(visit.principal, "CreateTemplate")
    region = (await visit.ask(ProjectList, "ListProjects")).projects[0].name
    return _form(visit, Answers({"region": [region]}))


async def create(visit: Visit) -> Answer:
    """Make the template that was entered."""
    require(visit.principal, "CreateTemplate")
    answers = Answers(visit.form)
    if visit.value("go") == _ROW:
        return _form(visit, answers, blank_rows=2)
    try:
        await visit.perform("CreateTemplate", body=template_wish.body_of(answers))
    except ApiError as error:
        return _form(visit, answers, problem_of(error, template_wish.FIELDS))
    return visit.go(PATH, notice="saved")


async def show_one(visit: Visit) -> Answer:
    """Show the form of a template that there is."""
    require(visit.principal, "UpdateTemplate", Resource(visit.call.parameters["id"]))
    found = await visit.ask(TemplateAnswer, "ShowTemplate", visit.call.parameters)
    return _form(visit, template_wish.answers_of(found.template))


async def change(visit: Visit) -> Answer:
    """Change the template to what was entered."""
    require(visit.principal, "UpdateTemplate", Resource(visit.call.parameters["id"]))
    answers = Answers(visit.form)
    if visit.value("go") == _ROW:
        return _form(visit, answers, blank_rows=2)
    kept = (await visit.ask(TemplateAnswer, "ShowTemplate", visit.call.parameters)).template
    try:
        await visit.perform("UpdateTemplate", visit.call.parameters, body=template_wish.body_of(answers, kept))
    except ApiError as error:
        return _form(visit, answers, problem_of(error, template_wish.FIELDS))
    return visit.go(PATH, notice="saved")


PAGES = (
    Page("ConsoleTemplateNew", "GET", _NEW, show_new),
    Page("ConsoleTemplateNew", "POST", _NEW, create),
    Page("ConsoleTemplate", "GET", _ONE, show_one),
    Page("ConsoleTemplate", "POST", _ONE, change),
)


def _form(visit: Visit, answers: Answers, problem: Problem | None = None, *, blank_rows: int = 1) -> Answer:
    return visit.page(
        "template_form.html",
        status=200 if problem is None else problem.error.status,
        answers=answers,
        rows={part: template_wish.rows_of(answers, part) for part in template_wish.LISTS},
        blank_rows=blank_rows,
        problem=problem,
        new="id" not in visit.call.parameters,
        path=PATH,
    )
