"""Signatures of webhooks, by which their receivers know who sends them.

Source: Standard Webhooks (https://www.standardwebhooks.com), symmetric signatures.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import Final

_PREFIX: Final = "whsec_"
_FRESH_BYTES: Final = 32
_FEWEST_BYTES, _MOST_BYTES = 24, 64


def new_secret() -> str:
    """Return a new secret."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_FRESH_BYTES)).decode("ascii")


def is_secret(text: str) -> bool:
    """Tell whether *text* can be a secret: the prefix, and 24 to 64 bytes in base64."""
    try:
        return text.startswith(_PREFIX) and _FEWEST_BYTES <= len(_key(text)) <= _MOST_BYTES
    except binascii.Error:
        return False


def signed_headers(secret: str, message_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """Return the three headers that go with *body*. *at_s*: when it's sent, in seconds since the epoch."""
    content = b".".join((message_id.encode(), str(at_s).encode(), body))
    signature = base64.b64encode(hmac.new(_key(secret), content, hashlib.sha256).digest()).decode("ascii")
    return {"webhook-id": message_id, "webhook-timestamp": str(at_s), "webhook-signature": f"v1,{signature}"}


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
