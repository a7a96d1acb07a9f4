"""A mail server on loopback that keeps what it's given, with STARTTLS and a login where a test wants them."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from threading import Condition
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

WAIT_S = 60.0


@dataclass
class Mailbox:
    """What has come, and who isn't known here."""

    unknown: frozenset[str] = frozenset()
    letters: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0
    slowness_s: float = 0.0
    _came: Condition = field(default_factory=Condition)

    def until(self, count: int) -> list[tuple[list[str], EmailMessage]]:
        """Return the letters with their recipients once there are *count* of them."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.letters) >= count, WAIT_S)
            return list(self.letters)

    # What aiosmtpd calls.

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        await asyncio.sleep(self.slowness_s)
        if address in self.unknown:
            return "550 nobody of this name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        letter = message_from_bytes(content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        with self._came:
            self.letters.append((list(envelope.rcpt_tos), letter))
            self._came.notify_all()
        return "250 OK"


@contextmanager
def mail_server(
    *,
    trusted: ssl.SSLContext | None = None,
    login: tuple[str, str] | None = None,
    unknown: frozenset[str] = frozenset(),
) -> Iterator[Mailbox]:
    """Run a mail server: with STARTTLS where it's *trusted*, with a login that it insists on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        box = Mailbox(unknown, port=free.getsockname()[1])  # aiosmtpd has to know its port before

    def authenticate(*arguments: Any) -> AuthResult:
        data = arguments[-1]
        assert isinstance(data, LoginPassword)
        box.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=box.logins[-1] == login, handled=False)  # it answers by itself

    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=box.port,
        tls_context=trusted,
        require_starttls=trusted is not None,
        authenticator=authenticate if login is not None else None,
        auth_required=login is not None,
    )
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
