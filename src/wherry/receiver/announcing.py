"""Announces the receiver to the control plane, and goes on saying that it's there."""

import contextlib
import socket
from collections.abc import Callable
from importlib.metadata import version
from urllib.parse import urlsplit

import structlog

from wherry.client.errors import ControlPlaneError
from wherry.client.patience import Steadfast, Stopped
from wherry.contract.wherry import ReceiverAnnouncement
from wherry.receiver.drivers import Driver
from wherry.receiver.settings import ReceiverSettings

log = structlog.get_logger(__name__)

_ANY = {"", "0.0.0.0", "::"}  # noqa: S104 - it's recognised here, not listened on


class Announcer:
    """Says every *every_s* seconds (give or take a fifth) that the receiver is there and how much room it has."""

    def __init__(
        self,
        announce: Callable[[ReceiverAnnouncement], None],
        describe: Callable[[], ReceiverAnnouncement],
        every_s: float,
        sure: Steadfast,
    ) -> None:
        self._announce = announce
        self._describe = describe
        self._every_s = every_s
        self._sure = sure

    def run(self) -> None:
        """Announce until the end."""
        with contextlib.suppress(Stopped):
            while True:
                self._once()
                self._sure.pause(self._every_s)

    def _once(self) -> None:
        try:
            self._sure(lambda: self._announce(self._describe()))
        except ControlPlaneError as error:
            log.warning("announcement_refused", **error.facts)
        except OSError as error:
            log.warning("images_folder_failed", reason=str(error))


def describer(settings: ReceiverSettings, driver: Driver, port: int) -> Callable[[], ReceiverAnnouncement]:
    """Return what the receiver says of itself whenever it announces itself; *port* is where it listens for data."""
    host = reachable_host(settings.listen_host, settings.data_host, settings.membership.server)

    def describe() -> ReceiverAnnouncement:
        return ReceiverAnnouncement(
            name=settings.membership.shown_name,
            data_host=host,
            data_port=port,
            drivers=list(driver.names),
            free_bytes=driver.free_bytes(),
            version=version("wherry"),
            servers=list(driver.servers()),
        )

    return describe


def reachable_host(listen_host: str, data_host: str, server: str) -> str:
    """Return the address that agents are told: *data_host*, or *listen_host* where that names one address.

    A receiver that listens on all addresses tells the one from which this machine would reach the control plane.
    """
    if data_host:
        return data_host
    if listen_host not in _ANY:
        return listen_host
    parts = urlsplit(server)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_DGRAM)[0]
        with socket.socket(found[0], socket.SOCK_DGRAM) as probe:
            probe.connect(found[4])  # of a datagram socket: chooses a route, sends nothing
            own: str = probe.getsockname()[0]
    except OSError:
        return socket.gethostname()
    return own
