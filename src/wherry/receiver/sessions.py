"""Serves the agents' sessions: finds the replica, lets replication do its work, tells the proofs about commits."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import structlog

from wherry.contract.wherry import Assignment
from wherry.errors import WherryError
from wherry.receiver.checkpoints import CheckpointKeeper
from wherry.receiver.errors import MediumFailed, TargetRuns, TooManyConnections
from wherry.receiver.proofs import Proofs
from wherry.receiver.replicas import Replicas
from wherry.replication.errors import ConnectionLost
from wherry.replication.messages import Error
from wherry.replication.receiving import serve_session
from wherry.replication.replica import Checkpoint
from wherry.replication.transport import Accepted

DRAIN_S = 2.0
"""How long a refused agent may take to read why, in seconds."""

log = structlog.get_logger(__name__)


class LandingView(Protocol):
    """What sessions need of the landings."""

    def holds(self, task_id: str) -> bool:
        """Whether a target runs on the replica's own disks, so that nothing may change them."""

    def committed(self, task_id: str) -> None:
        """Take note of a consistent checkpoint."""


class NoLandings:
    """The landings of a receiver that boots nothing."""

    def holds(self, task_id: str) -> bool:  # noqa: ARG002 - the Protocol's
        """Nothing runs here."""
        return False

    def committed(self, task_id: str) -> None:
        """Nobody waits."""

    def assigned(self, assignments: Sequence[Assignment]) -> None:
        """Nothing is ordered of such a receiver."""

    def end(self) -> None:
        """Nothing is under way."""


class Sessions:
    """The handler of the listener's connections."""

    def __init__(
        self,
        replicas: Replicas,
        proofs: Proofs,
        keeper: CheckpointKeeper,
        serves: Callable[[str], bool],
        *,
        most: int,
        landing: LandingView,
    ) -> None:
        """*serves* tells whether a task is still assigned to this receiver. *most*: connections of one task."""
        self._landing = landing
        self._most = most
        self._lock = threading.Lock()
        self._connections: Counter[str] = Counter()
        self._serves = serves
        self._replicas = replicas
        self._proofs = proofs
        self._keeper = keeper

    def __call__(self, accepted: Accepted) -> None:
        """Serve one connection until it ends. What ends it is told to the agent and logged, never raised."""
        task_id = accepted.task_id
        with self._counted(task_id) as count:
            if count > self._most:
                refusal = TooManyConnections(task_id=task_id, count=self._most)
                log.warning("connection_refused", task_id=task_id, **refusal.facts)
                _refuse(accepted, refusal, drain_s=0.0)  # it isn't to hold the port while it reads
                return
            self._serve(accepted, task_id)

    @contextmanager
    def _counted(self, task_id: str) -> Iterator[int]:
        """Count a connection while it lasts; yield how many the task has now."""
        with self._lock:
            self._connections[task_id] += 1
            count = self._connections[task_id]
        try:
            yield count
        finally:
            with self._lock:
                self._connections[task_id] -= 1
                if not self._connections[task_id]:
                    del self._connections[task_id]

    def _serve(self, accepted: Accepted, task_id: str) -> None:
        try:
            if self._landing.holds(task_id):
                raise TargetRuns(task_id=task_id)
            replica = self._replicas.get(task_id)
        except (WherryError, OSError) as error:
            refusal = error if isinstance(error, WherryError) else MediumFailed(reason=str(error))
            log.warning("replica_not_opened", task_id=task_id, **refusal.facts)
            _refuse(accepted, refusal)
            return
        log.info("session_began", task_id=task_id)
        try:
            summary = serve_session(
                accepted.stream,
                replica,
                on_commit=lambda checkpoint: self._committed(task_id, checkpoint),
            )
        except WherryError as error:
            log.warning("session_failed", task_id=task_id, **error.facts)
        else:
            log.info(
                "session_ended",
                task_id=task_id,
                orderly=summary.orderly,
                frames=summary.frames,
                payload_bytes=summary.payload_bytes,
                disk_bytes=summary.disk_bytes,
            )
        finally:
            # A connection that broke right after the commit ended the session before the proof was thought of.
            if self._serves(task_id):
                self._proofs.catch_up(task_id)

    def _committed(self, task_id: str, checkpoint: Checkpoint) -> None:
        # First of all, as the next pass changes the medium.
        self._keeper.committed(task_id, checkpoint)
        self._proofs.committed(task_id, checkpoint)
        if checkpoint.consistent:
            self._landing.committed(task_id)


def _refuse(accepted: Accepted, refusal: WherryError, *, drain_s: float = DRAIN_S) -> None:
    """Tell the agent why there's no session, and close the connection."""
    try:
        accepted.stream.send_message(Error(refusal.code, refusal.message, refusal.cause, refusal.fix))
        accepted.stream.drain(drain_s)
    except ConnectionLost as error:
        log.info("refusal_not_told", task_id=accepted.task_id, reason=error.message)
    finally:
        accepted.stream.close()
