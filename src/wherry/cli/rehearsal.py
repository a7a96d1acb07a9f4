"""`wherry rehearsal`: boots of a copy in a machine without network."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.table import Table

from wherry.cli.asking import USUAL, Asking
from wherry.cli.errors import FileUnwritable, ValueUnreadable
from wherry.cli.fleet import find_source, find_task
from wherry.cli.output import Column, facts, moment, printable, show, table
from wherry.cli.paging import every
from wherry.contract.enumerations import OrderStage, Verdict
from wherry.contract.landing import (
    DEFAULT_LIMIT_S,
    Rehearsal,
    RehearsalCheck,
    RehearsalList,
    RehearsalRequest,
    RehearsalSettings,
    RehearsalStage,
    RehearsedCheck,
)
from wherry.durable import write_file
from wherry.errors import ExitStatus

app = App(name="rehearsal")

_PAGE: Final = 200
_LOOK_S: Final = 2.0
"""Pause between two looks at a rehearsal that is waited for, in seconds."""
_ENDS: Final = frozenset({OrderStage.DONE, OrderStage.FAILED, OrderStage.NOTHING_TO_BOOT, OrderStage.WITHDRAWN})
_COLUMNS: Final = (
    Column[Rehearsal]("id", lambda each: each.id),
    Column[Rehearsal]("task", lambda each: each.task_id),
    Column[Rehearsal]("kind", lambda each: each.kind.value),
    Column[Rehearsal]("stage", lambda each: each.stage.value),
    Column[Rehearsal]("verdict", lambda each: each.verdict and each.verdict.value),
    Column[Rehearsal]("took", lambda each: f"{each.seconds:.0f} s" if each.seconds else "", numeric=True),
    Column[Rehearsal]("ordered", lambda each: moment(each.ordered_at)),
)
_STAGES: Final = (
    Column[RehearsalStage]("stage", lambda each: each.name),
    Column[RehearsalStage]("after", lambda each: f"{each.at_s:.1f} s", numeric=True),
)
_CHECKS: Final = (
    Column[RehearsedCheck]("check", lambda each: each.name),
    Column[RehearsedCheck]("status", lambda each: "no end" if each.status is None else each.status),
    Column[RehearsedCheck]("output", lambda each: each.output),
)


@Parameter(name="*")
@dataclass(frozen=True)
class Asked:
    """What a rehearsal asks of a copy."""

    check: Annotated[tuple[str, ...], Parameter(negative="")] = ()
    """NAME=COMMAND, run in the copy by /bin/sh once it's up; it has to end with status 0. May be given many times."""

    limit: Annotated[int, Parameter(validator=Number(gte=10, lte=86400))] = DEFAULT_LIMIT_S
    """Seconds that the copy may take to come up."""

    strict_units: Annotated[bool, Parameter(negative="")] = False
    """Fail where a unit of systemd fails in the copy that hadn't failed on the source."""

    def checks(self) -> list[RehearsalCheck]:
        """Return the checks. Raises ValueUnreadable."""
        return [read_check(text) for text in self.check]


USUALLY_ASKED: Final = Asked()


@app.command(name="list")
def list_rehearsals(
    *, task: str = "", source: str = "", verdict: Verdict | None = None, asking: Asking = USUAL
) -> None:
    """List rehearsals, the newest first.

    Parameters
    ----------
    task:
        Only those of the task of this id or name.
    source:
        Only those of the source of this id or name.
    verdict:
        Only those that came to this.
    """
    with asking.connect() as plane:
        filters = {
            "task_id": find_task(plane, task).id if task else None,
            "source_id": find_source(plane, source).id if source else None,
            "verdict": verdict,
        }
        found = every(lambda at: plane.list_rehearsals(limit=_PAGE, offset=at, **filters).rehearsals, _PAGE)
    show(RehearsalList(count=len(found), rehearsals=found), table(_COLUMNS, found), json=asking.json)


@app.command(name="show")
def show_rehearsal(rehearsal: str, /, *, asking: Asking = USUAL) -> int:
    """Show a rehearsal. Exit status 1: the copy didn't pass.

    Parameters
    ----------
    rehearsal:
        Its id.
    """
    with asking.connect() as plane:
        found = plane.show_rehearsal(rehearsal)
    return _tell(found, asking)


@app.command
def order(
    task: str,
    /,
    *,
    asked: Asked = USUALLY_ASKED,
    fresh: Annotated[bool, Parameter(negative="")] = False,
    wait: Annotated[bool, Parameter(negative="")] = False,
    asking: Asking = USUAL,
) -> int:
    """Order a rehearsal of a task's newest consistent checkpoint, and show its id.

    Parameters
    ----------
    task:
        Its id or name, or those of its source.
    fresh:
        Take a new checkpoint for it; the server is frozen for a moment.
    wait:
        Wait for the end and show what came of it; exit status 1: the copy didn't pass.
    """
    # Defaults aren't sent, so they stay as the task's settings have them.
    request = RehearsalRequest(checks=asked.checks(), limit_s=asked.limit, strict_units=asked.strict_units, fresh=fresh)
    with asking.connect() as plane:
        made = plane.order_rehearsal(find_task(plane, task).id, request)
        found = plane.show_rehearsal(made)
        while wait and found.stage not in _ENDS:
            time.sleep(_LOOK_S)
            found = plane.show_rehearsal(made)
    if wait:
        return _tell(found, asking)
    show(found, made, json=asking.json)
    return ExitStatus.DONE


@app.command
def console(rehearsal: str, /, *, asking: Asking = USUAL) -> None:
    """Show what a rehearsed copy wrote to its console.

    Parameters
    ----------
    rehearsal:
        Its id.
    """
    with asking.connect() as plane:
        text = plane.show_console(rehearsal)
    lines = text.splitlines()
    show(text, *(["\n".join(printable(line) for line in lines)] if lines else []), json=asking.json)


@app.command
def screenshot(rehearsal: str, file: Path, /, *, asking: Asking = USUAL) -> None:
    """Write the picture of a rehearsed copy's screen (PNG) into a file.

    Parameters
    ----------
    rehearsal:
        Its id.
    file:
        File to write; - for standard output.
    """
    with asking.connect() as plane:
        picture = plane.show_screenshot(rehearsal)
    if file == Path("-"):
        sys.stdout.buffer.write(picture)
        return
    try:
        write_file(file, picture)
    except OSError as error:
        raise FileUnwritable(path=file, reason=error.strerror or str(error)) from error


@app.command
def settings(task: str, /, *, asking: Asking = USUAL) -> None:
    """Show what the rehearsals of a task's cutover and drill ask.

    Parameters
    ----------
    task:
        Its id or name, or those of its source.
    """
    with asking.connect() as plane:
        found = plane.show_rehearsal_settings(find_task(plane, task).id)
    shown = facts(
        ("limit", f"{found.limit_s} s"),
        ("strict units", found.strict_units),
        *((f"check {check.name}", check.command) for check in found.checks),
    )
    show(found, shown, json=asking.json)


@app.command
def configure(task: str, /, *, asked: Asked = USUALLY_ASKED, asking: Asking = USUAL) -> None:
    """Say what the rehearsals of a task's cutover and drill ask, in place of what they asked before.

    Parameters
    ----------
    task:
        Its id or name, or those of its source.
    """
    wished = RehearsalSettings(checks=asked.checks(), limit_s=asked.limit, strict_units=asked.strict_units)
    with asking.connect() as plane:
        plane.update_rehearsal_settings(find_task(plane, task).id, wished)


def read_check(text: str) -> RehearsalCheck:
    """Return the check that ``NAME=COMMAND`` means. Raises ValueUnreadable."""
    name, equals, command = text.partition("=")
    if not equals or not name.strip() or not command.strip():
        raise ValueUnreadable(text=text, what="a check", example="'shop answers=systemctl is-active shop'")
    return RehearsalCheck(name=name.strip(), command=command.strip())


def _tell(found: Rehearsal, asking: Asking) -> int:
    show(found, _described(found), table(_STAGES, found.stages), table(_CHECKS, found.checks), json=asking.json)
    passed = found.verdict is Verdict.PASSED or found.stage not in _ENDS
    return ExitStatus.DONE if passed else ExitStatus.NOT_SO


def _described(found: Rehearsal) -> Table:
    error = found.error
    return facts(
        ("id", found.id),
        ("task", found.task_id),
        ("kind", found.kind.value),
        ("stage", found.stage.value),
        ("verdict", found.verdict and found.verdict.value),
        ("checkpoint", found.checkpoint),
        ("ordered", moment(found.ordered_at)),
        ("finished", moment(found.finished_at)),
        ("took", f"{found.seconds:.1f} s" if found.seconds else None),
        ("failed units", ", ".join(found.failed_units)),
        ("note", found.note),
        ("changes", "; ".join(found.changes)),
        ("error", None if error is None else f"{error.code}: {error.message}"),
        ("cause", None if error is None else error.cause),
        ("fix", None if error is None else error.fix),
    )
