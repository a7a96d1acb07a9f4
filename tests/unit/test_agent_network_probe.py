"""The network check: measured, told in the protocol's limits, and honest where nothing could be reached."""

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from wherry.agent.network_probe import NetworkProbe, verdict
from wherry.client.errors import ControlPlaneError
from wherry.contract.network_check import NetworkCheck
from wherry.contract.wherry import Route
from wherry.replication import probing
from wherry.replication.errors import ConnectionLost
from wherry.replication.messages import Probe
from wherry.replication.probing import Quality
from wherry.replication.stream import FrameStream
from wherry.replication.transport import Clock, Identity

IDENTITY = Identity("", "", "", "")
ROUTE = Route(task_id="t", receiver_id="r", host="192.0.2.1", port=1, server_name="n")


@dataclass
class Desk:
    route_found: Route | None = ROUTE
    refusal: ControlPlaneError | None = None
    reported: list[NetworkCheck] = field(default_factory=list)

    def now(self) -> float:
        return 0.0

    def channel_identity(self, task_id: str) -> Identity:
        assert task_id == "task-1"
        return IDENTITY

    def route(self, task_id: str) -> Route | None:
        assert task_id == "task-1"
        return self.route_found

    def report_network(self, task_id: str, check: NetworkCheck) -> None:
        assert task_id == "task-1"
        if self.refusal is not None:
            raise self.refusal
        self.reported.append(check)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "meminfo").write_text("MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 250 kB\n")
    (tmp_path / "stat").write_text("cpu 1 2 3 4 5 6 7 8\n")
    return tmp_path


def probe(desk: Desk, proc: Path, reach: Callable[[Route, Identity, Clock], FrameStream]) -> str:
    return NetworkProbe(desk, reach=reach, proc=proc)("task-1").result


def away(_route: Route, _identity: Identity, _clock: Clock) -> FrameStream:
    raise ConnectionLost(reason="nobody listens")


def test_what_was_measured_is_reported(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "_SPEED_BYTES", 1 << 20)
    ours, theirs = socket.socketpair()
    far = FrameStream(theirs)

    def serve() -> None:
        header, head = far.receive_header()
        first = far.receive_message(header, head)[0]
        assert isinstance(first, Probe)
        with pytest.raises(ConnectionLost):
            probing.answer(far, first)

    thread = threading.Thread(target=serve)
    thread.start()
    desk = Desk()
    assert probe(desk, proc, lambda _route, _identity, _clock: FrameStream(ours)) == "success"
    thread.join(10)
    far.close()
    (check,) = desk.reported
    assert (check.domain_connectivity, check.destination_connectivity) == (True, True)
    assert check.migration_speed > 0
    assert check.network_delay > 0
    assert (check.mem_usage, check.loss_percentage) == (75.0, 0.0)


@pytest.mark.parametrize("route", [None, ROUTE])
def test_a_receiver_that_is_not_reached_is_a_result(proc: Path, route: Route | None) -> None:
    desk = Desk(route)
    assert probe(desk, proc, away) == "success"
    (check,) = desk.reported
    assert (check.destination_connectivity, check.evaluation_result, check.loss_percentage) == (False, "failed", 100.0)


def test_a_refused_report_is_told_and_a_busy_control_plane_asked_again(proc: Path) -> None:
    gone = Desk(refusal=ControlPlaneError("SMS.7703", "no such task", status=404))
    assert probe(gone, proc, away) == "fail"
    with pytest.raises(ControlPlaneError):
        probe(Desk(refusal=ControlPlaneError("WHERRY.5305", "away", status=503)), proc, away)


@pytest.mark.parametrize(
    ("quality", "word"),
    [
        (None, "failed"),
        (Quality(20.0, 2.0, 0.1, 500.0), "normal"),
        (Quality(20.0, 2.0, 0.1, 5.0), "limited"),
        (Quality(20.0, 2.0, 3.0, 500.0), "unstable"),
        (Quality(20.0, 30.0, 0.0, 500.0), "unstable"),
        (Quality(0.1, 0.5, 0.0, 9000.0), "normal"),
    ],
)
def test_a_verdict_is_one_word_of_the_protocols_length(quality: Quality | None, word: str) -> None:
    assert verdict(quality) == word
    assert 6 <= len(word) <= 8
