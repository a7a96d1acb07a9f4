"""The migration projects: the drawers that sources lie in, and which of them new sources come to."""

from wherry.console.languages import N_
from wherry.console.navigation import Entry
from wherry.console.visit import Page, Visit
from wherry.contract.projects import MAX_PROJECTS, MigprojectList
from wherry.server.answers import Answer

PATH = "/console/projects"
ENTRY = Entry(PATH, N_("Projects"), "projects", "ListMigprojects")


async def show_projects(visit: Visit) -> Answer:
    """Show all of them: an account has 50 at most."""
    found = await visit.ask(MigprojectList, "ListMigprojects", limit=MAX_PROJECTS)
    return visit.page("migproject_list.html", projects=found.migprojects, most=MAX_PROJECTS, path=PATH)


async def make_default(visit: Visit) -> Answer:
    """Have new sources come to a project."""
    await visit.perform("UpdateDefaultMigproject", visit.call.parameters)
    return visit.go(PATH, notice="saved")


async def delete(visit: Visit) -> Answer:
    """Remove a project in which no source is left."""
    await visit.perform("DeleteMigproject", visit.call.parameters)
    return visit.go(PATH, notice="deleted")


PAGES = (
    Page("ConsoleProjects", "GET", PATH, show_projects),
    Page("ConsoleProjectDefault", "POST", f"{PATH}/{{mig_project_id}}/default", make_default),
    Page("ConsoleProjectDelete", "POST", f"{PATH}/{{mig_project_id}}/delete", delete),
)
