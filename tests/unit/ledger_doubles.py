"""Doubles for the ledger's writers: a session that records what it's asked, and a place for outcomes."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import OperationalError

from wherry.ledger.errors import CommitFailed, words
from wherry.ledger.writer import Outcome

WAIT_S = 10.0


@dataclass
class RecordingBatch:
    """A session over a list. What is in `durable` was committed; everything else is gone."""

    calls: list[str] = field(default_factory=list)
    durable: list[str] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    scopes: list[list[str]] = field(default_factory=list)
    fail: dict[str, list[Exception | None]] = field(default_factory=dict)
    on_begin: Callable[[], None] = lambda: None
    _pending: list[str] = field(default_factory=list)
    _unit: list[str] = field(default_factory=list)
    _units: int = 0
    largest: int = 256

    def _called(self, name: str) -> None:
        self.calls.append(name)
        errors = self.fail.get(name, [])
        if errors and (error := errors.pop(0)) is not None:
            raise error

    def begin(self, scopes: Sequence[str]) -> None:
        self._called("begin")
        self.scopes.append(list(scopes))
        self._pending, self._units = [], 0
        self.on_begin()

    def enter_unit(self, scope: str) -> list[str]:
        self._called("enter")
        assert scope == self.scopes[-1][self._units]
        self._unit = []
        self._units += 1
        return self._unit

    def keep_unit(self) -> None:
        self._called("keep")
        self._pending += self._unit

    def undo_unit(self) -> None:
        self._called("undo")

    def seal(self) -> None:
        self._called("seal")

    def commit(self) -> None:
        self._called("commit")
        self.durable += self._pending
        self.batches.append(self._units)

    def reset(self) -> None:
        self._called("reset")
        self._pending = []

    def close(self) -> None:
        self._called("close")

    def passes(self, error: Exception) -> bool:
        return isinstance(error, InterruptedError)

    def explain(self, error: Exception) -> Exception:
        return self.failed(error) if isinstance(error, OperationalError) else error

    def failed(self, error: Exception) -> Exception:
        return CommitFailed(reason=words(error))


@dataclass
class Deliveries:
    """Collects outcomes and lets a test wait for a number of them."""

    outcomes: dict[Any, Outcome[list[str]]] = field(default_factory=dict)
    order: list[Any] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, outcomes: Sequence[Outcome[list[str]]]) -> None:
        with self.arrived:
            for outcome in outcomes:
                self.outcomes[outcome.token] = outcome
                self.order.append(outcome.token)
            self.arrived.notify_all()

    def wait_for(self, count: int) -> None:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.order) >= count, WAIT_S), f"only {len(self.order)} came"


def keep(text: str) -> Callable[[list[str]], str]:
    """Return a unit that stores *text*."""

    def unit(scope: list[str]) -> str:
        scope.append(text)
        return text.upper()

    return unit


def refuse(text: str) -> Callable[[list[str]], None]:
    """Return a unit that raises KeyError after having stored *text*."""

    def unit(scope: list[str]) -> None:
        scope.append(text)
        raise KeyError(text)

    return unit
