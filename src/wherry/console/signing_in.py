"""Signing in and out, and the choice of the language, which needs no session."""

from wherry.console.cookies import cookie
from wherry.console.languages import COOKIE, N_, NAMES
from wherry.console.rendering import html_answer
from wherry.console.session import is_secure, session_cookies
from wherry.console.visit import Page, Visit
from wherry.contract.errors import ApiError
from wherry.iam.refusals import AuthenticationFailed
from wherry.server.answers import Answer

SIGN_IN = "/console/sign-in"
_YEAR_S = 365 * 86400
_DEFAULT_ACCOUNT = "default"
_MISSING = N_("Enter a name and a password.")


async def show_sign_in(visit: Visit) -> Answer:
    """Show the form."""
    return _form(visit, next_page=_inside(visit.query.get("next", "")))


async def sign_in(visit: Visit) -> Answer:
    """Ask for a token, and keep it in the browser's cookie."""
    name, password, account = visit.value("name"), visit.form.get("password", ("",))[0], visit.value("account")
    next_page = _inside(visit.value("next"))
    if not name or not password:
        return _form(visit, next_page, problem=visit.language.say(_MISSING), status=400)
    account = account or _DEFAULT_ACCOUNT
    try:
        answer = await visit.perform("CreateToken", body=_login(visit, name, password, account), query={"nocatalog": 1})
    except AuthenticationFailed as refused:
        return _form(visit, next_page, problem=refused.reason, status=401)
    secure = is_secure(visit.call.services, visit.call.headers)
    token = next(value for header, value in answer.headers.items() if header.lower() == "x-subject-token")
    return visit.go(next_page, headers=_set(*session_cookies(token, secure=secure)))


async def sign_out(visit: Visit) -> Answer:
    """Let the token die, here and wherever else it's known, and forget it."""
    if visit.session is not None:
        token = visit.session.token
        await visit.perform("RevokeToken", headers={"x-subject-token": token, "x-auth-token": token})
    return clear_session(visit, f"{SIGN_IN}?notice=signed-out")


async def choose_language(visit: Visit) -> Answer:
    """Keep the language that was chosen in a cookie."""
    code = visit.value("language")
    if code not in NAMES:
        raise ApiError("SMS.9001", "language: it isn't one of the console's", params=("language",))
    secure = is_secure(visit.call.services, visit.call.headers)
    return visit.go(_inside(visit.value("next")), headers=_set(cookie(COOKIE, code, secure=secure, max_age_s=_YEAR_S)))


def clear_session(visit: Visit, target: str) -> Answer:
    """Send the browser to *target* without a session."""
    secure = is_secure(visit.call.services, visit.call.headers)
    return visit.go(target, headers=_set(*session_cookies("", secure=secure)))


PAGES = (
    Page("ConsoleSignIn", "GET", SIGN_IN, show_sign_in, open=True),
    Page("ConsoleSignIn", "POST", SIGN_IN, sign_in, open=True, max_body=64 * 1024),
    Page("ConsoleSignOut", "POST", "/console/sign-out", sign_out, open=True, max_body=1024),
    Page("ConsoleLanguage", "POST", "/console/language", choose_language, open=True, max_body=16 * 1024),
)


def _form(visit: Visit, next_page: str, *, problem: str = "", status: int = 200) -> Answer:
    html = visit.fragment(
        "sign_in.html",
        next_page=next_page,
        problem=problem,
        name=visit.value("name") if problem else "",
        account=(visit.value("account") if problem else "") or _DEFAULT_ACCOUNT,
        with_project=visit.call.services.keystone is not None,
    )
    return html_answer(visit.call, html, status=status)


def _login(visit: Visit, name: str, password: str, account: str) -> object:
    domain = {"name": account}
    user = {"name": name, "password": password, "domain": domain}
    project = visit.value("project")
    scope = {"project": {"name": project, "domain": domain}} if project else {"domain": domain}
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}


def _inside(path: str) -> str:
    """Return *path* where it's a page of the console, else the overview: nobody is sent elsewhere by a link to us."""
    odd = "\\" in path or any(ord(character) < 33 or ord(character) > 126 for character in path)
    return path if path.startswith("/console/") and not odd else "/"


def _set(*cookies: str) -> dict[str, str]:
    """Return the header. Several cookies stand under spellings of its name, since an answer has each name once."""
    names = ("set-cookie", "Set-Cookie")
    return dict(zip(names, cookies, strict=False))
