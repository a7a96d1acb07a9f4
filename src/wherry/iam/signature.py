"""Verification of signed requests: SDK-HMAC-SHA256 and its derived-key relative V11-HMAC-SHA256.

The hot path of the control plane, so it works on the bytes as they came, splits rather than matches, and its records
are msgspec's, which are made in a tenth of the time of frozen dataclasses. The list of signed headers is taken from the
request; nothing assumes which ones a client signs. Source: the signers of the vendor's SDKs for Python and Go; the
reference's chapter on authentication, 3.2 to 3.6.
"""

import functools
import hashlib
import hmac
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Final
from urllib.parse import quote, quote_from_bytes, unquote_plus, unquote_to_bytes

import msgspec

from wherry.iam.refusals import AuthenticationFailed

MAX_SKEW_S: Final = 15 * 60
UNSIGNED_PAYLOAD: Final = b"UNSIGNED-PAYLOAD"

_MAX_AUTHORIZATION = 8192
_MAX_QUERY_PAIRS = 1000
_LONGEST_KNOWN = 256
"""Bytes of an Authorization header, without its signature, that are read once for all; others are read every time."""

_DATE_FIELDS = ((0, 4), (4, 6), (6, 8), (9, 11), (11, 13), (13, 15))
_HEX = b"0123456789abcdef"
_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"
_PLAIN_PATH = _UNRESERVED + b"/"
_EMPTY_HASH = hashlib.sha256(b"").hexdigest().encode()


class SignatureMismatch(AuthenticationFailed):
    """The signature isn't the one that the key's secret makes of the request."""

    def __init__(self) -> None:
        super().__init__("the signature does not match the request")


class Algorithm(Enum):
    """The signature algorithms that are understood, by their name on the wire."""

    SDK_HMAC_SHA256 = b"SDK-HMAC-SHA256"
    V11_HMAC_SHA256 = b"V11-HMAC-SHA256"


_ALGORITHMS = {algorithm.value: algorithm for algorithm in Algorithm}
_NAMES = {algorithm: algorithm.value for algorithm in Algorithm}


class SignedRequest(msgspec.Struct, frozen=True, gc=False):
    """A request as it came over the wire, which is what was signed.

    Attributes:
        method: such as ``GET``.
        path: the raw path, percent-encoded as sent, without the query.
        query: the raw query, without the question mark.
        headers: names in lower case, in order of arrival (the form of ASGI).
        body: the bytes of the body, after any transfer encoding was removed.
        peer: the address that it came from; empty where that isn't known.
        fields: the headers by name, with the last value of a name that came more than once.
        repeated: the names that came more than once.
    """

    method: str
    path: bytes
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    peer: str = ""
    fields: Mapping[bytes, bytes] = {}
    repeated: frozenset[bytes] = frozenset()

    def __post_init__(self) -> None:
        fields = dict(self.headers)
        msgspec.structs.force_setattr(self, "fields", fields)
        if len(fields) != len(self.headers):
            counts = Counter(name for name, _ in self.headers)
            repeated = frozenset(name for name, count in counts.items() if count > 1)
            msgspec.structs.force_setattr(self, "repeated", repeated)


class Claim(msgspec.Struct, frozen=True, gc=False):
    """What a request says about its own signature.

    Attributes:
        algorithm: how it was signed.
        access_key: the id of the key.
        scope: ``<yyyymmdd>/<region>/<service>`` for V11, else empty.
        signed_headers: the names, in the order of the request.
        signed_headers_text: the same as sent, joined by semicolons.
        signature: 64 lower-case hex digits.
        date: `X-Sdk-Date` as sent.
        signed_at: the same as seconds since the epoch.
    """

    algorithm: Algorithm
    access_key: str
    scope: bytes
    signed_headers: tuple[bytes, ...]
    signed_headers_text: bytes
    signature: bytes
    date: bytes
    signed_at: int


class _Identity(msgspec.Struct, frozen=True, gc=False):
    """What an Authorization header says before its signature: the same in all requests of a client."""

    algorithm: Algorithm
    access_key: str
    scope: bytes
    signed_headers_text: bytes
    signed_headers: tuple[bytes, ...]


def read_claim(request: SignedRequest) -> Claim:
    """Return what *request* claims, without looking at whether it's true.

    Raises AuthenticationFailed, with the reason in words, where the headers don't follow the grammar.
    """
    authorization = _only_header(request, b"authorization")
    if authorization is None:
        raise AuthenticationFailed("the request carries neither X-Auth-Token nor Authorization")
    if len(authorization) > _MAX_AUTHORIZATION:
        raise AuthenticationFailed("the Authorization header is too long", code="APIGW.0106")
    signature, frame = _signature_apart(authorization)
    identity = _known_identity(frame) if len(frame) <= _LONGEST_KNOWN else _identity(frame)
    if len(signature) != 64 or signature.translate(None, _HEX):
        raise AuthenticationFailed("Signature is not 64 lower-case hexadecimal digits")
    date = _only_header(request, b"x-sdk-date")
    if date is None:
        raise AuthenticationFailed("the header X-Sdk-Date is missing")
    signed_at = _epoch_seconds(date)
    if identity.algorithm is Algorithm.V11_HMAC_SHA256:
        _check_scope(identity.scope, date)
    return Claim(
        identity.algorithm,
        identity.access_key,
        identity.scope,
        identity.signed_headers,
        identity.signed_headers_text,
        signature,
        date,
        signed_at,
    )


def verify(claim: Claim, request: SignedRequest, secret_key: bytes, now_s: float) -> None:
    """Check that *request* was signed with *secret_key* not more than 15 minutes from *now_s* (epoch seconds).

    Raises SignatureMismatch, and AuthenticationFailed for another reason.
    """
    if abs(now_s - claim.signed_at) > MAX_SKEW_S:
        raise AuthenticationFailed("X-Sdk-Date is more than 15 minutes from the server's time")
    head = canonical_head(claim, request)
    key = secret_key
    if claim.algorithm is Algorithm.V11_HMAC_SHA256:
        key = _derived_key(claim.access_key, secret_key, claim.scope)
    for payload in payload_hashes(request):
        if hmac.compare_digest(_sign(claim, key, head + payload), claim.signature):
            return
    raise SignatureMismatch


def canonical_head(claim: Claim, request: SignedRequest) -> bytes:
    """Return the canonical request up to and including the line feed before the hash of the body."""
    fields = request.fields
    if not request.repeated.isdisjoint(claim.signed_headers):
        raise _sent_twice(next(name for name in claim.signed_headers if name in request.repeated))
    lines = [request.method.upper().encode("latin-1"), canonical_path(request.path), canonical_query(request.query)]
    try:
        lines += [name + b":" + fields[name].strip() for name in sorted(claim.signed_headers)]
    except KeyError as missing:
        raise AuthenticationFailed(f"the signed header {_shown(missing.args[0])} was not sent") from None
    lines += (b"", claim.signed_headers_text, b"")
    return b"\n".join(lines)


def canonical_path(path: bytes) -> bytes:
    """Return the path decoded and encoded again segment by segment, with a slash at its end."""
    if path.translate(None, _PLAIN_PATH):
        segments = unquote_to_bytes(path).split(b"/")
        path = "/".join(quote_from_bytes(segment, safe="") for segment in segments).encode("ascii")
    return path if path.endswith(b"/") else path + b"/"


def canonical_query(query: bytes) -> bytes:
    """Return the pairs sorted by key and value and encoded again; a key without value becomes ``key=``."""
    if not query:
        return b""
    pieces = query.decode("latin-1").split("&")
    if len(pieces) > _MAX_QUERY_PAIRS:
        raise AuthenticationFailed("the query has too many parameters", code="APIGW.0106")
    pairs = []
    for piece in pieces:
        if piece:
            key, _, value = piece.partition("=")
            pairs.append((_unquoted(key), _unquoted(value)))
    pairs.sort()
    return "&".join(f"{_quoted(key)}={_quoted(value)}" for key, value in pairs).encode("ascii")


def payload_hashes(request: SignedRequest) -> tuple[bytes, ...]:
    """Return what may stand at the end of the canonical request, the likeliest first.

    Normally the hash of the body. A request that carries X-Sdk-Content-Sha256 has that header's value there, which
    must then be true, unless it says that the payload is unsigned. The Python SDK ignores the header when the body is
    empty, so for an empty body both forms are possible.
    """
    declared = _only_header(request, b"x-sdk-content-sha256")
    actual = hashlib.sha256(request.body).hexdigest().encode() if request.body else _EMPTY_HASH
    if declared is None or declared == actual:
        return (actual,)
    if declared != UNSIGNED_PAYLOAD:
        raise AuthenticationFailed("X-Sdk-Content-Sha256 is not the hash of the body")
    return (declared,) if request.body else (declared, actual)


def _signature_apart(authorization: bytes) -> tuple[bytes, bytes]:
    """Return the value of Signature, and the header without it: what is the same in all requests of a client."""
    before, key, after = authorization.partition(b"Signature=")
    signature, comma, behind = after.partition(b",")
    return signature.strip(), before + key + comma + behind


def _identity(frame: bytes) -> _Identity:
    """Return what an Authorization header says besides its signature. Raises AuthenticationFailed."""
    name, _, rest = frame.partition(b" ")
    algorithm = _ALGORITHMS.get(name)
    if algorithm is None:
        raise AuthenticationFailed(f"the algorithm {_shown(name)} is not supported")
    parts: dict[bytes, bytes] = {}
    for piece in rest.split(b","):
        key, equals, value = piece.strip().partition(b"=")
        if not equals or key in parts:
            raise AuthenticationFailed("the Authorization header is malformed")
        parts[key] = value
    who = b"Access" if algorithm is Algorithm.SDK_HMAC_SHA256 else b"Credential"
    if parts.keys() != {who, b"SignedHeaders", b"Signature"} or parts[b"Signature"]:
        raise AuthenticationFailed(
            f"the Authorization header must carry {who.decode()}, SignedHeaders and Signature and nothing else"
        )
    access_key, scope = parts[who], b""
    if algorithm is Algorithm.V11_HMAC_SHA256:
        access_key, _, scope = access_key.partition(b"/")
    if not access_key or not access_key.isascii():
        raise AuthenticationFailed("the access key is empty or not ASCII")
    names = parts[b"SignedHeaders"]
    return _Identity(algorithm, access_key.decode("ascii"), scope, names, _header_names(names))


_known_identity = functools.lru_cache(maxsize=16_384)(_identity)


@functools.lru_cache(maxsize=512)
def _header_names(text: bytes) -> tuple[bytes, ...]:
    names = tuple(text.split(b";"))
    if text.lower() != text or not all(names) or len(set(names)) != len(names):
        raise AuthenticationFailed("SignedHeaders is not a list of different lower-case names joined by semicolons")
    if b"x-sdk-date" not in names:
        raise AuthenticationFailed("X-Sdk-Date is not among the signed headers")
    return names


def _only_header(request: SignedRequest, name: bytes) -> bytes | None:
    if request.repeated and name in request.repeated:
        raise _sent_twice(name)
    value = request.fields.get(name)
    return None if value is None else value.strip()


def _sent_twice(name: bytes) -> AuthenticationFailed:
    return AuthenticationFailed(f"the header {_shown(name)} was sent twice")


@functools.lru_cache(maxsize=64)
def _epoch_seconds(date: bytes) -> int:
    digits = date[:8] + date[9:15]
    if len(date) != 16 or date[8:9] != b"T" or date[15:] != b"Z" or not digits.isdigit():
        raise AuthenticationFailed("X-Sdk-Date is not of the form YYYYMMDDTHHMMSSZ")
    year, month, day, hour, minute, second = (int(date[at:to]) for at, to in _DATE_FIELDS)
    try:
        return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())
    except ValueError:
        raise AuthenticationFailed("X-Sdk-Date is not a date") from None


def _check_scope(scope: bytes, date: bytes) -> None:
    pieces = scope.split(b"/")
    if len(pieces) != 3 or not all(pieces) or pieces[0] != date[:8]:
        raise AuthenticationFailed("Credential is not <access key>/<day of X-Sdk-Date>/<region>/<service>")


def _sign(claim: Claim, key: bytes, canonical_request: bytes) -> bytes:
    digest = hashlib.sha256(canonical_request).hexdigest().encode()
    scope = claim.scope + b"\n" if claim.scope else b""
    text = b"%b\n%b\n%b%b" % (_NAMES[claim.algorithm], claim.date, scope, digest)
    return hmac.digest(key, text, "sha256").hex().encode()


@functools.lru_cache(maxsize=512)
def _derived_key(access_key: str, secret_key: bytes, scope: bytes) -> bytes:
    extracted = hmac.digest(access_key.encode(), secret_key, "sha256")
    return hmac.digest(extracted, scope + b"\x01", "sha256").hex().encode()


def _unquoted(text: str) -> str:
    # Bytes that aren't UTF-8 survive the round trip as surrogates, since they're what was signed.
    if "%" not in text and "+" not in text and text.isascii():
        return text
    return unquote_plus(text.encode("latin-1").decode("utf-8", "surrogateescape"), errors="surrogateescape")


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="surrogateescape")


def _shown(name: bytes) -> str:
    return repr(name[:64].decode("ascii", "replace"))
