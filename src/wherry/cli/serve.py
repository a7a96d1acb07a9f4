"""`wherry serve`: the control plane."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wherry import logs
from wherry.server.main import serve as run_server


def serve(
    *,
    data: Path,
    listen: str = "127.0.0.1:8443",
    tls: Annotated[bool, Parameter(negative="--no-tls")] = True,
    keystone: Path | None = None,
) -> None:
    """Run the control plane: the SMS v3 API, the identity service and Wherry's own API.

    Parameters
    ----------
    data:
        Folder of the database, the CA and admin.json; it's made when it's missing.
    listen:
        HOST:PORT to listen on; an IPv6 address stands in brackets.
    tls:
        Speak HTTPS with a certificate of the private CA. --no-tls is for a proxy on the same machine.
    keystone:
        File with the settings of an OpenStack Keystone (TOML): users and their tokens are Keystone's then.
    """
    logs.configure()
    run_server(data, listen, tls, keystone)
