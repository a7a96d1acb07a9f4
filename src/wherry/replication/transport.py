"""TLS between agent and receiver (interface first)."""

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """Certificate, private key and CA of a task, as PEM texts. *passphrase* opens the key; "" when it isn't encrypted."""

    certificate: str
    private_key: str
    passphrase: str
    ca: str


class FrameStream:
    """Frames over a connected stream socket, TLS or not."""

    def close(self) -> None:
        """Close the connection."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A connection whose peer has proven to hold the certificate of *task_id*."""

    stream: FrameStream
    task_id: str
    server_name: str


def server_name_of(task_id: str) -> str:
    """Return the name by which an agent asks for the task's certificate (SNI)."""
    return f"task-{task_id}.wherry"


def client_context(identity: Identity) -> ssl.SSLContext:
    """Return the agent's TLS context. Raises IdentityRefused when the PEM texts or the passphrase don't fit."""
    raise NotImplementedError


def server_context(lookup: Callable[[str], Identity | None]) -> ssl.SSLContext:
    """Return the receiver's TLS context; *lookup* finds the identity of a server name, None refuses the connection."""
    raise NotImplementedError


def accept(connection: socket.socket, context: ssl.SSLContext, *, timeout_s: float = 20.0) -> Accepted:
    """Shake hands on a connection just accepted; closes it on failure. Raises ConnectionLost, IdentityRefused.

    The CN of the client's certificate must be the task id of the server name it asked for.
    """
    raise NotImplementedError
