"""The catalogue of errors for people and programs: one page a code, and the list of all."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

from wherry.contract.catalogue import EVERY_ENTRY
from wherry.contract.decoding import encode
from wherry.contract.error_entry import ErrorEntry, ProgramEntry
from wherry.contract.errors import ApiError
from wherry.contract.explanations import Explanation, Explanations
from wherry.server.accept import preferred
from wherry.server.answers import JSON, Answer
from wherry.server.call import Call
from wherry.server.static_content import StaticContent

Entry = ErrorEntry | ProgramEntry

_HTML = "text/html"
_FORMS = (JSON, _HTML)
_BY_NAME = {code.casefold(): entry for code, entry in EVERY_ENTRY.items()}

FAMILIES = (
    ("SMS.", "The service: sources, tasks, templates, and what goes wrong in a migration"),
    ("WHERRY.1", "The source's disks and filesystems"),
    ("WHERRY.2", "Replication: how blocks travel and land"),
    ("WHERRY.3", "The receiver"),
    ("WHERRY.4", "The agent"),
    ("WHERRY.5", "The control plane, and the way to it"),
    ("WHERRY.60", "The command line"),
    ("WHERRY.61", "Making a copy boot"),
    ("WHERRY.62", "Virtual machines and rehearsals"),
    ("WHERRY.9", "The machine itself"),
    ("APIGW.", "What is refused before the service sees it"),
    ("Common.", "Common to all services"),
)
"""How the codes of a family begin, and what the family is about."""


class ErrorPages:
    """Everything there is to read about errors, made once."""

    def __init__(self) -> None:
        entries = list(EVERY_ENTRY.values())
        explanations = Explanations(count=len(entries), errors=[_explanation(entry) for entry in entries])
        self._list = _both(encode(explanations), _page("Error codes", _listing(entries)))
        self._each = {
            code: _both(encode(_explanation(entry)), _page(f"{code}: {entry.message}", _article(entry)))
            for code, entry in EVERY_ENTRY.items()
        }

    async def list_error_codes(self, call: Call) -> Answer:
        """Return every code of the catalogue with its cause and its fix.

        A page for people where `Accept` prefers `text/html`, JSON otherwise.
        """
        return self._list[preferred(call.headers, _FORMS)].answer(call.headers)

    async def show_error_code(self, call: Call) -> Answer:
        """Return what a code means, why it comes, and what to do about it.

        A page for people where `Accept` prefers `text/html`, JSON otherwise.
        """
        wanted = call.parameters["code"]
        entry = _BY_NAME.get(wanted.casefold())
        if entry is None:
            raise ApiError("WHERRY.5520", wanted[:64])
        return self._each[entry.code][preferred(call.headers, _FORMS)].answer(call.headers)


def _both(document: bytes, page: str) -> dict[str, StaticContent]:
    return {
        JSON: StaticContent(document, JSON),
        _HTML: StaticContent(page.encode(), f"{_HTML}; charset=utf-8"),
    }


def _explanation(entry: Entry) -> Explanation:
    status = entry.status if isinstance(entry, ErrorEntry) else None
    return Explanation(code=entry.code, status=status, message=entry.message, cause=entry.cause, fix=entry.fix)


def _page(title: str, content: str) -> str:
    """Return a whole page. *content* is HTML, *title* is text."""
    text = files("wherry.server").joinpath("explorer", "errors.html.template").read_text(encoding="utf-8")
    return Template(text).substitute(title=escape(title), content=content)


def _article(entry: Entry) -> str:
    rows = (("Message", entry.message), ("Cause", entry.cause), ("Fix", entry.fix))
    facts = "".join(f"<dt>{name}</dt><dd>{_prose(text)}</dd>" for name, text in rows)
    status = f"<p class='status'>HTTP status {entry.status}</p>" if isinstance(entry, ErrorEntry) else ""
    return f"<h1>{escape(entry.code)}</h1>{status}<dl class='facts'>{facts}</dl>"


def _listing(entries: Sequence[Entry]) -> str:
    sections = []
    for family, title in FAMILIES:
        found = sorted((entry for entry in entries if entry.code.startswith(family)), key=lambda entry: entry.code)
        if not found:
            continue
        rows = "".join(
            f"<tr><th scope='row'><a href='/errors/{escape(entry.code)}'>{escape(entry.code)}</a></th>"
            f"<td>{entry.status if isinstance(entry, ErrorEntry) else ''}</td><td>{_prose(entry.message)}</td></tr>"
            for entry in found
        )
        head = (
            "<thead><tr><th scope='col'>Code</th><th scope='col'>Status</th><th scope='col'>Message</th></tr></thead>"
        )
        table = f"<table>{head}<tbody>{rows}</tbody></table>"
        sections.append(f"<section><h2>{escape(title)}</h2>{table}</section>")
    return f"<h1>Error codes</h1>{''.join(sections)}"


def _prose(text: str) -> str:
    """Return *text* as HTML, with what stands between backticks as code."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return escape(text)
    return "".join(
        f"<code>{escape(piece)}</code>" if place % 2 else escape(piece) for place, piece in enumerate(pieces)
    )
