"""The templates of target servers: what each describes, several deleted at once, and a target's password."""

from urllib.parse import urlencode

from wherry.console.languages import N_
from wherry.console.navigation import Entry
from wherry.console.visit import Page, Visit
from wherry.contract.templates import TargetPassword, TemplateAnswer, TemplateIds, TemplateList
from wherry.iam.permissions import require
from wherry.server.answers import Answer

PATH = "/console/templates"
ENTRY = Entry(PATH, N_("Templates"), "templates", "ListTemplates")

_PAGE = 50
_MOST_PAGES = 1000


async def show_templates(visit: Visit) -> Answer:
    """Show a page of them."""
    name, number = visit.query.get("name", ""), visit.query.get("page", "")
    page = min(max(int(number), 1), _MOST_PAGES) if number.isdecimal() and len(number) < 5 else 1
    found = await visit.ask(TemplateList, "ListTemplates", name=name, limit=_PAGE, offset=(page - 1) * _PAGE)
    return visit.page(
        "template_list.html",
        templates=found.templates,
        name=name,
        address=urlencode({"name": name} if name else {}),
        page=page,
        pages=max(1, -(-found.count // _PAGE)),
        path=PATH,
    )


async def delete(visit: Visit) -> Answer:
    """Remove those that were chosen: all of them or, where one is used, none."""
    require(visit.principal, "DeleteTemplates")
    await visit.perform("DeleteTemplates", body=TemplateIds(ids=list(visit.form.get("id", ()))))
    return visit.go(PATH, notice="deleted")


async def show_password(visit: Visit) -> Answer:
    """Tell the password of the targets that a template makes. A form asks for it, so that it's in no history."""
    template = (await visit.ask(TemplateAnswer, "ShowTemplate", visit.call.parameters)).template
    told = await visit.ask(TargetPassword, "ShowTargetPassword", visit.call.parameters)
    return visit.page("template_password.html", name=template.name, password=told.target_password, path=PATH)


PAGES = (
    Page("ConsoleTemplates", "GET", PATH, show_templates),
    Page("ConsoleTemplatesDelete", "POST", f"{PATH}/delete", delete),
    Page("ConsoleTemplatePassword", "POST", f"{PATH}/{{id}}/password", show_password),
)
