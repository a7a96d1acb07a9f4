"""The network quality check: how good the way from this server to the task's receiver is, told to the control plane.

Source: SMS v3 UpdateNetworkCheckInfo. The verdict's words are Wherry's own, as the reference publishes none.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import structlog

from wherry.agent.decisions import Answer
from wherry.agent.desks import ChannelDesk
from wherry.agent.load import LoadMeter, read_memory
from wherry.client.errors import ControlPlaneError
from wherry.client.patience import passing
from wherry.contract.enumerations import CommandResult
from wherry.contract.network_check import NetworkCheck
from wherry.contract.wherry import Route
from wherry.errors import WherryError
from wherry.replication.errors import ConnectionLost, IdentityRefused, PeerRefused, ProtocolViolated
from wherry.replication.probing import Quality, measure
from wherry.replication.stream import FrameStream
from wherry.replication.transport import Clock, Identity, client_context, connect

log = structlog.get_logger(__name__)

CONNECT_S: Final = 10.0
_MOST: Final = 10_000.0
"""The largest delay (ms) and speed (Mbit/s) that the protocol can tell."""

_LOSSY_PERCENT: Final = 1.0
_SLOW_MBIT: Final = 10.0

_UNREACHABLE: Final = (ConnectionLost, IdentityRefused, PeerRefused, ProtocolViolated)


class NetworkDesk(ChannelDesk, Protocol):
    """Where the way to the receiver is asked for, and where it's told what the way is like."""

    def report_network(self, task_id: str, check: NetworkCheck) -> None:
        """Store what was measured for a task."""


def reach(route: Route, identity: Identity, clock: Clock) -> FrameStream:
    """Connect to a receiver. Raises ConnectionLost and IdentityRefused."""
    return connect((route.host, route.port), client_context(identity, clock), route.server_name, CONNECT_S)


class NetworkProbe:
    """Measures and reports."""

    def __init__(
        self,
        desk: NetworkDesk,
        *,
        reach: Callable[[Route, Identity, Clock], FrameStream] = reach,
        proc: Path = Path("/proc"),
    ) -> None:
        self._desk = desk
        self._reach = reach
        self._proc = proc

    def __call__(self, task_id: str) -> Answer:
        """Measure the way of a task and report it; return what the command for it is answered with.

        A receiver that can't be reached is a result too. Raises ControlPlaneUnreachable, and ControlPlaneError for a
        refusal that passes by itself.
        """
        try:
            check = self._check(task_id)
            self._desk.report_network(task_id, check)
        except ControlPlaneError as error:
            if passing(error):
                raise
            return Answer(CommandResult.FAIL, {"msg": error.message, "task_id": task_id, "error_code": error.code})
        log.info("network_checked", task_id=task_id, verdict=check.evaluation_result, speed_mbit=check.migration_speed)
        return Answer(CommandResult.SUCCESS, {"msg": check.evaluation_result, "task_id": task_id})

    def _check(self, task_id: str) -> NetworkCheck:
        meter = LoadMeter(self._proc)
        quality = self._quality(task_id)
        found = Quality(0.0, 0.0, 100.0, 0.0) if quality is None else quality
        return NetworkCheck(
            # The control plane has just answered, so its name was resolved and it was reached.
            domain_connectivity=True,
            destination_connectivity=quality is not None,
            network_delay=round(min(found.delay_ms, _MOST), 3),
            network_jitter=round(min(found.jitter_ms, _MOST), 3),
            migration_speed=round(min(found.speed_mbit, _MOST), 1),
            loss_percentage=round(min(found.loss_percent, 100.0), 3),
            cpu_usage=meter().total_cpu or 0.0,
            mem_usage=self._memory_percent(),
            evaluation_result=verdict(quality),
        )

    def _quality(self, task_id: str) -> Quality | None:
        """Return what was measured; None where there's no receiver, or none that can be reached."""
        route = self._desk.route(task_id)
        if route is None:
            log.warning("network_not_checked", task_id=task_id, reason="no receiver is connected")
            return None
        identity = self._desk.channel_identity(task_id)
        try:
            with contextlib.closing(self._reach(route, identity, self._desk.now)) as stream:
                return measure(stream)
        except _UNREACHABLE as error:
            _warn(task_id, error)
            return None

    def _memory_percent(self) -> float:
        memory = read_memory(self._proc)
        if memory is None or not memory.total_kb:
            return 0.0
        return round(max(0.0, min(100.0, 100 * memory.used_kb / memory.total_kb)), 1)


def verdict(quality: Quality | None) -> str:
    """Return in one word what the way is like: failed, unstable, limited or normal."""
    if quality is None:
        return "failed"
    if quality.loss_percent > _LOSSY_PERCENT or quality.jitter_ms > max(quality.delay_ms, 1.0):
        return "unstable"
    return "limited" if quality.speed_mbit < _SLOW_MBIT else "normal"


def _warn(task_id: str, error: WherryError) -> None:
    log.warning("receiver_not_reached", task_id=task_id, **error.facts)
