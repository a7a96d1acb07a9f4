"""What happened, under /wherry/v1: the audit log and the events of an account. Times in epoch milliseconds."""

from msgspec import field

from wherry.contract.values import Int64, Limit200, LongText, PathId, Text, Wire


class AuditQuery(Wire, frozen=True, kw_only=True):
    """Query of GET /wherry/v1/audit; filters combine with AND. `limit` 0 means 100.

    `before` and `after`: sequence numbers, neither is among the answer. `since` and `until`: moments, both are.
    """

    resource_type: Text | None = None
    resource_id: Text | None = None
    event: Text | None = None
    caller: Text | None = None
    since: Int64 | None = None
    until: Int64 | None = None
    before: Int64 | None = None
    after: Int64 | None = None
    limit: Limit200 | None = None


class AuditEntry(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """Who changed what. `hash` seals the entry and all before it, those of other accounts too."""

    sequence: int
    at: int
    caller_kind: str
    caller_id: str
    caller_name: str
    access_key: str
    resource_type: str
    event: str
    resource_id: str
    request_id: str
    detail: str
    hash: str


class AuditLog(Wire, frozen=True, kw_only=True):
    """Answer of GET /wherry/v1/audit, the newest first. `more`: older ones match too; ask with `before`."""

    entries: list[AuditEntry]
    more: bool


class AuditVerification(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """Answer of GET /wherry/v1/audit/verification: whether every entry fits the ones before it.

    `entries`: how many were looked at. `first_broken`: the sequence number of the first one that doesn't fit.
    `head`: the hash of the last one that does: keep it elsewhere, and a log that was cut off at its end is found too.
    """

    whole: bool
    entries: int
    head: str
    first_broken: int | None = None


class EventsQuery(Wire, frozen=True, kw_only=True):
    """Query of GET /wherry/v1/events; filters combine with AND. `before` and `after` are sequence numbers."""

    source_id: PathId | None = None
    before: Int64 | None = None
    after: Int64 | None = None
    limit: Limit200 | None = None


class Event(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """One state change of a source, its task or its landing (`entity`). `task_id` is empty where there's no task."""

    sequence: int
    at: int
    source_id: str
    source_name: str
    task_id: str
    entity: str
    from_state: str = field(name="from")
    to_state: str = field(name="to")
    reason: LongText


class Events(Wire, frozen=True, kw_only=True):
    """Answer of GET /wherry/v1/events, the newest first. `more`: older ones match too; ask with `before`."""

    events: list[Event]
    more: bool
