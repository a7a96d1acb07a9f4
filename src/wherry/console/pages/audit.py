"""The audit log: who changed what, filtered, and whether the log fits together."""

import datetime as dt
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from wherry.console.forms import YES, Answers, Problem, problem_of
from wherry.console.languages import N_
from wherry.console.navigation import Entry
from wherry.console.visit import Page, Visit
from wherry.contract.errors import ApiError
from wherry.contract.oversight import AuditLog, AuditVerification
from wherry.server.answers import Answer

PATH: Final = "/console/audit"
ENTRY = Entry(PATH, N_("Audit log"), "audit", "ListAuditEntries")

_PAGE: Final = 50
_TEXTS: Final = ("caller", "event", "resource_type", "resource_id")
_DAYS: Final = ("since", "until")
_NONE = AuditLog(entries=[], more=False)


@dataclass(frozen=True, slots=True)
class Shown:
    """A part of the log. *address*: the query by which one comes back to these filters."""

    log: AuditLog
    address: str
    problem: Problem | None = None


async def show_log(visit: Visit) -> Answer:
    """Show the entries that match, the newest first; with `verify` also whether the whole log fits together."""
    answers = Answers({name: [value] for name, value in visit.query.items()})
    verification = None
    if answers.on("verify"):
        verification = await visit.ask(AuditVerification, "VerifyAuditLog")
    shown = await _entries(visit, answers)
    return visit.page(
        "audit.html",
        status=200 if shown.problem is None else shown.problem.error.status,
        shown=shown,
        answers=answers,
        problem=shown.problem,
        verification=verification,
        later=bool(answers.text("before")),
        yes=YES,
        path=PATH,
    )


PAGES = (Page("ConsoleAudit", "GET", PATH, show_log),)


def day_ms(text: str, name: str, *, end: bool = False) -> int | None:
    """Return when a day (YYYY-MM-DD, in UTC) begins or ends, in epoch milliseconds; None for no day.

    Raises ApiError SMS.9001 about the field *name*.
    """
    if not text:
        return None
    try:
        day = dt.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=dt.UTC)
    except ValueError:
        raise ApiError("SMS.9001", f"{name}: a day is YYYY-MM-DD", params=(name,)) from None
    begins = int(day.timestamp() * 1000)
    return begins + 86_400_000 - 1 if end else begins


async def _entries(visit: Visit, answers: Answers) -> Shown:
    filters = {name: answers.text(name) for name in (*_TEXTS, *_DAYS) if answers.text(name)}
    address = urlencode(filters)
    try:
        wanted: dict[str, object] = {name: answers.text(name) for name in _TEXTS}
        wanted["since"] = day_ms(answers.text("since"), "since")
        wanted["until"] = day_ms(answers.text("until"), "until", end=True)
        found = await visit.ask(
            AuditLog, "ListAuditEntries", None, limit=_PAGE, before=answers.text("before") or None, **wanted
        )
    except ApiError as error:
        return Shown(_NONE, address, problem_of(error, (*_TEXTS, *_DAYS)))
    return Shown(found, address)
