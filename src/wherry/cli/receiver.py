"""`wherry receiver`: the program where disks land."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from wherry.cli.address import parse_address
from wherry.cli.folder import own_folder, private_folder
from wherry.cli.program import run_until_signalled
from wherry.receiver.main import run_receiver
from wherry.receiver.settings import ReceiverSettings


def receiver(
    *,
    server: str,
    state: Path,
    images: Path,
    ca_file: Path | None = None,
    token_file: Path | None = None,
    listen: str = "127.0.0.1:8899",
    data_host: Annotated[str, Parameter(show_default=False)] = "",
    name: Annotated[str, Parameter(show_default=False)] = "",
    max_connections: Annotated[int, Parameter(validator=Number(gte=1, lte=4096))] = 64,
) -> None:
    """Run a receiver: it takes the disks of migrating servers and keeps them as raw images.

    Parameters
    ----------
    server:
        Address of the control plane, such as https://wherry.example:8443.
    state:
        Folder of the receiver's credentials; it's made when it's missing.
    images:
        Folder of the replicas, one folder a task; it's made when it's missing.
    ca_file:
        PEM file of the control plane's CA; not needed once the receiver has joined.
    token_file:
        File with a one-time join token of the role receiver; not needed once the receiver has joined.
    listen:
        HOST:PORT of the data port; an IPv6 address stands in brackets, port 0 takes a free one.
    data_host:
        Address that agents connect to, where it differs from the host of --listen (0.0.0.0, NAT).
    name:
        Name of the receiver in the control plane; the host's name by default.
    max_connections:
        How many connections of agents are served at the same time.
    """
    host, port = parse_address(listen)
    settings = ReceiverSettings(
        server=server,
        ca_file=ca_file,
        token_file=token_file,
        state=state,
        images=private_folder(images),
        listen_host=host,
        listen_port=port,
        data_host=data_host,
        name=name,
        max_connections=max_connections,
    )
    with own_folder(state):
        run_until_signalled(lambda stop: run_receiver(settings, stop))
