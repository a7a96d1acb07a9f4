"""`wherry project`: migration projects, the drawers that sources lie in."""

from typing import Annotated, Final

from cyclopts import App, Parameter
from cyclopts.validators import Number

from wherry.cli.asking import USUAL, Asking
from wherry.cli.confirming import Yes, confirm
from wherry.cli.fleet import find_project, find_projects
from wherry.cli.output import Column, facts, show, table
from wherry.contract.enumerations import TaskType
from wherry.contract.projects import MigprojectCreation, MigprojectList, MigprojectSummary, MigprojectUpdate

app = App(name="project")

Speed = Annotated[int | None, Parameter(validator=Number(gte=0, lte=1000))]
Switch = Annotated[bool | None, Parameter(show_default=False)]

_COLUMNS: Final = (
    Column[MigprojectSummary]("name", lambda each: each.name),
    Column[MigprojectSummary]("id", lambda each: each.id),
    Column[MigprojectSummary]("default", lambda each: bool(each.is_default)),
    Column[MigprojectSummary]("region", lambda each: each.region),
    Column[MigprojectSummary]("label", lambda each: each.enterprise_project),
    Column[MigprojectSummary]("description", lambda each: each.description),
)


@app.command(name="list")
def list_projects(*projects: str, asking: Asking = USUAL) -> None:
    """List migration projects.

    Parameters
    ----------
    projects:
        Ids, names, or patterns; all without one.
    """
    with asking.connect() as plane:
        found = find_projects(plane, projects)
    show(MigprojectList(count=len(found), migprojects=found), table(_COLUMNS, found), json=asking.json)


@app.command(name="show")
def show_project(project: str, /, *, asking: Asking = USUAL) -> None:
    """Show a migration project with its settings.

    Parameters
    ----------
    project:
        Its id or its name.
    """
    with asking.connect() as plane:
        known = find_project(plane, project)
        found = plane.show_migproject(known.id)
    shown = facts(
        ("name", found.name),
        ("id", known.id),
        ("default", bool(found.is_default)),
        ("region", found.region),
        ("type", found.type),
        ("label", found.enterprise_project),
        ("keeps in sync", found.syncing),
        ("launches the target", found.start_target_server),
        ("speed limit", f"{found.speed_limit} Mbit/s" if found.speed_limit else None),
        ("description", found.description),
    )
    show(found, shown, json=asking.json)


@app.command
def create(
    name: str,
    /,
    *,
    region: str = "default",
    label: str | None = None,
    description: str | None = None,
    sync: Switch = None,
    launch: Switch = None,
    speed_limit: Speed = None,
    asking: Asking = USUAL,
) -> None:
    """Make a migration project.

    Parameters
    ----------
    name:
        Name of the project.
    region:
        Region of the targets.
    label:
        Label (enterprise project) that its sources get; policies can look at it.
    description:
        Whatever others should know.
    sync:
        Whether copies are kept in sync until the cutover.
    launch:
        Whether targets are started.
    speed_limit:
        Most Mbit/s that a task may send.
    """
    body = MigprojectCreation(
        name=name,
        region=region,
        type=TaskType.MIGRATE_BLOCK,
        description=description,
        enterprise_project=label,
        syncing=sync,
        start_target_server=launch,
        speed_limit=speed_limit,
    )
    with asking.connect() as plane:
        made = plane.create_migproject(body)
        found = find_project(plane, made)
    show(found, made, json=asking.json)


@app.command
def update(
    project: str,
    /,
    *,
    name: str | None = None,
    label: str | None = None,
    description: str | None = None,
    sync: Switch = None,
    launch: Switch = None,
    speed_limit: Speed = None,
    asking: Asking = USUAL,
) -> None:
    """Change a migration project. What isn't given stays.

    Parameters
    ----------
    project:
        Its id or its name.
    name:
        A new name.
    label:
        Label (enterprise project) that its sources get.
    description:
        Whatever others should know.
    sync:
        Whether copies are kept in sync until the cutover.
    launch:
        Whether targets are started.
    speed_limit:
        Most Mbit/s that a task may send.
    """
    change = MigprojectUpdate(
        name=name,
        description=description,
        enterprise_project=label,
        syncing=sync,
        start_target_server=launch,
        speed_limit=speed_limit,
    )
    with asking.connect() as plane:
        plane.update_migproject(find_project(plane, project).id, change)


@app.command
def default(project: str, /, *, asking: Asking = USUAL) -> None:
    """Let sources that register from now on belong to this project.

    Parameters
    ----------
    project:
        Its id or its name.
    """
    with asking.connect() as plane:
        plane.update_default_migproject(find_project(plane, project).id)


@app.command
def delete(project: str, /, *, yes: Yes = False, asking: Asking = USUAL) -> None:
    """Delete a migration project that holds no sources.

    Parameters
    ----------
    project:
        Its id or its name.
    yes:
        Don't ask.
    """
    with asking.connect() as plane:
        found = find_project(plane, project)
        confirm("Deleting the project", [found.name], yes=yes)
        plane.delete_migproject(found.id)
