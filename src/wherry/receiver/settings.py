"""What the operator told the receiver on its command line."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """The settings of one receiver.

    Attributes:
        server: the control plane's address, such as ``https://wherry.example:8443``.
        ca_file: PEM certificate of the CA that the control plane's certificate must come from.
        token_file: holds the one-time join token; not read once the receiver has joined.
        state: folder of the credentials.
        images: folder of the replicas, one folder a task.
        listen_host: address to listen on for agents.
        listen_port: port to listen on; 0 lets the kernel choose one.
        data_host: address that agents are told to connect to; empty means *listen_host*.
        name: what the receiver is called in the control plane; empty means the host's name.
        max_connections: how many agents' connections are served at the same time.
        heartbeat_s: how often the receiver announces itself, in seconds.
        poll_wait_s: how long one look at the assignments may hang, in seconds.
    """

    server: str
    ca_file: Path | None
    token_file: Path | None
    state: Path
    images: Path
    listen_host: str
    listen_port: int
    data_host: str = ""
    name: str = ""
    max_connections: int = 64
    heartbeat_s: float = 10.0
    poll_wait_s: int = 30
