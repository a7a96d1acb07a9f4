"""A quick HTTP client for tests of thousands of calls: one connection that is kept, a token instead of a signature."""

import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlsplit

from tests.contract.running import Raw, Server


class QuickClient:
    """Calls the server as its administrator. Belongs to one thread."""

    def __init__(self, server: Server, raw: Raw) -> None:
        admin = server.admin
        user = {"name": admin.user_name, "password": admin.password, "domain": {"name": admin.domain_name}}
        login = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
        token = raw.bare("POST", "/v3/auth/tokens", json=login).headers["X-Subject-Token"]
        self._headers = {"X-Auth-Token": token, "Content-Type": "application/json"}
        place = urlsplit(server.endpoint)
        context = ssl.create_default_context(cafile=str(server.ca_file))
        self._connection = http.client.HTTPSConnection(place.hostname or "", place.port, context=context, timeout=30)

    def close(self) -> None:
        self._connection.close()

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return status and JSON of a call."""
        content = None if body is None else json.dumps(body).encode()
        try:
            self._connection.request(method, path, content, self._headers)
            answer = self._connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError):
            # The server closes what idles for long; nothing of this request has reached it.
            self._connection.close()
            self._connection.request(method, path, content, self._headers)
            answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())
