"""`wherry event`: how the states of sources and tasks changed."""

from typing import Annotated, Final

from cyclopts import App, Parameter
from cyclopts.validators import Number

from wherry.cli.asking import USUAL, Asking
from wherry.cli.fleet import find_source
from wherry.cli.output import Column, moment, show, table
from wherry.contract.oversight import Event, Events

app = App(name="event")

_PAGE: Final = 200
_COLUMNS: Final = (
    Column[Event]("when", lambda each: moment(each.at)),
    Column[Event]("source", lambda each: each.source_name),
    Column[Event]("of", lambda each: each.entity),
    Column[Event]("from", lambda each: each.from_state),
    Column[Event]("to", lambda each: each.to_state),
    Column[Event]("why", lambda each: each.reason),
)


@app.command(name="list")
def list_events(
    *,
    source: str = "",
    limit: Annotated[int, Parameter(validator=Number(gte=1))] = 50,
    asking: Asking = USUAL,
) -> None:
    """List how the states of sources, their tasks and their landings changed, the newest first.

    Parameters
    ----------
    source:
        Only those of the source of this id or name.
    limit:
        How many at most.
    """
    found: list[Event] = []
    with asking.connect() as plane:
        source_id = find_source(plane, source).id if source else None
        more = True
        while more and len(found) < limit:
            before = found[-1].sequence if found else None
            page = plane.list_account_events(limit=min(_PAGE, limit - len(found)), before=before, source_id=source_id)
            found += page.events
            more = page.more
    show(Events(events=found, more=more), table(_COLUMNS, found), json=asking.json)
