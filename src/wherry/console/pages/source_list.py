"""The list of sources: searched, filtered, sorted, paged; actions on many at once; the list as a file."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from wherry.console import words
from wherry.console.languages import N_
from wherry.console.live import Fragments, Rows
from wherry.console.navigation import Entry
from wherry.console.visit import Page, Visit
from wherry.contract.enumerations import Action
from wherry.contract.errors import ApiError
from wherry.contract.fleet import Fleet, FleetMember, FleetOrder
from wherry.contract.projects import MigprojectList
from wherry.contract.tasks import TaskAction
from wherry.errors import WherryError
from wherry.iam.permissions import Resource
from wherry.server.answers import Answer

ENTRY = Entry("/console/sources", N_("Sources"), "sources", "ListFleet")

PATH = "/console/sources"
PAGE_SIZES = (50, 200, 1000)
DELETE = "delete"
BATCH_ACTIONS = (Action.START, Action.STOP, Action.RESTART, Action.CUTOVER)
_MOST_AT_ONCE = 1000
_EXPORT_PAGE = 1000
_MOST_EXPORTED = 65_000
_FILTERS = ("search", "state", "stage", "work", "connected", "migproject", "receiver")
_DEFAULT_ORDER = FleetOrder.ADDED


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the list. *order*: what it sorts by; *shown*: unless the visitor chose otherwise."""

    name: str
    text: str
    order: FleetOrder | None = None
    shown: bool = True
    number: bool = False


COLUMNS = (
    Column("address", N_("Address"), FleetOrder.IP),
    Column("system", N_("System"), shown=False),
    Column("stage", N_("Stage"), FleetOrder.STAGE),
    Column("state", N_("State"), FleetOrder.STATE),
    Column("progress", N_("Progress"), FleetOrder.PROGRESS),
    Column("rate", N_("Rate"), number=True),
    Column("left", N_("Left"), number=True),
    Column("step", N_("Step"), shown=False),
    Column("target", N_("Target"), shown=False),
    Column("contact", N_("Last contact"), FleetOrder.CONTACT, shown=False),
    Column("added", N_("Added"), FleetOrder.ADDED, shown=False),
)


@dataclass(frozen=True, slots=True)
class Listing:
    """What of the list is wanted, as it stands in the address.

    Attributes:
        filters: the filters that are set, by the parameters of ListFleet.
        page: from 1.
    """

    filters: Mapping[str, str]
    sort: FleetOrder = _DEFAULT_ORDER
    descending: bool = False
    page: int = 1
    size: int = PAGE_SIZES[0]

    @property
    def query(self) -> dict[str, Any]:
        """The query of ListFleet."""
        page = {"limit": self.size, "offset": (self.page - 1) * self.size}
        return {**self.filters, "sort": self.sort, "descending": self.descending, **page}

    @property
    def address(self) -> str:
        """The query string of the page."""
        values: dict[str, object] = dict(self.filters)
        if self.sort is not _DEFAULT_ORDER or self.descending:
            values |= {"sort": self.sort, "descending": str(self.descending).lower()}
        if self.page != 1:
            values["page"] = self.page
        if self.size != PAGE_SIZES[0]:
            values["size"] = self.size
        return urlencode(values)

    def sorted_by(self, order: FleetOrder) -> "Listing":
        """Return the list sorted by *order*; the other way round where it's so already."""
        return replace(self, sort=order, descending=order is self.sort and not self.descending, page=1)

    def at(self, page: int) -> "Listing":
        """Return another page of it."""
        return replace(self, page=page)

    def of_size(self, size: int) -> "Listing":
        """Return it with *size* sources a page, from the first one."""
        return replace(self, size=size, page=1)

    def pages(self, count: int) -> int:
        """Return how many pages *count* sources take."""
        return max(1, -(-count // self.size))


def read_listing(query: Mapping[str, str]) -> Listing:
    """Return what the address asks for. What nobody understands counts as not said; filters are the API's to check."""
    sort = query.get("sort", "")
    size = _number(query.get("size", ""), PAGE_SIZES[0])
    return Listing(
        filters={name: query[name] for name in _FILTERS if query.get(name)},
        sort=FleetOrder(sort) if sort in set(FleetOrder) else _DEFAULT_ORDER,
        descending=query.get("descending") == "true",
        page=min(_number(query.get("page", ""), 1), _MOST_EXPORTED // PAGE_SIZES[0]),
        size=size if size in PAGE_SIZES else PAGE_SIZES[0],
    )


async def show_sources(visit: Visit) -> Answer:
    """Show the list."""
    facts = await _facts(visit)
    projects: Sequence[object] = ()
    if visit.may("ListMigprojects"):
        projects = (await visit.ask(MigprojectList, "ListMigprojects", limit=100)).migprojects
    return visit.page("source_list.html", projects=projects, **facts)


async def watch_sources(visit: Visit) -> Fragments:
    """Return its rows."""
    facts = await _facts(visit)
    fleet: Fleet = facts["fleet"]
    each = {
        f"source-{member.id}": visit.fragment("_parts/source_row.html", member=member, batch=facts["batch"])
        for member in fleet.members
    }
    return {
        "source-rows": Rows(each, visit.fragment("_parts/source_rows.html", **facts)),
        "source-count": visit.fragment("_parts/source_count.html", **facts),
    }


async def act_on_many(visit: Visit) -> Answer:
    """Do one thing to the sources that were chosen, each by itself, and show what became of each."""
    wanted = visit.value("action")
    ids = list(dict.fromkeys(visit.form.get("id", ())))
    if wanted != DELETE and wanted not in set(BATCH_ACTIONS):
        raise ApiError("SMS.9001", "action: it isn't one that many sources take", params=("action",))
    if not ids or len(ids) > _MOST_AT_ONCE:
        raise ApiError("SMS.9001", "id: choose 1 to 1,000 sources", params=("id",))
    # Who may do it to no source at all is told so, and not once for each.
    operation = "DeleteServer" if wanted == DELETE else "UpdateTaskStatus"
    outcomes = [await _act(visit, source_id, wanted) for source_id in ids]
    if all(error is not None for _, error in outcomes) and not visit.may(operation):
        error = outcomes[0][1]
        if isinstance(error, ApiError) and error.status == 403:
            raise error
    text = N_("Delete") if wanted == DELETE else words.ACTIONS[wanted].text
    return visit.page("batch_outcome.html", outcomes=outcomes, text=text, back=PATH)


async def export_sources(visit: Visit) -> Answer:
    """Return everything that the filters let through as a file for spreadsheets."""
    listing = replace(read_listing(visit.query), size=_EXPORT_PAGE)
    members: list[FleetMember] = []
    for page in range(1, _MOST_EXPORTED // _EXPORT_PAGE + 1):
        fleet = await visit.ask(Fleet, "ListFleet", **listing.at(page).query)
        members += fleet.members
        if len(members) >= fleet.count or not fleet.members:
            break
    content = io.StringIO()
    rows = csv.writer(content)
    rows.writerow(("name", "id", "address", "system", "state", "stage", "connected", *_TASK_FIELDS))
    for member in members:
        own = (member.name, member.id, member.ip, member.os_version or member.os_type, member.state, member.stage)
        rows.writerow([_cell(value) for value in (*own, member.connected, *_task_cells(member))])
    headers = {
        "content-disposition": 'attachment; filename="sources.csv"',
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    return Answer(b"\xef\xbb\xbf" + content.getvalue().encode(), 200, "text/csv; charset=utf-8", headers)


PAGES = (
    Page("ConsoleSources", "GET", PATH, show_sources),
    Page("ConsoleSourceBatch", "POST", f"{PATH}/batch", act_on_many),
    Page("ConsoleSourceExport", "GET", f"{PATH}/export", export_sources),
)
LIVE = {"sources": watch_sources}

_TASK_FIELDS = ("task", "task_state", "progress", "step", "rate_mbit", "remaining_s", "target", "error")


async def _facts(visit: Visit) -> dict[str, Any]:
    listing = read_listing(visit.query)
    fleet = await visit.ask(Fleet, "ListFleet", **listing.query)
    return {
        "listing": listing,
        "fleet": fleet,
        "columns": COLUMNS,
        "batch": visit.may("UpdateTaskStatus") or visit.may("DeleteServer"),
        "batch_actions": BATCH_ACTIONS if visit.may("UpdateTaskStatus") else (),
        "path": PATH,
        "orders": FleetOrder,
        "sizes": PAGE_SIZES,
    }


async def _act(visit: Visit, source_id: str, wanted: str) -> tuple[str, WherryError | None]:
    """Return the name of a source and why it refused; None: it didn't."""
    name = source_id
    try:
        found = await visit.ask(Fleet, "ListFleet", id=source_id)
        if not found.members:
            raise ApiError("SMS.7602", status=404)  # noqa: TRY301 - shown as the API would say it
        member = found.members[0]
        name = member.name
        if wanted == DELETE:
            await visit.perform("DeleteServer", {"source_id": source_id})
        elif member.task is None:
            raise ApiError("SMS.7703", status=404)  # noqa: TRY301
        else:
            await visit.perform(
                "UpdateTaskStatus", {"task_id": member.task.id}, body=TaskAction(operation=Action(wanted))
            )
    except ApiError as error:
        return name, error
    return name, None


def _task_cells(member: FleetMember) -> Sequence[object]:
    task = member.task
    if task is None:
        return ("",) * len(_TASK_FIELDS)
    figures = (task.progress, task.step, task.speed, task.remain_seconds)
    return (task.name, task.state, *figures, task.target_name, task.error_code)


def _cell(value: object) -> object:
    """Return *value*; a text that a spreadsheet would take for a formula gets a quote before it."""
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return f"'{value}"
    return "" if value is None else value


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 6 and int(text) else otherwise


def may_delete(visit: Visit, member: FleetMember) -> bool:
    """Tell whether the visitor may delete this source."""
    label = member.enterprise_project_id
    return visit.may("DeleteServer", Resource(member.id, source_id=member.id, enterprise_project_id=label))
