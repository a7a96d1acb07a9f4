"""Requests to a control plane, signed and ready to be sent: bytes as they go over the wire."""

import time

import msgspec

from wherry.client.signing import sdk_date, sign


class Signer:
    """Makes the requests of one access key to one server. They are good for 15 minutes, each for one sending."""

    def __init__(self, host: str, port: int, access_key: str, secret_key: str) -> None:
        self._host = f"{host}:{port}"
        self._access_key = access_key
        self._secret_key = secret_key
        self._count = 0

    def request(self, method: str, path: str, body: object = None, *, wait_s: int = 0) -> bytes:
        """Return a request with *body* as JSON; with *wait_s* it's a long poll.

        No two are alike, since a replay may be refused.
        """
        content = b"" if body is None else msgspec.json.encode(body)
        self._count += 1
        headers = {
            "content-type": "application/json",
            "host": self._host,
            "x-request-number": str(self._count),
            "x-sdk-date": sdk_date(time.time()),
        }
        authorization = sign(
            method=method,
            path=path,
            query="",
            headers=headers,
            body=content,
            access_key=self._access_key,
            secret_key=self._secret_key,
        )
        headers |= {"authorization": authorization, "content-length": str(len(content))}
        if wait_s:
            headers["prefer"] = f"wait={wait_s}"
        return as_bytes(method, path, headers, content)


def as_bytes(method: str, path: str, headers: dict[str, str], content: bytes = b"") -> bytes:
    """Return an HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + content
