"""The receiver's halves of proofs: computed from the medium after each consistent commit, handed in until they arrived.

A half is written to ``half-<checkpoint>.json`` in the replica's folder before it's handed in, and renamed to
``half-<checkpoint>.proven.json`` afterwards; so a receiver that is killed at any moment makes up for it at its next
start, as long as the replica is still at that checkpoint.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
import structlog

from wherry.client.errors import ControlPlaneError
from wherry.client.patience import Steadfast, Stopped
from wherry.contract.wherry import ProofHalf
from wherry.durable import sync_directory, write_file
from wherry.errors import WherryError
from wherry.receiver.agenda import Agenda
from wherry.receiver.drivers import Driver
from wherry.replication.errors import CheckpointGone
from wherry.replication.replica import Checkpoint

log = structlog.get_logger(__name__)

RETRY_S = 15.0
"""Pause before a half that the medium refused is tried again, in seconds."""

HandIn = Callable[[str, ProofHalf], None]
"""Hands the receiver's half of a task's proof in. Raises ControlPlaneUnreachable and ControlPlaneError."""


class Provable(Protocol):
    """What a proof needs of a replica."""

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The newest committed pass."""

    def half(self, checkpoint: int) -> ProofHalf:
        """Read the medium and return the receiver's half. Raises CheckpointGone, StorageFailed."""


class ReplicaShelf(Protocol):
    """Where replicas are found."""

    def present(self) -> Sequence[str]:
        """Return the ids of the tasks that have a replica on the medium."""

    def get(self, task_id: str) -> Provable:
        """Return the replica of a task, opened."""


def was_handed_in(directory: Path, checkpoint: int) -> bool:
    """Tell whether the receiver's half for *checkpoint* of the replica in *directory* has arrived."""
    return _handed_in(directory, checkpoint).exists()


class Proofs:
    """Computes, keeps and hands in halves."""

    def __init__(
        self,
        driver: Driver,
        replicas: ReplicaShelf,
        hand_in: HandIn,
        sure: Steadfast,
        *,
        handed_in: Callable[[str], None] | None = None,
        retry_s: float = RETRY_S,
    ) -> None:
        """*handed_in* is told the task's id after each half; it mustn't take long."""
        self._handed_in = handed_in
        self._driver = driver
        self._replicas = replicas
        self._hand_in = hand_in
        self._sure = sure
        self._agenda = Agenda(retry_s)

    def committed(self, task_id: str, checkpoint: Checkpoint) -> None:
        """Take note of a commit. It's called by the session's thread, which isn't held up by reading the medium.

        Should a further pass be committed before the medium was read, then nobody waits for this proof any more.
        """
        if checkpoint.consistent:
            self._agenda.add(task_id)

    def catch_up(self, task_id: str) -> None:
        """Have a task's replica looked at for a half that is still owed, from a receiver that was killed perhaps."""
        self._agenda.add(task_id)

    def end(self) -> None:
        """Have `run` return."""
        self._agenda.end()

    def run(self) -> None:
        """Hand in what waits, one task after the other, until the end."""
        for task_id in self._agenda:
            try:
                self._settle(task_id)
            except Stopped:
                return
            except (WherryError, OSError) as error:
                # The agent waits for its proof for as long as it takes: one that can't be read now is tried again.
                facts = error.facts if isinstance(error, WherryError) else {"reason": str(error)}
                log.warning("proof_delayed", task_id=task_id, **facts)
                self._agenda.add_again(task_id)
            except Exception:
                # The outermost loop of this thread: one task's trouble doesn't keep the others' proofs back.
                log.exception("proof_failed", task_id=task_id)

    def _settle(self, task_id: str) -> None:
        if task_id not in self._replicas.present():
            return
        directory = self._driver.replica_directory(task_id)
        replica = self._replicas.get(task_id)
        checkpoint = replica.checkpoint
        if checkpoint is not None and checkpoint.consistent and not _known(directory, checkpoint.number):
            self._compute(task_id, directory, replica, checkpoint)
        for path in sorted(directory.glob("half-*.json")):
            if not path.name.endswith(".proven.json"):
                self._deliver(task_id, path)

    def _compute(self, task_id: str, directory: Path, replica: Provable, checkpoint: Checkpoint) -> None:
        try:
            half = replica.half(checkpoint.number)
        except CheckpointGone as error:
            log.info("proof_overtaken", task_id=task_id, reason=error.message)
            if replica.checkpoint != checkpoint:
                self._agenda.add(task_id)  # the next one may have been committed without a word, before a crash
            return
        write_file(_owed(directory, checkpoint.number), msgspec.json.encode(half), mode=0o600)
        log.info("proof_half_computed", task_id=task_id, checkpoint=checkpoint.number)

    def _deliver(self, task_id: str, path: Path) -> None:
        half = msgspec.json.decode(path.read_bytes(), type=ProofHalf)
        try:
            self._sure(lambda: self._hand_in(task_id, half))
        except ControlPlaneError as error:
            # It stays on the medium: a refusal may be lifted, and the next start tries again.
            log.warning(
                "proof_half_refused",
                task_id=task_id,
                checkpoint=half.checkpoint,
                **error.facts,
            )
            return
        path.rename(_handed_in(path.parent, half.checkpoint))
        sync_directory(path.parent)
        log.info("proof_half_handed_in", task_id=task_id, checkpoint=half.checkpoint)
        if self._handed_in is not None:
            self._handed_in(task_id)


def _handed_in(directory: Path, checkpoint: int) -> Path:
    return directory / f"half-{checkpoint}.proven.json"


def _owed(directory: Path, checkpoint: int) -> Path:
    return directory / f"half-{checkpoint}.json"


def _known(directory: Path, checkpoint: int) -> bool:
    return _owed(directory, checkpoint).exists() or _handed_in(directory, checkpoint).exists()
