"""The list of tasks: how far each migration is, where it goes, and what has failed."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from wherry.console.languages import N_
from wherry.console.live import Fragments, Rows
from wherry.console.navigation import Entry
from wherry.console.pages.source_list import BATCH_ACTIONS
from wherry.console.pages.task import known
from wherry.console.visit import Page, Visit
from wherry.contract.fleet import Fleet, FleetOrder, TaskWork
from wherry.contract.wherry import ReceiverList
from wherry.server.answers import Answer

PATH = "/console/tasks"
ENTRY = Entry(PATH, N_("Tasks"), "tasks", "ListFleet")

WORKS: Mapping[str, str] = {
    TaskWork.ANY: N_("All"),
    TaskWork.RUNNING: N_("Running"),
    TaskWork.OPEN: N_("Not running"),
    TaskWork.FAILED: N_("Failed"),
    TaskWork.DONE: N_("Done"),
}
_PAGE = 50
_MOST_PAGES = 1000


async def show_tasks(visit: Visit) -> Answer:
    """Show the list."""
    return visit.page("task_list.html", **await _facts(visit))


async def watch_tasks(visit: Visit) -> Fragments:
    """Return its rows."""
    facts = await _facts(visit)
    fleet: Fleet = facts["fleet"]
    shared = {name: facts[name] for name in ("receivers", "batch_actions")}
    each = {
        f"task-{member.task.id}": visit.fragment("_parts/task_row.html", member=member, **shared)
        for member in fleet.members
        if member.task is not None
    }
    return {"task-rows": Rows(each, visit.fragment("_parts/task_rows.html", **facts))}


LIVE = {"tasks": watch_tasks}
PAGES = (Page("ConsoleTasks", "GET", PATH, show_tasks),)


async def _facts(visit: Visit) -> dict[str, Any]:
    query = visit.query
    work = query.get("work", "")
    work = work if work in WORKS else TaskWork.ANY
    page = int(query["page"]) if query.get("page", "").isdecimal() and len(query["page"]) < 5 else 1
    page = min(max(page, 1), _MOST_PAGES)
    filters = {"search": query.get("search", ""), "work": work, "receiver": query.get("receiver", "")}
    fleet = await visit.ask(
        Fleet,
        "ListFleet",
        None,
        **filters,
        sort=FleetOrder.ADDED,
        descending=True,
        limit=_PAGE,
        offset=(page - 1) * _PAGE,
    )
    receivers = await known(visit, ReceiverList, "ListReceivers", {})
    return {
        "works": WORKS,
        "fleet": fleet,
        "filters": filters,
        "page": page,
        "pages": max(1, -(-fleet.count // _PAGE)),
        "address": urlencode({name: value for name, value in filters.items() if value}),
        "batch_actions": BATCH_ACTIONS if visit.may("UpdateTaskStatus") else (),
        "receivers": {} if receivers is None else {each.id: each.name for each in receivers.receivers},
    }
