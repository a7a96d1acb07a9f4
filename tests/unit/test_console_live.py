"""Live pages: made once for all who see the same, sent only where something has changed."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from tests.unit.console_visitor import run, signed_in
from tests.unit.server_harness import Harness
from tests.unit.test_console_failures import failed
from tests.unit.test_server_landing import landing
from wherry.console.languages import languages
from wherry.console.live import Fragments, Rows, Watchtower
from wherry.console.operations import Operations
from wherry.console.pages import LIVE, PAGES
from wherry.console.rendering import Renderer
from wherry.console.session import session_of
from wherry.console.static_files import StaticFiles
from wherry.console.visit import House, Visit
from wherry.contract.errors import ApiError
from wherry.iam.directory import UserName
from wherry.server.call import Call
from wherry.server.route import Route
from wherry.server.routes import ROUTES

LIMIT_S = 60.0


class Stage:
    """A live page whose content the test sets, and those who watch it."""

    def __init__(self, plane: Harness) -> None:
        self.services = plane.services
        self.tower = Watchtower(plane.services)
        self.house = House(Operations(plane.services, ROUTES), Renderer(StaticFiles()), ())
        self.content: Fragments = {"a": "1"}
        self.refuse = False
        self.made = 0

    async def make(self, _visit: Visit) -> Fragments:
        self.made += 1
        if self.refuse:
            raise ApiError("SMS.7703", status=404)
        return self.content

    async def visit(self, name: str = "admin", query: bytes = b"") -> Visit:
        user = await self.services.directory.user(UserName(name=name, domain_name="default"))
        assert user is not None
        token, _ = self.services.tokens.issue(user_id=user.id, domain_id=user.domain_id, era=user.token_era)
        session = await session_of(self.services, token)
        route = Route("ConsoleLive", "GET", "/console/live/test", _unused, anonymous=True)
        call = Call(self.services, route, None, {}, query, (), b"", "request", self.services.clock())
        return Visit(call, self.house, languages()["en"], session)

    async def watch(self, name: str = "admin", query: bytes = b"") -> AsyncGenerator[bytes]:
        return self.tower.stream(await self.visit(name, query), self.make).pieces()

    def change(self, content: Fragments) -> None:
        self.content = content
        self.services.ledger._publish(frozenset({"source:4711"}))


async def _unused(_call: Call) -> Any:
    raise AssertionError


async def told(pieces: AsyncGenerator[bytes]) -> list[tuple[str, str]]:
    """Return the next elements that are sent, as (id, HTML)."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            piece = (await anext(pieces)).decode()
            events = [json.loads(line[6:]) for line in piece.splitlines() if line.startswith("data: ")]
            if events:
                return [(event["id"], event["html"]) for event in events]


def test_one_look_serves_all_who_see_the_same(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        stage = Stage(plane)
        async with aclosing(await stage.watch()) as one, aclosing(await stage.watch()) as other:
            assert await told(one) == await told(other) == [("a", "1")]
            assert stage.tower.count() == 1
            async with aclosing(await stage.watch(query=b"state=error")) as third:
                assert await told(third) == [("a", "1")]
                assert stage.tower.count() == 2, "another filter is another page"
            stage.change({"a": "2"})
            assert await told(one) == await told(other) == [("a", "2")]
        assert stage.tower.count() == 0
        made = stage.made
        await asyncio.sleep(0)
        assert stage.made == made, "nobody watches"

    run(tmp_path / "data", check)


def test_only_what_changed_is_sent(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        stage = Stage(plane)

        def content(head: str, **rows: str) -> Fragments:
            return {"head": head, "rows": Rows(rows, "".join(rows.values()))}

        stage.content = content("x", a="A", b="B")
        async with aclosing(await stage.watch()) as pieces:
            assert await told(pieces) == [("head", "x"), ("rows", "AB")]
            stage.change(content("y", a="A", b="B"))
            assert await told(pieces) == [("head", "y")]
            stage.change(content("y", a="A", b="b"))
            assert await told(pieces) == [("b", "b")]
            async with aclosing(await stage.watch()) as late:
                assert dict(await told(late))["rows"] == "Ab", "who comes later gets the newest of everything"
            stage.change(content("y", b="b", a="A"))
            assert await told(pieces) == [("rows", "bA")], "another order"
            stage.change(content("y"))
            assert await told(pieces) == [("rows", "")]

    run(tmp_path / "data", check)


def test_a_list_without_rows_says_so_and_fills_later(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        stage = Stage(plane)
        stage.content = {"head": "0", "rows": Rows({}, "nothing")}
        async with aclosing(await stage.watch()) as pieces:
            assert await told(pieces) == [("head", "0"), ("rows", "nothing")]
            stage.change({"head": "1", "rows": Rows({"a": "A"}, "<a>")})
            assert await told(pieces) == [("head", "1"), ("rows", "<a>")]

    run(tmp_path / "data", check)


def test_a_fault_ends_the_stream_instead_of_leaving_the_page_as_it_was(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        stage = Stage(plane)
        async with aclosing(await stage.watch()) as pieces:
            await told(pieces)
            stage.change({"a": None})  # type: ignore[dict-item]
            assert await last_of(pieces) == b"", "the browser comes again, and isn't told to load the page at once"

    run(tmp_path / "data", check)


def test_progress_of_which_nobody_tells_is_seen_all_the_same(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        stage = Stage(plane)
        async with aclosing(await stage.watch()) as pieces:
            await told(pieces)
            stage.content = {"a": "later"}
            assert await told(pieces) == [("a", "later")]

    run(tmp_path / "data", check)


def test_a_page_that_is_gone_ends_the_stream(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        stage = Stage(plane)
        async with aclosing(await stage.watch()) as pieces:
            await told(pieces)
            stage.refuse = True
            stage.change({})
            assert await last_of(pieces) == b"event: over\ndata:\n\n"

    run(tmp_path / "data", check)


def test_the_end_of_the_control_plane_ends_every_stream(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        stage = Stage(plane)
        async with aclosing(await stage.watch()) as pieces:
            await told(pieces)
            plane.services.waiters.close()
            assert await last_of(pieces) == b"", "browsers come again by themselves"

    run(tmp_path / "data", check)


async def last_of(pieces: AsyncGenerator[bytes]) -> bytes:
    last = b""
    async with asyncio.timeout(LIMIT_S):
        async for piece in pieces:
            last = piece
    return last


def test_every_live_page_sends_the_elements_that_its_page_has(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        source_id, receiver_id = await failed(plane), await landing(plane, await plane.admin())
        visitor, visit = await signed_in(plane), await Stage(plane).visit()
        shown = ["/", *(page.path for page in PAGES if page.method == "GET" and "{" not in page.path and not page.open)]
        pages = [(await visitor.get(path)).text for path in shown]
        sent: set[str] = set()
        for topic, make in LIVE.items():
            if "{" in topic:
                continue
            own = re.compile(f'data-live="/console/live/{topic}[?"]')
            (page,) = [page for page in pages if own.search(page)]
            for name, made in (await make(visit)).items():
                rows = made.each if isinstance(made, Rows) else {}
                for element in (name, *rows):
                    assert f'id="{element}"' in page, (topic, element)
                sent |= rows.keys()
        assert {f"failure-{source_id}", f"source-{source_id}", f"receiver-{receiver_id}"} <= sent

    run(tmp_path / "data", check)
