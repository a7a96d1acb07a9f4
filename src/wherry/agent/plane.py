"""The real control plane behind `wherry.agent.desks.Control`: turns the agent's words into the SMS operations."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from wherry.agent.decisions import Answer, TaskView
from wherry.client.control_plane import ControlPlane
from wherry.client.errors import ControlPlaneError
from wherry.contract.commands import Command
from wherry.contract.enumerations import ProofSide
from wherry.contract.landing import Landing
from wherry.contract.network_check import NetworkCheck
from wherry.contract.sources import Registration, SourceDetail
from wherry.contract.speed import SpeedLimits
from wherry.contract.storage import DiskInfo
from wherry.contract.task_log import AgentLog
from wherry.contract.tasks import TaskDetail, TaskProgress
from wherry.contract.wherry import Proof, ProofHalf, ReplicationFigures, Route
from wherry.replication.transport import Identity

T = TypeVar("T")

NOT_YET = 404
"""What a route without a receiver and a proof without both halves are answered with."""


def task_view(task: TaskDetail, limits: SpeedLimits) -> TaskView:
    """Return of a task and its speed limits what the work depends on."""
    source_state = task.source_server.state if task.source_server else None
    return TaskView(
        id=task.id,
        state=str(task.state),
        source_state=str(source_state or ""),
        syncing=bool(task.syncing),
        speed_limit_mbit=task.speed_limit or 0,
        wants_network_check=task.start_network_check is True and task.network_check_info is None,
        speed_windows=tuple((each.start, each.end, float(each.speed or 0)) for each in limits.speed_limit),
        subtasks=frozenset(step.name for step in task.sub_tasks or () if step.name),
    )


class Plane:
    """The agent's view of a `ControlPlane`."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self._plane = control_plane

    def register(self, body: Registration) -> str:
        """RegisterServer."""
        return self._plane.register_server(body)

    def source(self, source_id: str) -> SourceDetail:
        """ShowServer."""
        return self._plane.show_server(source_id)

    def update_disks(self, source_id: str, body: DiskInfo) -> None:
        """UpdateDiskInfo."""
        self._plane.update_disk_info(source_id, body)

    def command(self, source_id: str, wait_s: float) -> Command:
        """ShowCommand, as a long poll."""
        return self._plane.show_command(source_id, wait_s=wait_s)

    def answer(self, source_id: str, command: str, answer: Answer) -> None:
        """UpdateCommandResult."""
        self._plane.update_command_result(source_id, command, answer.result, answer.detail)

    def task(self, task_id: str) -> TaskView:
        """ShowTask and ShowsSpeedLimits."""
        return task_view(self._plane.show_task(task_id), self._plane.show_speed_limits(task_id))

    def now(self) -> float:
        """Return the control plane's time."""
        return self._plane.now()

    def channel_identity(self, task_id: str) -> Identity:
        """ShowCertKey and ShowPassphrase."""
        keys = self._plane.show_cert_key(task_id)
        passphrase = self._plane.show_passphrase(task_id)
        return Identity(certificate=keys.cert, private_key=keys.private_key, passphrase=passphrase, ca=keys.ca or "")

    def route(self, task_id: str) -> Route | None:
        """ShowRoute. Raises ControlPlaneError with status 404 when it's the task that is missing."""
        return self._unless_too_early(task_id, lambda: self._plane.show_route(task_id))

    def report_network(self, task_id: str, check: NetworkCheck) -> None:
        """UpdateNetworkCheckInfo."""
        self._plane.update_network_check_info(task_id, check)

    def hand_in_log(self, task_id: str, log: AgentLog) -> None:
        """Store the agent's log."""
        self._plane.store_log(task_id, log)

    def report_state(self, source_id: str, copy_state: str, cycle: str) -> None:
        """UpdateCopyState."""
        self._plane.update_copy_state(source_id, copy_state, cycle)

    def report_progress(self, task_id: str, body: TaskProgress) -> None:
        """UpdateTaskSpeed."""
        self._plane.update_task_speed(task_id, body)

    def report_figures(self, task_id: str, figures: ReplicationFigures) -> None:
        """Store the figures of the replication."""
        self._plane.update_replication(task_id, figures)

    def hand_in(self, task_id: str, half: ProofHalf) -> None:
        """Hand in the source's half."""
        self._plane.submit_half(task_id, ProofSide.SOURCE, half)

    def proof(self, task_id: str, checkpoint: int) -> Proof | None:
        """ShowProof. Raises ControlPlaneError with status 404 when it's the task that is missing."""
        return self._unless_too_early(task_id, lambda: self._plane.show_proof(task_id, checkpoint))

    def begin_landing(self, task_id: str, checkpoint: int, failed_units: Sequence[str] | None) -> Landing:
        """BeginLanding."""
        return self._plane.begin_landing(task_id, checkpoint, failed_units)

    def landing(self, task_id: str, known: int | None, wait_s: float) -> Landing:
        """ShowLanding, as a long poll."""
        return self._plane.show_landing(task_id, known=known, wait_s=wait_s)

    def _unless_too_early(self, task_id: str, look: Callable[[], T]) -> T | None:
        """Return what *look* finds, None while it isn't there yet. Raises ControlPlaneError when the task is gone."""
        try:
            return look()
        except ControlPlaneError as error:
            if error.status != NOT_YET:
                raise
        self._plane.show_task(task_id)
        return None
