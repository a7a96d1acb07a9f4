"""To which addresses notifications may go: who may subscribe isn't to reach what only the control plane reaches.

The address is judged where the connection is made, so a name that changes between a look and the connection gains
nothing.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

import httpcore

from wherry.server.notifications.errors import AddressRefused, NetworkMalformed

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

REFUSED: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this machine
        "127.0.0.0/8",
        "::/128",
        "::1/128",
        "169.254.0.0/16",  # its link, with the metadata services of most clouds
        "fe80::/10",
        "fd00:ec2::254/128",  # metadata services elsewhere
        "100.100.100.200/32",
        "192.0.0.192/32",
        "224.0.0.0/4",  # groups
        "ff00::/8",
        "255.255.255.255/32",
    )
)
"""Private networks aren't among them: where people serve themselves, that's where their servers are."""

_TRANSLATED: Final = ipaddress.ip_network("64:ff9b::/96")
"""IPv4 addresses as NAT64 writes them."""


@dataclass(frozen=True, slots=True)
class NetworkGuard:
    """Judges addresses. *allowed* networks count more than *refused* ones."""

    allowed: tuple[Network, ...] = ()
    refused: tuple[Network, ...] = REFUSED

    @classmethod
    def of(cls, allow: Iterable[str], deny: Iterable[str]) -> Self:
        """Return the guard that refuses *deny*, too, and lets *allow* pass. Raises NetworkMalformed."""
        return cls(tuple(map(_network, allow)), (*REFUSED, *map(_network, deny)))

    def permits(self, address: str) -> bool:
        """Tell whether notifications may go to *address*, whichever way it's written."""
        return all(self._permits(meant) for meant in _meanings(ipaddress.ip_address(address.partition("%")[0])))

    def _permits(self, address: Address) -> bool:
        if any(address in network for network in self.allowed if network.version == address.version):
            return True
        return not any(address in network for network in self.refused if network.version == address.version)


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to where the guard lets it. Raises AddressRefused where a host has no other address."""

    def __init__(self, guard: NetworkGuard) -> None:
        self._guard = guard
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to *host*: to the first of its addresses that is permitted and answers."""
        addresses = await _addresses(host, port)
        permitted = [address for address in addresses if self._guard.permits(address)]
        if not permitted:
            raise AddressRefused(host=host, addresses=", ".join(addresses))
        failure: httpcore.NetworkError | httpcore.TimeoutException | None = None
        for address in permitted:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.NetworkError, httpcore.TimeoutException) as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._network.sleep(seconds)


async def _addresses(host: str, port: int) -> Sequence[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore.ConnectError(error.strerror or str(error)) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _meanings(address: Address) -> Sequence[Address]:
    """Return the address, and the IPv4 address that it stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    inside = [address.ipv4_mapped, address.sixtofour]
    if address in _TRANSLATED:
        inside.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return (address, *(each for each in inside if each is not None))


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise NetworkMalformed(text=text) from error
