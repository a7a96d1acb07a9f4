"""`wherry audit`: who changed what, and whether the log of it is whole."""

from datetime import datetime
from typing import Annotated, Final

from cyclopts import App, Parameter
from cyclopts.validators import Number

from wherry.cli.asking import USUAL, Asking
from wherry.cli.output import Column, facts, moment, show, table
from wherry.contract.oversight import AuditEntry, AuditLog
from wherry.errors import ExitStatus

app = App(name="audit")

_PAGE: Final = 200
_COLUMNS: Final = (
    Column[AuditEntry]("number", lambda each: each.sequence, numeric=True),
    Column[AuditEntry]("when", lambda each: moment(each.at)),
    Column[AuditEntry]("who", lambda each: f"{each.caller_kind} {each.caller_name}"),
    Column[AuditEntry]("did", lambda each: each.event),
    Column[AuditEntry]("to", lambda each: f"{each.resource_type} {each.resource_id}"),
    Column[AuditEntry]("detail", lambda each: each.detail),
)


@app.command(name="list")
def list_entries(
    *,
    event: str = "",
    resource: str = "",
    resource_type: str = "",
    caller: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    limit: Annotated[int, Parameter(validator=Number(gte=1))] = 50,
    asking: Asking = USUAL,
) -> None:
    """List entries of the audit log, the newest first.

    Parameters
    ----------
    event:
        Only those of this event, such as removeSource.
    resource:
        Only those about the thing of this id.
    resource_type:
        Only those about things of this type, such as Task.
    caller:
        Only those of the user, agent or receiver of this name.
    since:
        Only those from this moment on, such as 2026-11-24T20:00:00; in this machine's time zone unless it says another.
    until:
        Only those up to this moment.
    limit:
        How many at most.
    """
    filters = {
        "event": event or None,
        "resource_id": resource or None,
        "resource_type": resource_type or None,
        "caller": caller or None,
        "since": _ms(since),
        "until": _ms(until),
    }
    found: list[AuditEntry] = []
    with asking.connect() as plane:
        more = True
        while more and len(found) < limit:
            before = found[-1].sequence if found else None
            page = plane.list_audit_entries(limit=min(_PAGE, limit - len(found)), before=before, **filters)
            found += page.entries
            more = page.more
    show(AuditLog(entries=found, more=more), table(_COLUMNS, found), json=asking.json)


@app.command
def verify(*, asking: Asking = USUAL) -> int:
    """Check that no entry of the audit log was changed or removed. Exit status 1: one was.

    It's for the operator of the control plane, as the log is one for all accounts. Keep the head that it shows at
    another place: a log that was cut off at its end is found out by comparing.
    """
    with asking.connect() as plane:
        found = plane.verify_audit_log()
    shown = facts(
        ("whole", found.whole), ("entries", found.entries), ("first broken", found.first_broken), ("head", found.head)
    )
    show(found, shown, json=asking.json)
    return ExitStatus.DONE if found.whole else ExitStatus.NOT_SO


def _ms(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp() * 1000)
