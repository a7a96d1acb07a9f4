"""What is told of a task while its blocks travel: figures, logs, proofs, its history."""

from wherry.client.calling import Caller
from wherry.client.transport import path_of
from wherry.contract import wherry
from wherry.contract.enumerations import ProofSide
from wherry.contract.replication_history import ReplicationSamples
from wherry.contract.task_log import AgentLog


class ReplicationOperations(Caller):
    """What is told of a task while its blocks travel: figures, logs, proofs, its history."""

    def update_replication(self, task_id: str, figures: wherry.ReplicationFigures) -> None:
        """Store the figures of a task's replication."""
        self._put(path_of("wherry", "v1", "tasks", task_id, "replication"), figures)

    def show_replication(self, task_id: str) -> wherry.ReplicationFigures:
        """Return the figures of a task's replication."""
        path = path_of("wherry", "v1", "tasks", task_id, "replication")
        return self._get("ShowReplication", path, wherry.ReplicationFigures)

    def list_replication_samples(self, task_id: str) -> ReplicationSamples:
        """Return how a task's replication went, as samples of its counters."""
        path = path_of("wherry", "v1", "tasks", task_id, "replication", "samples")
        return self._get("ListReplicationSamples", path, ReplicationSamples)

    def store_log(self, task_id: str, log: AgentLog) -> None:
        """Hand the log of a task's agent in. Repeating it is harmless."""
        self._put(path_of("wherry", "v1", "tasks", task_id, "log"), log)

    def submit_half(self, task_id: str, side: str, half: wherry.ProofHalf) -> None:
        """Hand in one side's half (``source`` or ``receiver``) of a checkpoint's proof."""
        checkpoint, side = str(half.checkpoint), ProofSide(side).value
        self._put(path_of("wherry", "v1", "tasks", task_id, "checkpoints", checkpoint, "halves", side), half)

    def show_proof(self, task_id: str, checkpoint: int | None = None) -> wherry.Proof:
        """Return the signed proof of a checkpoint, or the newest one. 404 while a half is missing."""
        middle = () if checkpoint is None else ("checkpoints", str(checkpoint))
        return self._get("ShowProof", path_of("wherry", "v1", "tasks", task_id, *middle, "proof"), wherry.Proof)

    def list_events(self, task_id: str) -> wherry.StateEvents:
        """Return the state changes of a task and its source, oldest first."""
        return self._get("ListEvents", path_of("wherry", "v1", "tasks", task_id, "events"), wherry.StateEvents)
