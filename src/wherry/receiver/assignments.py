"""What the receiver is assigned: watches the control plane's list and serves exactly that."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from wherry.client.errors import ControlPlaneError
from wherry.client.patience import Steadfast, Stopped
from wherry.contract.wherry import Assignment, Assignments
from wherry.receiver.admission import Admission
from wherry.receiver.reconciliation import Served, orphans, reconcile
from wherry.replication.transport import Identity

log = structlog.get_logger(__name__)

REFUSED_S = 15.0
"""Pause after the control plane refused, in seconds."""
LEAST_ROUND_S = 1.0
"""Pause where nothing had changed: a control plane without long polls answers at once."""

FetchAssignments = Callable[[int | None], Assignments]
"""Returns the assignments; waits a while as long as their version is the known one."""


class Shelf(Protocol):
    """What the watch needs of the replicas."""

    def present(self) -> Sequence[str]:
        """Return the ids of the tasks that have a replica on the medium."""

    def release(self, task_id: str) -> None:
        """Close a replica that is served no more; the data stay."""


class Debts(Protocol):
    """What the watch needs of the proofs."""

    def catch_up(self, task_id: str) -> None:
        """Have a replica looked at for a half that is still owed."""


class Orders(Protocol):
    """What the watch needs of the landings."""

    def assigned(self, assignments: Sequence[Assignment]) -> None:
        """Take in what is ordered now."""


class AssignmentWatch:
    """Follows the assignments until the receiver ends."""

    def __init__(
        self,
        fetch: FetchAssignments,
        admission: Admission,
        replicas: Shelf,
        proofs: Debts,
        *,
        orders: Orders,
        sure: Steadfast,
    ) -> None:
        self._orders = orders
        self._fetch = fetch
        self._admission = admission
        self._replicas = replicas
        self._proofs = proofs
        self._sure = sure
        self._known: int | None = None

    def run(self) -> None:
        """Follow until the end. A refusal (a disabled key, say) is logged and asked again; tasks go on meanwhile."""
        with contextlib.suppress(Stopped):
            while not self._sure.stopped:
                self._round()

    def _round(self) -> None:
        try:
            current = self._sure(lambda: self._fetch(self._known))
        except ControlPlaneError as error:
            log.warning("assignments_refused", **error.facts)
            self._sure.pause(REFUSED_S)
            return
        if current.version == self._known:
            self._sure.pause(LEAST_ROUND_S)
            return
        self.apply(current)

    def apply(self, current: Assignments) -> None:
        """Serve what *current* says."""
        by_task = {assignment.task_id: assignment for assignment in current.assignments}
        changes = reconcile(current.assignments, self._admission.served())
        for task_id in (*changes.admit, *changes.renew):
            self._admission.admit(_served(by_task[task_id]), _identity(by_task[task_id]))
        for task_id in changes.admit:
            log.info("task_admitted", task_id=task_id, name=by_task[task_id].name)
            self._proofs.catch_up(task_id)
        for task_id in changes.renew:
            log.info("certificate_renewed", task_id=task_id)
        for task_id in changes.withdraw:
            self._admission.withdraw(task_id)
            self._replicas.release(task_id)
            log.warning("task_withdrawn", task_id=task_id, note="its replica stays in the images folder")
        if self._known is None:
            for task_id in orphans(current.assignments, self._replicas.present()):
                log.warning("replica_without_task", task_id=task_id, note="kept; remove it by hand if it's not needed")
        self._orders.assigned(current.assignments)
        self._known = current.version


def _served(assignment: Assignment) -> Served:
    return Served(assignment.task_id, assignment.certificate, assignment.server_name)


def _identity(assignment: Assignment) -> Identity:
    return Identity(
        certificate=assignment.certificate,
        private_key=assignment.private_key,
        passphrase=assignment.passphrase,
        ca=assignment.ca,
    )
