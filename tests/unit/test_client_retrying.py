"""Trying again: who may, how long, and how the waits grow."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from wherry.client.errors import ControlPlaneError, ControlPlaneUnreachable
from wherry.client.retrying import Lost, RetryPolicy, call


class PatientEvent(threading.Event):
    """An event whose waiting moves a clock instead of taking time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        self.now += timeout or 0.0
        return self.is_set()


@dataclass
class Attempts:
    """Fails in the given ways, one after the other, then answers."""

    failures: list[Exception]
    count: int = field(default=0)

    def __call__(self) -> str:
        self.count += 1
        if self.failures:
            raise self.failures.pop(0)
        return "answer"


def lost(*, sent: bool) -> Lost:
    return Lost(ControlPlaneUnreachable(endpoint="https://x", reason="gone"), sent=sent)


def refused(status: int) -> ControlPlaneError:
    return ControlPlaneError("X.1", "no", status=status)


def policy(event: PatientEvent, *, budget_s: float = 20.0, chance: Callable[[], float] = lambda: 1.0) -> RetryPolicy:
    return RetryPolicy(budget_s=budget_s, stop=event, clock=lambda: event.now, chance=chance)


def test_an_answer_needs_one_attempt() -> None:
    attempts = Attempts([])
    assert call(attempts, policy(PatientEvent()), repeatable=True) == "answer"
    assert attempts.count == 1


@pytest.mark.parametrize(
    "failure", [lost(sent=True), lost(sent=False), refused(429), refused(502), refused(503), refused(504)]
)
def test_a_repeatable_call_is_tried_again(failure: Exception) -> None:
    attempts = Attempts([failure, failure])
    assert call(attempts, policy(PatientEvent()), repeatable=True) == "answer"
    assert attempts.count == 3


@pytest.mark.parametrize("failure", [lost(sent=False), refused(429)])
def test_a_call_that_did_not_arrive_is_tried_again(failure: Exception) -> None:
    assert call(Attempts([failure]), policy(PatientEvent()), repeatable=False) == "answer"


def test_a_call_that_may_have_arrived_is_not_repeated() -> None:
    attempts = Attempts([lost(sent=True)])
    with pytest.raises(ControlPlaneUnreachable):
        call(attempts, policy(PatientEvent()), repeatable=False)
    assert attempts.count == 1


def test_a_busy_answer_to_a_call_that_must_not_be_repeated_is_final() -> None:
    with pytest.raises(ControlPlaneError):
        call(Attempts([refused(504)]), policy(PatientEvent()), repeatable=False)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 500])
def test_a_refusal_is_final(status: int) -> None:
    attempts = Attempts([refused(status)])
    with pytest.raises(ControlPlaneError) as caught:
        call(attempts, policy(PatientEvent()), repeatable=True)
    assert caught.value.status == status
    assert attempts.count == 1


def test_waits_double_up_to_their_bound_and_end_with_the_budget() -> None:
    event = PatientEvent()
    attempts = Attempts([lost(sent=True)] * 100)
    with pytest.raises(ControlPlaneUnreachable, match="gone"):
        call(attempts, policy(event), repeatable=True)
    assert event.waits == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])
    assert event.now <= 20.0


def test_jitter_halves_a_wait_at_most() -> None:
    event = PatientEvent()
    call(Attempts([lost(sent=True)] * 3), policy(event, chance=lambda: 0.0), repeatable=True)
    assert event.waits == pytest.approx([0.1, 0.2, 0.4])


def test_no_budget_means_one_attempt() -> None:
    attempts = Attempts([lost(sent=True)])
    with pytest.raises(ControlPlaneUnreachable):
        call(attempts, policy(PatientEvent(), budget_s=0.0), repeatable=True)
    assert attempts.count == 1


def test_a_stop_ends_the_waiting_with_the_last_failure() -> None:
    event = PatientEvent()
    event.set()
    attempts = Attempts([lost(sent=True)] * 5)
    with pytest.raises(ControlPlaneUnreachable):
        call(attempts, policy(event), repeatable=True)
    assert attempts.count == 1
