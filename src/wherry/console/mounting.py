"""The console as routes of the control plane: finds the session, checks the origin, shows refusals as pages.

A page's route is anonymous to the server, since its credentials are a cookie, which only the console reads.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

import structlog

from wherry.console.errors_shown import cross_site_entry, refusal_answer
from wherry.console.languages import language_for
from wherry.console.live import Live, Watchtower
from wherry.console.operations import Operations
from wherry.console.pages import LIVE, NAVIGATION, PAGES, overview
from wherry.console.rendering import Renderer
from wherry.console.same_origin import check_same_origin
from wherry.console.session import find_session
from wherry.console.signing_in import SIGN_IN, clear_session
from wherry.console.static_files import StaticFiles
from wherry.console.visit import House, Page, Visit
from wherry.contract.errors import ApiError
from wherry.errors import WherryError
from wherry.server.accept import preferred
from wherry.server.answers import JSON, Answer
from wherry.server.bodies import ClientGone
from wherry.server.call import Call
from wherry.server.envelope import internal_error
from wherry.server.route import Handler, Route
from wherry.server.services import Services

_FORMS = (JSON, "text/html")
_SAFE = frozenset({"GET", "HEAD"})
_TOP = "/"
_ANYWHERE = ("/console", "/console/{a}", "/console/{a}/{b}", "/console/{a}/{b}/{c}")
"""Where somebody may look for a page that isn't there."""

log = structlog.get_logger(__name__)


def with_console(services: Services, routes: Sequence[Route]) -> list[Route]:
    """Return *routes* with those of the console. Where browsers ask for ``/``, they get its overview."""
    static = StaticFiles()
    house = House(Operations(services, routes), Renderer(static), NAVIGATION)
    tower = Watchtower(services)
    own = [_route(page, house) for page in PAGES]
    own += [_live_route(name, make, house, tower) for name, make in LIVE.items()]
    front = Page("ConsoleOverview", "GET", _TOP, overview.show_overview)
    missing = [Page("ConsoleMissing", "GET", path, _missing, open=True) for path in _ANYWHERE]
    own += [_route(page, house) for page in missing if not _is_taken(page, own)]
    taken = [_front(route, front, house) if (route.method, route.path) == ("GET", _TOP) else route for route in routes]
    return [*taken, *own, *static.routes()]


def _is_taken(page: Page, routes: Sequence[Route]) -> bool:
    names = re.compile(r"{\w+}")
    return any(
        route.method == page.method and names.sub("{}", route.path) == names.sub("{}", page.path) for route in routes
    )


def _route(page: Page, house: House) -> Route:
    return Route(page.name, page.method, page.path, _Served(page, house).serve, anonymous=True, max_body=page.max_body)


def _live_route(name: str, make: Live, house: House, tower: Watchtower) -> Route:
    async def stream(visit: Visit) -> Answer:
        return tower.stream(visit, make)

    served = _Served(Page("ConsoleLive", "GET", f"/console/live/{name}", stream), house, live=True)
    return Route("ConsoleLive", "GET", f"/console/live/{name}", served.serve, anonymous=True, max_body=1024)


def _front(route: Route, page: Page, house: House) -> Route:
    """Return the route of ``/`` for both: the versions for programs, the overview for browsers."""
    for_programs: Handler = route.handler
    for_people = _Served(page, house)

    async def serve(call: Call) -> Answer:
        if preferred(call.headers, _FORMS) == JSON:
            answer = await for_programs(call)
            return Answer(answer.body, answer.status, answer.content_type, {**answer.headers, "vary": "accept"})
        return await for_people.serve(call)

    return replace(route, handler=serve)


@dataclass(frozen=True, slots=True)
class _Served:
    """A page, and all that happens around its handler."""

    page: Page
    house: House
    live: bool = False

    async def serve(self, call: Call) -> Answer:
        """Answer a request for the page."""
        visit = Visit(call, self.house, language_for(call.headers), None)
        try:
            if self.page.method not in _SAFE:
                check_same_origin(call.headers)
            session = await find_session(call.services, call.headers)
            visit = Visit(call, self.house, visit.language, session)
            if session is None and not self.page.open:
                return self._ask_to_sign_in(visit)
            return await self.page.handler(visit)
        except WherryError as error:
            if not isinstance(error, ApiError):
                log.warning("page failed", request_id=call.request_id, code=error.code, error=error.message)
            return refusal_answer(visit, error)
        except ClientGone:
            raise
        except Exception:
            log.exception("page ended in a fault", request_id=call.request_id, page=self.page.name)
            return refusal_answer(visit, internal_error())

    def _ask_to_sign_in(self, visit: Visit) -> Answer:
        if self.live:
            return Answer(b"", 401, "text/plain")
        if again := cross_site_entry(visit):
            return again
        wanted = ""
        if self.page.method in _SAFE and not visit.partial:
            wanted = visit.here
        target = SIGN_IN if wanted in {"", _TOP} else f"{SIGN_IN}?{urlencode({'next': wanted})}"
        return clear_session(visit, target)


async def _missing(visit: Visit) -> Answer:
    raise ApiError("WHERRY.5514", visit.path[:100])
