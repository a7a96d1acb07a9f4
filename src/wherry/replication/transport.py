"""Who is at the other end: TLS 1.3 contexts from PEM texts, and the handshakes of agent and receiver.

The receiver picks the certificate by the server name that the agent asks for (SNI), demands a certificate of the agent,
and takes the connection only if that certificate's CN is the very task. Source: RFC 8446, the documentation of `ssl`.
"""

import os
import select
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

from wherry.replication.errors import ConnectionLost, IdentityRefused
from wherry.replication.stream import FrameStream, tune
from wherry.trust import ignore_dates

__all__ = [
    "Accepted",
    "FrameStream",
    "Identity",
    "accept",
    "client_context",
    "connect",
    "server_context",
    "server_name_of",
]

HANDSHAKE_S = 20.0


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """Certificate, private key and CA of a task, as PEM texts.

    *passphrase* opens the private key; "" when it isn't encrypted.
    """

    certificate: str
    private_key: str
    passphrase: str
    ca: str

    def __repr__(self) -> str:
        return "Identity(...)"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A connection whose peer has proven to hold the certificate of *task_id*."""

    stream: FrameStream
    task_id: str
    server_name: str


Clock = Callable[[], float]
"""Tells the control plane's time, in epoch seconds."""


class _DatedContext(ssl.SSLContext):
    """A context that goes by the control plane's time."""

    clock: Clock


class _TaskContext(_DatedContext):
    """A receiver's context for one task; knows the name by which it was asked for."""

    server_name: str = ""


def server_name_of(task_id: str) -> str:
    """Return the name by which an agent asks for the task's certificate (SNI)."""
    return f"task-{task_id}.wherry"


def client_context(identity: Identity, clock: Clock = time.time) -> ssl.SSLContext:
    """Return the agent's TLS context. Raises IdentityRefused when the PEM texts or the passphrase don't fit.

    *clock*: by which the receiver's certificate has to be good.
    """
    context = _DatedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.clock = clock
    _load(context, identity)
    return context


def server_context(lookup: Callable[[str], Identity | None], clock: Clock = time.time) -> ssl.SSLContext:
    """Return the receiver's TLS context.

    *lookup* finds the identity of a server name, in the thread that accepts; None refuses the connection. *clock*: by
    which an agent's certificate has to be good.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _restrict(context)

    def pick(connection: ssl.SSLObject, server_name: str | None, _context: ssl.SSLContext) -> int | None:
        identity = lookup(server_name) if server_name else None
        if identity is None or server_name is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        task_context = _TaskContext(ssl.PROTOCOL_TLS_SERVER)
        task_context.clock = clock
        try:
            _load(task_context, identity)
        except IdentityRefused:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        task_context.server_name = server_name
        connection.context = task_context
        return None

    context.sni_callback = pick
    return context


def connect(address: tuple[str, int], context: ssl.SSLContext, server_name: str, timeout_s: float) -> FrameStream:
    """Connect to a receiver and shake hands. Raises ConnectionLost, IdentityRefused."""
    deadline = time.monotonic() + timeout_s
    try:
        connection = socket.create_connection(address, timeout=timeout_s)
    except OSError as error:
        raise ConnectionLost(reason=f"no connection to {address[0]}:{address[1]}: {error}") from error
    return FrameStream(_shake_hands(connection, context, deadline, server_name=server_name))


def accept(connection: socket.socket, context: ssl.SSLContext, *, timeout_s: float = HANDSHAKE_S) -> Accepted:
    """Shake hands on a connection just accepted; closes it on failure. Raises ConnectionLost, IdentityRefused."""
    secured = _shake_hands(connection, context, time.monotonic() + timeout_s)
    chosen = secured.context
    server_name = chosen.server_name if isinstance(chosen, _TaskContext) else ""
    task_id = _common_name(secured)
    if not task_id or server_name != server_name_of(task_id):
        secured.close()
        raise IdentityRefused(reason=f"a certificate of {task_id!r} asked for {server_name!r}")
    return Accepted(FrameStream(secured), task_id, server_name)


def _shake_hands(
    connection: socket.socket, context: ssl.SSLContext, deadline: float, *, server_name: str | None = None
) -> ssl.SSLSocket:
    """Return the connection in TLS. The deadline holds for the handshake as a whole: a slow peer can't stretch it."""
    try:
        tune(connection)
        connection.setblocking(False)  # noqa: FBT003 - the socket's own signature
        secured = context.wrap_socket(
            connection,
            server_side=server_name is None,
            server_hostname=server_name,
            do_handshake_on_connect=False,
        )
    except (OSError, ValueError) as error:
        connection.close()
        raise ConnectionLost(reason=f"TLS could not begin: {error}") from error
    try:
        _finish_handshake(secured, deadline)
        _check_dates(secured)
    except BaseException:
        secured.close()
        raise
    return secured


def _finish_handshake(secured: ssl.SSLSocket, deadline: float) -> None:
    poll = select.poll()
    while True:
        try:
            secured.do_handshake()
        except ssl.SSLWantReadError:
            poll.register(secured, select.POLLIN)
        except ssl.SSLWantWriteError:
            poll.register(secured, select.POLLOUT)
        except (ssl.SSLError, ssl.CertificateError) as error:
            if isinstance(error, ssl.SSLEOFError):
                raise ConnectionLost(reason="it ended during the TLS handshake") from error
            raise IdentityRefused(reason=str(error)) from error
        except OSError as error:
            raise ConnectionLost(reason=f"it broke during the TLS handshake: {error}") from error
        else:
            return
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise ConnectionLost(reason="the TLS handshake took too long")


def _check_dates(secured: ssl.SSLSocket) -> None:
    """Raise IdentityRefused unless the peer's certificate is good now, by the control plane's time."""
    context, certificate = secured.context, secured.getpeercert() or {}
    if not isinstance(context, _DatedContext):
        return  # no name was asked for that is served here: it's refused for that
    begin, end = (ssl.cert_time_to_seconds(str(certificate[name])) for name in ("notBefore", "notAfter"))
    if not begin <= context.clock() <= end:
        raise IdentityRefused(
            reason=f"its certificate is good from {certificate['notBefore']} to {certificate['notAfter']}",
            cause="By the control plane's time the certificate has run out, or isn't good yet.",
            fix="Nothing has to be done: the control plane renews certificates, and new ones are fetched.",
        )


def _restrict(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    ignore_dates(context)
    if context.protocol is ssl.PROTOCOL_TLS_SERVER:
        # A resumed session would go round the choice of the certificate and the check of the peer's.
        context.num_tickets = 0


def _load(context: ssl.SSLContext, identity: Identity) -> None:
    _restrict(context)
    # The library takes certificate and key from a file only; a file in memory never touches a disk and ends here.
    descriptor = os.memfd_create("wherry-identity", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(f"{identity.certificate.strip()}\n{identity.private_key.strip()}\n".encode())
            file.flush()
            # Given as a function: with a plain empty password the library would ask on the terminal.
            context.load_cert_chain(f"/proc/self/fd/{file.fileno()}", password=lambda: identity.passphrase)
        context.load_verify_locations(cadata=identity.ca)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise IdentityRefused(
            reason=f"its own certificate or key can't be used: {error}",
            cause="The PEM texts are incomplete, don't belong together, or the passphrase is another's.",
            fix="Start the task again, so that the control plane hands out certificates that fit.",
        ) from error


def _common_name(secured: ssl.SSLSocket) -> str:
    certificate = secured.getpeercert() or {}
    subject = certificate.get("subject", ())
    names: list[str] = []
    if isinstance(subject, tuple):
        names = [str(pair[1]) for part in subject for pair in part if pair[0] == "commonName"]
    return names[0] if len(names) == 1 else ""
