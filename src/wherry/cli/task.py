"""`wherry task`: migrations."""

from typing import Final

from cyclopts import App
from rich.table import Table

from wherry.cli.asking import USUAL, Asking
from wherry.cli.batch import do_each, tell
from wherry.cli.confirming import Yes, confirm
from wherry.cli.errors import OptionsExclude
from wherry.cli.fleet import (
    ANY_SOURCE,
    ANY_TASK,
    SourceFilter,
    TaskFilter,
    find_sources,
    find_task,
    find_tasks,
    find_template,
    task_name,
)
from wherry.cli.output import Column, facts, moment, show, size, table
from wherry.cli.task_creation import Wish, creation
from wherry.cli.watching import error_code
from wherry.contract.enumerations import Action
from wherry.contract.sources import SourceSummary
from wherry.contract.tasks import SubtaskDetail, SubtaskSummary, TaskDetail, TaskList, TaskSummary
from wherry.contract.wherry import ReplicationFigures, StateEvent

app = App(name="task")
app.command("wherry.cli.task_speed:limits", name="limits", help="Show the speed limits of a task by the time of day.")
app.command("wherry.cli.task_speed:limit", name="limit", help="Replace the speed limits of tasks.")

COLUMNS: Final = (
    Column[TaskSummary]("name", lambda each: each.name),
    Column[TaskSummary]("id", lambda each: each.id),
    Column[TaskSummary]("source", lambda each: each.source_server.name if each.source_server else ""),
    Column[TaskSummary]("state", lambda each: each.state.value),
    Column[TaskSummary]("step", lambda each: _step(each.sub_tasks or ())),
    Column[TaskSummary]("Mbit/s", lambda each: each.migrate_speed, numeric=True),
    Column[TaskSummary]("created", lambda each: moment(each.create_date)),
    Column[TaskSummary]("error", lambda each: error_code(each.error_json)),
)
_STEPS: Final = (
    Column[SubtaskDetail]("step", lambda each: each.name),
    Column[SubtaskDetail]("done", lambda each: f"{each.progress} %", numeric=True),
    Column[SubtaskDetail]("began", lambda each: moment(each.start_date)),
    Column[SubtaskDetail]("ended", lambda each: moment(each.end_date)),
)
_EVENTS: Final = (
    Column[StateEvent]("when", lambda each: moment(each.at)),
    Column[StateEvent]("of", lambda each: each.entity),
    Column[StateEvent]("from", lambda each: each.from_state),
    Column[StateEvent]("to", lambda each: each.to_state),
    Column[StateEvent]("why", lambda each: each.reason),
)
_ACTIONS: Final = (
    ("start", Action.START, "Begin, or go on with, migrations."),
    ("stop", Action.STOP, "Stop migrations; what is copied stays, and `start` goes on there."),
    ("restart", Action.RESTART, "Begin migrations again that have ended."),
    ("cutover", Action.CUTOVER, "Cut over: the last changes are sent, the copy is proven, rehearsed and launched."),
    ("drill", Action.MIGRATION_TEST, "Try migrations out before they begin: copy, rehearse, and launch nothing."),
    ("clone-test", Action.CLONE_TEST, "Launch a clone of the newest copy beside the source."),
    ("network-check", Action.NETWORK_CHECK, "Have agents measure the way to their receivers."),
    ("skip", Action.SKIP, "Skip what runs now, and go on with the next step."),
    ("clear", Action.CLEAR, "Remove what was kept for a roll back."),
)


@app.command(name="list")
def list_tasks(*tasks: str, wanted: TaskFilter = ANY_TASK, asking: Asking = USUAL) -> None:
    """List tasks.

    Parameters
    ----------
    tasks:
        Ids, names, or patterns such as 'web-*', of tasks or of their sources; all without one.
    """
    with asking.connect() as plane:
        found = find_tasks(plane, tasks, wanted)
    show(TaskList(count=len(found), tasks=found), table(COLUMNS, found), json=asking.json)


@app.command(name="show")
def show_task(task: str, /, *, asking: Asking = USUAL) -> None:
    """Show a task with its steps.

    Parameters
    ----------
    task:
        Its id or name, or those of its source.
    """
    with asking.connect() as plane:
        found = plane.show_task(find_task(plane, task).id)
    show(found, _described(found), table(_STEPS, found.sub_tasks or ()), json=asking.json)


@app.command
def create(
    source: str,
    /,
    *sources: str,
    name: str = "",
    target: str = "",
    template: str = "",
    start: bool = False,
    wish: Wish | None = None,
    wanted: SourceFilter = ANY_SOURCE,
    asking: Asking = USUAL,
) -> int:
    """Create a task for each of the sources, and begin it if that's wished.

    Parameters
    ----------
    source:
        Id, name, or pattern such as 'web-*'.
    sources:
        More of them.
    name:
        Name of the task, for one source only; by default move- and the source's name.
    target:
        Id of a server that exists already, to land on; for one source only. Without it and without a template the
        receiver makes the server.
    template:
        Name or id of the template of the server that is to be made.
    start:
        Begin at once.
    """
    if target and template:
        raise OptionsExclude(first="--target", second="--template")
    with asking.connect() as plane:
        found = find_sources(plane, (source, *sources), wanted)
        if len(found) > 1 and (name or target):
            raise OptionsExclude(first="--name" if name else "--target", second="several sources")
        project = plane.list_projects().projects[0]
        template_id = find_template(plane, template).id if template else ""

        def make(each: SourceSummary) -> str:
            body = creation(
                plane.show_server(each.id), project, wish or Wish(), name=name, target=target, template_id=template_id
            )
            task_id = plane.create_task(body)
            if start:
                plane.update_task_status(task_id, Action.START)
            return task_id

        outcomes = do_each(found, make, lambda each: (each.id, each.name))
    return tell(outcomes, json=asking.json)


@app.command
def delete(task: str, /, *tasks: str, yes: Yes = False, wanted: TaskFilter = ANY_TASK, asking: Asking = USUAL) -> int:
    """Delete tasks. What has landed stays where it is.

    Parameters
    ----------
    task:
        Id, name, or pattern such as 'web-*', of a task or of its source.
    tasks:
        More of them.
    yes:
        Don't ask.
    """
    with asking.connect() as plane:
        found = find_tasks(plane, (task, *tasks), wanted)
        confirm("Deleting the task(s)", [task_name(each)[1] for each in found], yes=yes)
        outcomes = do_each(found, lambda each: plane.delete_task(each.id), task_name)
    return tell(outcomes, json=asking.json)


@app.command
def events(task: str, /, *, asking: Asking = USUAL) -> None:
    """Show how the states of a task and of its source changed, and why.

    Parameters
    ----------
    task:
        Its id or name, or those of its source.
    """
    with asking.connect() as plane:
        found = plane.list_events(find_task(plane, task).id)
    show(found, table(_EVENTS, found.events), json=asking.json)


@app.command
def figures(task: str, /, *, asking: Asking = USUAL) -> None:
    """Show the figures of a task's replication: passes, bytes, rate, what holds it up, what is to be expected.

    Parameters
    ----------
    task:
        Its id or name, or those of its source.
    """
    with asking.connect() as plane:
        found = plane.show_replication(find_task(plane, task).id)
    show(found, described_figures(found), json=asking.json)


def _act(action: Action, words: tuple[str, ...], wanted: TaskFilter, asking: Asking) -> int:
    with asking.connect() as plane:
        found = find_tasks(plane, words, wanted)
        outcomes = do_each(found, lambda each: plane.update_task_status(each.id, action), task_name)
    return tell(outcomes, json=asking.json)


def _add_action(name: str, action: Action, meaning: str) -> None:
    def act(task: str, /, *tasks: str, wanted: TaskFilter = ANY_TASK, asking: Asking = USUAL) -> int:
        return _act(action, (task, *tasks), wanted, asking)

    act.__doc__ = (
        f"{meaning}\n\nParameters\n----------\ntask:\n"
        "    Id, name, or pattern such as 'web-*', of a task or of its source.\ntasks:\n    More of them.\n"
    )
    app.command(act, name=name)


for _name, _action, _meaning in _ACTIONS:
    _add_action(_name, _action, _meaning)


def described_figures(found: ReplicationFigures) -> Table:
    """Return the figures of a replication, a fact a line."""
    forecast = found.forecast
    return facts(
        ("phase", found.phase.value),
        ("pass", found.pass_number),
        ("disks", size(found.disk_bytes)),
        ("in use", size(found.used_bytes)),
        ("read", size(found.read_bytes)),
        ("sent", size(found.sent_bytes)),
        ("on the wire", size(found.wire_bytes)),
        ("remaining", size(found.remaining_bytes)),
        ("rate", f"{found.rate_mbit:.1f} Mbit/s"),
        ("checkpoint", found.checkpoint),
        ("frozen for", f"{found.frozen_ms:.0f} ms" if found.frozen_ms else None),
        ("held up by", found.bottleneck),
        ("tracking", found.tracking),
        ("will converge", None if forecast is None else forecast.converges),
        ("ready in", None if forecast is None or forecast.seconds is None else f"{forecast.seconds:.0f} s"),
    )


def _step(steps: list[SubtaskSummary] | tuple[()]) -> str:
    return next((f"{step.name} {step.progress} %" for step in steps if step.progress < 100), "")


def _described(task: TaskDetail) -> Table:
    source, target = task.source_server, task.target_server
    return facts(
        ("name", task.name),
        ("id", task.id),
        ("state", task.state.value),
        ("source", None if source is None else f"{source.name} ({source.id}), {source.state or ''}"),
        ("target", None if target is None else target.name or target.vm_id),
        ("template", task.vm_template_id),
        ("connected", task.connected),
        ("keeps in sync", task.syncing),
        ("speed limit", f"{task.speed_limit} Mbit/s" if task.speed_limit else None),
        ("rate", None if task.migrate_speed is None else f"{task.migrate_speed} Mbit/s"),
        ("created", moment(task.create_date)),
        ("began", moment(task.start_date)),
        ("ended", moment(task.finish_date)),
        ("expected end", moment(task.estimate_complete_time)),
        ("error", error_code(task.error_json)),
    )
