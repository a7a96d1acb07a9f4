"""What an agent says of a failure: in the detail of a failed result, or in the words of its last progress report."""

from collections.abc import Sequence

import msgspec

from wherry.contract.catalogue import EVERY_ENTRY
from wherry.errors import CODE, Explanation, read_explanation

UNKNOWN_FAILURE = "WHERRY.5603"
"""What a failed result without a code of its own is shown as."""

_MAX_PARAM = 255
_MAX_PARAMS = 20


class _Failure(msgspec.Struct, frozen=True):
    """What a failed result's detail may say. Agents of the vendor write error_code, and error_param as text."""

    error_code: str = ""
    error_param: str | list[str] = ""
    msg: str = ""


def failure_of_result(detail: bytes) -> tuple[str, tuple[str, ...]]:
    """Return the error code and its parameters that a failed result's detail holds.

    A code is whatever looks like one: agents have codes of their own. A detail without gives UNKNOWN_FAILURE. The
    agent's words are the parameter where it gives no others.
    """
    try:
        failure = msgspec.json.decode(detail, type=_Failure)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return UNKNOWN_FAILURE, ()
    params = failure.error_param if isinstance(failure.error_param, list) else _listed(failure.error_param)
    if not params and failure.msg:
        params = [failure.msg]
    code = failure.error_code if CODE.fullmatch(failure.error_code) else UNKNOWN_FAILURE
    return code, _bounded(params)


def failure_in_words(words: str, otherwise: str) -> tuple[str, tuple[str, ...]]:
    """Return the error code that an agent's *words* begin with, and message, cause and fix as its parameters.

    Wherry's agent reports why it can't go on as the text of a last progress report, before it reports the state error.
    Words of any other kind give the code *otherwise*.
    """
    told = read_explanation(words)
    if told is None:
        return otherwise, ()
    return told.code, _bounded([text for text in (told.message, told.cause, told.fix) if text])


def explain(code: str, params: Sequence[str]) -> Explanation:
    """Return what an error of a task means: in its agent's own words where they are its parameters, or else by code."""
    entry = EVERY_ENTRY.get(code)
    if len(params) == 3 and code.startswith("WHERRY."):
        return Explanation(code, *params)
    if entry is None:
        return Explanation(code, ", ".join(params) or code, "", "")
    return Explanation(code, entry.message, entry.cause, entry.fix)


def _bounded(params: list[str]) -> tuple[str, ...]:
    return tuple(param[:_MAX_PARAM] for param in params[:_MAX_PARAMS])


def _listed(text: str) -> list[str]:
    """Return the parameters that a text holds: a JSON list of texts, or the text itself."""
    try:
        return msgspec.json.decode(text, type=list[str])
    except (msgspec.DecodeError, RecursionError):
        return [text] if text else []
