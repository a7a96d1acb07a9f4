"""The desk of orders: who works on what, what is told when, and what a restart or a withdrawal does."""
# ruff: noqa: ARG002 - a double takes what the Protocol gives

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.unit.landing_doubles import order
from wherry.client.errors import ControlPlaneError, ControlPlaneUnreachable
from wherry.client.patience import Patience, Steadfast
from wherry.contract.enumerations import OrderKind, OrderStage
from wherry.contract.landing import LandingOrder, OrderReport
from wherry.contract.wherry import Assignment
from wherry.receiver.landing.desk import OrderDesk
from wherry.receiver.landing.words import OrderStopped, Stopped, Tell

PATIENCE_S = 30.0
UNREACHABLE = ControlPlaneUnreachable(endpoint="x", reason="y")
GONE = ControlPlaneError("WHERRY.5609", "no such order", status=404)
DONE = OrderReport(stage=OrderStage.DONE, progress=100)


class Carrier:
    """Ends an order as the test says; None: it waits for a checkpoint."""

    def __init__(self) -> None:
        self.ends: list[OrderReport | Exception | None] = []
        self.carried: list[str] = []
        self.dropped: list[str] = []
        self.swept: list[set[str]] = []
        self.until_stopped = False
        self.began = threading.Event()

    def carry_out(self, order: LandingOrder, task_state: str, tell: Tell, stopped: Stopped) -> OrderReport | None:
        self.carried.append(order.id)
        tell(OrderStage.PREPARING, 10, "begun")
        self.began.set()
        if self.until_stopped:
            while not stopped():
                threading.Event().wait(0.005)
            raise OrderStopped
        end = self.ends.pop(0) if self.ends else DONE
        if isinstance(end, Exception):
            raise end
        return end

    def drop(self, order: LandingOrder) -> None:
        self.dropped.append(order.id)

    def sweep(self, wanted: Collection[str]) -> None:
        self.swept.append(set(wanted))


class Stage:
    def __init__(self, folder: Path) -> None:
        self.carrier = Carrier()
        self.reports: list[tuple[str, OrderStage]] = []
        self.refusals: list[Exception] = []
        self.heard = threading.Condition()
        self.stop = threading.Event()
        self.now = 100.0
        self.desk = OrderDesk(
            self.carrier,
            self.hand_in,
            lambda: Steadfast(self.stop, Patience(first_s=0.0)),
            folder / "notes",
            clock=lambda: self.now,
        )
        self.notes = folder / "notes"

    def hand_in(self, order_id: str, report: OrderReport) -> None:
        with self.heard:
            if self.refusals and report.stage is not OrderStage.PREPARING:
                raise self.refusals.pop(0)
            self.reports.append((order_id, report.stage))
            self.heard.notify_all()

    def assign(self, *orders: LandingOrder) -> None:
        task = Assignment(
            task_id="task", name="n", server_name="s", state="SYNCING", certificate="c", private_key="k",
            passphrase="p", ca="ca", orders=list(orders),
        )  # fmt: skip
        self.desk.assigned([task])

    def until(self, *wanted: tuple[str, OrderStage]) -> None:
        with self.heard:
            assert self.heard.wait_for(lambda: set(wanted) <= set(self.reports), PATIENCE_S), self.reports

    @contextmanager
    def working(self, workers: int = 1) -> Iterator[None]:
        threads = [threading.Thread(target=self.desk.run) for _ in range(workers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            self.desk.end()
            for thread in threads:
                thread.join(PATIENCE_S)
                assert not thread.is_alive()


def test_an_order_is_carried_out_and_reported(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    with stage.working():
        stage.assign(order())
        stage.until(("o-1", OrderStage.PREPARING), ("o-1", OrderStage.DONE))
        stage.assign(order())  # handed out once more, before its end was seen there
    assert (stage.carrier.carried, stage.carrier.dropped) == (["o-1"], [])
    assert stage.carrier.swept == [{"o-1"}]
    assert list(stage.notes.iterdir()) == []


def test_the_last_report_outlives_a_control_plane_that_is_away(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.refusals = [UNREACHABLE] * 5
    with stage.working():
        stage.assign(order())
        stage.until(("o-1", OrderStage.DONE))
    assert stage.carrier.carried == ["o-1"]


def test_the_last_report_outlives_the_receiver(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.refusals = [UNREACHABLE] * 10_000
    with stage.working():
        stage.assign(order())
        assert stage.carrier.began.wait(PATIENCE_S)
        while not list(stage.notes.glob("*.json")):
            threading.Event().wait(0.005)
    again = Stage(tmp_path)
    with again.working():
        again.assign(order())
        again.until(("o-1", OrderStage.DONE))
    assert again.carrier.carried == []


def test_a_report_that_nobody_wants_any_more_is_dropped(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.refusals = [GONE]
    with stage.working():
        stage.assign(order(), order(order_id="o-2"))
        stage.until(("o-2", OrderStage.DONE))
    assert stage.carrier.carried == ["o-1", "o-2"]


def test_an_order_that_is_taken_back_is_broken_off_and_removed(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.carrier.until_stopped = True
    with stage.working():
        stage.assign(order())
        assert stage.carrier.began.wait(PATIENCE_S)
        stage.carrier.until_stopped = False
        stage.assign()
        stage.assign(order(order_id="o-2"))
        stage.until(("o-2", OrderStage.DONE))
    assert stage.carrier.dropped == ["o-1"]
    assert ("o-1", OrderStage.DONE) not in stage.reports


def test_the_end_of_the_receiver_leaves_an_order_to_the_next_one(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.carrier.until_stopped = True
    with stage.working():
        stage.assign(order())
        assert stage.carrier.began.wait(PATIENCE_S)
    assert (stage.carrier.dropped, stage.reports) == ([], [("o-1", OrderStage.PREPARING)])


def test_an_order_without_a_checkpoint_waits_until_there_is_one(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.carrier.ends = [None]
    with stage.working():
        stage.assign(order(OrderKind.REHEARSE))
        stage.until(("o-1", OrderStage.WAITING))
        assert stage.carrier.carried == ["o-1"]
        stage.desk.committed("task")
        stage.until(("o-1", OrderStage.DONE))
    assert stage.carrier.dropped == ["o-1"]


def test_orders_about_the_target_come_one_after_the_other_and_a_rehearsal_beside(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.carrier.until_stopped = True
    with stage.working(3):
        stage.assign(order(), order(OrderKind.LAUNCH, "o-2"), order(OrderKind.REHEARSE, "o-3"))
        stage.until(("o-1", OrderStage.PREPARING), ("o-3", OrderStage.PREPARING))
    assert sorted(stage.carrier.carried) == ["o-1", "o-3"]


def test_what_breaks_off_again_and_again_fails_with_a_code(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.carrier.ends = [ValueError("a fault")] * 3
    with stage.working():
        stage.assign(order())
        for tries in range(1, 4):
            while len(stage.carrier.carried) < tries:
                stage.now += 60
                stage.desk.committed("task")
                threading.Event().wait(0.005)
        stage.until(("o-1", OrderStage.FAILED))
    assert len(stage.carrier.carried) == 3
