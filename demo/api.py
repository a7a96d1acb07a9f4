"""The public API as any user calls it: a password, a token, JSON over HTTPS that is trusted by the CA of admin.json."""

import http
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from demo.errors import ApiRefused, ApiUnreachable, TookTooLong
from wherry.contract.installation import AdminFile, read_admin_file

REQUEST_TIMEOUT_S = 30.0
POLL_S = 0.1


def wait_for_admin(data: Path, *, limit_s: float, check: Callable[[], None]) -> AdminFile:
    """Return the credentials that a server writes on its first start, once it answers. Raises TookTooLong.

    *check* is called again and again and may raise when there's nothing to wait for any more.
    """
    deadline = time.monotonic() + limit_s
    path = data / "admin.json"
    while time.monotonic() < deadline:
        check()
        if path.exists():
            admin = read_admin_file(path)
            with httpx.Client(verify=_trust(admin)) as client:
                try:
                    if client.get(f"{admin.endpoint}/readyz").status_code == http.HTTPStatus.OK:
                        return admin
                except httpx.TransportError:
                    pass  # it has written the file and doesn't listen yet
        time.sleep(POLL_S)
    raise TookTooLong(what="The start of `wherry serve`", limit_s=limit_s, state="")


def _trust(admin: AdminFile) -> ssl.SSLContext | bool:
    return ssl.create_default_context(cafile=admin.ca_file) if admin.endpoint.startswith("https:") else True


@dataclass(slots=True)
class PublicApi:
    """A user's session with the control plane."""

    client: httpx.Client

    @classmethod
    def log_in(cls, admin: AdminFile) -> Self:
        """Get a token for the user of *admin*. Raises ApiRefused."""
        user = {"name": admin.user_name, "password": admin.password, "domain": {"name": admin.domain_name}}
        client = httpx.Client(base_url=admin.endpoint, verify=_trust(admin), timeout=REQUEST_TIMEOUT_S)
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
        api = cls(client)
        answer = api.request("POST", "/v3/auth/tokens", body)
        client.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]
        return api

    def request(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Return the answer of the control plane. Raises ApiUnreachable, and ApiRefused when it isn't a success."""
        try:
            answer = self.client.request(method, path, json=body)
        except httpx.TransportError as error:
            raise ApiUnreachable(method=method, path=path, reason=error) from error
        if not answer.is_success:
            raise ApiRefused(method=method, path=path, status=answer.status_code, body=answer.text[:500])
        return answer

    def get(self, path: str) -> Any:
        """Return the JSON document at *path*."""
        return self.request("GET", path).json()

    def find(self, path: str) -> httpx.Response | None:
        """Return the answer for *path*, None where nothing is there (yet)."""
        try:
            return self.request("GET", path)
        except ApiRefused as refusal:
            if refusal.details["status"] != http.HTTPStatus.NOT_FOUND:
                raise
            return None

    def post(self, path: str, body: object) -> Any:
        """Send *body* to *path* and return the JSON answer."""
        return self.request("POST", path, body).json()

    def close(self) -> None:
        """Close the connections."""
        self.client.close()
