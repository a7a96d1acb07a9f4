"""A visit to a page: who comes, in which language, what is asked, and everything a page's handler works with."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode

import msgspec

from wherry.console.languages import Language
from wherry.console.navigation import NOTICES, Entry
from wherry.console.operations import Operations, Values, answer_as
from wherry.console.rendering import SECURITY_HEADERS, Renderer, html_answer
from wherry.console.rights import may
from wherry.console.session import Session
from wherry.contract.errors import ApiError
from wherry.iam.permissions import NOTHING, Resource
from wherry.iam.principals import Principal
from wherry.server.answers import Answer
from wherry.server.call import Call
from wherry.server.query import parse_query

T = TypeVar("T")

_MAX_FIELDS = 1000
_NO_VALUES: Values = {}


@dataclass(frozen=True, slots=True)
class House:
    """What all visits share: made once at start."""

    operations: Operations
    renderer: Renderer
    navigation: Sequence[Entry]


@dataclass(frozen=True)
class Visit:
    """One request for a page of the console.

    Attributes:
        call: the request as the server has it; its caller is nobody.
        session: who has signed in; None on pages that are open to everybody.
        language: in which the page is shown.
    """

    call: Call
    house: House
    language: Language
    session: Session | None

    @property
    def principal(self) -> Principal:
        """Who visits. Only pages that are open to everybody may have nobody here."""
        if self.session is None:
            message = f"{self.call.route.operation} is open to everybody"
            raise RuntimeError(message)
        return self.session.principal

    @cached_property
    def query(self) -> Mapping[str, str]:
        """The parameters of the query string."""
        return parse_query(self.call.raw_query)

    @cached_property
    def form(self) -> Mapping[str, Sequence[str]]:
        """The fields of the form that was sent, each with all its values. Raises ApiError SMS.9001."""
        try:
            pairs = parse_qsl(
                self.call.body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS
            )
        except ValueError as error:
            raise ApiError("SMS.9001", "the form is not readable, or has more than 1,000 fields") from error
        fields: dict[str, list[str]] = {}
        for name, value in pairs:
            fields.setdefault(name, []).append(value)
        return fields

    @property
    def path(self) -> str:
        """The path of the page, without the query."""
        path = self.call.route.path
        for name, value in self.call.parameters.items():
            path = path.replace(f"{{{name}}}", value)
        return path

    @property
    def here(self) -> str:
        """The path of the page with its query, to come back to."""
        query = self.call.raw_query.decode("ascii", "replace")
        return f"{self.path}?{query}" if query else self.path

    @property
    def notice(self) -> str:
        """What the page says about what was just done, in English; empty where nothing was."""
        return NOTICES.get(self.query.get("notice", ""), "")

    @property
    def partial(self) -> bool:
        """Whether htmx asks for a fragment, and not the browser for a page."""
        return any(name == b"hx-request" for name, _ in self.call.headers)

    def value(self, name: str) -> str:
        """Return the field *name* of the form, without blanks around it; empty where it wasn't sent."""
        return self.form.get(name, ("",))[0].strip()

    def may(self, operation: str, resource: Resource = NOTHING) -> bool:
        """Tell whether the visitor may call *operation*: whether its button is shown."""
        return may(self.principal, operation, resource)

    async def perform(
        self,
        operation: str,
        parameters: Mapping[str, str] | None = None,
        *,
        query: Values = _NO_VALUES,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Perform an operation of the API as the visitor. Raises what it raises; see `Operations.perform`."""
        caller = None if self.session is None else self.session.principal
        return await self.house.operations.perform(
            self.call, caller, operation, parameters, query=query, body=body, headers=headers
        )

    async def ask(
        self, type_: type[T], operation: str, parameters: Mapping[str, str] | None = None, **query: object
    ) -> T:
        """Perform a reading operation and return its answer as the struct *type_* of the contract."""
        return answer_as(await self.perform(operation, parameters, query=query), type_)

    def page(self, template: str, *, status: int = 200, **values: object) -> Answer:
        """Return a whole page."""
        html = self.fragment(template, **values)
        return html_answer(self.call, html, status=status)

    def part(self, template: str, **values: object) -> Answer:
        """Return a fragment as the answer to htmx."""
        return html_answer(self.call, self.fragment(template, **values))

    def fragment(self, template: str, **values: object) -> str:
        """Return *template*, filled; it finds this visit under the name `visit` besides *values*."""
        return self.house.renderer.render(self.language, template, {"visit": self, **values})

    def go(self, path: str, *, notice: str = "", headers: Mapping[str, str] | None = None) -> Answer:
        """Send the browser to another page of the console, to which a key of `NOTICES` may go along."""
        if notice:
            path = f"{path}{'&' if '?' in path else '?'}{urlencode({'notice': notice})}"
        if self.partial:
            return Answer(b"", 200, "text/plain", {**SECURITY_HEADERS, **(headers or {}), "hx-redirect": path})
        return Answer(b"", 303, "text/plain", {**SECURITY_HEADERS, **(headers or {}), "location": path})

    def now(self) -> "Visit":
        """Return the same visit at this moment, for a live page that is made again."""
        call = msgspec.structs.replace(self.call, at=self.call.services.clock())
        return Visit(call, self.house, self.language, self.session)


Handler = Callable[[Visit], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Page:
    """A page, or what a form of a page is sent to.

    Attributes:
        name: of the access log; begins with Console.
        open: shown without a session.
        max_body: bytes of the form at most.
    """

    name: str
    method: str
    path: str
    handler: Handler
    open: bool = False
    max_body: int = 256 * 1024
