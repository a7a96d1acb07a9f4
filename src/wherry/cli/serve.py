"""`wherry serve`: the control plane."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from wherry import logs
from wherry.console.mounting import with_console
from wherry.server.database_address import read_database_address
from wherry.server.main import serve as run_server
from wherry.server.notifications.mail import MailSecurity
from wherry.server.notifications.network_guard import NetworkGuard
from wherry.server.notifications.settings import NotificationSettings, read_authorities, read_mail_server


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
    webhook_allow: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    webhook_deny: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    webhook_ca_file: Path | None = None,
    smtp_server: str | None = None,
    smtp_security: MailSecurity = MailSecurity.STARTTLS,
    smtp_credentials_file: Path | None = None,
    smtp_ca_file: Path | None = None,
    mail_from: str | None = None,
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
    webhook_allow:
        Network to which webhooks may go although it's refused otherwise, such as 127.0.0.0/8; may be given many times.
    webhook_deny:
        Network to which no webhooks may go; may be given many times. This machine, its own link (cloud metadata
        services among them) and groups are refused anyway; private networks aren't.
    webhook_ca_file:
        Certificates (PEM) of authorities that count for webhooks besides the system's.
    smtp_server:
        HOST or HOST:PORT of the mail server for notifications. Without one no e-mail is sent.
    smtp_security:
        How the connection to it is protected.
    smtp_credentials_file:
        File with the user and, in its second line, the password for the mail server.
    smtp_ca_file:
        Certificates (PEM) of authorities that count for the mail server besides the system's.
    mail_from:
        Address that notifications come from.
    """
    logs.configure()
    address = read_database_address(database, database_file, os.environ)
    notifications = NotificationSettings(
        NetworkGuard.of(webhook_allow, webhook_deny),
        read_authorities(webhook_ca_file),
        read_mail_server(smtp_server, smtp_security, smtp_credentials_file, mail_from, smtp_ca_file),
    )
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
        notifications=notifications,
    )
