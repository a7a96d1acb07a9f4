"""One source: its system, its disks as a picture, the checks of its fitness, its networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wherry.console import disk_picture
from wherry.console.languages import N_
from wherry.console.live import Fragments
from wherry.console.pages import source_list
from wherry.console.visit import Page, Visit
from wherry.contract.catalogue import EVERY_ENTRY
from wherry.contract.enumerations import CheckResult
from wherry.contract.errors import ApiError
from wherry.contract.fleet import Fleet, FleetMember
from wherry.contract.projects import MAX_PROJECTS, MigprojectList, MigprojectSummary
from wherry.contract.sources import EnvironmentCheck, SourceDetail, SourceUpdate
from wherry.iam.permissions import Resource
from wherry.server.answers import Answer

_PATH = f"{source_list.PATH}/{{source_id}}"
_MIB = 2**20
_IN_BYTES_FROM = 2**26
"""Sizes of memory from here on are bytes: in MB they would be 64 TB. The reference has it both ways."""


@dataclass(frozen=True, slots=True)
class Tab:
    """A part of the page. *name* is the last segment of its address; *text* is English, to be translated."""

    name: str
    text: str


TABS = (
    Tab("", N_("System")),
    Tab("disks", N_("Disks")),
    Tab("checks", N_("Checks")),
    Tab("network", N_("Networks")),
)
_ORDER = (CheckResult.ERROR, CheckResult.WARN, CheckResult.OK)


@dataclass(frozen=True, slots=True)
class ShownCheck:
    """A check with what is to be said about it."""

    name: str
    result: str
    code: str
    message: str
    cause: str
    fix: str
    params: Sequence[str]


async def show_source(visit: Visit) -> Answer:
    """Show one tab of the page."""
    tab = visit.call.parameters.get("tab", "")
    if tab not in {known.name for known in TABS}:
        raise ApiError("WHERRY.5514", visit.path[:100])
    source_id = visit.call.parameters["source_id"]
    source = await visit.ask(SourceDetail, "ShowServer", {"source_id": source_id})
    return visit.page(
        "source_detail.html",
        source=source,
        tab=tab,
        tabs=TABS,
        strips=disk_picture.strips_of(source),
        checks=shown_checks(source.checks or ()),
        memory=memory_bytes(source.memory),
        base=f"{source_list.PATH}/{source_id}",
        projects=await _projects(visit),
        **await _head(visit),
    )


async def watch_source(visit: Visit) -> Fragments:
    """Return its head: state, stage and progress."""
    return {"source-head": visit.fragment("_parts/source_head.html", **await _head(visit))}


async def rename(visit: Visit) -> Answer:
    """Give the source another name."""
    source_id = visit.call.parameters["source_id"]
    await visit.perform("UpdateServerName", {"source_id": source_id}, body=SourceUpdate(name=visit.value("name")))
    return visit.go(f"{source_list.PATH}/{source_id}", notice="saved")


async def move(visit: Visit) -> Answer:
    """Put the source into another migration project."""
    source_id = visit.call.parameters["source_id"]
    wish = SourceUpdate(migproject_id=visit.value("migproject"))
    await visit.perform("UpdateServerName", {"source_id": source_id}, body=wish)
    return visit.go(f"{source_list.PATH}/{source_id}", notice="saved")


async def delete(visit: Visit) -> Answer:
    """Remove the record of the source with its task."""
    await visit.perform("DeleteServer", {"source_id": visit.call.parameters["source_id"]})
    return visit.go(source_list.PATH, notice="deleted")


PAGES = (
    Page("ConsoleSource", "GET", _PATH, show_source),
    Page("ConsoleSource", "GET", f"{_PATH}/{{tab}}", show_source),
    Page("ConsoleSourceRename", "POST", f"{_PATH}/rename", rename),
    Page("ConsoleSourceMove", "POST", f"{_PATH}/project", move),
    Page("ConsoleSourceDelete", "POST", f"{_PATH}/delete", delete),
)
LIVE = {"sources/{source_id}": watch_source}


def shown_checks(checks: Sequence[EnvironmentCheck]) -> list[ShownCheck]:
    """Return *checks* with cause and fix, the failed ones first."""
    return sorted((_shown(check) for check in checks), key=lambda check: _ORDER.index(CheckResult(check.result)))


def memory_bytes(registered: int | None) -> int | None:
    """Return the size of the memory in bytes, whether it was registered so or in MB."""
    if registered is None:
        return None
    return registered if registered >= _IN_BYTES_FROM else registered * _MIB


async def _head(visit: Visit) -> dict[str, Any]:
    source_id = visit.call.parameters["source_id"]
    found = await visit.ask(Fleet, "ListFleet", id=source_id)
    if not found.members:
        raise ApiError("SMS.7602", status=404)
    member = found.members[0]
    return {
        "member": member,
        "may_rename": visit.may("UpdateServerName", _resource(member)),
        "may_delete": source_list.may_delete(visit, member),
    }


async def _projects(visit: Visit) -> Sequence[MigprojectSummary]:
    if not visit.may("ListMigprojects"):
        return ()
    return (await visit.ask(MigprojectList, "ListMigprojects", limit=MAX_PROJECTS)).migprojects


def _resource(member: FleetMember) -> Resource:
    return Resource(member.id, source_id=member.id, enterprise_project_id=member.enterprise_project_id)


def _shown(check: EnvironmentCheck) -> ShownCheck:
    entry = EVERY_ENTRY.get(check.error_code or "")
    return ShownCheck(
        name=check.name,
        result=check.result,
        code=check.error_code or "",
        message=check.error_or_warn or "",
        cause="" if entry is None else entry.cause,
        fix="" if entry is None else entry.fix,
        params=check.params or (),
    )
