"""A control plane with sources in many states, and a browser that looks at its console."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from huaweicloudsdksms import v3

from tests.console.visitor import Visitor, visiting
from tests.system.chromium import BROWSER, running_browser
from tests.system.serve_process import ServeProcess, registration, start, task

READER, READERS_PASSWORD = "reader", "a password of some length"
NAMES = ("alpha", "beta", "gamma", "delta", '<img src=x onerror="alert(1)">')


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip everything here where there's no browser."""
    if BROWSER is None:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="there is no Chromium on this machine"))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with running_browser(tmp_path_factory.mktemp("home")) as browser:
        yield browser


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServeProcess]:
    """A control plane with a few sources; the first has a task that can be started."""
    running = start(tmp_path / "data")
    try:
        client = running.client()
        ids = [client.register_server(v3.RegisterServerRequest(body=registration(name))).id for name in NAMES]
        client.create_task(v3.CreateTaskRequest(body=task(ids[0])))
        add_reader(running)
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()


@pytest.fixture
def visit(browser: Any, server: ServeProcess) -> Iterator[Callable[..., Visitor]]:
    """Open a browser's window in which somebody has signed in; options are those of a browser context."""
    with ExitStack() as stack:

        def enter(name: str = "", password: str = "", **options: Any) -> Visitor:
            admin = server.admin
            name, password = (name, password) if name else (admin["user_name"], admin["password"])
            visitor = stack.enter_context(visiting(browser, admin["endpoint"], **options))
            visitor.sign_in(name, password)
            return visitor

        yield enter


def add_reader(running: ServeProcess) -> None:
    """Make a user who may only read."""
    headers = {"X-Auth-Token": running.token()}
    with running.http() as http:
        made = http.post("/wherry/v1/users", headers=headers, json={"name": READER, "password": READERS_PASSWORD})
        assert made.status_code == 200, made.text
        path = f"/wherry/v1/users/{made.json()['id']}/policies/sms-read-only-access"
        assert http.put(path, headers=headers, json={}).status_code == 200
