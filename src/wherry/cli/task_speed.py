"""`wherry task limits` and `limit`: how fast tasks may send, by the time of day."""

import re
from typing import Final

from wherry.cli.asking import USUAL, Asking
from wherry.cli.batch import do_each, tell
from wherry.cli.errors import ValueUnreadable
from wherry.cli.fleet import ANY_TASK, TaskFilter, find_task, find_tasks, task_name
from wherry.cli.output import Column, show, table
from wherry.contract.speed import SpeedLimits, SpeedPeriod

_PERIOD: Final = re.compile(r"(\d{1,2}:\d{2})-(\d{1,2}:\d{2})=(\d{1,4})")
_COLUMNS: Final = (
    Column[SpeedPeriod]("from", lambda each: each.start),
    Column[SpeedPeriod]("to", lambda each: each.end),
    Column[SpeedPeriod]("Mbit/s", lambda each: each.speed or "no limit", numeric=True),
)


def limits(task: str, /, *, asking: Asking = USUAL) -> None:
    """Show the speed limits of a task by the time of day.

    Parameters
    ----------
    task:
        Its id or name, or those of its source.
    """
    with asking.connect() as plane:
        found = plane.show_speed_limits(find_task(plane, task).id)
    show(found, table(_COLUMNS, found.speed_limit), json=asking.json)


def limit(
    task: str,
    /,
    *tasks: str,
    period: tuple[str, ...] = (),
    wanted: TaskFilter = ANY_TASK,
    asking: Asking = USUAL,
) -> int:
    """Replace the speed limits of tasks. Without a period there are none.

    Parameters
    ----------
    task:
        Id, name, or pattern such as 'web-*', of a task or of its source.
    tasks:
        More of them.
    period:
        FROM-TO=MBIT, such as 8:00-18:00=100; 0 Mbit/s for no limit; may be given many times.
    """
    wish = SpeedLimits(speed_limit=[read_period(text) for text in period])
    with asking.connect() as plane:
        found = find_tasks(plane, (task, *tasks), wanted)
        outcomes = do_each(found, lambda each: plane.update_speed(each.id, wish), task_name)
    return tell(outcomes, json=asking.json)


def read_period(text: str) -> SpeedPeriod:
    """Return the period that *text* (``8:00-18:00=100``) means. Raises ValueUnreadable."""
    parts = _PERIOD.fullmatch(text)
    if parts is None or int(parts[3]) > 1000:
        raise ValueUnreadable(text=text, what="a period and its limit in Mbit/s (0 to 1000)", example="8:00-18:00=100")
    return SpeedPeriod(start=parts[1], end=parts[2], speed=int(parts[3]))
