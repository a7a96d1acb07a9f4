"""A visitor of the console inside the test: a browser without a screen."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from tests.unit import server_harness
from tests.unit.server_harness import Harness
from wherry.console.mounting import with_console

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "sec-fetch-site": "same-origin"}


def run(data: Path, check: Callable[[Harness], Awaitable[None]]) -> None:
    """Run *check* against a control plane that has the console."""
    server_harness.run(data, check, with_console)


def browser(harness: Harness, **headers: str) -> httpx.AsyncClient:
    """Return a browser; nobody has signed in."""
    return harness.client({**BROWSER, **headers})


async def signed_in(harness: Harness, name: str = "admin", password: str = "", **headers: str) -> httpx.AsyncClient:
    """Return a browser in which *name* has signed in; the administrator without a password."""
    visitor = browser(harness, **headers)
    password = password or json.loads((harness.data / "admin.json").read_text())["password"]
    answer = await visitor.post("/console/sign-in", data={"name": name, "password": password, "account": "default"})
    assert answer.status_code == 303, answer.text
    return visitor


async def reader(harness: Harness, **headers: str) -> httpx.AsyncClient:
    """Return a browser of a user who may only read."""
    admin = await harness.admin()
    name, password = "reader", "a password of some length"
    made = await admin.post("/wherry/v1/users", json={"name": name, "password": password})
    assert made.status_code == 200, made.text
    attached = await admin.put(f"/wherry/v1/users/{made.json()['id']}/policies/sms-read-only-access", json={})
    assert attached.status_code == 200, attached.text
    return await signed_in(harness, name, password, **headers)
