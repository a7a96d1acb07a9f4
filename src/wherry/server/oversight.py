"""Looking at what happened: the audit log, whether it's whole, and the events of an account."""

import asyncio
from functools import partial

from msgspec import structs
from sqlalchemy import Connection

from wherry.contract.oversight import (
    AuditEntry,
    AuditLog,
    AuditQuery,
    AuditVerification,
    Event,
    Events,
    EventsQuery,
)
from wherry.ledger import audit, state_changes
from wherry.ledger.audit import AuditFilter, Chain
from wherry.ledger.state_changes import EventFilter
from wherry.server.access import allow, listable
from wherry.server.answers import Answer, json_answer
from wherry.server.call import Call

_DEFAULT_LIMIT = 100
_MAX_REASON = 1024
_LINKS_AT_A_TIME = 500
"""Entries that are checked before others get their turn."""


async def list_audit_entries(call: Call) -> Answer:
    """Return the account's audit entries that match, the newest first."""
    allow(call)
    query = call.query(AuditQuery)
    limit = query.limit or _DEFAULT_LIMIT
    wanted = AuditFilter(
        resource_type=query.resource_type or "",
        resource_id=query.resource_id or "",
        event=query.event or "",
        caller=query.caller or "",
        since=query.since,
        until=query.until,
        before=query.before,
        after=query.after,
    )
    # One more tells whether there are more.
    found = await call.services.ledger.read(
        lambda connection: audit.find(connection, call.account_id, wanted, limit=limit + 1)
    )
    shown = [_entry(sealed) for sealed in found[:limit]]
    return json_answer(AuditLog(entries=shown, more=len(found) > limit))


async def verify_audit_log(call: Call) -> Answer:
    """Tell whether the whole log fits together, by its end at the time of the call. Other calls go on meanwhile."""
    allow(call)
    ledger = call.services.ledger
    end = await ledger.read(audit.newest)
    chain = Chain()
    while chain.first_broken is None and chain.sequence < end:
        links = await ledger.read(partial(audit.links, after=chain.sequence, until=end, limit=_LINKS_AT_A_TIME))
        if not links:
            break
        for link in links:
            chain.follow(link)
        await asyncio.sleep(0)
    whole = chain.first_broken is None
    answer = AuditVerification(whole=whole, entries=chain.length, head=chain.head, first_broken=chain.first_broken)
    return json_answer(answer)


async def list_account_events(call: Call) -> Answer:
    """Return the state changes of the account's sources that match, the newest first."""
    query = call.query(EventsQuery)
    limit = query.limit or _DEFAULT_LIMIT

    def read(connection: Connection) -> Events:
        wanted = EventFilter(query.source_id or "", query.before, query.after, listable(connection, call))
        found = state_changes.of_account(connection, call.account_id, wanted, limit=limit + 1)
        shown = [
            Event(
                sequence=each.sequence,
                at=each.change.at,
                source_id=each.change.source_id,
                source_name=each.source_name,
                task_id=each.change.task_id or "",
                entity=each.change.entity,
                from_state=each.change.from_state,
                to_state=each.change.to_state,
                reason=each.change.reason[:_MAX_REASON],
            )
            for each in found[:limit]
        ]
        return Events(events=shown, more=len(found) > limit)

    return json_answer(await call.services.ledger.read(read))


def _entry(sealed: audit.Sealed) -> AuditEntry:
    values = structs.asdict(sealed.entry)
    del values["account_id"]
    return AuditEntry(sequence=sealed.sequence, hash=sealed.hash, **values)
