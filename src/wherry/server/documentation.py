"""What the control plane tells about itself: the OpenAPI document, the pages on errors, and the API explorer.

All of it is answered without authentication: it holds nothing but what the published source says.
"""

from collections.abc import Sequence
from importlib.resources import files

from wherry.contract.decoding import encode
from wherry.contract.errors import ApiError
from wherry.server.answers import JSON, Answer
from wherry.server.call import Call
from wherry.server.error_pages import ErrorPages
from wherry.server.openapi import build_document
from wherry.server.route import Handler, Route
from wherry.server.static_content import StaticContent

_MAX_BODY = 1024
_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_PAGE = "index.html"


def documentation_routes(operations: Sequence[Route]) -> tuple[Route, ...]:
    """Return the routes that describe *operations*, and themselves."""
    document, errors, explorer = _OpenApi(), ErrorPages(), _Explorer()
    described = (
        _route("ListErrorCodes", "/errors", errors.list_error_codes),
        _route("ShowErrorCode", "/errors/{code}", errors.show_error_code),
        _route("ShowOpenApi", "/openapi.json", document.show_open_api),
    )
    document.describe((*operations, *described))
    pages = (
        _route("ShowExplorer", "/explorer", explorer.show_explorer),
        _route("ShowExplorerFile", "/explorer/{file}", explorer.show_explorer_file),
    )
    return (*described, *pages)


class _OpenApi:
    """The OpenAPI document, built when it's asked for first."""

    def __init__(self) -> None:
        self._routes: Sequence[Route] = ()
        self._content: StaticContent | None = None

    def describe(self, routes: Sequence[Route]) -> None:
        self._routes = routes

    async def show_open_api(self, call: Call) -> Answer:
        """Return this document."""
        if self._content is None:
            self._content = StaticContent(encode(build_document(self._routes)), JSON)
        return self._content.answer(call.headers)


class _Explorer:
    """The page that tries the API out, and its parts: plain files, nothing from elsewhere."""

    def __init__(self) -> None:
        self._files = {
            file.name: StaticContent(file.read_bytes(), _TYPES[file.name.rpartition(".")[2]])
            for file in files("wherry.server").joinpath("explorer").iterdir()
            if file.name.rpartition(".")[2] in _TYPES
        }

    async def show_explorer(self, call: Call) -> Answer:
        """Return the API explorer."""
        return self._files[_PAGE].answer(call.headers)

    async def show_explorer_file(self, call: Call) -> Answer:
        """Return a part of the API explorer."""
        content = self._files.get(call.parameters["file"])
        if content is None:
            raise ApiError("APIGW.0101", f"GET /explorer/{call.parameters['file'][:64]}")
        return content.answer(call.headers)


def _route(operation: str, path: str, handler: Handler) -> Route:
    return Route(operation, "GET", path, handler, anonymous=True, max_body=_MAX_BODY)
