"""Refusals as people see them: what happened, why, and what to do about it."""

from collections.abc import Mapping

from wherry.console.rendering import html_answer
from wherry.console.visit import Visit
from wherry.contract.errors import ApiError
from wherry.errors import WherryError
from wherry.ledger.errors import LedgerAway, LedgerClosed
from wherry.server.answers import Answer

_TO_MESSAGES: Mapping[str, str] = {"hx-retarget": "#messages", "hx-reswap": "innerHTML show:#messages:top"}


def refusal_answer(visit: Visit, error: WherryError) -> Answer:
    """Return *error* as a page, or as a message on the page for htmx."""
    status = _status(error)
    if visit.partial:
        html = visit.fragment("_parts/refusal.html", error=error, status=status)
        return html_answer(visit.call, html, status=status, headers=_TO_MESSAGES)
    return visit.page("refusal.html", status=status, error=error, code=status)


def cross_site_entry(visit: Visit) -> Answer | None:
    """Return a page that asks for this very page again; None where that wouldn't help.

    A link on another site brings no cookie along, as ours are strict. The page's own second try does.
    """
    from_elsewhere = any(name == b"sec-fetch-site" and value == b"cross-site" for name, value in visit.call.headers)
    return visit.page("again.html") if from_elsewhere and not visit.partial else None


def _status(error: WherryError) -> int:
    if isinstance(error, ApiError):
        return error.status
    return 503 if isinstance(error, LedgerAway | LedgerClosed) else 500
