"""The socket that the control plane listens on, and the names under which it can be reached there."""

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from wherry.server.errors import AddressMalformed, ListenRefused

BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. Port 0 = any free one."""

    host: str
    port: int


def parse_address(text: str) -> Address:
    """Return the address that *text* (HOST:PORT, IPv6 in brackets) names. Raises AddressMalformed."""
    host, separator, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not separator or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise AddressMalformed(address=text)
    if ":" in host and not bracketed:
        raise AddressMalformed(address=text)
    return Address(host[1:-1] if bracketed else host, int(port))


def listen(address: Address) -> socket.socket:
    """Return a socket that accepts connections at *address*. Raises ListenRefused."""
    shown = f"{address.host}:{address.port}"
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ListenRefused(address=shown, reason=f"the host cannot be resolved ({error})") from error
    family, kind, protocol, _, place = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(place)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ListenRefused(address=shown, reason=error.strerror or str(error)) from error
    return listener


def endpoint(address: Address, listener: socket.socket, *, tls: bool) -> str:
    """Return the URL under which this machine reaches *listener*, with the port that it really has."""
    host = address.host
    if _is_any(host):
        host = "127.0.0.1" if listener.family == socket.AF_INET else "::1"
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{shown}:{listener.getsockname()[1]}"


def certificate_names(address: Address, further: Sequence[str] = ()) -> list[str]:
    """Return the names that the server's certificate has to hold; the first one becomes its common name."""
    names = [*further, "localhost", "127.0.0.1", "::1", socket.gethostname()]
    if not _is_any(address.host):
        names.insert(0, address.host)
    return list(dict.fromkeys(name for name in names if name))


def _is_any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
