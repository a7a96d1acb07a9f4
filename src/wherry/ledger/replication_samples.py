"""What is kept of how a task's replication went: a bounded number of samples over all of its time."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from wherry.contract.replication_history import ReplicationSample
from wherry.ledger import schema

MOST = 600
"""How many samples a task has at most."""

FIRST_SPACING_MS = 2000
"""How far apart samples are at least, until there are too many for the first time."""

_sample = schema.replication_sample
_FIELDS = ("at", "pass_number", "wire_bytes", "changed_bytes", "remaining_bytes")


def note(connection: Connection, task_id: str, sample: ReplicationSample) -> bool:
    """Keep *sample* where it's far enough from the one before; tell whether it was kept.

    Too many: every other one is dropped, and from then on they are kept half as often.
    """
    own = _sample.c.task_id == task_id
    newest = select(_sample.c.at, _sample.c.spacing_ms).where(own).order_by(_sample.c.at.desc()).limit(1)
    last = connection.execute(newest).mappings().first()
    spacing_ms = FIRST_SPACING_MS if last is None else last["spacing_ms"]
    if last is not None and sample.at - last["at"] < spacing_ms:
        return False
    moments = connection.execute(select(_sample.c.at).where(own).order_by(_sample.c.at)).scalars().all()
    if len(moments) >= MOST:
        spacing_ms *= 2
        connection.execute(_sample.delete().where(own, _sample.c.at.in_(moments[1::2])))
    values = {name: getattr(sample, name) for name in _FIELDS}
    connection.execute(_sample.insert().inline(), {"task_id": task_id, "spacing_ms": spacing_ms, **values})
    return True


def of_task(connection: Connection, task_id: str) -> tuple[int, Sequence[ReplicationSample]]:
    """Return how far apart the newest samples are at least, in milliseconds, and all samples, the oldest first."""
    query = select(_sample).where(_sample.c.task_id == task_id).order_by(_sample.c.at)
    rows = connection.execute(query).mappings().all()
    spacing_ms = rows[-1]["spacing_ms"] if rows else FIRST_SPACING_MS
    return spacing_ms, [ReplicationSample(**{name: row[name] for name in _FIELDS}) for row in rows]
