"""Pages that follow what happens: server-sent events, made once for all browsers that look at the same thing.

A live page is a function from a visit to fragments. While anybody watches, it's called again when the ledger tells of a
change, and every two seconds for progress, of which the ledger tells nothing; never more than once a second. Only what
has changed is sent. Watchers with the same account, rights, language and address share one.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import msgspec
import structlog

from wherry.console.rendering import SECURITY_HEADERS
from wherry.console.rights import rights_of
from wherry.console.session import Session, session_of
from wherry.console.visit import Visit
from wherry.contract.errors import ApiError
from wherry.errors import WherryError
from wherry.ledger.transaction import EVERYTHING
from wherry.server.answers import EventStream
from wherry.server.services import Services

_LEAST_S = 1.0
_PROGRESS_S = 2.0
_PING_S = 15.0
_TELLING = ("source:", "receiver:", "landing:")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rows:
    """Pieces one below the other in one element. When they are the same ones as before, only changed ones are sent.

    Attributes:
        each: the inside of each, by the id of its element, in their order.
        whole: the inside of the element that holds them.
    """

    each: Mapping[str, str]
    whole: str


Fragments = Mapping[str, str | Rows]
"""The inside of elements by their ids, as HTML."""

Live = Callable[[Visit], Awaitable[Fragments]]


@dataclass(slots=True)
class _Piece:
    """The newest inside of an element. *number*: of the look that found it changed; *event*: as it's sent."""

    html: str
    number: int
    event: bytes


@dataclass(slots=True)
class _Watch:
    """One live page that somebody watches."""

    topic: str
    visit: Visit
    make: Live
    news: asyncio.Event = field(default_factory=asyncio.Event)
    watchers: int = 0
    number: int = 0
    pieces: dict[str, _Piece] = field(default_factory=dict)
    over: bool = False
    faulty: bool = False
    task: "asyncio.Task[None] | None" = None


class Watchtower:
    """All live pages that are watched in this process. Belongs to one event loop."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._watches: dict[object, _Watch] = {}
        services.ledger.listen(self._hear)

    def stream(self, visit: Visit, make: Live) -> EventStream:
        """Return the stream of what changes in a live page, beginning with all of it."""
        headers = {**SECURITY_HEADERS, "x-accel-buffering": "no"}
        return EventStream(b"", 200, "text/event-stream", headers, pieces=lambda: self._events(visit, make))

    def count(self) -> int:
        """Return how many live pages are watched."""
        return len(self._watches)

    def _hear(self, topics: frozenset[str]) -> None:
        if self._watches and any(topic == EVERYTHING or topic.startswith(_TELLING) for topic in topics):
            for watch in self._watches.values():
                watch.news.set()

    async def _events(self, visit: Visit, make: Live) -> AsyncGenerator[bytes]:
        session = visit.session
        if session is None:
            return
        key = (visit.path, visit.call.raw_query, visit.language.code, rights_of(session.principal))
        watch, seen = self._join(key, visit, make), 0
        waiters, loop = self._services.waiters, asyncio.get_running_loop()
        looked_at = loop.time()
        try:
            yield b"retry: 3000\n\n"
            while not waiters.closed and not watch.over:
                with waiters.expect(watch.topic) as expectation:
                    changed = [piece.event for piece in watch.pieces.values() if piece.number > seen]
                    seen = watch.number
                    if changed:
                        yield b"".join(changed)
                    if not await expectation.wait(_PING_S):
                        yield b": here\n\n"
                if loop.time() - looked_at >= _PING_S:
                    looked_at = loop.time()
                    if not await self._still_allowed(session):
                        break
            # After a fault of ours the browser asks again in a while; a page loaded again would bring it at once.
            if not waiters.closed and not watch.faulty:
                yield b"event: over\ndata:\n\n"
        finally:
            self._leave(key, watch)

    async def _still_allowed(self, session: Session) -> bool:
        found = await session_of(self._services, session.token)
        return found is not None and rights_of(found.principal) == rights_of(session.principal)

    def _join(self, key: object, visit: Visit, make: Live) -> _Watch:
        watch = self._watches.get(key)
        if watch is None or watch.over:
            watch = self._watches[key] = _Watch(f"console:{id(visit)}:{visit.call.request_id}", visit, make)
            watch.task = asyncio.get_running_loop().create_task(self._run(watch))
        watch.watchers += 1
        return watch

    def _leave(self, key: object, watch: _Watch) -> None:
        watch.watchers -= 1
        if watch.watchers == 0:
            if watch.task is not None:
                watch.task.cancel()
            if self._watches.get(key) is watch:
                del self._watches[key]

    async def _run(self, watch: _Watch) -> None:
        loop = asyncio.get_running_loop()
        while not watch.over and not self._services.waiters.closed:
            watch.news.clear()
            next_at = loop.time() + _LEAST_S
            if await self._look(watch):
                self._services.waiters.publish({watch.topic})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PROGRESS_S):
                    await watch.news.wait()
            await asyncio.sleep(max(0.0, next_at - loop.time()))

    async def _look(self, watch: _Watch) -> bool:
        """Make the page anew; tell whether anything has changed."""
        try:
            fragments = await watch.make(watch.visit.now())
            watch.number += 1
            return _take(watch, fragments)
        except (
            ApiError
        ) as error:  # it's gone, or isn't allowed any more: the page itself says so when it's loaded again
            watch.over = error.status < 500
            return watch.over
        except WherryError as error:  # the ledger is away for a while
            log.warning("live page not made", page=watch.visit.path, code=error.code, error=error.message)
            return False
        except Exception:
            log.exception("live page ended in a fault", page=watch.visit.path)
            watch.over = watch.faulty = True
            return True


def _take(watch: _Watch, fragments: Fragments) -> bool:
    changed = False
    for name, made in fragments.items():
        if isinstance(made, str):
            changed |= _put(watch, name, made)
            continue
        # The whole goes out when the rows are other ones, or in another order; then nobody is sent a single one.
        known = [other.removeprefix(f"{name} ") for other in watch.pieces if other.startswith(f"{name} ")]
        if name not in watch.pieces or known != list(made.each):
            for other in known:
                del watch.pieces[f"{name} {other}"]
            for other, html in made.each.items():
                watch.pieces[f"{name} {other}"] = _Piece(html, 0, b"")
            watch.pieces[name] = _Piece(made.whole, watch.number, _event(name, made.whole))
            changed = True
            continue
        for other, html in made.each.items():
            changed |= _put(watch, f"{name} {other}", html, element=other)
        if changed:  # for who comes later
            watch.pieces[name] = _Piece(made.whole, watch.pieces[name].number, _event(name, made.whole))
    return changed


def _put(watch: _Watch, name: str, html: str, *, element: str = "") -> bool:
    known = watch.pieces.get(name)
    if known is not None and known.html == html:
        return False
    watch.pieces[name] = _Piece(html, watch.number, _event(element or name, html))
    return True


def _event(name: str, html: str) -> bytes:
    return b"data: " + msgspec.json.encode({"id": name, "html": html}) + b"\n\n"
