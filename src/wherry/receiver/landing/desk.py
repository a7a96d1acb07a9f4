"""The orders of this receiver: takes them in with its assignments, has them carried out, and reports until it's heard.

What is left of an order after a restart is found from its folder; the last report of one is on the medium before it's
handed in, so a control plane that is away, or a receiver that is killed, loses nothing.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import msgspec
import structlog

from wherry.client.errors import ControlPlaneError
from wherry.client.patience import Steadfast, Stopped
from wherry.contract.enumerations import OrderKind, OrderStage
from wherry.contract.landing import LandingOrder, OrderReport
from wherry.contract.wherry import Assignment
from wherry.durable import write_file
from wherry.errors import WherryError
from wherry.receiver.errors import OrderFailed
from wherry.receiver.landing.words import OrderStopped, Tell, told
from wherry.receiver.landing.words import Stopped as StoppedFlag

log = structlog.get_logger(__name__)

REST_S: Final = 2.0
"""How often an order that waits for a checkpoint is looked at, in seconds."""
TELL_EVERY_S: Final = 2.0
"""The least time between two reports of the same stage, in seconds."""
AGAIN_S: Final = 15.0
"""Pause before an order is taken up again that broke off by an error that nobody foresaw, in seconds."""
_TRIES: Final = 3
"""How often that's done before the order is reported as failed."""

_ON_THE_TARGET: Final = frozenset({OrderKind.LAND, OrderKind.LAUNCH, OrderKind.ROLL_BACK, OrderKind.CLEAR})
"""Orders about the task's target: one after the other."""
_LEAVE_NOTHING: Final = frozenset({OrderKind.REHEARSE, OrderKind.DRILL, OrderKind.RECORD})
"""Orders of which nothing has to stay once they were reported."""

HandIn = Callable[[str, OrderReport], None]
"""Reports how far an order is. Raises ControlPlaneUnreachable and ControlPlaneError."""


class Carries(Protocol):
    """Who carries orders out; see `wherry.receiver.landing.carrier`."""

    def carry_out(self, order: LandingOrder, task_state: str, tell: Tell, stopped: StoppedFlag) -> OrderReport | None:
        """Do what is ordered and return the last report; None while there's no checkpoint for it."""

    def drop(self, order: LandingOrder) -> None:
        """Remove what an order left behind that nobody needs."""

    def sweep(self, wanted: Collection[str]) -> None:
        """Remove what is left of orders that aren't wanted any more."""


@dataclass(slots=True)
class _Entry:
    order: LandingOrder
    task_state: str
    stop: threading.Event = field(default_factory=threading.Event)
    at_work: bool = False
    ended: bool = False
    rests_until: float = 0.0
    waiting: bool = False
    tries: int = 0


class OrderDesk:
    """Orders and who works on them. Safe for many threads; `run` is called by each that is to work."""

    def __init__(
        self,
        carrier: Carries,
        hand_in: HandIn,
        sure: Callable[[], Steadfast],
        notes: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """*sure* makes what repeats calls, one a thread. *notes*: the folder of the last reports, which is made."""
        notes.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._carrier = carrier
        self._hand_in = hand_in
        self._sure = sure
        self._notes = notes
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._changed = threading.Condition()
        self._ending = False
        self._swept = False

    def assigned(self, assignments: Sequence[Assignment]) -> None:
        """Take in what is ordered now; an order that isn't there any more is broken off."""
        current = {order.id: (order, task.state) for task in assignments for order in task.orders}
        with self._changed:
            if not self._swept:
                self._sweep(current.keys())
            for order_id, (order, state) in current.items():
                entry = self._entries.setdefault(order_id, _Entry(order, state))
                entry.task_state = state
            for order_id in self._entries.keys() - current.keys():
                entry = self._entries[order_id]
                entry.stop.set()
                if not entry.at_work:
                    self._forget(entry)
            self._changed.notify_all()

    def committed(self, task_id: str) -> None:
        """Have the orders looked at that may have waited for a checkpoint of this task."""
        with self._changed:
            for entry in self._entries.values():
                if entry.order.task_id == task_id and entry.waiting:
                    entry.rests_until = 0.0
            self._changed.notify_all()

    def end(self) -> None:
        """Have `run` return; what is under way is broken off, to be taken up by the next receiver."""
        with self._changed:
            self._ending = True
            for entry in self._entries.values():
                entry.stop.set()
            self._changed.notify_all()

    def run(self) -> None:
        """Work on orders until the end."""
        sure = self._sure()
        while True:
            with self._next() as entry:
                if entry is None:
                    return
                try:
                    self._work(entry, sure)
                except (OrderStopped, Stopped):
                    log.info("order_broken_off", order_id=entry.order.id)
                except Exception as error:
                    # The outermost loop of this thread: one order's trouble doesn't keep the others back.
                    log.exception("order_broke_off", order_id=entry.order.id)
                    self._weigh(entry, error, sure)

    @contextmanager
    def _next(self) -> Iterator[_Entry | None]:
        """Yield the next order to work on, None at the end; it's worked on by nobody else meanwhile."""
        with self._changed:
            while not self._ending and (entry := self._due()) is None:
                self._changed.wait(REST_S)
            if self._ending:
                entry = None
            if entry is not None:
                entry.at_work = True
        try:
            yield entry
        finally:
            if entry is not None:
                with self._changed:
                    entry.at_work = False
                    if entry.stop.is_set() and not self._ending:
                        self._forget(entry)
                    self._changed.notify_all()

    def _due(self) -> _Entry | None:
        now = self._clock()
        targets = {
            entry.order.task_id
            for entry in self._entries.values()
            if entry.at_work and entry.order.kind in _ON_THE_TARGET
        }
        for entry in self._entries.values():
            blocked = entry.order.kind in _ON_THE_TARGET and entry.order.task_id in targets
            if not (entry.at_work or entry.ended or entry.stop.is_set() or blocked) and entry.rests_until <= now:
                return entry
        return None

    def _work(self, entry: _Entry, sure: Steadfast) -> None:
        order = entry.order
        last = self._noted(order.id)
        if last is None:
            log.info("order_taken_up", order_id=order.id, task_id=order.task_id, kind=order.kind.value)
            tell = _Teller(order.id, self._hand_in, self._clock)
            last = self._carrier.carry_out(order, entry.task_state, tell, entry.stop.is_set)
            if last is None:
                self._wait(entry, tell)
                return
            entry.waiting = False
            write_file(self._note(order.id), msgspec.json.encode(last), mode=0o600)
        self._deliver(entry, last, sure)

    def _wait(self, entry: _Entry, tell: "_Teller") -> None:
        if not entry.waiting:
            entry.waiting = tell.now(OrderStage.WAITING, 0, "no consistent checkpoint is kept yet")
        entry.rests_until = self._clock() + REST_S

    def _deliver(self, entry: _Entry, last: OrderReport, sure: Steadfast) -> None:
        order = entry.order
        try:
            sure(lambda: self._hand_in(order.id, last))
        except ControlPlaneError as error:
            log.warning("order_report_refused", order_id=order.id, **error.facts)
        entry.ended = True
        self._note(order.id).unlink(missing_ok=True)
        log.info("order_ended", order_id=order.id, task_id=order.task_id, stage=last.stage.value)
        if order.kind in _LEAVE_NOTHING or last.stage is not OrderStage.DONE:
            self._carrier.drop(order)

    def _weigh(self, entry: _Entry, error: Exception, sure: Steadfast) -> None:
        entry.tries += 1
        entry.rests_until = self._clock() + AGAIN_S
        if entry.tries < _TRIES:
            return
        failure = OrderFailed(reason=f"{type(error).__name__}: {error}")
        try:
            self._deliver(entry, OrderReport(stage=OrderStage.FAILED, error=told(failure)), sure)
        except Stopped:
            log.info("order_broken_off", order_id=entry.order.id)

    def _forget(self, entry: _Entry) -> None:
        """Drop an order that isn't wanted any more; of one that was done everything stays that is needed."""
        self._entries.pop(entry.order.id, None)
        self._note(entry.order.id).unlink(missing_ok=True)
        if not entry.ended:
            try:
                self._carrier.drop(entry.order)
            except OSError as error:
                log.warning("order_not_removed", order_id=entry.order.id, reason=str(error))

    def _sweep(self, wanted: Collection[str]) -> None:
        """Once after the start: remove what is left of orders that ended, or were taken back, meanwhile."""
        self._swept = True
        for note in self._notes.glob("*.json"):
            if note.stem not in wanted:
                note.unlink()
        try:
            self._carrier.sweep(wanted)
        except OSError as error:
            log.warning("orders_not_swept", reason=str(error))

    def _noted(self, order_id: str) -> OrderReport | None:
        try:
            return msgspec.json.decode(self._note(order_id).read_bytes(), type=OrderReport)
        except FileNotFoundError:
            return None

    def _note(self, order_id: str) -> Path:
        return self._notes / f"{order_id}.json"


class _Teller:
    """Tells the control plane how far an order is, now and then; what it doesn't hear is told the next time."""

    def __init__(self, order_id: str, hand_in: HandIn, clock: Callable[[], float]) -> None:
        self._order_id = order_id
        self._hand_in = hand_in
        self._clock = clock
        self._stage: OrderStage | None = None
        self._told_at = 0.0

    def __call__(self, stage: OrderStage, progress: int, note: str) -> None:
        if stage is self._stage and self._clock() - self._told_at < TELL_EVERY_S:
            return
        self.now(stage, progress, note)

    def now(self, stage: OrderStage, progress: int, note: str) -> bool:
        """Tell it now; return whether it was heard."""
        self._told_at = self._clock()
        try:
            self._hand_in(self._order_id, OrderReport(stage=stage, progress=progress, note=note[:1024]))
        except WherryError as error:
            log.warning("order_progress_not_reported", order_id=self._order_id, **error.facts)
            return False
        self._stage = stage
        return True
