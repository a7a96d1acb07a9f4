"""`wherry serve`: the control plane."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from wherry import logs
from wherry.console.mounting import with_console
from wherry.server.database_address import read_database_address
from wherry.server.main import serve as run_server


def serve(
    *,
    data: Path,
    listen: str = "127.0.0.1:8443",
    tls: Annotated[bool, Parameter(negative="--no-tls")] = True,
    keystone: Path | None = None,
    database: str | None = None,
    database_file: Path | None = None,
    workers: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=64))] = 1,
    agent_bundle: Path | None = None,
    known_as: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
) -> None:
    """Run the control plane: the SMS v3 API, the identity service, Wherry's own API and the console.

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
    database:
        URL of a PostgreSQL database without a password, such as postgresql://wherry@db.example/wherry. Without a
        database the ledger is an SQLite file in the folder of --data.
    database_file:
        File with the URL of the PostgreSQL database as its only line; it may hold a password. WHERRY_DATABASE in the
        environment counts where neither is given.
    workers:
        How many processes serve; more than one needs PostgreSQL.
    agent_bundle:
        The file of `make agent-bundle`, to be handed out to servers that are to be moved.
    known_as:
        Name or IP address under which agents and users reach it, for its certificate; may be given many times. The
        host of --listen and this machine's own name are in it anyway.
    """
    logs.configure()
    address = read_database_address(database, database_file, os.environ)
    run_server(
        data,
        listen,
        tls,
        keystone,
        database=address,
        workers=workers,
        agent_bundle=agent_bundle,
        names=known_as,
        surface=with_console,
    )
