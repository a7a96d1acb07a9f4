"""The one place where the client tries again: within a budget of time, with growing, jittered waits."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from wherry.client.errors import ControlPlaneError
from wherry.errors import WherryError

T = TypeVar("T")

BUSY_STATUSES: Final = frozenset({429, 502, 503, 504})
"""Statuses that say "not now" rather than "no"."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long and how often to try again.

    Attributes:
        budget_s: no new attempt starts later than this after the first; 0 means one attempt only.
        first_wait_s: upper bound of the first wait; it doubles each time.
        longest_wait_s: upper bound of every wait.
        stop: ends the waiting at once when set, such as at the program's end.
        clock: seconds of a clock that never goes back.
        chance: a number from 0 to 1, for the jitter.
    """

    budget_s: float = 20.0
    first_wait_s: float = 0.2
    longest_wait_s: float = 5.0
    stop: threading.Event = field(default_factory=threading.Event)
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random


class Lost(Exception):
    """One attempt got no answer. `sent` tells whether the request may have reached the other side."""

    def __init__(self, error: WherryError, *, sent: bool) -> None:
        super().__init__(str(error))
        self.error = error
        self.sent = sent


def call(attempt: Callable[[], T], policy: RetryPolicy, *, repeatable: bool) -> T:
    """Run *attempt* until it answers, fails for good, or the budget is used up.

    A call that isn't *repeatable* is tried again only when it can't have reached the other side, or the other side said
    that it's too busy.

    Raises ControlPlaneError and whatever error the last `Lost` carries.
    """
    started = policy.clock()
    bound = policy.first_wait_s
    while True:
        try:
            return attempt()
        except Lost as lost:
            failure: WherryError = lost.error
            again = repeatable or not lost.sent
        except ControlPlaneError as error:
            failure = error
            again = error.status == 429 or (repeatable and error.status in BUSY_STATUSES)
        # Equal jitter: half of the bound for sure, so that a busy server isn't asked again at once.
        wait = bound / 2 + policy.chance() * bound / 2
        if not again or policy.clock() - started + wait > policy.budget_s or policy.stop.wait(wait):
            raise failure
        bound = min(bound * 2, policy.longest_wait_s)
