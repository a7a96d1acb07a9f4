"""The fleet: all sources with as much of their tasks as a list or a dashboard shows, searched, sorted and paged.

Wherry's own, beside ListServers: that has no order, no search over several fields, and leaves out how far a task is.
"""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from wherry.contract.enumerations import MigrationCycle, SourceState
from wherry.contract.values import Offset, Text, Wire

MOST_MEMBERS = 1000


class FleetOrder(StrEnum):
    """What the fleet can be sorted by."""

    NAME = "name"
    IP = "ip"
    STATE = "state"
    STAGE = "stage"
    PROGRESS = "progress"
    ADDED = "added"
    CONTACT = "contact"


class TaskWork(StrEnum):
    """How a source's task stands, in one word. `any`: there's one, however it stands; `open`: not begun, or stopped."""

    NONE = "none"
    ANY = "any"
    OPEN = "open"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class FleetQuery(Wire, frozen=True, kw_only=True):
    """Query of ListFleet. `search`: a part of the name or of an address, or the id."""

    search: Text | None = None
    id: Text | None = None
    state: SourceState | None = None
    stage: MigrationCycle | None = None
    connected: bool | None = None
    work: TaskWork | None = None
    migproject: Text | None = None
    receiver: Text | None = None
    sort: FleetOrder | None = None
    descending: bool | None = None
    limit: Annotated[int, Meta(ge=0, le=MOST_MEMBERS)] | None = None
    offset: Offset | None = None


class FleetTask(Wire, frozen=True, kw_only=True):
    """What the fleet shows of a task.

    `step`: the subtask that runs, or would run next; empty when all are done. `step_progress` and `progress` in per
    cent; the second of all subtasks together. `speed` in Mbit/s. `actions`: what UpdateTaskStatus takes just now.
    """

    id: str
    name: str
    state: str
    work: TaskWork
    syncing: bool
    receiver_id: str
    target_name: str
    create_date: int
    progress: int
    step: str
    step_progress: int
    actions: list[str]
    error_code: str = ""
    speed: float | None = None
    remain_seconds: int | None = None
    start_date: int | None = None
    finish_date: int | None = None


class FleetMember(Wire, frozen=True, kw_only=True):
    """A source in the fleet. `failed_checks` and `warnings` count findings about its fitness."""

    id: str
    name: str
    ip: str
    os_type: str
    os_version: str
    state: str
    stage: str
    connected: bool
    last_contact: int
    add_date: int
    migproject_id: str
    enterprise_project_id: str
    replicated_bytes: int
    total_bytes: int
    failed_checks: int
    warnings: int
    task: FleetTask | None = None


class Fleet(Wire, frozen=True, kw_only=True):
    """Answer of ListFleet. `count`: how many match, on all pages together."""

    count: int
    members: list[FleetMember]
