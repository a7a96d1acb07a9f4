"""Wherry's own API: joining, receivers, routes, figures, proofs, events."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.contract import documents
from tests.contract.running import NO_RETRY, JoinAs, Raw, Server, faultless_server
from wherry.client.control_plane import ControlPlane, join
from wherry.client.errors import ControlPlaneError, ControlPlaneUnreachable, TrustMissing
from wherry.contract.enumerations import LandingOutcome, LandingState, OrderKind, OrderStage, Verdict
from wherry.contract.landing import OrderReport, RehearsalCheck, RehearsalRequest, RehearsalResult
from wherry.contract.sources import Registration
from wherry.contract.tasks import TaskCreation
from wherry.contract.wherry import DiskRoot, PassFigures, ProofHalf, ReceiverAnnouncement, ReplicationFigures
from wherry.iam.certificates import Authority


@dataclass(frozen=True)
class Landing:
    """A receiver that has joined and announced itself."""

    id: str
    client: ControlPlane
    key: tuple[str, str]

    def announce(self, port: int = 7443, drivers: tuple[str, ...] = ("image",)) -> None:
        self.client.update_receiver(
            self.id,
            ReceiverAnnouncement(
                name="landing-1",
                data_host="192.0.2.200",
                data_port=port,
                drivers=list(drivers),
                free_bytes=5 << 40,
                version="0.1.0",
            ),
        )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A control plane that no other module's receivers know."""
    with faultless_server(tmp_path_factory.mktemp("wherry") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def receiver(server: Server, control_plane: ControlPlane) -> Iterator[Landing]:
    """The only receiver that ever announces itself here, so every route leads to it."""
    token = control_plane.create_join_token("receiver").token
    joined = join(server.endpoint, server.ca_file, token, "landing-1", policy=NO_RETRY)
    key = (joined.access_key, joined.secret_key)
    with ControlPlane(server.endpoint, *key, server.ca_file, policy=NO_RETRY) as client:
        landing = Landing(joined.receiver_id, client, key)
        landing.announce()
        yield landing


@dataclass(frozen=True)
class Move:
    """An agent with its source and a started task."""

    agent: ControlPlane
    source_id: str
    task_id: str


@pytest.fixture
def move(agent: ControlPlane, control_plane: ControlPlane) -> Move:
    source_id = agent.register_server(msgspec.convert(documents.registration("mover"), Registration))
    task_id = control_plane.create_task(msgspec.convert(documents.task(source_id), TaskCreation))
    control_plane.update_task_status(task_id, "start")
    return Move(agent, source_id, task_id)


def refusal(caught: pytest.ExceptionInfo[ControlPlaneError], status: int) -> None:
    assert caught.value.status == status, caught.value.explain()
    assert caught.value.cause
    assert caught.value.fix


def test_a_join_token_works_once(server: Server, control_plane: ControlPlane) -> None:
    token = control_plane.create_join_token("agent", expires_s=60)
    assert time.time() * 1000 < token.expires_at <= time.time() * 1000 + 61_000
    joined = join(server.endpoint, server.ca_file, token.token, "once", policy=NO_RETRY)
    assert joined.domain_id == server.admin.domain_id
    assert joined.receiver_id == ""
    assert joined.ca == server.ca_file.read_text()
    with pytest.raises(ControlPlaneError) as caught:
        join(server.endpoint, server.ca_file, token.token, "twice", policy=NO_RETRY)
    refusal(caught, 401)


def test_joining_at_the_same_time_gives_one_key(server: Server, control_plane: ControlPlane) -> None:
    token = control_plane.create_join_token("agent").token
    outcomes: list[int] = []

    def attempt() -> None:
        try:
            join(server.endpoint, server.ca_file, token, "race", policy=NO_RETRY)
            outcomes.append(200)
        except ControlPlaneError as error:
            outcomes.append(error.status)

    threads = [threading.Thread(target=attempt) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [200, 401, 401, 401, 401, 401]


def test_a_join_token_expires(server: Server, control_plane: ControlPlane) -> None:
    token = control_plane.create_join_token("agent", expires_s=1)
    time.sleep(1.2)
    with pytest.raises(ControlPlaneError) as caught:
        join(server.endpoint, server.ca_file, token.token, "late", policy=NO_RETRY)
    refusal(caught, 401)


def test_an_invented_join_token_is_refused(server: Server) -> None:
    with pytest.raises(ControlPlaneError) as caught:
        join(server.endpoint, server.ca_file, "wherry-join-invented", "stranger", policy=NO_RETRY)
    refusal(caught, 401)


def test_a_client_does_not_trust_another_authority(server: Server, tmp_path: Path) -> None:
    other = tmp_path / "ca.pem"
    other.write_text(Authority.create("other").certificate_pem)
    with pytest.raises(ControlPlaneUnreachable, match="certificate verify failed"):
        join(server.endpoint, other, "token", "x", policy=NO_RETRY)
    with pytest.raises(TrustMissing):
        join(server.endpoint, tmp_path / "missing.pem", "token", "x", policy=NO_RETRY)


def test_nobody_there_is_said_in_words(server: Server) -> None:
    with pytest.raises(ControlPlaneUnreachable, match="cannot be reached"):
        join("https://127.0.0.1:1", server.ca_file, "token", "x", policy=NO_RETRY)


def test_a_receiver_announces_itself_and_is_listed(control_plane: ControlPlane, receiver: Landing) -> None:
    found = [item for item in control_plane.list_receivers().receivers if item.id == receiver.id]
    (item,) = found
    assert (item.name, item.data_host, item.data_port) == ("landing-1", "192.0.2.200", 7443)
    assert (item.drivers, item.free_bytes, item.version, item.connected) == (["image"], 5 << 40, "0.1.0", True)
    assert item.last_contact > time.time() * 1000 - 60_000


def test_a_receiver_may_act_on_its_own_record_only(
    raw: Raw, receiver: Landing, join_as: JoinAs, source_id: str, task_id: str
) -> None:
    _, _, other = join_as("receiver", "other")
    announcement = {
        "name": "x",
        "data_host": "h",
        "data_port": 1,
        "drivers": [],
        "free_bytes": 1,
        "version": "1",
    }
    attempts: list[httpx.Response] = [
        raw.signed("PUT", f"/wherry/v1/receivers/{other}", body=announcement, key=receiver.key),
        raw.signed("GET", f"/wherry/v1/receivers/{other}/assignments", key=receiver.key),
        raw.signed("GET", "/wherry/v1/receivers", key=receiver.key),
        raw.signed("GET", f"/v3/tasks/{task_id}", key=receiver.key),
        raw.signed("GET", f"/v3/tasks/{task_id}/passphrase", key=receiver.key),
        raw.signed("GET", f"/v3/sources/{source_id}", key=receiver.key),
        raw.signed("GET", "/v3/sources", key=receiver.key),
        raw.signed("POST", "/wherry/v1/join-tokens", body={"role": "agent"}, key=receiver.key),
    ]
    for answer in attempts:
        assert answer.status_code == 403, f"{answer.request.method} {answer.request.url}: {answer.text}"
        assert answer.json()["error_code"] == "SMS.9004"


def test_a_route_assigns_a_receiver_and_stays(control_plane: ControlPlane, move: Move, receiver: Landing) -> None:
    route = move.agent.show_route(move.task_id)
    known = {item.id: item for item in control_plane.list_receivers().receivers}
    chosen = known[route.receiver_id]
    assert (route.host, route.port) == (chosen.data_host, chosen.data_port)
    assert route.server_name == f"task-{move.task_id}.wherry"
    assert move.agent.show_route(move.task_id) == route
    assert control_plane.show_route(move.task_id) == route


def test_an_assignment_wakes_the_receiver_up(server: Server, join_as: JoinAs, move: Move, receiver: Landing) -> None:
    before = receiver.client.list_assignments(receiver.id, wait_s=0)
    got: list[object] = []

    def wait() -> None:
        got.append(receiver.client.list_assignments(receiver.id, known=before.version, wait_s=20))

    waiter = threading.Thread(target=wait)
    waiter.start()
    time.sleep(0.5)
    assert not got, "the poll did not wait"
    route = move.agent.show_route(move.task_id)
    waiter.join(25)
    after = receiver.client.list_assignments(receiver.id, wait_s=0)
    assert got == [after]
    assert after.version != before.version
    assert move.task_id not in {item.task_id for item in before.assignments}
    (assignment,) = [item for item in after.assignments if item.task_id == move.task_id]
    assert assignment.server_name == route.server_name
    assert assignment.private_key.startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert assignment.ca == server.ca_file.read_text()
    assert assignment.passphrase
    certificate = x509.load_pem_x509_certificate(assignment.certificate.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [route.server_name]


def test_figures_are_kept_as_sent(raw: Raw, control_plane: ControlPlane, move: Move) -> None:
    figures = ReplicationFigures(
        phase="syncing",  # type: ignore[arg-type]
        pass_number=2,
        disk_bytes=10 << 30,
        used_bytes=7 << 30,
        read_bytes=8 << 30,
        changed_bytes=1 << 20,
        sent_bytes=6 << 30,
        wire_bytes=(6 << 30) + 12345,
        resent_bytes=17,
        frozen_ms=123.5,
        passes=[PassFigures(number=0, read_bytes=7 << 30, sent_bytes=6 << 30, seconds=12.5, consistent=False)],
        remaining_bytes=99,
        rate_mbit=412.5,
        checkpoint=1,
        watchdog_fired=False,
    )
    move.agent.update_replication(move.task_id, figures)
    assert control_plane.show_replication(move.task_id) == figures
    assert raw.get(f"/wherry/v1/tasks/{move.task_id}/replication")["wire_bytes"] == (6 << 30) + 12345


def half(checkpoint: int, root: str = "ab" * 16) -> ProofHalf:
    disk = DiskRoot(index=0, name="/dev/vda", size=1 << 30, granule_size=65536, covered=[[0, 100], [200, 7]], root=root)
    return ProofHalf(checkpoint=checkpoint, taken_at=1_769_592_600_000, disks=[disk])


def test_two_equal_halves_make_a_signed_proof(
    server: Server, control_plane: ControlPlane, move: Move, receiver: Landing
) -> None:
    move.agent.show_route(move.task_id)
    move.agent.submit_half(move.task_id, "source", half(3))
    with pytest.raises(ControlPlaneError) as caught:
        move.agent.show_proof(move.task_id, 3)
    refusal(caught, 404)
    receiver.client.submit_half(move.task_id, "receiver", half(3))
    proof = move.agent.show_proof(move.task_id, 3)
    assert (proof.task_id, proof.source_id, proof.checkpoint) == (move.task_id, move.source_id, 3)
    assert proof.disks == half(3).disks
    assert control_plane.show_proof(move.task_id) == proof
    verify_signature(proof, server)


def verify_signature(proof: object, server: Server) -> None:
    """Check the signature with nothing of Wherry's: sorted JSON without `signature`, Ed25519, the CA's certificate."""
    document = json.loads(msgspec.json.encode(proof))
    signature = base64.b64decode(document.pop("signature"))
    certificate = x509.load_pem_x509_certificate(document["certificate"].encode())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(server.ca_file.read_bytes()))
    key = certificate.public_key()
    assert isinstance(key, Ed25519PublicKey)
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    key.verify(signature, text.encode())


def test_two_different_halves_are_a_conflict_that_names_the_disk(move: Move, receiver: Landing) -> None:
    move.agent.show_route(move.task_id)
    move.agent.submit_half(move.task_id, "source", half(4))
    receiver.client.submit_half(move.task_id, "receiver", half(4, root="cd" * 16))
    with pytest.raises(ControlPlaneError) as caught:
        move.agent.show_proof(move.task_id, 4)
    refusal(caught, 409)
    assert "/dev/vda" in caught.value.message


def test_one_side_cannot_hand_in_the_other_sides_half(raw: Raw, move: Move, receiver: Landing) -> None:
    move.agent.show_route(move.task_id)
    with pytest.raises(ControlPlaneError) as caught:
        move.agent.submit_half(move.task_id, "receiver", half(5))
    refusal(caught, 403)
    with pytest.raises(ControlPlaneError) as caught:
        receiver.client.submit_half(move.task_id, "source", half(5))
    refusal(caught, 403)


def test_events_are_for_users(raw: Raw, control_plane: ControlPlane, move: Move) -> None:
    events = control_plane.list_events(move.task_id).events
    assert {"source", "task"} >= {event.entity for event in events}
    assert any(event.to_state == "RUNNING" for event in events)
    assert all(event.reason for event in events)
    with pytest.raises(ControlPlaneError) as caught:
        move.agent.list_events(move.task_id)
    refusal(caught, 403)


def test_the_agent_sees_what_it_needs_of_its_task(raw: Raw, move: Move) -> None:
    command = move.agent.show_command(move.source_id, wait_s=5)
    assert (command.command_name, command.command_param.task_id) == ("START", move.task_id)
    move.agent.update_command_result(move.source_id, "START", "success", {"msg": "started"})
    shown = move.agent.show_task(move.task_id)
    assert shown.source_server is not None
    assert shown.source_server.id == move.source_id
    keys = move.agent.show_cert_key(move.task_id)
    certificate = x509.load_pem_x509_certificate(keys.cert.encode())
    assert certificate.subject.rfc4514_string() == f"CN={move.task_id}"
    assert keys.ca
    assert move.agent.show_passphrase(move.task_id)
    move.agent.update_copy_state(move.source_id, "replicate", "replicating")
    shown_source = move.agent.show_server(move.source_id)
    assert shown_source.state == "replicate"


def test_a_new_agent_key_cannot_be_made_by_an_agent(raw: Raw, move: Move) -> None:
    with pytest.raises(ControlPlaneError) as caught:
        move.agent.create_join_token("agent")
    refusal(caught, 403)


def test_a_source_that_was_deleted_comes_back_when_its_agent_registers(
    control_plane: ControlPlane, agent: ControlPlane
) -> None:
    registration = msgspec.convert(documents.registration("phoenix"), Registration)
    first = agent.register_server(registration)
    control_plane.delete_server(first)
    second = agent.register_server(registration)
    assert agent.show_server(second).name == "phoenix"


@pytest.fixture
def booting(receiver: Landing) -> Iterator[Landing]:
    """The receiver, while it boots what lands."""
    receiver.announce(drivers=("image", "qemu"))
    yield receiver
    receiver.announce()


def test_a_rehearsal_goes_from_the_user_to_the_receiver_and_back(
    control_plane: ControlPlane, booting: Landing, move: Move
) -> None:
    assert move.agent.show_route(move.task_id).receiver_id == booting.id
    request = RehearsalRequest(checks=[RehearsalCheck(name="shop", command="true")], limit_s=60)
    rehearsal_id = control_plane.order_rehearsal(move.task_id, request)
    with pytest.raises(ControlPlaneError) as caught:
        control_plane.order_rehearsal(move.task_id, request)
    refusal(caught, 409)
    assigned = {each.task_id: each for each in booting.client.list_assignments(booting.id, wait_s=0).assignments}
    (order,) = assigned[move.task_id].orders
    assert (order.id, order.kind, order.checks) == (rehearsal_id, OrderKind.REHEARSE, request.checks)
    booting.client.update_order(booting.id, order.id, OrderReport(stage=OrderStage.WAITING))
    assert move.agent.show_landing(move.task_id).checkpoint_wanted
    result = RehearsalResult(verdict=Verdict.PASSED, console=b"login:", screenshot=b"\x89PNG")
    for _ in range(2):  # the answer may get lost
        report = OrderReport(stage=OrderStage.DONE, progress=100, checkpoint=2, rehearsal=result)
        booting.client.update_order(booting.id, order.id, report)
    shown = control_plane.show_rehearsal(rehearsal_id)
    assert (shown.verdict, shown.checkpoint, shown.stage) == (Verdict.PASSED, 2, OrderStage.DONE)
    assert control_plane.show_console(rehearsal_id) == "login:"
    assert control_plane.show_screenshot(rehearsal_id) == b"\x89PNG"
    listed = control_plane.list_rehearsals(task_id=move.task_id, verdict="passed")
    assert [each.id for each in listed.rehearsals] == [rehearsal_id]
    assert control_plane.list_rehearsals(task_id=move.task_id, verdict="failed").count == 0


def test_success_means_booted(control_plane: ControlPlane, booting: Landing, move: Move) -> None:
    move.agent.show_route(move.task_id)
    for state in ("syncing", "cutovering"):
        move.agent.update_copy_state(move.source_id, state, state)
    begun = move.agent.begin_landing(move.task_id, 3)
    assert (begun.state, begun.outcome) == (LandingState.ORDERED, LandingOutcome.WAIT)
    with pytest.raises(ControlPlaneError) as caught:
        move.agent.update_copy_state(move.source_id, "finished", "cutovered")
    refusal(caught, 409)
    booting.client.update_order(booting.id, begun.order_id, OrderReport(stage=OrderStage.REHEARSING))
    known = move.agent.show_landing(move.task_id).version
    booting.client.update_order(booting.id, begun.order_id, OrderReport(stage=OrderStage.DONE, server_id="vm-9"))
    passed = move.agent.show_landing(move.task_id, known=known, wait_s=30)
    # The task was created with start_target_server false.
    assert (passed.state, passed.outcome) == (LandingState.PASSED, LandingOutcome.SUCCESS)
    move.agent.update_copy_state(move.source_id, "finished", "cutovered")
    assert control_plane.show_task(move.task_id).state == "MIGRATE_SUCCESS"
    control_plane.launch_target(move.task_id)
    launching = control_plane.show_landing(move.task_id)
    assert launching.state is LandingState.LAUNCHING
    booting.client.update_order(booting.id, launching.order_id, OrderReport(stage=OrderStage.DONE, server_id="vm-9"))
    control_plane.roll_back_target(move.task_id)
    assert control_plane.show_landing(move.task_id).state is LandingState.ROLLING_BACK


def test_an_agent_and_a_receiver_order_nothing(booting: Landing, move: Move) -> None:
    move.agent.show_route(move.task_id)
    for caller in (move.agent, booting.client):
        calls: tuple[Callable[[], object], ...] = (
            partial(caller.order_rehearsal, move.task_id, RehearsalRequest()),
            partial(caller.launch_target, move.task_id),
            partial(caller.roll_back_target, move.task_id),
            caller.list_rehearsals,
        )
        for call in calls:
            with pytest.raises(ControlPlaneError) as caught:
                call()
            refusal(caught, 403)
