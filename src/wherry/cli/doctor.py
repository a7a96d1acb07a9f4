"""`wherry doctor`: the way from this machine to the control plane and to receivers, and the hop at which it ends."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from wherry.cli.address import parse_address
from wherry.cli.asking import USUAL, Access, Asking
from wherry.cli.errors import FileUnreadable
from wherry.cli.output import Column, show, table
from wherry.client.identity import IdentityFile
from wherry.client.transport import Credentials
from wherry.client.way import Hop, way_to_control_plane, way_to_port
from wherry.contract.values import Wire
from wherry.errors import ExitStatus


class Way(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """A way and its hops. `failing`: the hop at which it ends; empty where it's open."""

    to: str
    failing: str
    hops: list[Hop]


_HOPS: Final = (
    Column[Hop]("hop", lambda each: each.name),
    Column[Hop]("works", lambda each: "yes" if each.works else "NO"),
    Column[Hop]("what was seen", lambda each: each.seen or each.cause),
)


def doctor(
    *,
    server: str = "",
    ca_file: Path | None = None,
    state: Path | None = None,
    data_port: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    asking: Asking = USUAL,
) -> int:
    """Look at the way from this machine to the control plane, hop by hop, and name the hop that fails.

    On a source or a receiver give --server and --state of its program: its own key is tried then. --data-port looks at
    the way to a receiver, as a source's agent has to go it. Exit status 1: a hop fails. `wherry agent doctor` tells how
    changes can be tracked on a source.

    Parameters
    ----------
    server:
        Address of the control plane, instead of a profile's.
    ca_file:
        PEM file of its CA.
    state:
        State folder of the agent or the receiver whose key is to be tried.
    data_port:
        HOST:PORT of a receiver's data port; may be given many times.
    """
    ports = [parse_address(text) for text in data_port]
    endpoint, trusted, key = _meant(server, ca_file, state, asking)
    ways = [_way(endpoint, list(way_to_control_plane(endpoint, trusted, key)))]
    ways += [_way(text, list(way_to_port(*port))) for text, port in zip(data_port, ports, strict=True)]
    parts = [part for way in ways for part in (f"the way to {way.to}", table(_HOPS, way.hops), _advice(way)) if part]
    show(ways, *parts, json=asking.json)
    return ExitStatus.NOT_SO if any(way.failing for way in ways) else ExitStatus.DONE


def _meant(
    server: str, ca_file: Path | None, state: Path | None, asking: Asking
) -> tuple[str, Path | None, Credentials | None]:
    """Return the address, the CA and the key that are looked at."""
    if not server:
        access: Access = asking.access()
        server, ca_file = access.endpoint, ca_file or access.ca_file
        key: Credentials | None = Credentials(access.access_key, access.secret_key)
    else:
        key = None
    if state is not None:
        file = IdentityFile(state)
        identity = file.load()
        if identity is None:
            raise FileUnreadable(path=file.path, what="credentials", reason="nobody has joined with this folder yet")
        key, ca_file = Credentials(identity.access_key, identity.secret_key), ca_file or file.ca_file
    return server, ca_file, key


def _way(to: str, hops: list[Hop]) -> Way:
    return Way(to=to, failing=next((hop.name for hop in hops if not hop.works), ""), hops=hops)


def _advice(way: Way) -> str:
    return "\n".join(f"{hop.name} fails\n  cause: {hop.cause}\n  fix:   {hop.fix}" for hop in way.hops if not hop.works)
