"""`wherry watch`: a task, followed to its end."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console
from rich.live import Live

from wherry.cli.asking import USUAL, Asking
from wherry.cli.fleet import find_task
from wherry.cli.output import console
from wherry.cli.watch_view import line, picture, stage
from wherry.cli.watching import Goal, Watched, check_end, follow

PATIENCE_S: Final = 60.0
"""How long a control plane may be away, in seconds: following goes on over its restart."""

Teller = Callable[[Watched], None]


def watch(
    task: str,
    /,
    *,
    until: Goal = "end",
    interval: Annotated[float, Parameter(validator=Number(gte=0.2, lte=3600))] = 1.0,
    asking: Asking = USUAL,
) -> None:
    """Follow a task: a live picture on a terminal, a line a change elsewhere.

    Exit status 0: it ended well. 1: it failed, with code, cause and fix, or was stopped. With --json each change is a
    JSON document on a line of its own.

    Parameters
    ----------
    task:
        Its id or name, or those of its source.
    until:
        When to stop looking: at the task's end, or as soon as the copy is complete and kept in sync.
    interval:
        Seconds between two looks.
    """
    with asking.connect(PATIENCE_S) as plane:
        task_id = find_task(plane, task).id
        with telling(console(), json=asking.json) as tell:
            for seen in follow(plane, task_id, interval_s=interval, goal=until):
                tell(seen)
    check_end(seen)


@contextmanager
def telling(to: Console, *, json: bool) -> Iterator[Teller]:
    """Lend a teller of what is seen: JSON lines, a picture that moves, or a line for each change."""
    if to.is_terminal and not json:
        with Live(console=to, auto_refresh=False, vertical_overflow="visible") as live:
            yield lambda seen: live.update(picture(seen), refresh=True)
        return
    told: list[object] = []

    def tell(seen: Watched) -> None:
        now = stage(seen)
        if told and told[-1] == now:
            return
        told[:] = [now]
        sys.stdout.write((msgspec.json.encode(seen).decode() if json else line(seen)) + "\n")
        sys.stdout.flush()

    yield tell
