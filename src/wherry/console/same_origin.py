"""Whether a request that changes something was sent by a page of the console itself (ADR 0034).

Browsers say where a request comes from, in headers that no page can set: Sec-Fetch-Site where the connection is
trusted, Origin with every POST. A request that says nothing comes from no browser of today, and is refused.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from wherry.contract.errors import ApiError


def check_same_origin(headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Return when the request comes from a page of this very host and port. Raises ApiError WHERRY.5513."""
    given = {name: value.decode("latin-1").strip() for name, value in headers}
    site = given.get(b"sec-fetch-site")
    if site is not None:
        allowed = site == "same-origin"
    else:
        origin = urlsplit(given.get(b"origin", ""))
        allowed = bool(origin.netloc) and origin.netloc.lower() == given.get(b"host", "").lower()
    if not allowed:
        raise ApiError("WHERRY.5513")
