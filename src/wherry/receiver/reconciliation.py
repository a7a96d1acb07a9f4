"""Assignments against what the receiver serves: which tasks to admit, renew and withdraw. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol


class Assignable(Protocol):
    """What the comparison needs of an assignment."""

    @property
    def task_id(self) -> str:
        """Id of the task."""

    @property
    def certificate(self) -> str:
        """PEM of the task's certificate; another one means that the keys were renewed."""

    @property
    def server_name(self) -> str:
        """The TLS server name (SNI) that the agent of the task asks for."""


@dataclass(frozen=True, slots=True)
class Served:
    """A task that the receiver admits connections for."""

    task_id: str
    certificate: str
    server_name: str


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What has to change so that the receiver serves exactly what it's assigned."""

    admit: tuple[str, ...] = ()
    renew: tuple[str, ...] = ()
    withdraw: tuple[str, ...] = ()


def reconcile(assignments: Iterable[Assignable], served: Mapping[str, Served]) -> Reconciliation:
    """Compare what the control plane assigns with what is served now; ids in ascending order.

    A withdrawn task's replica stays on the medium: only a person removes data.
    """
    wanted = {assignment.task_id: assignment for assignment in assignments}
    renewed = (
        task_id
        for task_id in wanted.keys() & served.keys()
        if (wanted[task_id].certificate, wanted[task_id].server_name)
        != (served[task_id].certificate, served[task_id].server_name)
    )
    return Reconciliation(
        admit=tuple(sorted(wanted.keys() - served.keys())),
        renew=tuple(sorted(renewed)),
        withdraw=tuple(sorted(served.keys() - wanted.keys())),
    )


def orphans(assignments: Iterable[Assignable], replicas: Iterable[str]) -> tuple[str, ...]:
    """Return the replicas on the medium that no assignment asks for, in ascending order."""
    return tuple(sorted(set(replicas) - {assignment.task_id for assignment in assignments}))
