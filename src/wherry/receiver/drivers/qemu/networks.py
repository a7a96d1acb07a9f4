"""The networks of this receiver's servers, by the names that its operator gave them."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from wherry.boot.machine.hardware import BridgeNetwork, UserNetwork
from wherry.boot.machine.tap import is_bridge
from wherry.contract.landing import DEFAULT_NETWORK, ISOLATED_NETWORK
from wherry.receiver.errors import NetworkMisnamed, NetworkUnknown

log = structlog.get_logger(__name__)

Network = UserNetwork | BridgeNetwork

ISOLATED: Final = UserNetwork(isolated=True)
"""A network on which there's a DHCP server and nobody else."""

_OPTION: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63})=(?:user|bridge:([A-Za-z0-9._-]{1,15}))")


class Networks:
    """What cards can be on."""

    def __init__(self, bridges: Mapping[str, str] | None = None) -> None:
        """*bridges* by the names of their networks; "" for the host's own way out (QEMU's user network)."""
        named = {name: BridgeNetwork(bridge) if bridge else UserNetwork() for name, bridge in (bridges or {}).items()}
        self._known: Mapping[str, Network] = {DEFAULT_NETWORK: UserNetwork(), **named, ISOLATED_NETWORK: ISOLATED}
        for name, bridge in (bridges or {}).items():
            if bridge and not is_bridge(bridge):
                log.warning("bridge_missing", network=name, bridge=bridge, consequence="its servers can't be started")

    def find(self, name: str) -> Network:
        """Return the network of that name. Raises NetworkUnknown."""
        found = self._known.get(name)
        if found is None:
            raise NetworkUnknown(name=name, known=", ".join(sorted(self._known)))
        return found


def parse_networks(options: Sequence[str]) -> Mapping[str, str]:
    """Return bridges by the names of their networks, "" for QEMU's user network, from words of the command line.

    Such a word is ``NAME=bridge:BRIDGE`` or ``NAME=user``. Raises NetworkMisnamed.
    """
    found: dict[str, str] = {}
    for option in options:
        parts = _OPTION.fullmatch(option)
        if parts is None or parts[1] in found or parts[1] == ISOLATED_NETWORK:
            raise NetworkMisnamed(option=option)
        found[parts[1]] = parts[2] or ""
    return found
