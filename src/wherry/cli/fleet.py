"""What the words of a command line mean among sources, tasks and projects: asked page by page, matched here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Group, Parameter

from wherry.cli.choosing import chosen, the_one
from wherry.cli.paging import every
from wherry.client.control_plane import ControlPlane
from wherry.contract.enumerations import SourceState, TaskState
from wherry.contract.projects import MigprojectSummary
from wherry.contract.sources import SourceSummary
from wherry.contract.tasks import TaskSummary
from wherry.contract.templates import TemplateDetail

if TYPE_CHECKING:
    SourceStateWord = str
    TaskStateWord = str
else:  # the words that are shown and understood, so that help and completion know them
    SourceStateWord = Literal[tuple(state.value for state in SourceState)]
    TaskStateWord = Literal[tuple(state.value for state in TaskState)]

_PAGE: Final = 200
_SHORT_PAGE: Final = 100
_LONGEST_ID: Final = 36
_GROUP: Final = Group("Which ones", sort_key=50)


@Parameter(name="*", group=_GROUP)
@dataclass(frozen=True)
class SourceFilter:
    """Which sources are meant; all conditions have to hold."""

    state: SourceStateWord | None = None
    """Only those in this state."""

    project: str = ""
    """Only those of this migration project: its name or id."""

    label: str = ""
    """Only those with this label (enterprise project)."""

    connected: Annotated[bool | None, Parameter(negative="--disconnected")] = None
    """Only those whose agent is there, or isn't."""


@Parameter(name="*", group=_GROUP)
@dataclass(frozen=True)
class TaskFilter:
    """Which tasks are meant; all conditions have to hold."""

    state: TaskStateWord | None = None
    """Only those in this state."""

    label: str = ""
    """Only those whose source has this label (enterprise project)."""


ANY_SOURCE: Final = SourceFilter()
ANY_TASK: Final = TaskFilter()


def find_sources(plane: ControlPlane, words: Sequence[str], wanted: SourceFilter = ANY_SOURCE) -> list[SourceSummary]:
    """Return the sources that are meant by ids, names or patterns, within *wanted*; all without a word."""
    filters = {
        "state": wanted.state,
        "migproject": find_project(plane, wanted.project).id if wanted.project else None,
        "enterprise_project_id": wanted.label or None,
        "connected": wanted.connected,
    }
    found = every(lambda at: plane.list_servers(limit=_PAGE, offset=at, **filters).source_servers, _PAGE)
    return chosen(words, found, _source_names, kind="source")


def find_source(plane: ControlPlane, word: str) -> SourceSummary:
    """Return the source of this id or name."""
    by_id = plane.list_servers(id=word).source_servers
    if by_id:
        return by_id[0]
    # The filter lets parts of names pass too; it spares the rest of a long list.
    named = every(lambda at: plane.list_servers(limit=_PAGE, offset=at, name=word).source_servers, _PAGE)
    return the_one(word, named, _source_names, kind="source")


def find_tasks(plane: ControlPlane, words: Sequence[str], wanted: TaskFilter = ANY_TASK) -> list[TaskSummary]:
    """Return the tasks that are meant by ids, names or patterns, their own or their source's; all without a word."""
    label = wanted.label or None
    found = every(lambda at: plane.list_tasks(limit=_PAGE, offset=at, enterprise_project_id=label).tasks, _PAGE)
    # The operation's own filter doesn't know all states.
    found = [task for task in found if wanted.state is None or task.state == wanted.state]
    return chosen(words, found, _task_names, kind="task")


def find_task(plane: ControlPlane, word: str) -> TaskSummary:
    """Return the task of this id or name, or of the source of this id or name."""
    by_id = plane.list_tasks(id=word).tasks if len(word) <= _LONGEST_ID else []
    return by_id[0] if by_id else the_one(word, find_tasks(plane, ()), _task_names, kind="task")


def find_projects(plane: ControlPlane, words: Sequence[str] = ()) -> list[MigprojectSummary]:
    """Return the migration projects that are meant."""
    found = every(lambda at: plane.list_migprojects(limit=_SHORT_PAGE, offset=at).migprojects, _SHORT_PAGE)
    return chosen(words, found, lambda project: (project.id, project.name), kind="project")


def find_project(plane: ControlPlane, word: str) -> MigprojectSummary:
    """Return the migration project of this id or name."""
    return the_one(word, find_projects(plane), lambda project: (project.id, project.name), kind="project")


def find_templates(plane: ControlPlane, words: Sequence[str] = ()) -> list[TemplateDetail]:
    """Return the templates that are meant."""
    found = every(lambda at: plane.list_templates(limit=_SHORT_PAGE, offset=at).templates, _SHORT_PAGE)
    return chosen(words, found, lambda template: (template.id, template.name), kind="template")


def find_template(plane: ControlPlane, word: str) -> TemplateDetail:
    """Return the template of this id or name."""
    return the_one(word, find_templates(plane), lambda template: (template.id, template.name), kind="template")


def task_name(task: TaskSummary) -> tuple[str, str]:
    """Return by what a task is known and called."""
    source = "" if task.source_server is None else task.source_server.name
    return task.id, f"{task.name} of {source}" if source else task.name


def _source_names(source: SourceSummary) -> Sequence[str]:
    return source.id, source.name


def _task_names(task: TaskSummary) -> Sequence[str]:
    source = task.source_server
    return (task.id, task.name) if source is None else (task.id, task.name, source.id, source.name)
