"""The receiver serves what it's assigned, announces itself, and waits patiently."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from wherry.client.errors import ControlPlaneError, ControlPlaneUnreachable
from wherry.client.patience import Patience, Steadfast
from wherry.contract.wherry import Assignment, Assignments, ReceiverAnnouncement
from wherry.receiver.admission import Admission
from wherry.receiver.announcing import Announcer, reachable_host
from wherry.receiver.assignments import AssignmentWatch

UNREACHABLE = ControlPlaneUnreachable(endpoint="x", reason="y")


def patient(stop: threading.Event) -> Steadfast:
    return Steadfast(stop, Patience(first_s=0.0))


def assignment(task_id: str, certificate: str = "PEM") -> Assignment:
    return Assignment(
        task_id=task_id, name="n", server_name=f"task-{task_id}.wherry", state="RUNNING", certificate=certificate,
        private_key="key", passphrase="open", ca="ca",
    )  # fmt: skip


@dataclass
class Replicas:
    on_medium: Sequence[str] = ()
    released: list[str] = field(default_factory=list)

    def present(self) -> Sequence[str]:
        return self.on_medium

    def release(self, task_id: str) -> None:
        self.released.append(task_id)


@dataclass
class Proofs:
    asked: list[str] = field(default_factory=list)

    def catch_up(self, task_id: str) -> None:
        self.asked.append(task_id)


class Stage:
    def __init__(self, script: Sequence[Assignments | Exception] = ()) -> None:
        self.script = list(script)
        self.known: list[int | None] = []
        self.stop = threading.Event()
        self.admission = Admission()
        self.replicas = Replicas()
        self.proofs = Proofs()
        self.ordered: list[Sequence[Assignment]] = []
        self.watch = AssignmentWatch(
            self.fetch, self.admission, self.replicas, self.proofs, orders=self, sure=patient(self.stop)
        )

    def assigned(self, assignments: Sequence[Assignment]) -> None:
        self.ordered.append(assignments)

    def fetch(self, known: int | None) -> Assignments:
        self.known.append(known)
        found = self.script.pop(0)
        if not self.script:
            self.stop.set()
        if isinstance(found, Exception):
            raise found
        return found


def test_an_assigned_task_is_admitted_under_its_server_name_and_owes_its_proof() -> None:
    stage = Stage()
    stage.watch.apply(Assignments(version=1, assignments=[assignment("a")]))
    identity = stage.admission.lookup("task-a.wherry")
    assert identity is not None
    assert (identity.certificate, identity.passphrase) == ("PEM", "open")
    assert stage.admission.lookup("task-b.wherry") is None
    assert stage.proofs.asked == ["a"]


def test_a_renewed_certificate_is_shown_from_then_on() -> None:
    stage = Stage()
    stage.watch.apply(Assignments(version=1, assignments=[assignment("a")]))
    stage.watch.apply(Assignments(version=2, assignments=[assignment("a", "NEW")]))
    identity = stage.admission.lookup("task-a.wherry")
    assert identity is not None
    assert identity.certificate == "NEW"
    assert stage.proofs.asked == ["a"]


def test_a_task_that_is_gone_is_refused_and_its_replica_let_go() -> None:
    stage = Stage()
    stage.watch.apply(Assignments(version=1, assignments=[assignment("a"), assignment("b")]))
    stage.watch.apply(Assignments(version=2, assignments=[assignment("b")]))
    assert stage.admission.lookup("task-a.wherry") is None
    assert stage.admission.serves("b")
    assert stage.replicas.released == ["a"]


def test_the_watch_asks_for_what_is_newer_than_what_it_knows() -> None:
    stage = Stage(
        [UNREACHABLE, Assignments(version=7, assignments=[]), Assignments(version=8, assignments=[assignment("a")])]
    )
    stage.watch.run()
    assert stage.known == [None, None, 7]
    assert stage.admission.serves("a")


def test_an_identity_never_shows_its_secrets() -> None:
    stage = Stage()
    stage.watch.apply(Assignments(version=1, assignments=[assignment("a")]))
    assert "open" not in repr(stage.admission.lookup("task-a.wherry"))


def test_the_announcer_says_again_and_again_that_the_receiver_is_there() -> None:
    stop = threading.Event()
    said: list[ReceiverAnnouncement] = []
    troubles: list[Exception] = [ControlPlaneError("SMS.9004", "no", status=403), OSError("the folder is gone")]

    def announce(body: ReceiverAnnouncement) -> None:
        if troubles:
            raise troubles.pop(0)
        said.append(body)
        if len(said) == 2:
            stop.set()

    def describe() -> ReceiverAnnouncement:
        return ReceiverAnnouncement(name="n", data_host="h", data_port=1, drivers=["image"], free_bytes=5, version="1")

    Announcer(announce, describe, 0.0, patient(stop)).run()
    assert len(said) == 2
    assert troubles == []


def test_agents_are_told_an_address_that_they_can_reach() -> None:
    assert reachable_host("0.0.0.0", "10.9.8.7", "https://127.0.0.1:1") == "10.9.8.7"
    assert reachable_host("192.0.2.1", "", "https://127.0.0.1:1") == "192.0.2.1"
    assert reachable_host("0.0.0.0", "", "https://127.0.0.1:1") == "127.0.0.1"
