"""Who visits: the token in the cookie. The control plane keeps no sessions, so every worker knows every visitor."""

from collections.abc import Sequence
from dataclasses import dataclass

from wherry.console.cookies import cookie, read_cookies
from wherry.iam.principals import Kind, Principal
from wherry.iam.refusals import AuthenticationFailed
from wherry.server.services import Services

_PLAIN = "wherry-session"
_HOST = "__Host-wherry-session"
"""Under TLS: a browser takes this name only from this very host, so no neighbouring one can slip in a token."""


@dataclass(frozen=True, slots=True)
class Session:
    """A visitor who has signed in, and the token that he showed."""

    principal: Principal
    token: str


async def find_session(services: Services, headers: Sequence[tuple[bytes, bytes]]) -> Session | None:
    """Return the session of a request; None where nobody has signed in, or the token is no good any more."""
    cookies = read_cookies(headers)
    token = cookies.get(_HOST) or cookies.get(_PLAIN)
    return None if not token else await session_of(services, token)


async def session_of(services: Services, token: str) -> Session | None:
    """Return the session of *token*; None where it's no good any more."""
    try:
        principal, _ = await services.authenticator.by_token(token)
    except AuthenticationFailed:
        return None
    return Session(principal, token) if principal.kind is Kind.USER else None


def session_cookies(token: str, *, secure: bool) -> list[str]:
    """Return the Set-Cookie values that begin the session of *token*; an empty one ends whatever session there is."""
    age_s = None if token else 0
    if token:
        return [cookie(_HOST if secure else _PLAIN, token, secure=secure)]
    return [cookie(_HOST, "", secure=True, max_age_s=age_s), cookie(_PLAIN, "", secure=secure, max_age_s=age_s)]


def is_secure(services: Services, headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Tell whether the browser speaks TLS, to us or to a proxy in front of us."""
    return services.tls or any(name == b"origin" and value.startswith(b"https://") for name, value in headers)
