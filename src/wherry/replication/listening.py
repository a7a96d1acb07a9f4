"""What the receiver says during a session: one thread on the source listens, and keeps the connection alive."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from wherry.errors import WherryError
from wherry.replication.errors import ConnectionLost, IdentityRefused, PeerRefused, ProtocolViolated
from wherry.replication.granuleset import Numbers
from wherry.replication.messages import Ack, Alive, AnyMessage, ByeOk, Committed, Error, Ready, Reviewed, Unfit
from wherry.replication.stream import FrameStream

_ALIVE_S: Final = 10.0
_LOOK_S: Final = 1.0
_REASON_S: Final = 3.0
_SHARES_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class FarSide:
    """How busy the receiver was, in the seconds up to its newest ACK: shares of time, from 0 to 1.

    idle: its connections waited for bytes (added up over all). storing: it wrote and made durable.
    """

    idle: float = 0.0
    storing: float = 0.0


class Listener:
    """Listens from its making until the connection ends. Every other thread may ask it.

    *ready*: the pass that the receiver is ready for.
    """

    def __init__(self, stream: FrameStream, ready: int = 0) -> None:
        self._stream = stream
        self._news = threading.Condition()
        self._failure: WherryError | None = None
        self._committed: Committed | None = None
        self._bye_ok = False
        self._reviewed = 0
        self._unfit: dict[int, bytes] = {}
        self.durable_bytes = 0
        """Payload bytes of this session that the receiver has made durable."""
        self.far_side = FarSide()
        """How busy the receiver was lately."""
        self._ready = ready
        self._acknowledged_at = time.monotonic()
        self._acknowledged = Ack(durable_bytes=0)
        self.ended = threading.Event()
        """Set when the connection is of no use any more."""
        self._thread = threading.Thread(target=self._listen, name="listen", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise what ended the session, if it has ended: PeerRefused, ConnectionLost, ProtocolViolated."""
        with self._news:
            if self._failure is not None:
                raise self._failure

    def reason_for(self, error: WherryError) -> WherryError:
        """Return the reason why sending failed with *error*: the receiver's own word where it still came."""
        if not isinstance(error, ConnectionLost | IdentityRefused):
            return error
        self.ended.wait(_REASON_S)
        with self._news:
            return self._failure if isinstance(self._failure, PeerRefused | IdentityRefused) else error

    def wait_committed(self, number: int, timeout_s: float) -> Committed:
        """Wait for the COMMITTED of pass *number*; raises what `check` raises, ConnectionLost when it takes too long.

        A receiver that only says that it's alive would be waited for for ever otherwise.
        """
        deadline = time.monotonic() + timeout_s
        with self._news:
            while self._committed is None or self._committed.checkpoint != number:
                self._wait_for_news(deadline, f"pass {number} was not committed within {timeout_s:g} s")
            return self._committed

    def wait_ready(self, number: int, timeout_s: float) -> None:
        """Wait until the receiver is ready for pass *number*; raises as `wait_committed`."""
        deadline = time.monotonic() + timeout_s
        with self._news:
            while self._ready != number:
                self._wait_for_news(deadline, f"the receiver was not ready for pass {number} within {timeout_s:g} s")

    def wait_reviewed(self, number: int, timeout_s: float) -> Mapping[int, Numbers]:
        """Wait for the answer to REVIEW *number*; return by disk the granules that were patched in vain, ascending.

        Raises as `wait_committed`.
        """
        deadline = time.monotonic() + timeout_s
        with self._news:
            while self._reviewed != number:
                self._wait_for_news(deadline, f"patches were not looked at within {timeout_s:g} s")
            unfit, self._unfit = self._unfit, {}
        return {disk: np.frombuffer(granules, dtype="<u4").astype(np.int64) for disk, granules in unfit.items()}

    def _wait_for_news(self, deadline: float, reason: str) -> None:
        if self._failure is not None:
            raise self._failure
        left = deadline - time.monotonic()
        if left <= 0:
            raise ConnectionLost(reason=reason)
        self._news.wait(left)

    def wait_bye_ok(self, seconds: float) -> bool:
        """Wait for BYE_OK, at most *seconds*; tell whether it came."""
        with self._news:
            return self._news.wait_for(lambda: self._bye_ok or self._failure is not None, seconds) and self._bye_ok

    def stop(self) -> None:
        """End the connection and the thread."""
        self._stream.shut()
        self._thread.join()

    def _listen(self) -> None:
        try:
            while not self._bye_ok:
                if self._stream.readable(_LOOK_S):
                    header, head = self._stream.receive_header()
                    self._take(self._stream.receive_message(header, head)[0])
                elif time.monotonic() - self._stream.last_sent > _ALIVE_S:
                    self._stream.send_message(Alive())
        except WherryError as error:
            with self._news:
                self._failure = error
                self._news.notify_all()
        finally:
            self.ended.set()

    def _take(self, message: AnyMessage) -> None:
        with self._news:
            match message:
                case Ack():
                    self._acknowledge(message)
                case Ready(number=number):
                    self._ready = number
                case Unfit(disk=disk, granules=granules):
                    if len(granules) % 4:
                        raise ProtocolViolated(reason="a list of granules that was cut")
                    self._unfit[disk] = self._unfit.get(disk, b"") + granules
                case Reviewed(number=number):
                    self._reviewed = number
                case Committed():
                    self._committed = message
                case ByeOk():
                    self._bye_ok = True
                case Error(code=code, message=text, cause=cause, fix=fix):
                    raise PeerRefused(code, text, cause, fix)
                case Alive():
                    return
                case _:
                    raise ProtocolViolated(reason="a message that only an agent sends, or out of order")
            self._news.notify_all()

    def _acknowledge(self, ack: Ack) -> None:
        self.durable_bytes = ack.durable_bytes
        now = time.monotonic()
        seconds = now - self._acknowledged_at
        if seconds >= _SHARES_S:
            before = self._acknowledged
            idle_ms, storing_ms = ack.idle_ms - before.idle_ms, ack.storing_ms - before.storing_ms
            self.far_side = FarSide(idle_ms / 1000 / seconds, storing_ms / 1000 / seconds)
            self._acknowledged, self._acknowledged_at = ack, now
