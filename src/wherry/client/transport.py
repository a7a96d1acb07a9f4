"""Requests to the control plane over one kept-alive HTTP/1.1 connection pool, its CA pinned by a file."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import httpx

from wherry.client.errors import ControlPlaneUnreachable, TrustMissing, refusal_of
from wherry.client.retrying import Lost, RetryPolicy, call
from wherry.client.server_time import ServerTime
from wherry.client.signing import sdk_date, sign
from wherry.trust import ignore_dates

CONNECT_S: Final = 10.0
ANSWER_S: Final = 30.0
# Shorter than the server's own limit, so that a connection is never used while the server is closing it.
_KEEP_ALIVE_S: Final = 30.0
_DATES: Final = frozenset({9, 10})
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""
_ODD_CLOCK: Final = "This machine's clock is wrong, or the certificate has run out."
_SET_CLOCK: Final = (
    "Set this machine's clock; or name the CA with --ca-file: then a wrong clock doesn't matter. If the clock is "
    "right, renew the certificate."
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key. Its secret stays out of logs."""

    access_key: str
    secret_key: str

    def __repr__(self) -> str:
        return f"Credentials(access_key={self.access_key!r})"


@dataclass(frozen=True, slots=True)
class Token:
    """A token of the identity service, which a user gets by his password. It stays out of logs."""

    text: str

    def __repr__(self) -> str:
        return "Token()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to be made.

    Attributes:
        method: such as ``GET``.
        path: percent-encoded; see `path_of`.
        query: parameters; None values are left out.
        body: JSON, or empty.
        repeatable: doing it twice is the same as once, so it may be tried again after a lost answer.
        wait_s: how long the server may keep the answer back (long poll).
    """

    method: str
    path: str
    query: Mapping[str, object] | None = None
    body: bytes = b""
    repeatable: bool = True
    wait_s: float = 0.0


def path_of(*segments: str) -> str:
    """Return the segments as a path, each percent-encoded."""
    return "/" + "/".join(quote(segment, safe="") for segment in segments)


class Transport:
    """Sends calls, signed when there are credentials. May be used by several threads."""

    def __init__(
        self,
        endpoint: str,
        credentials: Credentials | Token | None,
        ca_file: Path | None,
        policy: RetryPolicy,
        *,
        server_time: ServerTime | None = None,
    ) -> None:
        self.endpoint: Final = endpoint.rstrip("/")
        self._credentials = credentials
        self._policy = policy
        self._server_time = ServerTime() if server_time is None else server_time
        self._client = httpx.Client(
            base_url=self.endpoint,
            verify=trust_of(self.endpoint, ca_file),
            http2=False,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
            limits=httpx.Limits(max_connections=16, max_keepalive_connections=4, keepalive_expiry=_KEEP_ALIVE_S),
            headers={"user-agent": "wherry"},
        )

    def now(self) -> float:
        """Return the time that requests are signed for, in epoch seconds: the control plane's."""
        return self._server_time.now()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def send(self, what: Call) -> bytes:
        """Make the call and return the body of a 2xx answer.

        Raises ControlPlaneError for a refusal and ControlPlaneUnreachable where no answer came.
        """
        return self.exchange(what).content

    def exchange(self, what: Call) -> httpx.Response:
        """Make the call and return a 2xx answer with its headers. Raises what `send` raises."""
        return call(lambda: self._attempt(what, may_adjust=True), self._policy, repeatable=what.repeatable)

    def _attempt(self, what: Call, *, may_adjust: bool) -> httpx.Response:
        now = self._server_time.now()
        request = self._request(what, now)
        try:
            answer = self._client.send(request)
        except httpx.HTTPError as error:
            raise Lost(
                self._unreachable(error), sent=not isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
            ) from error
        if answer.is_success:
            return answer
        if answer.status_code == 401 and may_adjust and self._was_late_or_early(answer, now):
            return self._attempt(what, may_adjust=False)
        raise refusal_of(answer.status_code, answer.content, answer.headers.get("x-request-id", ""))

    def _request(self, what: Call, now: float) -> httpx.Request:
        parameters = {name: _text(value) for name, value in (what.query or {}).items() if value is not None}
        query = urlencode(parameters, quote_via=quote)
        headers = {"content-type": "application/json"} if what.body else {}
        if what.wait_s > 0:
            headers["prefer"] = f"wait={what.wait_s:g}"
        request = self._client.build_request(
            what.method,
            f"{what.path}?{query}" if query else what.path,
            content=what.body or None,
            headers=headers,
            timeout=httpx.Timeout(ANSWER_S + what.wait_s, connect=CONNECT_S),
        )
        if isinstance(self._credentials, Token):
            request.headers["x-auth-token"] = self._credentials.text
        elif self._credentials is not None:
            self._sign(request, what.body, self._credentials, now)
        return request

    def _sign(self, request: httpx.Request, body: bytes, credentials: Credentials, now: float) -> None:
        request.headers["x-sdk-date"] = sdk_date(now)
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        names = ("content-type", "host", "x-sdk-date")
        request.headers["authorization"] = sign(
            method=request.method,
            path=path,
            query=query,
            headers={name: request.headers[name] for name in names if name in request.headers},
            body=body,
            access_key=credentials.access_key,
            secret_key=credentials.secret_key,
        )

    def _was_late_or_early(self, answer: httpx.Response, now: float) -> bool:
        """Tell whether a request was refused because it was signed for *now*, and learn from it what time it is.

        Only over TLS: a stranger who could set the time of a plain connection could have requests signed for a later
        day.
        """
        if not isinstance(self._credentials, Credentials) or not self.endpoint.startswith("https://"):
            return False
        return self._server_time.learn(answer.headers.get("date", ""), now)

    def _unreachable(self, error: httpx.HTTPError) -> ControlPlaneUnreachable:
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        if _refused_for_its_dates(error):
            return ControlPlaneUnreachable(endpoint=self.endpoint, reason=reason, cause=_ODD_CLOCK, fix=_SET_CLOCK)
        return ControlPlaneUnreachable(endpoint=self.endpoint, reason=reason)


def trust_of(endpoint: str, ca_file: Path | None) -> ssl.SSLContext | bool:
    """Return what is trusted at *endpoint*; False for a plain connection. Raises TrustMissing."""
    if not endpoint.startswith("https://"):
        return False  # nothing to verify on a plain connection, so no authorities are loaded
    if ca_file is None:
        return ssl.create_default_context()
    try:
        # Nothing but the file is trusted: a new context without the system's authorities.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(cafile=ca_file)
        ignore_dates(context)
    except (OSError, ValueError) as error:
        raise TrustMissing(path=ca_file, reason=str(error)) from error
    return context


def _refused_for_its_dates(error: BaseException | None) -> bool:
    """Tell whether TLS failed because by this machine's clock the server's certificate isn't good yet, or any more."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_code in _DATES
        error = error.__cause__ or error.__context__
    return False


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
