"""Consistent checkpoints that others wish for while a task is kept in sync: for rehearsals and clones.

A wish is an order at the receiver that waits for a checkpoint. One that can't be fulfilled is no reason for the task to
fail, and none to freeze the server again and again.
"""

import time
from collections.abc import Callable

import structlog

from wherry.agent.errors import FreezeExpired, FreezeForecast, HookFailed, TrackingDoubtful
from wherry.agent.session import Session
from wherry.agent.verdict import LandingDesk
from wherry.client.errors import ControlPlaneError
from wherry.client.patience import passing
from wherry.contract.enumerations import OrderStage
from wherry.disks.freezing import FreezeRefused
from wherry.disks.watching import WatchdogFailed
from wherry.errors import WherryError

log = structlog.get_logger(__name__)

AGAIN_S = 600.0
"""How long a wish rests after a try for it, in seconds."""

_NO_CHECKPOINT = (FreezeExpired, FreezeForecast, FreezeRefused, HookFailed, TrackingDoubtful, WatchdogFailed)


class CheckpointWishes:
    """Fulfils the wishes for checkpoints of one task."""

    def __init__(
        self,
        control: LandingDesk,
        task_id: str,
        take: Callable[[Session], int],
        trace: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """*take* takes a consistent checkpoint; *trace* tells the operator."""
        self._control = control
        self._task_id = task_id
        self._take = take
        self._trace = trace
        self._clock = clock
        self._tried: dict[str, float] = {}

    def __call__(self, session: Session) -> None:
        """Take a checkpoint if one is wished for. Raises what ends the session."""
        wishes = [order_id for order_id in self._waiting() if self._clock() >= self._tried.get(order_id, 0.0)]
        if not wishes:
            return
        self._tried = dict.fromkeys(wishes, self._clock() + AGAIN_S)
        try:
            checkpoint = self._take(session)
        except _NO_CHECKPOINT as error:
            log.warning("wished_checkpoint_failed", task_id=self._task_id, **error.facts)
            self._trace(f"no checkpoint for the rehearsal: {error.explain()}")
        else:
            log.info("wished_checkpoint", task_id=self._task_id, checkpoint=checkpoint)

    def _waiting(self) -> list[str]:
        """Return the orders that wait for a checkpoint; none where the control plane can't tell just now."""
        try:
            landing = self._control.landing(self._task_id, None, 0.0)
        except ControlPlaneError as error:
            log.warning("landing_refused", task_id=self._task_id, **error.facts)
            return []
        except WherryError as error:
            if not passing(error):
                raise
            return []
        return [order.id for order in landing.orders if order.stage is OrderStage.WAITING]
