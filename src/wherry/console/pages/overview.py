"""The overview: how many sources stand where, what runs, where there is room, what has failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import json

from wherry.console.languages import N_
from wherry.console.live import Fragments, Rows
from wherry.console.navigation import Entry
from wherry.console.visit import Visit
from wherry.contract.enumerations import SourceState
from wherry.contract.fleet import Fleet, FleetOrder, TaskWork
from wherry.contract.overview import Overview
from wherry.contract.sources import MigrationErrorList
from wherry.contract.wherry import ReceiverList
from wherry.server.answers import Answer

ENTRY = Entry("/", N_("Overview"), "overview", "ShowOverview")

_MOST_RUNNING = 25
_MOST_ERRORS = 5


@dataclass(frozen=True, slots=True)
class Group:
    """One figure of the overview: sources in some states, and where the list of them is."""

    text: str
    tone: str
    states: Sequence[SourceState]
    link: str


GROUPS = (
    Group(N_("Copying"), "busy", (SourceState.REPLICATE, SourceState.INITIALIZE), "state=replicate"),
    Group(N_("In sync"), "good", (SourceState.SYNCING,), "state=syncing"),
    Group(N_("Cutting over"), "busy", (SourceState.CUTOVERING, SourceState.CLONING), "state=cutovering"),
    Group(N_("Migrated"), "good", (SourceState.FINISHED,), "state=finished"),
    Group(N_("Paused"), "warm", (SourceState.STOPPED, SourceState.STOPPING), "state=stopped"),
    Group(N_("Failed"), "bad", (SourceState.ERROR,), "state=error"),
    Group(N_("Not fit for migration"), "warm", (SourceState.UNAVAILABLE,), "state=unavailable"),
)


async def show_overview(visit: Visit) -> Answer:
    """Show it."""
    return visit.page("overview.html", **await _facts(visit))


async def watch_overview(visit: Visit) -> Fragments:
    """Return its live parts."""
    facts = await _facts(visit)
    running: Fleet = facts["running"]
    each = {
        f"running-{member.id}": visit.fragment("_parts/running_row.html", member=member) for member in running.members
    }
    return {
        "counters": visit.fragment("_parts/counters.html", **facts),
        "running": Rows(each, visit.fragment("_parts/running_rows.html", **facts)),
        "running-more": visit.fragment("_parts/running_more.html", **facts),
        "receivers": visit.fragment("_parts/receiver_rooms.html", **facts),
        "errors": visit.fragment("_parts/latest_errors.html", **facts),
    }


LIVE = {"overview": watch_overview}


async def _facts(visit: Visit) -> dict[str, Any]:
    counts = await visit.ask(Overview, "ShowOverview")
    running = await visit.ask(Fleet, "ListFleet", work=TaskWork.RUNNING, sort=FleetOrder.PROGRESS, limit=_MOST_RUNNING)
    rooms = await visit.ask(ReceiverList, "ListReceivers") if visit.may("ListReceivers") else None
    failed = await visit.ask(MigrationErrorList, "ListErrorServers", limit=_MOST_ERRORS)
    everybody = await visit.ask(Fleet, "ListFleet", limit=0)
    return {
        "counters": [(group, sum(_count(counts, state) for state in group.states)) for group in GROUPS],
        "sources": everybody.count,
        "unconfigured": counts.unconfigured,
        "running": running,
        "receivers": None if rooms is None else rooms.receivers,
        "failures": [(error, _code(error.error_json)) for error in failed.migration_errors],
        "failed": failed.count,
    }


def _count(counts: Overview, state: SourceState) -> int:
    found: int = getattr(counts, state.value, 0)
    return found


def _code(error_json: str) -> str:
    """Return the code inside the text that holds JSON; empty where it holds none."""
    document: Mapping[str, str] = json.decode(error_json) if error_json else {}
    return document.get("error_code", "")
