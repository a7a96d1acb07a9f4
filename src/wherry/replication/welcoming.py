"""What the receiver tells about its replica: where it stands, and as much as the agent needs to know the same.

An agent whose own tables agree with the newest checkpoint is told what the open pass may have changed since; any other
one is told everything. During a pass an agent that sent patches asks which of them don't fit.
"""

import os
from collections.abc import Iterator
from typing import Final

import numpy as np

from wherry.replication.granules import DIGEST_SIZE, granule_count
from wherry.replication.messages import (
    DIGESTS_PER_MESSAGE,
    MAX_CONNECTIONS,
    AnyMessage,
    Digests,
    Hello,
    Reviewed,
    Unfit,
    Welcome,
)
from wherry.replication.replica import Replica

_CONNECTIONS: Final = min(MAX_CONNECTIONS, 8, 2 * (os.cpu_count() or 1))


def welcome(replica: Replica, hello: Hello, session: str) -> Iterator[AnyMessage]:
    """Yield the messages that answer *hello*; *session* is what further connections join by."""
    checkpoint = None if replica.checkpoint is None else replica.checkpoint.number
    agrees = checkpoint is not None and checkpoint in hello.bases and hello.replica_id == replica.identity
    changes = list(_changes(replica)) if agrees else []
    yield Welcome(
        checkpoint=checkpoint,
        open_pass=replica.open_pass,
        replica_id=replica.identity,
        whole=not agrees,
        pieces=len(changes),
        session=session,
        connections=_CONNECTIONS,
    )
    yield from changes if agrees else _everything(replica)


def reviewed(replica: Replica, number: int) -> Iterator[AnyMessage]:
    """Yield the messages that answer REVIEW *number*."""
    for disk in replica.disks:
        unfit = np.array(replica.unfit(disk.index), dtype="<u4")
        for start in range(0, len(unfit), DIGESTS_PER_MESSAGE):
            yield Unfit(disk=disk.index, granules=unfit[start : start + DIGESTS_PER_MESSAGE].tobytes())
    yield Reviewed(number=number)


def _everything(replica: Replica) -> Iterator[Digests]:
    for disk in replica.disks:
        count = granule_count(disk.size)
        for first in range(0, count, DIGESTS_PER_MESSAGE):
            digests = replica.digests(disk.index, first, min(DIGESTS_PER_MESSAGE, count - first))
            yield Digests(disk=disk.index, first=first, digests=digests)


def _changes(replica: Replica) -> Iterator[Digests]:
    """Yield what the open pass may have changed, in runs as long as a message takes."""
    for disk in replica.disks:
        first, digests = 0, b""
        for page, content in replica.changes(disk.index):
            if page == first + len(digests) // DIGEST_SIZE and len(digests) + len(content) <= 16 * DIGESTS_PER_MESSAGE:
                digests += content
                continue
            if digests:
                yield Digests(disk=disk.index, first=first, digests=digests)
            first, digests = page, content
        if digests:
            yield Digests(disk=disk.index, first=first, digests=digests)
