"""What arrives over the connections of a session, and the order in which it may be stored.

Each connection is a lane with its own queue. Between two fences the frames of all lanes may be stored in any order. A
fence on the first lane is a BEGIN_PASS, REVIEW, COMMIT or BYE, on every other a FENCE with the same number: nothing
behind it is handed out before the first lane's has been, and that only when every other lane has come to it.
"""

import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from wherry.replication.errors import ProtocolViolated
from wherry.replication.frames import Opened
from wherry.replication.messages import AnyMessage, BeginPass, Bye, CommitPass, Fence, Review

_QUEUED: Final = 64  # on a lane
_LOOK_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Data:
    """A data frame on its way from the pool to the store; *buffer* goes back to the lane's."""

    opened: Future[Opened]
    buffer: memoryview | None
    lane: "Lane"


@dataclass(frozen=True, slots=True)
class Control:
    """A control message in its place among the data frames, with header and payload as they came."""

    message: AnyMessage
    head: bytes
    stored: bytes


Arrival = Data | Control


@dataclass(slots=True, eq=False)
class Lane:
    """The queue of one connection, and the buffers that nobody uses now; *unmade* more may be made."""

    unmade: int
    queue: deque[Arrival] = field(default_factory=deque)
    free: deque[memoryview] = field(default_factory=deque)


class Arrivals:
    """The queues between the readers of all lanes and the one thread that stores."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lanes: list[Lane] = []
        self._fences = 0
        self._ended = False
        self._refused = False

    @property
    def has_begun(self) -> bool:
        """True when a fence has been passed: no lane may be added any more."""
        return self._fences > 0

    def add_lane(self, buffers: int) -> Lane:
        """Return a new lane, the first one being the session's own."""
        lane = Lane(buffers)
        with self._changed:
            self._lanes.append(lane)
        return lane

    # For the readers

    def put(self, lane: Lane, arrival: Arrival) -> None:
        """Add to a lane; waits while it holds enough, and forgets when nothing is stored any more."""
        with self._changed:
            while len(lane.queue) >= _QUEUED and not self._refused:
                self._changed.wait(_LOOK_S)
            if not self._refused:
                lane.queue.append(arrival)
                self._changed.notify_all()

    def take_buffer(self, lane: Lane) -> memoryview | None:
        """Return a free buffer of a lane; waits while all are under way.

        None when a new one is to be made, or nothing is stored any more (see `is_refusing`).
        """
        with self._changed:
            while not lane.free:
                if lane.unmade:
                    lane.unmade -= 1
                    return None
                if self._refused:
                    return None
                self._changed.wait(_LOOK_S)
            return lane.free.pop()

    @property
    def is_refusing(self) -> bool:
        """True when nothing is stored any more."""
        return self._refused

    def end(self) -> None:
        """Nothing more will be put."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    # For the one who stores

    def take(self, timeout_s: float | None) -> Arrival | None:
        """Return what may be stored next; None at the end. Raises TimeoutError, and ProtocolViolated for odd fences."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            while True:
                arrival = self._next()
                if arrival is not None:
                    self._changed.notify_all()
                    return arrival
                if self._ended:
                    return None
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError
                self._changed.wait(left)

    def give_back(self, data: Data) -> None:
        """Return the buffer of a frame that was stored."""
        if data.buffer is not None:
            with self._changed:
                data.lane.free.append(data.buffer)
                self._changed.notify_all()

    def refuse(self) -> None:
        """Let nobody wait any more: nothing is stored from now on."""
        with self._changed:
            self._refused = True
            self._changed.notify_all()

    def _next(self) -> Arrival | None:
        for lane in self._lanes:
            if lane.queue and not _is_fence(lane.queue[0]):
                return lane.queue.popleft()
        first, *others = self._lanes
        for lane in others:
            if lane.queue and _fence_number(lane.queue[0]) != self._fences + 1:
                raise ProtocolViolated(reason="a fence out of turn")
        if first.queue and all(lane.queue for lane in others):
            self._fences += 1
            for lane in others:
                lane.queue.popleft()
            return first.queue.popleft()
        return None


def _is_fence(arrival: Arrival) -> bool:
    return isinstance(arrival, Control) and isinstance(arrival.message, BeginPass | Review | CommitPass | Bye | Fence)


def _fence_number(arrival: Arrival) -> int:
    message = arrival.message if isinstance(arrival, Control) else None
    return message.number if isinstance(message, Fence) else -1
