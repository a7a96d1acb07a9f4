"""The API, called in process: the same handlers, so the same rules, permissions, audit entries and errors.

Pages decide nothing and read nothing themselves: what a page can show or do, the API can.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from wherry.contract.decoding import decode, decode_id, encode
from wherry.contract.errors import ApiError
from wherry.iam.permissions import require
from wherry.iam.principals import Principal
from wherry.iam.refusals import AuthenticationFailed
from wherry.server.answers import Answer
from wherry.server.call import Call
from wherry.server.route import Route
from wherry.server.services import Services

T = TypeVar("T")
Values = Mapping[str, object]

_NOTHING: Values = {}


class Operations:
    """Every operation of the control plane, by its id."""

    def __init__(self, services: Services, routes: Iterable[Route]) -> None:
        self._services = services
        self._routes: dict[tuple[str, frozenset[str]], Route] = {}
        for route in routes:
            self._routes.setdefault((route.operation, frozenset(route.parameter_names)), route)

    async def perform(
        self,
        cause: Call,
        caller: Principal | None,
        operation: str,
        parameters: Mapping[str, str] | None = None,
        *,
        query: Values = _NOTHING,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Perform *operation* for *caller* and return its answer.

        Args:
            cause: the request for the page; the operation has its id and its peer.
            caller: who asks; None for operations without authentication.
            operation: as in the route table, together with the names of its *parameters*.
            parameters: of the path.
            query: what's None or empty is left out; True and False are written as the API has them.
            body: a struct or plain data; bytes are sent as they are.
            headers: by which a handler is asked for a form, or told a token.

        Raises whatever the operation raises: ApiError with the code and the status that the API answers.
        """
        given = dict(parameters or {})
        route = self._routes[operation, frozenset(given)]
        if caller is not None and not route.anonymous and caller.kind not in route.callers:
            require(caller, route.operation)
        for name in route.ids:
            decode_id(given[name], name)
        call = Call(
            services=self._services,
            route=route,
            caller=caller,
            parameters=given,
            raw_query=_query(query),
            headers=[(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()],
            body=body if isinstance(body, bytes) else b"" if body is None else encode(body),
            request_id=cause.request_id,
            at=self._services.clock(),
            peer=cause.peer,
        )
        answer = await route.handler(call)
        if answer.status >= 400:  # an answer of Keystone, handed through
            raise _refusal(answer)
        return answer


def answer_as(answer: Answer, type_: type[T]) -> T:
    """Return the body of an operation's answer as the struct that the contract has for it."""
    return decode(answer.body, type_)


def _query(values: Values) -> bytes:
    kept = {name: _text(value) for name, value in values.items() if value is not None and value != ""}
    return urlencode(kept).encode()


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _refusal(answer: Answer) -> ApiError:
    document = decode(answer.body, dict[str, Any]) if answer.body else {}
    error = document.get("error")
    reason = str(error.get("message", "")) if isinstance(error, dict) else ""
    if answer.status == 401:
        return AuthenticationFailed(reason or "the identity service refused the login")
    return ApiError("SMS.9001", reason or f"the identity service answered {answer.status}", status=answer.status)
