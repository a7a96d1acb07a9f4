"""E-mail: an event in plain text, handed to a mail server by SMTP."""

import asyncio
import contextlib
import smtplib
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from enum import StrEnum
from typing import Any, Final

import structlog

from wherry.server.notifications.errors import DeliveryTooSlow, MailRefused, MailServerUnreachable
from wherry.server.notifications.message import Message
from wherry.server.notifications.way import LIMIT_S
from wherry.server.notifications.words import headline, text_of

_WHOLE_S: Final = 45.0

log = structlog.get_logger(__name__)


class MailSecurity(StrEnum):
    """How the connection to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


PORTS: Final = {MailSecurity.STARTTLS: 587, MailSecurity.TLS: 465, MailSecurity.NONE: 25}
"""Where mail servers usually listen."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """A mail server that takes what the control plane sends. Without a *user* nobody logs in."""

    host: str
    port: int
    security: MailSecurity
    sender: str
    trusted: ssl.SSLContext
    user: str = ""
    password: str = ""


class Mail:
    """Sends events to addresses.

    Args:
        limit_s: how long each answer of the mail server may take, in seconds.
        whole_s: the same for the whole conversation; less than claims of deliveries hold, or two would have it.
    """

    def __init__(self, server: MailServer, *, limit_s: float = LIMIT_S, whole_s: float = _WHOLE_S) -> None:
        self._server = server
        self._limit_s = limit_s
        self._whole_s = whole_s

    async def tell(self, message: Message, target: Mapping[str, Any], secret: str) -> None:  # noqa: ARG002 - there's none
        """Send *message* to the addresses of *target*. Raises Undeliverable where nobody gets it."""
        letter = compose(message, self._server.sender, target["addresses"])
        line = _Line()
        try:
            async with asyncio.timeout(self._whole_s):
                refused = await asyncio.to_thread(self._send, letter, line)
        except TimeoutError as error:
            line.cut()
            raise DeliveryTooSlow(host=self._server.host, limit_s=self._whole_s) from error
        if refused:  # the others have it: sending it again would give it to them twice
            log.warning("mail not taken for all addresses", delivery=message.id, refused=len(refused))

    def _send(self, letter: EmailMessage, line: "_Line") -> Mapping[str, Any]:
        """Hand *letter* to the mail server; return which addresses it doesn't take."""
        host = self._server.host
        try:
            with self._connected(line) as session:
                return session.send_message(letter)
        except smtplib.SMTPRecipientsRefused as error:
            code, words = next(iter(error.recipients.values()))
            raise MailRefused(host=host, answer=_words(code, words)) from error
        except smtplib.SMTPResponseException as error:
            raise MailRefused(host=host, answer=_words(error.smtp_code, error.smtp_error)) from error
        except (smtplib.SMTPException, OSError) as error:
            raise MailServerUnreachable(host=host, reason=str(error) or type(error).__name__) from error

    @contextlib.contextmanager
    def _connected(self, line: "_Line") -> Iterator[smtplib.SMTP]:
        server = self._server
        if server.security is MailSecurity.TLS:
            opened: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=self._limit_s, context=server.trusted
            )
        else:
            opened = smtplib.SMTP(server.host, server.port, timeout=self._limit_s)
        with opened as session:
            line.session = session
            if server.security is MailSecurity.STARTTLS:
                session.starttls(context=server.trusted)
            if server.user:
                session.login(server.user, server.password)
            yield session


class _Line:
    """The connection of a conversation that runs in a thread, which nobody can cancel."""

    def __init__(self) -> None:
        self.session: smtplib.SMTP | None = None

    def cut(self) -> None:
        """End the conversation: what waits for an answer fails."""
        opened = None if self.session is None else self.session.sock
        if opened is not None:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)


def compose(message: Message, sender: str, addresses: Sequence[str]) -> EmailMessage:
    """Return the e-mail that tells *message*; the same each time."""
    letter = EmailMessage()
    letter["From"] = sender
    letter["To"] = ", ".join(addresses)
    letter["Subject"] = f"[Wherry] {headline(message)}"
    letter["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2].rstrip('>')}>"
    letter["Date"] = message.moment()
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(text_of(message))
    return letter


def _words(code: int, answer: bytes | str) -> str:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return f"{code} {' '.join(text.split())}"[:300]
