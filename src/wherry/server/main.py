"""`wherry serve`: opens the data directory, listens, serves, and drains when it's told to stop."""

import asyncio
import contextlib
import gc
import os
import resource
import signal
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from socket import socket

import structlog
import uvloop

from wherry.errors import WherryError
from wherry.iam.authentication import Authenticator
from wherry.iam.keystone_client import KeystoneClient
from wherry.iam.keystone_settings import KeystoneSettings, read_settings
from wherry.iam.keystone_tokens import Keystone, KeystoneTokens
from wherry.iam.lockout import Lockout
from wherry.iam.refusals import RefusalCodec
from wherry.iam.replay import NOTICE
from wherry.iam.temporary_keys import TemporaryKeyIssuer
from wherry.iam.token_reading import OwnTokens
from wherry.iam.tokens import TokenIssuer
from wherry.ledger import accounts, credentials
from wherry.ledger.ledger import Ledger, open_ledger
from wherry.ledger.scoped_memory import ScopedMemory
from wherry.ledger.transaction import EVERYTHING
from wherry.server import installation, listening, task_logs
from wherry.server.agent_bundle import AgentBundle
from wherry.server.app import Application
from wherry.server.contacts import Contacts, ReceiverContacts
from wherry.server.data_directory import DataDirectory
from wherry.server.directory import LedgerDirectory
from wherry.server.errors import DataDirectoryRefused, WorkersNeedPostgresql
from wherry.server.http_server import HttpServer
from wherry.server.installation import Keys
from wherry.server.keystone_accounts import LedgerAccounts
from wherry.server.keystone_identity import KeystoneIdentity
from wherry.server.notifications.dispatcher import Dispatcher
from wherry.server.notifications.settings import USUAL, NotificationSettings
from wherry.server.route import Route
from wherry.server.routes import ROUTES
from wherry.server.routing import Router
from wherry.server.services import Services
from wherry.server.waiting import Waiters
from wherry.server.workers import run_workers

_WRONG_PASSWORDS = 10
"""Wrong passwords for one user from one address within ten minutes that lock that address out."""

_STOPPING_SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger(__name__)


Opening = Callable[[], AbstractAsyncContextManager[Services]]
Surface = Callable[[Services, Sequence[Route]], Sequence[Route]]
"""Puts pages for people over the operations: what a room above this one adds, such as the console."""


def serve(
    data: Path,
    listen: str,
    tls: bool,  # noqa: FBT001 - a switch
    keystone: Path | None = None,
    *,
    database: str = "",
    workers: int = 1,
    agent_bundle: Path | None = None,
    names: Sequence[str] = (),
    surface: Surface | None = None,
    notifications: NotificationSettings = USUAL,
) -> None:
    """Serve the control plane from the directory *data* at the address *listen* until SIGTERM or SIGINT.

    With the settings file *keystone*, users and tokens are those of an OpenStack Keystone. With the URL *database* the
    ledger is in PostgreSQL, and then several *workers* may serve: processes on one listening socket. *agent_bundle* is
    handed out to servers that are to be moved; *names* are further ones for the certificate; *surface* adds pages;
    *notifications* say how subscriptions may be told. Requests that run are finished, long polls are answered at once,
    and what was accepted is durable when this returns. Raises WherryError with words where the settings, the directory,
    the ledger or the address can't be used.
    """
    _allow_many_connections()
    address = listening.parse_address(listen)
    settings = None if keystone is None else read_settings(keystone)
    if workers > 1 and not database:
        raise WorkersNeedPostgresql(workers=workers)
    lent = contextlib.nullcontext() if agent_bundle is None else AgentBundle.open(agent_bundle)
    with DataDirectory(data) as directory, listening.listen(address) as listener, lent as agent:
        url = listening.endpoint(address, listener, tls=tls)
        try:
            keys = installation.open_keys(directory)
            known_as = listening.certificate_names(address, names)
            context = installation.server_context(directory, keys.authority, known_as) if tls else None
        except OSError as error:
            raise DataDirectoryRefused(path=data, reason=error.strerror or str(error)) from error
        opening = partial(
            open_services,
            directory,
            keys,
            url,
            tls=tls,
            keystone=settings,
            database=database,
            agent=agent,
            notifications=notifications,
        )
        if workers == 1:
            uvloop.run(_run(opening, directory.path, listener, context, surface))
        else:
            # The schema and the first account are made once, and what can't be opened is told before anybody serves.
            uvloop.run(_try(opening))
            work = partial(_work, opening, directory.path, listener, context, surface)
            run_workers(workers, work, listener.close)
    log.info("stopped", endpoint=url)


def _work(
    opening: Opening, data: Path, listener: socket, context: ssl.SSLContext | None, surface: Surface | None
) -> None:
    uvloop.run(_run(opening, data, listener, context, surface))


async def _try(opening: Opening) -> None:
    async with opening():
        pass


async def _run(
    opening: Opening, data: Path, listener: socket, context: ssl.SSLContext | None, surface: Surface | None
) -> None:
    async with opening() as services:
        routes = _routes(services)
        router = Router(routes if surface is None else surface(services, routes))
        server = HttpServer(Application(services, router), context, services.waiters)
        _spare_the_collector()
        with _stopped_by_signals(server):
            log.info("serving", endpoint=services.endpoint, data=str(data), process=os.getpid())
            await server.serve(sockets=[listener])


def _routes(services: Services) -> Sequence[Route]:
    return ROUTES if services.keystone is None else KeystoneIdentity(services.keystone).take_over(ROUTES)


@contextlib.asynccontextmanager
async def open_services(
    directory: DataDirectory,
    keys: Keys,
    url: str,
    *,
    tls: bool,
    keystone: KeystoneSettings | None = None,
    database: str = "",
    agent: AgentBundle | None = None,
    notifications: NotificationSettings = USUAL,
) -> AsyncIterator[Services]:
    """Open the ledger and everything over it; what is still to be written is written at the end.

    With the URL *database* the ledger is there, else in the directory.
    """
    ledger = open_ledger(database or directory.ledger)
    try:
        async with _open_keystone(keystone, ledger) as opened:
            sends_mail = notifications.mail is not None
            services = _assemble(ledger, opened, keys, url, agent, tls=tls, sends_mail=sends_mail)
            dispatcher = _dispatcher(services, notifications)
            # Caches first: who is woken may look at once.
            ledger.watch(services.told.unit_ended)
            ledger.listen(partial(_forget, services.authenticator))
            ledger.listen(services.contacts.changed)
            ledger.listen(services.waiters.publish)
            ledger.listen(dispatcher.hear)
            await _first_account(directory, services)
            await _check_master_key(services)
            await services.contacts.load()
            running = [
                asyncio.create_task(services.contacts.run()),
                asyncio.create_task(task_logs.sweep(ledger, services.clock)),
                asyncio.create_task(dispatcher.run()),
            ]
            try:
                yield services
            finally:
                for task in running:
                    task.cancel()
                await dispatcher.drain()
                await _last_flush(services)
    finally:
        await ledger.close()


@contextlib.asynccontextmanager
async def _open_keystone(settings: KeystoneSettings | None, ledger: Ledger) -> AsyncIterator[Keystone | None]:
    if settings is None:
        yield None
        return
    if settings.in_clear:
        log.warning("keystone is asked without TLS: passwords and tokens can be read on the way", url=settings.url)
    client = KeystoneClient(settings)
    try:
        yield Keystone(client, KeystoneTokens(client, LedgerAccounts(ledger, _now_ms), settings))
    finally:
        await client.close()


async def _last_flush(services: Services) -> None:
    try:
        await services.contacts.flush()
    except WherryError as error:  # of little worth, and nobody is there any more to do something about it
        log.warning("contacts not written", code=error.code, error=error.message)


def _dispatcher(services: Services, settings: NotificationSettings) -> Dispatcher:
    return Dispatcher(
        services.ledger,
        settings.ways(services.clock),
        box=services.secret_box,
        endpoint=services.endpoint,
        clock=services.clock,
    )


def _assemble(
    ledger: Ledger,
    keystone: Keystone | None,
    keys: Keys,
    url: str,
    agent: AgentBundle | None,
    *,
    tls: bool,
    sends_mail: bool,
) -> Services:
    directory = LedgerDirectory(ledger)
    key_box = keys.master.box("access-keys")
    tokens = TokenIssuer(keys.master.box("tokens").fernet)
    temporary = TemporaryKeyIssuer(keys.master.box("temporary-keys").fernet)
    reader = OwnTokens(directory, tokens) if keystone is None else keystone.tokens
    return Services(
        ledger=ledger,
        directory=directory,
        keystone=keystone,
        authenticator=Authenticator(directory, key_box, reader, temporary),
        logins=Lockout(most=_WRONG_PASSWORDS, most_trusted=10 * _WRONG_PASSWORDS),
        tokens=tokens,
        temporary=temporary,
        refusals=RefusalCodec(keys.master.box("refusals").fernet),
        key_box=key_box,
        secret_box=keys.master.box("secrets"),
        authority=keys.authority,
        proofs=keys.proofs,
        contacts=Contacts(ledger, _now_ms),
        receivers=ReceiverContacts(),
        waiters=Waiters(),
        told=ScopedMemory(0) if ledger.shared else ScopedMemory(),
        endpoint=url,
        agent=agent,
        sends_mail=sends_mail,
        tls=tls,
        clock=_now_ms,
    )


async def _first_account(directory: DataDirectory, services: Services) -> None:
    fresh = not await services.ledger.read(accounts.every)
    try:
        admin = installation.admin_file(directory, services.endpoint, tls=services.tls, fresh=fresh)
    except OSError as error:
        raise DataDirectoryRefused(path=directory.path, reason=error.strerror or str(error)) from error
    if fresh and admin is not None:
        await installation.create_account(services.ledger, admin, services.key_box, operator=True)


async def _check_master_key(services: Services) -> None:
    """Raise SecretUnreadable where the ledger's secrets were sealed by another master key than this directory's."""
    sealed = await services.ledger.read(credentials.any_sealed_secret)
    if sealed is not None:
        services.key_box.open(sealed)


def _forget(authenticator: Authenticator, topics: frozenset[str]) -> None:
    """Forget what was remembered of the keys and users that have changed; note which signatures were used."""
    if EVERYTHING in topics:
        authenticator.forget_everything()
    for topic in topics:
        kind, _, name = topic.partition(":")
        if kind == "key":
            authenticator.forget_key(name)
        elif kind == "user":
            authenticator.forget_user(name)
        elif topic.startswith(NOTICE):
            authenticator.hear_use(topic)


def _allow_many_connections() -> None:
    """Raise the soft limit of open files to the hard one: each agent in a long poll holds a connection."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # the system may forbid it, and then the old limit holds
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _spare_the_collector() -> None:
    """Let the garbage collector look less often, and never at what was made up to now and stays.

    Requests leave hardly anything in circles. With Python's own thresholds it takes 5 % of a request's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 50)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextlib.contextmanager
def _stopped_by_signals(server: HttpServer) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        log.info("draining", connections=len(server.server_state.connections))
        server.should_exit = True

    for number in _STOPPING_SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in _STOPPING_SIGNALS:
            loop.remove_signal_handler(number)
