"""What the agent needs of the control plane, in its own words.

Each part of the agent sees the desk that it needs; tests bring desks of their own. `wherry.agent.plane` is the real
one, and turns these words into the SMS operations.
"""

from typing import Protocol

from wherry.agent.decisions import Answer, TaskView
from wherry.agent.log_upload import LogDesk
from wherry.agent.verdict import LandingDesk
from wherry.contract.commands import Command
from wherry.contract.network_check import NetworkCheck
from wherry.contract.sources import Registration, SourceDetail
from wherry.contract.storage import DiskInfo
from wherry.contract.tasks import TaskProgress
from wherry.contract.wherry import Proof, ProofHalf, ReplicationFigures, Route
from wherry.replication.transport import Identity


class CommandDesk(Protocol):
    """Where commands come from. Every call of these desks may raise ControlPlaneUnreachable and ControlPlaneError."""

    def source(self, source_id: str) -> SourceDetail:
        """Return the record of the source."""

    def command(self, source_id: str, wait_s: float) -> Command:
        """Return the command that is due; waits for one at most *wait_s* seconds."""

    def answer(self, source_id: str, command: str, answer: Answer) -> None:
        """Post the result of a command."""


class ChannelDesk(Protocol):
    """Where the way to the receiver is asked for."""

    def now(self) -> float:
        """Return what time it is at the control plane, in epoch seconds."""

    def channel_identity(self, task_id: str) -> Identity:
        """Return certificate, key and passphrase of the task's data channel."""

    def route(self, task_id: str) -> Route | None:
        """Return where the task's blocks go; None while no receiver is connected."""


class ReportDesk(Protocol):
    """Where it's told how the work on a task goes."""

    def report_progress(self, task_id: str, body: TaskProgress) -> None:
        """Report the progress of a subtask."""

    def report_figures(self, task_id: str, figures: ReplicationFigures) -> None:
        """Report the figures of the replication."""


class Notary(Protocol):
    """Takes halves of proofs and gives signed ones."""

    def hand_in(self, task_id: str, half: ProofHalf) -> None:
        """Hand in the source's half of a proof."""

    def proof(self, task_id: str, checkpoint: int) -> Proof | None:
        """Return the signed proof of a checkpoint; None while a half is missing."""


class TaskDesk(ReportDesk, Notary, LandingDesk, Protocol):
    """All that the work on a task needs, the way to the receiver excepted."""

    def task(self, task_id: str) -> TaskView:
        """Return the task as it is now."""

    def report_state(self, source_id: str, copy_state: str, cycle: str) -> None:
        """Report the state of the source and its stage."""

    def answer(self, source_id: str, command: str, answer: Answer) -> None:
        """Post the result of a command that is as long as the work."""


class Control(CommandDesk, ChannelDesk, TaskDesk, LogDesk, Protocol):
    """The whole of it."""

    def register(self, body: Registration) -> str:
        """Register the server, or register it again; return its source id."""

    def report_network(self, task_id: str, check: NetworkCheck) -> None:
        """Store what the way to a task's receiver is like."""

    def update_disks(self, source_id: str, body: DiskInfo) -> None:
        """Replace what the control plane knows of the disks."""
