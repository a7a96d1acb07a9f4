"""What `wherry serve` is told about notifications, read and checked at its start."""

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wherry.contract.notifications import SubscriptionKind
from wherry.server.notifications.errors import (
    AuthoritiesUnreadable,
    MailCredentialsUnreadable,
    MailSettingsIncomplete,
)
from wherry.server.notifications.mail import PORTS, Mail, MailSecurity, MailServer
from wherry.server.notifications.network_guard import NetworkGuard
from wherry.server.notifications.way import Way
from wherry.server.notifications.webhook import Webhooks


@dataclass(frozen=True, slots=True)
class NotificationSettings:
    """Where webhooks may be, whose certificates count for them, and the mail server, if there's one."""

    guard: NetworkGuard = NetworkGuard()  # noqa: RUF009 - frozen
    trusted: ssl.SSLContext | None = None
    mail: MailServer | None = None

    def ways(self, clock: Callable[[], int]) -> Mapping[str, Way]:
        """Return the ways by which subscriptions are told, by their kinds."""
        trusted = ssl.create_default_context() if self.trusted is None else self.trusted
        webhooks: Way = Webhooks(self.guard, trusted, clock)
        ways = {SubscriptionKind.WEBHOOK.value: webhooks}
        if self.mail is not None:
            ways[SubscriptionKind.EMAIL.value] = Mail(self.mail)
        return ways


USUAL: Final = NotificationSettings()
"""Webhooks, no e-mail."""


def read_authorities(path: Path | None) -> ssl.SSLContext:
    """Return whose certificates count: the system's authorities, and those in *path*. Raises AuthoritiesUnreadable."""
    context = ssl.create_default_context()
    if path is not None:
        try:
            context.load_verify_locations(cafile=path)
        except (ssl.SSLError, OSError) as error:
            raise AuthoritiesUnreadable(path=path, reason=error.strerror or str(error)) from error
    return context


def read_mail_server(
    address: str | None, security: MailSecurity, credentials: Path | None, sender: str | None, authorities: Path | None
) -> MailServer | None:
    """Return the mail server at *address* (HOST or HOST:PORT), None where none is named.

    Raises MailSettingsIncomplete, MailCredentialsUnreadable, AuthoritiesUnreadable.
    """
    if address is None:
        if credentials is not None or sender is not None:
            raise MailSettingsIncomplete(reason="--smtp-server is missing")
        return None
    if not sender or "@" not in sender:
        raise MailSettingsIncomplete(reason="--mail-from is missing, or no address")
    host, port = _host_and_port(address, security)
    user, password = ("", "") if credentials is None else _read_credentials(credentials, security)
    return MailServer(host, port, security, sender, read_authorities(authorities), user, password)


def _host_and_port(address: str, security: MailSecurity) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]"):
        host, port = address, str(PORTS[security])
    if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise MailSettingsIncomplete(reason=f"{address!r} is not HOST or HOST:PORT")
    return host.strip("[]"), int(port)


def _read_credentials(path: Path, security: MailSecurity) -> Sequence[str]:
    if security is MailSecurity.NONE:
        raise MailSettingsIncomplete(reason="credentials would travel without TLS")
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise MailCredentialsUnreadable(path=path, reason=reason) from error
    if len(lines) != 2 or not all(lines):
        raise MailCredentialsUnreadable(path=path, reason=f"it has {len(lines)} lines")
    return lines
