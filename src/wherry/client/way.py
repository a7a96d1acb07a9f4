"""The way to a control plane and to a receiver's data port, looked at hop by hop until one fails.

Plain sockets are used besides the client itself: a client can say that a control plane can't be reached, and not where
the way ends.
"""

import socket
import ssl
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlsplit

from wherry.client.control_plane import ControlPlane
from wherry.client.errors import ControlPlaneError, ControlPlaneUnreachable, TrustMissing
from wherry.client.retrying import RetryPolicy
from wherry.client.server_time import TOLERATED_S
from wherry.client.transport import Call, Credentials, Transport, trust_of
from wherry.contract.values import Wire
from wherry.errors import WherryError

PATIENCE_S: Final = 5.0
"""How long each hop may take, in seconds."""
_ONE_TRY: Final = RetryPolicy(budget_s=0)


class Hop(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """A hop of a way. *cause* and *fix* are empty where it works; *seen* is what is worth knowing."""

    name: str
    works: bool
    seen: str = ""
    cause: str = ""
    fix: str = ""


def way_to_control_plane(endpoint: str, ca_file: Path | None, key: Credentials | None) -> Iterator[Hop]:
    """Yield the hops to a control plane, the failing one last: name, connection, TLS, answer, clock, key."""
    parts = urlsplit(endpoint)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    for hop in way_to_port(host, port):
        yield hop
        if not hop.works:
            return
    if parts.scheme == "https":
        hop = _tls(endpoint, host, port, ca_file)
        yield hop
        if not hop.works:
            return
    transport = Transport(endpoint, None, ca_file, _ONE_TRY)
    try:
        answer = transport.exchange(Call(method="GET", path="/readyz"))
    except (ControlPlaneError, ControlPlaneUnreachable) as error:
        yield _failed("control plane", error)
        return
    finally:
        transport.close()
    yield Hop(name="control plane", works=True, seen="it's ready")
    yield _clock(answer.headers.get("date", ""), tls=parts.scheme == "https")
    if key is not None:
        yield _key(endpoint, ca_file, key)


def way_to_port(host: str, port: int) -> Iterator[Hop]:
    """Yield the hops to a TCP port, the failing one last: the name, the connection."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        yield Hop(
            name="name",
            works=False,
            cause=f"The name {host} can't be resolved here: {error.strerror or error}.",
            fix="Check the name's spelling and this machine's DNS (/etc/resolv.conf), or use an IP address.",
        )
        return
    addresses = sorted({str(each[4][0]) for each in found})
    yield Hop(name="name", works=True, seen=f"{host} is {', '.join(addresses)}")
    try:
        socket.create_connection((host, port), PATIENCE_S).close()
    except OSError as error:
        refused = isinstance(error, ConnectionRefusedError)
        fix = (
            "Start the program there, or correct the port."
            if refused
            else "Open the port in the firewalls between, and check the route (`ip route get`)."
        )
        yield Hop(
            name="connection",
            works=False,
            cause=f"No connection to {host} port {port}: {error.strerror or error}.",
            fix=fix,
        )
        return
    yield Hop(name="connection", works=True, seen=f"port {port} is open")


def _tls(endpoint: str, host: str, port: int, ca_file: Path | None) -> Hop:
    try:
        context = cast("ssl.SSLContext", trust_of(endpoint, ca_file))  # an https address always has one
        with (
            socket.create_connection((host, port), PATIENCE_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            return Hop(name="TLS", works=True, seen=f"{secured.version()}, the certificate is trusted")
    except TrustMissing as error:
        return _failed("TLS", error)
    except ssl.SSLCertVerificationError as error:
        return Hop(
            name="TLS",
            works=False,
            cause=f"Its certificate isn't trusted: {error.verify_message}.",
            fix=(
                "Name the control plane's own ca.pem with --ca-file. If it's the name that differs, use one that the "
                "certificate has, or start `wherry serve` with --known-as."
            ),
        )
    except OSError as error:
        return Hop(
            name="TLS",
            works=False,
            cause=f"No TLS is spoken at port {port}: {error.strerror or error}.",
            fix="Use http:// for a control plane that runs with --no-tls, or look what else listens there.",
        )


def _clock(date: str, *, tls: bool) -> Hop:
    try:
        ahead_s = round(parsedate_to_datetime(date).timestamp() - time.time())
    except ValueError:
        return Hop(name="clock", works=True, seen="the control plane didn't say what time it is")
    if abs(ahead_s) < TOLERATED_S:
        return Hop(name="clock", works=True, seen="it agrees with the control plane's")
    seen = f"the control plane's clock is {ahead_s} s ahead of this machine's"
    if tls:  # the client signs for the control plane's time then
        return Hop(name="clock", works=True, seen=seen)
    return Hop(name="clock", works=False, seen=seen, cause=f"{seen.capitalize()}.", fix="Set this machine's clock.")


def _key(endpoint: str, ca_file: Path | None, key: Credentials) -> Hop:
    with ControlPlane(endpoint, key.access_key, key.secret_key, ca_file, policy=_ONE_TRY) as plane:
        try:
            plane.list_projects()
        except WherryError as error:
            return _failed("key", error)
    return Hop(name="key", works=True, seen=f"{key.access_key} is accepted")


def _failed(name: str, error: WherryError) -> Hop:
    return Hop(name=name, works=False, seen=f"{error.code} {error.message}", cause=error.cause, fix=error.fix)
