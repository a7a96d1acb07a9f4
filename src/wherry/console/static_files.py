"""The files that pages are made of: served under a path that names their content, so browsers keep them for good."""

import hashlib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

from wherry.contract.errors import ApiError
from wherry.server.answers import Answer
from wherry.server.call import Call
from wherry.server.route import Route
from wherry.server.static_content import StaticContent

_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_FOR_GOOD = "public, max-age=31536000, immutable"
_BASE = "/console/static"


class StaticFiles:
    """All files below `static`, and the palette that console and explorer share."""

    def __init__(self) -> None:
        contents = dict(_files(files("wherry.console").joinpath("static"), ""))
        contents["page.css"] = files("wherry.server").joinpath("explorer", "page.css").read_bytes()
        self._digest = _digest(contents)
        self._kept = {name: StaticContent(content, _type(name), _FOR_GOOD) for name, content in contents.items()}
        self._fresh = {name: StaticContent(content, _type(name)) for name, content in contents.items()}

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of the files, and of those in the folder of foreign ones."""
        paths = (f"{_BASE}/{{digest}}/{{file}}", f"{_BASE}/{{digest}}/{{folder}}/{{file}}")
        return tuple(Route("ConsoleFile", "GET", path, self.show, anonymous=True, max_body=1024) for path in paths)

    def url(self, name: str) -> str:
        """Return the path of the file *name*, such as ``vendor/htmx.min.js``. Raises KeyError for one there isn't."""
        self._kept[name]
        return f"{_BASE}/{self._digest}/{name}"

    async def show(self, call: Call) -> Answer:
        """Return a file. Under the digest of an older version it's the newest all the same, and isn't kept."""
        folder, file = call.parameters.get("folder"), call.parameters["file"]
        name = file if folder is None else f"{folder}/{file}"
        content = (self._kept if call.parameters["digest"] == self._digest else self._fresh).get(name)
        if content is None:
            raise ApiError("APIGW.0101", f"GET {_BASE}/{name[:64]}")
        return content.answer(call.headers)


def _files(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files(entry, f"{prefix}{entry.name}/")
        elif entry.name.rpartition(".")[2] in _TYPES:
            yield f"{prefix}{entry.name}", entry.read_bytes()


def _digest(contents: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(contents):
        digest.update(name.encode() + b"\0" + contents[name] + b"\0")
    return digest.hexdigest()[:16]


def _type(name: str) -> str:
    return _TYPES[name.rpartition(".")[2]]
