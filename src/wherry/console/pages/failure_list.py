"""What has failed: each source whose task has an error, with code, cause and fix, and a way to start it again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from wherry.console.languages import N_
from wherry.console.live import Fragments, Rows
from wherry.console.navigation import Entry
from wherry.console.pages.task import explain
from wherry.console.visit import Page, Visit
from wherry.contract.enumerations import Action
from wherry.contract.landing import LandingError
from wherry.contract.sources import MigrationError, MigrationErrorList
from wherry.server.answers import Answer

PATH = "/console/errors"
ENTRY = Entry(PATH, N_("Failures"), "errors", "ListErrorServers")

ACTIONS = (Action.START, Action.RESTART)
"""What helps a task that has failed, once its cause is mended."""

_PAGE = 50
_MOST_PAGES = 1000


@dataclass(frozen=True, slots=True)
class Failure:
    """A source that has failed. *error*: why; None where nothing is known. *params*: what it was about."""

    source: MigrationError
    error: LandingError | None
    params: str


async def show_failures(visit: Visit) -> Answer:
    """Show a page of them."""
    return visit.page("failure_list.html", **await _facts(visit))


async def watch_failures(visit: Visit) -> Fragments:
    """Return the rows and how many there are."""
    facts = await _facts(visit)
    each = {
        f"failure-{failure.source.source_id}": visit.fragment(
            "_parts/failure_row.html", failure=failure, actions=facts["actions"]
        )
        for failure in facts["failures"]
    }
    return {
        "failures": Rows(each, visit.fragment("_parts/failure_rows.html", **facts)),
        "failure-count": visit.fragment("_parts/failure_count.html", **facts),
    }


PAGES = (Page("ConsoleFailures", "GET", PATH, show_failures),)
LIVE = {"errors": watch_failures}


def failure_of(source: MigrationError) -> Failure:
    """Return what is to be said about an item of ListErrorServers."""
    document = msgspec.json.decode(source.error_json, type=Mapping[str, str]) if source.error_json else {}
    params = msgspec.json.decode(document.get("error_param") or "[]", type=list[str])
    return Failure(source, explain(document.get("error_code", "")), ", ".join(params))


async def _facts(visit: Visit) -> dict[str, Any]:
    number = visit.query.get("page", "")
    page = min(max(int(number), 1), _MOST_PAGES) if number.isdecimal() and len(number) < 5 else 1
    found = await visit.ask(MigrationErrorList, "ListErrorServers", limit=_PAGE, offset=(page - 1) * _PAGE)
    return {
        "failures": [failure_of(source) for source in found.migration_errors],
        "count": found.count,
        "page": page,
        "pages": max(1, -(-found.count // _PAGE)),
        "actions": ACTIONS if visit.may("UpdateTaskStatus") else (),
    }
