"""Join tokens: one is made and shown once, with the command to paste on a source; an unused one can be withdrawn."""

import re
from typing import Final

from wherry.console.forms import Answers, Problem, problem_of
from wherry.console.languages import N_
from wherry.console.navigation import Entry
from wherry.console.operations import answer_as
from wherry.console.paging import page_number, pages_of
from wherry.console.visit import Page, Visit
from wherry.contract.enumerations import JoinRole
from wherry.contract.errors import ApiError
from wherry.contract.install_command import install_command
from wherry.contract.wherry import JoinToken, JoinTokenList
from wherry.server.answers import Answer

PATH: Final = "/console/join-tokens"
ENTRY = Entry(PATH, N_("Join tokens"), "join", "ListJoinTokens")

ROLES = {JoinRole.AGENT: N_("The agent of a source"), JoinRole.RECEIVER: N_("A receiver")}
LIFETIMES = {"3600": N_("An hour"), "86400": N_("A day"), "604800": N_("A week"), "2592000": N_("30 days")}

_PAGE: Final = 50
_FIELDS: Final = ("role", "expires_s", "server")
_SERVER: Final = re.compile(r"https?://[A-Za-z0-9._~:\[\]-]+/?")
_NO_BUNDLE: Final = "WHERRY.5512"


async def show_tokens(visit: Visit) -> Answer:
    """Show the tokens, and the form for a new one."""
    return await _list(visit, Answers({"role": [JoinRole.AGENT], "expires_s": ["3600"]}))


async def create(visit: Visit) -> Answer:
    """Make a token and show it, with the command for a source: neither is shown again."""
    answers = Answers(visit.form)
    try:
        server = _server(visit, answers.text("server"))
        body = {"role": answers.text("role"), "expires_s": _number(answers.text("expires_s"))}
        made = await visit.perform("CreateJoinToken", body=body)
    except ApiError as error:
        return await _list(visit, answers, problem_of(error, _FIELDS))
    token = answer_as(made, JoinToken)
    command, missing = "", None
    if token.role == JoinRole.AGENT:
        try:
            script = (await visit.perform("ShowJoinScript")).body
            command = install_command(server, script, token.token)
        except ApiError as error:
            if error.code != _NO_BUNDLE:
                raise
            missing = error
    return visit.page("join_token_made.html", token=token, command=command, missing=missing, path=PATH)


async def delete(visit: Visit) -> Answer:
    """Withdraw a token that nobody has used."""
    await visit.perform("DeleteJoinToken", visit.call.parameters)
    return visit.go(PATH, notice="deleted")


PAGES = (
    Page("ConsoleJoinTokens", "GET", PATH, show_tokens),
    Page("ConsoleJoinTokenNew", "POST", PATH, create),
    Page("ConsoleJoinTokenDelete", "POST", f"{PATH}/{{join_token_id}}/delete", delete),
)


async def _list(visit: Visit, answers: Answers, problem: Problem | None = None) -> Answer:
    page = page_number(visit.query)
    found = await visit.ask(JoinTokenList, "ListJoinTokens", limit=_PAGE, offset=(page - 1) * _PAGE)
    return visit.page(
        "join_tokens.html",
        status=200 if problem is None else problem.error.status,
        tokens=found.join_tokens,
        count=found.count,
        page=page,
        pages=pages_of(found.count, _PAGE),
        now=visit.call.at,
        answers=answers,
        problem=problem,
        roles=ROLES,
        lifetimes=LIFETIMES,
        path=PATH,
    )


def _server(visit: Visit, entered: str) -> str:
    """Return where a source reaches the control plane: as entered, else as this browser does. Raises ApiError."""
    if not entered:
        origins = [value.decode("latin-1") for name, value in visit.call.headers if name == b"origin"]
        entered = next(iter(origins), visit.call.services.endpoint)
    if not _SERVER.fullmatch(entered):
        raise ApiError("SMS.9001", "an address is https://, a name and a port", params=("server",))
    return entered


def _number(text: str) -> int | str:
    return int(text) if text.isdecimal() and len(text) < 10 else text
