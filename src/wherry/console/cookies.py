"""Cookies of the console: read, and made."""

from collections.abc import Mapping, Sequence


def read_cookies(headers: Sequence[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Return the cookies of a request; of a name that comes twice, the first counts."""
    text = ";".join(value.decode("latin-1") for name, value in headers if name == b"cookie")
    cookies: dict[str, str] = {}
    for piece in text.split(";"):
        name, separator, value = piece.strip().partition("=")
        if separator:
            cookies.setdefault(name, value)
    return cookies


def cookie(name: str, value: str, *, secure: bool, max_age_s: int | None = None, script: bool = False) -> str:
    """Return a Set-Cookie that no other site's request carries.

    Without *max_age_s* it ends with the browser; 0 removes it. *script*: a script of the page may read it.
    """
    parts = [f"{name}={value}", "Path=/", "SameSite=Strict"]
    if max_age_s is not None:
        parts.append(f"Max-Age={max_age_s}")
    if not script:
        parts.append("HttpOnly")
    if secure:
        parts.append("Secure")
    return "; ".join(parts)
