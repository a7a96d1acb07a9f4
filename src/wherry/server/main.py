"""`wherry serve`: opens the data directory, listens, serves, and drains when it's told to stop."""

import asyncio
import contextlib
import logging
import resource
import signal
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from socket import socket
from typing import Any

import structlog
import uvicorn
import uvloop

from wherry.errors import WherryError
from wherry.iam.authentication import Authenticator
from wherry.iam.keystone_client import KeystoneClient
from wherry.iam.keystone_settings import KeystoneSettings, read_settings
from wherry.iam.keystone_tokens import Keystone, KeystoneTokens
from wherry.iam.refusals import RefusalCodec
from wherry.iam.token_reading import OwnTokens
from wherry.iam.tokens import TokenIssuer
from wherry.ledger import accounts
from wherry.ledger.ledger import Ledger, open_ledger
from wherry.server import installation, listening
from wherry.server.app import Application
from wherry.server.contacts import Contacts
from wherry.server.data_directory import DataDirectory
from wherry.server.directory import LedgerDirectory
from wherry.server.errors import DataDirectoryRefused
from wherry.server.installation import Keys
from wherry.server.keystone_accounts import LedgerAccounts
from wherry.server.keystone_identity import KeystoneIdentity
from wherry.server.protocol import LimitedProtocol
from wherry.server.route import Route
from wherry.server.routes import ROUTES
from wherry.server.routing import Router
from wherry.server.services import Services
from wherry.server.waiting import Waiters

_KEEP_ALIVE_S = 75
_DRAIN_S = 30
_HANG_UP_S = 0.3
_STOPPING_SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger(__name__)


def serve(data: Path, listen: str, tls: bool, keystone: Path | None = None) -> None:  # noqa: FBT001 - a switch
    """Serve the control plane from the directory *data* at the address *listen* until SIGTERM or SIGINT.

    With the settings file *keystone*, users and tokens are those of an OpenStack Keystone. Requests that run are
    finished, long polls are answered at once, and what was accepted is durable when this returns. Raises WherryError
    with words where the settings, the directory, the ledger or the address can't be used.
    """
    _allow_many_connections()
    address = listening.parse_address(listen)
    settings = None if keystone is None else read_settings(keystone)
    with DataDirectory(data) as directory, listening.listen(address) as listener:
        url = listening.endpoint(address, listener, tls=tls)
        try:
            keys = installation.open_keys(directory)
            names = listening.certificate_names(address)
            context = installation.server_context(directory, keys.authority, names) if tls else None
        except OSError as error:
            raise DataDirectoryRefused(path=data, reason=error.strerror or str(error)) from error
        opening = open_services(directory, keys, url, tls=tls, keystone=settings)
        uvloop.run(_run(opening, directory.path, listener, context))
    log.info("stopped", endpoint=url)


async def _run(
    opening: contextlib.AbstractAsyncContextManager[Services],
    data: Path,
    listener: socket,
    context: ssl.SSLContext | None,
) -> None:
    async with opening as services:
        server = _Server(Application(services, Router(_routes(services))), context, services.waiters)
        with _stopped_by_signals(server):
            log.info("serving", endpoint=services.endpoint, data=str(data))
            await server.serve(sockets=[listener])


def _routes(services: Services) -> Sequence[Route]:
    return ROUTES if services.keystone is None else KeystoneIdentity(services.keystone).take_over(ROUTES)


@contextlib.asynccontextmanager
async def open_services(
    directory: DataDirectory, keys: Keys, url: str, *, tls: bool, keystone: KeystoneSettings | None = None
) -> AsyncIterator[Services]:
    """Open the ledger and everything over it; what is still to be written is written at the end."""
    ledger = open_ledger(directory.ledger)
    try:
        async with _open_keystone(keystone, ledger) as opened:
            services = _assemble(ledger, opened, keys, url, tls=tls)
            ledger.listen(services.waiters.publish)
            await _first_account(directory, services)
            await services.contacts.load()
            flushing = asyncio.create_task(services.contacts.run())
            try:
                yield services
            finally:
                flushing.cancel()
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


def _assemble(ledger: Ledger, keystone: Keystone | None, keys: Keys, url: str, *, tls: bool) -> Services:
    directory = LedgerDirectory(ledger)
    key_box = keys.master.box("access-keys")
    tokens = TokenIssuer(keys.master.box("tokens").fernet)
    reader = OwnTokens(directory, tokens) if keystone is None else keystone.tokens
    return Services(
        ledger=ledger,
        directory=directory,
        keystone=keystone,
        authenticator=Authenticator(directory, key_box, reader),
        tokens=tokens,
        refusals=RefusalCodec(keys.master.box("refusals").fernet),
        key_box=key_box,
        secret_box=keys.master.box("secrets"),
        authority=keys.authority,
        proofs=keys.proofs,
        contacts=Contacts(ledger, _now_ms),
        waiters=Waiters(),
        endpoint=url,
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
        await installation.create_account(services.ledger, admin, services.key_box)


def _allow_many_connections() -> None:
    """Raise the soft limit of open files to the hard one: each agent in a long poll holds a connection."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # the system may forbid it, and then the old limit holds
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class _Server(uvicorn.Server):
    """uvicorn, which ends long polls first when it shuts down, and leaves signals to us."""

    def __init__(self, application: Application, context: ssl.SSLContext | None, waiters: Waiters) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                loop="none",
                http=LimitedProtocol,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                log_level=logging.WARNING,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=listening.BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_DRAIN_S,
            )
        )
        self.config.load()
        self.config.ssl = context
        self._waiters = waiters

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn would die of them again after a clean end."""
        yield

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Answer everybody who waits, then finish what runs."""
        self._waiters.close()
        hanging_up = asyncio.create_task(self._hang_up())
        try:
            await super().shutdown(sockets)
        finally:
            hanging_up.cancel()

    async def _hang_up(self) -> None:
        """Cut connections that have nothing left to say: a client that doesn't read would hold up the end of TLS."""
        quiet: set[Any] = set()
        while True:
            await asyncio.sleep(_HANG_UP_S)
            idle: set[Any] = {connection for connection in self.server_state.connections if _is_idle(connection)}
            for connection in idle & quiet:
                connection.transport.abort()
            quiet = idle


def _is_idle(connection: Any) -> bool:
    """Tell whether a connection of uvicorn's httptools protocol has no request, and nothing left to send."""
    finished = connection.cycle is None or connection.cycle.response_complete
    return bool(finished and connection.transport.get_write_buffer_size() == 0)


@contextlib.contextmanager
def _stopped_by_signals(server: _Server) -> Iterator[None]:
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
