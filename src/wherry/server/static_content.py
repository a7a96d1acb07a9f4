"""Answers that are the same for everybody as long as the process runs: kept as bytes, compressed once."""

import gzip
from collections.abc import Mapping, Sequence

from wherry.server.answers import Answer

SECURITY_HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""What every page and its parts carry: no scripts, styles or connections but the control plane's own."""

_SMALL = 1024


class StaticContent:
    """Some bytes with their media type. *cache_control*: by default they are asked for again each time."""

    def __init__(self, content: bytes, content_type: str, cache_control: str = "no-cache") -> None:
        headers = {**SECURITY_HEADERS, "cache-control": cache_control, "vary": "accept, accept-encoding"}
        self._plain = self._small = Answer(content, 200, content_type, headers)
        if len(content) > _SMALL:
            compressed = gzip.compress(content, mtime=0)
            self._small = Answer(compressed, 200, content_type, {**headers, "content-encoding": "gzip"})

    def answer(self, headers: Sequence[tuple[bytes, bytes]]) -> Answer:
        """Return the bytes, compressed where the client takes gzip."""
        return self._small if takes_gzip(headers) else self._plain


def takes_gzip(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Tell whether the client takes answers that are compressed by gzip."""
    codings = ",".join(value.decode("latin-1").lower() for name, value in headers if name == b"accept-encoding")
    return any(
        coding.partition(";")[0].strip() == "gzip" and not coding.replace(" ", "").endswith(";q=0")
        for coding in codings.split(",")
    )
