"""The receiver's side of a session (interface first; the engine follows within the hour)."""

from collections.abc import Callable
from dataclasses import dataclass

from wherry.replication.replica import Checkpoint, Replica
from wherry.replication.transport import FrameStream


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """What a session brought: frames, payload bytes, bytes of disk; *orderly* when it ended with BYE."""

    frames: int
    payload_bytes: int
    disk_bytes: int
    orderly: bool


def serve_session(
    stream: FrameStream,
    replica: Replica,
    *,
    on_commit: Callable[[Checkpoint], None] | None = None,
) -> SessionSummary:
    """Serve one session until it ends; call it in a thread of its own.

    A session that still runs on the same replica is shut first. *on_commit* is called after a checkpoint was applied (the
    replica is at it then). Returns when the peer said BYE or was lost; raises the WherryError that ended the session
    otherwise, after the peer was told. The stream is closed in any case.
    """
    raise NotImplementedError
