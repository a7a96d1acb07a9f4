"""A real Keystone process, and an administrator's hand on it: domains, projects, users and roles for the tests."""

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tools" / "keystone.sh"
INSTALLED = ROOT / "build" / "keystone" / "bin" / "uwsgi"
START_S = 90.0
PASSWORD = "correct horse battery"


@dataclass
class Keystone:
    """A Keystone over a directory; `stop` and `start` are what an operator does to it."""

    directory: Path
    port: int
    admin_password: str = field(default_factory=lambda: secrets.token_hex(8))
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v3"

    def start(self) -> None:
        """Serve, and wait until it answers."""
        log = self.directory.with_name("keystone.log")
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(SCRIPT), "serve", str(self.directory), str(self.port)],
                stdout=output,
                stderr=output,
                env={**os.environ, "KEYSTONE_ADMIN_PASSWORD": self.admin_password},
            )
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx.get(self.url, trust_env=False).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        self.stop()
        raise AssertionError(f"Keystone did not start:\n{log.read_text()[-3000:]}")

    def stop(self) -> None:
        """End it."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)


@contextmanager
def running_keystone(directory: Path) -> Iterator[Keystone]:
    """Make a Keystone with a database and keys of its own, and serve it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    keystone = Keystone(directory, port)
    keystone.start()
    try:
        yield keystone
    finally:
        keystone.stop()


class Administrator:
    """Calls Keystone as its administrator."""

    def __init__(self, keystone: Keystone) -> None:
        self._keystone = keystone
        self._http = httpx.Client(base_url=keystone.url, trust_env=False, timeout=30)
        answer = self._http.post("/auth/tokens", json=login("admin", keystone.admin_password, project="admin"))
        assert answer.status_code == 201, answer.text
        self._headers = {"X-Auth-Token": answer.headers["X-Subject-Token"]}

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """Return the JSON of a call that must succeed."""
        answer = self._http.request(method, path, json=body, headers={**self._headers, **headers})
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer.json() if answer.content else None

    def domain(self, name: str) -> str:
        """Make a domain; return its id."""
        return str(self.call("POST", "/domains", {"domain": {"name": name}})["domain"]["id"])

    def project(self, name: str, domain: str = "default") -> str:
        """Make a project; return its id."""
        return str(self.call("POST", "/projects", {"project": {"name": name, "domain_id": domain}})["project"]["id"])

    def user(self, name: str, roles: dict[str, str], domain: str = "default") -> str:
        """Make a user with a role (a name) in each project (an id); return his id."""
        user = self.call("POST", "/users", {"user": {"name": name, "domain_id": domain, "password": PASSWORD}})
        user_id = str(user["user"]["id"])
        for project, role in roles.items():
            self.call("PUT", f"/projects/{project}/users/{user_id}/roles/{self.role(role)}")
        return user_id

    def grant_on_domain(self, domain: str, user_id: str, role: str) -> None:
        """Give a user a role on a domain."""
        self.call("PUT", f"/domains/{domain}/users/{user_id}/roles/{self.role(role)}")

    def set_password(self, user_id: str, password: str) -> None:
        """Change a user's password, which ends his tokens."""
        self.call("PATCH", f"/users/{user_id}", {"user": {"password": password}})

    def role(self, name: str) -> str:
        """Return the id of a role, made when there's none."""
        found = self.call("GET", f"/roles?name={name}")["roles"]
        if not found:
            found = [self.call("POST", "/roles", {"role": {"name": name}})["role"]]
        return str(found[0]["id"])


def login(
    user: str, password: str = PASSWORD, *, project: str = "", domain: str = "Default", project_domain: bool = True
) -> dict[str, Any]:
    """Return the body of a login; unscoped without *project*. Clients of IAM name the project without its domain."""
    identity = {"methods": ["password"], "password": {"user": _user(user, password, domain)}}
    auth: dict[str, Any] = {"identity": identity}
    if project:
        auth["scope"] = {"project": {"name": project, **({"domain": {"name": domain}} if project_domain else {})}}
    return {"auth": auth}


def _user(name: str, password: str, domain: str) -> dict[str, Any]:
    return {"name": name, "password": password, "domain": {"name": domain}}
