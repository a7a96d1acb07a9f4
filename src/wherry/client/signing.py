"""Signing requests with SDK-HMAC-SHA256, as the vendor's SDKs do.

The other side of `wherry.iam.signature`, written by itself on purpose: agents and receivers carry the client without
the control plane's inside, and two hands that must agree find each other's mistakes. Source: the reference's chapter
on authentication, 3.2 and 3.3.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, quote, unquote_to_bytes

ALGORITHM: Final = "SDK-HMAC-SHA256"


def sign(
    *, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, access_key: str, secret_key: str
) -> str:
    """Return the value of Authorization for a request.

    Args:
        method: such as ``GET``.
        path: percent-encoded, as it will be sent.
        query: percent-encoded, without the question mark.
        headers: what to sign, by lower-case name; must hold `x-sdk-date`.
        body: the bytes that will be sent.
        access_key: the id of the key.
        secret_key: its secret.
    """
    names = sorted(headers)
    canonical = "\n".join(
        [
            method.upper(),
            _canonical_path(path),
            _canonical_query(query),
            *(f"{name}:{headers[name].strip()}" for name in names),
            "",
            ";".join(names),
            hashlib.sha256(body).hexdigest(),
        ]
    )
    text = f"{ALGORITHM}\n{headers['x-sdk-date']}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(secret_key.encode(), text.encode(), "sha256").hex()
    return f"{ALGORITHM} Access={access_key}, SignedHeaders={';'.join(names)}, Signature={signature}"


def sdk_date(now_s: float) -> str:
    """Return a moment (epoch seconds) in the form of X-Sdk-Date: YYYYMMDDTHHMMSSZ."""
    return datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%dT%H%M%SZ")


def _canonical_path(path: str) -> str:
    encoded = "/".join(quote(segment, safe="") for segment in unquote_to_bytes(path).split(b"/"))
    return encoded if encoded.endswith("/") else encoded + "/"


def _canonical_query(query: str) -> str:
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    return "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in pairs)
