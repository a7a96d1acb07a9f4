"""Assignments against what is served."""

from dataclasses import dataclass

from wherry.receiver.reconciliation import Reconciliation, Served, orphans, reconcile


@dataclass(frozen=True)
class Assigned:
    task_id: str
    certificate: str = "PEM 1"

    @property
    def server_name(self) -> str:
        return f"task-{self.task_id}.wherry"


def served(*task_ids: str) -> dict[str, Served]:
    return {task_id: Served(task_id, "PEM 1", f"task-{task_id}.wherry") for task_id in task_ids}


def test_new_tasks_are_admitted_and_vanished_ones_withdrawn() -> None:
    outcome = reconcile([Assigned("b"), Assigned("c"), Assigned("a")], served("a", "z"))
    assert outcome == Reconciliation(admit=("b", "c"), withdraw=("z",))


def test_a_renewed_certificate_is_taken_over() -> None:
    assert reconcile([Assigned("a", "PEM 2")], served("a")) == Reconciliation(renew=("a",))


def test_nothing_changes_when_nothing_changed() -> None:
    assert reconcile([Assigned("a")], served("a")) == Reconciliation()
    assert reconcile([], {}) == Reconciliation()


def test_replicas_that_nobody_asks_for_are_named() -> None:
    assert orphans([Assigned("a")], ["z", "a", "b"]) == ("b", "z")
